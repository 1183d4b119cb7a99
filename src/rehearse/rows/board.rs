//! Which work is left, who has it, and what has come of it. No threads here: they stand around it.
//!
//! Ranges of rowids are cut from the lowest up. Finished ones wait until all before them are there, then their
//! chunks enter the table's digest in order.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::Counted;
use super::error::RowsError;
use super::frame::{CHUNK_BITS, TableStream};
use super::layout::{Key, Layout, Table, printable, quote};
use super::pages::Pages;
use crate::digest::Digest;

/// Rows that a range should hold: enough to pay for a seek, few enough that threads end together.
pub(super) const RANGE_ROWS: u64 = 1 << 15;
/// Most chunks that one range may give (512 KiB of digests): sparse rowids make a chunk of every row.
pub(super) const RANGE_CHUNKS: usize = 1 << 14;
/// Most chunks that may wait for an earlier range (4 MiB): stops a slow range from filling the memory.
const WAITING_CHUNKS: usize = 1 << 17;

/// A range of rowids of one table: `first` is the lowest of its chunk, `last` the highest of its own.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) table: usize,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// What came of a range, up to and with the rowid `last`.
pub(super) struct Finished {
    pub(super) last: i64,
    pub(super) rows: u64,
    pub(super) chunks: Vec<Digest>,
}

/// A rowid table in work.
struct Ranged {
    digest: TableStream,
    rows: u64,
    /// Not yet handed out: first to last rowid.
    left: BTreeMap<i64, i64>,
    /// Width of the next range in chunks.
    width: i64,
    /// All chunks below this rowid are in the digest.
    absorbed: i64,
    /// Where the tree's first and last rows say that the rowids are: a guess that saves empty ranges.
    dense: (i64, i64),
    /// Finished ranges, by their first rowid, that wait for an earlier one.
    waiting: BTreeMap<i64, Finished>,
}

pub(super) struct Board {
    /// Tables for one thread, and whether their pages may be tried.
    whole: Vec<(usize, bool)>,
    ranged: BTreeMap<usize, Ranged>,
    pub(super) done: Vec<Option<Counted>>,
    waiting_chunks: usize,
    pub(super) error: Option<RowsError>,
}

pub(super) enum Work {
    Whole(usize, bool),
    Range(Range),
    Wait,
    Done,
}

pub(super) fn chunk_start(rowid: i64) -> i64 {
    rowid >> CHUNK_BITS << CHUNK_BITS
}

fn chunk_end(rowid: i64) -> i64 {
    rowid | ((1 << CHUNK_BITS) - 1)
}

impl Ranged {
    /// Cuts the lowest range that is left.
    fn cut(&mut self, table: usize) -> Option<Range> {
        let (first, end) = self.left.pop_first()?;
        let (low, high) = self.dense;
        let from = if first < low && low <= end { low } else { first };
        let last =
            if first > high { end } else { from.saturating_add((self.width << CHUNK_BITS) - 1).min(end) };
        if last < end {
            self.left.insert(last + 1, end);
        }
        Some(Range { table, first, last })
    }

    /// Widens or narrows the next range by what the last one held.
    fn fit(&mut self, rows: u64, range: Range, last: i64) {
        const WIDEST: i64 = 1 << 48;
        let first = range.first.max(self.dense.0);
        if last < first || first > self.dense.1 {
            return;
        }
        let width = ((last.min(self.dense.1) - first) >> CHUNK_BITS).saturating_add(1);
        let fitting = (width as i128 * RANGE_ROWS as i128) / rows.max(1) as i128;
        self.width = fitting.clamp(1, width.saturating_mul(16) as i128).min(WIDEST as i128) as i64;
    }

    /// Moves what is next in order into the digest; true once that was the last.
    fn absorb(&mut self, waiting_chunks: &mut usize) -> bool {
        while let Some(next) = self.waiting.remove(&self.absorbed) {
            *waiting_chunks -= next.chunks.len();
            next.chunks.iter().for_each(|chunk| self.digest.chunk(chunk));
            self.rows += next.rows;
            if next.last == i64::MAX {
                return true;
            }
            self.absorbed = next.last + 1;
        }
        false
    }
}

