//! Walking a ledger and reading its entries.
//!
//! Owns: the linear walk from a tip to the first entry, and turning one commit into a
//! [`StoredEntry`]. Must not: judge what an entry says.

use std::collections::{BTreeMap, HashSet};

use super::commit::links;
use super::error::{Error, Result};
use super::limits::*;
use super::objects::{Kind, Oid, Reader};
use super::tree;
use crate::entry::StoredEntry;
use crate::verdict::Code;

impl Reader {
    /// The commits from the first entry to `tip`, oldest first.
    ///
    /// # Errors
    /// `CHAIN_BROKEN` for a merge, `OBJECT_MISSING`, `OBJECT_CORRUPT`, `LIMIT_EXCEEDED`.
    pub fn read_chain(&self, tip: &Oid) -> Result<Vec<Oid>> {
        self.read_chain_up_to(tip, MAX_ENTRIES)
    }

    /// As [`Reader::read_chain`], of at most `most` commits.
    ///
    /// # Errors
    /// As [`Reader::read_chain`].
    pub fn read_chain_up_to(&self, tip: &Oid, most: usize) -> Result<Vec<Oid>> {
        Ok(self.walk_back(tip, &mut |_| false, most)?.0)
    }

    /// The commits after `known` up to `tip`, oldest first. `None`: `known` is not among `tip`'s ancestors.
    ///
    /// # Errors
    /// As [`Reader::read_chain`]; `LIMIT_EXCEEDED` after `most` commits.
    pub fn read_chain_since(&self, tip: &Oid, known: &Oid, most: usize) -> Result<Option<Vec<Oid>>> {
        let (chain, met) = self.walk_back(tip, &mut |id| id == known, most)?;
        Ok(met.then_some(chain))
    }

    /// The commits up to `tip` after the first one, going back, that is known; all where none is. Oldest first.
    ///
    /// # Errors
    /// As [`Reader::read_chain`].
    pub fn read_chain_until(&self, tip: &Oid, known: &mut dyn FnMut(&Oid) -> bool) -> Result<Vec<Oid>> {
        Ok(self.walk_back(tip, known, MAX_ENTRIES)?.0)
    }

    fn walk_back(
        &self,
        tip: &Oid,
        known: &mut dyn FnMut(&Oid) -> bool,
        most: usize,
    ) -> Result<(Vec<Oid>, bool)> {
        let mut chain = Vec::new();
        let mut buffer = Vec::new();
        let mut next = *tip;
        let met = loop {
            if known(&next) {
                break true;
            }
            if chain.len() >= most {
                return Err(too_long(tip, most));
            }
            let parent = self.parent(&next, &mut buffer)?;
            chain.push(next);
            match parent {
                None => break false,
                Some(parent) => next = parent,
            }
        };
        chain.reverse();
        Ok((chain, met))
    }

    /// The commit before.
    fn parent(&self, id: &Oid, buffer: &mut Vec<u8>) -> Result<Option<Oid>> {
        self.read(id, Kind::Commit, MAX_COMMIT_BYTES, buffer)?;
        match links(id, buffer)?.parents[..] {
            [] => Ok(None),
            [parent] => Ok(Some(parent)),
            ref parents => {
                let found = format_args!("{} parents", parents.len());
                let object = format_args!("git commit {id}");
                Err(Error::expected(Code::ChainBroken, object, "one parent", found))
            }
        }
    }

    /// The commits of `ours` that are not among those of `theirs`, oldest first. `None`: they have none in common. Both
    /// are walked back in step, so it costs what lies behind the last common one, not what lies before.
    ///
    /// # Errors
    /// As [`Reader::read_chain`].
    pub fn read_chain_apart(&self, ours: &Oid, theirs: &Oid) -> Result<Option<Vec<Oid>>> {
        self.read_chain_apart_up_to(ours, theirs, MAX_ENTRIES)
    }

    /// As [`Reader::read_chain_apart`].
    ///
    /// # Errors
    /// As there; `LIMIT_EXCEEDED` after `most` commits of either.
    pub fn read_chain_apart_up_to(&self, ours: &Oid, theirs: &Oid, most: usize) -> Result<Option<Vec<Oid>>> {
        let tips = [ours, theirs];
        let mut sides = tips.map(|tip| Side { next: Some(*tip), known: HashSet::new() });
        let (mut own, mut buffer) = (Vec::new(), Vec::new());
        let mut side = 0;
        let common = loop {
            if let Some(at) = sides[side].next {
                if sides[1 - side].known.contains(&at) {
                    break at;
                }
                if sides[side].known.len() >= most {
                    return Err(too_long(tips[side], most));
                }
                sides[side].known.insert(at);
                if side == 0 {
                    own.push(at);
                }
                sides[side].next = self.parent(&at, &mut buffer)?;
            }
            if sides.iter().all(|side| side.next.is_none()) {
                return Ok(None);
            }
            side = 1 - side;
        };
        own.truncate(own.iter().position(|id| *id == common).unwrap_or(own.len()));
        own.reverse();
        Ok(Some(own))
    }

