//! Bundles: one file that an auditor checks with nothing else, and with stock tools as the text in it says.

use std::fs;

use fix7_ledger::bundle::{Bundle, RECIPES};
use fix7_ledger::statement::POLICY_FILE;

use crate::harness::Ran;
use crate::stage::Stage;

impl Stage {
    /// The bundle of an entry, and the log's key.
    #[track_caller]
    fn bundle(&self, entry: &str) -> String {
        let log = self.checkpoint("work", "head");
        self.us(&["export", "bundle", entry, "--repo", "work", "--out", "entry.bundle"]).ok();
        log
    }

    #[track_caller]
    fn check(&self, file: &str, log: &str) -> Ran {
        self.us(&["verify", "--bundle", file, "--trust", log, "--json"])
    }
}

#[test]
fn a_bundle_needs_nothing_but_the_logs_key() {
    let stage = Stage::new();
    let log = stage.bundle("2");
    fs::remove_dir_all(stage.scratch.path("work")).expect("gone");
    let ran = stage.check("entry.bundle", &log).ok();
    assert_eq!((ran.json()["seq"].as_u64(), ran.json()["kind"].as_str()), (Some(2), Some("rehearsal")));
    stage.us(&["verify", "--bundle", "entry.bundle"]).exits(3).says("KEY_UNKNOWN");
    let stranger = log.replace("fix7-ledger/", "fix8-ledger/");
    stage.us(&["verify", "--bundle", "entry.bundle", "--trust", &stranger]).exits(4);
    for entry in ["0", "1"] {
        let stage = Stage::new();
        let log = stage.bundle(entry);
        stage.check("entry.bundle", &log).ok();
    }
}

