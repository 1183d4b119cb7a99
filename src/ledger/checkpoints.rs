//! The checkpoint that this clone made or collected, and what contradicts it.
//!
//! Owns: `fix7-ledger/checkpoints/` and the signed halves in `fix7-ledger/forks/` of the common directory. Must not:
//! check a signature: `tlog` does.
//!
//! ```text
//! checkpoints/main     the newest signed checkpoint, with the cosignatures that were added
//! forks/main-5-<digest>.checkpoint     a signed checkpoint that contradicts the history here; never overwritten
//! ```

use std::path::PathBuf;

use super::durable::{create_directories, replace};
use super::error::Result;
use super::lock::HostLock;
use super::repository::{LedgerRef, Repository, read_text};
use crate::digest::Digest;

impl Repository {
    /// The checkpoint that is kept for a ledger.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn kept_checkpoint(&self, ledger: &LedgerRef) -> Result<Option<String>> {
        let text = read_text(&self.checkpoint_file(ledger))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Keeps a checkpoint in the place of the one before, durably.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_checkpoint(&self, _lock: &HostLock, ledger: &LedgerRef, text: &str) -> Result<()> {
        let path = self.checkpoint_file(ledger);
        create_directories(path.parent().unwrap_or(&path))?;
        replace(&path, 0o644, text.as_bytes())
    }

    /// Keeps a signed checkpoint that contradicts the history here. Gives the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_contradiction(&self, ledger: &LedgerRef, size: u64, text: &str) -> Result<PathBuf> {
        let directory = self.notes_dir().join("forks");
        let digest = Digest::of(text.as_bytes()).short();
        let path = directory.join(format!("{}-{size}-{digest}.checkpoint", ledger.name()));
        create_directories(&directory)?;
        if !path.exists() {
            replace(&path, 0o644, text.as_bytes())?;
        }
        Ok(path)
    }

    fn checkpoint_file(&self, ledger: &LedgerRef) -> PathBuf {
        self.notes_dir().join("checkpoints").join(ledger.name())
    }
}
