//! The hooks at work: stock git pushes, this binary decides.

use crate::harness::{Ran, Scratch};
use crate::ledger::REF;

/// The claim that no channel may carry.
const CLAIM: &str = "PRODUCTION_PASS";

/// A clone and a server with their hooks, a ledger that begins in both, a branch that stands in both.
struct Hosted {
    s: Scratch,
}

impl Hosted {
    fn new() -> Hosted {
        let s = Scratch::new();
        for name in ["olga", "anna"] {
            s.run(&["key", "new", name, "--dir", "keys", "--no-passphrase"]).ok();
        }
        s.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]).ok();
        s.git(".", &["init", "-q", "-b", "main", "work"]).ok();
        s.git("work", &["remote", "add", "origin", "../server.git"]).ok();
        let people = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
        s.run(&[&["init", "--repo", "work"][..], &people].concat()).ok();
        s.run(&["hooks", "install", "--repo", "work"]).ok();
        s.run(&["hooks", "install", "--repo", "server.git", "--server"]).ok();
        let hosted = Hosted { s };
        hosted.commit("README.md", "a readme\n", "a message");
        hosted.push(&["main", REF]).ok();
        hosted
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.s.git("work", arguments).ok().stdout.trim().to_owned()
    }

    fn commit(&self, path: &str, text: &str, message: &str) {
        self.s.write(&format!("work/{path}"), text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// A push that passes both hooks.
    fn push(&self, refspecs: &[&str]) -> Ran {
        self.s.git("work", &[&["push", "origin"], refspecs].concat())
    }

    /// A push that the server alone decides.
    fn push_around(&self, refspecs: &[&str]) -> Ran {
        self.s.git("work", &[&["push", "--no-verify", "origin"], refspecs].concat())
    }

    fn server(&self) -> String {
        self.s.git("server.git", &["for-each-ref"]).ok().stdout
    }

    /// Both sides refuse a push, name the code, and nothing moves.
    #[track_caller]
    fn refused(&self, refspecs: &[&str], code: &str) {
        let before = self.server();
        self.push(refspecs).exits(1).says(code);
        self.push_around(refspecs).exits(1).says(code).says("pre-receive hook declined");
        assert_eq!(self.server(), before, "{refspecs:?}");
    }
}

#[test]
fn a_claim_in_any_channel_is_refused_on_both_sides_and_the_same_push_without_it_is_not() {
    let hosted = Hosted::new();
    let start = hosted.git(&["rev-parse", "HEAD"]);
    for claim in [CLAIM, "a plain word"] {
        let word = claim.replace(' ', "-");
        let is_claim = claim == CLAIM;
        let check = |what: &str, refspec: &str| match is_claim {
            true => hosted.refused(&[refspec], "CLAIM_FOUND"),
            false => drop(hosted.push(&[refspec]).says(what)),
        };
        check("", &format!("{start}:refs/heads/{word}"));
        hosted.git(&["tag", &word, &start]);
        check("", &format!("refs/tags/{word}"));
        hosted.git(&["tag", "-a", &format!("t{}", is_claim as u8), "-m", claim, &start]);
        check("", &format!("refs/tags/t{}", is_claim as u8));
        hosted.git(&["notes", "add", "-f", "-m", claim, &start]);
        check("", "+refs/notes/commits");
        let commits: [(&str, &str, &str); 3] = [
            ("docs/a.md", claim, "m"),
            (&format!("docs/{word}.md"), "text", "m"),
            ("docs/b.md", "text", claim),
        ];
        for (number, (path, text, message)) in commits.into_iter().enumerate() {
            hosted.git(&["checkout", "-q", "--detach", &start]);
            hosted.commit(path, text, message);
            check("", &format!("HEAD:refs/heads/b{}{number}", is_claim as u8));
        }
        hosted.git(&["update-ref", "-d", "refs/notes/commits"]);
    }
    let refs = hosted.server();
    assert!(
        !refs.contains(CLAIM) && refs.contains("refs/heads/b02") && refs.contains("refs/tags/a-plain-word"),
        "{refs}"
    );
    assert_eq!(refs.lines().count(), 2 + 7, "{refs}");
}

#[test]
fn a_ledger_is_neither_deleted_nor_rewritten_nor_written_by_hand() {
    let hosted = Hosted::new();
    let genesis = hosted.git(&["rev-parse", REF]);
    let tree = hosted.git(&["rev-parse", &format!("{REF}^{{tree}}")]);
    hosted.refused(&[&format!(":{REF}")], "LEDGER_DELETED");
    hosted.refused(&[&format!("+main:{REF}")], "LEDGER_REWRITTEN");
    hosted.refused(&["main:refs/heads/fix7-ledger/Other"], "REF_FORBIDDEN");
    hosted.refused(&[&format!("main:refs/replace/{genesis}")], "REF_FORBIDDEN");
    let by_hand = hosted.git(&["commit-tree", &tree, "-p", &genesis, "-m", "by hand"]);
    hosted.refused(&[&format!("{by_hand}:{REF}")], "ENTRY_MALFORMED");
    let message = hosted.git(&["log", "-1", "--format=%B", REF]);
    let elsewhere = hosted.git(&["commit-tree", &tree, "-p", &genesis, "-m", &message]);
    hosted.refused(&[&format!("{elsewhere}:refs/heads/copy")], "LEDGER_ELSEWHERE");
    // One forbidden ref stops the whole push.
    hosted.refused(&["main:refs/heads/fine", &format!(":{REF}")], "LEDGER_DELETED");

    hosted.s.run(&["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"]).ok();
    hosted.push(&[REF]).ok();
    assert_ne!(hosted.git(&["rev-parse", REF]), genesis);
    hosted.s.run(&["verify", "--repo", "server.git"]).ok();
}

#[test]
fn a_server_without_its_program_takes_nothing() {
    let hosted = Hosted::new();
    let hook = hosted.s.path("server.git/hooks/pre-receive");
    let text = std::fs::read_to_string(&hook).expect("a hook");
    std::fs::write(&hook, text.replace("program='", "program='/nowhere")).expect("written");
    let before = hosted.server();
    hosted.push(&["main:refs/heads/fine"]).exits(1).says("the program is missing");
    assert_eq!(hosted.server(), before);
    std::fs::write(&hook, text).expect("written");
    hosted.push(&["main:refs/heads/fine"]).ok();
}
