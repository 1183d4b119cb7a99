//! The row digest: one fingerprint for all that a SQLite database says, whatever its pages look like.
//!
//! Owns: the format below, and reading a database for it. Must not: write to a database, trust a stored `sql`
//! text, or open a virtual table through its module.
//!
//! Equal digests mean: the same header fields, the same schema rows, and in every table the same rows under
//! the same keys, with the same storage classes and the same bytes. Free pages, page order, indexes' contents
//! (`integrity_check` is for those), counters and the write-ahead flag do not matter.
//!
//! # The format
//!
//! `u64(n)`, `i64(n)`: eight bytes, big-endian. `lp(x)`: `u64(length of x)`, then x. `H`: SHA-256. Names are UTF-8.
//!
//! ```text
//! value   00                       NULL
//!         01 i64(n)                INTEGER
//!         02 u64(bits)             REAL: the 64 bits of the IEEE 754 number, so that -0.0 is not 0.0
//!         03 lp(stored bytes)      TEXT, in the encoding of the database, valid or not
//!         04 lp(bytes)             BLOB
//!
//! row     10 i64(rowid) value…     a table with rowids
//!         11 value…                WITHOUT ROWID: the key's columns are among the values
//!         12 u64(position) value…  a rowid table whose columns are named rowid, _rowid_ and oid, none of them an
//!                                  INTEGER PRIMARY KEY: the rowid cannot be read, rows count from 0 in its order
//!         13 value…                sqlite_sequence: its rowids mean nothing, its rows stand in ascending order of
//!                                  these bytes
//!
//! chunk   H(lp("fix7/rows/chunk/v1") row…)
//!
//! table   H(lp("fix7/rows/table/v1") lp(name) key u64(columns) lp(column name)… {20 chunk}… 21 u64(rows))
//!         key: 10, 11, 12 or 13 as the rows have it
//!
//! header  H(lp("fix7/rows/header/v1") lp(encoding) u64(page size) u64(auto_vacuum) i64(user_version) i64(application_id))
//!         encoding: UTF-8, UTF-16le or UTF-16be; auto_vacuum: 0 none, 1 full, 2 incremental
//!
//! schema  H(lp("fix7/rows/schema/v1") u64(rows) lp(row)…), a row being its values type, name, tbl_name and sql,
//!         as stored, the rows in ascending order of their bytes
//!
//! root    H(lp("fix7/rows/root/v1") header schema u64(tables) {lp(table name) table}…)
//! ```
//!
//! - Tables: every row of `sqlite_schema` with type `table` that is no virtual table, in ascending order of name
//!   bytes; so `sqlite_sequence`, `sqlite_stat1` and shadow tables are among them, `sqlite_schema` itself is not.
//! - Values: the columns in declared order, stored generated columns included, generated columns that are
//!   computed on reading left out (their expression is in the schema). Values are as SQLite's cursor gives them:
//!   a default for a column added later, an integer stored in a REAL column as the REAL that it stands for.
//! - Rows: ascending rowid; WITHOUT ROWID in the order of the primary key's own index (collations, DESC).
//! - Chunks, rowid: rows with the same `rowid >> 12` (arithmetic). By position: the same `position >> 12`.
//!   `sqlite_sequence`: one chunk.
//! - Chunks, WITHOUT ROWID: a row begins a chunk if it is the first, or if its key says so: frame the key's
//!   values in the key's order, pad with zero bytes to a multiple of 8, and fold each big-endian u64 word w into
//!   a state that starts at 0: `s = ((s ^ w) * 0x9e3779b97f4a7c15) mod 2^64; s = s ^ (s >> 32)`. It begins a
//!   chunk if `s >> 52` is 0. No row, no chunk.
//!
//! A chunk depends on its own rows only, so chunks are hashed on as many threads as there are, and the digest
//! is the same for any number.
//!
//! ```
//! use fix7_ledger::rehearse::rows;
//! let c = rusqlite::Connection::open_in_memory()?;
//! c.execute_batch("CREATE TABLE t(a, b); INSERT INTO t VALUES('a3b', 'c')")?;
//! let before = rows::of_connection(&c)?;
//! c.execute_batch("UPDATE t SET a = 'a', b = 'b3c'")?;
//! assert_ne!(rows::of_connection(&c)?.root, before.root, "text does not flow from column to column");
//! c.execute_batch("UPDATE t SET a = 'a3b', b = 'c'")?;
//! assert_eq!(rows::of_connection(&c)?, before);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod board;
mod error;
pub(in crate::rehearse) mod frame;
pub(in crate::rehearse) mod layout;
mod index;
mod pages;
mod parallel;
mod record;
mod tree;
pub(in crate::rehearse) mod scan;
pub(in crate::rehearse) mod sql;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
pub use error::{Needed, RowsError};
use frame::{ChunkStream, TableStream};
use layout::{Header, Key, Layout, SchemaRow, Select, Table, printable};
use pages::Pages;
use scan::Scan;
use tree::PageScan;

