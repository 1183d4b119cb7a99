//! An ordered map in one SQLite table that proves its own answers.
//!
//! Owns: the table, and the check of every row that is read. Must not: know what a key means.
//!
//! ```text
//! key ─► next key, value, sum = SHA-256(salt ‖ key ‖ next ‖ value), the first 8 bytes
//! ```
//!
//! Each row names the key after it, so an absence is shown by a row as well: the one before it, whose next key lies
//! behind. A range is whole where each row's next key is the one that follows. A damaged page can therefore lose no
//! row unseen, and a page of another file counts for nothing, since the salt is this file's own.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Fault;
use crate::digest::{Digest, Hasher};

/// The one table. SQLite keeps this text, and it is compared when the file is opened.
pub(super) const TABLE: &str = "CREATE TABLE fact(key BLOB PRIMARY KEY, next BLOB NOT NULL, value BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID";
const FLOOR: &str = "SELECT key, next, value, sum FROM fact WHERE key <= ?1 ORDER BY key DESC LIMIT 1";
const UP: &str = "SELECT key, next, value, sum FROM fact WHERE key >= ?1 ORDER BY key";
const DOWN: &str = "SELECT key, next, value, sum FROM fact WHERE key <= ?1 ORDER BY key DESC";
const INSERT: &str = "INSERT INTO fact(key, next, value, sum) VALUES (?1, ?2, ?3, ?4)";
const UPDATE: &str = "UPDATE fact SET next = ?2, value = ?3, sum = ?4 WHERE key = ?1";
const RELINK: &str = "UPDATE fact SET next = ?2, sum = ?3 WHERE key = ?1";
const DELETE: &str = "DELETE FROM fact WHERE key = ?1";
/// The key of the row before all others.
const FIRST: &[u8] = b"";

/// The map.
#[derive(Debug)]
pub(super) struct Map {
    db: Connection,
    salt: Digest,
}

/// A row whose sum holds.
struct Row {
    key: Vec<u8>,
    /// Empty: there is none.
    next: Vec<u8>,
    value: Vec<u8>,
}

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// What a walk is shown of each row; it may end the walk.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Fault> + 'a;

impl Map {
    /// The map in an open database that has the table.
    pub(super) fn of(db: Connection, salt: Digest) -> Map {
        Map { db, salt }
    }

    /// Writes the row before all others.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.db.execute_batch(TABLE)?;
        self.db.execute(INSERT, params![FIRST, FIRST, FIRST, self.sum(FIRST, FIRST, FIRST)])?;
        Ok(())
    }

    /// Runs SQL without a result, such as the beginning and the end of a transaction.
    pub(super) fn run(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.db.execute_batch(sql)?)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let row = self.at_or_before(key)?;
        Ok((row.key == key).then_some(row.value))
    }

    /// The last row at or before `key` whose key begins with `prefix`.
    pub(super) fn floor(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Pair>, Fault> {
        let row = self.at_or_before(key)?;
        Ok(row.key.starts_with(prefix).then_some((row.key, row.value)))
    }

    /// Shows every row from `first` on whose key begins with `prefix`, ascending.
    pub(super) fn up(&self, prefix: &[u8], first: &[u8], each: &mut Each<'_>) -> Result<(), Fault> {
        let before = self.at_or_before(first)?;
        let mut expected = if before.key == first { before.key } else { before.next };
        let mut statement = self.db.prepare_cached(UP)?;
        let mut rows = statement.query(params![first])?;
        while let Some(row) = rows.next()? {
            let row = self.checked(row)?;
            if row.key != expected {
                return Err(Fault::Damaged("a row is missing"));
            }
            if !row.key.starts_with(prefix) || each(&row.key, &row.value)?.is_break() {
                return Ok(());
            }
            expected = row.next;
        }
        Map::ends(&expected)
    }

    /// Shows every row from `last` back whose key begins with `prefix`, descending.
    pub(super) fn down(&self, prefix: &[u8], last: &[u8], each: &mut Each<'_>) -> Result<(), Fault> {
        let mut after = self.at_or_before(last)?.next;
        let mut statement = self.db.prepare_cached(DOWN)?;
        let mut rows = statement.query(params![last])?;
        while let Some(row) = rows.next()? {
            let row = self.checked(row)?;
            if row.next != after {
                return Err(Fault::Damaged("a row is missing"));
            }
            if !row.key.starts_with(prefix) || each(&row.key, &row.value)?.is_break() {
                return Ok(());
            }
            after = row.key;
        }
        Err(Fault::Damaged("the first row is missing"))
    }

    /// Gives a key its value. Gives the value that it had.
    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let before = self.at_or_before(key)?;
        if before.key == key {
            let sum = self.sum(key, &before.next, value);
            self.db.prepare_cached(UPDATE)?.execute(params![key, before.next, value, sum])?;
            return Ok(Some(before.value));
        }
        let sum = self.sum(key, &before.next, value);
        self.db.prepare_cached(INSERT)?.execute(params![key, before.next, value, sum])?;
        self.relink(&before, key)?;
        Ok(None)
    }

    /// Takes a key away. Gives the value that it had.
    pub(super) fn take(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let row = self.at_or_before(key)?;
        if row.key != key {
            return Ok(None);
        }
        self.db.prepare_cached(DELETE)?.execute(params![key])?;
        let before = self.last_at_or_before(key)?;
        if before.next != key {
            return Err(Fault::Damaged("a row is missing"));
        }
        self.relink(&before, &row.next)?;
        Ok(Some(row.value))
    }

    fn relink(&self, row: &Row, next: &[u8]) -> Result<(), Fault> {
        let sum = self.sum(&row.key, next, &row.value);
        self.db.prepare_cached(RELINK)?.execute(params![row.key, next, sum])?;
        Ok(())
    }

    /// The last row at or before a key, which shows that none stands between.
    fn at_or_before(&self, key: &[u8]) -> Result<Row, Fault> {
        let row = self.last_at_or_before(key)?;
        match row.next.is_empty() || row.next.as_slice() > key {
            true => Ok(row),
            false => Err(Fault::Damaged("a row is missing")),
        }
    }

    fn last_at_or_before(&self, key: &[u8]) -> Result<Row, Fault> {
        let mut statement = self.db.prepare_cached(FLOOR)?;
        let row = statement.query_row(params![key], |row| Ok(self.checked(row))).optional()?;
        let row = row.unwrap_or(Err(Fault::Damaged("the first row is missing")))?;
        match row.key.as_slice() <= key {
            true => Ok(row),
            false => Err(Fault::Damaged("rows are out of order")),
        }
    }

    fn checked(&self, row: &rusqlite::Row<'_>) -> Result<Row, Fault> {
        let bytes = |at| -> Result<Vec<u8>, Fault> { Ok(row.get::<_, Vec<u8>>(at)?) };
        let (key, next, value, sum) = (bytes(0)?, bytes(1)?, bytes(2)?, bytes(3)?);
        match sum == self.sum(&key, &next, &value) {
            true => Ok(Row { key, next, value }),
            false => Err(Fault::Damaged("a row's sum does not hold")),
        }
    }

    fn sum(&self, key: &[u8], next: &[u8], value: &[u8]) -> [u8; 8] {
        let mut hasher = Hasher::new();
        hasher.update(self.salt.as_bytes());
        [key, next, value].into_iter().for_each(|part| hasher.framed(part));
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finish().as_bytes()[..8]);
        first
    }

    fn ends(expected: &[u8]) -> Result<(), Fault> {
        if expected.is_empty() { Ok(()) } else { Err(Fault::Damaged("the last row is missing")) }
    }
}
