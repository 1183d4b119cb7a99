//! Stands in for `bytes` until it is here.
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::source::with_suffix;
use crate::digest::{Digest, Hasher};
use crate::evidence::lock::FileFacts;

/// Suffixes.
pub const SUFFIXES: [&str; 3] = ["", "-wal", "-journal"];

/// Digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSetDigest {
    /// Over the set.
    pub set: Digest,
    /// Each.
    pub files: BTreeMap<String, FileFacts>,
}

impl FileSetDigest {
    /// Of the set.
    ///
    /// # Errors
    /// io.
    pub fn of(main: &Path) -> io::Result<FileSetDigest> {
        let mut files = BTreeMap::new();
        for (suffix, role) in SUFFIXES.into_iter().zip(["main", "wal", "journal"]) {
            match std::fs::File::open(with_suffix(main, suffix)) {
                Ok(file) => {
                    let (sha256, size) = Digest::of_reader(file)?;
                    files.insert(role.to_owned(), FileFacts { sha256, size });
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let mut h = Hasher::labelled("fix7.bytes.v1");
        for (name, f) in &files {
            h.framed(name.as_bytes());
            h.update(&f.size.to_be_bytes());
            h.update(f.sha256.as_bytes());
        }
        Ok(FileSetDigest { set: h.finish(), files })
    }
}

/// Copies.
///
/// # Errors
/// io.
pub fn copy_and_digest(from: &Path, to: &Path) -> io::Result<FileSetDigest> {
    for suffix in SUFFIXES {
        match std::fs::File::open(with_suffix(from, suffix)) {
            Ok(mut file) => {
                let _ = std::fs::remove_file(with_suffix(to, suffix));
                let mut out = std::fs::File::create_new(with_suffix(to, suffix))?;
                io::copy(&mut file, &mut out)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    FileSetDigest::of(to)
}
