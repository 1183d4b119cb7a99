//! Reading git objects, each hashed again and compared with its name.
//!
//! Owns: the one door to object bytes. The size is taken from the object's header before anything is
//! inflated; the content is hashed (with collision detection) and compared with the id that was asked
//! for, since the object database itself does not do that. Must not: follow `refs/replace`, grafts or a
//! commit-graph: it opens the object directories itself, without any of them.
//!
//! ```text
//! id ─► header (kind, size ≤ limit) ─► inflate ─► SHA-1 of "kind size NUL content" = id ─► bytes
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::objs::Find as _;
use gix::odb::{HandleArc, Header as _, Store};

use super::error::{Error, Result};
use super::limits::{MAX_ALLOCATION_BYTES, SPARE_PACKS};
use super::repeated::Repeated;
use crate::verdict::Code;

/// A git object id, SHA-1.
pub type Oid = gix::ObjectId;

/// The four kinds of git objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A directory.
    Tree,
    /// A file's content.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// Git's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }

    fn of(kind: gix::objs::Kind) -> Kind {
        match kind {
            gix::objs::Kind::Commit => Kind::Commit,
            gix::objs::Kind::Tree => Kind::Tree,
            gix::objs::Kind::Blob => Kind::Blob,
            gix::objs::Kind::Tag => Kind::Tag,
        }
    }
}

/// The name that git gives to `content`.
///
/// # Errors
/// `OBJECT_CORRUPT` where the content is one half of a SHA-1 collision.
pub(crate) fn name_of(kind: Kind, content: &[u8]) -> Result<Oid> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(format!("{} {}\0", kind.name(), content.len()).as_bytes());
    hasher.update(content);
    hasher.try_finalize().map_err(|e| Error::found(Code::ObjectCorrupt, kind.name(), e))
}

/// The name that git gives to a commit with this content.
///
/// # Errors
/// `OBJECT_CORRUPT` where the content is one half of a SHA-1 collision.
pub fn commit_id(content: &[u8]) -> Result<Oid> {
    name_of(Kind::Commit, content)
}

/// Reads 40 lower-case hexadecimal digits.
pub fn parse_oid(text: &[u8]) -> Option<Oid> {
    let digits = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if text.len() != 40 || !text.iter().all(digits) {
        return None;
    }
    Oid::from_hex(text).ok()
}

/// Object directories that are looked through in order.
#[derive(Clone)]
pub(crate) struct Stores {
    stores: Vec<Arc<Store>>,
    repeated: Arc<Repeated>,
}

impl Stores {
    /// Opens object directories (each with its own `info/alternates`).
    pub(crate) fn open(directories: &[PathBuf]) -> Result<Stores> {
        let stores = directories.iter().map(|d| open_store(d).map(Arc::new)).collect::<Result<_>>()?;
        Ok(Stores { stores, repeated: Arc::default() })
    }

    /// A reader of its own for one thread.
    pub(crate) fn reader(&self) -> Reader {
        let mut handles: Vec<HandleArc> = self.stores.iter().map(|s| s.to_cache_arc()).collect();
        if let [in_front @ .., own] = &mut handles[..]
            && !in_front.is_empty()
        {
            // While a hook decides, a miss in the repository's own store is the usual case, not news.
            own.refresh_never();
        }
        Reader { handles, repeated: self.repeated.clone() }
    }
}

fn open_store(directory: &Path) -> Result<Store> {
    let options = gix::odb::store::init::Options {
        slots: gix::odb::store::init::Slots::AsNeededByDiskState { multiplier: 1.1, minimum: SPARE_PACKS },
        alloc_limit_bytes: Some(MAX_ALLOCATION_BYTES),
        ..Default::default()
    };
    Store::at_opts(directory.to_owned(), gix::hash::Kind::Sha1, &mut std::iter::empty(), options).map_err(
        |source| Error::Io { action: "open the object directory", path: directory.to_owned(), source },
    )
}

