//! The source: the database as given. Its files are read and never opened with SQLite, which would leave
//! `-wal` and `-shm` files beside it even when it only reads.
//!
//! Owns: finding the file set, refusing what is not a database at rest or in use on this machine, and the
//! proof that a copy is one state of it. Must not: write anywhere near it; parse anything but headers.
//!
//! A copy is one state of the source when a second reading of every file, begun after the first one
//! ended, gives the same bytes: each byte then had its value at the moment between the two. So no lock is
//! needed (a POSIX lock would fall with the first close of any other handle), and a writer that goes
//! on is found out.
//!
//! ```text
//! main       orders.db            the first 16 bytes say SQLite, or it is empty
//! -wal       orders.db-wal        copied: it may hold every committed row
//! -journal   orders.db-journal    copied: a hot one must be played back in the clone
//! -shm       orders.db-shm        an index of the WAL, rebuilt by whoever opens it: not copied
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::bytes::{self, FileSetDigest};
use super::error::RehearseError;
use crate::digest::Digest;
use crate::verdict::{Code, Reason};

/// How often a source that changes under the copy is tried again.
pub const ATTEMPTS: u32 = 5;
/// The first bytes of every SQLite database that is not empty.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The first bytes of a rollback journal that may be hot, and the last of one that names a super-journal.
pub(super) const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Bytes of a WAL that holds nothing but its header.
const WAL_HEADER_BYTES: u64 = 32;

/// A database as given.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its real path: no component is a link.
    pub path: PathBuf,
    directory: PathBuf,
    name: OsString,
}

/// A copy that is one state of the source.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The digests of what was read.
    pub set: FileSetDigest,
    /// A hot journal or a WAL with content came along.
    pub recovered: bool,
}

impl Source {
    /// Finds the database at `path`. Its last component may not be a link.
    ///
    /// # Errors
    /// `PATH_FORBIDDEN` for links and whatever is not a plain file, `UNREADABLE` for the rest.
    pub fn find(path: &Path) -> Result<Source, RehearseError> {
        let name = path.file_name().ok_or_else(|| forbidden(path, "not the name of a file"))?.to_owned();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = parent.canonicalize().map_err(|e| RehearseError::file(path, "the source", &e))?;
        let source = Source { path: directory.join(&name), directory, name };
        let mut main = source.part("")?.ok_or_else(|| {
            RehearseError::file(path, "the source", &io::Error::from(io::ErrorKind::NotFound))
        })?;
        let mut head = Vec::new();
        let read = main.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head);
        read.map_err(|e| RehearseError::file(path, "the source", &e))?;
        // An empty file is an empty database.
        if !head.is_empty() && head != MAGIC {
            return Err(RehearseError::refused(Code::Unreadable, path.display(), "not an SQLite database"));
        }
        Ok(source)
    }

    /// Opens one file of the set, if it is there.
    fn part(&self, suffix: &str) -> Result<Option<File>, RehearseError> {
        let path = with_suffix(&self.path, suffix);
        // NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(forbidden(&path, "a symbolic link")),
            Err(errno) => return Err(RehearseError::file(&path, "the source", &io::Error::from(errno))),
        };
        let facts = file.metadata().map_err(|e| RehearseError::file(&path, "the source", &e))?;
        match facts.is_file() {
            true => Ok(Some(file)),
            false => Err(forbidden(&path, "not a plain file")),
        }
    }

    /// Bytes of the whole set.
    ///
    /// # Errors
    /// A file cannot be looked at.
    pub fn size(&self) -> Result<u64, RehearseError> {
        let mut size = 0;
        for suffix in bytes::SUFFIXES {
            if let Some(file) = self.part(suffix)? {
                size += file.metadata().map_err(|e| RehearseError::file(&self.path, "the source", &e))?.len();
            }
        }
        Ok(size)
    }

    /// The names beside the source that begin with its own, sorted.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn listing(&self) -> Result<Vec<String>, RehearseError> {
        names_beside(&self.directory, &self.name)
    }

    /// Digests the set as it is now.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self) -> Result<FileSetDigest, RehearseError> {
        FileSetDigest::of(&self.path).map_err(|e| RehearseError::file(&self.path, "the source", &e))
    }

    /// Copies the set so that the copy's main file is `clone`, and proves that the copy is one state.
    ///
    /// # Errors
    /// `SOURCE_CHANGED` where every attempt met a writer.
    pub fn copy_to(&self, clone: &Path) -> Result<Copied, RehearseError> {
        let mut seen = None;
        for _ in 0..ATTEMPTS {
            let names = self.listing()?;
            let copied = self.copy_once(clone)?;
            let again = self.digest()?;
            if copied.set == again && self.listing()? == names {
                return Ok(copied);
            }
            seen = Some((copied.set.set, again.set));
        }
        let (first, second) = seen.expect("at least one attempt was made");
        Err(self.changed(first, second))
    }

    /// The source is not what it was.
    pub(super) fn changed(&self, first: Digest, second: Digest) -> RehearseError {
        let reason = Reason::new(Code::SourceChanged, self.path.display());
        RehearseError::new(reason.values(first.short(), second.short()))
    }

    fn copy_once(&self, clone: &Path) -> Result<Copied, RehearseError> {
        let mut recovered = false;
        for suffix in bytes::SUFFIXES {
            let to = with_suffix(clone, suffix);
            remove(&to)?;
            if let Some(mut file) = self.part(suffix)? {
                recovered |= self.has_content(suffix, &mut file)?;
            }
        }
        let set = bytes::copy_and_digest(&self.path, clone)
            .map_err(|e| RehearseError::file(&self.path, "cannot be copied", &e))?;
        Ok(Copied { set, recovered })
    }

    /// Whether a side file holds something that must be played in.
    fn has_content(&self, suffix: &str, file: &mut File) -> Result<bool, RehearseError> {
        let failed = |e: io::Error| RehearseError::file(&self.path, "the source", &e);
        let length = file.metadata().map_err(failed)?.len();
        if suffix == "-wal" {
            return Ok(length > WAL_HEADER_BYTES);
        }
        if suffix != "-journal" || length < JOURNAL_MAGIC.len() as u64 {
            return Ok(false);
        }
        let mut eight = [0; JOURNAL_MAGIC.len()];
        file.read_exact(&mut eight).map_err(failed)?;
        if eight != JOURNAL_MAGIC {
            return Ok(false);
        }
        file.seek(SeekFrom::End(-(JOURNAL_MAGIC.len() as i64))).map_err(failed)?;
        file.read_exact(&mut eight).map_err(failed)?;
        if eight == JOURNAL_MAGIC {
            // Whether it is hot depends on a file elsewhere: without that file SQLite would keep half a
            // transaction in the clone.
            let found = "its journal is a part of a transaction over several databases";
            return Err(RehearseError::refused(Code::Unreadable, self.path.display(), found));
        }
        Ok(true)
    }
}

fn forbidden(path: &Path, found: &str) -> RehearseError {
    RehearseError::refused(Code::PathForbidden, path.display(), found)
}

/// Sorted names in `directory` that begin with `name`.
pub(super) fn names_beside(directory: &Path, name: &OsStr) -> Result<Vec<String>, RehearseError> {
    let failed = |e: io::Error| RehearseError::file(directory, "cannot be listed", &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?.file_name();
        if entry.as_bytes().starts_with(name.as_bytes()) {
            names.push(entry.to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The path of a side file.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), RehearseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RehearseError::file(path, "cannot be removed", &error))
        }
        _ => Ok(()),
    }
}
