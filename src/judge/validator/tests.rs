//! What a mutation of the rules showed to be held by no test: each rule refused, and its twin accepted.

use std::collections::BTreeMap;

use super::*;
use crate::digest::Digest;
use crate::dsse;
use crate::evidence::EngineName;
use crate::evidence::apart::{ApartFacts, SchemaFacts};
use crate::evidence::difference::{Differences, Equality};
use crate::evidence::entry::{Entry, Hashes};
use crate::evidence::lock::{AttestedDump, DumpFacts, DumpFormat, DumpStatement, FileFacts};
use crate::judge::specimen;
use crate::keys::{SecretKey, Signer};

fn other() -> Digest {
    Digest::of(b"other")
}

fn entry(facts: &mut Facts, leg: Leg) -> &mut Entry {
    facts.rollback.entries.iter_mut().find(|entry| entry.leg == leg).expect("there")
}

/// The codes that speak against the entry of a leg.
fn codes(facts: &Facts, leg: Leg) -> Vec<Code> {
    let policy = specimen::policy();
    let at = facts.rollback.entries.iter().position(|entry| entry.leg == leg).expect("there");
    let verdict = judge_entry(at, &facts.rollback.entries[at], facts, &policy);
    verdict.reasons().iter().map(|reason| reason.code).collect()
}

/// The codes against a leg of the specimen, one thing changed.
fn spoilt(leg: Leg, spoil: impl FnOnce(&mut Facts)) -> Vec<Code> {
    let mut facts = specimen::facts();
    assert_eq!(codes(&facts, leg), [], "the twin is accepted");
    spoil(&mut facts);
    codes(&facts, leg)
}

fn vector(name: &str) -> Facts {
    vectors().into_iter().find(|vector| vector.name == name).expect("a vector of this name").facts
}

/// The specimen's entries as PostgreSQL's: nothing of what stands apart has changed.
fn postgresql() -> Facts {
    let mut facts = specimen::facts();
    facts.lock.engine.name = EngineName::Postgresql;
    let d = Digest::of(b"apart");
    for entry in &mut facts.rollback.entries {
        entry.apart = Some(ApartFacts {
            sequences_before: d,
            sequences_after: d,
            roles_before: d,
            roles_after: d,
            large_objects_before: Some(d),
            large_objects_after: Some(d),
            non_transactional_effects: Vec::new(),
        });
        entry.schema = Some(SchemaFacts {
            catalogue_before: d,
            catalogue_after: d,
            pg_dump_before: d,
            pg_dump_after: d,
        });
    }
    facts
}

fn of_postgresql(leg: Leg, spoil: impl FnOnce(&mut Entry)) -> Vec<Code> {
    let mut facts = postgresql();
    assert_eq!(codes(&facts, leg), [], "the twin is accepted");
    spoil(entry(&mut facts, leg));
    codes(&facts, leg)
}

fn without_bytes(hashes: &mut Option<Hashes>) {
    hashes.as_mut().expect("digests").bytes = None;
}

#[test]
fn each_outcome_is_a_failure_of_its_own_kind_and_none_stands_in_the_other_kind_of_leg() {
    use Outcome::*;
    for (leg, outcome, code) in [
        (Leg::Down, UpFails, Code::RollbackProofMissing),
        (Leg::Reapply, UpFails, Code::InvariantBroken),
        (Leg::Down, UnreadableAfterUp, Code::IntegrityBroken),
        (Leg::Snapshot, CouldNotEstablish, Code::EngineCannot),
        (Leg::Down, RowsDiffer, Code::NotRestored),
        (Leg::Reapply, RowsDiffer, Code::Malformed),
        (Leg::Reapply, NotHeld, Code::InvariantBroken),
        (Leg::Down, NotHeld, Code::Malformed),
        (Leg::Down, Held, Code::Malformed),
        (Leg::Reapply, Exact, Code::Malformed),
        (Leg::Down, NoDown, Code::Malformed),
        (Leg::Snapshot, NotApplicable, Code::Malformed),
        (Leg::Transaction, NotApplicable, Code::Malformed),
    ] {
        let found = spoilt(leg, |facts| entry(facts, leg).outcome = outcome);
        assert_eq!(found, [code], "{leg:?} {outcome:?}");
    }
}

