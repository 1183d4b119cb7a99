//! R14 to R28 and R36 to R40: the evidence and its validator.

use fix7_ledger::canon;
use fix7_ledger::digest::Digest;
use fix7_ledger::evidence::isolation::{Control, Counters, IsolationProof, Level, REACHED};
use fix7_ledger::evidence::{EngineName, Facts, Leg, Outcome};
use fix7_ledger::judge::{derive, specimen, validator};
use fix7_ledger::packet::{EXECUTION, LOCK, PROBES, RECOVERY, ROLLBACK, VALIDATOR};
use fix7_ledger::policy::Policy;
use fix7_ledger::verdict::Code;
use serde_json::json;

use super::ground::{document, edited, entry, judged, packet, refused, spoilt, typed};

fn other() -> Digest {
    Digest::of(b"other")
}

#[test]
fn r14_every_step_names_the_clone() {
    spoilt("another target", Code::CloneMismatch, |f| f.execution.steps[2].target_id = "prod".into());
    spoilt("another clone", Code::CloneMismatch, |f| f.execution.clone_id = "clone-0".into());
    typed(EXECUTION, "/steps/0/target_id", Some(json!("prod")), Code::CloneMismatch);
    typed(EXECUTION, "/steps/0/target_id", None, Code::Malformed);
}

#[test]
fn r15_later_legs_quote_the_lock() {
    for path in [EXECUTION, ROLLBACK] {
        assert_eq!(document(path)["lock"], json!(Digest::of(&packet()[LOCK]).to_string()));
        typed(path, "/lock", Some(json!(other().to_string())), Code::LockMismatch);
    }
    typed(LOCK, "/source/recovered", Some(json!(true)), Code::LockMismatch);
    typed(LOCK, "/engine/version", Some(json!("")), Code::LockMismatch);
    typed(LOCK, "/plan", Some(json!(other().to_string())), Code::LockMismatch);
    let mut without = packet();
    without.remove(LOCK);
    refused("no lock", &judged(without), Code::FileMissing);
}

#[test]
fn r16_the_clone_is_private() {
    let code = Code::IsolationNotProven;
    spoilt("a symbolic link", code, |f| f.lock.clone.symlink_free = false);
    spoilt("a network file system", code, |f| f.lock.clone.local_file_system = false);
    spoilt("another's", code, |f| f.lock.clone.owned_by_operator = false);
    spoilt("a second name", code, |f| f.lock.clone.hard_links = 2);
    spoilt("no name", code, |f| f.lock.clone.hard_links = 0);
    for mode in ["0750", "0702", "700", ""] {
        spoilt(mode, code, |f| f.lock.clone.directory_mode = mode.into());
    }
}

#[test]
fn r17_isolation_has_a_technical_proof_for_each_contact() {
    let code = Code::IsolationNotProven;
    type Spoil = fn(&mut IsolationProof);
    let spoils: [(&str, Spoil); 8] = [
        ("no probes", |p| p.probes.clear()),
        ("no layers", |p| p.layers.clear()),
        ("a contact by a sentence only", |p| p.contacts.system_issues.proof.clear()),
        ("an accepted contact", |p| p.contacts.pg.accepted = 1),
        ("a listener that was reached", |p| p.counters = Counters { udp: 1, ..Counters::default() }),
        ("a control that did not connect", |p| p.probes[0].control = Control::NotReached),
        ("an attempt that got through", |p| p.probes[0].actual = REACHED.into()),
        ("another errno", |p| p.probes[0].actual = "ECONNREFUSED".into()),
    ];
    for (what, spoil) in spoils {
        spoilt(what, code, |f| spoil(&mut f.lock.isolation));
        spoilt(what, code, |f| spoil(&mut f.execution.isolation_at_end));
    }
    spoilt("a weaker end", code, |f| {
        f.execution.isolation_at_end = IsolationProof::held(Level::Two, f.lock.isolation.filter);
    });
    spoilt("another filter", code, |f| f.execution.isolation_at_end.filter = other());
}

#[test]
fn r18_no_step_is_missing_and_no_failure_hidden() {
    let code = Code::RollbackProofMissing;
    spoilt("a failed step", code, |f| f.execution.steps[1].exit = 19);
    spoilt("a leg without a step", code, |f| {
        f.execution.steps.pop();
    });
    spoilt("a gap in the numbers", Code::Malformed, |f| f.execution.steps[1].n = 7);
    spoilt("evidence of an older lock", Code::LockMismatch, |f| f.execution.lock = other());
    typed(EXECUTION, "/steps/0/exit", None, Code::Malformed);
}

