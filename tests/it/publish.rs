//! `publish`: over the sample ledger.

use crate::sample::fetched;

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
