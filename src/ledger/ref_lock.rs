//! Moving a ledger's ref by compare-and-swap, so that it is on the disk when the call returns.
//!
//! Owns: git's own lock on a loose ref (`<ref>.lock`, made exclusively, renamed over the ref), and taking away
//! such a lock that a killed writer of this program left. Must not: touch a lock that is anybody else's.
//!
//! ```text
//! fix7-ledger/moving-main ─ flushed ─► linked as refs/heads/fix7-ledger/main.lock ─► tip = expected?
//!                         ─► main.lock renamed to main ─► fsync of the directory ─► moving-main removed
//! ```
//!
//! The lock is a second name of a file in the host's own notes. Only the holder of the host's lock makes such
//! a pair, so whoever holds that lock and finds one knows that its writer is dead: the lock is stale for certain
//! and goes. A lock file that stands alone was made by git or another program; it stays, and is told of.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::append::Step;
use super::durable::{Pending, create_directories, sync_directory, sync_file};
use super::error::{At as _, Error, Result};
use super::lock::HostLock;
use super::objects::Oid;
use super::repository::{LedgerRef, Repository};
use crate::verdict::Code;

/// How long another program's lock on the ref is waited for: git holds one for a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two attempts.
const POLL: Duration = Duration::from_millis(3);

impl Repository {
    /// Moves the ref from `expected` to `new`, on the disk when it returns.
    pub(crate) fn move_ref(
        &self,
        host: &HostLock,
        ledger: &LedgerRef,
        expected: Option<Oid>,
        new: Oid,
        at: &mut dyn FnMut(Step) -> Result<()>,
    ) -> Result<()> {
        let mut locked = match RefLock::take(self, host, ledger, new) {
            // Whoever holds the ref may have moved it already: then that is the news.
            Err(e) if e.code() == Code::LockHeld => return self.require_tip(ledger, expected).and(Err(e)),
            taken => taken?,
        };
        // Nobody that keeps to git's protocol moves the ref from here on.
        self.require_tip(ledger, expected)?;
        at(Step::RefLocked)?;
        locked.rename()?;
        at(Step::RefMoved)?;
        sync_directory(&locked.directory)
    }
}

/// The lock on one ref, with the new value in it. Dropped: it is taken away.
struct RefLock {
    directory: PathBuf,
    reference: PathBuf,
    lock: PathBuf,
    /// The same file's name in the host's notes.
    moving: PathBuf,
    /// Whether the lock stands, and is ours to take away.
    held: bool,
}

impl RefLock {
    fn take(repository: &Repository, _host: &HostLock, ledger: &LedgerRef, new: Oid) -> Result<RefLock> {
        let reference = repository.common_dir().join(ledger.as_str());
        let directory = reference.parent().unwrap_or(Path::new(".")).to_owned();
        let mut taken = RefLock {
            lock: directory.join(format!("{}.lock", ledger.name())),
            moving: repository.notes_dir().join(format!("moving-{}", ledger.name())),
            reference,
            directory,
            held: false,
        };
        taken.recover()?;
        create_directories(&repository.notes_dir())?;
        let value = format!("{new}\n");
        Pending::write(&repository.notes_dir(), "tmp_", 0o644, value.as_bytes())?.persist(&taken.moving)?;
        let started = Instant::now();
        loop {
            // Each time: git removes directories of refs that are empty.
            create_directories(&taken.directory)?;
            match taken.link(&value) {
                Ok(()) => {
                    taken.held = true;
                    return Ok(taken);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && started.elapsed() < PATIENCE => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    if started.elapsed() >= PATIENCE {
                        return Err(taken.held_by_another());
                    }
                    std::thread::sleep(POLL);
                }
                Err(e) => return Err(e).at("lock the ref with", &taken.lock),
            }
        }
    }

    /// Takes away what a killed writer left.
    fn recover(&self) -> Result<()> {
        let Some(left) = identity(&self.moving) else { return Ok(()) };
        if identity(&self.lock) == Some(left) {
            fs::remove_file(&self.lock).at("take away the stale lock", &self.lock)?;
        }
        fs::remove_file(&self.moving).at("remove", &self.moving)
    }

    fn link(&self, value: &str) -> io::Result<()> {
        match fs::hard_link(&self.moving, &self.lock) {
            Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Err(e),
            // A file system without second names: git's way. A killed writer's lock then is a person's to remove.
            Err(_) => {
                let mut file = fs::File::create_new(&self.lock)?;
                io::Write::write_all(&mut file, value.as_bytes())?;
                sync_file(&self.lock).map_err(io::Error::other)
            }
            linked => linked,
        }
    }

    fn rename(&mut self) -> Result<()> {
        // An empty directory of the ref's name is what git leaves of refs that were below it.
        let _ = fs::remove_dir(&self.reference);
        fs::rename(&self.lock, &self.reference).at("move the ref", &self.reference)?;
        self.held = false;
        Ok(())
    }

    fn held_by_another(&self) -> Error {
        let age = fs::symlink_metadata(&self.lock).and_then(|facts| facts.modified()).ok();
        let age = age.and_then(|written| written.elapsed().ok()).map_or(0, |age| age.as_secs());
        let found = format_args!(
            "another program's lock, {age} s old: where no git process is at work in this repository, it was \
             left by one that was killed, and `rm '{}'` mends it",
            self.lock.display()
        );
        Error::found(Code::LockHeld, self.lock.display(), found)
    }
}

impl Drop for RefLock {
    fn drop(&mut self) {
        if self.held {
            let _ = fs::remove_file(&self.lock);
        }
        let _ = fs::remove_file(&self.moving);
    }
}

/// Which file a name stands for.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let facts = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((facts.dev(), facts.ino()))
}
