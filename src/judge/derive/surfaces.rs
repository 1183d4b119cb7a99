//! `forbidden-surface-proof.json`: each surface that the policy names, untouched or not requested (R50).

use super::Draft;
use crate::packet::document::{SURFACES_SCHEMA, Surface, SurfaceProof, SurfaceStatus};
use crate::packet::{EXECUTION, LOCK, PLAN_FOLDER};
use crate::policy::SurfaceKind;
use crate::verdict::{Reason, Verdict};

/// The document. `asked` is what the request check says of the plan.
pub(super) fn proof(draft: &Draft<'_>, asked: &Verdict) -> SurfaceProof {
    let one = |surface: &crate::policy::Surface| match surface.kind {
        SurfaceKind::Contact => contact(draft, surface),
        SurfaceKind::Request => requested(draft, surface, asked),
    };
    let surfaces: Vec<Surface> = draft.policy.surfaces().iter().map(one).collect();
    let count = |status| surfaces.iter().filter(|surface| surface.status == status).count() as u64;
    SurfaceProof {
        schema: SURFACES_SCHEMA.into(),
        total: surfaces.len() as u64,
        untouched: count(SurfaceStatus::Untouched),
        not_requested: count(SurfaceStatus::NotRequested),
        surfaces,
    }
}

/// A contact rests on the isolation proof at the end: its probes, and the listeners' counters.
fn contact(draft: &Draft<'_>, surface: &crate::policy::Surface) -> Surface {
    let end = &draft.facts.execution.isolation_at_end;
    let start = draft.facts.lock.isolation.contacts.each();
    let contact = end.contacts.each().into_iter().find(|(name, _)| *name == surface.id);
    let reasons: Vec<Reason> = (draft.judgement.whole.reasons().iter())
        .filter(|reason| reason.code == crate::verdict::Code::IsolationNotProven)
        .cloned()
        .collect();
    let accepted = contact.map_or(0, |(_, c)| u64::from(c.accepted))
        + start
            .iter()
            .filter(|(name, _)| *name == surface.id)
            .map(|(_, c)| u64::from(c.accepted))
            .sum::<u64>();
    let probes = contact.map(|(_, c)| c.proof.clone()).unwrap_or_default();
    let untouched = reasons.is_empty() && !probes.is_empty() && accepted == 0;
    Surface {
        id: surface.id.clone(),
        status: if untouched { SurfaceStatus::Untouched } else { SurfaceStatus::NotProven },
        proof_ref: format!("{EXECUTION}#/isolation_at_end/contacts/{}", surface.id),
        proof_sha256: draft.digest(EXECUTION),
        probes,
        accepted,
        reasons,
    }
}

/// A request rests on the request check, which anybody can repeat on the plan that the lock names by its digest.
fn requested(draft: &Draft<'_>, surface: &crate::policy::Surface, asked: &Verdict) -> Surface {
    let reasons: Vec<Reason> =
        asked.reasons().iter().filter(|reason| reason.code == surface.reason).cloned().collect();
    let free = reasons.is_empty();
    Surface {
        id: surface.id.clone(),
        status: if free { SurfaceStatus::NotRequested } else { SurfaceStatus::NotProven },
        proof_ref: format!("{LOCK}#/plan and the request check over {PLAN_FOLDER}"),
        proof_sha256: draft.digest(LOCK),
        probes: Vec::new(),
        accepted: 0,
        reasons,
    }
}
