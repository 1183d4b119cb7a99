//! The ledgers that the benchmarks are made of are ledgers: this program and stock git accept them.

use std::time::Duration;

use fix7_ledger::ledger::Repository;

use crate::desk::Desk;
use crate::harness::Scratch;

#[path = "../../examples/synthesise/ledger.rs"]
mod ledger;

/// A bare repository with a ledger of so many entries, and the ledger's id.
pub fn synthesised(entries: u64, packets: u64) -> (Scratch, String) {
    let s = Scratch::new();
    s.git("", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
    let repository = Repository::open(&s.path("repo.git")).expect("opens");
    let lock = repository.lock(Duration::from_secs(1)).expect("free");
    let shape = ledger::Shape { entries, packets };
    let (_, id) = ledger::write(&repository, &lock, shape).expect("written");
    (s, id.to_string())
}

#[test]
fn a_synthesised_ledger_verifies_with_this_program_and_with_stock_git() {
    // Every packet another one; few packets, so that blobs are shared; grants alone.
    for (entries, packets, runs) in [(8, u64::MAX, 3), (12, 2, 5), (6, 0, 0)] {
        let (s, id) = synthesised(entries, packets);
        let report = s.run(&["verify", "--repo", "repo.git", "--pin", &id, "--json"]).ok().json();
        assert_eq!(report["report"]["verified"], entries);
        let status = s.run(&["status", "--repo", "repo.git", "--json"]).ok().json();
        assert_eq!(status["rehearsals"], runs, "{status}");
        s.git("repo.git", &["fsck", "--full", "--strict"]).ok();
        let signers = s.run(&["export", "allowed-signers", "--repo", "repo.git"]).ok().stdout;
        s.write("signers", signers);
        let config = format!("gpg.ssh.allowedSignersFile={}", s.path("signers").display());
        let tip = "refs/heads/fix7-ledger/main";
        s.git("repo.git", &["-c", &config, "verify-commit", tip, &format!("{tip}~1")]).ok();
    }
}

#[test]
fn a_synthesised_ledger_without_its_last_pack_is_not_whole() {
    let (s, _) = synthesised(6, 0);
    for pack in std::fs::read_dir(s.path("repo.git/objects/pack")).expect("packs") {
        std::fs::remove_file(pack.expect("a pack").path()).expect("removed");
    }
    let refused = s.run(&["verify", "--repo", "repo.git", "--json"]).exits(3);
    assert!(refused.codes().contains(&"OBJECT_MISSING".to_owned()));
}

#[test]
fn a_report_of_two_hundred_entries_stays_under_a_megabyte_and_turns_green() {
    // No two packets alike: what is embedded is compressed, and repetition would flatter it.
    let (s, id) = synthesised(200, u64::MAX);
    let wrote = s.run(&["report", "--repo", "repo.git", "--out", "report.html", "--json"]).ok().json();
    assert_eq!(wrote["entries"], 200);
    let size = std::fs::metadata(s.path("report.html")).expect("written").len();
    assert!((100_000..1_000_000).contains(&size), "{size} bytes");
    let mut desk = Desk::new();
    desk.browser.open(&s.path("report.html"));
    let found = desk.press(&id, "");
    assert_eq!(found.outcome, "held", "{found:?}");
    assert_eq!(desk.browser.value("document.querySelectorAll('#entries .seal.held').length"), 200);
}
