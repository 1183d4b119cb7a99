//! The whole story, as a newcomer runs it: `demo`, on the sample and on a database of one's own.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Scratch;
use crate::stage::{REF, SCHEMA};

/// What a newcomer waits for at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the demonstration's forger edits.
const DECISION: &str = "packet/production-decision-packet.json";

/// The steps of `demo --json`: program and verb, and the reason that it must be refused for.
fn steps(demo: &Value) -> Vec<(String, Option<String>)> {
    let steps = demo["steps"].as_array().expect("steps");
    steps
        .iter()
        .map(|step| {
            let (exit, refusal) =
                (step["exit"].as_i64().expect("an exit"), step["expected_refusal"].as_str());
            assert_eq!(exit == 0, refusal.is_none(), "{step}");
            let command = step["command"].as_str().expect("a command");
            let words = command.split(' ').filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
            let verbs = [
                "key", "init", "remote", "hooks", "rehearse", "grant", "record", "verify", "log", "worktree",
            ];
            let git = ["verify-commit", "commit", "push", "update-ref"];
            let verb = words.iter().skip(1).find(|word| verbs.contains(word) || git.contains(word));
            (format!("{} {}", words[0], verb.expect("a verb")), refusal.map(str::to_owned))
        })
        .collect()
}

/// What a demonstration does, in order.
fn expected() -> Vec<(String, Option<String>)> {
    let done = [
        "fix7-ledger key",
        "fix7-ledger key",
        "git init",
        "git init",
        "git remote",
        "fix7-ledger hooks",
        "fix7-ledger hooks",
        "fix7-ledger init",
        "fix7-ledger rehearse",
        "fix7-ledger grant",
        "fix7-ledger record",
        "fix7-ledger verify",
        "git verify-commit",
        "git worktree",
        "git commit",
    ];
    let refused = ["git push", "git push"];
    let after = ["git worktree", "git update-ref", "fix7-ledger log"];
    let claim = || Some("CLAIM_FOUND".to_owned());
    let done = done.into_iter().map(|step| (step.to_owned(), None));
    let refused = refused.into_iter().map(|step| (step.to_owned(), claim()));
    done.chain(refused).chain(after.into_iter().map(|step| (step.to_owned(), None))).collect()
}

/// Every file of a directory: its bytes' digest, mode, times and inode.
fn facts(scratch: &Scratch, directory: &str) -> BTreeMap<String, (String, u32, i64, i64, u64)> {
    let listing = scratch.listing(directory);
    let fact = |name: &str| std::fs::symlink_metadata(scratch.path(directory).join(name)).expect("there");
    let all = listing.into_iter().map(|(name, digest)| {
        let facts = fact(&name);
        (name, (digest, facts.mode(), facts.mtime(), facts.mtime_nsec(), facts.ino()))
    });
    all.collect()
}

fn verified(scratch: &Scratch, repo: &Path) -> Value {
    scratch.run(&["verify", "--repo", repo.to_str().expect("UTF-8"), "--json"]).ok().json()
}

#[test]
fn the_demonstration_goes_as_told_and_leaves_what_it_promises() {
    let scratch = Scratch::new();
    let begun = Instant::now();
    let demo = scratch.run(&["demo", "--dir", "x", "--json"]).ok().json();
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(steps(&demo), expected());

    // What it says to look at is there, and is what it says.
    for (file, text) in [
        ("packet/README.md", "HOLD_PRODUCTION"),
        ("packet/clone-rollback-evidence.json", "\"after_rollback_hash\""),
        ("packet/RERUN.sh", "HASH_MANIFEST.txt"),
    ] {
        let found = std::fs::read_to_string(scratch.path(&format!("x/{file}"))).expect(file);
        assert!(found.contains(text), "{file}: {found}");
    }
    scratch.git("x/work", &["show", "fix7-ledger/main"]).ok().says("[HOLD_PRODUCTION]");
    let report = verified(&scratch, &scratch.path("x/server.git"));
    assert_eq!(
        (&report["report"]["entries"], &report["report"]["ledger"]["demo"]),
        (&3.into(), &true.into())
    );
    // The forgery is nowhere: neither on a ref, nor among the server's objects.
    for repo in ["x/server.git", "x/work"] {
        let log = scratch.git(repo, &["log", "--all", "-p", "--", DECISION]).ok();
        assert!(log.stdout.contains("+{") && !log.stdout.contains("PRODUCTION_PASS"), "{repo}");
    }
    let unreachable = scratch.git("x/server.git", &["fsck", "--full", "--strict", "--unreachable"]).ok();
    assert_eq!(unreachable.stdout, "", "the quarantine is gone");

    // Nothing is done over again, and nothing is touched.
    let before = scratch.listing("x");
    let again = scratch.run(&["demo", "--dir", "x", "--json"]).exits(4);
    assert_eq!(again.codes(), ["ALREADY_EXISTS"]);
    assert_eq!(scratch.listing("x"), before);
}

#[test]
fn a_database_of_ones_own_is_only_read() {
    let scratch = Scratch::new();
    // A name that a shell would take apart, and a neighbour that is none of ours.
    scratch.write("mine/notes.txt", "mine");
    scratch.database("mine/my shop.db", SCHEMA);
    scratch.run(&["plan", "new", "mine/plan"]).ok();
    let before = facts(&scratch, "mine");
    let arguments = ["demo", "--dir", "x", "--source", "mine/my shop.db", "--plan", "mine/plan", "--json"];
    let demo = scratch.run(&arguments).ok().json();
    assert_eq!(facts(&scratch, "mine"), before, "to the byte, the time and the inode");
    assert_eq!(demo["steps"].as_array().expect("steps").len(), expected().len());
    let server = scratch.path("x/server.git");
    assert_eq!(verified(&scratch, &server)["report"]["verified"], 3);
    let lock =
        scratch.git("x/server.git", &["show", &format!("{REF}:packet/rehearsal-target-lock.json")]).ok();
    let bytes = std::fs::read(scratch.path("mine/my shop.db")).expect("there");
    let digest = fix7_ledger::digest::Digest::of(&bytes).to_string();
    lock.says(&digest);
}

#[test]
fn a_directory_with_anything_in_it_is_refused_untouched() {
    let scratch = Scratch::new();
    scratch.write("x/.hidden", "theirs");
    let before = facts(&scratch, "x");
    let refused = scratch.run(&["demo", "--dir", "x", "--json"]).exits(4);
    assert_eq!(refused.codes(), ["ALREADY_EXISTS"]);
    assert_eq!(facts(&scratch, "x"), before);
    scratch.write("file", "theirs");
    let refused = scratch.run(&["demo", "--dir", "file", "--json"]).exits(3);
    assert_eq!(refused.codes(), ["UNREADABLE"]);
    // One without the other is a question, not a guess.
    scratch.run(&["demo", "--dir", "y", "--source", "small.db"]).exits(2);
    assert!(!scratch.path("y").exists());
}
