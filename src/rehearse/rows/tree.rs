//! Reads rows from the pages of a quiet file, in the order of their tree. About twice as fast as SQLite's cursor.
//!
//! Must not: decide what damaged bytes mean. Whatever is not exactly as SQLite writes it, or more than is handled
//! here, is [`Unsure`], and SQLite's own cursor reads the whole table instead. A record that is older than a
//! column with a default is [`Unsure::Short`]: SQLite is asked once for the default. So this is only ever a
//! faster way to the same chunks.
//!
//! Ranges of rowids cover all rowids, and every page must hold what its parent promises, so that no row is missed
//! between two ranges: a seek through a damaged tree could do that.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::frame::{self, ChunkStream, RowKey};
use super::layout::{Field, Key, Select, Table};
use super::pages::{Cells, INDEX_LEAF, Pages, TABLE_INNER, TABLE_LEAF, four};
use super::record::{Serial, Unsure, varint};
use crate::digest::Digest;

/// Most levels of a tree: SQLite's own limit.
const DEPTH: usize = 20;
/// Pages read at a time where leaves stand one behind the other.
const RUN: usize = 16;

/// Where a tree walk stands.
pub(super) enum Walk {
    /// There is more to come.
    On,
    /// The end was reached, or the receiver wants no more.
    Over,
}

/// Whoever takes the chunks; as in the cursor's scan.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Digest, &ChunkStream) -> bool;

/// The rows of one table.
pub(super) struct PageScan<'p, 't> {
    pub(super) pages: &'p Pages,
    pub(super) table: &'t Table,
    pub(super) record: &'t [Field],
    /// Inner pages on the way from the root.
    pub(super) inner: Vec<Vec<u8>>,
    /// The pages read last: number of the first, and bytes.
    pub(super) run: (u32, Vec<u8>),
    pub(super) overflow: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    /// Of a row whose columns are put in order: serial type, place in the record, whether it is REAL.
    pub(super) values: Vec<(Serial, usize, bool)>,
    /// What stands for a field in records older than its column, framed; as far as it is known.
    defaults: Vec<Option<Vec<u8>>>,
    /// The framed key of such a row.
    pub(super) key: Vec<u8>,
    /// Pages visited: more than there are means that the tree is none.
    visited: u64,
}

/// What a scan is asked for, and where it stands.
pub(super) struct Task<'a> {
    first: i64,
    last: i64,
    pub(super) stream: &'a mut ChunkStream,
    pub(super) sink: Sink<'a>,
    stopped_at: Option<i64>,
}

impl<'p, 't> PageScan<'p, 't> {
    /// A scan, where the table's records are known well enough.
    pub(super) fn new(pages: &'p Pages, table: &'t Table) -> Option<PageScan<'p, 't>> {
        let record = table.record.as_deref()?;
        let inner = vec![Vec::new(); DEPTH];
        let defaults = vec![None; record.len()];
        let values = vec![(Serial::Null, 0, false); table.columns.len()];
        let (run, overflow, scratch, key) = ((0, Vec::new()), Vec::new(), Vec::new(), Vec::new());
        Some(PageScan {
            pages,
            table,
            record,
            inner,
            run,
            overflow,
            scratch,
            values,
            key,
            defaults,
            visited: 0,
        })
    }

    /// As [`super::scan::Scan::chunks`].
    pub(super) fn chunks(
        &mut self,
        first: i64,
        last: i64,
        stream: &mut ChunkStream,
        mut chunk: impl FnMut(Digest, &ChunkStream) -> bool,
    ) -> Result<Option<i64>, Unsure> {
        self.visited = 0;
        let mut task = Task { first, last, stream, sink: &mut chunk, stopped_at: None };
        match self.table.key {
            Key::Rowid(_) => self.table_page(self.table.root, 0, (None, i64::MAX), 1, &mut task)?,
            Key::Primary(_) => self.index_page(self.table.root, 0, &mut task)?,
            Key::Content | Key::Position => return Err(Unsure::Leave),
        };
        if task.stopped_at.is_none()
            && let Some(ended) = task.stream.end()
        {
            (task.sink)(ended, task.stream);
        }
        Ok(task.stopped_at)
    }

    /// Brings a page in, and with it the pages behind it, up to `run` in all. Gives its place.
    pub(super) fn fetch(&mut self, number: u32, depth: usize, run: usize) -> Result<usize, Unsure> {
        self.visited += 1;
        if self.visited > u64::from(self.pages.count) {
            return Err(Unsure::Leave);
        }
        let size = self.pages.page_size;
        if !self.holds(number) {
            self.run.1.clear();
            self.pages.read(number, run, &mut self.run.1)?;
            self.run.0 = number;
        }
        let at = (number - self.run.0) as usize * size;
        // Only a root may be without cells, and then it is a leaf.
        let (kind, cells) = (self.run.1[at], &self.run.1[at + 3..at + 5]);
        if cells == [0, 0] && (depth > 0 || !matches!(kind, TABLE_LEAF | INDEX_LEAF)) {
            return Err(Unsure::Leave);
        }
        Ok(at)
    }

