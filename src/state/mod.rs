//! The state of a ledger: what its entries, replayed in order, amount to.
//!
//! Owns: keys, roles, grants, the policy in force, the blockers, the chain's end; the rules about who may append what
//! ([`State::admit`]) and the fold ([`State::apply`]). Must not: check signatures' arithmetic twice, read packets
//! (the caller supplies [`PacketFacts`]), know a clock.
//!
//! ```text
//! state after n-1 ── admit(entry n): chain · authority · grants ──► no reason ── apply ──► state after n
//! ```
//!
//! Authority for entry n comes from the state after n-1, never from the entry itself; only a genesis names its own
//! keys, and its digest is what an auditor pins. A key ends by position (`last_valid_seq`), not by date.
//!
//! ```
//! use fix7_ledger::state::State;
//! let state = State::default();
//! assert_eq!(state.next_seq(), 0);
//! assert!(state.ledger().is_none(), "nothing is known before the genesis");
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entry::Leaf;
use crate::keys::{Fingerprint, PublicKey};
use crate::merkle::Frontier;
use crate::policy::Policy;
use crate::statement::{Grant, Label, Role, Statement};
use crate::time::Timestamp;

mod admit;
mod facts;
mod fold;
mod grants;
mod records;
mod stored_policy;

pub use admit::Admission;
pub use facts::{BlockerFacts, PacketFacts};
pub use records::{Added, Index, IndexError, Once, Record, Records};

/// What a ledger's entries amount to.
#[derive(Clone, Debug, Default)]
pub struct State {
    summary: Summary,
    records: Records,
}

/// The part of the state whose size does not grow with the ledger: what every verb reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    ledger: Option<Ledger>,
    keys: BTreeMap<Fingerprint, KeyRecord>,
    #[serde(with = "stored_policy")]
    policy: Option<Policy>,
    blockers: Blockers,
    counts: Counts,
    frontier: Frontier,
    last: Option<Last>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Grants.
    pub grants: u64,
    /// Grants that a rehearsal consumed.
    pub spent_grants: u64,
    /// Rehearsals.
    pub rehearsals: u64,
    /// Reruns by others than the rehearsal's operator.
    pub independent_reruns: u64,
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
    /// How many distinct owners a grant needs.
    pub owner_threshold: u32,
}

/// A key, and from where to where it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The holder's name.
    pub name: Label,
    /// The key.
    pub public: PublicKey,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// The first position at which it counts.
    pub from_seq: u64,
    /// The last position at which it counts; `None` while it has no end.
    pub last_valid_seq: Option<u64>,
}

/// A grant, and who used it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRecord {
    /// Where it stands.
    pub seq: u64,
    /// What it permits.
    pub grant: Grant,
    /// The rehearsal that consumed it.
    pub spent_by: Option<u64>,
}

impl GrantRecord {
    /// Whether a rehearsal may still consume it.
    pub fn is_open(&self) -> bool {
        self.spent_by.is_none()
    }
}

/// A rehearsal, and who repeated it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsalRecord {
    /// Where it stands.
    pub seq: u64,
    /// Its name.
    pub run_id: Label,
    /// Who did it.
    pub operator: Fingerprint,
    /// The grant that it consumed.
    pub grant: Digest,
    /// Its packet.
    pub packet_tree: Digest,
    /// Who reached the same packet.
    pub reruns: BTreeSet<Fingerprint>,
}

impl RehearsalRecord {
    /// How many others than the operator reached the same packet.
    pub fn independent_reruns(&self) -> usize {
        self.reruns.iter().filter(|key| **key != self.operator).count()
    }
}

/// The blocker maps seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blockers {
    maps: BTreeSet<Digest>,
    open: BTreeSet<String>,
}

/// The last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    leaf: Digest,
    time: Timestamp,
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

impl State {
    /// Continues from a stored summary and the records that were stored with it.
    pub fn resume(summary: Summary, records: Records) -> State {
        State { summary, records }
    }

    /// The part that does not grow.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The part that does.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The same state, with everything in `base` that was in [`Records::added`].
    pub fn over(&self, base: Arc<dyn Index>) -> State {
        State { summary: self.summary.clone(), records: Records::over(base) }
    }

