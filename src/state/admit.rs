//! The rules about an entry's place and authority. Every rule is read against the state before the entry.

use super::fold::{name_of, registered};
use super::{Index, KeyRecord, Once, PacketFacts, Records, State, Summary};
use crate::dsse;
use crate::entry::{Leaf, VerifiedEntry};
use crate::keys::{Fingerprint, is_sample};
use crate::statement::{Claim, Genesis, Kind, Role};
use crate::verdict::{Code, Reason, Verdict};

/// What speaks against an entry, by the steps of verification.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Step 2: its place in the chain and the root that it signs.
    pub chain: Verdict,
    /// Step 5: whether its keys may say it.
    pub authority: Verdict,
    /// Step 7: grants and blockers.
    pub grants: Verdict,
}

impl Admission {
    /// Whether nothing does.
    pub fn accepted(&self) -> bool {
        self.chain.accepted() && self.authority.accepted() && self.grants.accepted()
    }

    /// Every reason, in the order of the steps.
    pub fn into_verdict(self) -> Verdict {
        let mut all = self.chain;
        all.merge(self.authority);
        all.merge(self.grants);
        all
    }
}

/// The roles of which every signer of an entry of this kind needs one.
pub(super) fn roles_for(kind: Kind) -> &'static [Role] {
    match kind {
        Kind::Genesis | Kind::Grant | Kind::Key | Kind::Policy => &[Role::Owner],
        Kind::Rehearsal | Kind::Rerun | Kind::Begin => &[Role::Operator],
        Kind::Void | Kind::Blockers => &[Role::Owner, Role::Operator],
        Kind::Note => &[Role::Auditor],
    }
}

impl State {
    /// Every reason against appending this entry next. `facts` are the packet's, where the kind has one.
    pub fn admit(&self, verified: &VerifiedEntry, facts: Option<&PacketFacts>) -> Admission {
        let mut admission = Admission::default();
        self.chain(verified.entry().leaf(), &mut admission.chain);
        self.authority(verified, &mut admission.authority);
        self.replayed(verified, &mut admission.authority);
        self.grants_and_blockers(verified, facts, &mut admission.grants);
        admission
    }

    /// What speaks against this key doing what this role does, at the next position: asked before anything is made.
    pub fn may(&self, key: &Fingerprint, role: Role) -> Verdict {
        let mut verdict = Verdict::default();
        if let Err(reason) = self.current(key, &format!("key {key}")) {
            verdict.push(reason);
        } else if let Some(record) = self.summary.keys.get(key) {
            verdict.require(record.roles.contains(&role), || missing(record, &[role], &format!("key {key}")));
        }
        verdict
    }

    pub(super) fn chain(&self, leaf: &Leaf, verdict: &mut Verdict) {
        let object = |what: &str| format!("entry {}: {what}", leaf.seq);
        let next = self.next_seq();
        verdict.require(leaf.seq == next, || {
            Reason::new(Code::ChainBroken, object("Fix7-Seq")).values(next, leaf.seq)
        });
        verdict.require((leaf.kind == Kind::Genesis) == (next == 0), || {
            let expected = if next == 0 { "genesis" } else { "no second genesis" };
            Reason::new(Code::ChainBroken, object("Fix7-Kind")).values(expected, leaf.kind.name())
        });
        let (prev, root) = (self.last_leaf(), self.root());
        verdict.require(leaf.prev == prev, || {
            Reason::new(Code::ChainBroken, object("Fix7-Prev")).values(prev, leaf.prev)
        });
        verdict.require(leaf.root == root, || {
            Reason::new(Code::RootMismatch, object("Fix7-Root")).values(root, leaf.root)
        });
        let ledger = self.summary.ledger.as_ref().map_or(leaf.statement, |ledger| ledger.id);
        verdict.require(leaf.ledger == ledger, || {
            Reason::new(Code::WrongLedger, object("Fix7-Ledger")).values(ledger, leaf.ledger)
        });
        if let Some(before) = self.last_time() {
            verdict.require(leaf.time >= before, || {
                Reason::new(Code::ChainBroken, object("Fix7-Time"))
                    .values(format_args!("not before {before}"), leaf.time)
            });
        }
    }

    fn authority(&self, verified: &VerifiedEntry, verdict: &mut Verdict) {
        self.signed(verified, verdict);
        self.decided(verified, verdict);
    }

    /// An entry names the policy that was in force before it.
    pub(super) fn under_policy(&self, leaf: &Leaf, object: &str, verdict: &mut Verdict) {
        let policy = self.policy_digest();
        verdict.require(leaf.policy == policy, || {
            Reason::new(Code::PolicyMismatch, format_args!("{object}: Fix7-Policy"))
                .values(policy, leaf.policy)
        });
    }

