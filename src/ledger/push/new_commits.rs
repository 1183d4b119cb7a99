//! Which commits a push brings.
//!
//! New is what is reachable from a pushed tip and not from a ref that is there. On the server, a commit
//! that only the quarantine has is new for certain, so that the cost follows what is pushed and not the
//! length of the history. Elsewhere the known side is walked by date, newest first; where dates lie or
//! the walk meets its limit, something old counts as new: more is looked at, never less.

use std::collections::{BinaryHeap, HashSet};

use super::super::commit::{committer_seconds, links};
use super::super::error::Result;
use super::super::limits::{MAX_KNOWN_COMMITS, MAX_SCANNED_TREE_BYTES};
use super::super::objects::{Kind, Oid, Reader};

/// A commit that is new.
pub(super) struct NewCommit {
    pub(super) id: Oid,
    pub(super) bytes: Vec<u8>,
}

/// Tells new commits from known ones.
pub(super) struct Known<'r> {
    reader: &'r Reader,
    known: HashSet<Oid>,
    /// Known commits whose parents are not marked yet, by date.
    frontier: BinaryHeap<(i64, Oid)>,
    /// Tips that are marked, but not read yet: most pushes never need them.
    unread: Vec<Oid>,
    walked: usize,
    taken: HashSet<Oid>,
}

impl<'r> Known<'r> {
    pub(super) fn new(reader: &'r Reader, tips: Vec<Oid>) -> Known<'r> {
        let known = tips.iter().copied().collect();
        Known { reader, known, frontier: BinaryHeap::new(), unread: tips, walked: 0, taken: HashSet::new() }
    }

    /// Marks commits as known that are looked at elsewhere.
    pub(super) fn add(&mut self, commits: &[Oid]) {
        self.known.extend(commits);
    }

    /// Whether it is marked: a known tip, or below one as far as that was walked.
    pub(super) fn contains(&self, id: &Oid) -> bool {
        self.known.contains(id)
    }

    /// Calls `each` with every new commit that is reachable from `tip`, once in the life of this value.
    pub(super) fn each_new(
        &mut self,
        tip: Oid,
        each: &mut dyn FnMut(&NewCommit) -> Result<()>,
    ) -> Result<()> {
        let mut waiting = vec![tip];
        while let Some(id) = waiting.pop() {
            if self.known.contains(&id) || self.taken.contains(&id) {
                continue;
            }
            let mut bytes = Vec::new();
            self.reader.read(&id, Kind::Commit, MAX_SCANNED_TREE_BYTES, &mut bytes)?;
            if !self.reader.is_quarantined(&id) {
                self.walk_down_to(committer_seconds(&bytes));
                if self.known.contains(&id) {
                    continue;
                }
            }
            self.taken.insert(id);
            waiting.extend(links(&id, &bytes)?.parents);
            each(&NewCommit { id, bytes })?;
        }
        Ok(())
    }

    /// Marks everything known that is not older than `date`.
    fn walk_down_to(&mut self, date: i64) {
        for tip in std::mem::take(&mut self.unread) {
            self.enter(tip, 0);
        }
        while let Some((newest, id)) = self.frontier.peek().copied() {
            if newest < date || self.walked >= MAX_KNOWN_COMMITS {
                return;
            }
            self.frontier.pop();
            self.walked += 1;
            let mut bytes = Vec::new();
            // What is missing or broken on the known side only makes less known.
            let read = self.reader.read(&id, Kind::Commit, MAX_SCANNED_TREE_BYTES, &mut bytes);
            let Ok(links) = read.and_then(|()| links(&id, &bytes)) else { continue };
            for parent in links.parents {
                if self.known.insert(parent) {
                    self.enter(parent, 0);
                }
            }
        }
    }

    /// Puts a known object on the frontier; a tag stands for what it names.
    fn enter(&mut self, id: Oid, depth: usize) {
        let mut bytes = Vec::new();
        match self.reader.read_any(&id, MAX_SCANNED_TREE_BYTES, &mut bytes) {
            Ok(Kind::Commit) => self.frontier.push((committer_seconds(&bytes), id)),
            Ok(Kind::Tag) if depth < super::super::limits::MAX_TAG_DEPTH => {
                if let Some(target) = super::scan::tag_target(&bytes)
                    && self.known.insert(target)
                {
                    self.enter(target, depth + 1);
                }
            }
            _ => {}
        }
    }
}
