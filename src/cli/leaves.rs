//! The leaf hashes of a ledger: the tree from the index, and all of them from the commits where all are wanted.

use rayon::prelude::*;

use super::answer::Failure;
use super::recall::Here;
use super::trust::failure;
use crate::digest::Digest;
use crate::entry::{Entry, Leaf};
use crate::index::View;
use crate::ledger::limits::MAX_COMMIT_BYTES;
use crate::ledger::{Kind, Oid, Repository};
use crate::merkle::{self, stored};
use crate::state::State;
use crate::tlog::TlogError;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::proof::{ConsistencyProof, InclusionProof, MAX_HASHES};
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

/// The tree of the first leaves, from the hashes that the index keeps: a proof costs a few dozen of them.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    view: &'a View,
    size: u64,
}

impl<'a> Tree<'a> {
    /// The tree of the whole ledger; it leads to the root that the entries have.
    pub(super) fn of(here: &'a Here) -> Result<Tree<'a>, Failure> {
        let (tree, expected) = (Tree { view: &here.view, size: here.state.next_seq() }, here.state.root());
        match tree.root_after(tree.size)? {
            root if root == expected => Ok(tree),
            root => Err(Reason::new(Code::RootMismatch, "leaves").values(expected, root).into()),
        }
    }

    /// How many leaves it is over.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The root over the first leaves.
    pub(super) fn root_after(&self, size: u64) -> Result<Digest, Failure> {
        Ok(self.view.root_after(size).map_err(Reason::from)?)
    }

    /// The tree that a checkpoint is over, where it is over this history.
    pub(super) fn under(self, checkpoint: &Checkpoint) -> Result<Tree<'a>, Failure> {
        let (object, size) = (format!("checkpoint of size {}", checkpoint.size()), checkpoint.size());
        if size > self.size {
            let expected = format!("{size} entries");
            return Err(Reason::new(Code::RolledBack, object).values(expected, self.size).into());
        }
        match self.root_after(size)? {
            root if root == checkpoint.root() => Ok(Tree { size, ..self }),
            root => Err(Reason::new(Code::Forked, object).values(checkpoint.root(), root).into()),
        }
    }

    /// The proof that an entry is under a checkpoint of this size.
    pub(super) fn inclusion(
        &self,
        index: u64,
        leaf: Vec<u8>,
        checkpoint: &str,
    ) -> Result<InclusionProof, Failure> {
        let mut node = |level, index| self.view.node(level, index);
        let hashes = stored::inclusion_proof(self.size, index, &mut node).map_err(Reason::from)?;
        let hashes = hashes.ok_or_else(|| {
            let found = format!("the checkpoint is over {} entries: make a newer one", self.size);
            Failure::because(Code::EntryAbsent, format!("entry {index}"), found)
        })?;
        Ok(InclusionProof { extra: Some(leaf), index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// The proof that a checkpoint of this size continues an older size: what a witness is asked with.
    pub(super) fn consistency(&self, old: u64, checkpoint: &str) -> Result<ConsistencyProof, Failure> {
        let mut node = |level, index| self.view.node(level, index);
        let hashes = stored::consistency_proof(self.size, old, &mut node).map_err(Reason::from)?;
        let hashes = hashes.filter(|hashes| hashes.len() <= MAX_HASHES).ok_or_else(|| {
            let found = format!("the checkpoint is over {} entries", self.size);
            failure(&format!("size {old}"), &TlogError::malformed("old size", "at most the new one", &found))
        })?;
        Ok(ConsistencyProof { old, hashes, checkpoint: checkpoint.to_owned() })
    }
}
