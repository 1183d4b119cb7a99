//! Packets through the binary: made, judged, probed, made again, by the program and by the packet's own scripts.

use std::path::Path;

use crate::harness::{BINARY, Ran, Scratch};

const SOURCE: &str = "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT);
    INSERT INTO orders(item) VALUES ('pear'), ('plum');";

/// A scratch directory with a source, the template plan and the packet of its rehearsal.
fn rehearsed() -> Scratch {
    let s = Scratch::new();
    s.database("orders.db", SOURCE);
    s.run(&["plan", "new", "plan"]).ok();
    s.run(&["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "packet", "--json"]).ok();
    s
}

fn edit(s: &Scratch, name: &str, from: &str, to: &str) {
    let path = s.path(name);
    let text = std::fs::read_to_string(&path).expect("a text");
    assert!(text.contains(from), "{name} has no `{from}`");
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

fn script(s: &Scratch, name: &str, arguments: &[&str]) -> Ran {
    let program = Path::new(BINARY).display().to_string();
    let tool = format!("FIX7_LEDGER={program}");
    s.program("", "env", &[&[tool.as_str(), "sh", name], arguments].concat())
}

#[test]
fn a_packet_is_accepted_by_the_program_and_by_sha256sum() {
    let s = rehearsed();
    let answer = s.run(&["validate", "--packet", "packet", "--json"]).ok().json();
    assert_eq!((&answer["result"], &answer["files"]), (&"accepted".into(), &23.into()));
    s.program("packet", "sha256sum", &["-c", "--strict", "HASH_MANIFEST.txt"]).ok();
    s.program("packet", "sha256sum", &["-c", "--strict", "packet_tree.sha256"]).ok();
    s.run(&["validate", "--facts", "packet", "--json"]).ok();
    let selftest = s.run(&["validate", "--selftest", "--json"]).ok().json();
    assert_eq!(selftest["selftest"]["misjudged"], serde_json::json!([]));
    assert!(selftest["selftest"]["bad"].as_u64() >= Some(5));
}

#[test]
fn a_packet_with_one_word_changed_is_refused_and_left_as_it_is() {
    let s = rehearsed();
    edit(&s, "packet/README.md", "7 OPEN", "0 OPEN");
    let before = s.listing("packet");
    let refused = s.run(&["validate", "--packet", "packet", "--json"]).exits(4);
    assert_eq!(refused.codes(), ["MANIFEST_MISMATCH", "NOT_DERIVED"]);
    assert_eq!(s.listing("packet"), before);
}

#[test]
fn r29_ten_of_ten_through_the_program_and_the_control() {
    let s = rehearsed();
    let before = s.listing("packet");
    let answer = s.run(&["probe", "--packet", "packet", "--json"]).ok().json();
    let called = answer["through_the_program"].as_array().expect("a list");
    assert_eq!(called.len(), 11);
    for one in called {
        assert!(one["held"] == true && one["side_effects"] == false, "{one}");
    }
    assert_eq!(called[0]["exit"], 0, "the control");
    assert!(called[1..].iter().all(|one| one["exit"] == 4));
    assert_eq!(answer["canonical"].as_array().map(Vec::len), Some(10));
    assert_eq!(s.listing("packet"), before);
}

#[test]
fn r52_a_rerun_reaches_the_packet_and_another_source_does_not() {
    let s = rehearsed();
    let rerun = ["rerun", "--packet", "packet", "--source", "orders.db", "--json"];
    let answer = s.run(&rerun).ok().json();
    assert_eq!((&answer["tree_equal"], &answer["manifest_equal"]), (&true.into(), &true.into()));
    s.database("other.db", &format!("{SOURCE} INSERT INTO orders(item) VALUES ('fig');"));
    let before = s.listing("packet");
    let other = ["rerun", "--packet", "packet", "--source", "other.db", "--out", "again", "--json"];
    let differs = s.run(&other).exits(1);
    assert!(differs.codes().iter().all(|code| code == "RERUN_DIFFERS"));
    assert_eq!(differs.json()["tree_equal"], false);
    assert!(s.path("again/README.md").exists(), "the other packet is kept where --out says");
    assert_eq!(s.listing("packet"), before);
    s.run(&other).exits(4);
}

#[test]
fn r51_commands_sh_says_overall_pass_only_where_every_step_ran_and_held() {
    let s = rehearsed();
    let ran = script(&s, "packet/commands.sh", &["orders.db"]).ok();
    assert!(ran.stdout.lines().any(|line| line.starts_with("OVERALL PASS")), "{}", ran.stdout);
    assert!(ran.stdout.contains("steps: 5 held of 5 run of 5 expected"));
    for (source, tool) in [("nothing.db", BINARY), ("orders.db", "/nonexistent"), ("orders.db", "true")] {
        let tool = format!("FIX7_LEDGER={tool}");
        let ran = s.program("", "env", &[&tool, "sh", "packet/commands.sh", source]);
        assert_ne!(ran.exit, 0, "{tool} {source}: {}", ran.stdout);
        assert!(!ran.stdout.lines().any(|line| line.starts_with("OVERALL PASS")), "{}", ran.stdout);
    }
}

#[test]
fn r52_rerun_sh_compares_every_byte_in_a_scratch_copy() {
    let s = rehearsed();
    let before = s.listing("packet");
    let same = script(&s, "packet/RERUN.sh", &["orders.db"]).ok();
    assert!(same.stdout.lines().any(|line| line.starts_with("the same: ")), "{}", same.stdout);
    assert_eq!(s.listing("packet"), before);
    script(&s, "packet/RERUN.sh", &["other.db"]).exits(1);
    for spoil in ["extra", "link", "order", "crlf"] {
        let s = rehearsed();
        let manifest = std::fs::read_to_string(s.path("packet/HASH_MANIFEST.txt")).expect("text");
        match spoil {
            "extra" => drop(s.write("packet/extra.md", "x")),
            "link" => std::os::unix::fs::symlink("README.md", s.path("packet/link.md")).expect("a link"),
            "order" => {
                let mut lines: Vec<&str> = manifest.lines().collect();
                lines.reverse();
                s.write("packet/HASH_MANIFEST.txt", format!("{}\n", lines.join("\n")));
            }
            _ => drop(s.write("packet/HASH_MANIFEST.txt", manifest.replace('\n', "\r\n"))),
        }
        script(&s, "packet/RERUN.sh", &["orders.db"]).exits(1);
    }
}

#[test]
fn a_linked_and_a_deep_file_are_refused() {
    let s = rehearsed();
    std::os::unix::fs::symlink("README.md", s.path("packet/link.md")).expect("a link");
    assert_eq!(s.run(&["validate", "--packet", "packet", "--json"]).exits(4).codes(), ["PATH_FORBIDDEN"]);
    std::fs::remove_file(s.path("packet/link.md")).expect("removed");
    s.write("packet/plan/deep/x.sql", "x");
    assert_eq!(s.run(&["validate", "--packet", "packet", "--json"]).exits(4).codes(), ["PATH_FORBIDDEN"]);
}

#[test]
fn r31_a_plan_that_asks_for_a_real_run_is_refused_for_that() {
    let s = Scratch::new();
    s.database("orders.db", SOURCE);
    s.run(&["plan", "new", "plan"]).ok();
    edit(&s, "plan/plan.toml", "[settings]", "[settings]\nmode = \"REAL_RUN\"");
    let refused =
        s.run(&["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "packet", "--json"]);
    assert!(refused.exits(4).codes().contains(&"REAL_RUN_FORBIDDEN".to_owned()));
    assert!(!s.path("packet").exists(), "nothing is written");
}

#[test]
fn r24_a_change_that_changes_nothing_is_no_proof() {
    let s = Scratch::new();
    s.database("orders.db", SOURCE);
    s.run(&["plan", "new", "plan"]).ok();
    s.write("plan/up.sql", "UPDATE orders SET item = item WHERE 0;\n");
    s.write("plan/down.sql", "UPDATE orders SET item = item WHERE 0;\n");
    let refused =
        s.run(&["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "packet", "--json"]);
    assert!(refused.exits(4).codes().contains(&"NO_MUTATION".to_owned()));
    let readme = std::fs::read_to_string(s.path("packet/README.md")).expect("the packet says so itself");
    assert!(readme.contains("ROLLBACK_NOT_SHOWN") && !readme.contains("ROLLBACK_READY"));
    let again = s.run(&["validate", "--packet", "packet", "--json"]).exits(4);
    assert_eq!(again.codes().iter().filter(|code| *code != "NO_MUTATION").count(), 0, "{:?}", again.codes());
}

#[test]
fn r25_a_rollback_script_that_forgets_a_row_is_refused() {
    let s = Scratch::new();
    s.database("orders.db", SOURCE);
    s.run(&["plan", "new", "plan"]).ok();
    s.write("plan/up.sql", "INSERT INTO orders(item) VALUES ('fig'), ('date');\n");
    s.write("plan/down.sql", "DELETE FROM orders WHERE item = 'fig';\n");
    let refused =
        s.run(&["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "packet", "--json"]);
    assert!(refused.exits(4).codes().contains(&"NOT_RESTORED".to_owned()));
}
