//! Trust that survives people, through the binary: thresholds, stolen and retired keys, what was left out.
//!
//! The numbers are those of the list of attacks that the design answers.

use crate::harness::{Ran, Scratch};
use crate::stage::Stage;

/// An own ledger of two owners who must agree, an operator and an auditor.
fn two_owners() -> Scratch {
    let scratch = Scratch::new();
    for name in ["olga", "otto", "anna", "kim"] {
        scratch.run(&["key", "new", name, "--dir", "keys", "--no-passphrase"]).ok();
    }
    scratch.git(".", &["init", "-q", "--template=", "-b", "main", "work"]).ok();
    let ids = [
        "--owner",
        "olga=keys/olga",
        "--owner",
        "otto=keys/otto",
        "--operator",
        "anna=keys/anna",
        "--auditor",
        "kim=keys/kim",
        "--owner-threshold",
        "2",
        "--key",
        "keys/olga",
    ];
    scratch.run(&[&["init", "--repo", "work", "--name", "small"][..], &ids].concat()).ok();
    scratch
}

/// A verb on the ledger in `work`, as JSON.
fn on(scratch: &Scratch, words: &[&str]) -> Ran {
    scratch.run(&[words, &["--repo", "work", "--json"]].concat())
}

fn audited(stage: &Stage) {
    on(&stage.scratch, &["key", "add", "kim=keys/mallory", "--role", "auditor", "--key", "keys/olga"]).ok();
}

#[test]
fn several_owners_sign_in_turn_and_one_alone_is_refused() {
    let s = two_owners();
    let issue = ["grant", "issue", "--operator", "anna", "--key", "keys/olga"];
    assert_eq!(on(&s, &issue).exits(4).codes(), ["ROLE_MISSING"]);
    on(&s, &[&issue[..], &["--propose", "grant.json"]].concat()).ok();
    assert_eq!(
        on(&s, &["log"]).ok().json()["entries"].as_array().map(Vec::len),
        Some(1),
        "nothing was appended"
    );
    let apply = ["apply", "grant.json", "--key", "keys/olga"];
    assert_eq!(on(&s, &apply).exits(4).codes(), ["ROLE_MISSING"], "the same owner twice is one owner");
    // The second owner signs where there is no ledger at hand.
    let signed = s.run(&["sign", "grant.json", "--key", "keys/otto", "--json"]).ok().json();
    assert_eq!(signed["signatures"], 2);
    assert_eq!(signed["statement"]["predicate"]["grant"]["single_use"], true, "who signs sees what");
    on(&s, &apply).ok();
    assert_eq!(on(&s, &apply).exits(4).codes(), ["REPLAYED", "REPLAYED"], "a proposal serves once");
    on(&s, &["verify", "--forget"]).ok();
    // Both at one table.
    on(&s, &[&issue[..], &["--co-signer", "keys/otto"]].concat()).ok();
}

#[test]
fn a_changed_proposal_is_refused() {
    let s = two_owners();
    let issue = ["grant", "issue", "--operator", "anna", "--key", "keys/olga", "--propose", "grant.json"];
    on(&s, &issue).ok();
    s.run(&["sign", "grant.json", "--key", "keys/otto"]).ok();
    let text = std::fs::read_to_string(s.path("grant.json")).expect("a proposal");
    s.write("forged.json", text.replace("grant-1", "grant-2"));
    let forged = on(&s, &["apply", "forged.json", "--key", "keys/olga"]);
    assert!(forged.exits(1).codes().contains(&"SIGNATURE_INVALID".to_owned()));
    on(&s, &["apply", "grant.json", "--key", "keys/olga"]).ok();
}

#[test]
fn attack_12_a_rehearsal_that_was_begun_is_missed_until_it_is_recorded() {
    let stage = Stage::new();
    let s = &stage.scratch;
    assert_eq!(on(s, &["begin", "--grant", "grant-3", "--key", "keys/olga"]).exits(4).codes().len(), 2);
    let begun = on(s, &["begin", "--grant", "grant-3", "--key", "keys/anna"]).ok().json();
    stage.verify_says("work", 3, "RUN_OPEN");
    let status = on(s, &["status"]).exits(3);
    assert_eq!(status.json()["open_begins"][0], begun["seq"]);
    // The grant that was begun with is consumed, and the begin with it.
    stage.record("work").ok();
    stage.verify("work").ok();
    on(s, &["status"]).ok();
}

