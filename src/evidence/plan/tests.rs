use super::*;

type Files = BTreeMap<String, Vec<u8>>;

fn template() -> Files {
    Plan::template().into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

/// The template with one text of one file replaced.
fn changed(name: &str, from: &str, to: &str) -> Files {
    let mut files = template();
    let text = String::from_utf8(files[name].clone()).expect("the template is text");
    assert!(text.contains(from), "{name} has no `{from}`");
    files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    files
}

#[track_caller]
fn refused(files: Files, code: Code, word: &str) {
    let reasons = Plan::parse(files).expect_err(word);
    let named = reasons.iter().any(|r| r.code == code && r.to_string().contains(word));
    assert!(named, "expected {code} with `{word}`, found {reasons:#?}");
}

#[test]
fn the_template_is_valid_as_it_stands() {
    let plan = Plan::parse(template()).expect("the template is valid");
    assert_eq!(plan.pattern.len(), 6);
    assert!(plan.change.contains("CREATE TABLE") && plan.rollback.is_some());
    assert_eq!(plan.blockers.counted_open(), 7);
    assert_eq!(plan.ci.unknown_count(), 1);
    assert_eq!(plan.settings, Settings { transaction: true, foreign_keys: false, timeout_seconds: 600 });
    assert!(plan.rollback.as_deref().is_some_and(|sql| sql.contains("DROP TABLE")));
}

#[test]
fn a_plan_without_a_rollback_script_is_a_plan() {
    let mut files = changed("plan.toml", "[rollback]\nfile = \"down.sql\"", "");
    files.remove("down.sql");
    assert_eq!(Plan::parse(files).expect("valid").rollback, None);
}

#[test]
fn the_digest_follows_every_byte() {
    let plan = Plan::parse(template()).expect("valid");
    let other = Plan::parse(changed("up.sql", "first", "other")).expect("valid");
    assert_ne!(plan.digest(), other.digest());
}

#[test]
fn r01_front_matter_is_complete() {
    refused(changed("plan.toml", "id = \"KB-1\"\n", ""), Code::PlanInvalid, "id");
    refused(changed("plan.toml", "\"KB-1\"", "\"kb-1\""), Code::PlanInvalid, "kb.id");
    refused(changed("plan.toml", "\"production-rehearsal-only\", ", ""), Code::PlanInvalid, "kb.tags");
    refused(changed("plan.toml", "revision = 1", "revision = 0"), Code::PlanInvalid, "kb.revision");
    let packet = r#"{"schema":"fix7.production-decision-packet/v1","revision":3,"decision":"HOLD_PRODUCTION",
        "production_state":"HOLD","authorizes":[],"kb":{"id":"KB-1","revision":1}}"#;
    let mut reused = template();
    reused.insert(DECISION_FILE.into(), packet.into());
    refused(reused.clone(), Code::PlanInvalid, "more than 1");
    let raised = changed("plan.toml", "revision = 1", "revision = 2");
    reused.insert(PLAN_FILE.into(), raised[PLAN_FILE].clone());
    assert_eq!(Plan::parse(reused).expect("a raised revision").decision.revision, 3);
}

#[test]
fn r02_r03_dates_and_macro_agree() {
    refused(
        changed("plan.toml", "date = \"2026-11-23\"", "date = \"2026-11-24\""),
        Code::PlanInvalid,
        "macro.id",
    );
    refused(
        changed("plan.toml", "date = \"2026-11-23\"", "date = \"2026-02-30\""),
        Code::PlanInvalid,
        "date",
    );
    refused(changed("plan.toml", "MACRO_2026_11_23", "MACRO_2026_11_23_X"), Code::PlanInvalid, "macro.id");
    refused(changed("plan.toml", "_LANE_MACRO_", "_LANE_"), Code::PlanInvalid, "macro.id");
    refused(changed("macro.md", "MACRO_2026_11_23", "MACRO_2026_11_24"), Code::PlanInvalid, "macro.md");
}

#[test]
fn r10_every_step_of_the_pattern_has_one_leg() {
    refused(changed("rollback-pattern.md", "6. Run", "6. Wait.\n7. Run"), Code::PatternInvalid, "step 7");
    refused(changed("rollback-pattern.md", "6. Run", "  7. Hidden.\n6. Run"), Code::PatternInvalid, "step 6");
    refused(changed("rollback-pattern.md", "6. Run", "Run"), Code::PatternInvalid, "step 6");
    refused(changed("plan.toml", "number = 2", "number = 1"), Code::PatternInvalid, "step 1");
    let mut missing = template();
    missing.remove("rollback-pattern.md");
    refused(missing, Code::PlanInvalid, "missing");
}

