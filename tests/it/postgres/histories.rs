//! The histories of the corpus on PostgreSQL, against the recorded truth.

use std::path::Path;

use serde_json::Value;

use crate::harness::Scratch;

/// The histories of the corpus, up, down and up again on an empty database, against what was measured there with rows
/// in every table: where the two disagree, the migration stands here with the reason.
#[test]
fn the_corpus_histories_have_the_measured_verdicts() {
    let Some(corpora) = std::env::var_os("FIX7_CORPORA") else {
        println!("FIX7_CORPORA is not set: not run");
        return;
    };
    let scratch = Scratch::new();
    let mut disagree = Vec::new();
    for project in ["authelia", "chirpstack"] {
        let history = Path::new(&corpora).join("migrations").join(project).join("postgres");
        let bytes = std::fs::read(history.join("expected.json")).expect("the truth");
        let truth: Value = serde_json::from_slice(&bytes).expect("JSON");
        let path = history.to_str().expect("UTF-8");
        let ran = scratch
            .run(&["--json", "survey", "--engine", "postgres", "--made-rows", "--migrations", path])
            .ok();
        let answer: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let ours = answer["migrations"].as_array().expect("a list");
        let measured = truth["migrations"].as_array().expect("a list");
        assert_eq!(ours.len(), measured.len());
        for (ours, measured) in ours.iter().zip(measured) {
            assert_eq!(ours["id"], measured["id"]);
            if ours["verdict"] != measured["expected"]["postgres15"]["overall"] {
                let id = measured["id"].as_str().unwrap_or_default();
                disagree.push(format!("{project} {id}: {}", ours["verdict"].as_str().unwrap_or_default()));
            }
        }
    }
    let explained: Vec<String> = EXPLAINED.iter().map(|(what, _)| (*what).to_owned()).collect();
    assert_eq!(disagree, explained);
}

/// What we say, and why the measured verdict is another.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "chirpstack 00000000000000_initial: up_fails",
        "pg_trgm was there when it was measured: the project wants it made first",
    ),
    ("chirpstack 2025-11-11-140459-0000_refactor_device_profiles: up_fails", "pg_trgm again"),
];

/// A loss that no empty table shows; where the change does not work over made-up rows, that is said.
#[test]
fn made_up_rows_show_what_a_way_back_loses() {
    let scratch = Scratch::new();
    for (name, text) in [
        (
            "1_a.up.sql",
            "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE z(id uuid PRIMARY KEY, m mood NOT NULL, c varchar(3) NOT NULL UNIQUE);
             CREATE TABLE a(id serial PRIMARY KEY, z uuid REFERENCES z, s text NOT NULL CHECK (s IN ('new', 'old')));
             CREATE TABLE never(n int NOT NULL CHECK (n > 100));",
        ),
        ("1_a.down.sql", "DROP TABLE never; DROP TABLE a; DROP TABLE z; DROP TYPE mood;"),
        ("2_b.up.sql", "ALTER TABLE a DROP COLUMN z;"),
        ("2_b.down.sql", "ALTER TABLE a ADD COLUMN z uuid REFERENCES z;"),
        ("3_c.up.sql", "ALTER TABLE a ADD COLUMN needed int NOT NULL;"),
        ("3_c.down.sql", "ALTER TABLE a DROP COLUMN needed;"),
    ] {
        scratch.write(&format!("migrations/{name}"), text);
    }
    let survey = |more: &[&str]| -> Value {
        let what = ["--json", "survey", "--engine", "postgres", "--migrations", "migrations"];
        scratch.run(&[&what[..], more].concat()).ok().json()["migrations"].clone()
    };
    let (empty, made) = (survey(&[]), survey(&["--made-rows"]));
    let verdicts = |rows: &Value| -> Vec<Value> { (0..3).map(|at| rows[at]["verdict"].clone()).collect() };
    assert_eq!(verdicts(&empty), ["exact", "exact_but_column_order", "exact"]);
    assert!(empty[1].get("made").is_none());
    assert_eq!(verdicts(&made), ["exact", "rows_differ", "exact"]);
    assert_eq!(made[1]["row_codes"], serde_json::json!(["values:public.a(z)"]));
    assert_eq!(made[1]["made"], serde_json::json!({"rows": 6, "left_empty": ["never"]}));
    assert!(made[2]["made"]["change_fails"].as_str().is_some_and(|e| e.contains("needed")), "{}", made[2]);
    let refused = scratch.run(&["--json", "survey", "--made-rows", "--migrations", "migrations"]).exits(4);
    assert_eq!(refused.codes(), ["REQUEST_FORBIDDEN"]);
}
