//! Appending one entry so that it is on the disk, whole, before the ref names it.
//!
//! Owns: the order of the steps. Must not: decide whether the entry may be appended.
//!
//! ```text
//! lock ─► tip = expected? ─► trees and blobs ─► commit (rendered and signed by the caller) ─► one pack
//!      ─► fsync pack, index, directory ─► read back, hash again ─► ref lock = tip, fsync ─► ref, fsync
//! ```
//!
//! A crash before the last step leaves a pack that nothing names; the next append is not disturbed by it.
//! The pack always holds all objects of its entry, also those that are there already: an object that is
//! there may be an empty file after a crash, and would be believed.

use std::collections::BTreeMap;
use std::io;

use super::commit::links;
use super::durable::{Pending, create_directories, sync_directory};
use super::error::{At as _, Error, Result};
use super::limits::{MAX_COMMIT_BYTES, MAX_ENTRY_BYTES, MAX_FILE_BYTES};
use super::lock::HostLock;
use super::objects::{Kind, Oid, name_of};
use super::pack::{self, Builder, Pack};
use super::repository::{LedgerRef, Repository};
use super::tree;
use crate::verdict::Code;

/// What is to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// To which ledger.
    pub ledger: &'a LedgerRef,
    /// The tip that the entry continues. `None`: the first entry of a new ledger.
    pub expected: Option<Oid>,
    /// The files of the entry's tree.
    pub files: &'a BTreeMap<String, Vec<u8>>,
}

/// Renders and signs the commit object for a tree and a parent (their git object ids, in hexadecimal).
pub type Render<'a> = dyn FnMut(&str, Option<&str>) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>
    + 'a;

/// Where an append stands. Shown to an observer that can stop it there, as a crash would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The commit is rendered; nothing is written.
    Rendered,
    /// Pack and index are on the disk under temporary names.
    Written,
    /// The pack has its name; git does not see it without its index.
    PackNamed,
    /// The index has its name.
    IndexNamed,
    /// Everything was read back and hashed again.
    ReadBack,
    /// The ref's lock file holds the new tip and is on the disk.
    RefLocked,
    /// The ref names the new tip; its directory may not be on the disk yet.
    RefMoved,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 7] = [
        Step::Rendered,
        Step::Written,
        Step::PackNamed,
        Step::IndexNamed,
        Step::ReadBack,
        Step::RefLocked,
        Step::RefMoved,
    ];
}

impl Repository {
    /// Appends one entry. The lock is the proof that no other appender of this host is at work.
    ///
    /// # Errors
    /// `HEAD_MOVED` where the tip is not the expected one (nothing is written), `LOCK_HELD` where another
    /// program holds the ref, and whatever `render` gives.
    pub fn append(&self, lock: &HostLock, draft: &Draft<'_>, render: &mut Render<'_>) -> Result<Oid> {
        self.append_observed(lock, draft, render, &mut |_| Ok(()))
    }

    /// As [`Repository::append`], with an observer of each step. An observer's error stops the append
    /// there: so it is tested that every stop leaves a readable ledger.
    ///
    /// # Errors
    /// As [`Repository::append`], and the observer's.
    pub fn append_observed(
        &self,
        lock: &HostLock,
        draft: &Draft<'_>,
        render: &mut Render<'_>,
        observe: &mut dyn FnMut(Step) -> io::Result<()>,
    ) -> Result<Oid> {
        let mut at = |step: Step| observe(step).at("finish the append in", self.common_dir());
        self.require_tip(draft.ledger, draft.expected)?;
        let (commit, pack) = prepare(draft, render)?;
        at(Step::Rendered)?;
        self.store_pack(&pack, MAX_FILE_BYTES, &mut at)?;
        at(Step::ReadBack)?;
        self.move_ref(lock, draft.ledger, draft.expected, commit, &mut at)?;
        self.consolidate_sometimes(lock, commit.as_slice()[0]);
        Ok(commit)
    }

