//! Multisets of row digests, of any size in bounded memory: what is too much goes to a file.
//!
//! ```text
//! thread ─► Batch (one table, up to 2^18 digests, parted by first byte) ─► Multisets ─► bucket by bucket: sort, hash
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::StateError;
use super::layout::Table;
use crate::digest::{Digest, Hasher};

const BUCKET: &str = "fix7/postgresql/bucket/v1";
const TABLE: &str = "fix7/postgresql/table/v1";
const TABLE_BUCKET: u8 = 0x20;
const TABLE_END: u8 = 0x21;
const BUCKETS: usize = 256;
const SIZE: usize = 32;

/// Digests that one thread gathers before it gives them away (8 MiB).
const BATCH: usize = 1 << 18;
/// Bytes of digests that stay in memory, over all tables.
const MEMORY: usize = 64 << 20;

/// Digests of rows of one table, not yet given away.
pub(super) struct Batch(Vec<[u8; SIZE]>);

impl Batch {
    pub(super) fn new() -> Batch {
        Batch(Vec::new())
    }

    /// Adds a row; true once the batch should be given away.
    pub(super) fn add(&mut self, row: &Digest) -> bool {
        self.0.push(*row.as_bytes());
        self.0.len() >= BATCH
    }
}

/// Digests parted by their first byte: bucket b lies at `ends[b - 1]..ends[b]`.
struct Run {
    ends: Vec<u32>,
    held: Held,
}

enum Held {
    Memory(Vec<[u8; SIZE]>),
    /// At this offset of the file.
    Spilled(u64),
}

impl Run {
    fn bucket(&self, at: usize) -> (usize, usize) {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        (from as usize, self.ends[at] as usize)
    }
}

/// The digests of all rows, by table.
pub(super) struct Multisets {
    tables: Vec<Mutex<Vec<Run>>>,
    memory: AtomicUsize,
    place: PathBuf,
    file: Mutex<Option<(File, u64)>>,
}

/// A table's buckets, digested.
pub(super) struct Counted {
    pub(super) rows: u64,
    buckets: Vec<(u8, Digest)>,
}

impl Counted {
    /// The table's digest.
    pub(super) fn root(&self, table: &Table) -> Digest {
        let mut hasher = Hasher::labelled(TABLE);
        hasher.framed(table.name.as_bytes());
        hasher.update(&(table.columns.len() as u64).to_be_bytes());
        for column in &table.columns {
            hasher.framed(column.name.as_bytes());
            hasher.framed(column.type_name.as_bytes());
            hasher.update(&[u8::from(column.as_text)]);
        }
        for (first, bucket) in &self.buckets {
            hasher.update(&[TABLE_BUCKET, *first]);
            hasher.update(bucket.as_bytes());
        }
        hasher.update(&[TABLE_END]);
        hasher.update(&self.rows.to_be_bytes());
        hasher.finish()
    }
}

impl Multisets {
    pub(super) fn new(tables: usize, place: &Path) -> Multisets {
        Multisets {
            tables: (0..tables).map(|_| Mutex::new(Vec::new())).collect(),
            memory: AtomicUsize::new(0),
            place: place.to_owned(),
            file: Mutex::new(None),
        }
    }

    /// Takes a batch of rows of table number `table`, and leaves it empty.
    pub(super) fn give(&self, table: usize, batch: &mut Batch) -> Result<(), StateError> {
        if batch.0.is_empty() {
            return Ok(());
        }
        let (parted, ends) = part(&batch.0);
        batch.0.clear();
        let bytes = parted.len() * SIZE;
        let held = if self.memory.fetch_add(bytes, Relaxed) + bytes <= MEMORY {
            Held::Memory(parted)
        } else {
            self.memory.fetch_sub(bytes, Relaxed);
            Held::Spilled(self.spill(parted.as_flattened())?)
        };
        lock(&self.tables[table]).push(Run { ends, held });
        Ok(())
    }

    fn spill(&self, bytes: &[u8]) -> Result<u64, StateError> {
        let mut held = lock(&self.file);
        let (file, end) = match &mut *held {
            Some(open) => open,
            none => none.insert((tempfile::tempfile_in(&self.place).map_err(|e| self.failed(e))?, 0)),
        };
        file.write_all_at(bytes, *end).map_err(|e| self.failed(e))?;
        let at = *end;
        *end += bytes.len() as u64;
        Ok(at)
    }

    fn failed(&self, cause: io::Error) -> StateError {
        StateError::Spill { place: self.place.display().to_string(), cause }
    }

