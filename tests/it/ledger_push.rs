//! What the hooks see of a push: real pushes of stock git, stopped by a hook that keeps the quarantine.

use std::fs;
use std::path::PathBuf;

use fix7_ledger::judge::gate::Channel;
use fix7_ledger::ledger::push::{Examination, Push, examine};
use fix7_ledger::ledger::{Oid, Repository, parse_oid};
use fix7_ledger::verdict::{Code, Reason, Verdict};

use crate::harness::Scratch;
use crate::ledger::{REF, append, append_many, main_ledger};

/// A server whose hook keeps what it got and refuses, a client with `origin`, both with a ledger of three
/// entries and a branch of three commits.
struct Pair {
    scratch: Scratch,
    chain: Vec<Oid>,
}

const KEEP: &str = "#!/bin/sh
rm -rf kept; mkdir -p kept/objects; cat > kept/input
[ -z \"$GIT_QUARANTINE_PATH\" ] || cp -r \"$GIT_QUARANTINE_PATH\"/. kept/objects
exit 1
";

impl Pair {
    fn new() -> Pair {
        let scratch = Scratch::new();
        scratch.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]).ok();
        scratch.git(".", &["init", "-q", "-b", "main", "client"]).ok();
        let pair = Pair { chain: append_many(&scratch.path("client"), 3), scratch };
        for number in 0..3 {
            pair.commit(&format!("docs/old{number}.md"), "old text\n", "old message");
        }
        let server = pair.scratch.path("server.git").display().to_string();
        pair.client(&["remote", "add", "origin", &server]);
        pair.client(&["push", "-q", "origin", "--all"]);
        pair.client(&["fetch", "-q", "origin"]);
        let hook = pair.scratch.write("server.git/hooks/pre-receive", KEEP);
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
        pair
    }

    fn client(&self, arguments: &[&str]) -> String {
        self.scratch.git("client", arguments).ok().stdout.trim().to_owned()
    }

    fn commit(&self, path: &str, text: &str, message: &str) -> Oid {
        self.scratch.write(&format!("client/{path}"), text);
        self.client(&["add", path]);
        self.client(&["commit", "-q", "-m", message]);
        parse_oid(self.client(&["rev-parse", "HEAD"]).as_bytes()).expect("an id")
    }

    /// Pushes, lets the hook refuse, and examines what the hook was given.
    fn push(&self, arguments: &[&str]) -> (Examination, Vec<Seen>) {
        let _ = fs::remove_dir_all(self.scratch.path("server.git/kept"));
        let arguments = [&["push", "-q", "origin"], arguments].concat();
        self.scratch.git("client", &arguments).exits(1).says("pre-receive hook declined");
        let kept = self.scratch.path("server.git/kept");
        let push = Push::from_pre_receive(&fs::read(kept.join("input")).expect("input")).expect("reads");
        let repository = self.quarantined(kept.join("objects"));
        gather(&repository, &push)
    }

    fn quarantined(&self, objects: PathBuf) -> Repository {
        // The second value is what git itself names as the alternate: the store that is there anyway.
        let own = self.scratch.path("server.git/objects");
        Repository::open_quarantined(&self.scratch.path("server.git"), &[objects, own]).expect("opens")
    }

    fn client_repository(&self) -> Repository {
        Repository::open(&self.scratch.path("client")).expect("opens")
    }
}

