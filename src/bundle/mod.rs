//! The bundle: one file with which an auditor checks one entry, and needs nothing else.
//!
//! Owns: what is in it, its one byte string, and what it shows. Must not: read git, judge (the caller supplies how),
//! trust anything that it brings along: the reader brings the log's key.
//!
//! ```text
//! READ-ME.txt         how to check it all with git, ssh-keygen, openssl, sha256sum and Python
//! allowed_signers     the entry's signer, for git and ssh-keygen     signer.pem   the same for openssl
//! checkpoint          signed by the log, with the cosignatures
//! entry/…             commit (the git object's content), statement.json, statement.sig, packet/…
//! entry.leaf          the trailer block         entry.tlog-proof     its place under the checkpoint
//! genesis/…           the first entry: the first keys and policy
//! leaves              the trailer blocks of every entry under the checkpoint: that none is left out
//! registry/<seq>/…    every entry that changed keys or policy, and the grant that the entry names
//! policy.toml         the policy in force before the entry
//! ```
//!
//! It is a tar file (ustar) without times and owners, sorted by path. Everything that is not an entry or a proof is
//! derived from them again and compared, so there is one valid byte string for one bundle: no text can hide in it.
//!
//! ```
//! use fix7_ledger::bundle::{Bundle, BundleError};
//! assert!(matches!(Bundle::parse(b"no bundle"), Err(BundleError::Archive(_) | BundleError::Missing(_))));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::entry::{Entry, EntryError, Leaf, StoredEntry};
use crate::merkle;
use crate::tlog::TlogError;
use crate::tlog::proof::InclusionProof;
use crate::verdict::Code;

pub mod archive;
mod examine;
mod recipes;
mod registry;

pub use examine::{Examined, Judge, ReadFacts};
pub use recipes::{RECIPES, Recipe};
pub use registry::registry_of;

/// Largest bundle in bytes: two entries of the largest size, and [`MAX_LEAVES`]. Stops a file that fills the memory.
pub const MAX_BYTES: u64 = 320 << 20;
/// Most leaves: what a larger ledger shows of one entry is a proof (`prove`), without the registry.
pub const MAX_LEAVES: usize = 200_000;
/// Most files. Stops an archive of nothing but names.
pub const MAX_FILES: usize = 8192;

/// One entry with everything that shows where it stands and who may have signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The signed checkpoint with its cosignatures.
    pub checkpoint: String,
    /// The entry.
    pub entry: StoredEntry,
    /// The first entry.
    pub genesis: StoredEntry,
    /// The leaves of every entry under the checkpoint, in order.
    pub leaves: Vec<Leaf>,
    /// The entries of [`registry_of`], by position.
    pub registry: BTreeMap<u64, StoredEntry>,
}

