//! The row digest: one fingerprint for all rows of a PostgreSQL database, wherever they lie on disk.
//!
//! Owns: the format below, and reading tables for it. Must not: write, compare by SQL's `=` (to it -0.0 is 0.0
//! and 1.10 is 1.1), run a function or a cast of the database's own, or let a role see half of a table.
//!
//! Rows are read as binary `COPY`, all tables in one snapshot, by pages on as many connections as there are
//! threads. PostgreSQL's rows have no order and many tables have no key, so a table is the multiset of its rows:
//! the digests of all rows, sorted, equal ones counted as often as they occur. Sorting digests needs no trust but
//! in SHA-256 (sums of hashes do), it costs the server no sort, and no collation has a say in it.
//!
//! # The format
//!
//! `u16`, `u32`, `u64`: big-endian. `lp(x)`: `u64(length of x)`, then x. `H`: SHA-256. Names are UTF-8.
//!
//! ```text
//! row     H(10 u16(columns) value…)
//!         value   u32(length) bytes, or u32(2^32 - 1) for NULL: as COPY's binary format has it
//!
//! bucket  H(lp("fix7/postgresql/bucket/v1") row…)          the rows whose digest begins with one byte, ascending
//!
//! table   H(lp("fix7/postgresql/table/v1") lp(name) u64(columns) {lp(column) lp(type) form}…
//!           {20 first-byte bucket}… 21 u64(rows))          buckets ascending, none that is empty
//!         form    00 the type's binary form (`typsend`) · 01 its text (`typoutput`), under pinned settings
//!
//! root    H(lp("fix7/postgresql/root/v1") schema u64(tables) {lp(name) table}…)      ascending by name
//! ```
//!
//! - Tables: every relation with rows of its own outside of `pg_*` and `information_schema`: tables, leaves of
//!   partitioned tables, children without their parents' rows, materialized views; unlogged ones too. A foreign
//!   table's rows are another server's: its definition stands in the schema.
//! - Columns stand in ascending order of their names, so that a column that is only elsewhere in the table shows
//!   in the schema and not in the rows. Stored generated columns are among them.
//! - Text stands for types whose binary form holds object identifiers (composite types, arrays of the database's
//!   own types, ranges over them), whose value *is* one that a name stands for (`regclass` and its kin), and for
//!   types without a binary form (`aclitem`). A domain is read as its base type. `oid`, `xid` and `tid` values
//!   are data, and stay numbers.
//! - Apart from the root: positions of sequences, which no ROLLBACK takes back, and the content of large objects,
//!   which only a superuser may read.
//!
//! What is divided between threads never shows in the digest.

mod copy;
mod error;
pub(in crate::rehearse::postgres) mod layout;
mod multiset;
mod reader;

use std::collections::BTreeMap;
use std::path::Path;

use postgres::Client;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Database;
use super::schema::Schema;
use crate::digest::{Digest, Hasher};
pub use crate::rehearse::rows::Progress;
pub(in crate::rehearse::postgres) use copy::Tuples;
pub use error::StateError;
use layout::Layout;
use multiset::Multisets;

const ROOT: &str = "fix7/postgresql/root/v1";

/// What the text of a value and the reading of a table depend on, pinned for one transaction.
pub(super) const PINNED: &str = "\
    SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL row_security = off; SET LOCAL extra_float_digits = 1; \
    SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL TimeZone = 'UTC'; SET LOCAL lc_monetary = 'C'; SET LOCAL lc_numeric = 'C'; SET LOCAL lc_time = 'C'; \
    SET LOCAL xmlbinary = 'base64'; SET LOCAL quote_all_identifiers = off; SET LOCAL statement_timeout = 0";

/// A state of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Over the schema and all tables.
    pub root: Digest,
    /// Over the schema, by the catalogue.
    pub schema: Digest,
    /// Over the part of it that `pg_dump --schema-only` tells too.
    pub told_by_pg_dump: Digest,
    /// Each table, in ascending order of names.
    pub tables: Vec<TableDigest>,
    /// What is no part of the root.
    pub apart: Apart,
}

