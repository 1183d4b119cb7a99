//! The frames: how values, rows, chunks and tables become bytes under SHA-256. No SQLite, no I/O.
//!
//! The picture stands in the module above; here is the one place that writes it.

use rusqlite::types::ValueRef;

use crate::digest::{Digest, Hasher};

pub(in crate::rehearse) const CHUNK: &str = "fix7/rows/chunk/v1";
pub(in crate::rehearse) const TABLE: &str = "fix7/rows/table/v1";

/// A chunk of a rowid table spans 2^12 possible keys: the unit that can be hashed on its own.
pub(in crate::rehearse) const CHUNK_BITS: u32 = 12;

/// Bytes gathered before they are hashed: long enough that SHA-256 runs at full speed, short enough for the cache.
const GATHER: usize = 32 << 10;

const NULL: u8 = 0x00;
const INTEGER: u8 = 0x01;
const REAL: u8 = 0x02;
const TEXT: u8 = 0x03;
const BLOB: u8 = 0x04;
pub(in crate::rehearse) const ROW_BY_ROWID: u8 = 0x10;
pub(in crate::rehearse) const ROW_BY_PRIMARY_KEY: u8 = 0x11;
pub(in crate::rehearse) const ROW_BY_POSITION: u8 = 0x12;
pub(in crate::rehearse) const ROW_BY_CONTENT: u8 = 0x13;
const TABLE_CHUNK: u8 = 0x20;
const TABLE_END: u8 = 0x21;