#[test]
fn attack_15_what_a_stolen_key_signed_is_suspect_until_an_auditor_confirms() {
    let stage = Stage::new();
    let s = &stage.scratch;
    audited(&stage);
    // Anna's key was stolen after the grant #1: her rehearsal #2 is in doubt.
    let late = ["key", "revoke", "anna", "--last-valid-seq", "9", "--key", "keys/olga"];
    assert_eq!(on(s, &late).exits(4).codes(), ["KEY_CHANGE_INVALID"]);
    on(s, &["key", "revoke", "anna", "--last-valid-seq", "1", "--key", "keys/olga"]).ok();
    stage.verify_says("work", 3, "ENTRY_SUSPECT");
    assert_eq!(on(s, &["status"]).exits(3).json()["suspect_entries"], serde_json::json!([2]));
    let log = on(s, &["log"]).ok().json();
    let suspects: Vec<bool> =
        log["entries"].as_array().expect("entries").iter().map(|e| e["suspect"] == true).collect();
    assert_eq!(suspects, [false, false, false, true, false, false]);
    s.run(&["show", "--repo", "work", "2"]).ok().says("SUSPECT");
    assert!(stage.record("work").exits(1).codes().contains(&"KEY_ENDED".to_owned()), "the key is of no use");
    let confirm = |key| on(s, &["note", "2", "--confirm", "--text", "asked anna, it was her", "--key", key]);
    assert_eq!(confirm("keys/olga").exits(4).codes(), ["ROLE_MISSING"]);
    confirm("keys/mallory").ok();
    stage.verify("work").ok();
    assert_eq!(confirm("keys/mallory").exits(4).codes(), ["CORRECTION_INVALID"]);
}

#[test]
fn attack_16_a_retired_key_is_refused_whatever_date_it_writes() {
    let stage = Stage::new();
    let s = &stage.scratch;
    assert_eq!(
        on(s, &["key", "retire", "olga", "--key", "keys/olga"]).exits(4).codes(),
        ["KEY_CHANGE_INVALID"]
    );
    on(s, &["begin", "--grant", "grant-3", "--key", "keys/anna"]).ok();
    on(s, &["void", "begin-4", "--reason", "begun by mistake", "--key", "keys/anna"]).ok();
    on(s, &["key", "retire", "anna", "--key", "keys/olga"]).ok();
    let again = on(s, &["begin", "--grant", "grant-3", "--key", "keys/anna"]);
    assert!(again.exits(1).codes().contains(&"KEY_ENDED".to_owned()));
    stage.verify("work").ok();
}

#[test]
fn attack_17_the_list_of_ended_keys_cannot_be_left_out() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let before = stage.tip("work");
    on(s, &["verify"]).ok();
    on(s, &["key", "revoke", "anna", "--last-valid-seq", "1", "--key", "keys/olga"]).ok();
    on(s, &["verify"]).exits(3);
    // Whoever takes the revocation away takes the ledger's end away, and that was seen.
    stage.point("work", &before);
    assert_eq!(on(s, &["verify"]).exits(5).codes(), ["ROLLED_BACK"]);
}

#[test]
fn attack_18_nobody_adds_the_own_key() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let add = |key| on(s, &["key", "add", "mallory=keys/mallory", "--role", "operator", "--key", key]);
    assert_eq!(add("keys/mallory").exits(3).codes(), ["KEY_UNKNOWN"]);
    assert_eq!(add("keys/anna").exits(4).codes(), ["ROLE_MISSING", "ROLE_MISSING"]);
    add("keys/olga").ok();
    on(s, &["grant", "issue", "--operator", "mallory", "--key", "keys/olga"]).ok();
    s.run(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
}

#[test]
fn attack_19_a_policy_only_tightens() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let old = on(s, &["policy", "show"]).ok().json()["content"].as_str().expect("a text").to_owned();
    s.write("old.toml", &old);
    s.write("new.toml", old.replacen("[validator]", "[ledger]\nrequire_begin = true\n\n[validator]", 1));
    let propose = |file| on(s, &["policy", "propose", file, "--key", "keys/olga"]);
    propose("new.toml").ok();
    let refused = propose("old.toml").exits(4);
    assert_eq!(refused.codes(), ["POLICY_LOOSENED"]);
    assert!(refused.stdout.contains("ledger.require_begin"), "{}", refused.stdout);
    stage.verify("work").ok();
    s.run(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
    // Under the new policy the old packet is one of another policy, and a begin is missing.
    let codes =
        on(s, &["record", "--packet", "packet", "--key", "keys/anna", "--run-id", "x"]).exits(4).codes();
    assert!(codes.contains(&"POLICY_MISMATCH".to_owned()), "{codes:?}");
}

