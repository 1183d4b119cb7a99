//! Checkpoints and proofs through the binary: they travel as files, and hold without a repository.

use std::fs;

use crate::harness::Ran;
use crate::stage::Stage;

impl Stage {
    /// Signs the head of a clone as its log; gives the log's verifier key.
    #[track_caller]
    pub fn checkpoint(&self, repo: &str, out: &str) -> String {
        let ran = self.us(&["checkpoint", "--repo", repo, "--key", "keys/lola", "--out", out, "--json"]).ok();
        ran.json()["verifier_key"].as_str().expect("a key").to_owned()
    }

    /// Verifies a proof with nothing but the log's key.
    #[track_caller]
    pub fn proof(&self, file: &str, key: &str, more: &[&str]) -> Ran {
        self.us(&[&["verify", "--proof", file, "--trust", key, "--json"][..], more].concat())
    }

    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.scratch.path(file)).expect("a text")
    }
}

#[test]
fn a_proof_of_inclusion_needs_no_repository() {
    let stage = Stage::new();
    let key = stage.checkpoint("work", "head");
    stage.us(&["prove", "2", "--repo", "work", "--out", "two.tlog-proof"]).ok();
    fs::remove_dir_all(stage.scratch.path("work")).expect("gone");
    let ran = stage.proof("two.tlog-proof", &key, &[]).ok();
    assert_eq!(ran.json()["index"], 2);
    assert!(ran.json()["trailers"].as_str().expect("the leaf").contains("Fix7-Kind: rehearsal\n"));
    stage.us(&["verify", "--proof", "two.tlog-proof", "--trust", &key]).ok().says("quorum not established");
    stage.us(&["verify", "--proof", "two.tlog-proof"]).exits(3).says("KEY_UNKNOWN");
    let text = stage.text("two.tlog-proof");
    for (what, changed, exit) in [
        ("another place", text.replace("\nindex 2\n", "\nindex 3\n"), 1),
        ("another size", text.replace("\n4\n", "\n5\n"), 1),
        (
            "a hash less",
            text.lines().enumerate().filter(|(n, _)| *n != 3).map(|(_, l)| format!("{l}\n")).collect(),
            1,
        ),
        ("another leaf", text.replacen("extra Rml4Ny1FbnRyeTogdjEK", "extra Rml4Ny1FbnRyeTogdjIK", 1), 1),
        ("no signature", text[..text.find("\n—").expect("a line")].to_owned(), 4),
    ] {
        assert_ne!(changed, text, "{what}");
        stage.scratch.write("changed.tlog-proof", changed);
        stage.proof("changed.tlog-proof", &key, &[]).exits(exit);
    }
}

#[test]
fn a_proof_of_consistency_shows_that_the_ledger_only_grew() {
    let stage = Stage::new();
    let key = stage.checkpoint("work", "four");
    stage.grant("work").ok();
    stage.checkpoint("work", "five");
    stage.us(&["prove", "--since", "4", "--repo", "work", "--out", "grew"]).ok();
    stage.proof("grew", &key, &["--older", "four"]).ok();
    stage.proof("grew", &key, &["--older", "five"]).exits(1);
    stage.proof("grew", &key, &[]).exits(3);
    // A copy of the ledger in which another fifth entry stands, signed as well: a split view.
    let other = Stage::new();
    other.grant("work").ok();
    let foreign = other.us(&["checkpoint", "--repo", "work", "--key", "keys/lola", "--out", "five"]);
    foreign.ok();
    stage.scratch.write("other-five", other.text("five"));
    stage.scratch.write("split", format!("old 5\n\n{}", other.text("five")));
    stage.proof("split", &key, &["--older", "five"]).exits(5);
    stage.scratch.write("same", format!("old 5\n\n{}", stage.text("five")));
    stage.proof("same", &key, &["--older", "five"]).ok();
}

#[test]
fn a_history_that_contradicts_a_signed_checkpoint_is_a_fork_and_is_kept() {
    let stage = Stage::new();
    stage.checkpoint("work", "four");
    let verify = |head: &str, repo: &str| {
        stage.us(&["verify", "--repo", repo, "--forget", "--checkpoint", head, "--json"])
    };
    verify("four", "work").ok();
    // The same keys, and another history from the third entry on.
    let second = stage.tip("work");
    stage.git("work", &["update-ref", crate::stage::REF, &format!("{second}~1")]).ok();
    verify("four", "work").exits(5); // a rollback
    stage.grant("work").ok();
    let ran = verify("four", "work").exits(5);
    assert_eq!(ran.codes(), ["FORKED"]);
    let kept = ran.json()["kept_checkpoint"].as_str().expect("a file").to_owned();
    assert_eq!(fs::read_to_string(kept).expect("kept"), stage.text("four"));
    // Its log does not sign a second history either.
    let again = ["checkpoint", "--repo", "work", "--key", "keys/lola", "--json"];
    assert_eq!(stage.us(&again).exits(5).codes(), ["FORKED"]);
}

#[test]
fn only_a_key_that_is_a_log_and_nothing_else_signs_checkpoints() {
    let stage = Stage::new();
    for key in ["keys/olga", "keys/anna", "keys/wanda", "keys/mallory"] {
        let ran = stage.us(&["checkpoint", "--repo", "work", "--key", key, "--json"]).exits(4);
        assert_eq!(ran.codes(), ["ROLE_MISSING"], "{key}");
    }
    stage.checkpoint("work", "head");
}
