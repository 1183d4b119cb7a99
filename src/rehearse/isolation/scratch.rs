//! The run's scratch directory: fresh, private, gone afterwards.
//!
//! Owns: its layout, and that nothing of it stays behind. Must not: be on a path with a symbolic link in it.
//!
//! ```text
//! <parent>/fix7-rehearsal-XXXXXX/   0700
//!   clone/      the only place that a confined child can touch
//!   kept/       the rehearsal's snapshots
//!   outside/    secret, victim, socket: what the control child reaches and a confined child does not
//!   root/       where level 3 mounts its root
//!   lock        held while the run lives; a later run removes the directories of runs that were killed
//! ```

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::IsolationError;
use super::wire::Setup;

/// Every scratch directory's name starts so.
const PREFIX: &str = "fix7-rehearsal-";
/// Most directories looked at for left-overs: a crowded /tmp must not hold up a run.
const MAX_LOOKED_AT: usize = 10_000;

/// How long a removal is tried again: children that were killed with their parent may still be ending.
const ENDING: Duration = Duration::from_secs(5);
/// How long to wait between.
const PAUSE: Duration = Duration::from_millis(2);

/// The layout as the children see it.
impl Setup {
    pub(super) fn clone_directory(&self) -> PathBuf {
        self.scratch.join("clone")
    }
    pub(super) fn outside(&self) -> PathBuf {
        self.scratch.join("outside")
    }
    pub(super) fn root(&self) -> PathBuf {
        self.scratch.join("root")
    }
    /// A name in `directory` that is this child's alone.
    pub(super) fn made(&self, directory: &Path) -> PathBuf {
        directory.join(format!("probe-{}", self.nonce))
    }
}

/// Whether a path has the name of a scratch directory: nothing else is ever removed.
pub(super) fn is_scratch_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// Removes a scratch directory, with some patience. One that is gone already is fine.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match fs::remove_dir_all(directory) {
            Err(error) if fs::symlink_metadata(directory).is_ok() => {
                if begun.elapsed() > ENDING {
                    return Err(error);
                }
                std::thread::sleep(PAUSE);
            }
            _ => return Ok(()),
        }
    }
}

/// The directory, with the lock that shows that its run lives.
pub(super) struct Scratch {
    directory: PathBuf,
    /// Held until after the directory is gone.
    _lock: File,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IsolationError {
    move |error| IsolationError::Io { what: format!("{what} {}", path.display()), error }
}

impl Scratch {
    /// Makes the directory in `parent`, and removes what killed runs left there.
    pub(super) fn new(parent: &Path, secret: &str) -> Result<Scratch, IsolationError> {
        // The children get the path as text, and compare it: no link may stand in it.
        let parent = fs::canonicalize(parent).map_err(failed("finding", parent))?;
        sweep(&parent);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(failed("making a directory in", &parent))?;
        let lock_path = directory.path().join("lock");
        let lock = File::create(&lock_path).map_err(failed("making", &lock_path))?;
        lock.lock().map_err(failed("locking", &lock_path))?;
        let scratch = Scratch { directory: directory.keep(), _lock: lock };
        let path = scratch.path();
        for name in ["clone", "outside", "root"] {
            let place = path.join(name);
            DirBuilder::new().mode(0o700).create(&place).map_err(failed("making", &place))?;
        }
        for (name, text) in [("secret", secret), ("victim", "")] {
            let place = path.join("outside").join(name);
            fs::write(&place, text).map_err(failed("writing", &place))?;
        }
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Removes everything, and tells if that failed.
    pub(super) fn remove(self) -> Result<(), IsolationError> {
        remove(&self.directory).map_err(failed("removing", &self.directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove(&self.directory); // nobody to tell; the next run tries again
    }
}

/// Removes the directories of runs that are over: nobody holds their lock. Failures are left to the next run.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    let me = rustix::process::geteuid().as_raw();
    for entry in entries.take(MAX_LOOKED_AT).flatten() {
        let path = entry.path();
        let mine = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && found.uid() == me);
        if !mine || !is_scratch_name(&path) {
            continue;
        }
        let Ok(lock) = File::open(path.join("lock")) else { continue };
        match lock.try_lock() {
            // A run that is just starting has made the file and not yet locked it, or not yet made its directories.
            Ok(()) if path.join("outside").join("victim").exists() => {
                let _ = fs::remove_dir_all(&path);
            }
            Ok(()) | Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}