/// Why a file is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Over [`MAX_BYTES`], [`MAX_FILES`] or [`MAX_LEAVES`].
    #[error("over the limit of {0} {1}")]
    OverLimit(u64, &'static str),
    /// No tar file.
    #[error("not an archive: {0}")]
    Archive(#[from] std::io::Error),
    /// A file is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A commit is not one of an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A proof is none.
    #[error(transparent)]
    Proof(#[from] TlogError),
    /// Made again from its parts it is another file.
    #[error("the bundle is not the one form of its parts: the first difference is at byte {0}")]
    NotTheOneForm(usize),
}

impl BundleError {
    /// The reason code.
    pub fn code(&self) -> Code {
        match self {
            BundleError::OverLimit(..) => Code::LimitExceeded,
            BundleError::Archive(_) | BundleError::NotTheOneForm(_) => Code::Malformed,
            BundleError::Missing(_) => Code::FileMissing,
            BundleError::Entry(e) => e.code(),
            BundleError::Proof(e) => e.code(),
        }
    }
}

/// Refuses more leaves than a bundle may hold.
///
/// # Errors
/// Over [`MAX_LEAVES`].
pub fn check_leaf_count(leaves: u64) -> Result<(), BundleError> {
    match leaves <= MAX_LEAVES as u64 {
        true => Ok(()),
        false => {
            Err(BundleError::OverLimit(MAX_LEAVES as u64, "leaves; `fix7-ledger prove` has no such limit"))
        }
    }
}

impl Bundle {
    /// The file.
    ///
    /// # Errors
    /// A commit that is no entry's, a path that no archive can hold, over [`MAX_LEAVES`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        check_leaf_count(self.leaves.len() as u64)?;
        archive::pack(&self.files()?)
    }

    /// Every file by its path.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
        let entry = Entry::parse(&self.entry.commit)?;
        let key = entry.signature().key();
        let signer = format!("{} namespaces=\"git\" {key}\n", entry.author());
        let mut files = BTreeMap::from([
            ("READ-ME.txt".to_owned(), recipes::text(&entry).into_bytes()),
            ("allowed_signers".to_owned(), signer.into_bytes()),
            ("signer.pem".to_owned(), key.to_spki_pem().into_bytes()),
            ("checkpoint".to_owned(), self.checkpoint.clone().into_bytes()),
            ("entry.leaf".to_owned(), entry.leaf().to_text().into_bytes()),
            ("entry.tlog-proof".to_owned(), self.proof(&entry)?.into_bytes()),
            ("leaves".to_owned(), registry::leaves_text(&self.leaves).into_bytes()),
            ("policy.toml".to_owned(), self.policy_in_force(entry.leaf().seq)),
        ]);
        let registered = self.registry.iter().map(|(seq, stored)| (format!("registry/{seq}"), stored));
        let named = [("entry".to_owned(), &self.entry), ("genesis".to_owned(), &self.genesis)];
        for (directory, stored) in named.into_iter().chain(registered) {
            files.insert(format!("{directory}/commit"), stored.commit.clone());
            let below =
                stored.files.iter().map(|(path, bytes)| (format!("{directory}/{path}"), bytes.clone()));
            files.extend(below);
        }
        Ok(files)
    }

    /// The entry's place under the checkpoint, which follows from the leaves.
    fn proof(&self, entry: &Entry) -> Result<String, BundleError> {
        let hashes: Vec<Digest> = self.leaves.iter().map(Leaf::hash).collect();
        let index = entry.leaf().seq;
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let hashes = merkle::inclusion_proof(&hashes, at).ok_or(BundleError::Missing("leaves"))?;
        let extra = Some(entry.leaf().to_text().into_bytes());
        Ok(InclusionProof { extra, index, hashes, checkpoint: self.checkpoint.clone() }.to_text())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Everything but the one form of its parts.
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        let mut files = archive::unpack(bytes)?;
        let mut take = |path: &'static str| files.remove(path).ok_or(BundleError::Missing(path));
        let leaves = registry::read_leaves(&String::from_utf8_lossy(&take("leaves")?))?;
        let checkpoint = String::from_utf8_lossy(&take("checkpoint")?).into_owned();
        let entry = stored("entry/", &mut files)?;
        let genesis = stored("genesis/", &mut files)?;
        let mut registry = BTreeMap::new();
        for seq in positions(&files) {
            registry.insert(seq, stored(&format!("registry/{seq}/"), &mut files)?);
        }
        let bundle = Bundle { checkpoint, entry, genesis, leaves, registry };
        archive::same(&bundle.to_bytes()?, bytes).map(|()| bundle)
    }
}

/// The positions that have a directory in the registry.
fn positions(files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<u64> {
    let directories = files.keys().filter_map(|path| path.strip_prefix("registry/")?.split('/').next());
    directories.filter_map(|name| name.parse().ok()).collect()
}

/// The entry whose files stand below a directory.
fn stored(directory: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<StoredEntry, BundleError> {
    let mut own = BTreeMap::new();
    files.retain(|path, bytes| match path.strip_prefix(directory) {
        Some(below) => {
            own.insert(below.to_owned(), std::mem::take(bytes));
            false
        }
        None => true,
    });
    let commit = own.remove("commit").ok_or(BundleError::Missing("commit"))?;
    // Git's name for it is a place in a repository, and here is none.
    Ok(StoredEntry { oid: directory.trim_end_matches('/').to_owned(), commit, files: own })
}
