//! The hardened validator: is this evidence a proof of rollback?
//!
//! Owns: the rules of every entry and of the evidence as a whole, and the selftest. Must not: read a
//! database: it sees digests, and decides by them alone. It is part of the executable that rehearses, so its
//! identity is the executable's digest, which the policy pins (R28).
//!
//! ```text
//! ground    lock, clone, source, steps and isolation belong together        LOCK_ CLONE_ SOURCE_ ISOLATION_…
//! entries   rollback: changed, then restored    invariant: exit == before   NO_MUTATION NOT_RESTORED …
//! whole     every leg once, at least two rollback entries proven            LEG_MISSING ROLLBACK_PROOF_MISSING
//! ```

mod entry;
mod ground;
mod selftest;

pub use entry::{bytes_demanded, judge_entry};
pub use selftest::{Vector, selftest, vectors};

use std::fmt::{self, Write as _};

use crate::evidence::entry::{Algorithms, ROLLBACK_SCHEMA};
use crate::evidence::{Facts, Kind, Leg, Outcome};
use crate::packet::{EXECUTION, LOCK, ROLLBACK};
use crate::policy::Policy;
use crate::verdict::{Code, Reason, Verdict};

/// Most characters of a text from the evidence that a reason repeats.
const MAX_NAMED: usize = 80;

/// What the validator says of one rehearsal.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict on each entry, in the evidence's order.
    pub entries: Vec<EntryJudgement>,
    /// The verdict on the evidence as a whole.
    pub whole: Verdict,
}

/// The verdict on one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryJudgement {
    /// The leg.
    pub leg: Leg,
    /// What it proves.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// What speaks against it.
    pub verdict: Verdict,
}

impl EntryJudgement {
    /// Whether this entry shows a rollback: a leg that was not run shows nothing, even where it need not run.
    pub fn proves_rollback(&self) -> bool {
        self.kind == Kind::Rollback && self.outcome == Outcome::Exact && self.verdict.accepted()
    }

    /// Whether this entry shows what its leg is for.
    pub fn holds(&self) -> bool {
        matches!(self.outcome, Outcome::Exact | Outcome::Held) && self.verdict.accepted()
    }
}

impl Judgement {
    /// Every reason, the whole's first.
    pub fn verdict(&self) -> Verdict {
        let mut all = self.whole.clone();
        self.entries.iter().for_each(|entry| all.merge(entry.verdict.clone()));
        all
    }

    /// Whether nothing speaks against the evidence.
    pub fn accepted(&self) -> bool {
        self.whole.accepted() && self.entries.iter().all(|entry| entry.verdict.accepted())
    }

    /// Whether the leg is there and holds.
    pub fn holds(&self, leg: Leg) -> bool {
        let mut entries = self.entries.iter().filter(|entry| entry.leg == leg);
        matches!((entries.next(), entries.next()), (Some(entry), None) if entry.holds())
    }
}

/// Judges the evidence of one rehearsal.
///
/// ```
/// use fix7_ledger::judge::{specimen, validator};
/// use fix7_ledger::verdict::Code;
/// let policy = specimen::policy();
/// let mut facts = specimen::facts();
/// assert!(validator::judge(&facts, &policy).accepted());
/// facts.rollback.entries[1].after_apply_hash = facts.rollback.entries[1].before_hash;
/// assert!(validator::judge(&facts, &policy).verdict().has(Code::NoMutation));
/// ```
pub fn judge(facts: &Facts, policy: &Policy) -> Judgement {
    let entries: Vec<EntryJudgement> = (facts.rollback.entries.iter().enumerate())
        .map(|(n, entry)| EntryJudgement {
            leg: entry.leg,
            kind: entry.kind,
            outcome: entry.outcome,
            verdict: judge_entry(n, entry, facts, policy),
        })
        .collect();
    let mut whole = ground::judge(facts, policy);
    whole.merge(names(facts));
    whole.merge(legs(facts, policy, &entries));
    Judgement { entries, whole }
}

/// Schema and algorithm names: digests of two definitions are never compared (R24).
fn names(facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    let algorithms = &facts.rollback.algorithms;
    let defined = Algorithms::of(facts.lock.engine.name);
    for (object, expected, found) in [
        (format!("{LOCK}#/schema"), crate::evidence::lock::LOCK_SCHEMA, &facts.lock.schema),
        (
            format!("{EXECUTION}#/schema"),
            crate::evidence::execution::EXECUTION_SCHEMA,
            &facts.execution.schema,
        ),
        (format!("{ROLLBACK}#/schema"), ROLLBACK_SCHEMA, &facts.rollback.schema),
        (format!("{ROLLBACK}#/algorithms/rows"), &defined.rows, &algorithms.rows),
        (format!("{ROLLBACK}#/algorithms/bytes"), &defined.bytes, &algorithms.bytes),
    ] {
        verdict.require(expected == found, || {
            Reason::new(Code::Malformed, object).values(expected, named(found))
        });
    }
    verdict
}

/// Every leg that the policy names, each once, in the order run; enough rollbacks proven (R25).
fn legs(facts: &Facts, policy: &Policy, entries: &[EntryJudgement]) -> Verdict {
    let mut verdict = Verdict::default();
    let rules = policy.legs();
    let with_script: &[String] = match facts.plan.rollback {
        Some(_) => &rules.required_with_rollback_script,
        None => &[],
    };
    for name in rules.required.iter().chain(with_script) {
        let found = entries.iter().filter(|entry| entry.leg.name() == name).count();
        verdict.require(found >= 1, || {
            Reason::new(Code::LegMissing, format_args!("{ROLLBACK}: {name}")).values("one entry", "none")
        });
    }
    let rising = entries.windows(2).all(|two| two[0].leg < two[1].leg);
    verdict.require(rising, || {
        Reason::new(Code::LegMissing, format_args!("{ROLLBACK}#/entries"))
            .values("each leg once, in the order run", "another order, or a leg twice")
    });
    let proven = entries.iter().filter(|entry| entry.proves_rollback()).count() as u64;
    // An entry that is refused has said why already: this rule is about evidence that is too thin.
    let refused = entries.iter().any(|entry| !entry.verdict.accepted());
    verdict.require(refused || proven >= rules.min_rollback_entries, || {
        Reason::new(Code::RollbackProofMissing, format_args!("{ROLLBACK}#/entries"))
            .values(format_args!("at least {} rollbacks", rules.min_rollback_entries), proven)
    });
    if facts.rollback.nondeterministic {
        verdict.push(
            Reason::new(Code::RollbackProofMissing, format_args!("{ROLLBACK}#/nondeterministic")).found(
                "the change gives another state each time, so no digest of its effect can be repeated",
            ),
        );
    }
    verdict
}

/// Text from the evidence, for a reason: escaped and cut, since evidence may be hostile.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaped = self.0.chars().take(MAX_NAMED).flat_map(char::escape_default);
        escaped.try_for_each(|c| f.write_char(c))
    }
}

fn named(text: &str) -> Named<'_> {
    Named(text)
}

/// Texts from the evidence in one, as [`named`].
struct Joined<'a>(&'a [String]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(&self.0.join(" ")).fmt(f)
    }
}

fn joined(texts: &[String]) -> Joined<'_> {
    Joined(texts)
}

#[cfg(test)]
mod tests;
