//! Repositories that were tampered with, or are of a kind that this program does not read: each test has
//! the untouched twin that is accepted.

use std::fs;
use std::path::{Path, PathBuf};

use fix7_ledger::ledger::{Oid, Repository, parse_oid};
use fix7_ledger::verdict::Code;

use crate::harness::Scratch;
use crate::ledger::{REF, append, append_many, code, files, main_ledger};

/// A bare repository with three entries as loose objects, as git itself would hold them.
fn loose(scratch: &Scratch) -> (PathBuf, Vec<Oid>) {
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
    let path = scratch.path("repo.git");
    let chain = append_many(&path, 3);
    let script = "mkdir kept && mv objects/pack/* kept/ && for p in kept/*.pack; do git unpack-objects -q < $p; done && rm -rf kept";
    scratch.program("repo.git", "sh", &["-c", script]).ok();
    (path, chain)
}

fn read_all(path: &Path) -> Result<Vec<Oid>, fix7_ledger::ledger::Error> {
    let repository = Repository::open(path)?;
    let tip = repository.ledger_tip(&main_ledger())?.expect("a tip");
    let reader = repository.reader();
    let chain = reader.read_chain(&tip)?;
    for (number, id) in chain.iter().enumerate() {
        assert_eq!(reader.read_entry(id)?.files, files(number), "what is read is what was written");
    }
    Ok(chain)
}

fn object_file(repository: &Path, id: &str) -> PathBuf {
    repository.join("objects").join(&id[..2]).join(&id[2..])
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("there");
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_swapped_an_empty_a_truncated_and_a_missing_object_are_told_apart_from_a_good_one() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    assert_eq!(read_all(&path).expect("untouched"), chain);
    let other = scratch.write("other", b"evil");
    let evil = scratch.git("repo.git", &["hash-object", "-w", other.to_str().expect("UTF-8")]).ok();
    let evil = fs::read(object_file(&path, evil.stdout.trim())).expect("a loose object");
    for object in [":statement.json", "^{tree}", ":packet", ""] {
        let name = scratch.git("repo.git", &["rev-parse", &format!("{REF}{object}")]).ok().stdout;
        let file = object_file(&path, name.trim());
        let good = fs::read(&file).expect("a loose object");
        for (bytes, what) in [(&evil[..], "swapped"), (b"", "empty"), (&good[..good.len() / 2], "truncated")]
        {
            overwrite(&file, bytes);
            assert_eq!(code(read_all(&path)), Code::ObjectCorrupt, "{what} {object}");
        }
        fs::remove_file(&file).expect("removed");
        assert_eq!(code(read_all(&path)), Code::ObjectMissing, "{object}");
        fs::write(&file, good).expect("restored");
    }
    assert_eq!(read_all(&path).expect("restored"), chain);
}

#[test]
fn an_append_does_not_believe_a_corrupt_object_that_is_there_already() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    // `plan/up.sql` is the same in every entry: its object is there already, and now it is an empty file.
    let name = scratch.git("repo.git", &["rev-parse", &format!("{REF}:packet/plan/up.sql")]).ok().stdout;
    overwrite(&object_file(&path, name.trim()), b"");
    let repository = Repository::open(&path).expect("opens");
    append(&repository, 3, Some(chain[2])).expect("appends");
    assert_eq!(read_all(&path).expect("whole again").len(), 4, "the new pack holds the object");
}

#[test]
fn replace_refs_are_reported_and_not_followed() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    let conditions = || Repository::open(&path).expect("opens").conditions().expect("reads");
    assert!(conditions().accepted());
    scratch.git("repo.git", &["replace", &chain[2].to_string(), &chain[0].to_string()]).ok();
    assert_eq!(
        scratch.git("repo.git", &["rev-list", "--count", REF]).ok().stdout.trim(),
        "1",
        "git follows it"
    );
    assert_eq!(read_all(&path).expect("not followed"), chain);
    assert!(conditions().has(Code::ReplaceRefs));
}

#[test]
fn grafts_are_reported_and_not_followed() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    fs::create_dir_all(path.join("info")).expect("info");
    fs::write(path.join("info/grafts"), format!("{}\n", chain[2])).expect("grafts");
    assert_eq!(
        scratch.git("repo.git", &["rev-list", "--count", REF]).ok().stdout.trim(),
        "1",
        "git follows it"
    );
    assert_eq!(read_all(&path).expect("not followed"), chain);
    assert!(Repository::open(&path).expect("opens").conditions().expect("reads").has(Code::Grafts));
}

#[test]
fn a_forged_commit_graph_is_not_believed() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    scratch.git("repo.git", &["commit-graph", "write", "--reachable"]).ok();
    let graph = path.join("objects/info/commit-graph");
    let mut bytes = fs::read(&graph).expect("a commit-graph");
    // CDAT holds, for each commit in the order of ids: tree (20), first parent (4), second parent (4), dates (8).
    let cdat = bytes.windows(4).position(|w| w == b"CDAT").expect("a chunk");
    let at = u64::from_be_bytes(bytes[cdat + 4..cdat + 12].try_into().expect("8 bytes")) as usize;
    let mut sorted = chain.clone();
    sorted.sort();
    let tip = sorted.iter().position(|id| *id == chain[2]).expect("in the graph");
    let root = sorted.iter().position(|id| *id == chain[0]).expect("in the graph") as u32;
    bytes[at + tip * 36 + 20..][..4].copy_from_slice(&root.to_be_bytes());
    let end = bytes.len() - 20;
    scratch.write("graph", &bytes[..end]);
    let sum = scratch.program(".", "sha1sum", &["graph"]).ok().stdout;
    let sum = parse_oid(&sum.as_bytes()[..40]).expect("a SHA-1");
    bytes[end..].copy_from_slice(sum.as_slice());
    overwrite(&graph, &bytes);
    assert_eq!(
        scratch.git("repo.git", &["rev-list", "--count", REF]).ok().stdout.trim(),
        "2",
        "git believes it"
    );
    assert_eq!(read_all(&path).expect("not believed"), chain);
}

