//! Where the index stands, and which file is this repository's own.
//!
//! Owns: the directory, the trust rule, the numbers of the files, opening them. Must not: know what is in the map.
//!
//! ```text
//! <common dir>/fix7-ledger/index-<uid>/main.7.sqlite     this user's directory; a file made anew has the next number
//! ```
//!
//! A file counts where the directory and it belong to this user, nobody else can write to them, and it was born where
//! it stands: inode, time of birth, this program's version and the ledger's name are the salt of every row's sum. A copy,
//! a restored archive or another ledger's file is nobody's word, and is made anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::Fault;
use super::map::{Map, TABLE};
use crate::digest::{Digest, Hasher};

/// Counted up when what a row means changes: older files are made anew.
const FORMAT: i64 = 1;
/// `FIX7`, so that `file` names what it is.
const APPLICATION: i64 = 0x4649_5837;
/// How long another writer is waited for. Whoever cannot write goes on without.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pages of the cache, of 4 KiB.
const CACHE_PAGES: i64 = 4096;
/// Pages that the log may hold before it is moved into the file: some appends', and read in a fraction of a millisecond.
const WAL_PAGES: i64 = 256;
/// Bytes of a log that holds more pages than that, each behind a header of 24 bytes.
const LONG_LOG_BYTES: u64 = WAL_PAGES as u64 * (4096 + 24);
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// Where the files of one ledger's index stand.
#[derive(Clone, Debug)]
pub(super) struct Home {
    directory: PathBuf,
    ledger: String,
    /// A directory that goes with its last user.
    _scratch: Option<Arc<TempDir>>,
}

/// One file of it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    home: Home,
    number: u64,
}

impl Home {
    /// The files of the ledger of this name below a directory of notes.
    pub(super) fn below(notes: &Path, ledger: &str) -> Home {
        #[cfg(unix)]
        let directory = notes.join(format!("index-{}", rustix::process::geteuid().as_raw()));
        #[cfg(not(unix))]
        let directory = notes.join("index");
        Home { directory, ledger: ledger.to_owned(), _scratch: None }
    }

    /// A place that lasts as long as it is used.
    pub(super) fn scratch(parent: &Path, ledger: &str) -> Result<Home, Fault> {
        let scratch = tempfile::Builder::new().prefix("fix7-index-").tempdir_in(parent)?;
        let home = Home::below(scratch.path(), ledger);
        Ok(Home { _scratch: Some(Arc::new(scratch)), ..home })
    }

    /// The newest file, where it is this user's own and of this format.
    pub(super) fn open(&self) -> Result<Option<(Map, Place)>, Fault> {
        let Some(number) = self.numbers().last().copied().filter(|_| own(&self.directory, true)) else {
            return Ok(None);
        };
        let place = Place { home: self.clone(), number };
        let trusted = ENDINGS.iter().all(|ending| {
            let path = place.path(ending);
            own(&path, false) || (!ending.is_empty() && path.symlink_metadata().is_err())
        });
        if !trusted {
            return Ok(None);
        }
        let map = place.open()?;
        map.get(super::key::HEAD)?;
        Ok(Some((map, place)))
    }

