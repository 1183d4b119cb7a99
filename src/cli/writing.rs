//! Writing one entry: place it behind the ledger's head, sign the commit, append it durably.
//!
//! Owns: the order of these steps for every verb that appends. Must not: decide whether the entry may be
//! appended; its caller has judged it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::Failure;
use crate::digest::Digest;
use crate::dsse::Signatures;
use crate::entry::{Leaf, Unsigned, content_digest, file_digests};
use crate::keys::Signer;
use crate::ledger::{Draft, HostLock, LedgerRef, Oid, Repository};
use crate::merkle;
use crate::statement::{Label, SIGNATURE_FILE, STATEMENT_FILE, Statement};
use crate::time::Timestamp;

/// How long another appender of this host is waited for.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Where the next entry stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The ledger's id; `None` for the genesis, whose own statement becomes it.
    pub(super) ledger: Option<Digest>,
    /// Its number.
    pub(super) seq: u64,
    /// The leaf before it.
    pub(super) prev: Digest,
    /// The root over all leaves before it.
    pub(super) root: Digest,
    /// The policy in force.
    pub(super) policy: Digest,
    /// The commit before it.
    pub(super) tip: Option<Oid>,
}

impl Position {
    /// The first entry of a new ledger.
    pub(super) fn first() -> Position {
        let root = merkle::root(&[]);
        Position { ledger: None, seq: 0, prev: Digest::ZERO, root, policy: Digest::ZERO, tip: None }
    }
}

/// What an entry is made of, wherever it will stand.
pub(super) struct Contents<'a> {
    /// What it claims.
    pub(super) statement: &'a Statement,
    /// Who signed the claim.
    pub(super) signatures: &'a Signatures,
    /// The other files of the tree, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The signing key's registered name.
    pub(super) author: Label,
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

/// Appends.
pub(super) fn append(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    position: &Position,
    contents: Contents<'_>,
    signer: &Signer<'_>,
) -> Result<Appended, Failure> {
    let Contents { statement, signatures, mut files, author, time } = contents;
    let bytes = statement.to_bytes();
    let digest = Digest::of(&bytes);
    files.insert(STATEMENT_FILE.to_owned(), bytes);
    files.insert(SIGNATURE_FILE.to_owned(), signatures.to_bytes());
    let leaf = Leaf {
        ledger: position.ledger.unwrap_or(digest),
        seq: position.seq,
        prev: position.prev,
        root: position.root,
        kind: statement.claim().kind(),
        statement: digest,
        content: content_digest(&file_digests(&files)),
        packet_tree: statement.claim().packet_tree().copied(),
        policy: position.policy,
        key: signer.public().fingerprint(),
        time,
    };
    let hash = leaf.hash();
    let label = statement.claim().label().clone();
    let draft = Draft { ledger, expected: position.tip, files: &files };
    let mut render = |tree: &str, parent: Option<&str>| {
        let parent = parent.map(str::parse).transpose()?;
        let unsigned = Unsigned::new(tree.parse()?, parent, author.clone(), label.clone(), leaf.clone())?;
        Ok(unsigned.sign(signer)?.to_bytes())
    };
    let oid = repo.append(lock, &draft, &mut render)?;
    Ok(Appended { seq: position.seq, oid, leaf: hash })
}