    /// One entry: its commit and all files of its tree.
    ///
    /// # Errors
    /// `OBJECT_MISSING`, `OBJECT_CORRUPT`, `ENTRY_MALFORMED` (a link, a submodule, an executable),
    /// `PATH_FORBIDDEN`, `LIMIT_EXCEEDED`.
    pub fn read_entry(&self, id: &Oid) -> Result<StoredEntry> {
        let mut commit = Vec::new();
        self.read(id, Kind::Commit, MAX_COMMIT_BYTES, &mut commit)?;
        let root = links(id, &commit)?.tree;
        let mut taken = Taken { entry: *id, files: BTreeMap::new(), bytes: 0 };
        self.read_directory(&root, "", 1, &mut taken)?;
        Ok(StoredEntry { oid: id.to_string(), commit, files: taken.files })
    }

    fn read_directory(&self, id: &Oid, path: &str, depth: usize, taken: &mut Taken) -> Result<()> {
        if depth > MAX_TREE_DEPTH {
            return Err(taken.over("directories below one another", MAX_TREE_DEPTH));
        }
        let mut bytes = Vec::new();
        self.read(id, Kind::Tree, MAX_TREE_BYTES, &mut bytes)?;
        let mut names: Vec<&str> = Vec::new();
        for line in tree::parse(id, &bytes)? {
            let name = match std::str::from_utf8(line.name) {
                Ok(name) if tree::name_is_allowed(name) => name,
                _ => return Err(taken.forbidden(format_args!("{path}{}", line.name.escape_ascii()))),
            };
            names.push(name);
            let path = format!("{path}{name}");
            match line.mode {
                b"100644" => {
                    let content = self.read_file(&line.id, taken)?;
                    taken.files.insert(path, content);
                }
                b"40000" => self.read_directory(&line.id, &format!("{path}/"), depth + 1, taken)?,
                other => {
                    let object = format_args!("entry {}: {path}", taken.entry);
                    return Err(Error::expected(
                        Code::EntryMalformed,
                        object,
                        "mode 100644 or 40000",
                        other.escape_ascii(),
                    ));
                }
            }
        }
        let folded = |b: u8| b.to_ascii_lowercase();
        names.sort_unstable_by(|a, b| a.bytes().map(folded).cmp(b.bytes().map(folded)));
        match names.windows(2).find(|pair| pair[0].eq_ignore_ascii_case(pair[1])) {
            Some(pair) => Err(taken.forbidden(format_args!("{path}{} twice", pair[0].to_ascii_lowercase()))),
            None => Ok(()),
        }
    }

    fn read_file(&self, id: &Oid, taken: &mut Taken) -> Result<Vec<u8>> {
        if taken.files.len() == MAX_FILES_PER_ENTRY {
            return Err(taken.over("files", MAX_FILES_PER_ENTRY));
        }
        let left = MAX_FILE_BYTES.min(MAX_ENTRY_BYTES - taken.bytes);
        let content = self.blob(id, left)?;
        taken.bytes += content.len() as u64;
        Ok(content)
    }
}

fn too_long(tip: &Oid, most: usize) -> Error {
    let expected = format_args!("at most {most} entries");
    Error::expected(Code::LimitExceeded, format_args!("ledger at {tip}"), expected, "more")
}

/// One of two chains that are walked back in step.
struct Side {
    next: Option<Oid>,
    known: HashSet<Oid>,
}

/// What was read of an entry so far.
struct Taken {
    entry: Oid,
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Taken {
    fn over(&self, what: &str, limit: usize) -> Error {
        let most = format_args!("at most {limit} {what}");
        Error::expected(Code::LimitExceeded, format_args!("entry {}", self.entry), most, "more")
    }

    fn forbidden(&self, path: std::fmt::Arguments<'_>) -> Error {
        Error::found(Code::PathForbidden, format_args!("entry {}", self.entry), path)
    }
}
