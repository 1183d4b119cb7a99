//! What an entry leaves behind: one record for each kind that a later entry can ask about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::statement::{Grant, Label, Outcome};

/// What an entry left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// A grant.
    Grant(Box<GrantRecord>),
    /// A rehearsal.
    Rehearsal(Box<RehearsalRecord>),
    /// A rerun.
    Rerun(Box<RerunRecord>),
    /// Any other entry: its position.
    Other(u64),
}

impl Record {
    /// Where the entry stands.
    pub fn seq(&self) -> u64 {
        match self {
            Record::Grant(record) => record.seq,
            Record::Rehearsal(record) => record.seq,
            Record::Rerun(record) => record.seq,
            Record::Other(seq) => *seq,
        }
    }
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
    /// The entry that revoked it.
    pub void: Option<u64>,
}

impl GrantRecord {
    /// Whether a rehearsal may still consume it.
    pub fn is_open(&self) -> bool {
        self.spent_by.is_none() && self.void.is_none()
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
    /// What it came to.
    pub result: Outcome,
    /// Whether it was on a clone of an operator's dump.
    pub dump: bool,
    /// Who reached the same packet, and in which entry.
    pub reruns: BTreeMap<Fingerprint, u64>,
    /// The entry that says that it counts no more.
    pub void: Option<u64>,
}

/// A repetition of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RerunRecord {
    /// Where it stands.
    pub seq: u64,
    /// Who did it.
    pub operator: Fingerprint,
    /// The rehearsal's leaf.
    pub of: Digest,
    /// The entry that says that it counts no more.
    pub void: Option<u64>,
}