const HEADER: &str = "fix7/rows/header/v1";
const SCHEMA: &str = "fix7/rows/schema/v1";
const ROOT: &str = "fix7/rows/root/v1";

/// Page cache of one reading connection in KiB: rows are read once, so a small cache serves as well as a large one.
const CACHE_KIB: i64 = 2048;

/// The digest of a database's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowDigest {
    /// Over everything below.
    pub root: Digest,
    /// Encoding, page size, auto_vacuum, user_version, application_id.
    pub header: Digest,
    /// The rows of `sqlite_schema`.
    pub schema: Digest,
    /// Each table, in the order of names.
    pub tables: Vec<TableDigest>,
}

/// The digest of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableDigest {
    /// The table's name; characters that canonical JSON refuses are written `\u{…}`.
    pub name: String,
    /// Over the table's chunks.
    pub root: Digest,
    /// How many rows.
    pub rows: u64,
    /// Statistics, or a virtual table's own bookkeeping: other bytes may stand for the same content.
    pub derived: bool,
    /// What the rows stand under.
    pub key: KeyKind,
}

/// What the rows of a table stand under in its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// The rowid.
    Rowid,
    /// The primary key of a WITHOUT ROWID table.
    PrimaryKey,
    /// Nothing but themselves: `sqlite_sequence`.
    Content,
    /// The place in the table: its columns hide the rowid, so a changed rowid alone is not seen.
    Position,
}

/// How far a digest has come, over all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows hashed.
    pub rows: u64,
    /// Bytes hashed; about the size of the database without its indexes.
    pub bytes: u64,
}

/// Digests through an open connection and inside its transaction, so that uncommitted changes are seen.
///
/// # Errors
/// See [`RowsError`]. An authorizer on the connection must allow reading and the schema pragmas.
pub fn of_connection(c: &Connection) -> Result<RowDigest, RowsError> {
    // A change under rehearsal may have turned the order of unordered scans around.
    let setting = DbConfig::SQLITE_DBCONFIG_REVERSE_SCANORDER;
    let failed = |e| RowsError::engine("the connection's settings", e);
    let reversed = c.db_config(setting).map_err(failed)?;
    c.set_db_config(setting, false).map_err(failed)?;
    let digest = in_order(c);
    c.set_db_config(setting, reversed).map_err(failed)?;
    digest
}

fn in_order(c: &Connection) -> Result<RowDigest, RowsError> {
    let layout = Layout::read(c)?;
    let select = Select::for_encoding(&layout.header.encoding);
    let digests = layout.tables.iter().map(|table| whole_table(c, select, table, None, &mut |_, _| {}));
    let digests = digests.collect::<Result<Vec<_>, _>>()?;
    Ok(assemble(&layout, digests))
}

