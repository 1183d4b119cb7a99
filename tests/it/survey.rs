//! `survey` through the binary.

use serde_json::Value;

use crate::harness::Scratch;

/// Three migrations as goose writes them: one with an exact way back, one that forgets an index, one without.
fn history(scratch: &Scratch) {
    let one = "-- +goose Up\nCREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t(b) VALUES('x');\n\
               -- +goose Down\nDROP TABLE t;\n";
    let two = "-- +goose Up\nCREATE TABLE u(c);\nCREATE INDEX i ON t(b);\n-- +goose Down\nDROP TABLE u;\n";
    let three = "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;\n";
    for (name, text) in [("1_one.sql", one), ("2_two.sql", two), ("10_three.sql", three)] {
        scratch.write(&format!("migrations/{name}"), text);
    }
}

#[test]
fn a_history_gets_a_verdict_for_each_migration() {
    let scratch = Scratch::new();
    history(&scratch);
    let ran = scratch.run(&["--json", "survey", "--migrations", "migrations"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let answer: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(answer["layout"], "goose");
    let told = |field: &str| -> Vec<&Value> {
        answer["migrations"].as_array().expect("a list").iter().map(|m| &m[field]).collect()
    };
    assert_eq!(told("id"), ["1_one", "2_two", "10_three"]);
    assert_eq!(told("verdict"), ["exact", "schema_differs_only", "no_down"]);
    assert_eq!(told("transaction"), [true, true, false]);
    assert_eq!(told("noop"), [false, false, true]);
    assert_eq!(answer["migrations"][1]["schema_codes"][0], "extra_index:i");
    assert_eq!(answer["migrations"][1]["redo"]["fails"], "statement 2: index i already exists");
}

#[test]
fn strict_refuses_what_is_not_exact() {
    let scratch = Scratch::new();
    history(&scratch);
    let refused = scratch.run(&["survey", "--migrations", "migrations", "--strict"]);
    assert_eq!(refused.exit, 4);
    assert!(refused.stderr.contains("NOT_RESTORED: 2_two: expected exact, found schema_differs_only"));
    for name in ["2_two.sql", "10_three.sql"] {
        std::fs::remove_file(scratch.path(&format!("migrations/{name}"))).expect("removed");
    }
    let accepted = scratch.run(&["survey", "--migrations", "migrations", "--strict"]);
    assert_eq!(accepted.exit, 0, "{}", accepted.stderr);
}

#[test]
fn a_survey_starts_from_a_database_and_leaves_it_alone() {
    let scratch = Scratch::new();
    scratch.write("migrations/1_a.up.sql", "DELETE FROM t WHERE a > 1;");
    scratch.write("migrations/1_a.down.sql", "INSERT INTO t VALUES(2, 'y');");
    let source = scratch
        .database("live.db", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'), (2, 'y'), (3, 'z');");
    let before = std::fs::read(&source).expect("the source");
    let ran = scratch.run(&["survey", "--migrations", "migrations", "--source", "live.db"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("row_count:t(3->2)"), "{}", ran.stdout);
    assert_eq!(std::fs::read(&source).expect("the source"), before);
    assert!(!scratch.path("live.db-wal").exists());
}

#[test]
fn a_directory_without_migrations_is_told_so() {
    let scratch = Scratch::new();
    scratch.write("migrations/README.md", "nothing here");
    let ran = scratch.run(&["survey", "--migrations", "migrations"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.stderr.contains("no migration layout is recognised"), "{}", ran.stderr);
}

#[test]
fn a_change_that_fails_does_not_hide_what_comes_after() {
    let scratch = Scratch::new();
    for (name, text) in [
        ("1_a.up.sql", "CREATE TABLE t(a); CREATE TABLE u(c); INSERT INTO t SELECT ENCODED(c) FROM u;"),
        ("1_a.down.sql", "DROP TABLE t; DROP TABLE u;"),
        ("2_b.up.sql", "ALTER TABLE t ADD COLUMN b;"),
        ("2_b.down.sql", "ALTER TABLE t DROP COLUMN b;"),
        ("3_c.up.sql", "INSERT INTO t(a) VALUES(datetime('now'));"),
        ("3_c.down.sql", "DELETE FROM t;"),
    ] {
        scratch.write(&format!("migrations/{name}"), text);
    }
    let answer = scratch.run(&["--json", "survey", "--migrations", "migrations"]).ok().json();
    let verdicts: Vec<&Value> =
        answer["migrations"].as_array().expect("a list").iter().map(|m| &m["verdict"]).collect();
    assert_eq!(verdicts, ["could_not_establish", "exact", "exact"]);
    assert_eq!(answer["migrations"][0]["error"], "statement 3: no such function: ENCODED");
    let by_chance: Vec<&Value> =
        answer["migrations"].as_array().expect("a list").iter().map(|m| &m["nondeterministic"]).collect();
    assert_eq!(by_chance, [false, false, true]);
}
