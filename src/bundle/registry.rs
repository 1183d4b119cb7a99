//! The registry in a bundle: which entries must be there whole, and the replay that they make with all leaves.
//!
//! ```text
//! leaves    #0 genesis · #1 grant · #2 rehearsal · #3 key · …      hashed they are the checkpoint's tree: none is missing
//! registry  #0 ········ #1 ······················· #3              every kind that changes keys or policy, and the grant
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::{Bundle, BundleError, check_leaf_count};
use crate::digest::Digest;
use crate::entry::{Entry, Leaf, StoredEntry};
use crate::policy::Policy;
use crate::state::changes_registry;
use crate::statement::{Claim, POLICY_FILE, STATEMENT_FILE, Statement};

impl Bundle {
    /// Where the entry stands.
    pub(super) fn position(&self) -> Result<u64, BundleError> {
        Ok(Entry::parse(&self.entry.commit)?.leaf().seq)
    }

    /// The entries that stand in the bundle whole, by position; the one that it is about only where it changes keys or
    /// policy, or is a grant.
    pub(super) fn whole(&self, position: u64) -> BTreeMap<u64, &StoredEntry> {
        let mut whole: BTreeMap<u64, &StoredEntry> =
            self.registry.iter().map(|(seq, stored)| (*seq, stored)).collect();
        whole.insert(0, &self.genesis);
        whole.insert(position, &self.entry);
        whole
    }

    /// The policy in force before the entry; for a genesis its own.
    pub(super) fn policy_in_force(&self, position: u64) -> Vec<u8> {
        let changed = self.registry.range(..position).rev();
        let documents = changed.map(|(_, stored)| stored).chain([&self.genesis]);
        documents.filter_map(|stored| stored.files.get(POLICY_FILE)).next().cloned().unwrap_or_default()
    }
}

/// The positions, beside the genesis and the entry itself, of what the bundle of an entry holds whole.
pub fn registry_of(leaves: &[Leaf], entry: &StoredEntry) -> BTreeSet<u64> {
    let grant = named_grant(entry);
    let position = Entry::parse(&entry.commit).map(|entry| entry.leaf().seq).ok();
    let needed = |leaf: &&Leaf| changes_registry(leaf.kind) || grant == Some(leaf.hash());
    let positions = leaves.iter().filter(needed).map(|leaf| leaf.seq);
    positions.filter(|seq| *seq != 0 && Some(*seq) != position).collect()
}

/// The grant that an entry's claim names.
fn named_grant(entry: &StoredEntry) -> Option<Digest> {
    match Statement::parse(entry.files.get(STATEMENT_FILE)?).ok()?.claim() {
        Claim::Rehearsal(claim) | Claim::Rerun(claim) => Some(claim.grant),
        Claim::Begin(begin) => Some(begin.grant),
        _ => None,
    }
}

/// The leaves as one text: their trailer blocks in order.
pub(super) fn leaves_text(leaves: &[Leaf]) -> String {
    leaves.iter().map(Leaf::to_text).collect()
}

/// Reads that text.
pub(super) fn read_leaves(text: &str) -> Result<Vec<Leaf>, BundleError> {
    let mut starts: Vec<usize> = text.match_indices("Fix7-Entry: ").map(|(at, _)| at).collect();
    if starts.first() != Some(&0) {
        return Err(BundleError::Missing("leaves"));
    }
    check_leaf_count(starts.len() as u64)?;
    starts.push(text.len());
    starts.windows(2).map(|pair| Ok(Leaf::parse(&text[pair[0]..pair[1]])?)).collect()
}

/// Reads a policy document; a damaged one is for the replay to explain.
pub(super) fn policy(bytes: &[u8]) -> Option<Policy> {
    Policy::parse(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::MAX_LEAVES;

    #[test]
    fn more_leaves_than_a_bundle_may_hold_are_refused_before_any_is_read() {
        let said = |leaves: usize| read_leaves(&"Fix7-Entry: no leaf\n".repeat(leaves)).expect_err("no leaf");
        assert!(matches!(said(MAX_LEAVES), BundleError::Entry(_)), "{}", said(MAX_LEAVES));
        assert!(matches!(said(MAX_LEAVES + 1), BundleError::OverLimit(..)), "{}", said(MAX_LEAVES + 1));
        assert!(
            check_leaf_count(MAX_LEAVES as u64).is_ok() && check_leaf_count(MAX_LEAVES as u64 + 1).is_err()
        );
    }
}
