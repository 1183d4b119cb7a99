//! The ledger against stock git: what git writes is read, what is written git accepts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fix7_ledger::ledger::{Draft, Error, LedgerRef, Oid, Repository, Step};
use fix7_ledger::verdict::Code;

use crate::harness::Scratch;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const REF: &str = "refs/heads/fix7-ledger/main";

pub(crate) fn main_ledger() -> LedgerRef {
    LedgerRef::named("main").expect("a name")
}

/// Files of an entry that differ from those of every other `number`.
pub(crate) fn files(number: usize) -> BTreeMap<String, Vec<u8>> {
    [
        ("statement.json", format!("{{\"n\":{number}}}")),
        ("statement.sig", "signature".repeat(number % 7)),
        ("packet/HASH_MANIFEST.txt", format!("{number:064}  plan/up.sql\n")),
        ("packet/plan/up.sql", "select 1;\n".to_owned()),
        ("packet/empty.txt", String::new()),
    ]
    .map(|(path, content)| (path.to_owned(), content.into_bytes()))
    .into()
}

/// A commit as `git commit-tree` would write it, unsigned.
pub(crate) fn commit(number: usize, tree: &str, parent: Option<&str>) -> Vec<u8> {
    let parent = parent.map(|p| format!("parent {p}\n")).unwrap_or_default();
    let who = format!("test <test@example.invalid> {} +0000", 1_795_392_000 + number);
    format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nentry {number}\n").into_bytes()
}

pub(crate) fn append(repository: &Repository, number: usize, expected: Option<Oid>) -> Result<Oid, Error> {
    let lock = repository.lock(PATIENCE)?;
    let draft = Draft { ledger: &main_ledger(), expected, files: &files(number) };
    repository.append(&lock, &draft, &mut |tree, parent| Ok(commit(number, tree, parent)))
}

pub(crate) fn append_many(path: &Path, count: usize) -> Vec<Oid> {
    let repository = Repository::open(path).expect("opens");
    let mut tip = None;
    (0..count)
        .map(|number| {
            tip = Some(append(&repository, number, tip).expect("appends"));
            tip.expect("just set")
        })
        .collect()
}

pub(crate) fn code<T>(result: Result<T, Error>) -> Code {
    match result {
        Ok(_) => panic!("it should have been refused"),
        Err(e) => e.code(),
    }
}

fn bare(scratch: &Scratch) -> std::path::PathBuf {
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
    scratch.path("repo.git")
}

#[test]
fn what_is_appended_git_accepts_and_we_read_back() {
    let scratch = Scratch::new();
    let path = bare(&scratch);
    let chain = append_many(&path, 5);
    scratch.git("repo.git", &["fsck", "--full", "--strict", "--no-dangling"]).ok();
    let log = scratch.git("repo.git", &["log", "--format=%H %s", REF]).ok();
    let expected: String =
        chain.iter().enumerate().rev().map(|(n, id)| format!("{id} entry {n}\n")).collect();
    assert_eq!(log.stdout, expected);
    let blob = scratch.git("repo.git", &["cat-file", "-p", &format!("{REF}:packet/plan/up.sql")]).ok();
    assert_eq!(blob.stdout, "select 1;\n");
    for pack in std::fs::read_dir(path.join("objects/pack")).expect("packs") {
        let pack = pack.expect("a pack").path();
        if pack.extension().is_some_and(|e| e == "idx") {
            scratch.git("repo.git", &["verify-pack", pack.to_str().expect("UTF-8")]).ok();
            // git's own index of the same pack has the same bytes.
            let remade = scratch.path("remade.idx");
            let source = pack.with_extension("pack");
            let arguments =
                ["index-pack", "-o", remade.to_str().expect("UTF-8"), source.to_str().expect("UTF-8")];
            scratch.git("repo.git", &arguments).ok();
            assert_eq!(std::fs::read(&remade).expect("an index"), std::fs::read(&pack).expect("an index"));
            std::fs::remove_file(&remade).expect("removed");
        }
    }
    let repository = Repository::open(&path).expect("opens");
    let tip = repository.ledger_tip(&main_ledger()).expect("reads").expect("a tip");
    assert_eq!(repository.reader().read_chain(&tip).expect("a chain"), chain);
    for (number, id) in chain.iter().enumerate() {
        let entry = repository.reader().read_entry(id).expect("an entry");
        assert_eq!(entry.files, files(number));
        let stock = scratch.git("repo.git", &["cat-file", "commit", &id.to_string()]).ok();
        assert_eq!(entry.commit, stock.stdout.into_bytes());
    }
    let since = repository.reader().read_chain_since(&tip, &chain[2], 10).expect("reads");
    assert_eq!(since.as_deref(), Some(&chain[3..]));
    assert_eq!(code(repository.reader().read_chain_since(&tip, &chain[2], 1)), Code::LimitExceeded);
}