/// A channel's name and text.
type Seen = (&'static str, String);

fn name_of(channel: Channel<'_>) -> &'static str {
    match channel {
        Channel::File { .. } => "file",
        Channel::Note => "note",
        Channel::FileName => "path",
        Channel::RefName => "ref",
        Channel::TagName => "tag",
        Channel::TagMessage => "tag message",
        Channel::CommitMessage => "message",
        Channel::Identity => "identity",
        Channel::Header => "header",
        other => panic!("{other:?} is not a channel of these pushes"),
    }
}

/// A gate that finds the word `certified`, and writes down what it was shown.
fn gather(repository: &Repository, push: &Push) -> (Examination, Vec<Seen>) {
    let mut seen = Vec::new();
    let mut gate = |place: &str, channel: Channel<'_>, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut verdict = Verdict::default();
        verdict.require(!text.contains("certified"), || Reason::new(Code::ClaimFound, place));
        seen.push((name_of(channel), text));
        verdict
    };
    let examination = examine(repository, push, &mut gate);
    (examination, seen)
}

fn codes(examination: &Examination) -> Vec<Code> {
    examination.verdict.reasons().iter().map(|r| r.code).collect()
}

fn of<'a>(seen: &'a [Seen], kind: &str) -> Vec<&'a str> {
    seen.iter().filter(|(k, _)| *k == kind).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn a_ledgers_new_entries_are_found_in_the_quarantine() {
    let pair = Pair::new();
    let fourth = append(&pair.client_repository(), 3, Some(pair.chain[2])).expect("appends");
    let fifth = append(&pair.client_repository(), 4, Some(fourth)).expect("appends");
    let (examination, seen) = pair.push(&[REF]);
    assert!(examination.verdict.accepted(), "{:?}", examination.verdict);
    assert_eq!(examination.appends.len(), 1);
    let found = &examination.appends[0];
    assert_eq!((&found.ledger, found.old), (&main_ledger(), Some(pair.chain[2])));
    assert_eq!(found.entries, [fourth, fifth]);
    assert!(seen.is_empty(), "entries are not shown to the gate: verification judges them");
    let plain = Repository::open(&pair.scratch.path("server.git")).expect("opens");
    assert!(plain.reader().read_entry(&fifth).is_err(), "outside of the quarantine there is no such object");
    let quarantined = pair.quarantined(pair.scratch.path("server.git/kept/objects"));
    assert!(quarantined.reader().read_entry(&fifth).is_ok());
}

#[test]
fn deleting_rewriting_or_renaming_a_ledger_is_refused_and_a_new_ledger_is_not() {
    let pair = Pair::new();
    let other = pair.commit("docs/new.md", "text", "message").to_string();
    for (refspec, expected) in [
        (format!(":{REF}"), Code::LedgerDeleted),
        (format!("+{}:{REF}", pair.chain[1]), Code::LedgerRewritten),
        (format!("+{other}:{REF}"), Code::LedgerRewritten),
        (format!("{REF}:refs/heads/fix7-ledger/Other"), Code::RefForbidden),
        (format!("{REF}:refs/replace/{}", pair.chain[0]), Code::RefForbidden),
    ] {
        let (examination, _) = pair.push(&[&refspec]);
        assert_eq!(codes(&examination), [expected], "{refspec}");
        assert!(examination.appends.is_empty());
    }
    let (examination, _) = pair.push(&[&format!("{REF}:refs/heads/fix7-ledger/second")]);
    assert!(examination.verdict.accepted());
    assert_eq!(examination.appends[0].entries, pair.chain);
    assert_eq!(examination.appends[0].old, None);
}

#[test]
fn a_merge_into_a_ledger_is_refused() {
    let pair = Pair::new();
    let tree = pair.client(&["rev-parse", &format!("{REF}^{{tree}}")]);
    let (a, b) = (pair.chain[2].to_string(), pair.chain[1].to_string());
    let merge = pair.client(&["commit-tree", &tree, "-p", &a, "-p", &b, "-m", "merge"]);
    let (examination, _) = pair.push(&[&format!("{merge}:{REF}")]);
    assert_eq!(codes(&examination), [Code::ChainBroken]);
}

