//! The engine: SQLite with its doors shut, for SQL that may be hostile.
//!
//! Owns: opening the clone, the settings that change an outcome, and running one script statement by
//! statement. Must not: know legs, copy files, compare states, or be called outside of a confined
//! process on anything but a test's own database.
//!
//! ```text
//! open      no URI, no symlinks, no create · DEFENSIVE on · TRUSTED_SCHEMA off · foreign_keys as the plan says
//! guard     authorizer: transaction verbs, ATTACH, DETACH, pragmas that are not listed, load_extension
//!           SQLITE_LIMIT_ATTACHED 0 · commit hook that refuses · progress handler with a deadline
//! clock     the same functions at another moment, for the one application that is compared and thrown away
//! script    prepare, run to the end, look at autocommit; then the next statement, from the prepare tail
//! ```

mod clock;
mod guard;
mod script;
mod words;

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

pub use clock::shift;
pub use guard::Guard;
pub use script::{Failure, FailureKind, MAX_STATEMENTS, Report, Script};
pub use words::{brings_its_own_transaction, first_word, said, statements};

use crate::digest::{Digest, Hasher};

/// Heap that SQLite may use in one process, in bytes: a script that builds gigabytes of text or blob
/// (`zeroblob`, an endless `group_concat`) fails by itself instead of taking the machine along.
pub const HEAP_LIMIT_BYTES: i64 = 1 << 30;
/// How long the engine waits for a lock, in milliseconds. Nobody else has the clone open: a wait is a fault.
pub const BUSY_TIMEOUT_MS: u64 = 1_000;

/// What SQLite says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `3.54.1`.
    pub version: String,
    /// `sqlite3_sourceid()`.
    pub source_id: String,
    /// SHA-256 over the sorted compile options, a line each.
    pub compile_options: Digest,
}

/// Opens the clone for reading and writing, hardened, with `foreign_keys` set explicitly: the bundled
/// build would have it on, stock SQLite has it off.
///
/// # Errors
/// SQLite's own.
pub fn open(path: &Path, foreign_keys: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    // A schema from outside may hold anything: triggers and views get no function with side effects.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    // Spill files would be a second place where the clone's rows lie.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.query_row(&format!("PRAGMA hard_heap_limit={HEAP_LIMIT_BYTES}"), [], |_| Ok(()))?;
    Ok(connection)
}

/// Moves everything in a WAL into the main file and empties the WAL. Without this the main file alone
/// would hide committed rows.
///
/// # Errors
/// SQLite's own. A busy checkpoint is `false`.
pub fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .map(|busy| busy == 0)
}

/// What this SQLite is.
///
/// # Errors
/// SQLite's own.
pub fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let mut statement =
        connection.prepare("SELECT compile_options FROM pragma_compile_options ORDER BY 1")?;
    let mut rows = statement.query([])?;
    let mut options = Hasher::new();
    while let Some(row) = rows.next()? {
        let option: String = row.get(0)?;
        options.update(option.as_bytes());
        options.update(b"\n");
    }
    let source_id = connection.query_row("SELECT sqlite_source_id()", [], |row| row.get(0))?;
    Ok(Identity { version: rusqlite::version().to_owned(), source_id, compile_options: options.finish() })
}

/// `PRAGMA integrity_check`: `ok`, or that there are problems (their text may quote values, and is not kept).
///
/// # Errors
/// SQLite's own.
pub fn integrity(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA integrity_check(1)", [], |row| {
        let line: String = row.get(0)?;
        Ok(if line == "ok" { line } else { "problems found".to_owned() })
    })
}

/// How many rows `PRAGMA foreign_key_check` gives.
///
/// # Errors
/// SQLite's own.
pub fn foreign_key_violations(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}
