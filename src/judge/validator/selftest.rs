//! The selftest: vectors that are known to be good or bad, judged by the very function that judges evidence (R26).
//!
//! A validator that refuses everything would look strict, one that accepts everything would look calm: so both
//! sides are counted, and each bad vector must be refused for its own reason and no other.

use std::sync::OnceLock;

use super::judge;
use crate::digest::Digest;
use crate::evidence::isolation::Level;
use crate::evidence::{Facts, Leg, Outcome, Plan};
use crate::judge::specimen;
use crate::packet::document::Selftest;
use crate::verdict::{Code, Verdict};

/// One vector.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What it is.
    pub name: &'static str,
    /// The evidence.
    pub facts: Facts,
    /// The one code that it must be refused for; none for a good vector.
    pub expected: Option<Code>,
}

/// Runs every vector. It depends on nothing but the program, so it is run once.
pub fn selftest() -> &'static Selftest {
    static RESULT: OnceLock<Selftest> = OnceLock::new();
    RESULT.get_or_init(|| {
        let policy = specimen::policy();
        let mut result = Selftest { good: 0, bad: 0, misjudged: Vec::new() };
        for vector in vectors() {
            let verdict = judge(&vector.facts, &policy).verdict();
            match (is_right(&verdict, vector.expected), vector.expected) {
                (false, _) => result.misjudged.push(vector.name.to_owned()),
                (true, None) => result.good += 1,
                (true, Some(_)) => result.bad += 1,
            }
        }
        result
    })
}

/// Whether a verdict is the one that a vector expects: refused for its own reason and no other.
fn is_right(verdict: &Verdict, expected: Option<Code>) -> bool {
    match expected {
        None => verdict.accepted(),
        Some(code) => !verdict.accepted() && verdict.reasons().iter().all(|r| r.code == code),
    }
}

/// Every vector: the good ones first.
pub fn vectors() -> Vec<Vector> {
    let policy = specimen::policy();
    let good = |name, facts| Vector { name, facts, expected: None };
    let whole = specimen::facts();
    let mut all = vec![
        good("every leg", whole.clone()),
        good("isolation level 2", specimen::facts_of(&policy, specimen::template_plan(), Level::Two)),
        good(
            "a plan without a rollback script",
            specimen::facts_of(&policy, plan_without("[rollback]"), Level::Three),
        ),
        good("a plan outside of a transaction", outside_of_a_transaction()),
    ];
    all.extend(BAD.iter().map(|(name, code, spoil)| {
        let mut facts = whole.clone();
        spoil(&mut facts);
        Vector { name, facts, expected: Some(*code) }
    }));
    all
}

type Spoil = fn(&mut Facts);

