//! The fold: what an admitted entry does to the state.

use std::collections::BTreeMap;

use super::blockers::Decision;
use super::summary::Last;
use super::{
    Admission, GrantRecord, Index, IndexError, KeyRecord, Ledger, Once, OpenBegin, PacketFacts, Record,
    RehearsalRecord, RerunRecord, State, Suspect,
};
use crate::digest::Digest;
use crate::entry::VerifiedEntry;
use crate::keys::Fingerprint;
use crate::statement::{Claim, KeyChange, KeyEntry, Kind};
use crate::verdict::Reason;

impl State {
    /// Admits the entry and folds it in; where there is a reason against it, nothing changes.
    pub fn apply(&mut self, verified: &VerifiedEntry, facts: Option<&PacketFacts>) -> Admission {
        let mut admission = self.admit(verified, facts);
        if admission.accepted()
            && let Err(error) = self.fold(verified, facts)
        {
            admission.chain.push(Reason::from(error));
        }
        admission
    }

    /// Takes in an entry that was admitted.
    ///
    /// # Errors
    /// The records that it changes cannot be read; nothing changes then.
    pub(crate) fn fold(
        &mut self,
        verified: &VerifiedEntry,
        facts: Option<&PacketFacts>,
    ) -> Result<(), IndexError> {
        let (leaf, leaf_hash) = (verified.entry().leaf(), verified.leaf_hash());
        let (statement, record_seq) = (verified.statement(), leaf.seq);
        let record = match statement.claim() {
            Claim::Genesis(genesis) => {
                self.summary.ledger = Some(Ledger {
                    id: leaf.statement,
                    name: genesis.name.clone(),
                    demo: genesis.demo,
                    owner_threshold: genesis.owner_threshold,
                });
                self.summary.keys = genesis.keys.iter().map(|key| registered(key, leaf.seq)).collect();
                self.summary.policy = verified.policy().cloned();
                Record::Other(leaf.seq)
            }
            Claim::Grant(grant) => {
                self.summary.counts.grants += 1;
                self.records.mark_used(Once::document(&leaf.statement));
                let record = GrantRecord { seq: leaf.seq, grant: grant.clone(), spent_by: None, void: None };
                Record::Grant(Box::new(record))
            }
            Claim::Rehearsal(r) => {
                if let Some(Record::Grant(mut grant)) = self.records.record(&r.grant)? {
                    grant.spent_by = Some(leaf.seq);
                    self.records.insert(r.grant, Record::Grant(grant));
                }
                self.summary.counts.spent_grants += 1;
                self.summary.counts.rehearsals += 1;
                if let Some(begin) = r.begin {
                    self.summary.begins.remove(&begin);
                }
                Record::Rehearsal(Box::new(RehearsalRecord {
                    seq: leaf.seq,
                    run_id: r.run_id.clone(),
                    operator: leaf.key,
                    grant: r.grant,
                    packet_tree: r.packet_tree,
                    result: r.result,
                    dump: facts.is_some_and(|facts| facts.dump),
                    reruns: BTreeMap::new(),
                    void: None,
                }))
            }
            Claim::Rerun(r) => {
                let of = r.of.unwrap_or(Digest::ZERO);
                self.rehearsal_changes(&of, |record| {
                    record.reruns.entry(leaf.key).or_insert(leaf.seq);
                })?;
                Record::Rerun(Box::new(RerunRecord { seq: leaf.seq, operator: leaf.key, of, void: None }))
            }
            Claim::Begin(begin) => {
                let (id, grant) = (begin.id.clone(), begin.grant);
                let open = OpenBegin { seq: leaf.seq, id, operator: leaf.key, grant };
                self.summary.begins.insert(leaf_hash, open);
                Record::Other(leaf.seq)
            }
            Claim::Void(void) => {
                if let Some(of) = &void.of {
                    self.void(of, leaf.seq)?;
                }
                if let Some(numbers) = &void.numbers {
                    self.count(numbers.key, numbers.first, numbers.last);
                }
                Record::Other(leaf.seq)
            }
            Claim::Blockers(claim) => {
                let (leaf, statement, claim) = (leaf_hash, leaf.statement, claim.clone());
                self.note_decision(Decision { seq: record_seq, leaf, statement, claim, void: None });
                Record::Other(record_seq)
            }
            Claim::Key(change) => {
                self.key_changed(change, leaf.seq)?;
                Record::Other(leaf.seq)
            }
            Claim::Policy(_) => {
                self.summary.policy = verified.policy().cloned();
                self.summary.policy_since = leaf.seq + 1;
                Record::Other(leaf.seq)
            }
            Claim::Note(note) => {
                if let (true, Some(record)) = (note.confirms, self.records.record(&note.of)?)
                    && let Some(suspect) = self.summary.suspects.get_mut(&record.seq())
                {
                    suspect.confirmed_by = Some(leaf.seq);
                }
                Record::Other(leaf.seq)
            }
        };
        self.records.insert(leaf_hash, record);
        if let Some(number) = statement.claim().number() {
            self.count(leaf.key, number, number);
        }
        self.records.mark_used(Once::nonce(statement.nonce()));
        if let Some(name) = name_of(statement.claim()) {
            self.records.mark_used(name);
        }
        for signer in verified.signatures().signers() {
            self.records.mark_signed(signer, leaf.seq);
        }
        if let Some(blockers) = facts.and_then(|f| f.blockers.as_ref()) {
            self.note_blockers(blockers);
        }
        self.summary.frontier.push(leaf_hash);
        self.summary.last = Some(Last { leaf: leaf_hash, time: leaf.time });
        Ok(())
    }