#[test]
fn every_channel_of_a_branch_a_tag_and_a_note_is_shown_once_and_nothing_old_is() {
    let pair = Pair::new();
    pair.commit("docs/new.md", "new text\n", "new message");
    pair.commit("docs/copy.md", "new text\n", "second message");
    pair.client(&["tag", "-a", "v1", "-m", "tag message"]);
    pair.client(&["notes", "add", "-m", "note text"]);
    let (examination, seen) = pair.push(&["main", "v1", "refs/notes/commits"]);
    assert!(examination.verdict.accepted(), "{:?}", examination.verdict);
    assert_eq!(of(&seen, "ref"), ["refs/heads/main", "refs/tags/v1", "refs/notes/commits"]);
    let messages = of(&seen, "message");
    assert_eq!(messages.len(), 3);
    assert!(messages.contains(&"new message\n") && messages.contains(&"second message\n"));
    assert_eq!(of(&seen, "tag"), ["v1"]);
    assert_eq!(of(&seen, "tag message"), ["tag message\n"]);
    // Once a name: what a file is called decides which mentions it may hold.
    assert_eq!(of(&seen, "file"), ["new text\n"; 2], "docs/new.md and docs/copy.md");
    assert_eq!(of(&seen, "note"), ["note text\n"]);
    let mut paths = of(&seen, "path");
    paths.sort_unstable();
    let noted = pair.client(&["rev-parse", "HEAD"]);
    let mut expected = vec!["docs", "docs", "docs/copy.md", "docs/new.md", &noted];
    expected.sort_unstable();
    assert_eq!(paths, expected);
    assert!(seen.iter().all(|(_, text)| !text.contains("old")), "what the server has is not shown again");
    assert_eq!(examination.scanned.commits, 3);
}

#[test]
fn a_claim_is_found_in_whichever_channel_it_stands() {
    let pair = Pair::new();
    let clean = pair.commit("docs/new.md", "text\n", "message").to_string();
    assert!(pair.push(&["main"]).0.verdict.accepted());
    let blob = pair.scratch.write("claim", "certified\n");
    let blob = pair.client(&["hash-object", "-w", blob.to_str().expect("UTF-8")]);
    let lines = pair.scratch.write("lines", format!("100644 blob {blob}\tx\n"));
    let tree =
        pair.scratch.program("client", "sh", &["-c", &format!("git mktree < {}", lines.display())]).ok();
    let tree = tree.stdout.trim().to_owned();
    let raw = |text: String| {
        let file = pair.scratch.write("raw", text);
        pair.client(&["hash-object", "-w", "-t", "commit", "--literally", file.to_str().expect("UTF-8")])
    };
    let empty = pair.client(&["write-tree"]);
    let who = "a <a@x> 1795392000 +0000";
    let header = raw(format!("tree {empty}\nauthor {who}\ncommitter {who}\ngpgsig2 certified\n\nx\n"));
    let author = raw(format!("tree {empty}\nauthor certified <a@x> 1 +0000\ncommitter {who}\n\nx\n"));
    pair.client(&["tag", "-a", "message", "-m", "certified", &clean]);
    pair.client(&["tag", "-a", "certified", "-m", "x", &clean]);
    pair.client(&["tag", "outer", "certified"]);
    for refspec in [
        format!("{clean}:refs/heads/certified"),
        format!("{}:refs/heads/x", pair.client(&["commit-tree", &empty, "-m", "certified"])),
        format!("{header}:refs/heads/x"),
        format!("{author}:refs/heads/x"),
        "refs/tags/message:refs/tags/x".to_owned(),
        "refs/tags/certified:refs/tags/x".to_owned(),
        format!("{blob}:refs/tags/x"),
        format!("{tree}:refs/tags/x"),
        format!("{}:refs/heads/x", pair.client(&["commit-tree", &tree, "-m", "x"])),
    ] {
        let (examination, _) = pair.push(&[&refspec]);
        assert!(examination.verdict.has(Code::ClaimFound), "{refspec}: {:?}", examination.verdict);
    }
}