    /// Sorts and digests every bucket of every table, on `threads` threads.
    pub(super) fn finish(self, threads: usize) -> Result<Vec<Counted>, StateError> {
        let runs: Vec<Vec<Run>> = self.tables.iter().map(|t| std::mem::take(&mut *lock(t))).collect();
        let file = lock(&self.file).take().map(|(file, _)| file);
        let full = |table: &Vec<Run>, at: usize| table.iter().any(|run| run.bucket(at).0 < run.bucket(at).1);
        let work: Vec<(usize, usize)> = runs
            .iter()
            .enumerate()
            .flat_map(|(t, table)| (0..BUCKETS).filter(move |at| full(table, *at)).map(move |at| (t, at)))
            .collect();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(work.len()));
        let one = || -> io::Result<()> {
            let mut rows: Vec<[u8; SIZE]> = Vec::new();
            while let Some((table, at)) = work.get(next.fetch_add(1, Relaxed)) {
                rows.clear();
                for run in &runs[*table] {
                    gather(run, *at, file.as_ref(), &mut rows)?;
                }
                rows.sort_unstable();
                let mut hasher = Hasher::labelled(BUCKET);
                hasher.update(rows.as_flattened());
                lock(&done).push((*table, *at as u8, hasher.finish(), rows.len() as u64));
            }
            Ok(())
        };
        let helpers = threads.min(work.len() / BUCKETS + 1);
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..helpers).map(|_| scope.spawn(one)).collect();
            let own = one();
            let ended = others
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended early"))));
            own.and(ended.collect::<io::Result<()>>())
        })
        .map_err(|e| self.failed(e))?;
        let mut counted: Vec<Counted> =
            runs.iter().map(|_| Counted { rows: 0, buckets: Vec::new() }).collect();
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(table, at, ..)| (*table, *at));
        for (table, at, digest, rows) in done {
            counted[table].rows += rows;
            counted[table].buckets.push((at, digest));
        }
        Ok(counted)
    }
}

fn gather(run: &Run, at: usize, file: Option<&File>, rows: &mut Vec<[u8; SIZE]>) -> io::Result<()> {
    let (from, to) = run.bucket(at);
    match (&run.held, file) {
        (Held::Memory(digests), _) => rows.extend_from_slice(&digests[from..to]),
        (Held::Spilled(offset), Some(file)) => {
            let begin = rows.len();
            rows.resize(begin + to - from, [0; SIZE]);
            file.read_exact_at(rows[begin..].as_flattened_mut(), offset + (from * SIZE) as u64)?;
        }
        (Held::Spilled(_), None) => return Err(io::Error::other("the file is gone")),
    }
    Ok(())
}

/// Parts digests by their first byte, in one pass.
fn part(digests: &[[u8; SIZE]]) -> (Vec<[u8; SIZE]>, Vec<u32>) {
    let mut at = vec![0u32; BUCKETS];
    digests.iter().for_each(|digest| at[usize::from(digest[0])] += 1);
    let mut sum = 0;
    for begin in &mut at {
        sum += std::mem::replace(begin, sum);
    }
    let mut parted = vec![[0; SIZE]; digests.len()];
    for digest in digests {
        let place = &mut at[usize::from(digest[0])];
        parted[*place as usize] = *digest;
        *place += 1;
    }
    (parted, at)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(batches: &[Vec<u32>], threads: usize, spill: bool) -> Vec<(u8, Digest)> {
        let sets = Multisets::new(1, &std::env::temp_dir());
        if spill {
            sets.memory.store(MEMORY, Relaxed);
        }
        for batch in batches {
            let mut given = Batch::new();
            batch.iter().for_each(|n| {
                given.add(&Digest::of(&n.to_be_bytes()));
            });
            sets.give(0, &mut given).expect("room for digests");
        }
        let mut counted = sets.finish(threads).expect("digests are read back");
        let counted = counted.remove(0);
        assert_eq!(counted.rows, batches.iter().map(|b| b.len() as u64).sum::<u64>());
        counted.buckets
    }

    #[test]
    fn order_batches_threads_and_the_file_do_not_matter_but_counts_do() {
        let whole = root(&[(0..3000).collect()], 1, false);
        let pieces: Vec<Vec<u32>> =
            (0..3000).rev().collect::<Vec<_>>().chunks(7).map(<[u32]>::to_vec).collect();
        assert_eq!(root(&pieces, 1, false), whole);
        assert_eq!(root(&pieces, 3, true), whole);
        assert_ne!(root(&[(0..3000).collect(), vec![5]], 1, false), whole, "a row twice");
        assert_ne!(root(&[vec![1, 1, 2]], 1, false), root(&[vec![1, 2, 2]], 1, false));
        assert_ne!(root(&[vec![]], 1, false), whole);
    }
}