#[test]
fn a_leg_that_need_not_run_is_the_one_that_its_plan_names() {
    let mut facts = vector("a plan without a rollback script");
    let lock = facts.lock.clone_id.clone();
    facts.rollback.entries.insert(3, Entry::begun(Leg::Down, &lock, Outcome::NoDown));
    assert_eq!(codes(&facts, Leg::Down), []);
    *entry(&mut facts, Leg::Transaction) = Entry::begun(Leg::Transaction, &lock, Outcome::NoDown);
    assert_eq!(codes(&facts, Leg::Transaction), [Code::Malformed]);
    let mut scripted = specimen::facts();
    *entry(&mut scripted, Leg::Down) = Entry::begun(Leg::Down, &lock, Outcome::NoDown);
    let said = codes(&scripted, Leg::Down);
    assert!(said.contains(&Code::Malformed), "a script that is there was not run: {said:?}");
    entry(&mut facts, Leg::Down).before_hash = Some(Hashes { rows: other(), bytes: None });
    assert_eq!(codes(&facts, Leg::Down), [Code::Malformed], "digests of a leg that was not run");

    let mut outside = vector("a plan outside of a transaction");
    assert_eq!(codes(&outside, Leg::Transaction), []);
    entry(&mut outside, Leg::Snapshot).outcome = Outcome::NotApplicable;
    assert_eq!(codes(&outside, Leg::Snapshot), [Code::Malformed], "another leg");
}

#[test]
fn a_statement_that_no_transaction_takes_is_asked_of_postgresql_alone() {
    let not_run = |mut facts: Facts, change: Option<&str>| {
        if let Some(change) = change {
            facts.plan.change = change.into();
        }
        let e = entry(&mut facts, Leg::Transaction);
        e.outcome = Outcome::NotApplicable;
        (e.before_hash, e.after_apply_hash, e.after_rollback_hash) = (None, None, None);
        codes(&facts, Leg::Transaction)
    };
    assert_eq!(not_run(postgresql(), Some("VACUUM;")), []);
    assert_eq!(not_run(postgresql(), None), [Code::Malformed]);
    assert_eq!(not_run(specimen::facts(), Some("VACUUM;")), [Code::Malformed]);
}

#[test]
fn an_outcome_that_claims_has_no_differences_beside_it() {
    let with = |total| {
        let none = Differences {
            equality: Equality::Exact,
            schema_codes: Vec::new(),
            row_codes: Vec::new(),
            items: Vec::new(),
            total,
        };
        spoilt(Leg::Down, |facts| entry(facts, Leg::Down).differences = Some(none))
    };
    assert_eq!(with(0), []);
    assert_eq!(with(1), [Code::NotRestored]);
}

#[test]
fn bytes_are_demanded_where_an_engine_can_restore_them() {
    for leg in Leg::ALL {
        assert_eq!(bytes_demanded(EngineName::Postgresql, leg), leg == Leg::Snapshot, "{leg:?}");
        let scripted = matches!(leg, Leg::Down | Leg::Reapply);
        assert_eq!(bytes_demanded(EngineName::Sqlite, leg), !scripted, "{leg:?}");
    }
    let missing = [Code::RollbackProofMissing];
    let down = spoilt(Leg::Down, |facts| without_bytes(&mut entry(facts, Leg::Down).before_hash));
    assert_eq!(down, missing);
    assert_eq!(of_postgresql(Leg::Transaction, |e| without_bytes(&mut e.before_hash)), []);
    // What the snapshot was taken of is then not known either.
    assert_eq!(of_postgresql(Leg::Snapshot, |e| without_bytes(&mut e.before_hash)), missing);
}

#[test]
fn a_digest_of_zeros_is_compared_with_nothing() {
    let found = spoilt(Leg::Transaction, |facts| {
        entry(facts, Leg::Transaction).before_hash.as_mut().expect("digests").rows = Digest::ZERO;
    });
    assert_eq!(found, [Code::RollbackProofMissing]);
}

#[test]
fn an_invariant_has_no_digest_of_a_rollback() {
    for which in 0..2 {
        let found = spoilt(Leg::ReadOnly, |facts| {
            let e = entry(facts, Leg::ReadOnly);
            let hashes = e.before_hash;
            if which == 0 { e.after_apply_hash = hashes } else { e.after_rollback_hash = hashes }
        });
        assert_eq!(found, [Code::Malformed], "{which}");
    }
}

