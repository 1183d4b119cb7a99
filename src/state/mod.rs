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

use crate::digest::Digest;
use crate::entry::Leaf;
use crate::keys::Fingerprint;
use crate::policy::Policy;
use crate::statement::{Label, Outcome, Role, Statement};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason, Verdict};

mod admit;
mod between;
mod blockers;
mod decisions;
mod facts;
mod fold;
mod grants;
mod numbers;
mod record;
mod registry;
mod records;
mod stored_policy;
mod summary;

pub use admit::Admission;
pub use between::changes_registry;
pub use blockers::{BlockerClaim, BlockerShape, Decision};
pub use facts::{BlockerFacts, PacketFacts};
pub use numbers::{Counter, MAX_STEP};
pub use record::{GrantRecord, Record, RehearsalRecord, RerunRecord};
pub use records::{Added, Index, IndexError, Once, Records};
pub use summary::{Counts, KeyRecord, Ledger, OpenBegin, Summary, Suspect};

/// What a ledger's entries amount to.
#[derive(Clone, Debug, Default)]
pub struct State {
    summary: Summary,
    records: Records,
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

    /// The first position at which an entry is under the policy in force.
    pub fn policy_since(&self) -> u64 {
        self.summary.policy_since
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

    /// The rehearsals that were begun and never recorded, by the leaf of their begin.
    pub fn open_begins(&self) -> &BTreeMap<Digest, OpenBegin> {
        &self.summary.begins
    }

    /// The entries that are suspect, by position: a revoked key signed them, and no auditor confirmed them.
    pub fn suspects(&self) -> BTreeMap<u64, Suspect> {
        let all = self.summary.suspects.iter().filter(|(seq, _)| self.is_suspect(**seq));
        all.map(|(seq, suspect)| (*seq, *suspect)).collect()
    }

    /// Whether an entry is suspect. A confirmation by a note that is suspect itself confirms nothing.
    pub fn is_suspect(&self, seq: u64) -> bool {
        // A note stands after what it confirms, so this ends.
        let mut at = seq;
        while let Some(suspect) = self.summary.suspects.get(&at) {
            match suspect.confirmed_by {
                None => return true,
                Some(note) => at = note,
            }
        }
        false
    }

    /// Whose key it is; a key that nobody registered is somebody of its own.
    pub fn person(&self, key: &Fingerprint) -> String {
        self.key(key).map_or_else(|| key.to_string(), |record| record.person.to_string())
    }

    /// How many distinct owners must sign what owners decide.
    pub fn owner_threshold(&self) -> usize {
        let first = self.ledger().map_or(1, |ledger| u64::from(ledger.owner_threshold));
        let asked = self.policy().map_or(0, |policy| policy.ledger_rules().owner_threshold);
        usize::try_from(first.max(asked)).unwrap_or(usize::MAX)
    }

    /// How many others than its operator reached a rehearsal's packet, by entries that are not in doubt: people, not keys.
    pub fn independent_reruns(&self, record: &RehearsalRecord) -> u64 {
        self.repeated(record, |seq| !self.is_suspect(seq))
    }

    fn repeated(&self, record: &RehearsalRecord, counts: impl Fn(u64) -> bool) -> u64 {
        let own = self.person(&record.operator);
        let reruns = record.reruns.iter().filter(|(_, seq)| counts(**seq));
        let others: BTreeSet<String> =
            reruns.map(|(key, _)| self.person(key)).filter(|person| *person != own).collect();
        others.len() as u64
    }

    /// How often rehearsals were reached again by others, by entries that are not in doubt.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn all_independent_reruns(&self) -> Result<u64, IndexError> {
        if self.summary.suspects.is_empty() {
            return Ok(self.summary.counts.independent_reruns);
        }
        Ok(self.rehearsals()?.iter().map(|(_, record)| self.independent_reruns(record)).sum())
    }

    /// Whether a rehearsal is evidence now: it restored the clone, is neither void nor suspect, and as many others as
    /// the policy asks for reached its packet.
    pub fn is_evidence(&self, record: &RehearsalRecord) -> bool {
        let needed = self.policy().map_or(0, |policy| policy.ledger_rules().min_independent_reruns);
        record.result == Outcome::RollbackExact
            && record.void.is_none()
            && !self.is_suspect(record.seq)
            && self.independent_reruns(record) >= needed
    }

    /// What is missing or in doubt although every entry holds: begins without a rehearsal, numbers that no entry has, and
    /// suspect entries.
    pub fn findings(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for (leaf, open) in &self.summary.begins {
            let object = format!("entry {}: begin `{}` {}", open.seq, open.id, leaf.short());
            verdict.push(Reason::new(Code::RunOpen, object).found("no rehearsal and no void followed"));
        }
        self.missing_numbers(&mut verdict);
        for (seq, suspect) in self.suspects() {
            let found = format!("signed by {}, revoked by entry {}", suspect.key, suspect.revoked_by);
            verdict.push(Reason::new(Code::EntrySuspect, format_args!("entry {seq}")).found(found));
        }
        verdict
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

    /// The name of an entry, where later ones can name it: a grant, a rehearsal, an open begin, a decision.
    pub fn name_of_entry(&self, leaf: &Digest) -> Option<Label> {
        match self.records.record(leaf) {
            Ok(Some(Record::Grant(record))) => Some(record.grant.id.clone()),
            Ok(Some(Record::Rehearsal(record))) => Some(record.run_id.clone()),
            _ => {
                let begin = self.summary.begins.get(leaf).map(|open| &open.id);
                begin.or_else(|| self.decision(leaf).map(|decision| &decision.claim.id)).cloned()
            }
        }
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

    /// The newest rehearsal with its leaf.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn last_rehearsal(&self) -> Result<Option<(Digest, RehearsalRecord)>, IndexError> {
        self.records.last_rehearsal()
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
mod decision_tests;
#[cfg(test)]
mod blocker_tests;
#[cfg(test)]
mod trust_tests;
#[cfg(test)]
mod tests;