#[test]
fn no_changed_byte_of_a_bundle_is_accepted() {
    let stage = Stage::new();
    let log = stage.bundle("2");
    let good = fs::read(stage.scratch.path("entry.bundle")).expect("a bundle");
    stage.check("entry.bundle", &log).ok();
    // In this process every byte of the headers and of one text is changed, through the binary a few of each file.
    assert!(Bundle::parse(&good).is_ok());
    let headers = (0..good.len()).step_by(512).filter(|at| good[at + 257..].starts_with(b"ustar"));
    let mut tried = 0;
    for at in headers.clone().flat_map(|at| at..at + 512).step_by(7) {
        let mut changed = good.clone();
        changed[at] ^= 0x20;
        assert!(Bundle::parse(&changed).is_err(), "byte {at} of a header");
        tried += 1;
    }
    assert!(tried > 1000, "{tried}");
    for at in headers.filter(|at| good[at + 124..at + 136].iter().any(|b| (b'1'..=b'7').contains(b))) {
        let mut changed = good.clone();
        changed[at + 512] ^= 1;
        stage.scratch.write("changed.bundle", &changed);
        let ran = stage.check("changed.bundle", &log);
        assert!(
            matches!(ran.exit, 1 | 3 | 4),
            "{}: {}",
            String::from_utf8_lossy(&good[at..at + 40]),
            ran.stdout
        );
    }
    for cut in (0..good.len()).step_by(good.len() / 40) {
        assert!(Bundle::parse(&good[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn the_recipes_run_as_printed_and_fail_where_something_was_changed() {
    let stage = Stage::new();
    on(&stage, &["key", "add", "eva=keys/mallory", "--role", "operator", "--key", "keys/olga"]);
    stage.bundle("2");
    let unpack = || {
        let _ = fs::remove_dir_all(stage.scratch.path("open"));
        fs::create_dir(stage.scratch.path("open")).expect("a directory");
        stage.sh("open", "tar xf ../entry.bundle").ok();
    };
    unpack();
    let text = stage.text("open/READ-ME.txt");
    let printed = |number: usize| {
        let recipe = RECIPES[number];
        let shell = recipe.shell.replace("SIGNER", "anna");
        assert!(text.contains(&format!("\n{}. {}: {}\n\n{shell}\n", number + 1, recipe.tool, recipe.shows)));
        format!("set -e\n{shell}")
    };
    for number in 0..RECIPES.len() {
        stage.sh("open", &printed(number)).ok();
    }
    stage.sh("open", "rm registry/4/commit && rmdir registry/4 2>/dev/null; rm -r registry/4").ok();
    assert_ne!(stage.sh("open", &printed(5)).exit, 0, "a key's entry was left out");
    let damage = [
        ("sha256sum", "echo x >> entry/packet/README.md"),
        ("git", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry/commit"),
        ("ssh-keygen", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry.leaf"),
        ("openssl", "sed -i 's/ROLLBACK_EXACT/ROLLBACK_EXACt/' entry/statement.json"),
        ("Python", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry.leaf"),
        ("Python", "sed -i 's/^Fix7-Kind: key$/Fix7-Kind: note/' leaves"),
    ];
    for (number, (tool, damage)) in damage.into_iter().enumerate() {
        unpack();
        assert_eq!(RECIPES[number].tool, tool);
        stage.sh("open", damage).ok();
        let ran = stage.sh("open", &printed(number));
        assert_ne!(ran.exit, 0, "{tool}: {}", ran.stdout);
    }
}

/// A verb on the ledger in `work`.
#[track_caller]
fn on(stage: &Stage, words: &[&str]) -> Ran {
    stage.us(&[words, &["--repo", "work", "--json"]].concat()).ok()
}

/// A ledger whose keys and policy changed:
/// `#4` eva's key · `#5` eva's rerun · `#6` a policy · `#7` a grant for eva · `#8` eva begins
fn grown() -> Stage {
    let stage = Stage::new();
    stage.us(&["key", "new", "eva", "--dir", "keys", "--no-passphrase"]).ok();
    on(&stage, &["key", "add", "eva=keys/eva", "--role", "operator", "--key", "keys/olga"]);
    on(
        &stage,
        &["record", "--packet", "packet", "--rerun-of", "2", "--run-id", "again", "--key", "keys/eva"],
    );
    let policy = on(&stage, &["policy", "show"]).json()["content"].as_str().expect("a text").to_owned();
    let tighter = policy.replacen("[validator]", "[ledger]\nrequire_begin = true\n\n[validator]", 1);
    stage.scratch.write("new.toml", tighter);
    on(&stage, &["policy", "propose", "new.toml", "--key", "keys/olga"]);
    on(&stage, &["grant", "issue", "--operator", "eva", "--id", "for-eva", "--key", "keys/olga"]);
    on(&stage, &["begin", "--grant", "for-eva", "--key", "keys/eva"]);
    stage
}

#[test]
fn an_entry_of_a_key_that_was_added_later_needs_an_owners_key_or_the_id() {
    let stage = grown();
    let id = stage.us(&["status", "--repo", "work", "--json"]).json()["ledger"]
        .as_str()
        .expect("an id")
        .to_owned();
    for (entry, kind) in [("5", "rerun"), ("8", "begin"), ("7", "grant"), ("6", "policy"), ("4", "key")] {
        let _ = fs::remove_file(stage.scratch.path("entry.bundle"));
        let log = stage.bundle(entry);
        let owner = stage.text("keys/olga.pub");
        for trust in [&log, &id, &format!("sha256:{id}"), owner.trim(), "keys/olga.pub"] {
            let found = stage.check("entry.bundle", trust).ok().json();
            assert_eq!(found["kind"], kind, "{trust}");
        }
        // Whoever is no owner vouches for nothing, and another ledger is another one.
        for stranger in ["keys/eva.pub", "keys/mallory.pub", &"0".repeat(64)] {
            assert_eq!(
                stage.check("entry.bundle", stranger).exits(4).codes(),
                ["WRONG_LEDGER"],
                "{stranger}"
            );
        }
    }
}

#[test]
fn a_bundle_from_which_a_part_of_the_registry_was_left_out_is_refused() {
    let stage = grown();
    let log = stage.bundle("8");
    let bytes = fs::read(stage.scratch.path("entry.bundle")).expect("a bundle");
    let whole = Bundle::parse(&bytes).expect("a bundle");
    assert_eq!(
        whole.registry.keys().copied().collect::<Vec<_>>(),
        [4, 6, 7],
        "eva's key, the policy, her grant"
    );
    assert_eq!(whole.leaves.len(), 9);
    let check = |what: &str, change: &dyn Fn(&mut Bundle), code: &str| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        stage.scratch.write("changed.bundle", bundle.to_bytes().expect("a file"));
        let ran = stage.check("changed.bundle", &log);
        assert!(ran.exit != 0 && ran.codes().iter().any(|found| found == code), "{what}: {}", ran.stdout);
    };
    stage.check("entry.bundle", &log).ok();
    for seq in [4, 6, 7] {
        check("left out", &|bundle| drop(bundle.registry.remove(&seq)), "FILE_MISSING");
    }
    let without = |bundle: &mut Bundle| {
        bundle.registry.remove(&4);
        bundle.leaves[4].kind = fix7_ledger::statement::Kind::Note;
    };
    check("another kind", &without, "ROOT_MISMATCH");
    check(
        "another entry in its place",
        &|bundle| drop(bundle.registry.insert(4, whole.registry[&6].clone())),
        "CHAIN_BROKEN",
    );
    check("one too many", &|bundle| drop(bundle.registry.insert(3, whole.registry[&7].clone())), "MALFORMED");
    let document = |bundle: &mut Bundle| {
        let changed = bundle.registry.get_mut(&6).expect("the policy's entry");
        changed.files.get_mut(POLICY_FILE).expect("a policy").push(b'\n');
    };
    check("another policy", &document, "CONTENT_MISMATCH");
    // Whoever hides leaves as well has another tree than the checkpoint's.
    fs::remove_file(stage.scratch.path("entry.bundle")).expect("the one before");
    stage.bundle("5");
    let bytes = fs::read(stage.scratch.path("entry.bundle")).expect("a bundle");
    let mut cut = Bundle::parse(&bytes).expect("a bundle");
    cut.leaves.truncate(8);
    stage.scratch.write("changed.bundle", cut.to_bytes().expect("a file"));
    let codes = stage.check("changed.bundle", &log).codes();
    assert!(codes.contains(&"ENTRY_ABSENT".into()) && codes.contains(&"ROOT_MISMATCH".into()), "{codes:?}");
}

#[test]
fn what_a_revoked_key_signed_is_refused_and_what_a_retired_one_signed_before_holds() {
    let stage = grown();
    on(&stage, &["key", "retire", "anna", "--key", "keys/olga"]);
    let log = stage.bundle("2");
    stage.check("entry.bundle", &log).ok();
    on(&stage, &["key", "revoke", "eva", "--last-valid-seq", "5", "--key", "keys/olga"]);
    for (entry, exit, codes) in [("5", 0, vec![]), ("8", 3, vec!["ENTRY_SUSPECT"])] {
        fs::remove_file(stage.scratch.path("entry.bundle")).expect("the one before");
        stage.bundle(entry);
        assert_eq!(stage.check("entry.bundle", &log).exits(exit).codes(), codes, "{entry}");
    }
}
