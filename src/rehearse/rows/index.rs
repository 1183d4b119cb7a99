//! WITHOUT ROWID tables by their pages: rows stand in inner pages too, with the key's columns first.

use super::frame::{self, RowKey};
use super::layout::Key;
use super::pages::{Cells, INDEX_INNER, INDEX_LEAF, four};
use super::record::{Serial, Unsure, varint};
use super::tree::{PageScan, Spill, Task, Walk};

/// Largest record that is put in order in memory here.
const RECORD: usize = 1 << 20;

impl PageScan<'_, '_> {
    pub(super) fn index_page(
        &mut self,
        number: u32,
        depth: usize,
        task: &mut Task<'_>,
    ) -> Result<Walk, Unsure> {
        let at = self.fetch(number, depth, 1)?;
        let size = self.pages.page_size;
        let kind = self.run.1[at];
        if kind == INDEX_LEAF {
            let bytes = std::mem::take(&mut self.run.1);
            let walk = self.index_cells(&bytes[at..at + size], None, depth, task);
            self.run.1 = bytes;
            return walk;
        }
        if kind != INDEX_INNER {
            return Err(Unsure::Leave);
        }
        let mut page = std::mem::take(self.inner.get_mut(depth).ok_or(Unsure::Leave)?);
        page.clear();
        page.extend_from_slice(&self.run.1[at..at + size]);
        let right = four(&page, 8)?;
        let walk = self.index_cells(&page, Some(right), depth, task);
        self.inner[depth] = page;
        walk
    }

    /// The rows of a page; of an inner one also the pages between them and, in the end, the one to the `right`.
    fn index_cells(
        &mut self,
        page: &[u8],
        right: Option<u32>,
        depth: usize,
        task: &mut Task<'_>,
    ) -> Result<Walk, Unsure> {
        let usable = &page[..self.pages.usable];
        let cells = Cells::new(page, if right.is_some() { 12 } else { 8 }, self.pages.usable)?;
        for n in 0..cells.count {
            let mut at = cells.at(n)?;
            if right.is_some() {
                self.index_page(four(usable, at)?, depth + 1, task)?;
                at += 4;
            }
            let payload = usize::try_from(varint(usable, &mut at)?).map_err(|_| Unsure::Leave)?;
            let local = self.pages.local(payload, false);
            let bytes = usable.get(at..at + local).ok_or(Unsure::Leave)?;
            if local == payload {
                self.ordered_record(bytes, task)?;
                continue;
            }
            if payload > RECORD {
                return Err(Unsure::Leave);
            }
            let (mut scratch, page) = (std::mem::take(&mut self.scratch), std::mem::take(&mut self.overflow));
            scratch.clear();
            let next = four(usable, at + local)?;
            let mut spill = Spill { scan: self, here: bytes, page, at: 0, next };
            spill.page.clear();
            spill.take(payload, |piece| scratch.extend_from_slice(piece))?;
            self.overflow = spill.page;
            self.ordered_record(&scratch, task)?;
            self.scratch = scratch;
        }
        match right {
            Some(right) => self.index_page(right, depth + 1, task),
            None => Ok(Walk::On),
        }
    }

    /// A record that has the key's columns first: its values are put into the table's order.
    fn ordered_record(&mut self, bytes: &[u8], task: &mut Task<'_>) -> Result<(), Unsure> {
        let mut head = 0;
        let body = usize::try_from(varint(bytes, &mut head)?).map_err(|_| Unsure::Leave)?;
        let mut at = body;
        for field in self.record {
            let serial = if head == body && !field.default {
                Serial::Null
            } else if head >= body {
                return Err(Unsure::Leave);
            } else {
                Serial::new(varint(bytes, &mut head)?)?
            };
            self.values[field.at] = (serial, at, field.real);
            at = at.checked_add(serial.length()).ok_or(Unsure::Leave)?;
        }
        if head != body || at != bytes.len() {
            return Err(Unsure::Leave);
        }
        let value =
            |(serial, at, real): (Serial, usize, bool)| serial.value(&bytes[at..at + serial.length()], real);
        self.key.clear();
        if let Key::Primary(columns) = &self.table.key {
            columns.iter().for_each(|column| frame::put_value(&mut self.key, value(self.values[column.at])));
        }
        if let Some(ended) = task.stream.row(RowKey::Primary(frame::begins_chunk(&self.key))) {
            (task.sink)(ended, task.stream);
        }
        self.values.iter().for_each(|v| task.stream.value(value(*v)));
        Ok(())
    }
}