#[test]
fn r19_read_only_leaves_rows_bytes_and_names() {
    let code = Code::InvariantBroken;
    let exit = |f: &mut Facts, spoil: fn(&mut fix7_ledger::evidence::Hashes)| {
        spoil(entry(f, Leg::ReadOnly).exit_hash.as_mut().expect("there"));
    };
    spoilt("rows", code, |f| exit(f, |h| h.rows = other()));
    spoilt("bytes", code, |f| exit(f, |h| h.bytes = Some(other())));
    spoilt("no bytes", code, |f| exit(f, |h| h.bytes = None));
    for left in ["clone.db-wal", "clone.db-shm"] {
        spoilt(left, code, |f| {
            entry(f, Leg::ReadOnly).directory.as_mut().expect("there").after.push(left.into());
        });
    }
    spoilt("no listing", code, |f| entry(f, Leg::ReadOnly).directory = None);
    spoilt("said by itself", code, |f| entry(f, Leg::ReadOnly).outcome = Outcome::NotHeld);
}

#[test]
fn r20_the_transaction_stays_open_and_changes_something() {
    let code = Code::RollbackProofMissing;
    let seen = |f: &mut Facts, spoil: fn(&mut fix7_ledger::evidence::entry::TransactionFacts)| {
        spoil(entry(f, Leg::Transaction).transaction.as_mut().expect("there"));
    };
    spoilt("ended inside", code, |f| seen(f, |t| t.stayed_open = false));
    spoilt("a commit", code, |f| seen(f, |t| t.commit_attempts = 1));
    spoilt("still open", code, |f| seen(f, |t| t.closed = false));
    spoilt("no statement", code, |f| seen(f, |t| t.statements = 0));
    spoilt("not looked at", code, |f| entry(f, Leg::Transaction).transaction = None);
    spoilt("nothing seen inside", code, |f| entry(f, Leg::Transaction).after_apply_hash = None);
    spoilt("nothing changed", Code::NoMutation, |f| {
        let e = entry(f, Leg::Transaction);
        e.after_apply_hash.as_mut().expect("there").rows = e.before_hash.expect("there").rows;
    });
    spoilt("bytes not measured afterwards", code, |f| {
        entry(f, Leg::Transaction).after_rollback_hash.as_mut().expect("there").bytes = None;
    });
}

#[test]
fn r21_the_snapshot_is_of_before_and_is_what_came_back() {
    let seen = |f: &mut Facts, spoil: fn(&mut fix7_ledger::evidence::entry::SnapshotFacts)| {
        spoil(entry(f, Leg::Snapshot).snapshot.as_mut().expect("there"));
    };
    let code = Code::RollbackProofMissing;
    spoilt("taken after the change", code, |f| seen(f, |s| s.taken = other()));
    spoilt("another was put back", code, |f| seen(f, |s| s.restored_from = other()));
    spoilt("the commit was not seen", code, |f| seen(f, |s| s.seen_by_new_process = false));
    spoilt("not looked at", code, |f| entry(f, Leg::Snapshot).snapshot = None);
    let code = Code::NotRestored;
    spoilt("the restore was not seen", code, |f| seen(f, |s| s.restored_seen_by_new_process = false));
    spoilt("a journal left", code, |f| seen(f, |s| s.sidecars_left.push("clone.db-journal".into())));
    spoilt("other bytes", code, |f| {
        entry(f, Leg::Snapshot).after_rollback_hash.as_mut().expect("there").bytes = Some(other());
    });
}

#[test]
fn r22_the_executable_is_the_pinned_one_and_the_clone_is_sound() {
    let seen = |f: &mut Facts, spoil: fn(&mut fix7_ledger::evidence::entry::ExecutorFacts)| {
        spoil(entry(f, Leg::Executor).executor.as_mut().expect("there"));
    };
    let code = Code::ExecutorNotPinned;
    spoilt("before", code, |f| seen(f, |e| e.before = other()));
    spoilt("after", code, |f| seen(f, |e| e.after = other()));
    spoilt("in the lock", code, |f| f.lock.executable = other());
    spoilt("not looked at", code, |f| entry(f, Leg::Executor).executor = None);
    spoilt("within reach", code, |f| seen(f, |e| e.writable = Some(true)));
    let code = Code::IntegrityBroken;
    spoilt("at entry", code, |f| seen(f, |e| e.integrity_at_entry = "row missing".into()));
    spoilt("at exit", code, |f| seen(f, |e| e.integrity_at_exit = "OK".into()));
    spoilt("foreign keys", code, |f| seen(f, |e| e.foreign_key_violations_at_exit = 1));
}

