//! Blobs that several entries share, kept so that each is inflated and hashed once.
//!
//! Owns: a bounded memory of contents that were read and held their name. Must not: keep what was read once alone, which
//! is most of a ledger, nor answer for an object that was not read here.
//!
//! ```text
//! first time ─► read, hashed, its name noted      second time ─► read, hashed, kept      from then on ─► from memory
//! ```
//!
//! Full, it forgets all: the next blobs are read again, and no ledger can make it grow.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::objects::Oid;

/// Bytes of all contents that are kept.
const MOST_BYTES: usize = 8 << 20;
/// Bytes of the largest content that is kept: a few large ones would drive out the many small ones that repeat.
const LARGEST: usize = 64 << 10;
/// Names noted: about 1 MiB.
const MOST_NAMES: usize = 1 << 15;

/// The memory; one for all readers of a repository.
#[derive(Default)]
pub(super) struct Repeated(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    contents: HashMap<Oid, Arc<[u8]>>,
    bytes: usize,
    seen: HashSet<Oid>,
}

impl Repeated {
    /// The content, where it is kept.
    pub(super) fn get(&self, id: &Oid) -> Option<Arc<[u8]>> {
        self.kept().contents.get(id).cloned()
    }

    /// Notes a content that was read and hashed to this name.
    pub(super) fn note(&self, id: &Oid, content: &[u8]) {
        if content.len() > LARGEST {
            return;
        }
        let mut kept = self.kept();
        if kept.seen.len() >= MOST_NAMES {
            kept.seen.clear();
        }
        if kept.seen.insert(*id) {
            return;
        }
        if kept.bytes + content.len() > MOST_BYTES {
            kept.contents.clear();
            kept.bytes = 0;
        }
        if kept.contents.insert(*id, content.into()).is_none() {
            kept.bytes += content.len();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What is kept is whole after every call, so a thread that died in one leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::{Kind, name_of};
    use super::*;

    #[test]
    fn what_is_read_twice_is_kept_and_what_is_large_or_read_once_is_not() {
        let memory = Repeated::default();
        let blob = |size: usize| {
            let content = vec![7; size];
            (name_of(Kind::Blob, &content).expect("an id"), content)
        };
        for (size, kept) in [(0, true), (9, true), (LARGEST, true), (LARGEST + 1, false)] {
            let (id, content) = blob(size);
            memory.note(&id, &content);
            assert_eq!(memory.get(&id), None, "{size}: once");
            memory.note(&id, &content);
            assert_eq!(memory.get(&id).as_deref(), kept.then_some(&content[..]), "{size}: twice");
        }
    }

    #[test]
    fn it_forgets_before_it_grows() {
        let memory = Repeated::default();
        for n in 0..2 * MOST_BYTES / LARGEST {
            let content = vec![n as u8; LARGEST - n];
            let id = name_of(Kind::Blob, &content).expect("an id");
            (0..2).for_each(|_| memory.note(&id, &content));
            assert!(memory.get(&id).is_some() && memory.kept().bytes <= MOST_BYTES);
        }
        let all = memory.kept().contents.values().map(|content| content.len()).sum::<usize>();
        assert_eq!(memory.kept().bytes, all);
    }
}
