//! The result that a statement claims of its packet, and the evidence of a failed rollback.
//!
//! Owns: which packet may be recorded as what. A failing rehearsal is recorded like a good one, so that nobody is tempted
//! to leave it out; it proves nothing, and no word of it can be taken for a proof. Must not: judge an entry itself.

use super::validator::Judgement;
use crate::packet::document::FinalStatus;
use crate::statement::{Claim, Outcome, Statement};
use crate::verdict::{Code, Reason, Verdict};

/// Whether the statement says that the rollback did not restore the clone.
pub(super) fn is_claimed(statement: &Statement) -> bool {
    match statement.claim() {
        Claim::Rehearsal(rehearsal) | Claim::Rerun(rehearsal) => {
            rehearsal.result == Outcome::RollbackNotExact
        }
        _ => false,
    }
}

/// What speaks against evidence of a failure: that there is none. The failed leg's own reasons, and the proof that is
/// missing for that, are what is recorded; every other reason stands as ever.
pub(super) fn faults(judgement: &Judgement) -> Verdict {
    const SHOWN: [Code; 4] =
        [Code::NotRestored, Code::InvariantBroken, Code::RollbackProofMissing, Code::LegMissing];
    let all = judgement.verdict();
    let shown = judgement.entries.iter().any(|entry| entry.verdict.has(Code::NotRestored));
    let mut verdict: Verdict = all.reasons().iter().filter(|r| !SHOWN.contains(&r.code)).cloned().collect();
    verdict.require(shown, || {
        Reason::new(Code::ScopeLift, "statement result")
            .values("a leg that did not restore the clone", "none")
    });
    verdict
}

/// The statement's result is what the packet derives: nothing can be claimed of a packet that is not READY.
pub(super) fn claimed(statement: &Statement, status: FinalStatus) -> Verdict {
    let mut verdict = Verdict::default();
    if let Claim::Rehearsal(rehearsal) | Claim::Rerun(rehearsal) = statement.claim() {
        let holds = match rehearsal.result {
            Outcome::RollbackExact => status == FinalStatus::Ready,
            Outcome::RollbackNotExact => status != FinalStatus::Ready,
        };
        verdict.require(holds, || {
            let packet = format_args!("a packet that is {}", status.name()).to_string();
            Reason::new(Code::ScopeLift, "statement result").values(packet, rehearsal.result.name())
        });
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{specimen, validator};

    #[test]
    fn a_failure_is_recorded_where_there_is_one_and_excuses_nothing_else() {
        let mut facts = specimen::facts();
        let told = |facts: &crate::evidence::Facts| faults(&validator::judge(facts, &specimen::policy()));
        assert!(told(&facts).has(Code::ScopeLift), "no leg failed");
        let entry = &mut facts.rollback.entries[1];
        let changed = entry.after_apply_hash.expect("an applied change").rows;
        entry.after_rollback_hash.as_mut().expect("a rollback").rows = changed;
        assert_eq!(told(&facts).reasons(), []);
        facts.execution.source_directory_unchanged = false;
        assert!(told(&facts).has(Code::SourceChanged));
    }
}