#[test]
fn attack_21_a_key_that_nobody_registered_establishes_nothing() {
    let stage = Stage::new();
    let codes =
        on(&stage.scratch, &["begin", "--grant", "grant-3", "--key", "keys/mallory"]).exits(3).codes();
    assert_eq!(codes, ["KEY_UNKNOWN"]);
}

#[test]
fn a_failed_rehearsal_is_recorded_as_failed_and_as_nothing_else() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let plan = s.path("plan/down.sql");
    std::fs::write(&plan, "SELECT 1;\n").expect("written");
    let what = ["rehearse", "--source", "small.db", "--plan", "plan", "--out", "failed"];
    let refused = on(s, &what).exits(4).codes();
    assert!(refused.contains(&"NOT_RESTORED".to_owned()), "{refused:?}");
    let record = |packet, more: &[&str]| {
        let words = ["record", "--packet", packet, "--key", "keys/anna", "--run-id", "second"];
        on(s, &[&words[..], more].concat())
    };
    assert!(record("failed", &[]).exits(4).codes().contains(&"NOT_RESTORED".to_owned()));
    assert_eq!(record("packet", &["--failed"]).exits(4).codes(), ["SCOPE_LIFT", "SCOPE_LIFT"]);
    let recorded = record("failed", &["--failed"]).ok().json();
    assert_eq!(recorded["result"], "ROLLBACK_NOT_EXACT");
    stage.verify("work").ok();
    s.run(&["show", "--repo", "work"]).ok().says("ROLLBACK_NOT_EXACT");
    s.run(&["push", "--repo", "work", "origin"]).ok();
    // Its grant is spent, and it is no rehearsal to lean on.
    assert_eq!(record("packet", &[]).exits(4).codes(), ["GRANT_MISSING"]);
}

#[test]
fn a_revoked_grant_serves_nobody_and_a_void_rehearsal_stays_where_it_is() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let revoke = |key| on(s, &["grant", "revoke", "grant-3", "--reason", "issued twice", "--key", key]);
    assert!(revoke("keys/anna").exits(4).codes().contains(&"ROLE_MISSING".to_owned()));
    revoke("keys/olga").ok();
    let record = on(s, &["record", "--packet", "packet", "--key", "keys/anna", "--run-id", "second"]);
    assert_eq!(record.exits(4).codes(), ["GRANT_MISSING"]);
    let void = ["void", "2", "--reason", "made from the wrong copy", "--key", "keys/anna"];
    on(s, &void).ok();
    assert_eq!(on(s, &["show", "2"]).ok().json()["void"], 5);
    assert_eq!(on(s, &void).exits(4).codes(), ["CORRECTION_INVALID"]);
    stage.verify("work").ok();
}

#[test]
fn a_leg_is_as_proven_as_the_entries_that_still_count_and_nothing_closes() {
    let stage = Stage::new();
    let s = &stage.scratch;
    let leg = || {
        let shown = on(s, &["blockers", "--history"]).ok().json();
        assert_eq!(shown["hold"], "HOLD_PRODUCTION");
        assert_eq!(shown["open"].as_u64(), shown["blockers"].as_array().map(|all| all.len() as u64));
        let blockers = shown["blockers"].as_array().expect("blockers").clone();
        let legs = blockers.iter().flat_map(|b| b["legs"].as_array().expect("legs").clone());
        let clone = legs.filter(|l| l["name"] == "clone_rehearsal").collect::<Vec<_>>();
        assert_eq!(clone.len(), 1);
        (clone[0]["state"].as_str().expect("a word").to_owned(), shown["history"][0]["counts"] == true)
    };
    assert_eq!(leg(), ("PROVEN".to_owned(), true));
    // The owners ask for a second pair of eyes: the same entry proves nothing until somebody repeats it.
    let policy = on(s, &["policy", "show"]).ok().json()["content"].as_str().expect("a text").to_owned();
    let rules = "[ledger]\nmin_independent_reruns = 1\n\n[validator]";
    s.write("new.toml", policy.replacen("[validator]", rules, 1));
    on(s, &["policy", "propose", "new.toml", "--key", "keys/olga"]).ok();
    assert_eq!(leg(), ("OPEN".to_owned(), false));
    s.run(&["blockers", "--repo", "work", "--history"]).ok().says("rehearse again");
}

