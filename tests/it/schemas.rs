//! `ledger/schemas`: one JSON Schema for each document, generated from the types that read it.
//!
//! `UPDATE_SCHEMAS=1 cargo test --test it schemas` writes them again.

use std::fs;
use std::path::PathBuf;

use fix7_ledger::evidence::blockers::BlockerMap;
use fix7_ledger::evidence::ci::CiItems;
use fix7_ledger::evidence::plan::PlanSpec;
use fix7_ledger::evidence::{ExecutionEvidence, RollbackEvidence, TargetLock};
use fix7_ledger::packet::document::{
    CiResolution, DecisionPacket, ProbeReport, RecoveryProof, SurfaceProof, ValidatorResult,
};
use fix7_ledger::packet::{
    BLOCKERS, CI, DECISION, EXECUTION, LOCK, PROBES, RECOVERY, ROLLBACK, SURFACES, VALIDATOR,
};
use fix7_ledger::statement::{Document, Proposal};
use schemars::{Schema, schema_for};

fn schemas() -> Vec<(String, Schema)> {
    [
        (LOCK, schema_for!(TargetLock)),
        (EXECUTION, schema_for!(ExecutionEvidence)),
        (ROLLBACK, schema_for!(RollbackEvidence)),
        (VALIDATOR, schema_for!(ValidatorResult)),
        (RECOVERY, schema_for!(RecoveryProof)),
        (PROBES, schema_for!(ProbeReport)),
        (CI, schema_for!(CiResolution)),
        (BLOCKERS, schema_for!(BlockerMap)),
        (DECISION, schema_for!(DecisionPacket)),
        (SURFACES, schema_for!(SurfaceProof)),
        ("plan.toml", schema_for!(PlanSpec)),
        ("ci-unknown.json", schema_for!(CiItems)),
        ("statement.json", schema_for!(Document)),
        ("proposal.json", schema_for!(Proposal)),
    ]
    .into_iter()
    .map(|(file, schema)| (format!("{}.schema.json", file.trim_end_matches(".json")), schema))
    .collect()
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ledger/schemas")
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut names: Vec<String> = Vec::new();
    for (name, schema) in schemas() {
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("a schema is JSON"));
        let path = directory().join(&name);
        if update {
            fs::create_dir_all(directory()).expect("ledger/schemas");
            fs::write(&path, &text).expect("written");
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "{name} is not that of its type: UPDATE_SCHEMAS=1 cargo test --test it schemas"
        );
        names.push(name);
    }
    names.sort();
    let mut stored: Vec<String> = fs::read_dir(directory())
        .expect("ledger/schemas")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    stored.sort();
    assert_eq!(stored, names, "a schema of no document");
}

#[test]
fn no_schema_lets_a_decision_other_than_hold_pass() {
    let schema = serde_json::to_value(schema_for!(DecisionPacket)).expect("JSON");
    let text = schema.to_string();
    assert!(text.contains("HOLD_PRODUCTION"));
    let authorizes = &schema["properties"]["authorizes"];
    let items = &authorizes["items"];
    let nothing = items["$ref"].as_str().and_then(|r| schema.pointer(r.trim_start_matches('#')));
    assert_eq!(
        nothing.unwrap_or(items),
        &serde_json::Value::Bool(false),
        "nothing can stand in `authorizes`"
    );
}