    /// The ledger's identity; `None` before the genesis.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.summary.ledger.as_ref()
    }

    /// The policy in force; `None` before the genesis.
    pub fn policy(&self) -> Option<&Policy> {
        self.summary.policy.as_ref()
    }

    /// The position of the next entry: the number of entries so far.
    pub fn next_seq(&self) -> u64 {
        self.summary.frontier.size()
    }

    /// The Merkle root over all leaves so far: the `Fix7-Root` of the next entry.
    pub fn root(&self) -> Digest {
        self.summary.frontier.root()
    }

    /// The last leaf hash: the `Fix7-Prev` of the next entry; zeros before the genesis.
    pub fn last_leaf(&self) -> Digest {
        self.summary.last.map_or(Digest::ZERO, |last| last.leaf)
    }

    /// The time of the last entry: the next one is not before it.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.summary.last.map(|last| last.time)
    }

    /// The leaf of an entry that would stand next.
    pub fn next_leaf(
        &self,
        statement: &Statement,
        content: Digest,
        key: Fingerprint,
        time: Timestamp,
    ) -> Leaf {
        let digest = statement.digest();
        Leaf {
            ledger: statement.ledger().copied().unwrap_or(digest),
            seq: self.next_seq(),
            prev: self.last_leaf(),
            root: self.root(),
            kind: statement.kind(),
            statement: digest,
            content,
            packet_tree: statement.claim().packet_tree().copied(),
            policy: self.policy_digest(),
            key,
            time,
        }
    }

    /// A registered key, ended ones included.
    pub fn key(&self, fingerprint: &Fingerprint) -> Option<&KeyRecord> {
        self.summary.keys.get(fingerprint)
    }

    /// Every registered key.
    pub fn keys(&self) -> impl Iterator<Item = (&Fingerprint, &KeyRecord)> {
        self.summary.keys.iter()
    }

    /// How many there are of what grows.
    pub fn counts(&self) -> Counts {
        self.summary.counts
    }

    /// Whether a leaf is one of this ledger's grants, spent or not.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn grant(&self, leaf: &Digest) -> Result<Option<GrantRecord>, IndexError> {
        match self.records.record(leaf)? {
            Some(Record::Grant(record)) => Ok(Some(*record)),
            _ => Ok(None),
        }
    }

    /// The rehearsal with this leaf.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn rehearsal(&self, leaf: &Digest) -> Result<Option<RehearsalRecord>, IndexError> {
        match self.records.record(leaf)? {
            Some(Record::Rehearsal(record)) => Ok(Some(*record)),
            _ => Ok(None),
        }
    }

    /// The grants of this operator that no rehearsal consumed, oldest first.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn open_grants(&self, operator: &Fingerprint) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        let mut grants = self.records.open_grants(operator)?;
        grants.sort_by_key(|(_, record)| record.seq);
        Ok(grants)
    }

    /// Every grant with its leaf, oldest first.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn grants(&self) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        let mut grants = self.records.grants()?;
        grants.sort_by_key(|(_, record)| record.seq);
        Ok(grants)
    }

    /// Every rehearsal with its leaf, oldest first.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn rehearsals(&self) -> Result<Vec<(Digest, RehearsalRecord)>, IndexError> {
        let mut rehearsals = self.records.rehearsals()?;
        rehearsals.sort_by_key(|(_, record)| record.seq);
        Ok(rehearsals)
    }

    /// The digests of the blocker maps so far, each predecessor included.
    pub fn blocker_maps(&self) -> &BTreeSet<Digest> {
        &self.summary.blockers.maps
    }

    /// The blockers that the last map had open.
    pub fn open_blockers(&self) -> &BTreeSet<String> {
        &self.summary.blockers.open
    }

    /// The `allowed_signers` file for `git log --show-signature`: the keys that may sign entries, sorted by name.
    /// Git's green is necessary, not sufficient: it knows neither roles nor positions.
    pub fn allowed_signers(&self) -> String {
        let signs = |role: &Role| matches!(role, Role::Owner | Role::Operator | Role::Auditor);
        let mut lines: Vec<String> = self
            .summary
            .keys
            .values()
            .filter(|key| key.roles.iter().any(signs))
            .map(|key| format!("{} namespaces=\"git\" {}\n", key.name, key.public))
            .collect();
        lines.sort();
        lines.concat()
    }

    fn policy_digest(&self) -> Digest {
        self.summary.policy.as_ref().map_or(Digest::ZERO, Policy::digest)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