    /// Whether a page is among those read last.
    fn holds(&self, number: u32) -> bool {
        number >= self.run.0 && ((number - self.run.0) as usize) < self.run.1.len() / self.pages.page_size
    }

    fn table_page(
        &mut self,
        number: u32,
        depth: usize,
        (above, most): (Option<i64>, i64),
        run: usize,
        task: &mut Task<'_>,
    ) -> Result<Walk, Unsure> {
        let at = self.fetch(number, depth, run)?;
        let size = self.pages.page_size;
        match self.run.1[at] {
            TABLE_LEAF => {
                let bytes = std::mem::take(&mut self.run.1);
                let walk = self.table_leaf(&bytes[at..at + size], (above, most), task);
                self.run.1 = bytes;
                walk
            }
            TABLE_INNER => {
                let mut page = std::mem::take(self.inner.get_mut(depth).ok_or(Unsure::Leave)?);
                page.clear();
                page.extend_from_slice(&self.run.1[at..at + size]);
                let walk = self.table_inner(&page, depth, (above, most), task);
                self.inner[depth] = page;
                walk
            }
            _ => Err(Unsure::Leave),
        }
    }

    fn table_inner(
        &mut self,
        page: &[u8],
        depth: usize,
        (above, most): (Option<i64>, i64),
        task: &mut Task<'_>,
    ) -> Result<Walk, Unsure> {
        let cells = Cells::new(page, 12, self.pages.usable)?;
        let child = |n: usize| -> Result<u32, Unsure> {
            if n == cells.count { four(page, 8) } else { four(page, cells.at(n)?) }
        };
        let mut below = above;
        for n in 0..=cells.count {
            let upper = if n == cells.count {
                most
            } else {
                varint(&page[..self.pages.usable], &mut (cells.at(n)? + 4))? as i64
            };
            if below.is_some_and(|below| upper <= below) || upper > most {
                return Err(Unsure::Leave);
            }
            if below.is_some_and(|below| below >= task.last) {
                return Ok(Walk::Over);
            }
            if upper >= task.first {
                let number = child(n)?;
                let follows =
                    |k: usize| n + k <= cells.count && child(n + k) == Ok(number.wrapping_add(k as u32));
                let run = if self.holds(number) { 1 } else { (1..RUN).find(|k| !follows(*k)).unwrap_or(RUN) };
                if let Walk::Over = self.table_page(number, depth + 1, (below, upper), run, task)? {
                    return Ok(Walk::Over);
                }
            }
            below = Some(upper);
        }
        Ok(Walk::On)
    }

    fn table_leaf(
        &mut self,
        page: &[u8],
        (above, most): (Option<i64>, i64),
        task: &mut Task<'_>,
    ) -> Result<Walk, Unsure> {
        let usable = &page[..self.pages.usable];
        let cells = Cells::new(page, 8, self.pages.usable)?;
        let mut before = above;
        for n in 0..cells.count {
            let mut at = cells.at(n)?;
            let payload = usize::try_from(varint(usable, &mut at)?).map_err(|_| Unsure::Leave)?;
            let rowid = varint(usable, &mut at)? as i64;
            if before.is_some_and(|before| rowid <= before) || rowid > most {
                return Err(Unsure::Leave);
            }
            before = Some(rowid);
            if rowid < task.first {
                continue;
            }
            if rowid > task.last {
                return Ok(Walk::Over);
            }
            if let Some(ended) = task.stream.row(RowKey::Rowid(rowid))
                && !(task.sink)(ended, task.stream)
            {
                task.stream.abandon();
                task.stopped_at = Some(rowid);
                return Ok(Walk::Over);
            }
            let local = self.pages.local(payload, true);
            let bytes = usable.get(at..at + local).ok_or(Unsure::Leave)?;
            if local == payload {
                self.whole_record(bytes, rowid, task.stream)?;
            } else {
                let next = four(usable, at + local)?;
                self.spilled_record(bytes, payload, next, rowid, task.stream)?;
            }
        }
        Ok(Walk::On)
    }

    /// Adds what stands for a field that a record does not reach to.
    fn missing(&self, sound: bool, n: usize, rowid: i64, stream: &mut ChunkStream) -> Result<(), Unsure> {
        match (&self.defaults[n], self.record[n].default) {
            _ if !sound => return Err(Unsure::Leave),
            (Some(framed), _) => stream.framed(framed),
            (None, false) => stream.value(ValueRef::Null),
            (None, true) => return Err(Unsure::Short { rowid, from: n }),
        }
        Ok(())
    }

