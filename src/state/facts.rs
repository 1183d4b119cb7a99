//! What the ledger's rules need to know of a packet. Whoever reads packets fills it in.

use std::collections::{BTreeMap, BTreeSet};

use super::{BlockerClaim, BlockerShape};
use crate::digest::Digest;

/// The facts of a packet that grants and blockers are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFacts {
    /// Digest of the source's file set.
    pub source: Digest,
    /// Digest of the plan.
    pub plan: Digest,
    /// Digest of the executable that rehearsed.
    pub executable: Digest,
    /// Digest of the packet's HASH_MANIFEST.txt.
    pub packet_tree: Digest,
    /// Digest of the policy that the packet was made under.
    pub policy: Digest,
    /// Whether the source is an operator's dump.
    pub dump: bool,
    /// The blocker map, where the packet has one.
    pub blockers: Option<BlockerFacts>,
}

/// A blocker map, as far as the next one depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockerFacts {
    /// Digest of `updated-production-blocker-map.json`.
    pub map: Digest,
    /// Digest of the map that it continues.
    pub previous: Option<Digest>,
    /// Digest of what it is beside what it claims ([`crate::evidence::blockers::BlockerMap::bare`]).
    pub bare: Digest,
    /// The ids of its open blockers.
    pub open: BTreeSet<String>,
    /// What each of its blockers consists of, by id.
    pub shapes: BTreeMap<String, BlockerShape>,
    /// What it says to be closed, met or proven, but for what the packet proves by itself.
    pub claims: Vec<BlockerClaim>,
}
