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
//! genesis/…           the first entry: the key registry, the first policy     genesis.tlog-proof
//! policy.toml         the policy in force
//! ```
//!
//! It is a tar file (ustar) without times and owners, sorted by path. Everything that is not an entry or a proof is
//! derived from them again and compared, so there is one valid byte string for one bundle: no text can hide in it.
//!
//! ```
//! use fix7_ledger::bundle::{Bundle, BundleError};
//! assert!(matches!(Bundle::parse(b"no bundle"), Err(BundleError::Archive(_) | BundleError::Missing(_))));
//! ```

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::entry::{Entry, EntryError, StoredEntry};
use crate::tlog::TlogError;
use crate::tlog::proof::InclusionProof;
use crate::verdict::Code;

pub mod archive;
mod examine;
mod recipes;

pub use examine::{Examined, Judge};
pub use recipes::{RECIPES, Recipe};

/// Largest bundle in bytes: two entries of the largest size, and a proof. Stops a file that fills the memory.
pub const MAX_BYTES: u64 = 160 << 20;
/// Most files. Stops an archive of nothing but names.
pub const MAX_FILES: usize = 2048;

/// One entry with everything that shows where it stands and who may have signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The signed checkpoint with its cosignatures.
    pub checkpoint: String,
    /// The entry.
    pub entry: StoredEntry,
    /// The hashes from the entry to the checkpoint's root.
    pub hashes: Vec<Digest>,
    /// The first entry.
    pub genesis: StoredEntry,
    /// The hashes from the first entry to the checkpoint's root.
    pub genesis_hashes: Vec<Digest>,
    /// The policy in force before the entry.
    pub policy: Vec<u8>,
}

/// Why a file is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Over [`MAX_BYTES`] or [`MAX_FILES`].
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

impl Bundle {
    /// The file.
    ///
    /// # Errors
    /// A commit that is no entry's, a path that no archive can hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        archive::pack(&self.files()?)
    }

    /// Every file by its path.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
        let entry = Entry::parse(&self.entry.commit)?;
        let genesis = Entry::parse(&self.genesis.commit)?;
        let key = entry.signature().key();
        let signer = format!("{} namespaces=\"git\" {key}\n", entry.author());
        let mut files = BTreeMap::from([
            ("READ-ME.txt".to_owned(), recipes::text(&entry).into_bytes()),
            ("allowed_signers".to_owned(), signer.into_bytes()),
            ("signer.pem".to_owned(), key.to_spki_pem().into_bytes()),
            ("checkpoint".to_owned(), self.checkpoint.clone().into_bytes()),
            ("entry.leaf".to_owned(), entry.leaf().to_text().into_bytes()),
            ("entry.tlog-proof".to_owned(), self.proof(&entry, &self.hashes).into_bytes()),
            ("genesis.tlog-proof".to_owned(), self.proof(&genesis, &self.genesis_hashes).into_bytes()),
            ("policy.toml".to_owned(), self.policy.clone()),
        ]);
        for (directory, stored) in [("entry", &self.entry), ("genesis", &self.genesis)] {
            files.insert(format!("{directory}/commit"), stored.commit.clone());
            let below =
                stored.files.iter().map(|(path, bytes)| (format!("{directory}/{path}"), bytes.clone()));
            files.extend(below);
        }
        Ok(files)
    }

    fn proof(&self, entry: &Entry, hashes: &[Digest]) -> String {
        let extra = Some(entry.leaf().to_text().into_bytes());
        let checkpoint = self.checkpoint.clone();
        InclusionProof { extra, index: entry.leaf().seq, hashes: hashes.to_vec(), checkpoint }.to_text()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Everything but the one form of its parts.
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        let mut files = archive::unpack(bytes)?;
        let mut take = |path: &'static str| files.remove(path).ok_or(BundleError::Missing(path));
        let (proof, genesis_proof) = (take("entry.tlog-proof")?, take("genesis.tlog-proof")?);
        let hashes = |proof: &[u8]| InclusionProof::parse(&String::from_utf8_lossy(proof)).map(|p| p.hashes);
        let bundle = Bundle {
            checkpoint: String::from_utf8_lossy(&take("checkpoint")?).into_owned(),
            policy: take("policy.toml")?,
            hashes: hashes(&proof)?,
            genesis_hashes: hashes(&genesis_proof)?,
            entry: stored("entry/", &mut files)?,
            genesis: stored("genesis/", &mut files)?,
        };
        archive::same(&bundle.to_bytes()?, bytes).map(|()| bundle)
    }
}

/// The entry whose files stand below a directory.
fn stored(
    directory: &'static str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<StoredEntry, BundleError> {
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