#[test]
fn a_void_rehearsal_proves_no_leg() {
    let stage = Stage::new();
    let s = &stage.scratch;
    on(s, &["void", "2", "--reason", "made from the wrong copy", "--key", "keys/anna"]).ok();
    let shown = on(s, &["blockers", "--history"]).ok().json();
    assert_eq!(shown["history"][0]["counts"], false);
    assert_eq!(shown["history"][0]["void"], 4);
    assert!(!shown["blockers"].to_string().contains("PROVEN"), "{}", shown["blockers"]);
}

#[test]
fn attack_2_two_auditors_compare_their_heads_by_mail() {
    let stage = Stage::new();
    let s = &stage.scratch;
    s.git(".", &["clone", "-q", "server.git", "other", "-b", "fix7-ledger/main"]).ok();
    let export = |repo, file| {
        s.run(&["state", "export", "--repo", repo, "--key", "keys/olga", "--out", file, "--json"])
    };
    let import = |file, repo| s.run(&["state", "import", file, "--repo", repo, "--json"]);
    export("work", "early").ok();
    assert_eq!(export("work", "early").exits(4).codes(), ["ALREADY_EXISTS"]);
    assert_eq!(import("early", "other").ok().json()["agrees"], true);
    // One copy goes on: the other is behind, which is no contradiction.
    stage.grant("work").ok();
    export("work", "late").ok();
    assert_eq!(import("late", "other").exits(3).codes(), ["ENTRY_ABSENT"]);
    assert_eq!(import("early", "work").ok().json()["agrees"], true);
    // The other copy is given another entry at the same place: both cannot be the ledger.
    s.run(&["grant", "issue", "--repo", "other", "--operator", "anna", "--id", "else", "--key", "keys/olga"])
        .ok();
    let fork = import("late", "other").exits(5);
    assert_eq!(fork.codes(), ["FORKED"]);
    let proof = fork.json()["both_heads"].as_str().expect("a file").to_owned();
    let note = std::fs::read_to_string(s.path("late")).expect("a note");
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(s.path(&proof)).expect("kept")).expect("JSON");
    assert_eq!(kept["note"], note.as_str(), "the signed word of the other is kept whole");
    // Words that nobody signed count for nothing.
    s.write("forged", note.replace("\n5\n", "\n4\n"));
    assert_eq!(import("forged", "work").exits(1).codes(), ["SIGNATURE_INVALID"]);
    s.write("stranger", note.replace("— olga ", "— nobody "));
    assert_eq!(import("stranger", "work").exits(3).codes(), ["KEY_UNKNOWN"]);
}

#[test]
fn a_proposal_counts_in_its_own_ledger_while_its_signers_do() {
    let s = two_owners();
    s.run(&["key", "new", "zoe", "--dir", "keys", "--no-passphrase"]).ok();
    let both = ["--key", "keys/olga", "--co-signer", "keys/otto"];
    on(&s, &[&["key", "add", "zoe=keys/zoe", "--role", "owner"][..], &both].concat()).ok();
    let propose = |id: &str, file: &str| {
        let issue = ["grant", "issue", "--operator", "anna", "--id", id, "--key", "keys/otto"];
        on(&s, &[&issue[..], &["--propose", file]].concat()).ok();
    };
    propose("first", "first.json");
    propose("second", "second.json");
    // The same people own another ledger.
    s.git(".", &["init", "-q", "--template=", "-b", "main", "other"]).ok();
    let people = ["--owner", "olga=keys/olga", "--owner", "otto=keys/otto", "--operator", "anna=keys/anna"];
    let init = ["init", "--repo", "other", "--name", "small", "--owner-threshold", "2", "--key", "keys/olga"];
    s.run(&[&init[..], &people].concat()).ok();
    let elsewhere = s.run(&["apply", "first.json", "--key", "keys/olga", "--repo", "other", "--json"]);
    assert!(elsewhere.exits(4).codes().contains(&"WRONG_LEDGER".to_owned()));
    on(&s, &["apply", "first.json", "--key", "keys/olga"]).ok();
    // Who signed and then left has not signed, whoever signs beside.
    on(&s, &["key", "retire", "otto", "--key", "keys/olga", "--co-signer", "keys/zoe"]).ok();
    s.run(&["sign", "second.json", "--key", "keys/zoe"]).ok();
    let late = on(&s, &["apply", "second.json", "--key", "keys/olga"]);
    assert_eq!(late.exits(1).codes(), ["KEY_ENDED"]);
    let again = ["grant", "issue", "--operator", "anna", "--key", "keys/olga", "--co-signer", "keys/zoe"];
    on(&s, &again).ok();
    on(&s, &["verify", "--forget"]).ok();
}
