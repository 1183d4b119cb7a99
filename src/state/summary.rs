//! The part of the state whose size does not grow with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::blockers::Blockers;
use super::numbers::Counter;
use super::stored_policy;
use crate::digest::Digest;
use crate::keys::{Fingerprint, PublicKey};
use crate::merkle::Frontier;
use crate::policy::Policy;
use crate::statement::{Label, Role};
use crate::time::Timestamp;

/// The part of the state whose size does not grow with the ledger: what every verb reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub(super) ledger: Option<Ledger>,
    pub(super) keys: BTreeMap<Fingerprint, KeyRecord>,
    #[serde(with = "stored_policy")]
    pub(super) policy: Option<Policy>,
    pub(super) policy_since: u64,
    pub(super) blockers: Blockers,
    pub(super) counts: Counts,
    pub(super) counters: BTreeMap<Fingerprint, Counter>,
    pub(super) begins: BTreeMap<Digest, OpenBegin>,
    pub(super) suspects: BTreeMap<u64, Suspect>,
    pub(super) frontier: Frontier,
    pub(super) last: Option<Last>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Grants.
    pub grants: u64,
    /// Grants that a rehearsal consumed.
    pub spent_grants: u64,
    /// Grants that the owners revoked.
    pub void_grants: u64,
    /// Rehearsals.
    pub rehearsals: u64,
    /// Reruns by others than the rehearsal's operator, suspect ones too: each person once a rehearsal.
    pub independent_reruns: u64,
}

/// A rehearsal that was begun, and neither recorded nor voided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenBegin {
    /// Where the begin stands.
    pub seq: u64,
    /// Its name.
    pub id: Label,
    /// Who began.
    pub operator: Fingerprint,
    /// With which grant.
    pub grant: Digest,
}

/// An entry that a revoked key signed after the last position at which it counts, or a key that such an entry registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspect {
    /// The key.
    pub key: Fingerprint,
    /// The entry that revoked it.
    pub revoked_by: u64,
    /// The auditor's note that confirmed the entry; it counts while the note is not suspect itself.
    pub confirmed_by: Option<u64>,
}

/// The ledger's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Digest of the genesis statement.
    pub id: Digest,
    /// Its name.
    pub name: Label,
    /// A demonstration.
    pub demo: bool,
    /// How many distinct owners a decision needs by the genesis; the policy may ask for more.
    pub owner_threshold: u32,
}

/// A key, and from where to where it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The holder's name.
    pub name: Label,
    /// Whose key it is: one person counts once, with however many keys.
    pub person: Label,
    /// The key.
    pub public: PublicKey,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// The first position at which it counts.
    pub from_seq: u64,
    /// The last position at which it counts; `None` while it has no end.
    pub last_valid_seq: Option<u64>,
}

/// The last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Last {
    pub(super) leaf: Digest,
    pub(super) time: Timestamp,
}

impl Summary {
    /// Whether a stored summary can be one at all. It is no proof: a cache is only as trustworthy as its file.
    pub fn is_consistent(&self) -> bool {
        self.frontier.is_consistent()
            && self.ledger.is_some() == (self.frontier.size() > 0)
            && self.last.is_some() == self.ledger.is_some()
            && self.policy.is_some() == self.ledger.is_some()
    }
}
