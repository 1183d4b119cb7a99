//! Bundles: one file that an auditor checks with nothing else, and with stock tools as the text in it says.

use std::fs;

use fix7_ledger::bundle::RECIPES;

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
    use fix7_ledger::bundle::Bundle;
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
    let damage = [
        ("sha256sum", "echo x >> entry/packet/README.md"),
        ("git", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry/commit"),
        ("ssh-keygen", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry.leaf"),
        ("openssl", "sed -i 's/ROLLBACK_EXACT/ROLLBACK_EXACt/' entry/statement.json"),
        ("Python", "sed -i 's/^Fix7-Seq: 2$/Fix7-Seq: 3/' entry.leaf"),
    ];
    for (number, (tool, damage)) in damage.into_iter().enumerate() {
        unpack();
        assert_eq!(RECIPES[number].tool, tool);
        stage.sh("open", damage).ok();
        let ran = stage.sh("open", &printed(number));
        assert_ne!(ran.exit, 0, "{tool}: {}", ran.stdout);
    }
}
