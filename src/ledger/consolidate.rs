//! Merging small packs, so that a ledger of many appends stays fast to read.
//!
//! Owns: which packs are merged, and that none goes before its objects stand verified in another. Must
//! not: touch packs with deltas, with files beside them that say somebody else looks after them, or any
//! pack while a multi-pack index names them.
//!
//! ```text
//! read each small pack ─► hash every object again ─► one pack, flushed, read back ─► remove the small ones
//! ```
//!
//! Entries are copied as they stand, without being compressed again. Sizes go in steps, so that an
//! entry is copied twice in the life of a ledger, however long it gets.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::append::Step;
use super::durable::sync_directory;
use super::error::{At as _, Result};
use super::limits::MAX_ALLOCATION_BYTES;
use super::lock::HostLock;
use super::objects::name_of;
use super::pack::{self, Builder, TRAILER_BYTES};
use super::repository::Repository;

/// A size of packs: up to so many bytes each, and so many of them until they are merged.
#[derive(Clone, Copy)]
struct Size {
    up_to: u64,
    count: usize,
}

/// Bytes of a merged pack after which no further one is added to it.
const FULL: usize = 256 << 20;
const SIZES: [Size; 2] = [Size { up_to: 1 << 20, count: 256 }, Size { up_to: 32 << 20, count: 32 }];
/// One append in so many looks whether there is something to merge, since a look lists the directory.
const LOOK_EVERY: u8 = 32;

impl Repository {
    /// Merges small packs where there are many. Gives the number of packs that are gone.
    ///
    /// # Errors
    /// Where a file cannot be read, written or removed; every object is still there then.
    pub fn consolidate(&self, lock: &HostLock) -> Result<usize> {
        let [small, medium] = SIZES;
        Ok(self.merge(lock, 0, small)? + self.merge(lock, small.up_to, medium)?)
    }

    /// Merges small packs where there are at least `count`, for those who do not want to wait for many.
    ///
    /// # Errors
    /// As [`Repository::consolidate`].
    pub fn merge_packs_from(&self, lock: &HostLock, count: usize) -> Result<usize> {
        self.merge(lock, 0, Size { count, ..SIZES[0] })
    }

    /// As [`Repository::consolidate`], once in a while. Maintenance that fails is tried again by a later
    /// append: the entry is on the disk already, so nothing is to be reported.
    pub(crate) fn consolidate_sometimes(&self, lock: &HostLock, by: u8) {
        if by.is_multiple_of(LOOK_EVERY) {
            let _ = self.consolidate(lock);
        }
    }

    fn merge(&self, _lock: &HostLock, above: u64, size: Size) -> Result<usize> {
        let directory = self.common_dir().join("objects/pack");
        let packs = plain_packs(&directory)?;
        let fits = |bytes: &u64| *bytes > above && *bytes <= size.up_to;
        let packs: Vec<PathBuf> = packs.into_iter().filter(|(_, b)| fits(b)).map(|(path, _)| path).collect();
        if packs.len() < size.count {
            return Ok(0);
        }
        let mut builder = Builder::new();
        let mut known = HashSet::new();
        let mut merged = Vec::new();
        for path in packs {
            let bytes = fs::read(&path).at("read", &path)?;
            // A pack that is not whole, or has deltas, stays as it is.
            let Some(entries) = entries(&bytes) else { continue };
            if builder.len() + bytes.len() > FULL {
                break;
            }
            for (id, entry) in entries {
                if known.insert(id) {
                    builder.add_entry(id, entry)?;
                }
            }
            merged.push(path);
        }
        if merged.len() < 2 {
            return Ok(0);
        }
        let pack = builder.finish()?;
        self.store_pack(&pack, MAX_ALLOCATION_BYTES as u64, &mut |_: Step| Ok(()))?;
        let own = directory.join(format!("pack-{}.pack", pack.checksum));
        let gone: Vec<_> = merged.iter().filter(|path| **path != own).collect();
        for path in &gone {
            for extension in ["idx", "rev", "pack"] {
                match fs::remove_file(path.with_extension(extension)) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).at("remove", path),
                    _ => {}
                }
            }
        }
        sync_directory(&directory)?;
        Ok(gone.len())
    }
}

/// Packs that have an index and nothing else beside them, with their sizes, oldest first.
fn plain_packs(directory: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut beside: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for file in fs::read_dir(directory).at("list", directory)? {
        let path = file.at("list", directory)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("multi-pack-index") {
            return Ok(Vec::new());
        }
        if let (true, Some(extension)) = (name.starts_with("pack-"), path.extension()) {
            let extension = extension.to_string_lossy().into_owned();
            beside.entry(path.with_extension("pack")).or_default().push(extension);
        }
    }
    let mut packs = Vec::new();
    for (path, extensions) in beside {
        let has = |wanted: &str| extensions.iter().any(|e| e == wanted);
        let plain = extensions.iter().all(|e| matches!(e.as_str(), "pack" | "idx" | "rev"));
        if plain && has("pack") && has("idx") {
            let metadata = path.metadata().at("look at", &path)?;
            packs.push((metadata.modified().at("look at", &path)?, path, metadata.len()));
        }
    }
    packs.sort();
    Ok(packs.into_iter().map(|(_, path, bytes)| (path, bytes)).collect())
}

/// Every entry of a pack with its object's name, hashed again. `None`: it is not whole, or has deltas.
fn entries(bytes: &[u8]) -> Option<Vec<(super::objects::Oid, &[u8])>> {
    let end = bytes.len().checked_sub(TRAILER_BYTES)?;
    let body = bytes.get(..end)?;
    let rest = body.strip_prefix(b"PACK\0\0\0\x02")?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if pack::checksum(body).ok()?.as_slice() != &bytes[end..] {
        return None;
    }
    let mut found = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let entry = pack::inflate_entry(rest, MAX_ALLOCATION_BYTES as u64).ok()??;
        let (raw, after) = rest.split_at_checked(entry.length)?;
        found.push((name_of(entry.kind, &entry.content).ok()?, raw));
        rest = after;
    }
    rest.is_empty().then_some(found)
}
