//! R01 to R13 and R41 to R57: the packet's documents, none of which can be typed.

use fix7_ledger::digest::Digest;
use fix7_ledger::evidence::Plan;
use fix7_ledger::evidence::blockers::{CLONE_LEG, ROLLBACK_BLOCKER};
use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::judge::{self, derive, specimen};
use fix7_ledger::packet::{
    BLOCKERS, CI, DECISION, Files, LOCK, MANIFEST, README, RECOVERY, ROLLBACK, SURFACES,
};
use fix7_ledger::verdict::Code;
use serde_json::json;

use super::ground::{document, edited, packet, plan_files, planned, refused, spoilt, typed};

#[test]
fn r01_r02_r03_the_front_matter_is_the_plans() {
    let code = Code::NotDerived;
    typed(DECISION, "/kb/revision", Some(json!(2)), code);
    typed(DECISION, "/kb/tags", Some(json!(["fix7"])), code);
    typed(DECISION, "/kb/id", None, code);
    typed(DECISION, "/packet/date", Some(json!("2026-11-24")), code);
    typed(DECISION, "/packet/kind", Some(json!("production")), Code::ScopeLift);
    typed(DECISION, "/macro/id", Some(json!("FIX7_P0")), code);
    typed(DECISION, "/macro/sha256", Some(json!(Digest::of(b"edited").to_string())), code);
    planned("plan.toml", "LANE_MACRO_2026_11_23", "LANE_MACRO", Code::PlanInvalid);
}

#[test]
fn r04_the_decision_is_the_one_value() {
    assert_eq!(document(DECISION)["delegated_decision"], json!("AUTHORIZE_PRODUCTION_REHEARSAL_ONLY"));
    typed(DECISION, "/delegated_decision", Some(json!("AUTHORIZE_PRODUCTION")), Code::NotDerived);
    typed(DECISION, "/delegated_decision", None, Code::NotDerived);
}

#[test]
fn r05_the_final_status_is_derived() {
    let decision = document(DECISION);
    assert_eq!(decision["final_status"], json!(specimen::policy().final_status()));
    for from in decision["derived_from"].as_array().expect("a list") {
        let path = from["path"].as_str().expect("a path");
        assert_eq!(from["sha256"], json!(Digest::of(&packet()[path]).to_string()));
    }
    typed(DECISION, "/final_status", Some(json!("READY")), Code::ScopeLift);
    typed(DECISION, "/derived_from/0", None, Code::NotDerived);
    typed(DECISION, "/derived_from/0/held", Some(json!(false)), Code::NotDerived);
}

#[test]
fn r06_r07_r08_r09_each_flag_is_false_by_evidence() {
    let flags = document(DECISION)["flags"].clone();
    let names = [
        "production_mutation",
        "real_run",
        "qt001",
        "cutover",
        "production_ci_trigger",
        "deploy_trigger",
        "secrets_change",
    ];
    assert_eq!(flags.as_object().map(|f| f.len()), Some(names.len()));
    for name in names {
        assert_eq!((&flags[name]["value"], &flags[name]["shown"]), (&json!(false), &json!(true)), "{name}");
        assert!(flags[name]["evidence"].as_str().is_some_and(|e| e.contains(".json#/")), "{name}");
        for value in [json!(true), json!(null), json!("no")] {
            typed(DECISION, &format!("/flags/{name}/value"), Some(value), Code::NotOnHold);
        }
        typed(DECISION, &format!("/flags/{name}/evidence"), Some(json!("")), Code::NotOnHold);
        typed(DECISION, &format!("/flags/{name}"), None, Code::NotOnHold);
    }
    typed(DECISION, "/flags", Some(json!({ "all": false })), Code::NotOnHold);
}

#[test]
fn r09_a_secret_in_any_file_of_a_packet_is_refused() {
    let dsn = format!("postgres://operator:{}@copy.example/orders", "probe9");
    for path in [README, "commands.sh", "plan/up.sql", "plan/macro.md"] {
        edited(path, "\n", &format!("\n-- {dsn}\n"), Code::SecretsForbidden);
    }
}

#[test]
fn r10_the_pattern_and_both_kinds_of_digests_are_in_the_proof() {
    let proof = document(RECOVERY);
    assert_eq!(proof["claims"]["byte_exact"], json!(true));
    assert_eq!(proof["claims"]["row_exact"], json!(true));
    let code = Code::NotDerived;
    typed(RECOVERY, "/pattern/sha256", Some(json!(Digest::of(b"x").to_string())), code);
    typed(RECOVERY, "/pattern/steps/0", None, code);
    typed(RECOVERY, "/pattern/steps/0/leg", Some(json!("down")), code);
    typed(RECOVERY, "/claims/row_exact", Some(json!(false)), code);
    typed(RECOVERY, "/isolation_ref", Some(json!(Digest::of(b"x").to_string())), code);
    edited("plan/rollback-pattern.md", "1. ", "1. Not ", Code::LockMismatch);
    planned("plan.toml", "number = 2", "number = 9", Code::PatternInvalid);
}