/// Adds a value whose bytes are small enough to be copied; long text goes through [`ChunkStream::value`].
pub(in crate::rehearse) fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Integer(i) => put_eight(out, INTEGER, i.to_be_bytes()),
        ValueRef::Real(r) => put_eight(out, REAL, r.to_bits().to_be_bytes()),
        ValueRef::Text(bytes) => {
            put_eight(out, TEXT, (bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        ValueRef::Blob(bytes) => {
            put_eight(out, BLOB, (bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

fn put_eight(out: &mut Vec<u8>, tag: u8, eight: [u8; 8]) {
    let mut nine = [tag; 9];
    nine[1..].copy_from_slice(&eight);
    out.extend_from_slice(&nine);
}

/// Whether a row with this framed primary key begins a chunk: one key in 4096 does, by its own bytes alone.
///
/// This is no security boundary. Whoever picks keys to make every row a chunk, or none, changes only how
/// well the work divides; what is hashed stays the same bytes in the same order.
pub(in crate::rehearse) fn begins_chunk(framed_key: &[u8]) -> bool {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 / golden ratio
    let mut state = 0u64;
    for piece in framed_key.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        state = (state ^ u64::from_be_bytes(word)).wrapping_mul(ODD);
        state ^= state >> 32;
    }
    state >> (64 - CHUNK_BITS) == 0
}

/// What a row stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rehearse) enum RowKey {
    Rowid(i64),
    /// The key's columns are among the row's own; `true` begins a chunk.
    Primary(bool),
    Position(u64),
    Content,
}

/// Rows in, chunk digests out.
pub(in crate::rehearse) struct ChunkStream {
    buffer: Vec<u8>,
    open: Option<(Hasher, i64)>,
    /// Framed bytes so far, for progress.
    pub(in crate::rehearse) bytes: u64,
    pub(in crate::rehearse) rows: u64,
}

impl ChunkStream {
    pub(in crate::rehearse) fn new() -> ChunkStream {
        ChunkStream { buffer: Vec::with_capacity(GATHER * 2), open: None, bytes: 0, rows: 0 }
    }

    /// Begins a row; gives the digest of the chunk before it where the row begins another.
    pub(in crate::rehearse) fn row(&mut self, key: RowKey) -> Option<Digest> {
        let chunk = match key {
            RowKey::Rowid(rowid) => rowid >> CHUNK_BITS,
            RowKey::Primary(begins) => self.open.as_ref().map_or(0, |(_, at)| at + i64::from(begins)),
            RowKey::Position(at) => (at >> CHUNK_BITS) as i64,
            RowKey::Content => 0,
        };
        let ended = match &self.open {
            Some((_, at)) if *at == chunk => None,
            _ => {
                let ended = self.end();
                self.open = Some((Hasher::labelled(CHUNK), chunk));
                ended
            }
        };
        if self.buffer.len() >= GATHER {
            self.flush();
        }
        match key {
            RowKey::Rowid(rowid) => put_eight(&mut self.buffer, ROW_BY_ROWID, rowid.to_be_bytes()),
            RowKey::Primary(_) => self.buffer.push(ROW_BY_PRIMARY_KEY),
            RowKey::Position(at) => put_eight(&mut self.buffer, ROW_BY_POSITION, at.to_be_bytes()),
            RowKey::Content => self.buffer.push(ROW_BY_CONTENT),
        }
        self.rows += 1;
        ended
    }

    /// Adds the next value of the row.
    pub(in crate::rehearse) fn value(&mut self, value: ValueRef<'_>) {
        let (tag, bytes) = match value {
            ValueRef::Text(bytes) if bytes.len() >= GATHER => (TEXT, bytes),
            ValueRef::Blob(bytes) if bytes.len() >= GATHER => (BLOB, bytes),
            short => return put_value(&mut self.buffer, short),
        };
        put_eight(&mut self.buffer, tag, (bytes.len() as u64).to_be_bytes());
        self.flush();
        if let Some((hasher, _)) = &mut self.open {
            hasher.update(bytes);
            self.bytes += bytes.len() as u64;
        }
    }

    /// Forgets the chunk that has just begun.
    pub(in crate::rehearse) fn abandon(&mut self) {
        self.buffer.clear();
        self.open = None;
        self.rows -= 1;
    }

    /// Adds the head of a text (or blob) whose bytes come in pieces.
    pub(in crate::rehearse) fn long(&mut self, is_text: bool, length: u64) {
        put_eight(&mut self.buffer, if is_text { TEXT } else { BLOB }, length.to_be_bytes());
    }

    /// Adds a piece of such a text.
    pub(in crate::rehearse) fn piece(&mut self, bytes: &[u8]) {
        if self.buffer.len() >= GATHER {
            self.flush();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds the values of the row, framed already.
    pub(in crate::rehearse) fn framed(&mut self, values: &[u8]) {
        self.buffer.extend_from_slice(values);
    }

    fn flush(&mut self) {
        if let Some((hasher, _)) = &mut self.open {
            hasher.update(&self.buffer);
            self.bytes += self.buffer.len() as u64;
        }
        self.buffer.clear();
    }

    /// Ends the chunk that is open.
    pub(in crate::rehearse) fn end(&mut self) -> Option<Digest> {
        self.flush();
        self.open.take().map(|(hasher, _)| hasher.finish())
    }
}

/// Chunk digests in, in the order of their keys; the table's digest out.
pub(in crate::rehearse) struct TableStream(Hasher);

impl TableStream {
    pub(in crate::rehearse) fn new<'a>(
        name: &str,
        key: u8,
        columns: impl ExactSizeIterator<Item = &'a str>,
    ) -> TableStream {
        let mut hasher = Hasher::labelled(TABLE);
        hasher.framed(name.as_bytes());
        hasher.update(&[key]);
        hasher.update(&(columns.len() as u64).to_be_bytes());
        columns.for_each(|c| hasher.framed(c.as_bytes()));
        TableStream(hasher)
    }

    pub(in crate::rehearse) fn chunk(&mut self, digest: &Digest) {
        self.0.update(&[TABLE_CHUNK]);
        self.0.update(digest.as_bytes());
    }

    pub(in crate::rehearse) fn finish(mut self, rows: u64) -> Digest {
        self.0.update(&[TABLE_END]);
        self.0.update(&rows.to_be_bytes());
        self.0.finish()
    }
}