    /// Asks SQLite what stands for the fields that a record lacks.
    pub(super) fn learn(
        &mut self,
        c: &Connection,
        select: Select,
        rowid: i64,
        from: usize,
    ) -> rusqlite::Result<()> {
        let mut statement = super::scan::prepare(c, select, self.table)?;
        let mut rows = statement.query([rowid, rowid])?;
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        for (n, field) in self.record.iter().enumerate().skip(from).filter(|(_, field)| field.default) {
            let mut framed = Vec::new();
            frame::put_value(&mut framed, select.value(row, 1, field.at)?);
            self.defaults[n] = Some(framed);
        }
        Ok(())
    }

    /// A record that stands in its cell.
    fn whole_record(&self, bytes: &[u8], rowid: i64, stream: &mut ChunkStream) -> Result<(), Unsure> {
        let mut head = 0;
        let body = usize::try_from(varint(bytes, &mut head)?).map_err(|_| Unsure::Leave)?;
        let mut at = body;
        for (n, field) in self.record.iter().enumerate() {
            if head >= body {
                self.missing(head == body, n, rowid, stream)?;
                continue;
            }
            let serial = Serial::new(varint(bytes, &mut head)?)?;
            let value =
                bytes.get(at..at.checked_add(serial.length()).ok_or(Unsure::Leave)?).ok_or(Unsure::Leave)?;
            at += value.len();
            if self.table.alias == Some(field.at) {
                stream.value(ValueRef::Integer(rowid));
            } else {
                stream.value(serial.value(value, field.real));
            }
        }
        if head == body && at == bytes.len() { Ok(()) } else { Err(Unsure::Leave) }
    }

    /// A record that goes on in overflow pages: its values are handed on in pieces as the pages come.
    fn spilled_record(
        &mut self,
        local: &[u8],
        payload: usize,
        next: u32,
        rowid: i64,
        stream: &mut ChunkStream,
    ) -> Result<(), Unsure> {
        let mut head = 0;
        let body = usize::try_from(varint(local, &mut head)?).map_err(|_| Unsure::Leave)?;
        let mut left = payload.checked_sub(body).ok_or(Unsure::Leave)?;
        let start = local.get(body..).ok_or(Unsure::Leave)?;
        let mut page = std::mem::take(&mut self.overflow);
        page.clear();
        let mut spill = Spill { scan: self, here: start, page, at: 0, next };
        for (n, field) in spill.scan.record.iter().enumerate() {
            if head >= body {
                spill.scan.missing(head == body, n, rowid, stream)?;
                continue;
            }
            let serial = Serial::new(varint(local, &mut head)?)?;
            left = left.checked_sub(serial.length()).ok_or(Unsure::Leave)?;
            match serial {
                Serial::Text(length) | Serial::Blob(length) if length > 8 => {
                    stream.long(matches!(serial, Serial::Text(_)), length as u64);
                    spill.take(length, |piece| stream.piece(piece))?;
                }
                _ => {
                    let (mut small, mut filled) = ([0; 8], 0);
                    spill.take(serial.length(), |piece| {
                        small[filled..filled + piece.len()].copy_from_slice(piece);
                        filled += piece.len();
                    })?;
                    if spill.scan.table.alias == Some(field.at) {
                        stream.value(ValueRef::Integer(rowid));
                    } else {
                        stream.value(serial.value(&small[..filled], field.real));
                    }
                }
            }
        }
        let page = spill.page;
        self.overflow = page;
        if head == body && left == 0 { Ok(()) } else { Err(Unsure::Leave) }
    }
}

/// The rest of a payload: first what is in the cell, then one overflow page after the other.
pub(super) struct Spill<'s, 'p, 't, 'b> {
    pub(super) scan: &'s mut PageScan<'p, 't>,
    pub(super) here: &'b [u8],
    pub(super) page: Vec<u8>,
    pub(super) at: usize,
    pub(super) next: u32,
}

impl Spill<'_, '_, '_, '_> {
    pub(super) fn take(&mut self, mut length: usize, mut piece: impl FnMut(&[u8])) -> Result<(), Unsure> {
        let local = length.min(self.here.len());
        let (now, later) = self.here.split_at(local);
        if local > 0 {
            piece(now);
            self.here = later;
            length -= local;
        }
        while length > 0 {
            if self.at >= self.page.len() {
                self.scan.visited += 1;
                if self.scan.visited > u64::from(self.scan.pages.count) {
                    return Err(Unsure::Leave);
                }
                self.scan.pages.read(self.next, 1, &mut self.page)?;
                self.page.truncate(self.scan.pages.usable);
                self.next = four(&self.page, 0)?;
                self.at = 4;
            }
            let end = self.page.len().min(self.at + length);
            piece(&self.page[self.at..end]);
            length -= end - self.at;
            self.at = end;
        }
        Ok(())
    }
}
