//! Writing a batch of verified entries, and undoing the last ones.
//!
//! Owns: one transaction for each batch, what each batch changed so that it can be undone, which summaries are kept.
//! Must not: verify; whoever hands a batch over has done so.
//!
//! ```text
//! [genesis … 4096] big batches while an index is made      one each for what is appended later, undone backwards
//! ```
//!
//! A clone whose own entry lost a race undoes one batch; what lies too far back to be undone is made anew.

use super::Fault;
use super::file::Place;
use super::key;
use super::line::{Listed, plan_word, term};
use super::map::Map;
use super::view::{Head, Moment, head, parse, stored};
use crate::digest::Digest;
use crate::merkle;
use crate::state::{Added, Record, State};
use crate::time::Timestamp;

/// Batches that can be undone: each holds a few keys, and nobody loses more races in a row.
const UNDOABLE: usize = 64;
/// A batch of more entries is not undone: it would hold its keys twice.
const MOST_UNDOABLE_ENTRIES: usize = 256;
/// Older summaries are kept one for each so many entries, to resume near any position.
const KEPT_EACH: u64 = 1024;

/// Verified entries, and the state after them.
#[derive(Debug)]
pub struct Batch<'a> {
    /// How many entries come before, and the last one's commit (empty before the genesis).
    pub after: (u64, &'a str),
    /// The entries, oldest first.
    pub entries: &'a [Listed],
    /// The state after them. Its records are those since the base, or more.
    pub state: &'a State,
    /// When they were verified.
    pub now: Timestamp,
}

/// How writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// The index goes on from another entry: nothing was written.
    Elsewhere,
}

/// One batch being written.
struct Writer<'a> {
    map: &'a Map,
    size: u64,
    /// Each key that changed and the value that it had, where the batch can be undone.
    undo: Option<Undo>,
}

/// Appends a batch in one transaction.
pub(super) fn append(place: &Place, batch: &Batch<'_>) -> Result<Written, Fault> {
    in_transaction(place, |map| {
        let mut head = head(map)?;
        if (head.size, head.commit.as_str()) != batch.after {
            return Ok(Written::Elsewhere);
        }
        let (Some(last), size) = (batch.entries.last(), batch.state.next_seq()) else {
            return Ok(Written::Done);
        };
        if last.seq + 1 != size || head.size + batch.entries.len() as u64 != size {
            return Err(Fault::Unusable("a batch with a gap".into()));
        }
        let undoable = batch.entries.len() <= MOST_UNDOABLE_ENTRIES;
        let mut writer = Writer { map, size, undo: undoable.then(Vec::new) };
        writer.records(batch.state.records().added())?;
        batch.entries.iter().try_for_each(|entry| writer.entry(entry))?;
        writer.moment(batch, &last.line.commit)?;
        if let Some(undo) = writer.undo.take() {
            map.put(&key::undo(size), &packed(&undo))?;
        } else {
            std::mem::take(&mut head.recent).into_iter().try_for_each(|old| retire(map, &mut head, old))?;
        }
        head.recent.push(size);
        if head.recent.len() > UNDOABLE {
            let old = head.recent.remove(0);
            retire(map, &mut head, old)?;
        }
        (head.size, head.commit) = (size, last.line.commit.clone());
        map.put(key::HEAD, &json(&head)?)?;
        Ok(Written::Done)
    })
}

/// Undoes the last batches until no more than `size` entries are left. False: it does not reach so far.
pub(super) fn rewind(place: &Place, size: u64) -> Result<bool, Fault> {
    in_transaction(place, |map| {
        let mut head = head(map)?;
        if head.size > size && head.recent.first().is_none_or(|first| *first > size) {
            return Ok(false);
        }
        while head.size > size {
            let [.., before, last] = head.recent[..] else { return Ok(false) };
            let undo = map.take(&key::undo(last))?.ok_or(Fault::Damaged("a batch cannot be undone"))?;
            for (key, value) in
                unpacked(&undo).ok_or(Fault::Damaged("a batch cannot be undone"))?.into_iter().rev()
            {
                match value {
                    Some(value) => map.put(&key, &value)?,
                    None => map.take(&key)?,
                };
            }
            head.recent.pop();
            let moment = map.get(&key::summary(before))?.ok_or(Fault::Damaged("a summary is missing"))?;
            (head.size, head.commit) = (before, parse::<Moment>(&moment)?.commit);
        }
        map.put(key::HEAD, &json(&head)?)?;
        Ok(true)
    })
}