#[test]
fn r12_r13_the_decision_continues_its_parent_and_holds() {
    let decision = document(DECISION);
    assert_eq!(decision["prev"], json!(Digest::of(&packet()["plan/decision.json"]).to_string()));
    assert_eq!((&decision["decision"], &decision["authorizes"]), (&json!("HOLD_PRODUCTION"), &json!([])));
    typed(DECISION, "/prev", Some(json!(Digest::of(b"x").to_string())), Code::NotDerived);
    typed(DECISION, "/prev", None, Code::NotDerived);
    typed(DECISION, "/revision", Some(json!(9)), Code::NotDerived);
    typed(DECISION, "/decision", Some(json!("GO")), Code::NotOnHold);
    typed(DECISION, "/authorizes/-", Some(json!("cutover")), Code::NotOnHold);
    typed(DECISION, "/authorizes", None, Code::NotOnHold);
    typed(DECISION, "/production_state", Some(json!("OPEN")), Code::NotOnHold);
    typed(DECISION, "/production_state", None, Code::NotOnHold);
}

#[test]
fn r41_a_token_in_any_file_of_a_packet_is_refused() {
    let token = ["production", "pass"].join("_");
    for path in [README, "commands.sh", "plan/up.sql", "plan/macro.md"] {
        for text in [token.clone(), token.to_uppercase()] {
            edited(path, "\n", &format!("\n-- {text}\n"), Code::ClaimFound);
        }
    }
}

#[test]
fn r42_r43_r44_the_unknown_stays_unknown() {
    let code = Code::CiUnknownInvalid;
    let found = document(CI);
    assert_eq!((&found["unknown_count_before"], &found["unknown_count_after"]), (&json!(1), &json!(1)));
    for (pointer, value) in [
        ("/class", json!("RESOLVED")),
        ("/reason", json!("GATE_DESIGNED")),
        ("/inspected", json!([])),
        ("/blocker_id", json!("FIX7-P0-PROD-CI-SCOPE-2")),
        ("/blocker_state", json!("CLOSED")),
        ("/owners", json!(["owner"])),
        ("/next", json!("NOTHING")),
        ("/affects_clone_rehearsal", json!(true)),
        ("/why", json!("")),
        ("/unknown_count_before", json!(2)),
        ("/unknown_count_after", json!(0)),
    ] {
        typed(CI, pointer, Some(value), code);
        typed(CI, pointer, None, code);
    }
}

/// Evidence of the template with another blocker map: the plan is a plan, its packet is refused.
#[track_caller]
fn mapped(from: &str, to: &str) {
    let policy = specimen::policy();
    let judged = |plan: Plan| {
        let map = derive::packet(&specimen::facts_of(&policy, plan, Level::Three), &policy).expect("derived");
        judge::judge(&policy, None, None, &Files::collect(map).0)
    };
    let plan = Plan::parse(plan_files("blockers.json", from, to)).expect("the map itself is sound");
    refused(to, &judged(plan), Code::BlockersInvalid);
}

#[test]
fn r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet() {
    let map = document(BLOCKERS);
    assert_eq!(map["open_count"], json!(7));
    assert_eq!(map["prev"], json!(Digest::of(&packet()["plan/blockers.json"]).to_string()));
    let blockers = map["blockers"].as_array().expect("a list");
    assert!(blockers.iter().all(|b| b["state"] == json!("OPEN")) && blockers.len() == 7);
    let rollback = blockers.iter().position(|b| b["id"] == json!(ROLLBACK_BLOCKER)).expect("there");
    let legs = &blockers[rollback]["legs"];
    assert_eq!((&legs[0]["name"], &legs[0]["state"]), (&json!(CLONE_LEG), &json!("PROVEN")));
    assert_eq!(legs[0]["evidence_sha256"], json!(Digest::of(&packet()[ROLLBACK]).to_string()));
    assert_eq!(legs[1]["state"], json!("OPEN"));
    let code = Code::BlockersInvalid;
    let other = json!(Digest::of(b"another").to_string());
    let at = format!("/blockers/{rollback}");
    typed(BLOCKERS, &format!("{at}/state"), Some(json!("CLOSED")), code);
    typed(BLOCKERS, &format!("{at}/legs/0/evidence_sha256"), Some(other.clone()), code);
    typed(BLOCKERS, &format!("{at}/legs/1/state"), Some(json!("PROVEN")), code);
    for need in 0..3 {
        typed(BLOCKERS, &format!("{at}/needs/{need}/state"), Some(json!("MET")), code);
        typed(BLOCKERS, &format!("{at}/needs/{need}"), None, code);
    }
    typed(BLOCKERS, "/blockers/6", None, code);
    typed(BLOCKERS, "/prev", Some(other), code);
    // The same claims in the previous map, each with a digest of something that no ledger holds.
    let digest = Digest::of(b"no entry");
    mapped("\"id\": \"PRODUCTION_OPT_4\", \"state\": \"OPEN\"", &met("PRODUCTION_OPT_4", digest));
    let grant = "DISTINCT_PRODUCTION_ROLLBACK_GRANT";
    mapped(&format!("\"id\": \"{grant}\", \"state\": \"OPEN\""), &met(grant, digest));
    mapped(
        "\"name\": \"production\", \"state\": \"OPEN\"",
        &format!("\"name\": \"production\", \"state\": \"PROVEN\", \"evidence_sha256\": \"{digest}\""),
    );
}

