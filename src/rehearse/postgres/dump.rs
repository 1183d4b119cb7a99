//! A dump as given: its format, its digest, and why it is not production.
//!
//! Owns: telling a dump from a live server and from a physical copy, and the copy that the walls hold. Must not: open
//! a database; run anything.
//!
//! ```text
//! custom      a file that begins with PGDMP             pg_dump -Fc
//! directory   a directory with toc.dat                  pg_dump -Fd
//! plain       any other file of text                    pg_dump -Fp
//! refused     a connection string · a directory with PG_VERSION or global/pg_control · links
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::cluster::is_data_directory;
use crate::digest::{Digest, Hasher};
use crate::evidence::lock::FileFacts;
use crate::rehearse::RehearseError;
use crate::verdict::Code;

/// The first bytes of a dump in the custom format.
const CUSTOM_MAGIC: &[u8; 5] = b"PGDMP";
/// Files in a dump of the directory format at most: a table each, and large objects.
const MAX_FILES: usize = 100_000;

pub use crate::evidence::lock::DumpFormat as Format;

/// A dump as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Its path, without links above the last component.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
}

/// The digests of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpDigest {
    /// Over all files.
    pub set: Digest,
    /// By name; `dump` where it is one file.
    pub files: BTreeMap<String, FileFacts>,
}

/// Refuses what is no dump before anything is opened: the name of a server that lives.
///
/// # Errors
/// `PRODUCTION_TARGET`.
pub fn refuse_live(name: &str) -> Result<(), RehearseError> {
    let lower = name.trim().to_ascii_lowercase();
    let url = lower.starts_with("postgres://") || lower.starts_with("postgresql://");
    let pairs = ["host=", "hostaddr=", "dbname=", "service=", "user=", "port="];
    let keyed = lower.split_ascii_whitespace().any(|word| pairs.iter().any(|pair| word.starts_with(pair)));
    if url || keyed {
        // The string may hold a password: it is not repeated.
        let found = "a connection string: a rehearsal never connects to a server that lives, give it a dump";
        return Err(RehearseError::refused(Code::ProductionTarget, "--dump", found));
    }
    Ok(())
}

impl Dump {
    /// Finds the dump at `path` and tells its format.
    ///
    /// # Errors
    /// `PRODUCTION_TARGET` for a data directory, `PATH_FORBIDDEN` for links, `UNREADABLE`.
    pub fn find(path: &Path) -> Result<Dump, RehearseError> {
        refuse_live(&path.to_string_lossy())?;
        let failed = |e: io::Error| RehearseError::file(path, "the dump", &e);
        let facts = fs::symlink_metadata(path).map_err(failed)?;
        if facts.file_type().is_symlink() {
            return Err(RehearseError::refused(Code::PathForbidden, path.display(), "a symbolic link"));
        }
        let path = path.canonicalize().map_err(failed)?;
        if facts.is_dir() {
            if is_data_directory(&path) {
                let found = "a data directory: a physical copy has the system identifier of the cluster that it was taken from; give a dump (pg_dump)";
                return Err(RehearseError::refused(Code::ProductionTarget, path.display(), found));
            }
            if !path.join("toc.dat").is_file() {
                return Err(RehearseError::refused(
                    Code::Unreadable,
                    path.display(),
                    "no dump: there is no toc.dat in it",
                ));
            }
            return Ok(Dump { path, format: Format::Directory });
        }
        let mut head = Vec::new();
        open(&path)?.take(CUSTOM_MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let format = if head == CUSTOM_MAGIC { Format::Custom } else { Format::Plain };
        Ok(Dump { path, format })
    }

    /// Name and path of each file, sorted by name.
    fn files(&self) -> Result<Vec<(String, PathBuf)>, RehearseError> {
        if self.format != Format::Directory {
            return Ok(vec![("dump".to_owned(), self.path.clone())]);
        }
        let failed = |e: io::Error| RehearseError::file(&self.path, "the dump", &e);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name =
                entry.file_name().into_string().map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
            files.push((name, entry.path()));
            if files.len() > MAX_FILES {
                return Err(RehearseError::refused(
                    Code::LimitExceeded,
                    self.path.display(),
                    format!("more than {MAX_FILES} files"),
                ));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Bytes of the whole dump.
    ///
    /// # Errors
    /// A file cannot be looked at.
    pub fn size(&self) -> Result<u64, RehearseError> {
        self.files()?.iter().try_fold(0u64, |sum, (_, path)| {
            let facts = open(path)?.metadata().map_err(|e| RehearseError::file(path, "the dump", &e))?;
            Ok(sum.saturating_add(facts.len()))
        })
    }

    /// Digests every file.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self) -> Result<DumpDigest, RehearseError> {
        self.each(|_, file| Digest::of_reader(file))
    }

    /// Copies the dump to `to` and digests what was copied.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn copy_to(&self, to: &Path) -> Result<DumpDigest, RehearseError> {
        if self.format == Format::Directory {
            let made = fs::DirBuilder::new().mode(0o700).create(to);
            made.map_err(|e| RehearseError::file(to, "cannot be made", &e))?;
        }
        self.each(|name, mut file| {
            let to = if self.format == Format::Directory { to.join(name) } else { to.to_owned() };
            let mut copy = File::create_new(&to)?;
            io::copy(&mut file, &mut copy)?;
            Digest::of_reader(File::open(&to)?)
        })
    }

    fn each(
        &self,
        mut digest: impl FnMut(&str, File) -> io::Result<(Digest, u64)>,
    ) -> Result<DumpDigest, RehearseError> {
        let mut files = BTreeMap::new();
        let mut hasher = Hasher::labelled("fix7/dump/set/v1");
        for (name, path) in self.files()? {
            let (sha256, size) =
                digest(&name, open(&path)?).map_err(|e| RehearseError::file(&path, "the dump", &e))?;
            hasher.framed(name.as_bytes());
            hasher.update(sha256.as_bytes());
            hasher.update(&size.to_be_bytes());
            files.insert(name, FileFacts { sha256, size });
        }
        Ok(DumpDigest { set: hasher.finish(), files })
    }
}

/// Opens a plain file that is no link.
fn open(path: &Path) -> Result<File, RehearseError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    let file = file.map_err(|e| RehearseError::file(path, "the dump", &io::Error::from(e)))?;
    match file.metadata().is_ok_and(|facts| facts.is_file()) {
        true => Ok(file),
        false => Err(RehearseError::refused(Code::PathForbidden, path.display(), "not a plain file")),
    }
}