#[test]
fn what_git_writes_is_read_from_a_work_tree_a_linked_one_and_a_packed_bare_clone() {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "-b", "fix7-ledger/main", "work"]).ok();
    for number in 0..4 {
        for (path, content) in files(number) {
            scratch.write(&format!("work/{path}"), content);
        }
        scratch.git("work", &["add", "-A"]).ok();
        scratch.git("work", &["commit", "-q", "-m", &format!("entry {number}")]).ok();
    }
    scratch.git("work", &["worktree", "add", "-q", "-b", "other", "../linked"]).ok();
    scratch.git(".", &["clone", "-q", "--bare", "work", "clone.git"]).ok();
    scratch.git("clone.git", &["repack", "-adfq", "--depth=50"]).ok();
    scratch.git("clone.git", &["pack-refs", "--all"]).ok();
    for place in ["work", "linked", "clone.git", "work/.git"] {
        let repository = Repository::open(&scratch.path(place)).expect(place);
        let tip = repository.ledger_tip(&main_ledger()).expect("reads").expect("a tip");
        let chain = repository.reader().read_chain(&tip).expect("a chain");
        let read: Vec<_> =
            chain.iter().map(|id| repository.reader().read_entry(id).expect("an entry").files).collect();
        assert_eq!(read, (0..4).map(files).collect::<Vec<_>>(), "{place}");
        assert!(repository.conditions().expect("reads").accepted(), "{place}");
        let below = scratch.path(place).join(if place.ends_with("git") { "objects" } else { "packet/plan" });
        let discovered = Repository::discover(&below).expect("found from below");
        assert_eq!(discovered.common_dir(), repository.common_dir());
        let next = append(&repository, 4, Some(tip)).expect("appends");
        assert_eq!(scratch.git(place, &["rev-parse", REF]).ok().stdout.trim(), next.to_string());
        scratch.git(place, &["update-ref", REF, &tip.to_string()]).ok();
    }
}

#[test]
fn an_append_continues_the_expected_tip_only() {
    let scratch = Scratch::new();
    let path = bare(&scratch);
    let chain = append_many(&path, 2);
    let repository = Repository::open(&path).expect("opens");
    let before = scratch.listing("repo.git");
    assert_eq!(code(append(&repository, 9, Some(chain[0]))), Code::HeadMoved);
    assert_eq!(code(append(&repository, 9, None)), Code::HeadMoved);
    assert_eq!(scratch.listing("repo.git"), before, "a lost race writes nothing");
    assert!(append(&repository, 9, Some(chain[1])).is_ok());

    let lock = repository.lock(PATIENCE).expect("free");
    assert_eq!(code(repository.lock(Duration::ZERO)), Code::LockHeld);
    drop(lock);
    assert!(repository.lock(Duration::ZERO).is_ok());
}