    /// Makes the next file and takes the others away.
    pub(super) fn begin(&self) -> Result<(Map, Place), Fault> {
        if !own(&self.directory, true) {
            self.make_directory()?;
        }
        let before = self.numbers();
        let place = Place { home: self.clone(), number: before.last().map_or(1, |last| last + 1) };
        // Nobody sees the file before it has its table. Whoever comes second takes the first one's.
        let new = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.directory)?;
        {
            let map = Map::of(connect(new.path(), "DELETE")?, salt(new.path(), &self.ledger)?);
            map.run(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; BEGIN"
            ))?;
            map.begin()?;
            map.run("COMMIT")?;
        }
        match new.persist_noclobber(place.path("")) {
            Ok(_) => {}
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                return self.open()?.ok_or_else(|| Fault::Unusable("another program makes it".into()));
            }
            Err(e) => return Err(e.error.into()),
        }
        before.into_iter().for_each(|number| Place { home: self.clone(), number }.remove());
        Ok((place.open()?, place))
    }

    fn make_directory(&self) -> Result<(), Fault> {
        let notes = self.directory.parent().unwrap_or(&self.directory);
        fs::create_dir_all(notes)?;
        match self.directory.symlink_metadata() {
            Ok(facts) if facts.is_dir() => fs::remove_dir_all(&self.directory)?,
            Ok(_) => fs::remove_file(&self.directory)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e.into()),
        }
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        Ok(builder.create(&self.directory)?)
    }

    /// The numbers of the files that are there, ascending.
    fn numbers(&self) -> Vec<u64> {
        let number = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            // What SQLite keeps beside a file counts as well: it must never meet another file.
            let (number, _) = name.strip_prefix(&self.ledger)?.strip_prefix('.')?.split_once(".sqlite")?;
            number.parse::<u64>().ok()
        };
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> = entries.filter_map(number).filter(|number| *number < u64::MAX).collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Place {
    /// Takes the file away: what reads it at this moment goes on reading.
    pub(super) fn remove(&self) {
        for ending in ENDINGS {
            let _ = fs::remove_file(self.path(ending));
        }
    }

    /// Another connection to the file.
    pub(super) fn open(&self) -> Result<Map, Fault> {
        let db = connect(&self.path(""), "WAL")?;
        self.shorten_log(&db)?;
        let schema: String =
            db.query_row("SELECT group_concat(sql, ';') FROM sqlite_schema", [], |r| r.get(0))?;
        let number = |what: &str| db.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
        if (number("application_id")?, number("user_version")?) != (APPLICATION, FORMAT) || schema != TABLE {
            return Err(Fault::Damaged("another format"));
        }
        Ok(Map::of(db, salt(&self.path(""), &self.home.ledger)?))
    }

    /// Moves a long log into the file, where nobody reads it at this moment. The first to open a file reads its log whole,
    /// and writing alone never ends a log: whoever writes reads an older moment at the same time.
    fn shorten_log(&self, db: &Connection) -> Result<(), Fault> {
        if self.path("-wal").metadata().is_ok_and(|log| log.len() > LONG_LOG_BYTES) {
            db.busy_timeout(Duration::ZERO)?;
            let _moved_or_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            db.busy_timeout(PATIENCE)?;
        }
        Ok(())
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.home.directory.join(format!("{}.{}.sqlite{ending}", self.home.ledger, self.number))
    }
}

/// What no other file has.
fn salt(path: &Path, ledger: &str) -> Result<Digest, Fault> {
    let facts = path.symlink_metadata()?;
    let born = facts.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut hasher = Hasher::labelled("fix7-ledger index");
    hasher.framed(&FORMAT.to_be_bytes());
    hasher.framed(env!("CARGO_PKG_VERSION").as_bytes());
    hasher.framed(ledger.as_bytes());
    hasher.framed(&born.map_or(0, |since| since.as_nanos()).to_be_bytes());
    #[cfg(unix)]
    hasher.framed(&std::os::unix::fs::MetadataExt::ino(&facts).to_be_bytes());
    Ok(hasher.finish())
}

fn connect(path: &Path, journal: &str) -> Result<Connection, Fault> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    // A crash of the machine may lose the last entries of the index, which are then read again; it mixes no pages.
    db.execute_batch(&format!(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = {CACHE_PAGES};
         PRAGMA journal_mode = {journal}; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {WAL_PAGES};"
    ))?;
    // Every verb is a process of its own: were each to move the log into the file at its end, each would wait for the disk.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db)
}

/// Whether a file or directory belongs to this user and nobody else can write to it.
fn own(path: &Path, directory: bool) -> bool {
    let Ok(facts) = path.symlink_metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = facts.uid() == rustix::process::geteuid().as_raw();
        if !owner || facts.mode() & 0o022 != 0 {
            return false;
        }
    }
    if directory { facts.is_dir() } else { facts.is_file() }
}
