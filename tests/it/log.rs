//! `log` and its filters, over the sample ledger.

use serde_json::{Value, json};

use crate::harness::{Ran, Scratch};
use crate::sample::fetched;

fn log(s: &Scratch, filters: &[&str]) -> Ran {
    s.run(&[&["log", "--repo", "sample.git"][..], filters].concat())
}

fn seqs(s: &Scratch, filters: &[&str]) -> Vec<u64> {
    let listed = log(s, &[filters, &["--json"]].concat()).ok().json();
    listed["entries"].as_array().expect("entries").iter().filter_map(|e| e["seq"].as_u64()).collect()
}

#[test]
fn every_filter_takes_what_it_names_and_leaves_the_rest() {
    let s = fetched();
    let cases: [(&[&str], &[u64]); 18] = [
        (&[], &[3, 2, 1, 0]),
        (&["-n", "2"], &[3, 2]),
        (&["--kind", "rehearsal"], &[2]),
        (&["--kind", "nothing"], &[]),
        (&["--by", "owner"], &[1, 0]),
        (&["--by", "own"], &[]),
        (&["--since", "2026-11-23"], &[3, 2, 1, 0]),
        (&["--since", "2026-11-24"], &[]),
        (&["--since", "2026-11-23T08:26:02Z"], &[3]),
        (&["--until", "2026-11-22"], &[]),
        (&["--until", "2026-11-23"], &[3, 2, 1, 0]),
        (&["--result", "ROLLBACK_EXACT"], &[3, 2]),
        (&["--result", "ROLLBACK"], &[]),
        (&["--table", "DELIVERY_windows"], &[3, 2]),
        (&["--table", "delivery_win"], &[]),
        (&["--blocker", "EXAMPLE-1"], &[3, 2]),
        (&["--blocker", "EXAMPLE-9"], &[]),
        (&["--blocker", "EXAMPLE-1", "--kind", "rerun", "-n", "1"], &[3]),
    ];
    for (filters, expected) in cases {
        assert_eq!(seqs(&s, filters), expected, "{filters:?}");
    }
    log(&s, &["--since", "yesterday"]).exits(2);
}

#[test]
fn jsonl_is_one_document_a_line_and_the_same_facts() {
    let s = fetched();
    let lines = log(&s, &["--jsonl"]).ok().stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json!(lines), log(&s, &["--json"]).ok().json()["entries"]);
    assert_eq!(log(&s, &["--jsonl", "--by", "nobody"]).ok().stdout, "");
}
