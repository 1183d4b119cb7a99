//! `updated-production-blocker-map.json`: the previous map, with what this rehearsal proves (R45 to R49).

use super::Draft;
use crate::evidence::blockers::{BlockerLeg, BlockerMap, CLONE_LEG, DUMP_LEG, LegState, ROLLBACK_BLOCKER};
use crate::evidence::plan::BLOCKERS_FILE;
use crate::packet::ROLLBACK;

/// The document: every blocker of the previous map, in its order and state. A clone proves one leg of one blocker,
/// a clone of an operator's dump another, and neither closes anything: a need is met by a signed entry alone.
pub(super) fn map(draft: &Draft<'_>) -> BlockerMap {
    let plan = &draft.facts.plan;
    let mut map = plan.blockers.clone();
    map.prev = plan.file_digest(BLOCKERS_FILE);
    let proven = draft.judgement.accepted().then(|| draft.digest(ROLLBACK));
    for blocker in map.blockers.iter_mut().filter(|blocker| blocker.id == ROLLBACK_BLOCKER) {
        for leg in blocker.legs.iter_mut().filter(|leg| leg.name == CLONE_LEG) {
            leg.state = if proven.is_some() { LegState::Proven } else { LegState::Open };
            leg.evidence_sha256 = proven;
        }
        // As every derived leg it is this packet's word: what an earlier packet proved stands in that one.
        let had = blocker.legs.iter().any(|leg| leg.name == DUMP_LEG);
        blocker.legs.retain(|leg| leg.name != DUMP_LEG);
        let proven = proven.filter(|_| draft.facts.lock.source.dump.is_some());
        if had || proven.is_some() {
            let state = if proven.is_some() { LegState::Proven } else { LegState::Open };
            blocker.legs.push(BlockerLeg { name: DUMP_LEG.to_owned(), state, evidence_sha256: proven });
        }
    }
    map.open_count = map.counted_open();
    map
}
