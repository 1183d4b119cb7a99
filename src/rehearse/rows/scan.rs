//! Reads rows in key order through SQLite's cursor and frames them.

use rusqlite::{Connection, Statement};

use super::error::RowsError;
use super::frame::{self, ChunkStream, RowKey};
use super::layout::{Key, Select, Table, printable, quote};
use crate::digest::Digest;

/// A table, with its rows in key order as a prepared statement.
pub(crate) struct Scan<'c, 't> {
    table: &'t Table,
    select: Select,
    statement: Statement<'c>,
    /// Result columns before the first value.
    before: usize,
}

impl<'c, 't> Scan<'c, 't> {
    /// Prepares reading `table`; a rowid table's statement takes the first and the last rowid.
    pub(crate) fn new(
        c: &'c Connection,
        select: Select,
        table: &'t Table,
    ) -> Result<Scan<'c, 't>, RowsError> {
        let column = |name: &str| format!("t.{}", quote(name));
        let mut list: Vec<String> = table.columns.iter().map(|name| select.list(&column(name))).collect();
        let mut before = 0;
        let order = match &table.key {
            Key::Rowid(alias) => {
                list.insert(0, column(alias));
                before = 1;
                format!(" WHERE {0} BETWEEN ?1 AND ?2 ORDER BY {0}", column(alias))
            }
            Key::Primary(key) => {
                let by = key.iter().map(|k| {
                    let direction = if k.descending { " DESC" } else { "" };
                    format!("{} COLLATE {}{direction}", column(&table.columns[k.at]), quote(&k.collation))
                });
                format!(" ORDER BY {}", by.collect::<Vec<_>>().join(","))
            }
            Key::Position => String::new(),
        };
        // NOT INDEXED: a covering index would give the rows in its own order, and hide damage to the table.
        let sql =
            format!("SELECT {} FROM main.{} AS t NOT INDEXED{order}", list.join(","), quote(&table.name));
        let statement = c.prepare(&sql).map_err(|e| failed(table, e))?;
        Ok(Scan { table, select, statement, before })
    }

    /// Reads the rows with `first <= rowid <= last` (all rows where the key is no rowid) and hands out chunk
    /// digests as chunks end. `go_on` is asked after each; where it says no, the rowid at which the next
    /// chunk begins is given back.
    pub(crate) fn chunks(
        &mut self,
        first: i64,
        last: i64,
        stream: &mut ChunkStream,
        mut chunk: impl FnMut(Digest, &ChunkStream) -> bool,
    ) -> Result<Option<i64>, RowsError> {
        let (table, select, before) = (self.table, self.select, self.before);
        let mut rows = match &table.key {
            Key::Rowid(_) => self.statement.query([first, last]),
            _ => self.statement.query([]),
        }
        .map_err(|e| failed(table, e))?;
        let mut scratch = Vec::new();
        let mut position = 0u64;
        let mut previous: Option<i64> = None;
        while let Some(row) = rows.next().map_err(|e| failed(table, e))? {
            let key = match &table.key {
                Key::Rowid(_) => {
                    let rowid = row.get_ref(0).and_then(|v| Ok(v.as_i64()?)).map_err(|e| failed(table, e))?;
                    if previous.is_some_and(|p| p >= rowid) {
                        let name = printable(&table.name);
                        return Err(RowsError::Malformed(format!(
                            "the rowids of table {name} do not ascend"
                        )));
                    }
                    previous = Some(rowid);
                    RowKey::Rowid(rowid)
                }
                Key::Primary(columns) => {
                    scratch.clear();
                    for column in columns {
                        let value = select.value(row, before, column.at).map_err(|e| failed(table, e))?;
                        frame::put_value(&mut scratch, value);
                    }
                    RowKey::Primary(frame::begins_chunk(&scratch))
                }
                Key::Position => RowKey::Position(position),
            };
            if let Some(ended) = stream.row(key)
                && !chunk(ended, stream)
                && let RowKey::Rowid(rowid) = key
            {
                stream.abandon();
                return Ok(Some(rowid));
            }
            position += 1;
            for at in 0..table.columns.len() {
                stream.value(select.value(row, before, at).map_err(|e| failed(table, e))?);
            }
        }
        if let Some(ended) = stream.end() {
            chunk(ended, stream);
        }
        Ok(None)
    }
}

fn failed(table: &Table, error: rusqlite::Error) -> RowsError {
    RowsError::engine(&format!("table {}", printable(&table.name)), error)
}