/// What each bad vector spoils, and the code that says so.
const BAD: &[(&str, Code, Spoil)] = &[
    ("no entries' digests", Code::RollbackProofMissing, |f| {
        for leg in [Leg::Transaction, Leg::Snapshot, Leg::Down] {
            entry(f, leg).after_apply_hash = None;
            entry(f, leg).after_rollback_hash = None;
        }
    }),
    ("no mutation in the transaction", Code::NoMutation, |f| {
        let e = entry(f, Leg::Transaction);
        e.after_apply_hash = e.before_hash;
    }),
    ("no mutation of the bytes: hidden in a write-ahead log", Code::NoMutation, |f| {
        let e = entry(f, Leg::Snapshot);
        let before = e.before_hash.and_then(|h| h.bytes);
        if let Some(apply) = &mut e.after_apply_hash {
            apply.bytes = before;
        }
    }),
    ("rows not restored", Code::NotRestored, |f| rows(&mut entry(f, Leg::Down).after_rollback_hash)),
    ("bytes not restored", Code::NotRestored, |f| bytes(&mut entry(f, Leg::Snapshot).after_rollback_hash)),
    ("a rollback script that fails", Code::NotRestored, |f| entry(f, Leg::Down).outcome = Outcome::DownFails),
    ("a digest of zeros", Code::RollbackProofMissing, |f| {
        if let Some(apply) = &mut entry(f, Leg::Down).after_apply_hash {
            apply.rows = Digest::ZERO;
        }
    }),
    ("read-only that changed something", Code::InvariantBroken, |f| {
        rows(&mut entry(f, Leg::ReadOnly).exit_hash)
    }),
    ("a second application that differs", Code::InvariantBroken, |f| {
        rows(&mut entry(f, Leg::Reapply).exit_hash)
    }),
    ("a leg that is missing", Code::LegMissing, |f| f.rollback.entries.retain(|e| e.leg != Leg::ReadOnly)),
    ("a leg that stands twice", Code::LegMissing, |f| {
        let e = f.rollback.entries[0].clone();
        f.rollback.entries.insert(0, e);
    }),
    ("an entry of another clone", Code::CloneMismatch, |f| {
        entry(f, Leg::Down).clone_id = "clone-0000000000000000".into();
    }),
    ("a step with another target", Code::CloneMismatch, |f| f.execution.steps[0].target_id = "other".into()),
    ("evidence that quotes another lock", Code::LockMismatch, |f| f.rollback.lock = Digest::of(b"other")),
    ("a transaction that was committed", Code::RollbackProofMissing, |f| {
        if let Some(facts) = &mut entry(f, Leg::Transaction).transaction {
            facts.stayed_open = false;
        }
    }),
    ("a log left beside the restored database", Code::NotRestored, |f| {
        if let Some(facts) = &mut entry(f, Leg::Snapshot).snapshot {
            facts.sidecars_left.push("clone.db-wal".into());
        }
    }),
    ("an executable that changed", Code::ExecutorNotPinned, |f| {
        if let Some(facts) = &mut entry(f, Leg::Executor).executor {
            facts.after = Digest::of(b"one flipped bit");
        }
    }),
    ("a damaged clone", Code::IntegrityBroken, |f| {
        if let Some(facts) = &mut entry(f, Leg::Executor).executor {
            facts.integrity_at_exit = "row 1 missing from index i".into();
        }
    }),
    ("a source that changed", Code::SourceChanged, |f| f.execution.source_at_end = Digest::of(b"other")),
    ("an isolation that was reached through", Code::IsolationNotProven, |f| {
        f.execution.isolation_at_end.counters.tcp = 1;
    }),
];

fn entry(facts: &mut Facts, leg: Leg) -> &mut crate::evidence::entry::Entry {
    let entries = &mut facts.rollback.entries;
    let at = entries.iter().position(|e| e.leg == leg).expect("the specimen has every leg");
    &mut entries[at]
}

fn rows(hashes: &mut Option<crate::evidence::Hashes>) {
    if let Some(hashes) = hashes {
        hashes.rows = Digest::of(b"other rows");
    }
}

fn bytes(hashes: &mut Option<crate::evidence::Hashes>) {
    if let Some(hashes) = hashes {
        hashes.bytes = Some(Digest::of(b"other bytes"));
    }
}

/// The template without its rollback script.
fn plan_without(section: &str) -> Plan {
    let mut files = Plan::template();
    files.remove("down.sql");
    let toml = files["plan.toml"].replace(&format!("{section}\nfile = \"down.sql\""), "");
    files.insert("plan.toml".into(), toml);
    parsed(files)
}

/// A change that its plan does not wrap in a transaction: that leg need not run, two others prove.
fn outside_of_a_transaction() -> Facts {
    let mut files = Plan::template();
    let toml = files["plan.toml"].replace("transaction = true", "transaction = false");
    files.insert("plan.toml".into(), toml);
    let mut facts = specimen::facts_of(&specimen::policy(), parsed(files), Level::Three);
    let e = entry(&mut facts, Leg::Transaction);
    e.outcome = Outcome::NotApplicable;
    (e.before_hash, e.after_apply_hash, e.after_rollback_hash) = (None, None, None);
    (e.transaction, e.rows_changed) = (None, 0);
    facts
}

fn parsed(files: std::collections::BTreeMap<String, String>) -> Plan {
    let files = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    Plan::parse(files).expect("a test holds the template's variants valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r26_every_vector_is_judged_rightly() {
        let result = selftest();
        assert_eq!(result.misjudged, Vec::<String>::new());
        assert_eq!((result.good, result.bad), (4, BAD.len() as u64));
    }

    #[test]
    fn r26_a_vector_is_judged_rightly_for_its_own_reason_alone() {
        use crate::verdict::Reason;
        let of = |codes: &[Code]| codes.iter().map(|code| Reason::new(*code, "x")).collect::<Verdict>();
        let own = Some(Code::NoMutation);
        assert!(is_right(&of(&[Code::NoMutation]), own) && is_right(&of(&[]), None));
        assert!(!is_right(&of(&[]), own) && !is_right(&of(&[Code::NoMutation]), None));
        assert!(!is_right(&of(&[Code::NoMutation, Code::LegMissing]), own));
    }
}