/// What is no part of the root of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apart {
    /// The position of each sequence: `public.t_id_seq` to `41 called`, or `1` for one never used.
    pub sequences: BTreeMap<String, String>,
    /// Over the pages of all large objects; nothing where the role may not read them.
    pub large_objects: Option<TableDigest>,
}

/// The digest of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableDigest {
    /// Schema and name, quoted where SQL needs it.
    pub name: String,
    /// Over the table's columns and rows.
    pub root: Digest,
    /// How many rows.
    pub rows: u64,
}

/// The state of a quiet database on `threads` connections in one snapshot.
///
/// Memory stays below about 64 MiB and 8 MiB for each thread; 32 bytes a row beyond that go to a file without a
/// name in `spill`. `progress` is called from all threads.
///
/// # Errors
/// See [`StateError`]. The role must be allowed to read everything.
pub fn of_database(
    database: &Database,
    threads: usize,
    spill: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<State, StateError> {
    let mut client = database.connect().map_err(|e| StateError::server("the database", e))?;
    let failed = |e| StateError::server("a snapshot of the database", e);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    client.batch_execute(begin).map_err(failed)?;
    let row = client.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).map_err(failed)?;
    let snapshot: String = row.get(0);
    client.batch_execute(PINNED).map_err(failed)?;
    let further = || {
        let mut client = database.connect()?;
        client.batch_execute(&format!("{begin}; SET TRANSACTION SNAPSHOT '{snapshot}'; {PINNED}"))?;
        Ok(client)
    };
    read(&mut client, &further, threads.max(1), spill, progress)
}

/// The state that the open transaction of `client` sees, its own uncommitted changes included.
///
/// Settings are put back and locks given up at the end; the transaction stays open.
///
/// # Errors
/// See [`StateError`]; the server refuses outside of a transaction.
pub fn of_transaction(client: &mut Client, spill: &Path) -> Result<State, StateError> {
    let failed = |e| StateError::server("the open transaction", e);
    client.batch_execute(&format!("SAVEPOINT fix7_state; {PINNED}")).map_err(failed)?;
    let nobody = || Err(StateError::Malformed("one thread needs no further connection".to_owned()));
    let state = read(client, &nobody, 1, spill, &|_| {});
    client.batch_execute("ROLLBACK TO SAVEPOINT fix7_state; RELEASE SAVEPOINT fix7_state").map_err(failed)?;
    state
}

fn read(
    client: &mut Client,
    further: &(dyn Fn() -> Result<Client, StateError> + Sync),
    threads: usize,
    spill: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<State, StateError> {
    let schema = Schema::read(client)?;
    let (schema, told_by_pg_dump) = (schema.digest(), schema.told_by_pg_dump());
    let layout = Layout::read(client)?;
    let sets = Multisets::new(layout.tables.len(), spill);
    let sequences = layout.positions(client)?;
    reader::all(client, further, &layout, threads, &sets, progress)?;
    let mut tables = Vec::with_capacity(layout.tables.len());
    for (table, counted) in layout.tables.iter().zip(sets.finish(threads)?) {
        tables.push(TableDigest { name: table.name.clone(), root: counted.root(table), rows: counted.rows });
    }
    let large_objects = layout.large_objects.then(|| tables.pop()).flatten();
    let mut root = Hasher::labelled(ROOT);
    root.update(schema.as_bytes());
    root.update(&(tables.len() as u64).to_be_bytes());
    for table in &tables {
        root.framed(table.name.as_bytes());
        root.update(table.root.as_bytes());
    }
    let apart = Apart { sequences, large_objects };
    Ok(State { root: root.finish(), schema, told_by_pg_dump, tables, apart })
}

impl From<postgres::Error> for StateError {
    fn from(error: postgres::Error) -> StateError {
        StateError::server("a further connection", error)
    }
}