    /// Every signer is known, counts here, has a role for this kind, and signed.
    pub(super) fn signed(&self, verified: &VerifiedEntry, verdict: &mut Verdict) {
        let leaf = verified.entry().leaf();
        let object = format!("entry {}", leaf.seq);
        self.under_policy(leaf, &object, verdict);
        // Only a genesis speaks for its own keys: whoever pins its digest has accepted them.
        let mut begun;
        let state = match verified.statement().claim() {
            Claim::Genesis(genesis) => {
                self.sample_keys(genesis, &object, verdict);
                let keys = genesis.keys.iter().map(|key| registered(key, leaf.seq)).collect();
                begun = State::resume(Summary { keys, ..Summary::default() }, Records::default());
                begun.summary.policy = verified.policy().cloned();
                begun.enough_owners(&object, verdict);
                &begun
            }
            _ => self,
        };
        let roles = roles_for(leaf.kind);
        let mut pae = None;
        for signer in verified.signatures().signers() {
            let what = format!("{object}: signature of {signer}");
            let record = match state.current(&signer, &what) {
                Ok(record) => record,
                Err(reason) => {
                    verdict.push(reason);
                    continue;
                }
            };
            verdict.require(roles.iter().any(|role| record.roles.contains(role)), || {
                missing(record, roles, &what)
            });
            if signer == leaf.key {
                // Its arithmetic was checked under the key in the commit; the name is the registry's.
                let author = verified.entry().author();
                verdict.require(record.name == *author, || {
                    Reason::new(Code::EntryMalformed, format_args!("{object}: author"))
                        .values(&record.name, author)
                });
            } else {
                let bytes = pae.get_or_insert_with(|| dsse::pae(verified.statement().bytes()));
                if let Err(e) = verified.signatures().verify_pae(bytes, &record.public) {
                    verdict.push(Reason::new(Code::SignatureInvalid, &what).found(e));
                }
            }
        }
    }

    /// The key's record, where it is known and counts at the next position.
    pub(super) fn current(&self, key: &Fingerprint, object: &str) -> Result<&KeyRecord, Reason> {
        self.at(key, self.next_seq(), object)
    }

    /// The key's record, where it is known and counts at a position.
    fn at(&self, key: &Fingerprint, seq: u64, object: &str) -> Result<&KeyRecord, Reason> {
        let record = self.key(key).ok_or_else(|| Reason::new(Code::KeyUnknown, object).found(key))?;
        if let Some(added) = record.from_seq.checked_sub(1).filter(|added| self.is_suspect(*added)) {
            return Err(Reason::new(Code::EntrySuspect, object)
                .found(format_args!("entry {added} registered it, by a key that was revoked")));
        }
        let end = record.last_valid_seq.unwrap_or(u64::MAX);
        match (record.from_seq..=end).contains(&seq) {
            true => Ok(record),
            false => Err(Reason::new(Code::KeyEnded, object)
                .values(format_args!("position {} to {end}", record.from_seq), seq)),
        }
    }

    /// Whether a key that is registered here may sign an entry of a kind at a position: for a reader who has the
    /// registry and the entry, and not everything between.
    ///
    /// # Errors
    /// `KEY_UNKNOWN`, `KEY_ENDED`, `ROLE_MISSING`.
    pub fn may_sign(&self, key: &Fingerprint, kind: Kind, seq: u64) -> Result<&KeyRecord, Reason> {
        let object = format!("entry {seq}: signature of {key}");
        let (record, roles) = (self.at(key, seq, &object)?, roles_for(kind));
        match roles.iter().any(|role| record.roles.contains(role)) {
            true => Ok(record),
            false => Err(missing(record, roles, &object)),
        }
    }

    fn sample_keys(&self, genesis: &Genesis, object: &str, verdict: &mut Verdict) {
        for key in genesis.keys.iter().filter(|key| !genesis.demo && is_sample(&key.public.fingerprint())) {
            let found = format_args!("{} ({})", key.name, key.public.fingerprint()).to_string();
            verdict.push(Reason::new(Code::SampleKey, format_args!("{object}: keys")).found(found));
        }
    }

    /// A statement counts once: by its nonce, and by its name.
    fn replayed(&self, verified: &VerifiedEntry, verdict: &mut Verdict) {
        let (statement, seq) = (verified.statement(), verified.entry().leaf().seq);
        let (nonce, label) = (statement.nonce(), statement.claim().label());
        let object = |what: &str| format!("entry {seq}: {what}");
        self.unused(Once::nonce(nonce), verdict, || {
            Reason::new(Code::Replayed, object("nonce")).found(nonce)
        });
        if let Some(name) = name_of(statement.claim()) {
            self.unused(name, verdict, || Reason::new(Code::Replayed, object("name")).found(label));
        }
    }

    fn unused(&self, once: Once, verdict: &mut Verdict, reason: impl FnOnce() -> Reason) {
        match self.records.used(&once) {
            Ok(used) => verdict.require(!used, reason),
            Err(error) => verdict.push(error.into()),
        }
    }
}

pub(super) fn missing(record: &KeyRecord, roles: &[Role], object: &str) -> Reason {
    let found = record.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", ");
    let needed = roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(" or ");
    Reason::new(Code::RoleMissing, object).values(format_args!("role {needed}"), found)
}
