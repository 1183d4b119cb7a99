//! The byte digest: plain SHA-256 of each file that makes up a SQLite database, and one over the set.
//!
//! Owns: which files those are, when their bytes stand for the content, and copying them. Must not: open a
//! database, or write beside the file that it reads.
//!
//! ```text
//! main      the database file
//! wal       its name and `-wal`, where it is there
//! journal   its name and `-journal`, where it is there
//! (-shm     never: an index of the wal, made anew by every reader)
//!
//! set = H(lp("fix7/bytes/set/v1") u64(files) {lp(name) sha256 u64(size)}…), names in ascending order;
//!       lp, u64 and H as in the row digest
//! ```
//!
//! A quiet database has no wal with content, and no journal that is hot (that is not empty, and not begun with
//! a zero byte: SQLite's own rule). Otherwise the main file alone has other content than the database.
//!
//! So `sha256sum FILE` checks each file without this program.
//!
//! ```
//! use fix7_ledger::{digest::Digest, rehearse::bytes};
//! let dir = tempfile::tempdir()?;
//! let file = dir.path().join("orders.db");
//! std::fs::write(&file, "bytes")?;
//! let set = bytes::quiet(&file)?;
//! assert_eq!(set.files["main"].sha256, Digest::of(b"bytes"));
//! std::fs::write(dir.path().join("orders.db-wal"), "more")?;
//! assert!(bytes::quiet(&file).is_err());
//! assert_ne!(bytes::FileSetDigest::of(&file)?.set, set.set);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::RowsError;
use super::source::with_suffix;
use crate::digest::{Digest, Hasher};
use crate::evidence::lock::FileFacts;

const SET: &str = "fix7/bytes/set/v1";
/// Bytes read at a time: they stay in the processor's cache while they are hashed.
const PIECE: usize = 256 << 10;
/// Pieces under way between the thread that copies and the one that hashes.
const PIECES: usize = 4;

/// What is added to the main file's name for each file of the set.
pub const SUFFIXES: [&str; 3] = ["", "-wal", "-journal"];

/// The digest of a database's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSetDigest {
    /// Over all files below.
    pub set: Digest,
    /// `main`, `wal` and `journal`, as far as they are there.
    pub files: BTreeMap<String, FileFacts>,
}

impl FileSetDigest {
    /// Digests the set as it is, with its log and its journal: what is done with a source before it is opened.
    ///
    /// # Errors
    /// A file cannot be read, is a link or no plain file, or there is no main file.
    pub fn of(main: &Path) -> io::Result<FileSetDigest> {
        each(main, |path, _| {
            let (sha256, size) = Digest::of_reader(open(path)?)?;
            Ok(FileFacts { sha256, size })
        })
    }

    fn new(files: BTreeMap<String, FileFacts>) -> FileSetDigest {
        let mut hasher = Hasher::labelled(SET);
        hasher.update(&(files.len() as u64).to_be_bytes());
        for (name, file) in &files {
            hasher.framed(name.as_bytes());
            hasher.update(file.sha256.as_bytes());
            hasher.update(&file.size.to_be_bytes());
        }
        FileSetDigest { set: hasher.finish(), files }
    }
}

/// Digests a database that is closed and whose write-ahead log is checkpointed away: its main file.
///
/// # Errors
/// [`RowsError::NotQuiet`] where a log with content or a hot journal stands beside it.
pub fn quiet(main: &Path) -> Result<FileSetDigest, RowsError> {
    for suffix in &SUFFIXES[1..] {
        let path = with_suffix(main, suffix);
        let size = content(&path, suffix).map_err(|e| RowsError::io(&path, &e))?;
        if size > 0 {
            return Err(RowsError::NotQuiet { file: path.display().to_string(), size });
        }
    }
    let (sha256, size) = open(main).and_then(Digest::of_reader).map_err(|e| RowsError::io(main, &e))?;
    Ok(FileSetDigest::new(BTreeMap::from([("main".to_owned(), FileFacts { sha256, size })])))
}