#[test]
fn every_leg_starts_from_the_state_that_the_lock_names() {
    for leg in [Leg::ReadOnly, Leg::Transaction, Leg::Snapshot, Leg::Down, Leg::Executor] {
        let found = spoilt(leg, |facts| facts.lock.clone.base = other());
        assert_eq!(found, [Code::LockMismatch], "{leg:?}");
    }
    let other_rows = |facts: &mut Facts| {
        let e = entry(facts, Leg::Down);
        e.before_hash.as_mut().expect("digests").rows = other();
        e.after_rollback_hash.as_mut().expect("digests").rows = other();
    };
    assert_eq!(spoilt(Leg::Down, other_rows), [Code::LockMismatch]);
    let without_first = |facts: &mut Facts| {
        entry(facts, Leg::ReadOnly).before_hash = None;
        other_rows(facts);
    };
    assert_eq!(
        spoilt(Leg::Down, without_first),
        [Code::LockMismatch],
        "held against the first that there is"
    );
}

#[test]
fn the_second_application_begins_where_the_first_one_ended() {
    let found = spoilt(Leg::Reapply, |facts| {
        let e = entry(facts, Leg::Reapply);
        (e.before_hash, e.exit_hash) =
            (Some(Hashes { rows: other(), bytes: None }), Some(Hashes { rows: other(), bytes: None }));
    });
    assert_eq!(found, [Code::InvariantBroken]);
}

#[test]
fn what_no_rollback_takes_back_is_told_by_a_transaction_and_restored_by_every_other_leg() {
    fn apart(entry: &mut Entry) -> &mut ApartFacts {
        entry.apart.as_mut().expect("there")
    }
    let moved = |entry: &mut Entry| {
        apart(entry).sequences_after = other();
        apart(entry).non_transactional_effects = vec!["sequence:public.x(5 called->9 called)".into()];
    };
    assert_eq!(of_postgresql(Leg::Transaction, moved), []);
    assert_eq!(of_postgresql(Leg::Snapshot, moved), [Code::NotRestored]);
    assert_eq!(of_postgresql(Leg::ReadOnly, moved), [Code::InvariantBroken]);
    let silent = of_postgresql(Leg::Transaction, |e| apart(e).sequences_after = other());
    assert_eq!(silent, [Code::RollbackProofMissing], "not told");
    let told = of_postgresql(Leg::Transaction, |e| apart(e).non_transactional_effects = vec!["roles".into()]);
    assert_eq!(told, [Code::RollbackProofMissing], "told, and not so");
    let roles = of_postgresql(Leg::Transaction, |e| {
        apart(e).roles_after = other();
        apart(e).non_transactional_effects = vec!["roles".into()];
    });
    assert_eq!(roles, [Code::NotRestored]);
    assert_eq!(of_postgresql(Leg::Down, |e| e.apart = None), [Code::RollbackProofMissing]);
    assert_eq!(of_postgresql(Leg::Down, |e| e.schema = None), [Code::RollbackProofMissing]);
}

#[test]
fn an_entry_proves_by_its_kind_its_outcome_and_its_verdict() {
    let broken: Verdict = Reason::new(Code::NotRestored, "x").into();
    let one = |leg: Leg, outcome, verdict: &Verdict| EntryJudgement {
        leg,
        kind: leg.kind(),
        outcome,
        verdict: verdict.clone(),
    };
    let good = Verdict::default();
    for (entry, proves, holds) in [
        (one(Leg::Down, Outcome::Exact, &good), true, true),
        (one(Leg::ReadOnly, Outcome::Held, &good), false, true),
        (one(Leg::ReadOnly, Outcome::Exact, &good), false, true),
        (one(Leg::Down, Outcome::NoDown, &good), false, false),
        (one(Leg::Down, Outcome::Exact, &broken), false, false),
    ] {
        assert_eq!((entry.proves_rollback(), entry.holds()), (proves, holds), "{entry:?}");
    }
    let (down, failed) = (one(Leg::Down, Outcome::Exact, &good), one(Leg::Down, Outcome::Exact, &broken));
    for (entries, holds) in [
        (vec![down.clone()], true),
        (vec![failed], false),
        (vec![down.clone(), down], false),
        (Vec::new(), false),
    ] {
        let judgement = Judgement { entries, whole: Verdict::default() };
        assert_eq!(judgement.holds(Leg::Down), holds, "{judgement:?}");
    }
}

#[test]
fn r25_one_proven_rollback_is_too_few() {
    let policy = specimen::policy();
    let mut facts = vector("a plan without a rollback script");
    assert!(judge(&facts, &policy).accepted(), "two");
    facts.plan.settings.transaction = false;
    let e = entry(&mut facts, Leg::Transaction);
    e.outcome = Outcome::NotApplicable;
    (e.before_hash, e.after_apply_hash, e.after_rollback_hash) = (None, None, None);
    let judgement = judge(&facts, &policy);
    assert!(judgement.entries.iter().all(|entry| entry.verdict.accepted()));
    assert!(judgement.whole.has(Code::RollbackProofMissing), "{:?}", judgement.whole);
}

