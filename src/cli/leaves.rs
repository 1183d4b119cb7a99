//! The leaf hashes of a ledger, read from its commits alone.

use rayon::prelude::*;

use super::answer::Failure;
use super::trust::failure;
use crate::digest::Digest;
use crate::entry::{Entry, Leaf};
use crate::ledger::limits::MAX_COMMIT_BYTES;
use crate::ledger::{Kind, Oid, Repository};
use crate::merkle;
use crate::state::State;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::proof::{ConsistencyProof, InclusionProof};
use crate::verdict::{Code, Reason};

/// Every leaf of the ledger up to `tip`, each with its bytes' hash; they lead to the state's root.
pub(super) fn read(repo: &Repository, tip: &Oid, state: &State) -> Result<Vec<Digest>, Failure> {
    let leaves: Vec<Digest> = each(repo, tip, usize::MAX, |entry| entry.leaf_hash())?;
    let root = merkle::root(&leaves);
    match root == state.root() {
        true => Ok(leaves),
        false => Err(Reason::new(Code::RootMismatch, "leaves").values(state.root(), root).into()),
    }
}

/// The first `size` leaves, as they are written.
pub(super) fn texts(repo: &Repository, tip: &Oid, size: usize) -> Result<Vec<Leaf>, Failure> {
    each(repo, tip, size, |entry| entry.leaf().clone())
}

/// What is wanted of each of the first `size` entries, read from their commits alone.
fn each<T: Send>(
    repo: &Repository,
    tip: &Oid,
    size: usize,
    wanted: impl Fn(&Entry) -> T + Sync,
) -> Result<Vec<T>, Failure> {
    let mut chain = repo.reader().read_chain(tip)?;
    chain.truncate(size);
    let read = |reader: &mut crate::ledger::Reader, oid: &Oid| -> Result<T, Failure> {
        let mut commit = Vec::new();
        reader.read(oid, Kind::Commit, MAX_COMMIT_BYTES, &mut commit)?;
        let entry = Entry::parse(&commit).map_err(|e| Failure::because(e.code(), oid, e))?;
        Ok(wanted(&entry))
    };
    chain.par_iter().map_init(|| repo.reader(), read).collect()
}

/// The leaves that a checkpoint is over, where it is over this history.
pub(super) fn under<'a>(leaves: &'a [Digest], checkpoint: &Checkpoint) -> Result<&'a [Digest], Failure> {
    let object = format!("checkpoint of size {}", checkpoint.size());
    let size = usize::try_from(checkpoint.size()).ok().filter(|size| *size <= leaves.len());
    let Some(size) = size else {
        let expected = format!("{} entries", checkpoint.size());
        return Err(Reason::new(Code::RolledBack, object).values(expected, leaves.len()).into());
    };
    let root = merkle::root(&leaves[..size]);
    match root == checkpoint.root() {
        true => Ok(&leaves[..size]),
        false => Err(Reason::new(Code::Forked, object).values(checkpoint.root(), root).into()),
    }
}

/// The proof that an entry is under a checkpoint.
pub(super) fn inclusion(
    leaves: &[Digest],
    index: u64,
    leaf: Vec<u8>,
    checkpoint: &str,
) -> Result<InclusionProof, Failure> {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let hashes = merkle::inclusion_proof(leaves, at).ok_or_else(|| {
        let found = format!("the checkpoint is over {} entries: make a newer one", leaves.len());
        Failure::because(Code::EntryAbsent, format!("entry {index}"), found)
    })?;
    Ok(InclusionProof { extra: Some(leaf), index, hashes, checkpoint: checkpoint.to_owned() })
}

/// The proof that a checkpoint continues an older size: what a witness is asked with.
pub(super) fn consistency(
    leaves: &[Digest],
    old: u64,
    checkpoint: &str,
) -> Result<ConsistencyProof, Failure> {
    let at = usize::try_from(old).unwrap_or(usize::MAX);
    let hashes =
        merkle::consistency_proof(leaves, at).filter(|hashes| hashes.len() <= 63).ok_or_else(|| {
            let found = format!("the checkpoint is over {} entries", leaves.len());
            failure(
                &format!("size {old}"),
                &crate::tlog::TlogError::malformed("old size", "at most the new one", &found),
            )
        })?;
    Ok(ConsistencyProof { old, hashes, checkpoint: checkpoint.to_owned() })
}