impl Board {
    pub(super) fn new(c: &Connection, pages: Option<&Pages>, layout: &Layout) -> Result<Board, RowsError> {
        let none = layout.tables.iter().map(|_| None).collect();
        let mut board =
            Board { whole: Vec::new(), ranged: BTreeMap::new(), done: none, waiting_chunks: 0, error: None };
        for (at, table) in layout.tables.iter().enumerate() {
            let ends = match &table.key {
                Key::Rowid(alias) if pages.is_some() && table.record.is_some() => ends(c, table, alias)?,
                _ => None,
            };
            match ends {
                None => board.whole.push((at, true)),
                Some((low, high)) => {
                    let ranged = Ranged {
                        digest: super::table_stream(table),
                        rows: 0,
                        left: BTreeMap::from([(i64::MIN, i64::MAX)]),
                        dense: (chunk_start(low), chunk_end(high)),
                        width: (RANGE_ROWS >> CHUNK_BITS) as i64,
                        absorbed: i64::MIN,
                        waiting: BTreeMap::new(),
                    };
                    board.ranged.insert(at, ranged);
                }
            }
        }
        Ok(board)
    }

    pub(super) fn claim(&mut self) -> Work {
        if self.error.is_some() {
            return Work::Done;
        }
        if let Some((table, by_pages)) = self.whole.pop() {
            return Work::Whole(table, by_pages);
        }
        // A thread that is still at a range may give a part of it back, so nobody leaves before the end.
        let idle = if self.ranged.is_empty() { Work::Done } else { Work::Wait };
        let Some((&table, ranged)) = self.ranged.iter_mut().find(|(_, r)| !r.left.is_empty()) else {
            return idle;
        };
        // The range that all others wait for is never held back.
        let awaited = ranged.left.contains_key(&ranged.absorbed);
        if self.waiting_chunks > WAITING_CHUNKS && !awaited {
            return Work::Wait;
        }
        ranged.cut(table).map_or(idle, Work::Range)
    }

    /// Takes what came of a range; nothing means that the table cannot be read by ranges.
    pub(super) fn finish(&mut self, range: Range, finished: Option<Finished>) {
        let Some(ranged) = self.ranged.get_mut(&range.table) else { return };
        let Some(finished) = finished else {
            self.waiting_chunks -= ranged.waiting.values().map(|w| w.chunks.len()).sum::<usize>();
            self.ranged.remove(&range.table);
            self.whole.push((range.table, false));
            return;
        };
        if finished.last < range.last {
            ranged.left.insert(finished.last + 1, range.last);
        }
        ranged.fit(finished.rows, range, finished.last);
        self.waiting_chunks += finished.chunks.len();
        ranged.waiting.insert(range.first, finished);
        if ranged.absorb(&mut self.waiting_chunks)
            && let Some(ranged) = self.ranged.remove(&range.table)
        {
            let root = ranged.digest.finish(ranged.rows);
            self.done[range.table] = Some(Counted { root, rows: ranged.rows });
        }
    }
}

/// The lowest and the highest rowid.
fn ends(c: &Connection, table: &Table, alias: &str) -> Result<Option<(i64, i64)>, RowsError> {
    let (name, alias) = (quote(&table.name), quote(alias));
    let end = |direction: &str| {
        let sql = format!(
            "SELECT t.{alias} FROM main.{name} AS t NOT INDEXED ORDER BY t.{alias} {direction} LIMIT 1"
        );
        c.query_row(&sql, [], |row| row.get::<_, i64>(0))
            .optional()
            .map_err(|e| RowsError::engine(&format!("table {}", printable(&table.name)), e))
    };
    Ok(end("ASC")?.zip(end("DESC")?))
}