/// Copies the set as it is, so that its main file is `to`, durably, and digests what was copied. What stands
/// under the names of the copy is replaced. Where the file system can share the blocks, it does.
///
/// # Errors
/// A file cannot be read or written.
pub fn copy_and_digest(main: &Path, to: &Path) -> io::Result<FileSetDigest> {
    for suffix in SUFFIXES {
        match fs::remove_file(with_suffix(to, suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    each(main, |path, suffix| copy(path, &with_suffix(to, suffix)))
}

/// Bytes in a side file, if they count.
fn content(path: &Path, suffix: &str) -> io::Result<u64> {
    let file = match open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file?,
    };
    let mut first = [0];
    let any = file.read_at(&mut first, 0)? == 1;
    if any && (suffix == "-wal" || first != [0]) { Ok(file.metadata()?.len()) } else { Ok(0) }
}

fn each(
    main: &Path,
    mut digest: impl FnMut(&Path, &str) -> io::Result<FileFacts>,
) -> io::Result<FileSetDigest> {
    let mut files = BTreeMap::new();
    for suffix in SUFFIXES {
        match digest(&with_suffix(main, suffix), suffix) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
            facts => {
                let role = suffix.strip_prefix('-').unwrap_or("main");
                files.insert(role.to_owned(), facts?);
            }
        }
    }
    Ok(FileSetDigest::new(files))
}

/// Opens a regular file. A symbolic link is refused: SQLite looks for the log beside its target, not beside it.
fn open(path: &Path) -> io::Result<File> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_symlink() { "a symbolic link: name its target" } else { "not a regular file" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK; // a pipe put in its place does not hang
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

fn copy(from: &Path, to: &Path) -> io::Result<FileFacts> {
    let source = open(from)?;
    let target = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(to)?;
    let digest = if shares_blocks(&source, &target) {
        let (sha256, size) = Digest::of_reader(&target)?;
        FileFacts { sha256, size }
    } else {
        stream(&source, &target)?
    };
    target.sync_all()?;
    let directory = to.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()?;
    Ok(digest)
}

#[cfg(target_os = "linux")]
fn shares_blocks(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_: &File, _: &File) -> bool {
    false
}

/// Writes on this thread while another hashes the same pieces.
fn stream(mut source: &File, mut target: &File) -> io::Result<FileFacts> {
    let (full, to_hash) = mpsc::sync_channel::<Vec<u8>>(PIECES);
    let (used, empty) = mpsc::channel::<Vec<u8>>();
    (0..PIECES).for_each(|_| drop(used.send(vec![0; PIECE])));
    std::thread::scope(|scope| {
        let hashing = scope.spawn(move || {
            let (mut hasher, mut size) = (Hasher::new(), 0);
            for piece in to_hash {
                hasher.update(&piece);
                size += piece.len() as u64;
                drop(used.send(piece)); // nobody waits for it after the last piece
            }
            FileFacts { sha256: hasher.finish(), size }
        });
        while let Ok(mut piece) = empty.recv() {
            piece.resize(PIECE, 0);
            match source.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => piece.truncate(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => piece.clear(),
                Err(e) => return Err(e),
            }
            target.write_all(&piece)?;
            if full.send(piece).is_err() {
                break;
            }
        }
        drop(full);
        hashing.join().map_err(|_| io::Error::other("the hashing thread ended early"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_digested_as_the_original_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("a.db"), dir.path().join("b.db"));
        fs::write(dir.path().join("b.db-journal"), "stale").expect("written");
        for size in [0, 1, PIECE - 1, PIECE, 3 * PIECE + 5] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            fs::write(&from, &bytes).expect("written");
            fs::write(dir.path().join("a.db-wal"), "log").expect("written");
            let copied = copy_and_digest(&from, &to).expect("copied");
            assert_eq!(copied, FileSetDigest::of(&from).expect("digested"));
            assert_eq!(copied, FileSetDigest::of(&to).expect("digested"));
            assert_eq!(copied.files["main"], FileFacts { sha256: Digest::of(&bytes), size: size as u64 });
            assert_eq!(copied.files.len(), 2);
        }
        fs::remove_file(&from).expect("removed");
        assert_eq!(FileSetDigest::of(&from).expect_err("no main file").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_hot_journal_counts_and_a_cold_one_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (main, journal) = (dir.path().join("a.db"), dir.path().join("a.db-journal"));
        fs::write(&main, "main").expect("written");
        let alone = quiet(&main).expect("quiet");
        assert_eq!(alone, FileSetDigest::of(&main).expect("digested"));
        for cold in [&b""[..], &[0; 512]] {
            fs::write(&journal, cold).expect("written");
            assert_eq!(quiet(&main).expect("cold"), alone);
        }
        fs::write(&journal, [0xd9; 28]).expect("written");
        assert!(matches!(quiet(&main), Err(RowsError::NotQuiet { size: 28, .. })));
        assert_eq!(FileSetDigest::of(&main).expect("taken").files.len(), 2);
    }

    #[test]
    fn a_link_is_refused_and_its_target_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (main, link) = (dir.path().join("a.db"), dir.path().join("link.db"));
        fs::write(&main, "main").expect("written");
        std::os::unix::fs::symlink(&main, &link).expect("linked");
        assert!(FileSetDigest::of(&link).is_err());
        assert!(FileSetDigest::of(&main).is_ok());
        assert!(FileSetDigest::of(dir.path()).is_err(), "a directory");
    }
}
