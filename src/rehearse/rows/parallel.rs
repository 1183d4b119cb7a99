//! Divides the rows of a file over threads. What is divided never shows in the digest.
//!
//! Rowid tables whose pages can be read are handed out in ranges of whole chunks, from the lowest rowid to the
//! highest possible one, so wide that a range takes some milliseconds. Other tables go to one thread as a whole,
//! and first. Finished ranges wait until all before them are there, then their chunks enter the table's digest
//! in order. A table that turns out not to be readable by ranges begins again as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use super::error::RowsError;
use super::frame::{CHUNK_BITS, ChunkStream, TableStream};
use super::layout::{Key, Layout, Select, Table, printable, quote};
use super::pages::{PageScan, Pages};
use super::record::Unsure;
use super::{Counted, Progress};
use crate::digest::Digest;

/// Rows that a range should hold: enough to pay for a seek, few enough that threads end together.
const RANGE_ROWS: u64 = 1 << 15;
/// Most chunks that one range may give (512 KiB of digests): sparse rowids make a chunk of every row.
const RANGE_CHUNKS: usize = 1 << 14;
/// Most chunks that may wait for an earlier range (4 MiB): stops a slow range from filling the memory.
const WAITING_CHUNKS: usize = 1 << 17;
/// Rows between two reports of progress from one thread.
const REPORT_ROWS: u64 = 1 << 14;

/// A range of rowids of one table: `first` is the lowest of its chunk, `last` the highest of its own.
#[derive(Clone, Copy)]
struct Range {
    table: usize,
    first: i64,
    last: i64,
}

/// What came of a range, up to and with the rowid `last`.
struct Finished {
    last: i64,
    rows: u64,
    chunks: Vec<Digest>,
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

struct Board {
    /// Tables for one thread, and whether their pages may be tried.
    whole: Vec<(usize, bool)>,
    ranged: BTreeMap<usize, Ranged>,
    done: Vec<Option<Counted>>,
    waiting_chunks: usize,
    error: Option<RowsError>,
}

enum Work {
    Whole(usize, bool),
    Range(Range),
    Wait,
    Done,
}

fn chunk_start(rowid: i64) -> i64 {
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
    fn new(c: &Connection, pages: Option<&Pages>, layout: &Layout) -> Result<Board, RowsError> {
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

    fn claim(&mut self) -> Work {
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
    fn finish(&mut self, range: Range, finished: Option<Finished>) {
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

struct Shared<'a> {
    layout: &'a Layout,
    pages: Option<&'a Pages>,
    board: Mutex<Board>,
    moved: Condvar,
    rows: AtomicU64,
    bytes: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// Counts what one thread has hashed into the sum of all.
struct Reporter<'s, 'a> {
    shared: &'s Shared<'a>,
    /// Rows and bytes of the current stream that are in the sum already.
    reported: (u64, u64),
}

impl Reporter<'_, '_> {
    fn report(&mut self, stream: &ChunkStream, force: bool) {
        // A range that is read a second time counts on only once it is past what was counted.
        let rows = stream.rows.saturating_sub(self.reported.0);
        let bytes = stream.bytes.saturating_sub(self.reported.1);
        if force || rows >= REPORT_ROWS {
            self.reported = (self.reported.0 + rows, self.reported.1 + bytes);
            let rows = self.shared.rows.fetch_add(rows, Relaxed) + rows;
            let bytes = self.shared.bytes.fetch_add(bytes, Relaxed) + bytes;
            (self.shared.progress)(Progress { rows, bytes });
        }
    }
}

/// Reads a range of a rowid table from its pages; nothing where that is not certain.
fn read_range(
    scan: &mut PageScan<'_, '_>,
    c: &Connection,
    select: Select,
    range: Range,
    reporter: &mut Reporter<'_, '_>,
) -> Result<Option<Finished>, RowsError> {
    let mut learnt = None;
    loop {
        let (mut stream, mut chunks) = (ChunkStream::new(), Vec::new());
        let read = scan.chunks(range.first, range.last, &mut stream, |chunk, stream| {
            chunks.push(chunk);
            reporter.report(stream, false);
            chunks.len() < RANGE_CHUNKS && stream.rows < 4 * RANGE_ROWS
        });
        match read {
            Ok(next) => {
                reporter.report(&stream, true);
                let last = next.map_or(range.last, |rowid| chunk_start(rowid) - 1);
                return Ok(Some(Finished { last, rows: stream.rows, chunks }));
            }
            Err(Unsure::Short { rowid, from }) if learnt != Some((rowid, from)) => {
                learnt = Some((rowid, from));
                scan.learn(c, select, rowid, from).map_err(|e| RowsError::engine("a default", e))?;
            }
            Err(_) => return Ok(None),
        }
    }
}

/// Digests all tables of `layout`, in its order.
pub(crate) fn tables(
    path: &Path,
    first: Connection,
    pages: Option<&Pages>,
    layout: &Layout,
    threads: usize,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Counted>, RowsError> {
    let shared = Shared {
        layout,
        pages,
        board: Mutex::new(Board::new(&first, pages, layout)?),
        moved: Condvar::new(),
        rows: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        progress,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| shared.run(super::open(path)));
        }
        shared.run(Ok(first));
    });
    let board = shared.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (board.error, board.done.into_iter().collect()) {
        (None, Some(done)) => Ok(done),
        (Some(error), _) => Err(error),
        (None, None) => Err(unfinished()),
    }
}

fn unfinished() -> RowsError {
    RowsError::Engine { what: "the tables".to_owned(), cause: "a thread ended before its work".to_owned() }
}

/// Tells the other threads when this one ends in a panic, for they would wait for its range.
struct Leaving<'s, 'a>(&'s Shared<'a>);

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(unfinished());
        }
    }
}

