//! Divides the rows of a file over threads. What is divided never shows in the digest.
//!
//! Rowid tables whose pages can be read are handed out in ranges of whole chunks, from the lowest rowid to the
//! highest possible one, so wide that a range takes some milliseconds. Other tables go to one thread as a whole,
//! and first. Finished ranges wait until all before them are there, then their chunks enter the table's digest
//! in order. A table that turns out not to be readable by ranges begins again as a whole.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::board::{Board, Finished, RANGE_CHUNKS, RANGE_ROWS, Range, Work, chunk_start};
use super::error::RowsError;
use super::frame::ChunkStream;
use super::layout::{Layout, Select};
use super::pages::Pages;
use super::record::Unsure;
use super::tree::PageScan;
use super::{Counted, Progress};

/// Rows between two reports of progress from one thread.
const REPORT_ROWS: u64 = 1 << 14;

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