fn in_transaction<T>(place: &Place, work: impl FnOnce(&Map) -> Result<T, Fault>) -> Result<T, Fault> {
    let map = place.open()?;
    map.run("BEGIN IMMEDIATE")?;
    let done = work(&map);
    map.run(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

/// A batch that can no longer be undone: its summary stays where it is the first of its stretch.
fn retire(map: &Map, head: &mut Head, size: u64) -> Result<(), Fault> {
    map.take(&key::undo(size))?;
    match size / KEPT_EACH == head.kept / KEPT_EACH {
        true => drop(map.take(&key::summary(size))?),
        false => head.kept = size,
    }
    Ok(())
}

impl Writer<'_> {
    fn put(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), Fault> {
        let old = self.map.put(&key, value)?;
        if let Some(undo) = &mut self.undo {
            undo.push((key, old));
        }
        Ok(())
    }

    /// Keeps the first value: since when something holds.
    fn put_new(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), Fault> {
        match self.map.get(&key)? {
            Some(_) => Ok(()),
            None => self.put(key, value),
        }
    }

    fn records(&mut self, added: &Added) -> Result<(), Fault> {
        let size = self.size.to_be_bytes();
        for (leaf, record) in &added.records {
            match record {
                Record::Grant(grant) => {
                    let open = key::open(&grant.grant.operator, leaf);
                    let since = self.map.get(&open)?;
                    match (since, grant.is_open()) {
                        (Some(since), false) => {
                            self.put(key::closed(self.size, &grant.grant.operator, leaf), &since)?;
                            let old = self.map.take(&open)?;
                            if let Some(undo) = &mut self.undo {
                                undo.push((open, old));
                            }
                        }
                        (None, true) => self.put(open, &size)?,
                        _ => {}
                    }
                    self.put_new(key::grant(grant.seq), leaf.as_bytes())?;
                }
                Record::Rehearsal(record) => self.put_new(key::rehearsal(record.seq), leaf.as_bytes())?,
                Record::Rerun(_) | Record::Other(_) => {}
            }
            self.put(key::record(leaf, self.size), &json(record)?)?;
        }
        for once in &added.used {
            self.put_new(key::used(once), &size)?;
        }
        for (signer, seqs) in &added.signed {
            for seq in seqs {
                self.put_new(key::signed(signer, *seq), &[])?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Listed) -> Result<(), Fault> {
        self.put(key::entry(entry.seq), &json(&entry.line)?)?;
        self.put(key::commit(&entry.line.commit), &entry.seq.to_be_bytes())?;
        for term in entry.terms() {
            self.put(key::term(&term, entry.seq), &[])?;
        }
        for (set, words) in &entry.sets {
            let known = term("known set", &set.to_string());
            if self.map.get(&key::term(&known, 0))?.is_some() {
                continue;
            }
            self.put(key::term(&known, 0), &[])?;
            for word in words {
                self.put(key::word(&plan_word(word), set), &[])?;
            }
        }
        self.nodes(entry.seq, entry.line.leaf)
    }

    /// The subtrees of the Merkle tree that this leaf completes.
    fn nodes(&mut self, seq: u64, leaf: Digest) -> Result<(), Fault> {
        let mut hash = leaf;
        for level in 0..seq.trailing_ones() as u8 {
            let left = node(self.map, level, (seq >> level) - 1)?;
            hash = merkle::node_hash(&left, &hash);
            self.put(key::node(level + 1, seq >> (level + 1)), hash.as_bytes())?;
        }
        Ok(())
    }

    fn moment(&mut self, batch: &Batch<'_>, commit: &str) -> Result<(), Fault> {
        let (summary, policy) = stored(batch.state.summary(), batch.state.policy())?;
        if let Some((digest, text)) = policy {
            self.put_new(key::policy(&digest), &text)?;
        }
        let moment = Moment { commit: commit.to_owned(), summary, verified: batch.now };
        self.put(key::summary(self.size), &json(&moment)?)
    }
}

/// The hash of a complete subtree: of `2^level` leaves, from `index * 2^level` on.
pub(super) fn node(map: &Map, level: u8, index: u64) -> Result<Digest, Fault> {
    let missing = Fault::Damaged("a hash is missing");
    if level == 0 {
        let line = map.get(&key::entry(index))?.ok_or(missing)?;
        return Ok(parse::<super::Line>(&line)?.leaf);
    }
    map.get(&key::node(level, index))?.and_then(|hash| key::digest(&hash)).ok_or(missing)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|e| Fault::Unusable(e.to_string()))
}

/// Keys and what they were: lengths of four bytes, then the bytes; no value is a length of all ones.
fn packed(undo: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |part: Option<&[u8]>| {
        let length = part.map_or(u32::MAX, |part| u32::try_from(part.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.unwrap_or_default());
    };
    for (key, value) in undo {
        part(Some(key));
        part(value.as_deref());
    }
    bytes
}

/// Each key that changed and the value that it had, in the order of the changes.
type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn unpacked(mut bytes: &[u8]) -> Option<Undo> {
    let mut part = || -> Option<Option<Vec<u8>>> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length);
        if length == u32::MAX {
            bytes = rest;
            return Some(None);
        }
        let (part, rest) = rest.split_at_checked(length as usize)?;
        bytes = rest;
        Some(Some(part.to_vec()))
    };
    let mut undo = Vec::new();
    while let Some(key) = part() {
        undo.push((key?, part()?));
    }
    Some(undo)
}
