//! Tiles: a log as static files (c2sp.org/tlog-tiles), which any web server or object store can serve.
//!
//! ```text
//! checkpoint                  the signed head, the only file that changes
//! tile/0/000.p/41             leaf hashes 0 to 40: 32 bytes each, 256 in a full tile
//! tile/1/000.p/1              each hash the root over one full tile of the level below
//! tile/entries/000.p/41       the leaves themselves, each behind its length (u16, big-endian)
//! entry/041                   (not of the specification) one whole entry, so that all of it can be verified
//! ```
//!
//! A number stands in groups of three digits, all but the last with an `x` before: 1234067 is `x001/x234/067`.
//!
//! ```
//! use fix7_ledger::tlog::tile::{self, Tile};
//! let names: Vec<String> = tile::of_size(257).iter().map(Tile::path).collect();
//! assert_eq!(names, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
//! ```

use crate::digest::Digest;
use crate::merkle;

/// Hashes in a full tile.
pub const WIDTH: usize = 256;
/// Longest leaf in bytes: its length stands in 16 bits.
pub const MAX_LEAF_BYTES: usize = u16::MAX as usize;

/// One tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// 0 holds leaf hashes.
    pub level: u8,
    /// Its place in the level, from 0.
    pub index: u64,
    /// How many hashes: 256 in a full tile.
    pub width: u16,
}

impl Tile {
    /// Whether it is full: then it never changes.
    pub fn is_full(&self) -> bool {
        usize::from(self.width) == WIDTH
    }

    /// Where it is served.
    pub fn path(&self) -> String {
        format!("tile/{}/{}{}", self.level, number(self.index), self.suffix())
    }

    /// Where the leaves of a tile of level 0 are served.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}{}", number(self.index), self.suffix())
    }

    fn suffix(&self) -> String {
        if self.is_full() { String::new() } else { format!(".p/{}", self.width) }
    }
}

/// Where a whole entry is served.
pub fn entry_path(seq: u64) -> String {
    format!("entry/{}", number(seq))
}

/// A number in groups of three digits.
fn number(n: u64) -> String {
    let mut text = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

/// Every tile of a tree, from the leaves up.
pub fn of_size(size: u64) -> Vec<Tile> {
    let (mut tiles, mut hashes) = (Vec::new(), size);
    for level in 0.. {
        if hashes == 0 {
            break;
        }
        let full = hashes / WIDTH as u64;
        tiles.extend((0..full).map(|index| Tile { level, index, width: WIDTH as u16 }));
        let rest = (hashes % WIDTH as u64) as u16;
        tiles.extend((rest > 0).then_some(Tile { level, index: full, width: rest }));
        hashes = full;
    }
    tiles
}

/// Every tile with its bytes.
pub fn build(leaves: &[Digest]) -> Vec<(Tile, Vec<u8>)> {
    let (mut tiles, mut hashes) = (Vec::new(), leaves.to_vec());
    for level in 0.. {
        if hashes.is_empty() {
            break;
        }
        let mut above = Vec::new();
        for (chunk, index) in hashes.chunks(WIDTH).zip(0..) {
            let bytes = chunk.iter().flat_map(|hash| *hash.as_bytes()).collect();
            tiles.push((Tile { level, index, width: chunk.len() as u16 }, bytes));
            above.extend((chunk.len() == WIDTH).then(|| merkle::root(chunk)));
        }
        hashes = above;
    }
    tiles
}

/// The leaves of one tile, each behind its length. `None`: a leaf is longer than [`MAX_LEAF_BYTES`].
pub fn entry_bundle(leaves: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        bytes.extend(u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend(leaf);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_specification() {
        assert_eq!(number(1_234_067), "x001/x234/067");
        assert_eq!(number(0), "000");
        assert_eq!(number(999), "999");
        assert_eq!(number(1000), "x001/000");
    }

    #[test]
    fn what_is_built_is_what_the_size_needs() {
        for size in [0, 1, 255, 256, 257, 513] {
            let leaves: Vec<Digest> = (0..size).map(|n: u32| merkle::leaf_hash(&n.to_be_bytes())).collect();
            let built = build(&leaves);
            assert!(built.iter().map(|(tile, _)| *tile).eq(of_size(size.into())), "{size}");
            assert!(built.iter().all(|(tile, bytes)| bytes.len() == usize::from(tile.width) * 32));
        }
        assert_eq!(entry_bundle(&[b"ab".to_vec(), vec![]]), Some(b"\0\x02ab\0\0".to_vec()));
        assert_eq!(entry_bundle(&[vec![0; MAX_LEAF_BYTES + 1]]), None);
    }
}