    pub(crate) fn require_tip(&self, ledger: &LedgerRef, expected: Option<Oid>) -> Result<()> {
        let found = self.ledger_tip(ledger)?;
        if found == expected {
            return Ok(());
        }
        let shown = |tip: Option<Oid>| tip.map_or("no entry".to_owned(), |t| t.to_string());
        Err(Error::expected(Code::HeadMoved, ledger, shown(expected), shown(found)))
    }

    /// Writes a pack with its index, flushed, and checks what the disk gives back.
    pub(crate) fn store_pack(
        &self,
        pack: &Pack,
        limit: u64,
        at: &mut dyn FnMut(Step) -> Result<()>,
    ) -> Result<()> {
        let directory = self.common_dir().join("objects/pack");
        create_directories(&directory)?;
        let pack_path = directory.join(format!("pack-{}.pack", pack.checksum));
        let index_path = directory.join(format!("pack-{}.idx", pack.checksum));
        let pack_file = Pending::write(&directory, "tmp_pack_", 0o444, &pack.pack)?;
        let index_file = Pending::write(&directory, "tmp_idx_", 0o444, &pack.index)?;
        at(Step::Written)?;
        pack_file.persist(&pack_path)?;
        at(Step::PackNamed)?;
        index_file.persist(&index_path)?;
        sync_directory(&directory)?;
        at(Step::IndexNamed)?;
        let stored = std::fs::read(&pack_path).at("read back", &pack_path)?;
        pack::check(&stored, &pack.offsets, &pack.checksum, limit)?;
        if std::fs::read(&index_path).at("read back", &index_path)? != pack.index {
            return Err(Error::found(
                Code::ObjectCorrupt,
                index_path.display(),
                "another content than was written",
            ));
        }
        Ok(())
    }
}

/// Renders tree and commit, and packs them.
fn prepare(draft: &Draft<'_>, render: &mut Render<'_>) -> Result<(Oid, Pack)> {
    let mut builder = Builder::new();
    let id = add_entry(draft.files, draft.expected, render, &mut |kind, id, content| {
        builder.add(kind, id, content)
    })?;
    Ok((id, builder.finish()?))
}

/// Takes an object of an entry into a pack.
type AddObject<'a> = dyn FnMut(Kind, Oid, &[u8]) -> Result<()> + 'a;

/// Renders tree and commit, and hands over every object of the entry. The commit must name the tree and the parent
/// that it was given.
pub(super) fn add_entry(
    files: &BTreeMap<String, Vec<u8>>,
    parent: Option<Oid>,
    render: &mut Render<'_>,
    add: &mut AddObject<'_>,
) -> Result<Oid> {
    let total: u64 = files.values().map(|c| c.len() as u64).sum();
    let largest = files.values().map(|c| c.len() as u64).max().unwrap_or(0);
    for (found, limit, what) in [(total, MAX_ENTRY_BYTES, "entry"), (largest, MAX_FILE_BYTES, "file")] {
        if found > limit {
            let most = format_args!("at most {limit} bytes");
            return Err(Error::expected(Code::LimitExceeded, what, most, found));
        }
    }
    let rendered = tree::render(files)?;
    let parent_text = parent.map(|tip| tip.to_string());
    let commit = render(&rendered.root.to_string(), parent_text.as_deref()).map_err(Error::Render)?;
    let id = name_of(Kind::Commit, &commit)?;
    let found = links(&id, &commit)?;
    let names_them = found.tree == rendered.root && found.parents.iter().eq(parent.iter());
    if !names_them || commit.len() as u64 > MAX_COMMIT_BYTES {
        return Err(Error::found(
            Code::EntryMalformed,
            "commit",
            "it does not name its tree and parent, or is too long",
        ));
    }
    add(Kind::Commit, id, &commit)?;
    for (tree, bytes) in &rendered.trees {
        add(Kind::Tree, *tree, bytes)?;
    }
    for (blob, bytes) in &rendered.blobs {
        add(Kind::Blob, *blob, bytes)?;
    }
    Ok(id)
}
