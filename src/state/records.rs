//! What grows with the ledger: a record for each entry, and which names and nonces are used.
//!
//! Owns: the records, the narrow questions that the rules ask about them ([`Index`]), and the overlay of what is new
//! over what was known before. Must not: do I/O. Whoever keeps records elsewhere (a file with an index) implements
//! [`Index`] there; the cost of an entry then does not depend on how many came before.
//!
//! ```text
//! admit, queries ──► Records ──► added: this run's records, changed ones included
//!                         └────► base:  an Index over those of the runs before, if any
//! ```
//!
//! Keys are digests and 16 bytes, never texts: a million entries fit into a verifier's memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{GrantRecord, Record, RehearsalRecord};
use crate::digest::{Digest, Hasher};
use crate::keys::Fingerprint;
use crate::statement::{Label, Nonce};
use crate::verdict::{Code, Reason};

/// Records could not be read: what was asked is unknown, which never counts as "there is none".
#[derive(Clone, Debug, thiserror::Error)]
#[error("the ledger's records cannot be read: {0}")]
pub struct IndexError(pub String);

impl From<IndexError> for Reason {
    fn from(error: IndexError) -> Reason {
        Reason::new(Code::Unreadable, "the ledger's records").found(error.0)
    }
}

/// Something that was there before: a nonce or a name within its kind, which may be used once, or a blocker map. The first 16 bytes of a domain-separated
/// SHA-256; whoever makes two names collide only has the second one refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Once([u8; 16]);

impl Once {
    /// A statement's nonce.
    pub fn nonce(nonce: Nonce) -> Once {
        Once::of("nonce", nonce.as_bytes())
    }

    /// A grant's name.
    pub fn grant(label: &Label) -> Once {
        Once::of("grant", label.as_str().as_bytes())
    }

    /// A run's name.
    pub fn run(label: &Label) -> Once {
        Once::of("run", label.as_str().as_bytes())
    }

    /// A document that a decision rests on.
    pub fn document(digest: &Digest) -> Once {
        Once::of("document", digest.as_bytes())
    }

    /// A blocker map, which later ones may continue.
    pub fn map(map: &Digest) -> Once {
        Once::of("map", map.as_bytes())
    }

    /// Takes 16 bytes that were one.
    pub fn from_bytes(bytes: [u8; 16]) -> Once {
        Once(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn of(kind: &str, bytes: &[u8]) -> Once {
        let mut hasher = Hasher::new();
        hasher.update(kind.as_bytes());
        hasher.update(&[0]);
        hasher.update(bytes);
        let mut first = [0; 16];
        first.copy_from_slice(&hasher.finish().as_bytes()[..16]);
        Once(first)
    }
}

impl Serialize for Once {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Once, D::Error> {
        let text = String::deserialize(deserializer)?;
        let nonce: Nonce = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Once(*nonce.as_bytes()))
    }
}

/// The questions that are asked about records. Each costs what it answers, not what the ledger holds, but for the two
/// lists at the end.
pub trait Index: std::fmt::Debug + Send + Sync {
    /// The record of the entry with this leaf.
    ///
    /// # Errors
    /// The records cannot be read; so for every question.
    fn record(&self, leaf: &Digest) -> Result<Option<Record>, IndexError>;
    /// Whether a nonce or a name was used.
    fn used(&self, once: &Once) -> Result<bool, IndexError>;
    /// The grants of this operator that no rehearsal consumed.
    fn open_grants(&self, operator: &Fingerprint) -> Result<Vec<(Digest, GrantRecord)>, IndexError>;
    /// The positions from `first` on, ascending, of entries that this key signed, alone or with others.
    fn signed(&self, key: &Fingerprint, first: u64) -> Result<Vec<u64>, IndexError>;
    /// Every grant.
    fn grants(&self) -> Result<Vec<(Digest, GrantRecord)>, IndexError>;
    /// Every rehearsal.
    fn rehearsals(&self) -> Result<Vec<(Digest, RehearsalRecord)>, IndexError>;
    /// The newest rehearsal.
    fn last_rehearsal(&self) -> Result<Option<(Digest, RehearsalRecord)>, IndexError> {
        Ok(self.rehearsals()?.into_iter().max_by_key(|(_, record)| record.seq))
    }
}

/// Records in memory: all of them in a full verification, else those since the base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    /// By leaf; one that changed hides the base's.
    pub records: BTreeMap<Digest, Record>,
    /// Names and nonces.
    pub used: BTreeSet<Once>,
    /// Whose signature stands where, ascending.
    pub signed: BTreeMap<Fingerprint, Vec<u64>>,
}

impl Index for Added {
    fn record(&self, leaf: &Digest) -> Result<Option<Record>, IndexError> {
        Ok(self.records.get(leaf).cloned())
    }

    fn used(&self, once: &Once) -> Result<bool, IndexError> {
        Ok(self.used.contains(once))
    }

    fn open_grants(&self, operator: &Fingerprint) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        let mut grants = self.grants()?;
        grants.retain(|(_, record)| record.is_open() && record.grant.operator == *operator);
        Ok(grants)
    }

    fn signed(&self, key: &Fingerprint, first: u64) -> Result<Vec<u64>, IndexError> {
        let all = self.signed.get(key).map_or(&[][..], Vec::as_slice);
        Ok(all[all.partition_point(|seq| *seq < first)..].to_vec())
    }

    fn grants(&self) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        let grant = |(leaf, record): (&Digest, &Record)| match record {
            Record::Grant(record) => Some((*leaf, (**record).clone())),
            _ => None,
        };
        Ok(self.records.iter().filter_map(grant).collect())
    }

    fn rehearsals(&self) -> Result<Vec<(Digest, RehearsalRecord)>, IndexError> {
        let rehearsal = |(leaf, record): (&Digest, &Record)| match record {
            Record::Rehearsal(record) => Some((*leaf, (**record).clone())),
            _ => None,
        };
        Ok(self.records.iter().filter_map(rehearsal).collect())
    }
}

