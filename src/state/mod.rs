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

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entry::{Leaf, VerifiedEntry};
use crate::keys::{Fingerprint, PublicKey};
use crate::merkle::Frontier;
use crate::policy::Policy;
use crate::statement::{Claim, Grant, KeyEntry, Label, Nonce, Role, Statement};
use crate::time::Timestamp;

mod admit;
mod facts;
mod grants;
mod stored_policy;

pub use admit::Admission;
pub use facts::{BlockerFacts, PacketFacts};

/// What a ledger's entries amount to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    ledger: Option<Ledger>,
    keys: BTreeMap<Fingerprint, KeyRecord>,
    grants: BTreeMap<Digest, GrantRecord>,
    rehearsals: BTreeMap<Digest, RehearsalRecord>,
    #[serde(with = "stored_policy")]
    policy: Option<Policy>,
    blockers: Blockers,
    nonces: BTreeSet<Nonce>,
    grant_ids: BTreeSet<Label>,
    run_ids: BTreeSet<Label>,
    frontier: Frontier,
    last: Option<Last>,
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

impl State {
    /// The ledger's identity; `None` before the genesis.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// The policy in force; `None` before the genesis.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The position of the next entry: the number of entries so far.
    pub fn next_seq(&self) -> u64 {
        self.frontier.size()
    }

    /// The Merkle root over all leaves so far: the `Fix7-Root` of the next entry.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The last leaf hash: the `Fix7-Prev` of the next entry; zeros before the genesis.
    pub fn last_leaf(&self) -> Digest {
        self.last.map_or(Digest::ZERO, |last| last.leaf)
    }

    /// The time of the last entry: the next one is not before it.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last.map(|last| last.time)
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
        self.keys.get(fingerprint)
    }

    /// Every registered key.
    pub fn keys(&self) -> impl Iterator<Item = (&Fingerprint, &KeyRecord)> {
        self.keys.iter()
    }

    /// Every grant, by its leaf.
    pub fn grants(&self) -> impl Iterator<Item = (&Digest, &GrantRecord)> {
        self.grants.iter()
    }

    /// Every rehearsal, by its leaf.
    pub fn rehearsals(&self) -> impl Iterator<Item = (&Digest, &RehearsalRecord)> {
        self.rehearsals.iter()
    }

    /// The digests of the blocker maps so far, each predecessor included.
    pub fn blocker_maps(&self) -> &BTreeSet<Digest> {
        &self.blockers.maps
    }

    /// The blockers that the last map had open.
    pub fn open_blockers(&self) -> &BTreeSet<String> {
        &self.blockers.open
    }

    /// The `allowed_signers` file for `git log --show-signature`: the keys that may sign entries, sorted by name.
    /// Git's green is necessary, not sufficient: it knows neither roles nor positions.
    pub fn allowed_signers(&self) -> String {
        let signs = |role: &Role| matches!(role, Role::Owner | Role::Operator | Role::Auditor);
        let mut lines: Vec<String> = self
            .keys
            .values()
            .filter(|key| key.roles.iter().any(signs))
            .map(|key| format!("{} namespaces=\"git\" {}\n", key.name, key.public))
            .collect();
        lines.sort();
        lines.concat()
    }

    /// Whether a stored state can be one at all. It is no proof: a cache is only as trustworthy as its file.
    pub fn is_consistent(&self) -> bool {
        self.frontier.is_consistent()
            && self.ledger.is_some() == (self.frontier.size() > 0)
            && self.last.is_some() == self.ledger.is_some()
            && self.policy.is_some() == self.ledger.is_some()
    }

    /// Admits the entry and folds it in; where there is a reason against it, nothing changes.
    pub fn apply(&mut self, verified: &VerifiedEntry, facts: Option<&PacketFacts>) -> Admission {
        let admission = self.admit(verified, facts);
        if admission.accepted() {
            self.fold(verified, facts);
        }
        admission
    }

    /// Takes in an entry that was admitted.
    pub(crate) fn fold(&mut self, verified: &VerifiedEntry, facts: Option<&PacketFacts>) {
        let (leaf, leaf_hash) = (verified.entry().leaf(), verified.leaf_hash());
        let statement = verified.statement();
        match statement.claim() {
            Claim::Genesis(genesis) => {
                self.ledger = Some(Ledger {
                    id: leaf.statement,
                    name: genesis.name.clone(),
                    demo: genesis.demo,
                    owner_threshold: genesis.owner_threshold,
                });
                self.keys = genesis.keys.iter().map(|key| registered(key, leaf.seq)).collect();
                self.policy = verified.policy().cloned();
            }
            Claim::Grant(grant) => {
                let record = GrantRecord { seq: leaf.seq, grant: grant.clone(), spent_by: None };
                self.grants.insert(leaf_hash, record);
                self.grant_ids.insert(grant.id.clone());
            }
            Claim::Rehearsal(r) => {
                if let Some(grant) = self.grants.get_mut(&r.grant) {
                    grant.spent_by = Some(leaf.seq);
                }
                let record = RehearsalRecord {
                    seq: leaf.seq,
                    run_id: r.run_id.clone(),
                    operator: leaf.key,
                    grant: r.grant,
                    packet_tree: r.packet_tree,
                    reruns: BTreeSet::new(),
                };
                self.rehearsals.insert(leaf_hash, record);
            }
            Claim::Rerun(r) => {
                if let Some(record) = r.of.and_then(|of| self.rehearsals.get_mut(&of)) {
                    record.reruns.insert(leaf.key);
                }
            }
        }
        if statement.kind().has_packet() {
            self.run_ids.insert(statement.claim().label().clone());
        }
        if let Some(blockers) = facts.and_then(|f| f.blockers.as_ref()) {
            self.note_blockers(blockers);
        }
        self.nonces.insert(statement.nonce());
        self.frontier.push(leaf_hash);
        self.last = Some(Last { leaf: leaf_hash, time: leaf.time });
    }

    fn policy_digest(&self) -> Digest {
        self.policy.as_ref().map_or(Digest::ZERO, Policy::digest)
    }
}

fn registered(key: &KeyEntry, from_seq: u64) -> (Fingerprint, KeyRecord) {
    let record = KeyRecord {
        name: key.name.clone(),
        public: key.public.clone(),
        roles: key.roles.clone(),
        from_seq,
        last_valid_seq: None,
    };
    (key.public.fingerprint(), record)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
