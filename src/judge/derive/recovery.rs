//! `rollback-recovery-proof.json`: what the rollback entries show, step by step of the documented pattern.

use super::Draft;
use super::validator::ruling;
use crate::canon;
use crate::digest::Digest;
use crate::evidence::entry::Entry;
use crate::evidence::{EngineName, Kind, Leg, Outcome};
use crate::judge::probes;
use crate::judge::validator::bytes_demanded;
use crate::packet::document::{
    Claims, EntryProof, Fabricated, PatternProof, Proven, RECOVERY_SCHEMA, RecoveryProof, Ruling, StepProof,
};
use crate::packet::{PLAN_FOLDER, ROLLBACK};
use crate::verdict::Code;

/// The document.
pub(super) fn proof(draft: &Draft<'_>) -> RecoveryProof {
    let facts = draft.facts;
    let entries: Vec<EntryProof> = facts
        .rollback
        .entries
        .iter()
        .filter(|e| e.kind == Kind::Rollback)
        .map(|entry| entry_proof(draft.facts.lock.engine.name, entry))
        .collect();
    let ran: Vec<&EntryProof> = entries.iter().filter(|e| e.rows_restored != Proven::NotApplicable).collect();
    let every =
        |of: fn(&EntryProof) -> Proven| !ran.is_empty() && ran.iter().all(|e| of(e) != Proven::NotProven);
    let shown = every(|e| e.mutation) && draft.judgement.accepted();
    let document = &facts.plan.spec.pattern.document;
    let isolation = canon::to_vec(&facts.lock.isolation);
    RecoveryProof {
        schema: RECOVERY_SCHEMA.into(),
        clone_id: facts.lock.clone_id.clone(),
        evidence: draft.digest(ROLLBACK),
        isolation_ref: isolation.map_or(Digest::ZERO, |bytes| Digest::of(&bytes)),
        claims: Claims {
            byte_exact: shown && every(|e| e.bytes_restored),
            row_exact: shown && every(|e| e.rows_restored),
            rollback_script: facts.plan.rollback.is_some(),
        },
        entries,
        pattern: PatternProof {
            document: format!("{PLAN_FOLDER}{document}"),
            sha256: facts.plan.file_digest(document).unwrap_or(Digest::ZERO),
            steps: (facts.plan.pattern.iter())
                .map(|step| StepProof {
                    number: step.number,
                    text_sha256: Digest::of(step.text.as_bytes()),
                    leg: step.leg,
                    result: if draft.holds(step.leg) { Proven::Proven } else { Proven::NotProven },
                })
                .collect(),
        },
        fabricated: probes::fabricated(facts, draft.policy, draft.judgement)
            .map(|(leg, verdict)| {
                let mut reasons: Vec<Code> = verdict.reasons().iter().map(|reason| reason.code).collect();
                reasons.sort_unstable();
                reasons.dedup();
                let result = ruling(&verdict);
                Fabricated { id: "no-mutation".into(), leg, expected: Code::NoMutation, reasons, result }
            })
            .into_iter()
            .collect(),
    }
}

/// Whether rows and bytes are shown restored, each documented step's leg held, and the made-up entry was refused
/// for its own reason.
pub(super) fn holds(proof: &RecoveryProof) -> bool {
    let own = |f: &Fabricated| f.result == Ruling::Refused && f.reasons == [f.expected];
    let steps = &proof.pattern.steps;
    proof.claims.byte_exact
        && proof.claims.row_exact
        && !steps.is_empty()
        && steps.iter().all(|step| step.result == Proven::Proven)
        && !proof.fabricated.is_empty()
        && proof.fabricated.iter().all(own)
}

fn entry_proof(engine: EngineName, entry: &Entry) -> EntryProof {
    let leg: Leg = entry.leg;
    if matches!(entry.outcome, Outcome::NoDown | Outcome::NotApplicable) {
        let none = Proven::NotApplicable;
        return EntryProof { leg, mutation: none, rows_restored: none, bytes_restored: none };
    }
    let proven = |holds: bool| if holds { Proven::Proven } else { Proven::NotProven };
    let (before, apply, after) = (entry.before_hash, entry.after_apply_hash, entry.after_rollback_hash);
    let rows = before.map(|h| h.rows);
    let bytes = before.and_then(|h| h.bytes);
    EntryProof {
        leg,
        mutation: proven(rows.is_some() && apply.is_some_and(|h| Some(h.rows) != rows)),
        rows_restored: proven(rows.is_some() && after.map(|h| h.rows) == rows),
        bytes_restored: match bytes_demanded(engine, leg) {
            true => proven(bytes.is_some() && after.and_then(|h| h.bytes) == bytes),
            false => Proven::NotApplicable,
        },
    }
}