#[test]
fn entries_on_another_ref_are_refused_and_a_tag_on_the_ledger_is_not() {
    let pair = Pair::new();
    let head = pair.chain[2].to_string();
    let tree = pair.client(&["rev-parse", &format!("{head}^{{tree}}")]);
    let message = "entry\n\nFix7-Entry: v1\nFix7-Seq: 3\n";
    let shaped = pair.client(&["commit-tree", &tree, "-p", &head, "-m", message]);
    let (examination, _) = pair.push(&[&format!("{shaped}:refs/heads/x")]);
    assert_eq!(codes(&examination), [Code::LedgerElsewhere]);
    let tag = format!("{shaped}:refs/tags/entry-3");
    let (examination, _) = pair.push(&[&format!("{shaped}:{REF}"), &tag]);
    assert!(examination.verdict.accepted(), "in one push with the entry itself: {:?}", examination.verdict);
    assert_eq!(examination.appends[0].entries.len(), 1);
}

#[test]
fn objects_that_are_there_but_reachable_from_no_ref_count_as_new() {
    let pair = Pair::new();
    // The server has the objects already, of a branch that was deleted: git sends nothing.
    pair.commit("docs/new.md", "certified\n", "message");
    fs::rename(pair.scratch.path("server.git/hooks/pre-receive"), pair.scratch.path("hook")).expect("moved");
    pair.client(&["push", "-q", "origin", "main:gone"]);
    pair.client(&["push", "-q", "origin", ":gone"]);
    fs::rename(pair.scratch.path("hook"), pair.scratch.path("server.git/hooks/pre-receive")).expect("moved");
    let (examination, _) = pair.push(&["main:refs/heads/again"]);
    assert!(examination.verdict.has(Code::ClaimFound), "{:?}", examination.verdict);
    let old = pair.client(&["rev-parse", "HEAD~2"]);
    let (examination, seen) = pair.push(&[&format!("{old}:refs/heads/old")]);
    assert!(examination.verdict.accepted());
    assert_eq!(seen.len(), 1, "a new branch at an old commit brings its name alone: {seen:?}");
}

#[test]
fn what_is_missing_is_refused() {
    let pair = Pair::new();
    let new = pair.commit("docs/new.md", "text\n", "message").to_string();
    pair.push(&["main"]);
    let kept = pair.scratch.path("server.git/kept");
    let input = fs::read(kept.join("input")).expect("input");
    fs::create_dir(pair.scratch.path("empty")).expect("made");
    let push = Push::from_pre_receive(&input).expect("reads");
    let (examination, _) = gather(&pair.quarantined(pair.scratch.path("empty")), &push);
    assert_eq!(codes(&examination), [Code::ObjectMissing], "a hook that does not see the quarantine refuses");
    let stale = format!("{} {new} {REF}\n", pair.chain[1]);
    let push = Push::from_pre_receive(stale.as_bytes()).expect("reads");
    let (examination, _) = gather(&pair.quarantined(kept.join("objects")), &push);
    assert_eq!(codes(&examination), [Code::HeadMoved]);
}

#[test]
fn the_client_sees_the_same_before_it_sends() {
    let pair = Pair::new();
    let old = pair.chain[2];
    let new = append(&pair.client_repository(), 3, Some(old)).expect("appends");
    let before = pair.client(&["rev-parse", "origin/main"]);
    let main = pair.commit("docs/new.md", "certified\n", "message");
    let lines = format!("{REF} {new} {REF} {old}\nrefs/heads/main {main} refs/heads/main {before}\n");
    let push = Push::from_pre_push("origin", lines.as_bytes()).expect("reads");
    let (examination, seen) = gather(&pair.client_repository(), &push);
    assert_eq!(codes(&examination), [Code::ClaimFound]);
    assert_eq!(examination.appends[0].entries, [new]);
    assert_eq!(of(&seen, "message"), ["message\n"]);

    let unknown = "1".repeat(40);
    let push =
        Push::from_pre_push("origin", format!("{REF} {new} {REF} {unknown}\n").as_bytes()).expect("reads");
    assert_eq!(codes(&gather(&pair.client_repository(), &push).0), [Code::HeadMoved], "fetch first");
}
