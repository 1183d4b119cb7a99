//! The keys of the map: one letter for what it is, then fixed-width parts, so that a range is a question.
//!
//! ```text
//! h                          how far it goes: entries, commit, batches that can be undone
//! s size                     the summary after so many entries
//! j size                     what the batch that ended there changed, to undo it
//! r leaf size                a record, as it stands since the batch that ended there
//! u once                     used since
//! k fingerprint seq          a key's signature
//! o fingerprint leaf         a grant that is open; c size fingerprint leaf: one that was until that batch
//! g seq · a seq              the leaf of a grant, of a rehearsal
//! e seq                      an entry as `log` shows it;  i commit: its position
//! p policy                   a policy's text
//! t term seq                 an entry with this term, as in `kind rehearsal`; w word set: a set of words that has it
//! n level index              the hash of a complete subtree of the Merkle tree, level 1 and up
//! ```

use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::state::Once;

pub(super) const HEAD: &[u8] = b"h";
pub(super) const SUMMARIES: &[u8] = b"s";

pub(super) fn summary(size: u64) -> Vec<u8> {
    joined(b's', &[&size.to_be_bytes()])
}

pub(super) fn undo(size: u64) -> Vec<u8> {
    joined(b'j', &[&size.to_be_bytes()])
}

pub(super) fn record(leaf: &Digest, size: u64) -> Vec<u8> {
    joined(b'r', &[leaf.as_bytes(), &size.to_be_bytes()])
}

/// All that was ever known of one record.
pub(super) fn records(leaf: &Digest) -> Vec<u8> {
    joined(b'r', &[leaf.as_bytes()])
}

pub(super) fn used(once: &Once) -> Vec<u8> {
    joined(b'u', &[once.as_bytes()])
}

pub(super) fn signed(key: &Fingerprint, seq: u64) -> Vec<u8> {
    joined(b'k', &[key.as_bytes(), &seq.to_be_bytes()])
}

pub(super) fn signed_by(key: &Fingerprint) -> Vec<u8> {
    joined(b'k', &[key.as_bytes()])
}

pub(super) fn open(operator: &Fingerprint, leaf: &Digest) -> Vec<u8> {
    joined(b'o', &[operator.as_bytes(), leaf.as_bytes()])
}

pub(super) fn open_of(operator: &Fingerprint) -> Vec<u8> {
    joined(b'o', &[operator.as_bytes()])
}

pub(super) fn closed(size: u64, operator: &Fingerprint, leaf: &Digest) -> Vec<u8> {
    joined(b'c', &[&size.to_be_bytes(), operator.as_bytes(), leaf.as_bytes()])
}

/// The first grant that was closed by a batch that ended after `size` entries.
pub(super) fn closed_after(size: u64) -> Vec<u8> {
    joined(b'c', &[&size.saturating_add(1).to_be_bytes()])
}

/// The operator and the leaf in the key of a grant that was closed.
pub(super) fn closed_parts(key: &[u8]) -> Option<(&[u8], Digest)> {
    let rest = key.get(9..)?;
    let (operator, leaf) = rest.split_at_checked(32)?;
    Some((operator, digest(leaf)?))
}

pub(super) fn grant(seq: u64) -> Vec<u8> {
    joined(b'g', &[&seq.to_be_bytes()])
}

pub(super) fn rehearsal(seq: u64) -> Vec<u8> {
    joined(b'a', &[&seq.to_be_bytes()])
}

pub(super) fn entry(seq: u64) -> Vec<u8> {
    joined(b'e', &[&seq.to_be_bytes()])
}

pub(super) fn commit(id: &str) -> Vec<u8> {
    joined(b'i', &[id.as_bytes()])
}

/// An entry with a term.
pub(super) fn term(term: &Digest, seq: u64) -> Vec<u8> {
    joined(b't', &[term.as_bytes(), &seq.to_be_bytes()])
}

/// Every entry with a term.
pub(super) fn terms(term: &Digest) -> Vec<u8> {
    joined(b't', &[term.as_bytes()])
}

/// A set that has a word.
pub(super) fn word(word: &Digest, set: &Digest) -> Vec<u8> {
    joined(b'w', &[word.as_bytes(), set.as_bytes()])
}

/// Every set that has a word.
pub(super) fn words(word: &Digest) -> Vec<u8> {
    joined(b'w', &[word.as_bytes()])
}

pub(super) fn node(level: u8, index: u64) -> Vec<u8> {
    joined(b'n', &[&[level], &index.to_be_bytes()])
}

pub(super) fn policy(digest: &Digest) -> Vec<u8> {
    joined(b'p', &[digest.as_bytes()])
}

/// The number that a key ends with.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.last_chunk::<8>()?))
}

/// The digest that a value is, or a key ends with.
pub(super) fn digest(bytes: &[u8]) -> Option<Digest> {
    Some(Digest::from_bytes(*bytes.last_chunk::<32>()?))
}

fn joined(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}
