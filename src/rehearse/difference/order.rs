//! The order of WITHOUT ROWID keys, as the table's own index has it.
//!
//! Text is compared by SQLite, under the key's collation and in the database's encoding: a second
//! implementation of collations would be a second opinion. It is asked only where two keys differ.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use crate::rehearse::rows::layout::{KeyColumn, quote};

/// Compares keys of one table.
pub(super) struct KeyOrder<'c> {
    columns: Vec<(bool, Statement<'c>)>,
    numbers: Statement<'c>,
}

impl<'c> KeyOrder<'c> {
    /// `c` must have the encoding of the texts to come.
    pub(super) fn new(c: &'c Connection, key: &[KeyColumn]) -> rusqlite::Result<KeyOrder<'c>> {
        let columns = key.iter().map(|k| {
            let collation = quote(&k.collation);
            let sql = format!(
                "SELECT CAST(?1 AS TEXT) = CAST(?2 AS TEXT) COLLATE {collation},
                        CAST(?1 AS TEXT) < CAST(?2 AS TEXT) COLLATE {collation}"
            );
            Ok((k.descending, c.prepare(&sql)?))
        });
        Ok(KeyOrder {
            columns: columns.collect::<rusqlite::Result<_>>()?,
            numbers: c.prepare("SELECT ?1 = ?2, ?1 < ?2")?,
        })
    }

    /// The order of two keys, given column by column.
    pub(super) fn compare<'v>(
        &mut self,
        pairs: impl Iterator<Item = rusqlite::Result<(ValueRef<'v>, ValueRef<'v>)>>,
    ) -> rusqlite::Result<Ordering> {
        for ((descending, texts), pair) in self.columns.iter_mut().zip(pairs) {
            let (a, b) = pair?;
            let order = match (a, b) {
                (ValueRef::Text(_), ValueRef::Text(_)) => ask(texts, a, b)?,
                (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
                _ if class(a) == 1 && class(b) == 1 => ask(&mut self.numbers, a, b)?,
                _ => class(a).cmp(&class(b)),
            };
            if order != Ordering::Equal {
                return Ok(if *descending { order.reverse() } else { order });
            }
        }
        Ok(Ordering::Equal)
    }
}

/// SQLite's order of storage classes: NULL, numbers, text, blobs.
fn class(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    }
}

/// A parameter that binds the bytes of a value as they are.
struct Bound<'v>(ValueRef<'v>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            // Bytes of text may be no UTF-8; as a blob they pass, and the statement casts them back.
            ValueRef::Text(bytes) => ValueRef::Blob(bytes),
            other => other,
        }))
    }
}

fn ask(statement: &mut Statement<'_>, a: ValueRef<'_>, b: ValueRef<'_>) -> rusqlite::Result<Ordering> {
    statement.query_row([Bound(a), Bound(b)], |row| {
        Ok(match (row.get(0)?, row.get(1)?) {
            (true, _) => Ordering::Equal,
            (_, true) => Ordering::Less,
            _ => Ordering::Greater,
        })
    })
}