/// Reads objects for one thread.
pub struct Reader {
    handles: Vec<HandleArc>,
    repeated: Arc<Repeated>,
}

impl Reader {
    /// The kind and size of an object, without inflating it. `None`: it is not there.
    pub(crate) fn header(&self, id: &Oid) -> Result<Option<(Kind, u64)>> {
        for handle in &self.handles {
            if let Some(header) = handle.try_header(id).map_err(|e| corrupt(id, e))? {
                return Ok(Some((Kind::of(header.kind()), header.size())));
            }
        }
        Ok(None)
    }

    /// Whether only the object directories in front have it: it belongs to a push that is not accepted yet.
    pub(crate) fn is_quarantined(&self, id: &Oid) -> bool {
        match &self.handles[..] {
            [in_front @ .., own] if !in_front.is_empty() => !gix::objs::Exists::exists(own, id),
            _ => false,
        }
    }

    /// Reads an object of any kind into `buffer`, checked against its id.
    ///
    /// # Errors
    /// `OBJECT_MISSING`, `OBJECT_CORRUPT`, `LIMIT_EXCEEDED` (before anything is inflated).
    pub fn read_any(&self, id: &Oid, limit: u64, buffer: &mut Vec<u8>) -> Result<Kind> {
        for handle in &self.handles {
            let Some(header) = handle.try_header(id).map_err(|e| corrupt(id, e))? else { continue };
            if header.size() > limit {
                let found = format_args!("{} bytes", header.size());
                return Err(Error::expected(
                    Code::LimitExceeded,
                    format_args!("git object {id}"),
                    format_args!("at most {limit} bytes"),
                    found,
                ));
            }
            let Some(data) = handle.try_find(id, buffer).map_err(|e| corrupt(id, e))? else { continue };
            let kind = Kind::of(data.kind);
            let found = name_of(kind, data.data)?;
            if found != *id {
                return Err(Error::expected(Code::ObjectCorrupt, format_args!("git object {id}"), id, found));
            }
            return Ok(kind);
        }
        Err(Error::found(Code::ObjectMissing, format_args!("git object {id}"), "no such object"))
    }

    /// A blob's content. One that many entries share is read and hashed once or twice, not for each of them.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub(super) fn blob(&self, id: &Oid, limit: u64) -> Result<Vec<u8>> {
        if let Some(content) = self.repeated.get(id)
            && content.len() as u64 <= limit
        {
            return Ok(content.to_vec());
        }
        let mut content = Vec::new();
        self.read(id, Kind::Blob, limit, &mut content)?;
        self.repeated.note(id, &content);
        Ok(content)
    }

    /// Reads an object that must be of one kind.
    ///
    /// # Errors
    /// As [`Reader::read_any`], and `OBJECT_CORRUPT` for another kind.
    pub fn read(&self, id: &Oid, kind: Kind, limit: u64, buffer: &mut Vec<u8>) -> Result<()> {
        let found = self.read_any(id, limit, buffer)?;
        if found == kind {
            return Ok(());
        }
        Err(Error::expected(Code::ObjectCorrupt, format_args!("git object {id}"), kind.name(), found.name()))
    }
}

fn corrupt(id: &Oid, error: impl std::fmt::Display) -> Error {
    Error::found(Code::ObjectCorrupt, format_args!("git object {id}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_blob_and_tree_have_their_known_names() {
        let blob = name_of(Kind::Blob, b"").expect("no collision");
        let tree = name_of(Kind::Tree, b"").expect("no collision");
        assert_eq!(blob.to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(tree.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    }

    #[test]
    fn only_forty_lower_case_digits_are_an_id() {
        let text = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert_eq!(parse_oid(text.as_bytes()).expect("an id").to_string(), text);
        for bad in [&text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace('e', "g"), ""] {
            assert_eq!(parse_oid(bad.as_bytes()), None, "{bad}");
        }
    }
}