#[test]
fn text_from_the_evidence_is_repeated_escaped_and_cut() {
    assert_eq!(named("a\nb\u{202e}").to_string(), "a\\nb\\u{202e}");
    assert_eq!(named(&"x".repeat(MAX_NAMED + 1)).to_string(), "x".repeat(MAX_NAMED));
    assert_eq!(joined(&["a".to_owned(), "b\t".to_owned()]).to_string(), "a b\\t");
}

/// What is said against the ground at an object that contains `place`: expected and found.
fn ground_at(facts: &Facts, place: &str) -> Vec<(Option<String>, Option<String>)> {
    let verdict = ground::judge(facts, &specimen::policy());
    let there = verdict.reasons().iter().filter(|reason| reason.object.contains(place));
    there.map(|reason| (reason.expected.clone(), reason.found.clone())).collect()
}

#[test]
fn a_lock_names_its_engine_and_its_settings() {
    let at = |place: &str, spoil: fn(&mut Facts)| {
        let mut facts = specimen::facts();
        assert_eq!(ground_at(&facts, place), []);
        spoil(&mut facts);
        ground_at(&facts, place)
    };
    let said = at("engine/foreign_keys", |f| f.lock.engine.foreign_keys = None);
    let expected = format!("{:?}", Some(specimen::template_plan().settings.foreign_keys));
    assert_eq!(said, [(Some(expected), Some("None".into()))]);
    assert_eq!(at("version and source id", |f| f.lock.engine.version.clear()).len(), 1);
    assert_eq!(at("version and source id", |f| f.lock.engine.source_id.clear()).len(), 1);
}

#[test]
fn the_sources_files_are_those_of_a_database_or_of_a_dump() {
    let names = |facts: &mut Facts, names: &[&str]| {
        let file = || FileFacts { sha256: other(), size: 1 };
        facts.lock.source.files = names.iter().map(|name| ((*name).to_owned(), file())).collect();
    };
    let faults = |facts: &Facts| ground_at(facts, "source/files").len();
    let mut facts = specimen::facts();
    for (files, count) in
        [(&["main"][..], 0), (&["main", "wal"], 0), (&["main", "x"], 1), (&["wal"], 1), (&[], 1)]
    {
        names(&mut facts, files);
        assert_eq!(faults(&facts), count, "{files:?}");
    }
    names(&mut facts, &["main"]);
    facts.lock.source.journal_mode = None;
    assert_eq!(faults(&facts), 1, "no journal mode");

    facts.lock.engine.name = EngineName::Postgresql;
    let statement =
        DumpStatement::of(other(), "staging", "7301234567890123457", "15.18", "2026-01-01T00:00:00Z");
    let signer: Signer<'_> = SecretKey::from_seed(&[7; 32]).into();
    let signatures = dsse::sign(&crate::canon::to_vec(&statement).expect("a statement"), &[&signer]);
    let attestation = AttestedDump { statement, signatures: signatures.expect("a signature") };
    for (format, files, count) in [
        (DumpFormat::Custom, "dump", 0),
        (DumpFormat::Plain, "dump", 0),
        (DumpFormat::Directory, "toc.dat", 0),
        (DumpFormat::Directory, "dump", 1),
        (DumpFormat::Custom, "toc.dat", 1),
    ] {
        facts.lock.source.dump = Some(DumpFacts { format, attestation: attestation.clone() });
        names(&mut facts, &[files]);
        assert_eq!(faults(&facts), count, "{format:?} {files}");
    }
    names(&mut facts, &["dump"]);
    facts.lock.source.journal_mode = Some("delete".into());
    assert_eq!(faults(&facts), 1, "a dump has no journal");
    facts.lock.source.files = BTreeMap::new();
    assert_eq!(faults(&facts), 1);
}

#[test]
fn r18_a_failed_step_is_passed_over_only_where_its_own_leg_says_that_it_failed() {
    let mut facts = specimen::facts();
    let at = facts.execution.steps.iter().position(|step| step.leg == Leg::Down).expect("a step");
    facts.execution.steps[at].exit = 1;
    assert_eq!(ground_at(&facts, "/exit").len(), 1);
    entry(&mut facts, Leg::Down).outcome = Outcome::DownFails;
    assert_eq!(ground_at(&facts, "/exit"), []);
}