#[test]
fn r23_the_validators_result_is_reached_again_from_its_inputs() {
    let inputs = document(VALIDATOR)["inputs"].clone();
    for (n, path) in [LOCK, EXECUTION, ROLLBACK].into_iter().enumerate() {
        assert_eq!(inputs[n]["sha256"], json!(Digest::of(&packet()[path]).to_string()));
    }
    typed(VALIDATOR, "/inputs/0/sha256", Some(json!(other().to_string())), Code::NotDerived);
    typed(VALIDATOR, "/entries/0/result", Some(json!("REFUSED")), Code::NotDerived);
    typed(VALIDATOR, "/result", Some(json!("REFUSED")), Code::NotDerived);
    typed(VALIDATOR, "/validator/sha256", Some(json!(other().to_string())), Code::ExecutorNotPinned);
    // Inputs changed after the validation.
    typed(ROLLBACK, "/entries/1/rows_changed", Some(json!(9)), Code::NotDerived);
}

#[test]
fn r24_every_rollback_entry_changed_something() {
    for leg in [Leg::Transaction, Leg::Snapshot, Leg::Down] {
        spoilt("equal", Code::NoMutation, |f| {
            let e = entry(f, leg);
            e.after_apply_hash.as_mut().expect("there").rows = e.before_hash.expect("there").rows;
        });
        spoilt("missing", Code::RollbackProofMissing, |f| entry(f, leg).after_apply_hash = None);
        spoilt("missing before", Code::RollbackProofMissing, |f| entry(f, leg).before_hash = None);
    }
    spoilt("the main file alone, in WAL mode", Code::NoMutation, |f| {
        let e = entry(f, Leg::Snapshot);
        e.after_apply_hash.as_mut().expect("there").bytes = e.before_hash.expect("there").bytes;
    });
    spoilt("another algorithm for rows", Code::Malformed, |f| f.rollback.algorithms.rows = "sha1".into());
    spoilt("another algorithm for bytes", Code::Malformed, |f| f.rollback.algorithms.bytes = "md5".into());
}

#[test]
fn r25_every_rollback_hash_restores_before() {
    for leg in [Leg::Transaction, Leg::Snapshot, Leg::Down] {
        spoilt("other rows", Code::NotRestored, |f| {
            entry(f, leg).after_rollback_hash.as_mut().expect("there").rows = other();
        });
        spoilt("none", Code::RollbackProofMissing, |f| entry(f, leg).after_rollback_hash = None);
    }
    spoilt("an empty list", Code::LegMissing, |f| f.rollback.entries.clear());
    spoilt("a partial list", Code::LegMissing, |f| f.rollback.entries.truncate(2));
    let mut map = packet();
    map.insert(ROLLBACK.into(), b"{}".to_vec());
    refused("nothing", &judged(map), Code::Malformed);
    let hash = "/entries/1/after_rollback_hash/rows";
    let found = document(ROLLBACK).pointer(hash).and_then(|v| v.as_str().map(str::to_owned)).expect("a hash");
    for text in [&found[..63], &found[..8], &found.to_uppercase(), &format!(" {found}"), &format!("{found}0")]
    {
        typed(ROLLBACK, hash, Some(json!(text)), Code::Malformed);
    }
    typed(VALIDATOR, "/entry_count", Some(json!(0)), Code::NotDerived);
}

#[test]
fn r26_the_selftest_counts_both_sides() {
    let selftest = document(VALIDATOR)["selftest"].clone();
    assert_eq!(selftest["misjudged"], json!([]));
    assert!(selftest["good"].as_u64() >= Some(1) && selftest["bad"].as_u64() >= Some(5));
    typed(VALIDATOR, "/selftest/good", Some(json!(0)), Code::SelftestBroken);
    typed(VALIDATOR, "/selftest/bad", Some(json!(0)), Code::SelftestBroken);
    typed(VALIDATOR, "/selftest/misjudged/-", Some(json!("every leg")), Code::SelftestBroken);
    typed(VALIDATOR, "/selftest", None, Code::SelftestBroken);
}

#[test]
fn r27_the_fabricated_entry_is_in_the_run_and_refused_for_its_own_reason() {
    let made_up = document(RECOVERY)["fabricated"][0].clone();
    assert_eq!((&made_up["result"], &made_up["reasons"]), (&json!("REFUSED"), &json!(["NO_MUTATION"])));
    typed(RECOVERY, "/fabricated", Some(json!([])), Code::NotDerived);
    typed(RECOVERY, "/fabricated/0/result", Some(json!("ACCEPTED")), Code::NotDerived);
    typed(RECOVERY, "/fabricated/0/reasons/0", Some(json!("NOT_RESTORED")), Code::NotDerived);
}