fn met(need: &str, by: Digest) -> String {
    format!("\"id\": \"{need}\", \"state\": \"MET\", \"met_by\": \"{by}\"")
}

#[test]
fn r50_thirteen_surfaces_each_with_its_proof() {
    let found = document(SURFACES);
    let surfaces = found["surfaces"].as_array().expect("a list");
    assert_eq!((&found["total"], surfaces.len()), (&json!(13), 13));
    assert!(surfaces.iter().all(|s| s["proof_ref"].as_str().is_some_and(|r| r.contains("#/"))));
    let code = Code::SurfaceNotProven;
    typed(SURFACES, "/surfaces/12", None, code);
    typed(SURFACES, "/surfaces/-", Some(surfaces[0].clone()), code);
    typed(SURFACES, "/total", Some(json!(12)), code);
    for (n, surface) in surfaces.iter().enumerate() {
        typed(SURFACES, &format!("/surfaces/{n}/status"), Some(json!("unknown")), code);
        typed(SURFACES, &format!("/surfaces/{n}/proof_ref"), Some(json!("we did not touch it")), code);
        if surface["status"] == json!("untouched") {
            typed(SURFACES, &format!("/surfaces/{n}/probes"), Some(json!([])), code);
        }
    }
    spoilt("a contact", Code::IsolationNotProven, |f| {
        f.execution.isolation_at_end.contacts.registry.accepted = 1;
    });
}

#[test]
fn r54_r55_the_boundary_stands_word_for_word() {
    let boundary = document(DECISION)["boundary"].clone();
    let text = boundary["text"].as_str().expect("a text");
    assert!(text.starts_with("A clone rehearsal is not production execution."));
    assert_eq!(boundary["sha256"], json!(Digest::of(text.as_bytes()).to_string()));
    assert!(String::from_utf8_lossy(&packet()[README]).contains(text));
    let named = boundary["not_authorized"].as_array().expect("a list");
    assert_eq!(named.len(), 9);
    let code = Code::BoundaryBroken;
    for (n, item) in named.iter().enumerate() {
        assert!(text.contains(item.as_str().expect("a word")), "{item}");
        typed(DECISION, &format!("/boundary/not_authorized/{n}"), None, code);
    }
    typed(DECISION, "/boundary", None, code);
    typed(DECISION, "/boundary/text", Some(json!("A rehearsal is enough.")), code);
    edited(README, "does not authorize", "does also authorize", code);
}

#[test]
fn r56_the_default_is_hold() {
    let hold = document(DECISION)["hold"].clone();
    assert_eq!(hold, json!({"default": true, "state": judge::HOLD}));
    typed(DECISION, "/hold", None, Code::NotOnHold);
    typed(DECISION, "/hold/state", Some(json!("FREE")), Code::NotOnHold);
    typed(DECISION, "/hold/default", Some(json!(null)), Code::NotOnHold);
}

#[test]
fn r57_the_readme_says_what_the_documents_say() {
    let date = document(DECISION)["packet"]["date"].as_str().expect("a date").to_owned();
    let path = format!(
        "knowledge/dev/reports/architecture/fix7-p0-production-rehearsal-only-rollback-packet-{date}/README.md"
    );
    assert_eq!(document(DECISION)["publication"]["path"], json!(path));
    let readme = String::from_utf8(packet()[README].clone()).expect("text");
    assert!(readme.contains(&path) && packet()[MANIFEST].windows(9).any(|w| w == b"README.md"));
    typed(DECISION, "/publication/path", Some(json!("README.md")), Code::NotDerived);
    typed(DECISION, "/publication/from_packet", Some(json!("clone-0")), Code::NotDerived);
    edited(README, &path, "knowledge/README.md", Code::NotDerived);
    edited(README, "10/10", "11/11", Code::NotDerived);
    edited(LOCK, "specimen", "other", Code::LockMismatch);
}