#[test]
fn a_commit_that_names_another_tree_or_parent_is_not_written() {
    let scratch = Scratch::new();
    let path = bare(&scratch);
    let chain = append_many(&path, 2);
    let repository = Repository::open(&path).expect("opens");
    let lock = repository.lock(PATIENCE).expect("free");
    let (ledger, files) = (main_ledger(), files(2));
    let draft = Draft { ledger: &ledger, expected: Some(chain[1]), files: &files };
    let other = chain[0].to_string();
    let before = scratch.listing("repo.git");
    type Bad<'a> = &'a dyn Fn(&str, Option<&str>) -> Vec<u8>;
    let bad: [Bad<'_>; 4] = [
        &|_, parent| commit(2, &other, parent),
        &|tree, _| commit(2, tree, Some(&other)),
        &|tree, _| commit(2, tree, None),
        &|_, _| b"no commit".to_vec(),
    ];
    for bad in bad {
        assert!(repository.append(&lock, &draft, &mut |tree, parent| Ok(bad(tree, parent))).is_err());
    }
    assert!(repository.append(&lock, &draft, &mut |_, _| Err("no key".into())).is_err());
    assert_eq!(scratch.listing("repo.git"), before);
    repository.append(&lock, &draft, &mut |tree, parent| Ok(commit(2, tree, parent))).expect("the right one");
}

#[test]
fn a_stop_at_any_step_leaves_a_readable_ledger_that_the_next_append_continues() {
    for stop in Step::ALL {
        let scratch = Scratch::new();
        let path = bare(&scratch);
        let chain = append_many(&path, 2);
        let repository = Repository::open(&path).expect("opens");
        let lock = repository.lock(PATIENCE).expect("free");
        let (ledger, files) = (main_ledger(), files(2));
        let draft = Draft { ledger: &ledger, expected: Some(chain[1]), files: &files };
        let mut seen = Vec::new();
        let stopped = repository.append_observed(
            &lock,
            &draft,
            &mut |tree, parent| Ok(commit(2, tree, parent)),
            &mut |step| {
                seen.push(step);
                match step == stop {
                    true => Err(std::io::Error::other("stopped")),
                    false => Ok(()),
                }
            },
        );
        assert!(stopped.is_err());
        let at = Step::ALL.iter().position(|s| *s == stop).expect("a step");
        assert_eq!(seen, Step::ALL[..=at], "every step is passed, in order");
        drop(lock);

        let repository = Repository::open(&path).expect("opens again");
        let tip = repository.ledger_tip(&main_ledger()).expect("reads").expect("a tip");
        let moved = stop == Step::RefMoved;
        assert_eq!(tip != chain[1], moved, "{stop:?}");
        let length = 2 + usize::from(moved);
        assert_eq!(repository.reader().read_chain(&tip).expect("readable").len(), length, "{stop:?}");
        repository.reader().read_entry(&tip).expect("whole");
        scratch.git("repo.git", &["fsck", "--full", "--strict", "--connectivity-only"]).ok();
        let next = append(&repository, 3, Some(tip)).expect("the next append is not disturbed");
        assert_eq!(repository.reader().read_chain(&next).expect("readable").len(), length + 1);
    }
}

#[test]
fn appends_of_many_writers_end_up_once_each_or_report_the_race() {
    const WRITERS: usize = 8;
    const EACH: usize = 5;
    let scratch = Scratch::new();
    let path = bare(&scratch);
    append_many(&path, 1);
    let done = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let path = &path;
                scope.spawn(move || {
                    let repository = Repository::open(path).expect("opens");
                    let mut done = Vec::new();
                    while done.len() < EACH {
                        let number = 1 + writer * EACH + done.len();
                        // The tip is read before the lock is taken: races are lost, and told.
                        let tip = repository.ledger_tip(&main_ledger()).expect("reads");
                        match append(&repository, number, tip) {
                            Ok(id) => done.push(id),
                            Err(e) => assert_eq!(e.code(), Code::HeadMoved, "{e}"),
                        }
                    }
                    done
                })
            })
            .collect();
        writers.into_iter().flat_map(|w| w.join().expect("a writer")).collect::<Vec<_>>()
    });
    let repository = Repository::open(&path).expect("opens");
    let tip = repository.ledger_tip(&main_ledger()).expect("reads").expect("a tip");
    let mut chain = repository.reader().read_chain(&tip).expect("a chain").split_off(1);
    let mut done = done;
    chain.sort();
    done.sort();
    assert_eq!(chain, done, "every append that was reported is there, and nothing else");
    scratch.git("repo.git", &["fsck", "--full", "--strict"]).ok();
}
