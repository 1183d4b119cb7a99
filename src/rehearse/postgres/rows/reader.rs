//! Divides tables over connections: by pages, so that no row is sorted and no index is read.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use postgres::Client;

use super::copy::Tuples;
use super::layout::{Layout, Table};
use super::multiset::{Batch, Multisets};
use super::{Progress, StateError};
use crate::digest::Hasher;

const ROW: u8 = 0x10;
/// Pages of one piece of work: 32 MiB where a page has 8 KiB.
const PAGES: i64 = 4096;
/// Pages, over all tables, below which a second connection costs more than it saves.
const WORTH_A_THREAD: i64 = 256;
/// Rows between two reports of progress from one thread.
const REPORT_ROWS: u64 = 1 << 14;

/// A table, and the pages of it: from the first to before the second, or to its end.
type Piece = (usize, Option<(i64, Option<i64>)>);

struct Shared<'a> {
    layout: &'a Layout,
    sets: &'a Multisets,
    pieces: Vec<Piece>,
    next: AtomicUsize,
    failed: AtomicBool,
    rows: AtomicU64,
    bytes: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// Reads all rows of all tables into `sets`.
pub(super) fn all(
    client: &mut Client,
    further: &(dyn Fn() -> Result<Client, StateError> + Sync),
    layout: &Layout,
    threads: usize,
    sets: &Multisets,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), StateError> {
    let pieces = pieces(&layout.tables, threads);
    let pages: i64 = layout.tables.iter().map(|table| table.pages).sum();
    let threads = if pages < WORTH_A_THREAD { 1 } else { threads.min(pieces.len()) };
    let (next, failed, rows, bytes) =
        (AtomicUsize::new(0), AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let shared = Shared { layout, sets, pieces, next, failed, rows, bytes, progress };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| shared.run(|| further().and_then(|mut c| shared.work(&mut c)))))
            .collect();
        let own = shared.run(|| shared.work(client));
        let ended = others.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(StateError::Malformed("a thread ended early".to_owned())))
        });
        own.and(ended.collect())
    })
}

/// The largest tables first, so that threads end together.
fn pieces(tables: &[Table], threads: usize) -> Vec<Piece> {
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(tables[*at].pages), *at));
    let mut pieces = Vec::new();
    for at in order {
        let pages = tables[at].pages;
        if threads == 1 || pages <= PAGES {
            pieces.push((at, None));
            continue;
        }
        for from in (0..pages).step_by(PAGES as usize) {
            let to = from + PAGES;
            // A snapshot may see rows on pages that came after the size was asked for.
            pieces.push((at, Some((from, (to < pages).then_some(to)))));
        }
    }
    pieces
}

impl Shared<'_> {
    /// Others stop once one has failed.
    fn run(&self, work: impl FnOnce() -> Result<(), StateError>) -> Result<(), StateError> {
        let ended = work();
        if ended.is_err() {
            self.failed.store(true, Relaxed);
        }
        ended
    }

    fn work(&self, client: &mut Client) -> Result<(), StateError> {
        let mut batch = Batch::new();
        while let Some((table, pages)) = self.pieces.get(self.next.fetch_add(1, Relaxed)) {
            if self.failed.load(Relaxed) {
                break;
            }
            self.piece(client, *table, *pages, &mut batch)?;
        }
        Ok(())
    }

    fn piece(
        &self,
        client: &mut Client,
        at: usize,
        pages: Option<(i64, Option<i64>)>,
        batch: &mut Batch,
    ) -> Result<(), StateError> {
        let table = &self.layout.tables[at];
        let rows = client.copy_out(&table.copy(pages)).map_err(|e| StateError::server(&table.name, e))?;
        let mut tuples = Tuples::new(rows, table.columns.len())?;
        let (mut rows, mut bytes) = (0, 0);
        while let Some(row) = tuples.next().map_err(|e| e.at(&table.name))? {
            let mut hasher = Hasher::new();
            hasher.update(&[ROW]);
            hasher.update(row);
            (rows, bytes) = (rows + 1, bytes + row.len() as u64);
            if batch.add(&hasher.finish()) {
                self.sets.give(at, batch)?;
            }
            if rows == REPORT_ROWS {
                self.report(&mut rows, &mut bytes);
            }
        }
        self.report(&mut rows, &mut bytes);
        self.sets.give(at, batch)
    }

    fn report(&self, rows: &mut u64, bytes: &mut u64) {
        let sum = Progress {
            rows: self.rows.fetch_add(*rows, Relaxed) + *rows,
            bytes: self.bytes.fetch_add(*bytes, Relaxed) + *bytes,
        };
        (*rows, *bytes) = (0, 0);
        (self.progress)(sum);
    }
}