impl Shared<'_> {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: RowsError) {
        self.board().error.get_or_insert(error);
        self.moved.notify_all();
    }

    fn run(&self, c: Result<Connection, RowsError>) {
        let _leaving = Leaving(self);
        if let Err(error) = c.and_then(|c| self.work(&c)) {
            self.fail(error);
        }
    }

    fn next(&self) -> Option<Work> {
        let mut board = self.board();
        loop {
            match board.claim() {
                Work::Wait => board = self.moved.wait(board).unwrap_or_else(PoisonError::into_inner),
                Work::Done => return None,
                work => return Some(work),
            }
        }
    }

    fn work(&self, c: &Connection) -> Result<(), RowsError> {
        let select = Select::for_encoding(&self.layout.header.encoding);
        let mut at: Option<(usize, PageScan<'_, '_>)> = None;
        let mut reporter = Reporter { shared: self, reported: (0, 0) };
        while let Some(work) = self.next() {
            reporter.reported = (0, 0);
            match work {
                Work::Whole(table, by_pages) => {
                    let mut report = |stream: &ChunkStream, force: bool| reporter.report(stream, force);
                    let pages = self.pages.filter(|_| by_pages);
                    let counted =
                        super::whole_table(c, select, &self.layout.tables[table], pages, &mut report)?;
                    self.board().done[table] = Some(counted);
                }
                Work::Range(range) => {
                    if at.as_ref().is_none_or(|(table, _)| *table != range.table) {
                        let scan = |pages| PageScan::new(pages, &self.layout.tables[range.table]);
                        at = self.pages.and_then(scan).map(|scan| (range.table, scan));
                    }
                    let finished = match &mut at {
                        Some((_, scan)) => read_range(scan, c, select, range, &mut reporter)?,
                        None => None,
                    };
                    self.board().finish(range, finished);
                }
                Work::Wait | Work::Done => {}
            }
            self.moved.notify_all();
        }
        Ok(())
    }
}
