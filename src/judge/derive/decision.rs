//! `production-decision-packet.json`: HOLD, what it rests on, and what it is not (R01 to R13, R54 to R57).

use super::Draft;
use crate::digest::Digest;
use crate::evidence::Facts;
use crate::evidence::decision::DECISION_SCHEMA;
use crate::packet::document::{
    Boundary, DecisionPacket, FinalStatus, Flag, Flags, Hold, HoldState, MacroRef, PacketScope,
    ProductionDecision, ProductionState, Publication, Subject, SurfaceProof, SurfaceStatus,
};
use crate::packet::{EXECUTION, SURFACES};
use crate::policy::Policy;
use crate::verdict::Code;

/// What a packet is about (R02).
const SUBJECT_KIND: &str = "rollback + CI resolution";

/// The document.
pub(super) fn packet(draft: &Draft<'_>, surfaces: &SurfaceProof) -> DecisionPacket {
    let (facts, policy) = (draft.facts, draft.policy);
    let spec = &facts.plan.spec;
    let derived_from = draft.derived_from();
    let ready = derived_from.iter().all(|document| document.held);
    DecisionPacket {
        schema: DECISION_SCHEMA.into(),
        packet: subject(facts),
        kb: spec.kb.clone(),
        macro_: MacroRef {
            id: spec.macro_.id.clone(),
            sha256: facts.plan.file_digest(&spec.macro_.file).unwrap_or(Digest::ZERO),
        },
        delegated_decision: policy.decision().to_owned(),
        revision: facts.plan.decision.revision.saturating_add(1),
        prev: facts.plan.decision.sha256,
        decision: ProductionDecision::HoldProduction,
        production_state: ProductionState::Hold,
        authorizes: Vec::new(),
        hold: Hold { state: HoldState::HoldProduction, default: true },
        flags: flags(draft, surfaces),
        final_status: if ready { FinalStatus::Ready } else { FinalStatus::NotShown },
        derived_from,
        boundary: boundary(policy),
        publication: Publication {
            path: publication_path(&spec.date),
            from_packet: facts.lock.clone_id.clone(),
        },
    }
}

/// The path in the knowledge hub (R57).
fn publication_path(date: &str) -> String {
    format!(
        "knowledge/dev/reports/architecture/fix7-p0-production-rehearsal-only-rollback-packet-{date}/README.md"
    )
}

fn subject(facts: &Facts) -> Subject {
    Subject {
        name: facts.plan.spec.name.clone(),
        kind: SUBJECT_KIND.into(),
        scope: PacketScope::RehearsalOnly,
        date: facts.plan.spec.date.clone(),
        clone_id: facts.lock.clone_id.clone(),
    }
}

fn boundary(policy: &Policy) -> Boundary {
    let text = policy.boundary().text();
    let sha256 = Digest::of(text.as_bytes());
    Boundary { text, sha256, not_authorized: policy.boundary().not_authorized.clone() }
}

/// Each flag with the place that shows it: the source's digest at the end, or the surface of its name.
fn flags(draft: &Draft<'_>, surfaces: &SurfaceProof) -> Flags {
    let surface = |id: &str| {
        let at = surfaces.surfaces.iter().position(|surface| surface.id == id);
        let shown = at.is_some_and(|at| surfaces.surfaces[at].status != SurfaceStatus::NotProven);
        let pointer = at.map_or("#/surfaces".to_owned(), |at| format!("#/surfaces/{at}"));
        Flag { value: false, shown, evidence: format!("{SURFACES}{pointer}") }
    };
    let touched = |code: &Code| matches!(code, Code::SourceChanged | Code::IsolationNotProven);
    let untouched = !draft.judgement.whole.reasons().iter().any(|reason| touched(&reason.code));
    Flags {
        production_mutation: Flag {
            value: false,
            shown: untouched,
            evidence: format!("{EXECUTION}#/source_at_end"),
        },
        real_run: surface("REAL_RUN"),
        qt001: surface("QT001/apply"),
        cutover: surface("cutover"),
        production_ci_trigger: surface("CI/deploy"),
        deploy_trigger: surface("CI/deploy"),
        secrets_change: surface("secrets"),
    }
}

/// For the probe `production-PASS-from-rehearsal`: what this rehearsal is about, and the same [`lifted`].
pub fn lifted_decision(facts: &Facts) -> (Vec<u8>, Vec<u8>) {
    let document = serde_json::json!({ "packet": subject(facts), "final_status": FinalStatus::Ready });
    let bytes = crate::canon::to_vec(&document).unwrap_or_default();
    let lifted = lifted(&bytes).unwrap_or_default();
    (bytes, lifted)
}

/// A decision document with its scope and its status lifted out of the rehearsal: bad input, made to be refused.
pub fn lifted(decision: &[u8]) -> Option<Vec<u8>> {
    let mut document: serde_json::Value = crate::canon::from_slice(decision).ok()?;
    *document.pointer_mut("/packet/scope")? = "PRODUCTION".into();
    *document.pointer_mut("/final_status")? = "LIFTED".into();
    crate::canon::to_vec(&document).ok()
}
