//! Appending many entries at once: large packs, and one move of the ref at the end.
//!
//! Owns: the same order of steps as one append has, for a whole batch. Must not: decide whether an entry may be
//! appended.
//!
//! ```text
//! tip = expected? ─► entry, entry, … ─► a pack when it is full, flushed and read back ─► … ─► ref, once, fsync
//! ```
//!
//! A crash before the last step leaves packs that nothing names. Each pack holds all objects of its entries; those that
//! several of them share are in it once.

use std::collections::{BTreeMap, HashSet};

use super::append::{Render, Step, add_entry};
use super::error::Result;
use super::limits::MAX_FILE_BYTES;
use super::lock::HostLock;
use super::objects::Oid;
use super::pack::Builder;
use super::repository::{LedgerRef, Repository};

/// Bytes after which a pack takes no further entry: it is held in memory until it is written.
const FULL: usize = 128 << 20;

/// Entries on their way into a ledger.
pub struct Bulk<'a> {
    repository: &'a Repository,
    lock: &'a HostLock,
    ledger: &'a LedgerRef,
    expected: Option<Oid>,
    tip: Option<Oid>,
    builder: Builder,
    /// The objects of the pack under way.
    packed: HashSet<Oid>,
}

impl Repository {
    /// Begins behind `expected`, the ledger's tip (`None`: a new ledger).
    ///
    /// # Errors
    /// `HEAD_MOVED` where the tip is another one.
    pub fn bulk<'a>(
        &'a self,
        lock: &'a HostLock,
        ledger: &'a LedgerRef,
        expected: Option<Oid>,
    ) -> Result<Bulk<'a>> {
        self.require_tip(ledger, expected)?;
        let builder = Builder::new();
        Ok(Bulk { repository: self, lock, ledger, expected, tip: expected, builder, packed: HashSet::new() })
    }
}

impl Bulk<'_> {
    /// Adds one entry behind the last. It is on the disk with the pack that it falls into, and in the ledger after
    /// [`Bulk::finish`].
    ///
    /// # Errors
    /// As [`Repository::append`].
    pub fn add(&mut self, files: &BTreeMap<String, Vec<u8>>, render: &mut Render<'_>) -> Result<Oid> {
        let (builder, packed) = (&mut self.builder, &mut self.packed);
        let id = add_entry(files, self.tip, render, &mut |kind, id, content| match packed.insert(id) {
            true => builder.add(kind, id, content),
            false => Ok(()),
        })?;
        self.tip = Some(id);
        match self.builder.len() < FULL {
            true => Ok(id),
            false => self.store().map(|()| id),
        }
    }

    /// Writes what is left, and moves the ledger's ref. Gives its tip: `None` where it has no entry.
    ///
    /// # Errors
    /// As [`Repository::append`].
    pub fn finish(mut self) -> Result<Option<Oid>> {
        if !self.packed.is_empty() {
            self.store()?;
        }
        match self.tip {
            Some(tip) if self.tip != self.expected => {
                self.repository.move_ref(
                    self.lock,
                    self.ledger,
                    self.expected,
                    tip,
                    &mut |_: Step| Ok(()),
                )?;
                Ok(Some(tip))
            }
            unchanged => Ok(unchanged),
        }
    }

    fn store(&mut self) -> Result<()> {
        let pack = std::mem::replace(&mut self.builder, Builder::new()).finish()?;
        self.packed.clear();
        self.repository.store_pack(&pack, MAX_FILE_BYTES, &mut |_: Step| Ok(()))
    }
}
