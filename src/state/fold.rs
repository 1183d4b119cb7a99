//! The fold: what an admitted entry does to the state.

use std::collections::BTreeSet;

use super::{
    Admission, GrantRecord, Index, IndexError, KeyRecord, Last, Ledger, Once, PacketFacts, Record,
    RehearsalRecord, State,
};
use crate::entry::VerifiedEntry;
use crate::keys::Fingerprint;
use crate::statement::{Claim, KeyEntry, Kind};
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
        let statement = verified.statement();
        let counts = &mut self.summary.counts;
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
                counts.grants += 1;
                let record = GrantRecord { seq: leaf.seq, grant: grant.clone(), spent_by: None };
                Record::Grant(Box::new(record))
            }
            Claim::Rehearsal(r) => {
                if let Some(Record::Grant(mut grant)) = self.records.record(&r.grant)? {
                    grant.spent_by = Some(leaf.seq);
                    self.records.insert(r.grant, Record::Grant(grant));
                }
                counts.spent_grants += 1;
                counts.rehearsals += 1;
                Record::Rehearsal(Box::new(RehearsalRecord {
                    seq: leaf.seq,
                    run_id: r.run_id.clone(),
                    operator: leaf.key,
                    grant: r.grant,
                    packet_tree: r.packet_tree,
                    reruns: BTreeSet::new(),
                }))
            }
            Claim::Rerun(r) => {
                let of = r.of.unwrap_or(crate::digest::Digest::ZERO);
                if let Some(Record::Rehearsal(mut record)) = self.records.record(&of)? {
                    let before = record.independent_reruns();
                    record.reruns.insert(leaf.key);
                    counts.independent_reruns += (record.independent_reruns() - before) as u64;
                    self.records.insert(of, Record::Rehearsal(record));
                }
                Record::Other(leaf.seq)
            }
        };
        self.records.insert(leaf_hash, record);
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
}

/// The name that an entry uses up.
pub(super) fn name_of(claim: &Claim) -> Option<Once> {
    match claim.kind() {
        Kind::Genesis => None,
        Kind::Grant => Some(Once::grant(claim.label())),
        Kind::Rehearsal | Kind::Rerun => Some(Once::run(claim.label())),
    }
}

pub(super) fn registered(key: &KeyEntry, from_seq: u64) -> (Fingerprint, KeyRecord) {
    let record = KeyRecord {
        name: key.name.clone(),
        public: key.public.clone(),
        roles: key.roles.clone(),
        from_seq,
        last_valid_seq: None,
    };
    (key.public.fingerprint(), record)
}
