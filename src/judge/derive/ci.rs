//! `ci-unknown-resolution.json`: the one unknown, classified and still unknown (R11, R42 to R44).

use super::Draft;
use crate::digest::Digest;
use crate::evidence::blockers::BlockerState;
use crate::evidence::plan::CI_FILE;
use crate::packet::EXECUTION;
use crate::packet::document::{CI_RESOLUTION_SCHEMA, CiResolution};

/// The document; none where the plan's list has no unknown item, which its reader refuses.
pub(super) fn resolution(draft: &Draft<'_>) -> Option<CiResolution> {
    let (plan, execution) = (&draft.facts.plan, &draft.facts.execution);
    let (item, class) = plan.ci.unknown()?;
    let blocker = plan.blockers.blocker(&class.blocker_id)?;
    let elsewhere = execution.steps.iter().filter(|step| step.target_id != execution.clone_id).count();
    Some(CiResolution {
        schema: CI_RESOLUTION_SCHEMA.into(),
        items_sha256: plan.file_digest(CI_FILE).unwrap_or(Digest::ZERO),
        unknown_count_before: plan.ci.unknown_count(),
        unknown_count_after: plan.ci.unknown_count(),
        item: item.id.clone(),
        class: class.class,
        reason: class.reason,
        inspected: class.inspected.clone(),
        blocker_id: blocker.id.clone(),
        blocker_state: BlockerState::Open,
        owners: class.owners.clone(),
        next: class.next,
        gate_sha256: class.gate_sha256,
        affects_clone_rehearsal: elsewhere > 0,
        why: format!(
            "{EXECUTION}#/steps: {} steps, {elsewhere} with another target than the clone",
            execution.steps.len()
        ),
    })
}
