//! The host's lock: one appender at a time in one repository.
//!
//! An advisory lock on an open file: the system releases it when its holder ends, however it ends, so a
//! crash leaves no stale lock. Writers that do not know it (`git fetch`, `git push`) are met by the
//! compare-and-swap of the ref.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::durable::create_directories;
use super::error::{At as _, Error, Result};
use super::repository::Repository;
use crate::verdict::Code;

/// Time between two attempts. Appends take about 2 ms.
const POLL: Duration = Duration::from_millis(3);

/// The lock while it is held.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

impl Repository {
    /// Takes the host's lock, waiting up to `patience`.
    ///
    /// # Errors
    /// `LOCK_HELD` where somebody else holds it for longer.
    pub fn lock(&self, patience: Duration) -> Result<HostLock> {
        let directory = self.notes_dir();
        create_directories(&directory)?;
        lock_file(&directory.join("lock"), patience)
    }
}

/// Takes the lock on a file, made where it is missing, waiting up to `patience`.
pub(crate) fn lock_file(path: &Path, patience: Duration) -> Result<HostLock> {
    let file = File::options().create(true).truncate(false).write(true).open(path).at("open", path)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(HostLock { _file: file }),
            Err(TryLockError::Error(e)) => return Err(e).at("lock", path),
            Err(TryLockError::WouldBlock) if started.elapsed() >= patience => {
                let found = format_args!("held for more than {} ms", patience.as_millis());
                return Err(Error::found(Code::LockHeld, path.display(), found));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
        }
    }
}
