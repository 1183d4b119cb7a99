//! Packs: what an append writes, and what a consolidation merges.
//!
//! Owns: the bytes of a version 2 pack of whole objects (no deltas: on evidence files they gain nothing
//! and cost a base lookup for every read) and of its version 2 index. Must not: touch the disk.
//!
//! ```text
//! pack   "PACK" 2 count { type+size varint, zlib(content) }* SHA-1
//! index  ff "tOc" 2 fan-out[256] ids crc32s offsets SHA-1(pack) SHA-1
//! ```

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::error::{Error, Result};
use super::objects::{Kind, Oid, name_of};
use crate::verdict::Code;

/// zlib's level. On evidence files 2 is within a fiftieth of the size of 6; 1 is two thirds larger.
const LEVEL: u32 = 2;
/// Bytes of one pack. Offsets in the index are 31 bits without its extension table, which is never written here.
pub(crate) const MAX_PACK_BYTES: u64 = 1 << 30;
/// Bytes before the first object.
const HEADER_BYTES: usize = 12;
/// Bytes of the checksum behind the last object.
pub(crate) const TRAILER_BYTES: usize = 20;

/// A finished pack.
pub(crate) struct Pack {
    /// The checksum, which is also the name of the file.
    pub(crate) checksum: Oid,
    pub(crate) pack: Vec<u8>,
    pub(crate) index: Vec<u8>,
    /// Every object with the offset of its entry, in the order written.
    pub(crate) offsets: Vec<(Oid, u32)>,
}

/// Collects the objects of one pack.
pub(crate) struct Builder {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    compress: Compress,
}

struct Entry {
    id: Oid,
    crc: u32,
    offset: u32,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        let mut bytes = b"PACK\0\0\0\x02".to_vec();
        bytes.extend_from_slice(&[0; 4]);
        Builder { bytes, entries: Vec::new(), compress: Compress::new(Compression::new(LEVEL), true) }
    }

    /// Adds an object.
    pub(crate) fn add(&mut self, kind: Kind, id: Oid, content: &[u8]) -> Result<()> {
        let start = self.bytes.len();
        push_entry_header(&mut self.bytes, kind, content.len());
        self.compress.reset();
        let mut rest = content;
        loop {
            self.bytes.reserve(rest.len() / 2 + 64);
            let before = self.compress.total_in();
            let status = self
                .compress
                .compress_vec(rest, &mut self.bytes, FlushCompress::Finish)
                .map_err(|e| Error::found(Code::Unreadable, format_args!("git object {id}"), e))?;
            rest = &rest[(self.compress.total_in() - before) as usize..];
            if status == Status::StreamEnd {
                break;
            }
        }
        self.close_entry(id, start)
    }

    /// Adds an object as its entry stands in another pack: header and compressed content.
    pub(crate) fn add_entry(&mut self, id: Oid, entry: &[u8]) -> Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(entry);
        self.close_entry(id, start)
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn close_entry(&mut self, id: Oid, start: usize) -> Result<()> {
        if self.bytes.len() as u64 > MAX_PACK_BYTES {
            let most = format_args!("at most {MAX_PACK_BYTES} bytes");
            return Err(Error::expected(Code::LimitExceeded, "git pack", most, self.bytes.len()));
        }
        let mut crc = flate2::Crc::new();
        crc.update(&self.bytes[start..]);
        self.entries.push(Entry { id, crc: crc.sum(), offset: start as u32 });
        Ok(())
    }

    /// Writes count, checksums and index.
    pub(crate) fn finish(mut self) -> Result<Pack> {
        let count = (self.entries.len() as u32).to_be_bytes();
        self.bytes[8..HEADER_BYTES].copy_from_slice(&count);
        let checksum = checksum(&self.bytes)?;
        self.bytes.extend_from_slice(checksum.as_slice());
        let offsets = self.entries.iter().map(|e| (e.id, e.offset)).collect();
        self.entries.sort_by_key(|e| e.id);
        Ok(Pack { checksum, index: index(&self.entries, &checksum)?, pack: self.bytes, offsets })
    }
}

pub(crate) fn checksum(bytes: &[u8]) -> Result<Oid> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(bytes);
    hasher.try_finalize().map_err(|e| Error::found(Code::ObjectCorrupt, "git pack", e))
}

fn index(sorted: &[Entry], pack: &Oid) -> Result<Vec<u8>> {
    let mut out = b"\xfftOc\0\0\0\x02".to_vec();
    for first_byte in 0..=255u8 {
        let up_to = sorted.partition_point(|e| e.id.as_slice()[0] <= first_byte) as u32;
        out.extend_from_slice(&up_to.to_be_bytes());
    }
    sorted.iter().for_each(|e| out.extend_from_slice(e.id.as_slice()));
    sorted.iter().for_each(|e| out.extend_from_slice(&e.crc.to_be_bytes()));
    sorted.iter().for_each(|e| out.extend_from_slice(&e.offset.to_be_bytes()));
    out.extend_from_slice(pack.as_slice());
    let own = checksum(&out)?;
    out.extend_from_slice(own.as_slice());
    Ok(out)
}