#[test]
fn a_shallow_clone_is_reported_and_its_chain_ends_with_a_missing_object() {
    let scratch = Scratch::new();
    let (path, _) = loose(&scratch);
    let url = format!("file://{}", path.display());
    scratch
        .git(".", &["clone", "-q", "--bare", "--depth=2", "-b", "fix7-ledger/main", &url, "shallow.git"])
        .ok();
    let shallow = scratch.path("shallow.git");
    assert!(Repository::open(&shallow).expect("opens").conditions().expect("reads").has(Code::Shallow));
    assert_eq!(code(read_all(&shallow)), Code::ObjectMissing);
    scratch.git("shallow.git", &["fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/heads/*"]).ok();
    assert!(Repository::open(&shallow).expect("opens").conditions().expect("reads").accepted());
    assert_eq!(read_all(&shallow).expect("whole").len(), 3);
}

#[test]
fn a_clone_that_borrows_its_objects_is_read() {
    let scratch = Scratch::new();
    let (_, chain) = loose(&scratch);
    scratch.git(".", &["clone", "-q", "--bare", "--shared", "repo.git", "borrows.git"]).ok();
    assert_eq!(read_all(&scratch.path("borrows.git")).expect("through alternates"), chain);
}

#[test]
fn reftable_and_sha256_repositories_are_refused() {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "--bare", "--ref-format=reftable", "reftable.git"]).ok();
    scratch.git(".", &["init", "-q", "--bare", "--object-format=sha256", "sha256.git"]).ok();
    scratch.git(".", &["init", "-q", "--bare", "files.git"]).ok();
    for refused in ["reftable.git", "sha256.git"] {
        assert_eq!(code(Repository::open(&scratch.path(refused))), Code::RepositoryUnsupported, "{refused}");
    }
    assert!(Repository::open(&scratch.path("files.git")).is_ok());
    assert_eq!(code(Repository::open(scratch.root())), Code::Unreadable, "no repository");
}

#[test]
fn trees_with_links_executables_odd_names_or_a_second_parent_are_refused() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    let blob = scratch.git("repo.git", &["rev-parse", &format!("{REF}:statement.json")]).ok().stdout;
    let blob = blob.trim();
    let tree = |lines: String| {
        let file = scratch.write("lines", lines);
        let script = format!("git mktree --missing < {}", file.display());
        scratch.program("repo.git", "sh", &["-c", &script]).ok().stdout.trim().to_owned()
    };
    let commit = |tree: &str, parents: &[Oid]| {
        let mut arguments = vec!["commit-tree".to_owned(), tree.to_owned(), "-m".to_owned(), "x".to_owned()];
        parents.iter().for_each(|p| arguments.extend(["-p".to_owned(), p.to_string()]));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let made = scratch.git("repo.git", &arguments).ok().stdout;
        parse_oid(made.trim().as_bytes()).expect("an id")
    };
    let reader = || Repository::open(&path).expect("opens").reader();
    let read = |lines: String| reader().read_entry(&commit(&tree(lines), &[chain[2]]));
    assert!(read(format!("100644 blob {blob}\tstatement.json\n")).is_ok());
    for (line, expected) in [
        (format!("120000 blob {blob}\tlink\n"), Code::EntryMalformed),
        (format!("100755 blob {blob}\trun.sh\n"), Code::EntryMalformed),
        (format!("160000 commit {}\tmodule\n", chain[0]), Code::EntryMalformed),
        (format!("100644 blob {blob}\t.gitattributes\n"), Code::PathForbidden),
        (format!("100644 blob {blob}\tcon.json\n"), Code::PathForbidden),
        (format!("100644 blob {blob}\tA\n100644 blob {blob}\ta\n"), Code::PathForbidden),
        (format!("100644 blob {}\tgone\n", "1".repeat(40)), Code::ObjectMissing),
    ] {
        assert_eq!(code(read(line.clone())), expected, "{line}");
    }
    let nested = (0..8).fold(blob.to_owned(), |inner, depth| {
        let kind = if depth == 0 { "100644 blob" } else { "040000 tree" };
        tree(format!("{kind} {inner}\td\n"))
    });
    assert_eq!(code(reader().read_entry(&commit(&nested, &[]))), Code::LimitExceeded);
    let merge = commit(&tree(format!("100644 blob {blob}\ta\n")), &[chain[1], chain[2]]);
    assert_eq!(code(reader().read_chain(&merge)), Code::ChainBroken);
}

#[test]
fn a_ledger_ref_that_is_a_symbolic_ref_is_refused() {
    let scratch = Scratch::new();
    let (path, chain) = loose(&scratch);
    scratch.git("repo.git", &["update-ref", "refs/heads/elsewhere", &chain[2].to_string()]).ok();
    scratch.git("repo.git", &["symbolic-ref", REF, "refs/heads/elsewhere"]).ok();
    let repository = Repository::open(&path).expect("opens");
    assert_eq!(code(repository.ledger_tip(&main_ledger())), Code::RefForbidden);
    assert_eq!(code(append(&repository, 3, Some(chain[2]))), Code::RefForbidden);
}
