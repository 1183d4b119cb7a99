//! The room: where the clone lies, and who is asked about it.
//!
//! Owns: one fresh confined process per question, and the files of the clone as the parent sees them.
//! Must not: open the clone with SQLite; that is for the confined process alone.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bytes::FileSetDigest;
use super::child::{Answer, Question};
use super::error::RehearseError;
use super::source::{remove, with_suffix};
use crate::digest::Digest;
use crate::verdict::Code;

/// The clone's main file.
pub const CLONE: &str = "clone.db";
/// Every file that SQLite may leave beside a main file.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// A confined process that says nothing for this long beyond the plan's own limit is lost.
const GRACE: Duration = Duration::from_secs(60);
/// Bytes of the clone that a confined process reads in a second, on the slowest machine that counts.
const BYTES_A_SECOND: u64 = 1 << 20;

/// Whoever answers questions in a process of its own.
pub trait Asks {
    /// Starts a fresh process, asks it, and ends it.
    ///
    /// # Errors
    /// The process cannot be started, or does not answer in time.
    fn ask(&mut self, question: &Question, patience: Duration) -> Result<Answer, RehearseError>;
}

/// The clone's directory, the snapshots' directory, and the process that may touch the first.
pub struct Room<'a> {
    asks: &'a mut dyn Asks,
    /// The clone's directory, all that a confined process can reach.
    pub directory: PathBuf,
    /// Where snapshots lie: on the same file system, out of the confined process's reach.
    pub kept: PathBuf,
    /// The plan's limit for one script.
    pub limit: Duration,
}

impl<'a> Room<'a> {
    /// A room over two directories that exist.
    pub fn new(asks: &'a mut dyn Asks, directory: &Path, kept: &Path, limit: Duration) -> Room<'a> {
        Room { asks, directory: directory.to_owned(), kept: kept.to_owned(), limit }
    }

    /// The clone's main file.
    pub fn clone_path(&self) -> PathBuf {
        self.directory.join(CLONE)
    }

    /// The snapshot's main file.
    pub fn snapshot_path(&self) -> PathBuf {
        self.kept.join("snapshot.db")
    }

    /// Asks a fresh confined process.
    ///
    /// # Errors
    /// See [`Asks::ask`].
    pub fn ask(&mut self, question: &Question) -> Result<Answer, RehearseError> {
        let size = self.clone_path().metadata().map_or(0, |facts| facts.len());
        let reading = Duration::from_secs(size / BYTES_A_SECOND);
        self.asks.ask(question, self.limit + GRACE + reading)
    }

    /// Sorted names in the clone's directory.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, RehearseError> {
        super::source::names_beside(&self.directory, "".as_ref())
    }

    /// Digests the clone's files. At rest there is the main file alone.
    ///
    /// # Errors
    /// A file cannot be read, or a side file shows that the clone is not at rest.
    pub fn bytes(&self) -> Result<Digest, RehearseError> {
        self.at_rest()?;
        digest_of(&self.clone_path())
    }

    /// Demands that no side file lies beside the clone: the main file alone would not be its state.
    ///
    /// # Errors
    /// One is there.
    pub fn at_rest(&self) -> Result<(), RehearseError> {
        match self.sidecars().first() {
            None => Ok(()),
            Some(name) => {
                let found = format!("{name} is left behind: the clone is not at rest");
                Err(RehearseError::refused(Code::Unreadable, "the clone", found))
            }
        }
    }

    /// Names of side files beside the clone.
    pub fn sidecars(&self) -> Vec<String> {
        let left = |suffix: &&str| with_suffix(&self.clone_path(), suffix).symlink_metadata().is_ok();
        SIDE_FILES.into_iter().filter(left).map(|suffix| format!("{CLONE}{suffix}")).collect()
    }

    /// Takes the snapshot: a copy of the clone at rest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take_snapshot(&self) -> Result<Digest, RehearseError> {
        let to = self.snapshot_path();
        let copied = super::bytes::copy_and_digest(&self.clone_path(), &to);
        let set = copied.map_err(|e| RehearseError::file(&to, "the snapshot cannot be written", &e))?;
        sync(&to)?;
        Ok(set.set)
    }

    /// Puts the snapshot back by replacing the file set: the old files go first, so that no stale WAL or
    /// journal is played into it. Gives the digest of what was put back.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn restore(&self) -> Result<Digest, RehearseError> {
        let path = self.clone_path();
        let fresh = self.directory.join("restored.db");
        let digest = self.snapshot_beside(&fresh)?;
        for suffix in SIDE_FILES {
            remove(&with_suffix(&path, suffix))?;
        }
        fs::rename(&fresh, &path).map_err(|e| RehearseError::file(&path, "cannot be restored", &e))?;
        sync(&self.directory)?;
        Ok(digest)
    }

    /// Copies the snapshot to a name in the clone's directory, where a confined process can read it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn snapshot_beside(&self, to: &Path) -> Result<Digest, RehearseError> {
        let copied = super::bytes::copy_and_digest(&self.snapshot_path(), to);
        let set = copied.map_err(|e| RehearseError::file(to, "cannot be written", &e))?;
        sync(to)?;
        Ok(set.set)
    }
}

/// Makes the directory that snapshots lie in, beside the clone's: it goes with the run's directory even where this process
/// is killed, and confined processes see the clone's directory alone.
///
/// # Errors
/// It cannot be made.
pub(super) fn kept_beside(clone_directory: &Path) -> Result<PathBuf, RehearseError> {
    let kept = clone_directory.with_file_name("kept");
    let made = fs::DirBuilder::new().mode(0o700).create(&kept);
    made.map_err(|e| RehearseError::file(&kept, "no scratch directory can be made", &e))?;
    Ok(kept)
}

/// The digest of a file set.
pub(super) fn digest_of(path: &Path) -> Result<Digest, RehearseError> {
    let set = FileSetDigest::of(path).map_err(|e| RehearseError::file(path, "the clone", &e))?;
    Ok(set.set)
}

/// Flushes a file or a directory to the disk.
fn sync(path: &Path) -> Result<(), RehearseError> {
    let done: io::Result<()> = fs::File::open(path).and_then(|file| file.sync_all());
    done.map_err(|e| RehearseError::file(path, "cannot be flushed", &e))
}
