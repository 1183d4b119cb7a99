//! Reads rows in key order through SQLite's cursor and frames them.

use rusqlite::{Connection, Statement};

use super::error::RowsError;
use super::frame::{self, ChunkStream, RowKey};
use super::layout::{Key, Select, Table, printable, quote};
use crate::digest::Digest;

/// Prepares reading all columns of `table` in the order of its keys. A rowid table's statement takes the first
/// and the last rowid, and gives the rowid before the columns.
pub(in crate::rehearse) fn prepare<'c>(
    c: &'c Connection,
    select: Select,
    table: &Table,
) -> rusqlite::Result<Statement<'c>> {
    let column = |name: &str| format!("t.{}", quote(name));
    let mut list: Vec<String> = table.columns.iter().map(|name| select.list(&column(name))).collect();
    let order = match &table.key {
        Key::Rowid(alias) => {
            list.insert(0, column(alias));
            format!(" WHERE {0} BETWEEN ?1 AND ?2 ORDER BY {0}", column(alias))
        }
        Key::Primary(key) => {
            let by = key.iter().map(|k| {
                let direction = if k.descending { " DESC" } else { "" };
                format!("{} COLLATE {}{direction}", column(&table.columns[k.at]), quote(&k.collation))
            });
            format!(" ORDER BY {}", by.collect::<Vec<_>>().join(","))
        }
        Key::Content | Key::Position => String::new(),
    };
    // NOT INDEXED: a covering index would give the rows in its own order, and hide damage to the table.
    let from = format!("main.{} AS t NOT INDEXED", quote(&table.name));
    c.prepare(&format!("SELECT {} FROM {from}{order}", list.join(",")))
}

/// Most bytes in `sqlite_sequence`, which is sorted in memory: it takes any rows that a user inserts.
const MAX_COUNTERS: usize = 16 << 20;

/// A table, with its rows in key order as a prepared statement.
pub(in crate::rehearse) struct Scan<'c, 't> {
    table: &'t Table,
    select: Select,
    statement: Statement<'c>,
    /// Result columns before the first value.
    before: usize,
}

impl<'c, 't> Scan<'c, 't> {
    /// Prepares reading `table`; a rowid table's statement takes the first and the last rowid.
    pub(in crate::rehearse) fn new(
        c: &'c Connection,
        select: Select,
        table: &'t Table,
    ) -> Result<Scan<'c, 't>, RowsError> {
        let statement = prepare(c, select, table).map_err(|e| failed(table, e))?;
        Ok(Scan { table, select, statement, before: usize::from(matches!(table.key, Key::Rowid(_))) })
    }

    /// Reads the rows with `first <= rowid <= last` (all rows where the key is no rowid) and hands out chunk
    /// digests as chunks end. `go_on` is asked after each; where it says no, the rowid at which the next
    /// chunk begins is given back.
    pub(in crate::rehearse) fn chunks(
        &mut self,
        first: i64,
        last: i64,
        stream: &mut ChunkStream,
        mut chunk: impl FnMut(Digest, &ChunkStream) -> bool,
    ) -> Result<Option<i64>, RowsError> {
        if self.table.key == Key::Content {
            self.by_content(stream)?;
            if let Some(ended) = stream.end() {
                chunk(ended, stream);
            }
            return Ok(None);
        }
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
                Key::Content | Key::Position => RowKey::Position(position),
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

    /// Reads all rows and frames them in ascending order of their own bytes.
    fn by_content(&mut self, stream: &mut ChunkStream) -> Result<(), RowsError> {
        let (table, select) = (self.table, self.select);
        let mut framed: Vec<Vec<u8>> = Vec::new();
        let mut size = 0;
        let mut rows = self.statement.query([]).map_err(|e| failed(table, e))?;
        while let Some(row) = rows.next().map_err(|e| failed(table, e))? {
            let mut values = Vec::new();
            for at in 0..table.columns.len() {
                frame::put_value(&mut values, select.value(row, 0, at).map_err(|e| failed(table, e))?);
            }
            size += values.len();
            framed.push(values);
            if size > MAX_COUNTERS {
                let cause = format!("over {MAX_COUNTERS} bytes of counters");
                return Err(RowsError::Engine { what: format!("table {}", table.name), cause });
            }
        }
        framed.sort_unstable();
        for values in framed {
            stream.row(RowKey::Content);
            stream.framed(&values);
        }
        Ok(())
    }
}

fn failed(table: &Table, error: rusqlite::Error) -> RowsError {
    RowsError::engine(&format!("table {}", printable(&table.name)), error)
}