    /// Changes a rehearsal's record, and counts its independent reruns again.
    fn rehearsal_changes(
        &mut self,
        leaf: &Digest,
        change: impl FnOnce(&mut RehearsalRecord),
    ) -> Result<(), IndexError> {
        if let Some(Record::Rehearsal(mut record)) = self.records.record(leaf)? {
            let before = self.repeated(&record, |_| true);
            change(&mut record);
            let after = self.repeated(&record, |_| true);
            let counted = &mut self.summary.counts.independent_reruns;
            *counted = counted.saturating_sub(before) + after;
            self.records.insert(*leaf, Record::Rehearsal(record));
        }
        Ok(())
    }

    /// The entry with this leaf counts no more.
    fn void(&mut self, leaf: &Digest, by: u64) -> Result<(), IndexError> {
        match self.records.record(leaf)? {
            Some(Record::Grant(mut record)) => {
                record.void = Some(by);
                self.summary.counts.void_grants += 1;
                self.records.insert(*leaf, Record::Grant(record));
            }
            Some(Record::Rehearsal(_)) => self.rehearsal_changes(leaf, |record| record.void = Some(by))?,
            Some(Record::Rerun(mut rerun)) => {
                rerun.void = Some(by);
                self.rehearsal_changes(&rerun.of, |record| {
                    // Another rerun by the same key, if there is one, was not counted beside this one.
                    if record.reruns.get(&rerun.operator) == Some(&rerun.seq) {
                        record.reruns.remove(&rerun.operator);
                    }
                })?;
                self.records.insert(*leaf, Record::Rerun(rerun));
            }
            Some(Record::Other(_)) | None => {
                self.summary.begins.remove(leaf);
                self.void_decision(leaf, by);
            }
        }
        Ok(())
    }

    fn key_changed(&mut self, change: &KeyChange, seq: u64) -> Result<(), IndexError> {
        match change {
            KeyChange::Add(entry) => {
                self.summary.keys.extend([registered(entry, seq + 1)]);
            }
            KeyChange::Retire(end) => self.key_ends(&end.key, seq),
            KeyChange::Revoke(end) => {
                self.suspect_since(end.key, end.last_valid_seq + 1, seq)?;
                self.key_ends(&end.key, end.last_valid_seq);
            }
        }
        Ok(())
    }

    /// What a key signed from a position on falls into doubt, and what the keys did that it registered there.
    fn suspect_since(&mut self, key: Fingerprint, first: u64, revoked_by: u64) -> Result<(), IndexError> {
        let suspect = Suspect { key, revoked_by, confirmed_by: None };
        let mut keys = vec![(key, first)];
        while let Some((key, first)) = keys.pop() {
            for seq in self.records.signed(&key, first)? {
                if self.summary.suspects.insert(seq, suspect).is_none() {
                    let added = self.summary.keys.iter().filter(|(_, record)| record.from_seq == seq + 1);
                    keys.extend(added.map(|(key, record)| (*key, record.from_seq)));
                }
            }
        }
        Ok(())
    }

    fn key_ends(&mut self, key: &Fingerprint, last: u64) {
        if let Some(record) = self.summary.keys.get_mut(key) {
            record.last_valid_seq = Some(last);
        }
    }
}

/// The name that an entry uses up.
pub(super) fn name_of(claim: &Claim) -> Option<Once> {
    match claim.kind() {
        // A holder's name stands in several entries; the others are named for people alone.
        Kind::Genesis | Kind::Key | Kind::Policy | Kind::Begin | Kind::Void | Kind::Note | Kind::Blockers => {
            None
        }
        Kind::Grant => Some(Once::grant(claim.label())),
        Kind::Rehearsal | Kind::Rerun => Some(Once::run(claim.label())),
    }
}

pub(super) fn registered(key: &KeyEntry, from_seq: u64) -> (Fingerprint, KeyRecord) {
    let record = KeyRecord {
        name: key.name.clone(),
        person: key.person().clone(),
        public: key.public.clone(),
        roles: key.roles.clone(),
        from_seq,
        last_valid_seq: None,
    };
    (key.public.fingerprint(), record)
}