fn push_entry_header(bytes: &mut Vec<u8>, kind: Kind, size: usize) {
    let kind = match kind {
        Kind::Commit => 1u8,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let mut first = (kind << 4) | (size & 0x0f) as u8;
    let mut rest = size >> 4;
    while rest > 0 {
        bytes.push(first | 0x80);
        first = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    bytes.push(first);
}

/// An entry of a pack, inflated.
pub(crate) struct Inflated {
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
    /// Bytes of the entry in the pack, header included.
    pub(crate) length: usize,
}

/// Reads the entry at the start of `bytes`. `None`: a delta.
pub(crate) fn inflate_entry(bytes: &[u8], limit: u64) -> Result<Option<Inflated>> {
    let bad = |what: &str| Error::found(Code::ObjectCorrupt, "git pack entry", what);
    let first = *bytes.first().ok_or_else(|| bad("it ends early"))?;
    let (mut size, mut shift, mut at, mut byte) = (u64::from(first & 0x0f), 4u32, 1, first);
    while byte & 0x80 != 0 {
        byte = *bytes.get(at).ok_or_else(|| bad("it ends early"))?;
        if shift > 53 {
            return Err(bad("a size without end"));
        }
        size |= u64::from(byte & 0x7f) << shift;
        (shift, at) = (shift + 7, at + 1);
    }
    let kind = match (first >> 4) & 7 {
        1 => Kind::Commit,
        2 => Kind::Tree,
        3 => Kind::Blob,
        4 => Kind::Tag,
        6 | 7 => return Ok(None),
        _ => return Err(bad("an unknown type")),
    };
    if size > limit {
        let most = format_args!("at most {limit} bytes");
        return Err(Error::expected(Code::LimitExceeded, "git pack entry", most, size));
    }
    // One byte more than promised, so that content beyond the promise shows.
    let mut content = Vec::with_capacity(size as usize + 1);
    let mut inflate = Decompress::new(true);
    let status = inflate
        .decompress_vec(&bytes[at..], &mut content, FlushDecompress::Finish)
        .map_err(|e| bad(&e.to_string()))?;
    if status != Status::StreamEnd || content.len() as u64 != size {
        return Err(bad("its content has another length than its header says"));
    }
    Ok(Some(Inflated { kind, content, length: at + inflate.total_in() as usize }))
}

/// Checks a pack as it was read back from the disk: checksum, and every object against its name.
pub(crate) fn check(bytes: &[u8], offsets: &[(Oid, u32)], checksum_expected: &Oid, limit: u64) -> Result<()> {
    let end = bytes.len().saturating_sub(TRAILER_BYTES);
    let found = checksum(&bytes[..end])?;
    if found != *checksum_expected || bytes[end..] != *checksum_expected.as_slice() {
        return Err(Error::expected(Code::ObjectCorrupt, "git pack read back", checksum_expected, found));
    }
    for (id, offset) in offsets {
        let entry = bytes.get(*offset as usize..end).unwrap_or_default();
        let inflated = inflate_entry(entry, limit)?;
        let found = match &inflated {
            Some(entry) => name_of(entry.kind, &entry.content)?,
            None => Oid::null(gix::hash::Kind::Sha1),
        };
        if found != *id {
            return Err(Error::expected(Code::ObjectCorrupt, "git object read back", id, found));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack_of(contents: &[Vec<u8>]) -> Pack {
        let mut builder = Builder::new();
        for content in contents {
            let id = name_of(Kind::Blob, content).expect("an id");
            builder.add(Kind::Blob, id, content).expect("fits");
        }
        builder.finish().expect("a pack")
    }

    #[test]
    fn every_size_reads_back_and_every_flipped_byte_is_seen() {
        let contents: Vec<_> = [0usize, 1, 15, 16, 17, 2047, 2048, 2049, 100_000]
            .iter()
            .map(|n| (0..*n).map(|i| (i * i % 251) as u8).collect::<Vec<u8>>())
            .collect();
        let pack = pack_of(&contents);
        check(&pack.pack, &pack.offsets, &pack.checksum, 1 << 20).expect("reads back");
        for ((_, offset), content) in pack.offsets.iter().zip(&contents) {
            let entry =
                inflate_entry(&pack.pack[*offset as usize..], 1 << 20).expect("inflates").expect("no delta");
            assert_eq!(&entry.content, content);
        }
        let small = pack_of(&contents[..5]);
        for at in 0..small.pack.len() {
            let mut bytes = small.pack.clone();
            bytes[at] ^= 1;
            assert!(check(&bytes, &small.offsets, &small.checksum, 1 << 20).is_err(), "byte {at}");
        }
        assert!(check(b"", &small.offsets, &small.checksum, 1 << 20).is_err());
    }

    #[test]
    fn an_entry_that_promises_more_than_the_limit_is_not_inflated() {
        let pack = pack_of(&[vec![0; 5000]]);
        let entry = &pack.pack[pack.offsets[0].1 as usize..];
        assert!(inflate_entry(entry, 5000).is_ok());
        assert_eq!(inflate_entry(entry, 4999).err().map(|e| e.code()), Some(Code::LimitExceeded));
    }
}
