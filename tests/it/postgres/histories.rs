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
        let ran = scratch.run(&["--json", "survey", "--engine", "postgres", "--migrations", path]).ok();
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
    ("authelia V0006.ConsentPreConfiguration: exact", "no rows here: what is lost was measured with rows"),
    (
        "authelia V0007.ConsistencyFixes: schema_differs_only",
        "no rows here to be lost with the two tables that do not come back",
    ),
    (
        "chirpstack 00000000000000_initial: up_fails",
        "pg_trgm was there when it was measured: the project wants it made first",
    ),
    ("chirpstack 2022-04-26-153628_device_profile_payload_codec_script: schema_differs_only", "no rows here"),
    (
        "chirpstack 2025-01-13-152218_refactor_device_profile_fields: schema_differs_only",
        "no rows here to be NULL",
    ),
    ("chirpstack 2025-11-11-140459-0000_refactor_device_profiles: up_fails", "pg_trgm again"),
];
