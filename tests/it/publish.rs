//! `publish` and `report --format md`: documents for a knowledge hub, over the sample ledger.

use crate::sample::fetched;
use crate::stage::Stage;

#[test]
fn publish_writes_the_recorded_document_at_its_path_and_never_another_one_over_it() {
    let s = fetched();
    let publish = |entry: &str| s.run(&["publish", "--repo", "sample.git", entry, "--to", "hub", "--json"]);
    let wrote = publish("2").ok().json();
    let path = "hub/knowledge/dev/reports/architecture/fix7-p0-production-rehearsal-only-rollback-packet-2026-11-23/README.md";
    assert_eq!(wrote["path"], path);
    let written = std::fs::read(s.path(path)).expect("written");
    let shown = s.git("sample.git", &["show", "refs/heads/fix7-ledger/main~1:packet/README.md"]).ok().stdout;
    assert_eq!(String::from_utf8_lossy(&written), shown);
    assert!(shown.starts_with("---\nid: KB-1\ntitle: "), "front matter");
    let manifest =
        s.git("sample.git", &["show", "refs/heads/fix7-ledger/main~1:packet/HASH_MANIFEST.txt"]).ok();
    manifest.says(&format!("{}  README.md", wrote["sha256"].as_str().expect("a digest")));
    publish("2").ok();
    s.write(path, "another");
    assert_eq!(publish("2").exits(4).codes(), ["ALREADY_EXISTS"]);
    let before = s.listing("hub");
    assert_eq!(publish("1").exits(4).codes(), ["FILE_MISSING"]);
    assert_eq!(s.listing("hub"), before);
}

/// The lines between the two `---` that a hub reads.
fn front_matter(text: &str) -> Vec<&str> {
    let rest = text.strip_prefix("---\n").expect("front matter");
    rest.split_once("\n---\n").expect("its end").0.lines().collect()
}

#[test]
fn the_document_has_the_front_matter_and_the_order_of_the_source_document() {
    let s = fetched();
    s.run(&["publish", "--repo", "sample.git", "2", "--to", "hub"]).ok();
    let below = s.listing("hub").into_iter().map(|(path, _)| path).find(|path| path.ends_with("README.md"));
    let text = std::fs::read_to_string(s.path("hub").join(below.expect("a document"))).expect("reads");
    let names: Vec<&str> =
        front_matter(&text).iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(names, ["id", "title", "revision", "read_minutes", "tags", "date"]);
    let parts = [
        "# FIX7 P0 — Production-REHEARSAL-ONLY Rollback + CI-Resolution Packet (2026-11-23)",
        "Macro: ",
        "Delegated decision consumed: AUTHORIZE_PRODUCTION_REHEARSAL_ONLY",
        "Final status: FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY",
        "Production mutation: NO · REAL_RUN/QT001/cutover: NO · production CI/deploy trigger: NO · secrets change: NO.",
        "## What was done (isolated clone only)",
        "## Reproduce",
        "## Hard boundary",
        "Back to Knowledge Hub",
    ];
    let places: Vec<usize> =
        parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_rehearsal_that_is_not_ready_is_not_published_and_one_that_is_ready_is() {
    let stage = Stage::new();
    stage.scratch.write("plan/down.sql", "SELECT 1;");
    stage.us(&["rehearse", "--source", "small.db", "--plan", "plan", "--out", "failed"]).exits(4);
    let record = [
        "record",
        "--repo",
        "work",
        "--packet",
        "failed",
        "--failed",
        "--run-id",
        "failed-1",
        "--key",
        "keys/anna",
    ];
    stage.us(&record).ok().says("HOLD_PRODUCTION");
    let publish = |entry: &str| stage.us(&["publish", "--repo", "work", entry, "--to", "hub", "--json"]);
    let refused = publish("4").exits(4);
    assert_eq!(refused.codes(), ["NOT_RESTORED"]);
    assert!(
        refused.stdout.contains("FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY"),
        "{}",
        refused.stdout
    );
    assert!(!stage.scratch.path("hub").exists(), "nothing was written");
    publish("2").ok();
}

#[test]
fn the_report_as_markdown_says_what_the_page_says() {
    let s = fetched();
    let report = |more: &[&str]| {
        s.run(&[&["report", "--repo", "sample.git", "--format", "md", "--json"][..], more].concat())
    };
    let wrote = report(&[]).ok().json();
    assert_eq!((wrote["out"].as_str(), wrote["entries"].as_u64()), (Some("fix7-report.md"), Some(4)));
    assert!(wrote.get("script_sha256").is_none(), "it has no script");
    let text = std::fs::read_to_string(s.path("fix7-report.md")).expect("written");
    let front = front_matter(&text);
    assert_eq!(front[0], "title: \"Rollback rehearsals of sample\"");
    assert!(
        front.contains(&format!("ledger: {}", wrote["ledger"].as_str().expect("an id")).as_str()),
        "{front:?}"
    );
    for line in [
        "**HOLD_PRODUCTION**",
        "### #2 delivery-windows-2: ROLLBACK_EXACT",
        "| transaction | exact | ",
        "repeated by its own operator, operator (#3)",
        "not established: that somebody else reaches the same packet",
        "| EXAMPLE-1 | OPEN |",
        "7 open in the last map",
        "## Not established",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(report(&[]).exits(4).codes(), ["ALREADY_EXISTS"]);
    report(&["--force"]).ok();
    s.run(&["report", "--repo", "sample.git", "--format", "pdf"]).exits(2);
}