#[test]
fn r11_r42_r43_exactly_one_unknown_with_its_class_and_blocker() {
    let two = r#"{"id":"X","status":"RESOLVED"},{
      "id": "FIX7-SEAL-VS-BYTES-GATE","#;
    let first = "{\n      \"id\": \"FIX7-SEAL-VS-BYTES-GATE\",";
    refused(changed(CI_FILE, first, two), Code::CiUnknownInvalid, "RESOLVED and a gate");
    refused(changed(CI_FILE, "UNKNOWN", "RESOLVED"), Code::CiUnknownInvalid, "found 0");
    refused(
        changed(CI_FILE, "UNRESOLVABLE_READ_ONLY", "RESOLVED"),
        Code::CiUnknownInvalid,
        "unknown variant",
    );
    refused(changed(CI_FILE, "CI-SCOPE-1", "CI-SCOPE-2"), Code::CiUnknownInvalid, "blocker_id");
    refused(changed(CI_FILE, "[\"owner\", \"operator\"]", "[\"owner\"]"), Code::CiUnknownInvalid, "owners");
    let resolved =
        format!("{{\"id\":\"X\",\"status\":\"RESOLVED\",\"gate_sha256\":\"{}\"}},{first}", Digest::of(b"x"));
    assert!(
        Plan::parse(changed(CI_FILE, first, &resolved)).is_ok(),
        "a resolved item beside the unknown one"
    );
}

#[test]
fn r12_r13_the_previous_decision_is_hold() {
    refused(changed(DECISION_FILE, "HOLD_PRODUCTION", "GO"), Code::NotOnHold, "decision");
    refused(
        changed(DECISION_FILE, "\"authorizes\": []", "\"authorizes\": [\"x\"]"),
        Code::NotOnHold,
        "authorizes",
    );
    refused(changed(DECISION_FILE, "  \"revision\": 0,\n", ""), Code::NotOnHold, "revision");
}

#[test]
fn r45_the_map_counts_and_names_each_blocker_once() {
    refused(
        changed(BLOCKERS_FILE, "\"open_count\": 7", "\"open_count\": 6"),
        Code::BlockersInvalid,
        "counted 7",
    );
    refused(changed(BLOCKERS_FILE, "EXAMPLE-2", "EXAMPLE-1"), Code::BlockersInvalid, "twice");
    refused(changed(BLOCKERS_FILE, "\"OPEN\"", "\"CLOSED\""), Code::BlockersInvalid, "closed_by");
    refused(changed(BLOCKERS_FILE, "DRYRUN-PROD", "DRYRUN-PRUD"), Code::BlockersInvalid, "is missing");
    let state = "\"clone_rehearsal\", \"state\": \"OPEN\"";
    refused(
        changed(BLOCKERS_FILE, state, &state.replace("OPEN", "PROVEN")),
        Code::BlockersInvalid,
        "evidence_sha256",
    );
    refused(
        changed(BLOCKERS_FILE, "PRODUCTION_OPT_4", "OTHER"),
        Code::BlockersInvalid,
        "need PRODUCTION_OPT_4",
    );
    let need = "\"PRODUCTION_OPT_4\", \"state\": \"OPEN\"";
    refused(changed(BLOCKERS_FILE, need, &need.replace("OPEN", "MET")), Code::BlockersInvalid, "met_by");
}

#[test]
fn unknown_files_fields_and_large_files_are_refused() {
    let mut files = template();
    files.remove("down.sql");
    refused(files.clone(), Code::PlanInvalid, "down.sql");
    files.insert("down2.sql".into(), b"x".to_vec());
    refused(files, Code::PlanInvalid, "does not name");
    refused(changed("plan.toml", "name =", "mode = \"x\"\nname ="), Code::PlanInvalid, "unknown field");
    let mut large = template();
    large.insert("up.sql".into(), vec![b' '; MAX_FILE_BYTES + 1]);
    refused(large, Code::LimitExceeded, "up.sql");
    let mut many = template();
    many.insert("ninth.sql".into(), vec![]);
    refused(many, Code::LimitExceeded, "files");
    refused(changed("up.sql", "first", "fir\0st"), Code::PlanInvalid, "NUL");
    refused(changed("plan.toml", "\"up.sql\"", "\"../up.sql\""), Code::PlanInvalid, "file names");
    refused(changed("plan.toml", "\"tiny-example\"", "\"Tiny Example\""), Code::PlanInvalid, "name");
}
