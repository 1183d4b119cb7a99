use super::*;
use crate::evidence::isolation::Level;
use crate::judge::specimen;

fn derived() -> BTreeMap<String, Vec<u8>> {
    packet(&specimen::facts(), &specimen::policy()).expect("the specimen can be written")
}

fn text(name: &str) -> String {
    String::from_utf8(derived()[name].clone()).expect("text")
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    assert_eq!(derived(), derived());
}

#[test]
fn every_file_of_the_policy_is_there() {
    let files = derived();
    for name in &specimen::policy().packet().required {
        assert!(files.contains_key(name), "{name}");
    }
}

#[test]
fn r05_the_final_status_follows_the_evidence() {
    let status = |facts: &Facts, policy: &Policy| {
        derive(facts, policy, None).expect("bad facts can be written too").status
    };
    assert_eq!(status(&specimen::facts(), &specimen::policy()), FinalStatus::Ready);
    assert_eq!(FinalStatus::Ready.name(), specimen::policy().final_status());
    let mut facts = specimen::facts();
    facts.rollback.entries[2].after_rollback_hash = facts.rollback.entries[2].after_apply_hash;
    assert_eq!(status(&facts, &specimen::policy()), FinalStatus::NotShown);
    let files = packet(&facts, &specimen::policy()).expect("bad facts can be written too");
    assert!(!String::from_utf8_lossy(&files["README.md"]).contains("ROLLBACK_READY"));
    let unpinned = Policy::default_policy();
    let facts = specimen::facts_of(&unpinned, specimen::template_plan(), Level::Three);
    assert_eq!(
        status(&facts, &unpinned),
        FinalStatus::NotShown,
        "an executable that nobody pins shows nothing"
    );
}

#[test]
fn readme_says_what_the_source_document_says() {
    let readme = text("README.md");
    for line in [
        "Production mutation: NO · REAL_RUN/QT001/cutover: NO · production CI/deploy trigger: NO · secrets change: NO.",
        "Delegated decision consumed: AUTHORIZE_PRODUCTION_REHEARSAL_ONLY",
        "It authorizes nothing in production; production remains HOLD.",
        "10/10 canonical",
        "13/13 untouched or not requested",
        "7 OPEN",
        "A clone rehearsal is not production execution.",
        "Default remains HOLD_PRODUCTION.",
        "fix7-p0-production-rehearsal-only-rollback-packet-2026-11-23/README.md",
    ] {
        assert!(readme.contains(line), "{line}");
    }
}
