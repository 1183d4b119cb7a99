//! The pages of a quiet database file, and how a page and its cells are laid out.
//!
//! ```text
//! page     kind u8 · first free u16 · cells u16 · content u16 · free bytes u8 · [right child u32], then a u16 for each
//!          cell: where it is (page 1, which has the file's header first, is never read here)
//! kind     05 table, inner: child u32, rowid         0d table, leaf: payload size, rowid, payload, [overflow u32]
//!          02 index, inner: child u32, size, payload  0a index, leaf: payload size, payload, [overflow u32]
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::record::Unsure;

pub(super) const TABLE_INNER: u8 = 0x05;
pub(super) const TABLE_LEAF: u8 = 0x0d;
pub(super) const INDEX_INNER: u8 = 0x02;
pub(super) const INDEX_LEAF: u8 = 0x0a;

/// The pages of a database file.
pub(super) struct Pages {
    file: File,
    pub(super) page_size: usize,
    /// Bytes of a page that hold content.
    pub(super) usable: usize,
    pub(super) count: u32,
}

impl Pages {
    /// Opens a file whose main part is the whole database; nothing where that is not certain.
    pub(super) fn open(path: &Path) -> Option<Pages> {
        let side = |suffix: &str| std::fs::metadata(crate::rehearse::source::with_suffix(path, suffix));
        if ["-wal", "-journal"].iter().any(|s| side(s).is_ok_and(|m| m.len() > 0)) {
            return None;
        }
        let file = File::open(path).ok()?;
        let mut header = [0; 100];
        file.read_exact_at(&mut header, 0).ok()?;
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = page_size.checked_sub(usize::from(header[20]))?;
        let sound = header.starts_with(b"SQLite format 3\0")
            && page_size.is_power_of_two()
            && page_size >= 512
            && usable >= 480
            && header[21..24] == [64, 32, 32];
        let count = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
        // The size in the header counts where the last writer says so, and should be the file's own.
        let sized = header[24..28] == header[92..96]
            && file.metadata().ok()?.len() == u64::from(count) * page_size as u64;
        (sound && sized).then_some(Pages { file, page_size, usable, count })
    }

    /// Reads up to `pages` pages from number `first` on.
    pub(super) fn read(&self, first: u32, pages: usize, into: &mut Vec<u8>) -> Result<(), Unsure> {
        if first < 2 || first > self.count {
            return Err(Unsure::Leave);
        }
        let pages = pages.min((self.count - first) as usize + 1);
        into.resize(pages * self.page_size, 0);
        let read: io::Result<()> =
            self.file.read_exact_at(into, u64::from(first - 1) * self.page_size as u64);
        read.map_err(|_| Unsure::Leave)
    }

    /// Bytes of a payload that stand in the cell itself.
    pub(super) fn local(&self, payload: usize, is_table_leaf: bool) -> usize {
        let usable = self.usable;
        let most = if is_table_leaf { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        if payload <= most {
            return payload;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let spilled = least + (payload - least) % (usable - 4);
        if spilled <= most { spilled } else { least }
    }
}

pub(super) fn four(bytes: &[u8], at: usize) -> Result<u32, Unsure> {
    let four = bytes.get(at..at.checked_add(4).ok_or(Unsure::Leave)?).ok_or(Unsure::Leave)?;
    Ok(u32::from_be_bytes(four.try_into().map_err(|_| Unsure::Leave)?))
}

/// The cells of a page.
pub(super) struct Cells<'b> {
    pointers: &'b [u8],
    pub(super) count: usize,
    start: usize,
    end: usize,
}

impl<'b> Cells<'b> {
    pub(super) fn new(page: &'b [u8], header: usize, usable: usize) -> Result<Cells<'b>, Unsure> {
        let count = usize::from(u16::from_be_bytes([page[3], page[4]]));
        let pointers = page.get(header..header + 2 * count).ok_or(Unsure::Leave)?;
        Ok(Cells { pointers, count, start: header + 2 * count, end: usable })
    }

    #[inline]
    pub(super) fn at(&self, n: usize) -> Result<usize, Unsure> {
        let at = usize::from(u16::from_be_bytes([self.pointers[2 * n], self.pointers[2 * n + 1]]));
        if at >= self.start && at < self.end { Ok(at) } else { Err(Unsure::Leave) }
    }
}
