//! What a packet's blocker map says, as far as the ledger must know it.
//!
//! Owns: reading a map into what it claims. Must not: decide whether a claim may stand: what the owners decided, and so what
//! a map may say, is the ledger's state ([`State::map_holds`]). Where there is no ledger, nothing was decided.

use super::packet::packet_facts;
use crate::canon;
use crate::digest::Digest;
use crate::evidence::blockers::{
    Blocker, BlockerMap, BlockerState, CLONE_LEG, DUMP_LEG, LegState, NeedState, Owner, ROLLBACK_BLOCKER,
};
use crate::packet::{BLOCKERS, Files};
use crate::state::{BlockerClaim, BlockerFacts, BlockerShape, State};
use crate::statement::BlockerAction;
use crate::verdict::Verdict;

/// What the ledger must know of a map with this digest.
pub(super) fn facts(map: &BlockerMap, digest: Digest) -> BlockerFacts {
    let open = map.blockers.iter().filter(|b| b.state == BlockerState::Open).map(|b| b.id.clone());
    // What serde writes is the canonical form's input; a map that cannot be written has no bare form.
    let bare = canon::to_vec(&map.bare()).map_or(Digest::ZERO, |bytes| Digest::of(&bytes));
    BlockerFacts {
        map: digest,
        bare,
        previous: map.prev,
        open: open.collect(),
        shapes: map.blockers.iter().map(|blocker| (blocker.id.clone(), shape(blocker))).collect(),
        claims: map.blockers.iter().flat_map(claims).collect(),
    }
}

/// What a packet's map claims beyond what the owners decided by this state; where no ledger is known, nobody decided
/// anything. Whether the map continues the ledger's, [`super::continuity`] asks.
pub fn overclaimed(state: Option<&State>, files: &Files) -> Verdict {
    // A map that cannot be read is the packet's fault, and named there.
    let Some(map) = packet_facts(files).ok().and_then(|facts| facts.blockers) else {
        return Verdict::default();
    };
    let place = format!("{BLOCKERS}: ");
    match state {
        Some(state) => state.map_claims(&map, &place),
        None => State::default().map_claims(&map, &place),
    }
}

fn shape(blocker: &Blocker) -> BlockerShape {
    BlockerShape {
        legs: blocker.legs.iter().map(|leg| leg.name.clone()).collect(),
        needs: blocker.needs.iter().map(|need| need.id.clone()).collect(),
        operator: blocker.owners.contains(&Owner::Operator),
    }
}

/// What a blocker is said to be beside open, but for the legs that the packet proves by itself: those are derived again.
fn claims(blocker: &Blocker) -> Vec<BlockerClaim> {
    let claim = |action, part: Option<&String>, quotes| {
        let (blocker, part) = (blocker.id.clone(), part.cloned());
        BlockerClaim { blocker, action, part, quotes }
    };
    let derived = |name: &str| blocker.id == ROLLBACK_BLOCKER && [CLONE_LEG, DUMP_LEG].contains(&name);
    let legs = blocker.legs.iter().filter(|leg| leg.state == LegState::Proven && !derived(&leg.name));
    let needs = blocker.needs.iter().filter(|need| need.state == NeedState::Met);
    let closed =
        (blocker.state == BlockerState::Closed).then(|| claim(BlockerAction::Close, None, blocker.closed_by));
    legs.map(|leg| claim(BlockerAction::Prove, Some(&leg.name), leg.evidence_sha256))
        .chain(needs.map(|need| claim(BlockerAction::Meet, Some(&need.id), need.met_by)))
        .chain(closed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::specimen;

    #[test]
    fn what_the_ledger_knows_of_a_map_is_what_it_says() {
        let map = specimen::template_plan().blockers;
        let known = facts(&map, Digest::of(b"map"));
        let open = |known: &BlockerFacts| known.open.iter().cloned().collect::<Vec<_>>();
        let ids: Vec<_> = map.blockers.iter().map(|blocker| blocker.id.clone()).collect();
        assert_eq!(open(&known).len(), ids.len());
        for blocker in &map.blockers {
            let (_, shape) = known.shapes.iter().find(|(id, _)| **id == blocker.id).expect("a shape");
            assert_eq!(shape.legs, blocker.legs.iter().map(|leg| leg.name.clone()).collect());
            assert_eq!(shape.needs, blocker.needs.iter().map(|need| need.id.clone()).collect());
            assert_eq!(shape.operator, blocker.owners.contains(&Owner::Operator));
        }
        assert!(known.shapes.iter().any(|(_, shape)| !shape.needs.is_empty() || !shape.legs.is_empty()));
        let mut closed = map;
        closed.blockers[0].state = BlockerState::Closed;
        assert!(!open(&facts(&closed, Digest::of(b"map"))).contains(&closed.blockers[0].id));
    }
}