/// New records over those that were known before.
#[derive(Clone, Debug, Default)]
pub struct Records {
    base: Option<Arc<dyn Index>>,
    added: Added,
}

impl Records {
    /// Nothing new over `base`.
    pub fn over(base: Arc<dyn Index>) -> Records {
        Records { base: Some(base), added: Added::default() }
    }

    /// These, and nothing before them.
    pub fn of(added: Added) -> Records {
        Records { base: None, added }
    }

    /// What is new or changed since the base: what its keeper must store.
    pub fn added(&self) -> &Added {
        &self.added
    }

    /// Whether there is a base, so that [`Records::added`] is not everything.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    pub(super) fn insert(&mut self, leaf: Digest, record: Record) {
        self.added.records.insert(leaf, record);
    }

    pub(super) fn mark_used(&mut self, once: Once) {
        self.added.used.insert(once);
    }

    pub(super) fn mark_signed(&mut self, key: Fingerprint, seq: u64) {
        self.added.signed.entry(key).or_default().push(seq);
    }

    /// The base's answer and that of the overlay, which hides the base's records of the same leaf.
    fn listed<T>(
        &self,
        question: impl Fn(&dyn Index) -> Result<Vec<(Digest, T)>, IndexError>,
    ) -> Result<Vec<(Digest, T)>, IndexError> {
        let mut found = match &self.base {
            Some(base) => question(base.as_ref())?,
            None => Vec::new(),
        };
        found.retain(|(leaf, _)| !self.added.records.contains_key(leaf));
        found.extend(question(&self.added)?);
        Ok(found)
    }
}

impl Index for Records {
    fn record(&self, leaf: &Digest) -> Result<Option<Record>, IndexError> {
        match (self.added.records.get(leaf), &self.base) {
            (Some(record), _) => Ok(Some(record.clone())),
            (None, Some(base)) => base.record(leaf),
            (None, None) => Ok(None),
        }
    }

    fn used(&self, once: &Once) -> Result<bool, IndexError> {
        match &self.base {
            Some(base) if !self.added.used.contains(once) => base.used(once),
            _ => Ok(self.added.used.contains(once)),
        }
    }

    fn open_grants(&self, operator: &Fingerprint) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        self.listed(|index| index.open_grants(operator))
    }

    fn signed(&self, key: &Fingerprint, first: u64) -> Result<Vec<u64>, IndexError> {
        let mut found = match &self.base {
            Some(base) => base.signed(key, first)?,
            None => Vec::new(),
        };
        found.extend(self.added.signed(key, first)?);
        Ok(found)
    }

    fn grants(&self) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        self.listed(|index| index.grants())
    }

    fn rehearsals(&self) -> Result<Vec<(Digest, RehearsalRecord)>, IndexError> {
        self.listed(|index| index.rehearsals())
    }

    fn last_rehearsal(&self) -> Result<Option<(Digest, RehearsalRecord)>, IndexError> {
        // Where the overlay has changed the base's newest, it has all of its own, this one among them.
        let last = self.listed(|index| Ok(index.last_rehearsal()?.into_iter().collect()))?;
        Ok(last.into_iter().max_by_key(|(_, record)| record.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{BOB, Book, EVE, print};
    use super::*;

    #[test]
    fn an_overlay_answers_like_one_list() {
        let book = Book::full();
        let all = book.state.records().added().clone();
        // Everything before the rerun as the base, the rest over it.
        let mut early = Book::new();
        let grant = early.append(early.grant_files(1, super::super::fixture::grant("grant-1", BOB), &[1]), 1);
        assert_eq!(early.state.open_grants(&print(BOB)).expect("read").len(), 1);
        let base = Arc::new(early.state.records().added().clone());
        let mut rest = all.clone();
        rest.records.retain(|leaf, record| base.records.get(leaf) != Some(record));
        rest.used.retain(|once| !base.used.contains(once));
        rest.signed.values_mut().for_each(|seqs| seqs.retain(|seq| *seq > 1));
        let both = Records { base: Some(base), added: rest };
        for leaf in book.leaves.iter().chain([&Digest::ZERO]) {
            assert_eq!(both.record(leaf).expect("read"), all.record(leaf).expect("read"));
        }
        for once in &all.used {
            assert!(both.used(once).expect("read"));
        }
        assert!(!both.used(&Once::grant(&"run-1".parse().expect("a label"))).expect("read"));
        for (who, first) in [(1, 0), (1, 1), (BOB, 0), (BOB, 3), (EVE, 3)] {
            assert_eq!(
                both.signed(&print(who), first).expect("read"),
                all.signed(&print(who), first).expect("read")
            );
        }
        let sorted = |mut list: Vec<(Digest, GrantRecord)>| {
            list.sort_by_key(|(_, record)| record.seq);
            list
        };
        assert_eq!(sorted(both.grants().expect("read")), sorted(all.grants().expect("read")));
        assert_eq!(both.rehearsals().expect("read"), all.rehearsals().expect("read"));
        assert_eq!(both.record(&grant).expect("read").map(|r| r.seq()), Some(1));
        assert!(
            both.open_grants(&print(BOB)).expect("read").is_empty(),
            "the overlay's record hides the open one"
        );
    }

    #[test]
    fn names_of_different_kinds_do_not_meet() {
        let label: Label = "run-1".parse().expect("a label");
        assert_ne!(Once::grant(&label), Once::run(&label));
        assert_eq!(Once::run(&label), Once::run(&label.clone()));
    }
}
