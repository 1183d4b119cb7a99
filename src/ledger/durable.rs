//! Writing files so that they are on the disk when the call returns.
//!
//! ```text
//! temporary file in the same directory ─► write ─► fsync ─► rename ─► fsync of the directory
//! ```

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::error::{At as _, Result};

/// Flushes a directory, so that the names in it are on the disk.
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|d| d.sync_all()).at("flush the directory", directory)
}

/// Flushes a file that somebody else wrote.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).at("flush", path)
}

/// Makes a directory with its parents, and flushes each parent that got a new name.
pub(crate) fn create_directories(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        // The parent of a name alone is where the process stands.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        create_directories(parent)?;
        match fs::create_dir(directory) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(e).at("make the directory", directory);
            }
            _ => sync_directory(parent)?,
        }
    }
    Ok(())
}

/// A file that is written and flushed, but does not have its name yet. Dropped: it is removed.
pub(crate) struct Pending {
    file: tempfile::NamedTempFile,
}

impl Pending {
    /// Writes and flushes `bytes` beside where they will stand. `prefix`: git removes `tmp_…` files by itself.
    pub(crate) fn write(directory: &Path, prefix: &str, mode: u32, bytes: &[u8]) -> Result<Pending> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = builder.tempfile_in(directory).at("make a temporary file in", directory)?;
        let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
        written.at("write", file.path())?;
        Ok(Pending { file })
    }

    /// Gives the file its name, over a file that is there. The directory is not flushed yet.
    pub(crate) fn persist(self, path: &Path) -> Result<()> {
        self.file.persist(path).map(drop).map_err(|e| e.error).at("rename to", path)
    }
}

/// Replaces a file: after a crash there is the old one or the new one.
pub(crate) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    Pending::write(directory, "tmp_", mode, bytes)?.persist(path)?;
    sync_directory(directory)
}