/// Digests a database file that nobody writes to, on `threads` threads with a read-only connection each.
///
/// A write-ahead log beside the file is read as SQLite reads it; without one, rows come from the pages. Closing a
/// file drops the locks that the process holds on it, so no other connection of the process may rely on one
/// meanwhile. `progress` is called from all threads.
///
/// # Errors
/// See [`RowsError`].
pub fn of_file(
    path: &Path,
    threads: usize,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<RowDigest, RowsError> {
    // Closed after the connections: closing a file drops the locks that the process holds on it.
    let pages = Pages::open(path);
    let c = open(path)?;
    c.execute_batch("BEGIN").map_err(|e| RowsError::engine("a read transaction", e))?; // keeps writers out till the end
    let layout = Layout::read(&c)?;
    let digests = parallel::tables(path, c, pages.as_ref(), &layout, threads.max(1), progress)?;
    Ok(assemble(&layout, digests))
}

/// Opens a database for reading, hardened against a hostile schema.
pub(in crate::rehearse) fn open(path: &Path) -> Result<Connection, RowsError> {
    let failed = |e| RowsError::engine(&path.display().to_string(), e);
    // The bundled SQLite takes a name that begins with `file:` for a URI: an absolute path never does.
    let path = std::path::absolute(path).map_err(|e| RowsError::io(path, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let c = Connection::open_with_flags(&path, flags).map_err(failed)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_REVERSE_SCANORDER, false),
    ] {
        c.set_db_config(setting, on).map_err(failed)?;
    }
    // A mapped file that is cut short kills the process; and mapping it is not faster here.
    c.execute_batch(&format!(
        "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA query_only=ON;
         PRAGMA cache_size=-{CACHE_KIB}; PRAGMA mmap_size=0;"
    ))
    .map_err(failed)?;
    Ok(c)
}

/// A table's digest before it has its public name.
pub(crate) struct Counted {
    root: Digest,
    rows: u64,
}

fn table_stream(table: &Table) -> TableStream {
    TableStream::new(&table.name, key_code(&table.key), table.columns.iter().map(String::as_str))
}

fn whole_table(
    c: &Connection,
    select: Select,
    table: &Table,
    pages: Option<&Pages>,
    report: &mut dyn FnMut(&ChunkStream, bool),
) -> Result<Counted, RowsError> {
    if let Some(mut scan) = pages.and_then(|pages| PageScan::new(pages, table)) {
        let (mut digest, mut stream) = (table_stream(table), ChunkStream::new());
        // What a short record of such a table lacks is left to SQLite: only rowid tables learn it.
        let read = scan.chunks(i64::MIN, i64::MAX, &mut stream, |chunk, stream| {
            digest.chunk(&chunk);
            report(stream, false);
            true
        });
        if read.is_ok() {
            report(&stream, true);
            return Ok(Counted { root: digest.finish(stream.rows), rows: stream.rows });
        }
    }
    let (mut digest, mut stream) = (table_stream(table), ChunkStream::new());
    Scan::new(c, select, table)?.chunks(i64::MIN, i64::MAX, &mut stream, |chunk, stream| {
        digest.chunk(&chunk);
        report(stream, false);
        true
    })?;
    report(&stream, true);
    Ok(Counted { root: digest.finish(stream.rows), rows: stream.rows })
}

fn key_code(key: &Key) -> u8 {
    match key {
        Key::Rowid(_) => frame::ROW_BY_ROWID,
        Key::Primary(_) => frame::ROW_BY_PRIMARY_KEY,
        Key::Position => frame::ROW_BY_POSITION,
        Key::Content => frame::ROW_BY_CONTENT,
    }
}

fn assemble(layout: &Layout, digests: Vec<Counted>) -> RowDigest {
    let (header, schema) = (header_digest(&layout.header), schema_digest(&layout.schema));
    let mut root = Hasher::labelled(ROOT);
    root.update(header.as_bytes());
    root.update(schema.as_bytes());
    root.update(&(digests.len() as u64).to_be_bytes());
    let mut tables = Vec::with_capacity(digests.len());
    for (table, digest) in layout.tables.iter().zip(digests) {
        root.framed(table.name.as_bytes());
        root.update(digest.root.as_bytes());
        tables.push(TableDigest {
            name: printable(&table.name),
            root: digest.root,
            rows: digest.rows,
            derived: table.derived,
            key: match table.key {
                Key::Rowid(_) => KeyKind::Rowid,
                Key::Primary(_) => KeyKind::PrimaryKey,
                Key::Position => KeyKind::Position,
                Key::Content => KeyKind::Content,
            },
        });
    }
    RowDigest { root: root.finish(), header, schema, tables }
}

fn header_digest(header: &Header) -> Digest {
    let mut hasher = Hasher::labelled(HEADER);
    hasher.framed(header.encoding.as_bytes());
    for number in [header.page_size, header.auto_vacuum, header.user_version, header.application_id] {
        hasher.update(&number.to_be_bytes());
    }
    hasher.finish()
}

fn schema_digest(rows: &[SchemaRow]) -> Digest {
    let mut framed: Vec<&[u8]> = rows.iter().map(|row| row.framed.as_slice()).collect();
    framed.sort_unstable();
    let mut hasher = Hasher::labelled(SCHEMA);
    hasher.update(&(framed.len() as u64).to_be_bytes());
    framed.iter().for_each(|row| hasher.framed(row));
    hasher.finish()
}

#[cfg(test)]
mod tests;
