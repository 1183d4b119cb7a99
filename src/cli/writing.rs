//! Writing one entry: place it behind the ledger's head, sign the commit, append it durably.
//!
//! Owns: the order of these steps for every verb that appends, and the last look: what is about to be
//! written is checked and admitted like an entry that somebody else wrote. Must not: hold a rule.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::Failure;
use super::recall;
use crate::digest::Digest;
use crate::dsse::Signatures;
use crate::entry::{StoredEntry, Unsigned, VerifiedEntry, check, content_digest, file_digests};
use crate::index::Listed;
use crate::judge::{Judge, names_another};
use crate::keys::Signer;
use crate::ledger::{Draft, HostLock, LedgerRef, Oid, Repository};
use crate::state::{PacketFacts, State};
use crate::statement::{Label, SIGNATURE_FILE, STATEMENT_FILE, Statement};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason, Verdict};

/// How long another appender of this host is waited for.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// What an entry is made of, wherever it will stand.
pub(super) struct Contents<'a> {
    /// What it claims.
    pub(super) statement: &'a Statement,
    /// Who signed the claim.
    pub(super) signatures: &'a Signatures,
    /// The other files of the tree, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The packet's facts, where there is a packet.
    pub(super) facts: Option<&'a PacketFacts>,
    /// When.
    pub(super) time: Timestamp,
}

/// An entry that is on the disk.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) seq: u64,
    pub(super) oid: Oid,
    pub(super) leaf: Digest,
}

/// Appends behind `tip`, whose state is `state`; the state then is that after the entry.
pub(super) fn append(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    tip: Option<Oid>,
    state: &mut State,
    contents: Contents<'_>,
    signer: &Signer<'_>,
) -> Result<Appended, Failure> {
    let Contents { statement, signatures, mut files, facts, time } = contents;
    files.insert(STATEMENT_FILE.to_owned(), statement.bytes().to_vec());
    files.insert(SIGNATURE_FILE.to_owned(), signatures.to_bytes());
    let key = signer.public().fingerprint();
    let leaf = state.next_leaf(statement, content_digest(&file_digests(&files)), key, time);
    let (seq, author) = (leaf.seq, author(state, statement, signer)?);
    let label = statement.claim().label().clone();
    let draft = Draft { ledger, expected: tip, files: &files };
    let mut refused = Verdict::default();
    let mut admitted = None;
    let mut render = |tree: &str, parent: Option<&str>| {
        let parent = parent.map(str::parse).transpose()?;
        let unsigned = Unsigned::new(tree.parse()?, parent, author.clone(), label.clone(), leaf.clone())?;
        let commit = unsigned.sign(signer)?.to_bytes();
        let stored = StoredEntry { oid: String::new(), commit: commit.clone(), files: files.clone() };
        let mut next = state.clone();
        match admit(&stored, &mut next, facts) {
            Ok(verified) => admitted = Some((verified, next)),
            Err(verdict) => {
                refused = verdict;
                return Err("the ledger's rules refuse it".into());
            }
        }
        Ok(commit)
    };
    let appended = repo.append(lock, &draft, &mut render);
    if !refused.accepted() {
        return Err(refused.into());
    }
    let oid = appended?;
    let (verified, next) =
        admitted.ok_or_else(|| Failure::because(Code::EntryMalformed, "the entry", "it was not rendered"))?;
    *state = next;
    recall::remember(repo, ledger, tip, Listed::of(&oid.to_string(), &verified, &files), state, time);
    Ok(Appended { seq, oid, leaf: verified.leaf_hash() })
}

/// What a reader of the ledger would say to the entry.
fn admit(
    stored: &StoredEntry,
    state: &mut State,
    facts: Option<&PacketFacts>,
) -> Result<Box<VerifiedEntry>, Verdict> {
    let checked = check(stored);
    match checked.verified {
        Some(verified) => {
            let claims = claims(&verified, stored, state);
            if !claims.accepted() {
                return Err(claims);
            }
            match state.apply(&verified, facts) {
                admission if admission.accepted() => Ok(Box::new(verified)),
                admission => Err(admission.into_verdict()),
            }
        }
        None => {
            let mut verdict = checked.object;
            verdict.merge(checked.content);
            verdict.merge(checked.signatures);
            Err(verdict)
        }
    }
}

/// What an entry without a packet claims, in its names or its policy, under the policy in force before it; packets are
/// judged before they are signed.
fn claims(verified: &VerifiedEntry, stored: &StoredEntry, state: &State) -> Verdict {
    let statement = verified.statement();
    match state.policy().or(verified.policy()) {
        Some(policy) if !statement.kind().has_packet() || names_another(statement) => {
            let judge = Judge::new(policy);
            let mut verdict = judge.beside(state, statement);
            if !statement.kind().has_packet() {
                verdict.merge(judge.statement(statement, &stored.files));
            }
            verdict
        }
        _ => Verdict::default(),
    }
}

/// The name that the key is registered under, or registers itself under in a genesis.
fn author(state: &State, statement: &Statement, signer: &Signer<'_>) -> Result<Label, Failure> {
    use crate::statement::Claim;
    let fingerprint = signer.public().fingerprint();
    let in_genesis = match statement.claim() {
        Claim::Genesis(genesis) => {
            genesis.keys.iter().find(|k| k.public == *signer.public()).map(|k| &k.name)
        }
        _ => None,
    };
    let registered = state.key(&fingerprint).map(|key| &key.name);
    let unknown = || {
        Reason::new(Code::KeyUnknown, format!("key {fingerprint}"))
            .found("it is not registered in this ledger")
    };
    in_genesis.or(registered).cloned().ok_or_else(|| unknown().into())
}
