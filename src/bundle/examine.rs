//! What a bundle shows, to a reader who trusts one key or the ledger's id alone.
//!
//! ```text
//! every leaf ─► root = the checkpoint's ─► no leaf is missing
//!     └─► kinds: what changes keys or policy must be here whole ─► replay ─► signer, role, policy at the entry ─► entry
//! the log's key, an owner's key, or the id ─► this is the ledger that is meant
//! ```

use std::collections::BTreeSet;

use super::Bundle;
use super::registry::{policy, registry_of};
use crate::digest::Digest;
use crate::entry::{StoredEntry, VerifiedEntry, check};
use crate::keys::Fingerprint;
use crate::merkle;
use crate::policy::Policy;
use crate::state::{Ledger, PacketFacts, State, changes_registry};
use crate::statement::{Kind, Role, Statement};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::VerifierKey;
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::EntryFiles;

/// How packets and claims are judged, under the policy in force.
pub type Judge<'a> = &'a dyn Fn(&Policy, &Statement, &EntryFiles) -> Verdict;
/// How the facts that grants are compared with are read from a packet.
pub type ReadFacts<'a> = &'a dyn Fn(&EntryFiles) -> Result<PacketFacts, Verdict>;

/// What was found.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Everything that speaks against it.
    pub verdict: Verdict,
    /// The entry's position, kind and leaf, where it holds by itself.
    pub entry: Option<(u64, Kind, Digest)>,
    /// Whose ledger it is, as the genesis says.
    pub ledger: Option<Ledger>,
    /// The registered keys that may sign a checkpoint over these leaves.
    pub log_keys: Vec<VerifierKey>,
    /// The owners who signed one of the entries that are here whole.
    pub owners: BTreeSet<Fingerprint>,
    /// What one entry alone cannot show.
    pub not_established: Vec<&'static str>,
    root: Digest,
    size: u64,
}

impl Examined {
    /// What speaks against the bundle being under a checkpoint that the reader opened with a key that counts.
    pub fn under(&self, checkpoint: &Checkpoint) -> Verdict {
        let mut verdict = Verdict::default();
        let origin = self.ledger.as_ref().map(Ledger::origin).unwrap_or_default();
        let mut same = |code, object, expected: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
            let (expected, found) = (expected.to_string(), found.to_string());
            verdict.require(expected == found, || Reason::new(code, object).values(expected, found));
        };
        same(Code::WrongLedger, "genesis", &checkpoint.origin(), &origin);
        same(Code::EntryAbsent, "leaves: their number", &checkpoint.size(), &self.size);
        same(Code::RootMismatch, "leaves: their root", &checkpoint.root(), &self.root);
        verdict
    }
}

/// A replay under way.
struct Replay<'a> {
    state: State,
    verdict: Verdict,
    owners: BTreeSet<Fingerprint>,
    judge: Judge<'a>,
    facts: ReadFacts<'a>,
}

impl Bundle {
    /// Examines everything in the bundle against everything else in it; whose it is, the caller asks.
    pub fn examine(&self, judge: Judge<'_>, facts: ReadFacts<'_>) -> Examined {
        let hashes: Vec<Digest> = self.leaves.iter().map(|leaf| leaf.hash()).collect();
        let mut replay = Replay {
            state: State::default(),
            verdict: Verdict::default(),
            owners: BTreeSet::new(),
            judge,
            facts,
        };
        let position = self.position().unwrap_or(u64::MAX);
        let mut found = None;
        self.registry_is_whole(&mut replay.verdict);
        if replay.verdict.accepted() {
            found = self.replayed(position, &mut replay);
        }
        let Replay { state, mut verdict, owners, .. } = replay;
        if let Some(suspect) = state.suspects().get(&position) {
            let reason = Reason::new(Code::EntrySuspect, format_args!("entry {position}"));
            verdict.push(reason.found(format_args!("its key was revoked by entry {}", suspect.revoked_by)));
        }
        Examined {
            verdict,
            entry: found,
            ledger: state.ledger().cloned(),
            log_keys: state.log_keys(hashes.len() as u64),
            owners,
            not_established: vec![
                "that the grant was unspent, that no blocker vanished or moved without a decision, and that nothing voided the entry since: `verify` on the ledger shows it",
                "the times: each is what the signer wrote",
            ],
            root: merkle::root(&hashes),
            size: hashes.len() as u64,
        }
    }

