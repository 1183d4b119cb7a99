//! What a bundle shows, to a reader who trusts the log's key alone.
//!
//! ```text
//! the log's key ─► checkpoint ─► origin names the genesis ─► genesis: keys and policy ─► signer, role ─► entry
//!                      └───────────── inclusion of both entries ─────────────┘
//! ```

use super::Bundle;
use crate::digest::Digest;
use crate::entry::{StoredEntry, VerifiedEntry, check};
use crate::policy::Policy;
use crate::state::{Ledger, State};
use crate::statement::{Kind, Statement};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::proof::InclusionProof;
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::EntryFiles;

/// How packets and claims are judged, under the policy in force.
pub type Judge<'a> = &'a dyn Fn(&Policy, &Statement, &EntryFiles) -> Verdict;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Everything that speaks against it.
    pub verdict: Verdict,
    /// The entry's leaf and what it is, where it holds by itself.
    pub entry: Option<(u64, Kind, Digest)>,
    /// What one entry alone cannot show.
    pub not_established: Vec<&'static str>,
}

impl Bundle {
    /// Examines the bundle under a checkpoint that the reader has opened with a trusted key.
    pub fn examine(&self, checkpoint: &Checkpoint, judge: Judge<'_>) -> Examined {
        let mut verdict = Verdict::default();
        let genesis = alone(&self.genesis, &self.genesis_hashes, checkpoint, &mut verdict);
        let entry = alone(&self.entry, &self.hashes, checkpoint, &mut verdict);
        if let (Some(genesis), Some(entry)) = (&genesis, &entry) {
            self.registry(genesis, entry, checkpoint, judge, &mut verdict);
        }
        let found = entry.map(|entry| {
            let leaf = entry.entry().leaf();
            (leaf.seq, leaf.kind, entry.leaf_hash())
        });
        let not_established = vec![
            "that no entry between ended the signer's key, or changed the policy: the genesis alone is here",
            "that the grant was unspent, and that no blocker vanished: `verify` on the ledger shows it",
            "the times: each is what the signer wrote",
        ];
        Examined { verdict, entry: found, not_established }
    }

    fn registry(
        &self,
        genesis: &VerifiedEntry,
        entry: &VerifiedEntry,
        checkpoint: &Checkpoint,
        judge: Judge<'_>,
        verdict: &mut Verdict,
    ) {
        let mut state = State::default();
        let admission = state.apply(genesis, None);
        verdict.merge(admission.into_verdict());
        let Some(ledger) = state.ledger() else {
            return verdict.push(Reason::new(Code::EntryMalformed, "genesis").found("it begins no ledger"));
        };
        let origin = Ledger::origin(ledger);
        verdict.require(origin == checkpoint.origin(), || {
            Reason::new(Code::WrongLedger, "genesis").values(checkpoint.origin(), &origin)
        });
        let leaf = entry.entry().leaf();
        verdict.require(leaf.ledger == ledger.id, || {
            Reason::new(Code::WrongLedger, format_args!("entry {}", leaf.seq)).values(ledger.id, leaf.ledger)
        });
        match state.may_sign(&leaf.key, leaf.kind, leaf.seq) {
            Ok(record) => verdict.require(record.name == *entry.entry().author(), || {
                Reason::new(Code::EntryMalformed, format_args!("entry {}: author", leaf.seq))
                    .values(&record.name, entry.entry().author())
            }),
            Err(reason) => verdict.push(reason),
        }
        let in_force =
            if leaf.kind == Kind::Genesis { state.policy().map(Policy::digest) } else { Some(leaf.policy) };
        match Policy::parse(&self.policy) {
            Ok(policy) if Some(policy.digest()) == in_force => {
                verdict.merge(judge(&policy, entry.statement(), &self.entry.files));
            }
            Ok(policy) => {
                let expected = in_force.unwrap_or(Digest::ZERO);
                verdict
                    .push(Reason::new(Code::PolicyMismatch, "policy.toml").values(expected, policy.digest()));
            }
            Err(e) => verdict.push(Reason::new(Code::PolicyMismatch, "policy.toml").found(e)),
        }
    }
}

/// An entry by itself, and its place under the checkpoint.
fn alone(
    stored: &StoredEntry,
    hashes: &[Digest],
    checkpoint: &Checkpoint,
    verdict: &mut Verdict,
) -> Option<VerifiedEntry> {
    let checked = check(stored);
    verdict.merge(checked.object);
    verdict.merge(checked.content);
    verdict.merge(checked.signatures);
    let verified = checked.verified?;
    let index = verified.entry().leaf().seq;
    let proof = InclusionProof { extra: None, index, hashes: hashes.to_vec(), checkpoint: String::new() };
    if let Err(e) = proof.verify(&verified.leaf_hash(), checkpoint) {
        verdict.push(Reason::new(e.code(), format_args!("entry {index}")).found(e));
    }
    Some(verified)
}
