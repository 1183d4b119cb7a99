//! Roots and proofs from the hashes of complete subtrees, wherever they are kept: each costs a few dozen of them, however
//! many leaves there are.
//!
//! Owns: which subtrees a root or a proof is made of. Must not: know where their hashes are kept.
//!
//! ```text
//! level 2  ┌───0───┐             node(level, index): the root over the 2^level leaves from index * 2^level on
//! level 1  ┌0┐   ┌1┐   ┌2┐       of 7 leaves: node(2, 0), node(1, 2), node(0, 6)
//! level 0  0 1   2 3   4 5   6
//! ```
//!
//! ```
//! use std::convert::Infallible;
//! use fix7_ledger::merkle::{self, stored};
//! let leaves: Vec<_> = (0..7u8).map(|i| merkle::leaf_hash(&[i])).collect();
//! let mut node = |level: u8, index: u64| -> Result<_, Infallible> {
//!     let first = (index << level) as usize;
//!     Ok(merkle::root(&leaves[first..first + (1 << level)]))
//! };
//! let proof = stored::inclusion_proof(7, 5, &mut node).unwrap().unwrap();
//! assert_eq!(Some(proof), merkle::inclusion_proof(&leaves, 5));
//! ```

use super::node_hash;
use crate::digest::Digest;

/// Gives the hash of a complete subtree: its level (0: a leaf), its place in the level. What it fails with is passed on.
pub type Node<'a, E> = dyn FnMut(u8, u64) -> Result<Digest, E> + 'a;

/// Leaves `first` to `first + size`, as the tree splits them: `first` is a multiple of the subtree's width.
#[derive(Clone, Copy)]
struct Part {
    first: u64,
    size: u64,
}

impl Part {
    /// Left, the largest complete subtree that is not all; and right.
    fn halves(self) -> (Part, Part) {
        let left = 1 << (self.size - 1).ilog2();
        (Part { size: left, ..self }, Part { first: self.first + left, size: self.size - left })
    }

    fn root<E>(self, node: &mut Node<'_, E>) -> Result<Digest, E> {
        if self.size.is_power_of_two() {
            let level = self.size.ilog2();
            return node(level as u8, self.first >> level);
        }
        let (left, right) = self.halves();
        Ok(node_hash(&left.root(node)?, &right.root(node)?))
    }
}

/// The root over the first `size` leaves.
///
/// # Errors
/// What `node` fails with.
pub fn root<E>(size: u64, node: &mut Node<'_, E>) -> Result<Digest, E> {
    if size == 0 { Ok(Digest::of(b"")) } else { Part { first: 0, size }.root(node) }
}

/// As [`super::inclusion_proof`], in the tree of the first `size` leaves.
///
/// # Errors
/// What `node` fails with.
pub fn inclusion_proof<E>(size: u64, index: u64, node: &mut Node<'_, E>) -> Result<Option<Vec<Digest>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut part, mut siblings) = (Part { first: 0, size }, Vec::new());
    while part.size > 1 {
        let (left, right) = part.halves();
        let (within, sibling) = if index < right.first { (left, right) } else { (right, left) };
        siblings.push(sibling);
        part = within;
    }
    hashes(siblings, node).map(Some)
}

/// As [`super::consistency_proof`], in the tree of the first `size` leaves.
///
/// # Errors
/// What `node` fails with.
pub fn consistency_proof<E>(size: u64, older: u64, node: &mut Node<'_, E>) -> Result<Option<Vec<Digest>>, E> {
    if older > size {
        return Ok(None);
    }
    let (mut part, mut parts) = (Part { first: 0, size }, Vec::new());
    while older > 0 && older < part.first + part.size {
        let (left, right) = part.halves();
        let (within, other) = if older <= right.first { (left, right) } else { (right, left) };
        parts.push(other);
        part = within;
    }
    // Where the older tree is itself a complete subtree at the left end, its root is known already.
    if older > 0 && part.first > 0 {
        parts.push(part);
    }
    hashes(parts, node).map(Some)
}

/// The roots of parts that were met from the top down, in the order from the bottom up.
fn hashes<E>(parts: Vec<Part>, node: &mut Node<'_, E>) -> Result<Vec<Digest>, E> {
    parts.into_iter().rev().map(|part| part.root(node)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{leaf_hash, root as root_of};
    use super::*;

    /// RFC 6962 section 2.1.1, as it is written there.
    fn path(leaves: &[Digest], index: usize) -> Vec<Digest> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
        let (mut proof, sibling) = match index.checked_sub(left.len()) {
            None => (path(left, index), right),
            Some(index) => (path(right, index), left),
        };
        proof.push(root_of(sibling));
        proof
    }

    /// RFC 6962 section 2.1.2, as it is written there.
    fn subproof(leaves: &[Digest], older: usize, known: bool) -> Vec<Digest> {
        if older == leaves.len() {
            return if known { Vec::new() } else { vec![root_of(leaves)] };
        }
        let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
        let (mut proof, other) = match older.checked_sub(left.len()) {
            None | Some(0) => (subproof(left, older, known), right),
            Some(older) => (subproof(right, older, false), left),
        };
        proof.push(root_of(other));
        proof
    }

    proptest! {
        #[test]
        fn proofs_from_subtrees_are_those_of_the_definition(size in 1usize..700, at in any::<prop::sample::Index>()) {
            let leaves: Vec<Digest> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let asked = std::cell::Cell::new(0);
            let mut node = |level: u8, index: u64| -> Result<Digest, String> {
                asked.set(asked.get() + 1);
                let first = (index << level) as usize;
                leaves.get(first..first + (1 << level)).map(root_of).ok_or(format!("no node {level}/{index}"))
            };
            let (n, index) = (size as u64, at.index(size));
            prop_assert_eq!(root(n, &mut node), Ok(root_of(&leaves)));
            prop_assert_eq!(inclusion_proof(n, index as u64, &mut node), Ok(Some(path(&leaves, index))));
            let older = index + 1;
            prop_assert_eq!(consistency_proof(n, older as u64, &mut node), Ok(Some(subproof(&leaves, older, true))));
            prop_assert!(asked.get() <= 120, "{} hashes", asked.get());
            prop_assert_eq!(inclusion_proof(n, n, &mut node), Ok(None));
            prop_assert_eq!(consistency_proof(n, n + 1, &mut node), Ok(None));
            prop_assert_eq!(consistency_proof(n, 0, &mut node), Ok(Some(Vec::new())));
        }
    }

    #[test]
    fn a_hash_that_cannot_be_read_is_no_proof() {
        let mut node = |level: u8, index: u64| Err::<Digest, _>((level, index));
        assert_eq!(inclusion_proof(7, 5, &mut node), Err((0, 4)));
        assert_eq!(consistency_proof(7, 4, &mut node), Err((1, 2)));
        assert_eq!(root(7, &mut node), Err((2, 0)));
    }
}