#[test]
fn r28_the_pin_is_whole_and_comes_from_the_policy() {
    let (facts, policy) = (specimen::facts(), specimen::policy());
    assert!(policy.pins(&facts.lock.executable) && !policy.pins(&other()));
    let pin = document(VALIDATOR)["validator"]["pin"].clone();
    assert_eq!(pin["hex"], json!(facts.lock.executable.to_string()));
    assert_eq!(pin["policy"], json!(policy.digest().to_string()));
    let whole = facts.lock.executable.to_string();
    let code = Code::ExecutorNotPinned;
    typed(VALIDATOR, "/validator/pin/hex", Some(json!(whole[..8])), code);
    typed(VALIDATOR, "/validator/pin/hex", Some(json!(format!("{}…{}", &whole[..8], &whole[58..]))), code);
    typed(VALIDATOR, "/validator/pin/policy", Some(json!(other().to_string())), code);
    // A policy never holds a part of a digest.
    let text = String::from_utf8(policy.bytes().to_vec()).expect("text");
    assert!(Policy::parse(text.as_bytes()).is_ok());
    assert!(Policy::parse(text.replace(&whole, &whole[..8]).as_bytes()).is_err());
    // A policy that pins another, made together with the copy, is not the one in force: the lock names its own.
    let forged = Policy::parse(&Policy::default_policy().with_executable(other(), "copy")).expect("a policy");
    let verdict = validator::judge(&facts, &forged).verdict();
    assert!(verdict.has(Code::PolicyMismatch) && verdict.has(code), "{verdict:#?}");
}

#[test]
fn r36_a_proof_that_is_absent_empty_or_anothers_is_refused() {
    let mut without = packet();
    without.remove(ROLLBACK);
    refused("absent", &judged(without), Code::FileMissing);
    spoilt("empty", Code::LegMissing, |f| f.rollback.entries.clear());
    spoilt("without digests", Code::RollbackProofMissing, |f| {
        for leg in [Leg::Transaction, Leg::Snapshot, Leg::Down] {
            entry(f, leg).after_rollback_hash = None;
        }
    });
    spoilt("another clone's", Code::CloneMismatch, |f| f.rollback.clone_id = "clone-0".into());
    spoilt("another's entry", Code::CloneMismatch, |f| entry(f, Leg::Down).clone_id = "clone-0".into());
}

#[test]
fn r38_a_level_below_the_policys_minimum_is_refused() {
    let text = String::from_utf8(specimen::policy().bytes().to_vec()).expect("text");
    let raised = text.replace("sqlite = 2", "sqlite = 3");
    assert_ne!(text, raised);
    let raised = Policy::parse(raised.as_bytes()).expect("a policy");
    let at = |level| {
        let facts = specimen::facts_of(&raised, specimen::template_plan(), level);
        validator::judge(&facts, &raised).verdict()
    };
    assert!(at(Level::Three).accepted());
    refused("level 2", &at(Level::Two), Code::IsolationNotProven);
    spoilt("an engine without a minimum", Code::IsolationNotProven, |f| {
        f.lock.engine.name = EngineName::Postgresql
    });
}

#[test]
fn r29_r40_the_probe_report_is_reached_again() {
    let report = document(PROBES);
    assert_eq!((&report["refused"], &report["total"]), (&json!(10), &json!(10)));
    let code = Code::ProbesIncomplete;
    typed(PROBES, "/probes/3", None, code);
    typed(PROBES, "/probes/1", Some(report["probes"][0].clone()), code);
    typed(PROBES, "/probes/0/actual/0", Some(json!("MALFORMED")), code);
    typed(PROBES, "/probes/0/side_effects", Some(json!(true)), code);
    typed(PROBES, "/probes/0/exit", Some(json!(0)), code);
    typed(PROBES, "/total", Some(json!(9)), code);
    typed(PROBES, "/control", None, code);
    typed(PROBES, "/control/actual", Some(json!("REFUSE")), code);
    typed(PROBES, "/leak/secret_hits", Some(json!(1)), code);
    edited(PROBES, "\"hits\":[]", "\"hits\":[{\"path\":\"README.md\",\"reason\":\"CLAIM_FOUND\"}]", code);
}

#[test]
fn r54_bad_evidence_is_written_and_its_packet_is_never_accepted() {
    let mut facts = specimen::facts();
    entry(&mut facts, Leg::Down).after_rollback_hash.as_mut().expect("there").rows = other();
    let map = derive::packet(&facts, &specimen::policy()).expect("written");
    refused("as derived", &judged(map.clone()), Code::NotRestored);
    // The status typed by hand, on top.
    let mut typed: serde_json::Value =
        canon::from_slice(&map["production-decision-packet.json"]).expect("JSON");
    typed["final_status"] = json!(specimen::policy().final_status());
    let mut lifted = map;
    lifted.insert("production-decision-packet.json".into(), canon::to_vec(&typed).expect("canonical"));
    refused("typed", &judged(lifted), Code::ScopeLift);
}