    /// What changes keys or policy is here, whole, and nothing else is.
    fn registry_is_whole(&self, verdict: &mut Verdict) {
        let needed = registry_of(&self.leaves, &self.entry);
        let here: BTreeSet<u64> = self.registry.keys().copied().collect();
        for seq in needed.difference(&here) {
            verdict.push(
                Reason::new(Code::FileMissing, format_args!("registry/{seq}"))
                    .found("the leaf is here, the entry is not: keys, policy and grant could not be told"),
            );
        }
        for seq in here.difference(&needed) {
            verdict.push(
                Reason::new(Code::Malformed, format_args!("registry/{seq}")).found("it has no place here"),
            );
        }
    }

    /// Every leaf in order. Gives the entry, where it is reached and holds.
    fn replayed(&self, position: u64, replay: &mut Replay<'_>) -> Option<(u64, Kind, Digest)> {
        let whole = self.whole(position);
        let mut found = None;
        for (at, leaf) in (0..).zip(&self.leaves) {
            let verdict = match whole.get(&at) {
                None => replay.state.pass(leaf),
                Some(stored) => match replay.entry(stored, leaf.hash()) {
                    Ok(verified) => {
                        if at == position {
                            found = Some((at, leaf.kind, verified.leaf_hash()));
                        }
                        replay.taken(&verified, stored)
                    }
                    Err(verdict) => verdict,
                },
            };
            // Nothing after what does not hold has an authority.
            if !verdict.accepted() {
                replay.verdict.merge(verdict);
                return found;
            }
        }
        if found.is_none() {
            let object = format!("entry {position}");
            let expected = format!("below the checkpoint's size, {}", self.leaves.len());
            replay.verdict.push(Reason::new(Code::EntryAbsent, object).values(expected, "none there"));
        }
        found
    }
}

impl Replay<'_> {
    /// An entry by itself, which is the one of its leaf.
    fn entry(&self, stored: &StoredEntry, leaf: Digest) -> Result<VerifiedEntry, Verdict> {
        let checked = check(stored);
        let mut verdict = checked.object;
        verdict.merge(checked.content);
        verdict.merge(checked.signatures);
        let Some(verified) = checked.verified.filter(|_| verdict.accepted()) else { return Err(verdict) };
        match verified.leaf_hash() == leaf {
            true => Ok(verified),
            false => {
                Err(Reason::new(Code::ChainBroken, &stored.oid).values(leaf, verified.leaf_hash()).into())
            }
        }
    }

    fn taken(&mut self, verified: &VerifiedEntry, stored: &StoredEntry) -> Verdict {
        let kind = verified.entry().leaf().kind;
        // A genesis is judged under its own policy: there is none before it.
        let own = stored.files.get(crate::statement::POLICY_FILE).and_then(|bytes| policy(bytes));
        let in_force = self.state.policy().cloned().or(own);
        let mut verdict = match &in_force {
            Some(policy) => (self.judge)(policy, verified.statement(), &stored.files),
            None => Reason::new(Code::PolicyMismatch, "policy.toml").found("there is none").into(),
        };
        let facts = match kind.has_packet().then(|| (self.facts)(&stored.files)) {
            Some(Err(unread)) => {
                verdict.merge(unread);
                None
            }
            Some(Ok(facts)) => Some(facts),
            None => None,
        };
        verdict.merge(match changes_registry(kind) || kind == Kind::Grant {
            true => self.state.apply(verified, None).into_verdict(),
            false => self.state.stand(verified, facts.as_ref()),
        });
        let owns =
            |key: &Fingerprint| self.state.key(key).is_some_and(|record| record.roles.contains(&Role::Owner));
        self.owners.extend(verified.signatures().signers().filter(owns));
        verdict
    }
}
