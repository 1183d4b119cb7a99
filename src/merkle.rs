//! The Merkle tree of the leaves (RFC 6962 section 2.1).
//!
//! Owns: leaf and node hashes, the root of a growing list, inclusion and consistency proofs and their
//! checks. Must not: know what a leaf holds.
//!
//! ```text
//! leaf hash   SHA-256(0x00 ‖ bytes)          empty tree   SHA-256()
//! node hash   SHA-256(0x01 ‖ left ‖ right)   the left subtree of n leaves holds the largest 2^k < n
//! ```
//!
//! ```
//! use fix7_ledger::merkle::{self, Frontier};
//! let leaves: Vec<_> = (0..5u8).map(|i| merkle::leaf_hash(&[i])).collect();
//! let mut frontier = Frontier::default();
//! leaves.iter().for_each(|leaf| frontier.push(*leaf));
//! assert_eq!(frontier.root(), merkle::root(&leaves));
//! let proof = merkle::inclusion_proof(&leaves, 3).unwrap();
//! assert!(merkle::verify_inclusion(3, 5, &leaves[3], &proof, &frontier.root()).is_ok());
//! ```

use std::convert::Infallible;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};

pub mod stored;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not in the tree, or the older tree is larger than the newer one.
    #[error("{older} is not within a tree of {size} leaves")]
    OutOfRange {
        /// The leaf's index or the older tree's size.
        older: u64,
        /// The tree's size.
        size: u64,
    },
    /// Another number of hashes than this position has.
    #[error("the proof has {found} hashes, this position has {expected}")]
    Length {
        /// Hashes that the position has.
        expected: usize,
        /// Hashes found.
        found: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to root {found}, expected {expected}")]
    Root {
        /// The root that was to be reached.
        expected: Digest,
        /// The root that the hashes give.
        found: Digest,
    },
}

/// The hash of a leaf's bytes.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(bytes);
    hasher.finish()
}

/// The hash of an inner node.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut block = [1u8; 65];
    block[1..33].copy_from_slice(left.as_bytes());
    block[33..].copy_from_slice(right.as_bytes());
    Digest::of(&block)
}

/// The root over leaf hashes.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `n`, for `n` of 2 and more.
fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

/// A growing list of leaves, kept as the roots of its complete subtrees: one for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frontier {
    size: u64,
    /// From the largest subtree to the smallest.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak stands for each bit of the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the peaks fit the size: false for a stored frontier that was tampered with.
    pub fn is_consistent(&self) -> bool {
        self.peaks.len() == self.size.count_ones() as usize && self.size < u64::MAX
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        match self.peaks.split_last() {
            None => Digest::of(b""),
            Some((last, larger)) => larger.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// The hashes from leaf `index` to the root, the leaf's sibling first. `None` beyond the last leaf.
pub fn inclusion_proof(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    let Ok(proof) = stored::inclusion_proof(leaves.len() as u64, index as u64, &mut |level, index| {
        Ok::<_, Infallible>(subtree(leaves, level, index))
    });
    proof
}

/// The hashes that show the first `older` leaves to be a prefix of all. `None` when there are fewer.
pub fn consistency_proof(leaves: &[Digest], older: usize) -> Option<Vec<Digest>> {
    let Ok(proof) = stored::consistency_proof(leaves.len() as u64, older as u64, &mut |level, index| {
        Ok::<_, Infallible>(subtree(leaves, level, index))
    });
    proof
}

/// The root over the `2^level` leaves from `index * 2^level` on, all of which are there.
fn subtree(leaves: &[Digest], level: u8, index: u64) -> Digest {
    let first = (index << level) as usize;
    root(&leaves[first..first + (1 << level)])
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// What does not hold.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { older: index, size });
    }
    // Below the level where the ways to this leaf and to the last leaf part, every level has a sibling;
    // above it, only those where this subtree is a right one.
    let inner = bits(index ^ (size - 1));
    let border = (index >> inner).count_ones() as usize;
    demand_length(inner + border, proof)?;
    let (low, high) = proof.split_at(inner);
    let hash = chain_inner(*leaf, low, index);
    reached(root, chain_border(hash, high))
}

/// Checks that the tree of `older` leaves with `older_root` is a prefix of the tree of `size` leaves.
///
/// # Errors
/// What does not hold. A proof from an empty tree proves nothing, and is refused.
pub fn verify_consistency(
    older: u64,
    size: u64,
    proof: &[Digest],
    older_root: &Digest,
    root: &Digest,
) -> Result<(), ProofError> {
    if older == 0 || older > size {
        return Err(ProofError::OutOfRange { older, size });
    }
    if older == size {
        demand_length(0, proof)?;
        return reached(root, *older_root);
    }
    let shift = older.trailing_zeros();
    let inner_all = bits((older - 1) ^ (size - 1));
    let border = ((older - 1) >> inner_all).count_ones() as usize;
    let inner = inner_all - shift as usize;
    // A whole power of two is itself the first subtree, so the proof leaves it out.
    let (seed, rest) = if older.is_power_of_two() {
        (*older_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else {
            return Err(ProofError::Length { expected: 1 + inner + border, found: 0 });
        };
        (*first, rest)
    };
    if rest.len() != inner + border {
        let seeds = proof.len() - rest.len();
        return Err(ProofError::Length { expected: seeds + inner + border, found: proof.len() });
    }
    let mask = (older - 1) >> shift;
    let (low, high) = rest.split_at(inner);
    // The older root uses only what lies to the left; the newer one everything.
    let left_of = low.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, h)| h);
    let older_hash = left_of.fold(seed, |hash, left| node_hash(left, &hash));
    reached(older_root, chain_border(older_hash, high))?;
    reached(root, chain_border(chain_inner(seed, low, mask), high))
}

fn bits(n: u64) -> usize {
    (u64::BITS - n.leading_zeros()) as usize
}

fn chain_inner(seed: Digest, proof: &[Digest], index: u64) -> Digest {
    proof.iter().enumerate().fold(seed, |hash, (level, sibling)| match index >> level & 1 {
        0 => node_hash(&hash, sibling),
        _ => node_hash(sibling, &hash),
    })
}

fn chain_border(seed: Digest, proof: &[Digest]) -> Digest {
    proof.iter().fold(seed, |hash, left| node_hash(left, &hash))
}

fn demand_length(expected: usize, proof: &[Digest]) -> Result<(), ProofError> {
    let found = proof.len();
    if expected == found { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

fn reached(expected: &Digest, found: Digest) -> Result<(), ProofError> {
    if *expected == found { Ok(()) } else { Err(ProofError::Root { expected: *expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: usize) -> Vec<Digest> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    #[test]
    fn the_frontier_and_the_definition_give_the_same_root() {
        let all = leaves(130);
        let mut frontier = Frontier::default();
        for n in 0..=all.len() {
            assert_eq!(frontier.root(), root(&all[..n]), "{n}");
            assert!(frontier.is_consistent() && frontier.size() == n as u64);
            if n < all.len() {
                frontier.push(all[n]);
            }
        }
    }

    #[test]
    fn every_inclusion_holds_and_no_neighbour_does() {
        for n in 1..34usize {
            let all = leaves(n);
            let top = root(&all);
            for i in 0..n {
                let proof = inclusion_proof(&all, i).expect("within");
                let check = |i, n, leaf: &Digest, proof: &[Digest]| {
                    verify_inclusion(i as u64, n as u64, leaf, proof, &top).is_ok()
                };
                assert!(check(i, n, &all[i], &proof));
                assert!(!check(i, n, &leaf_hash(b"other"), &proof));
                assert!(!check(n, n, &all[i], &proof));
                (0..n)
                    .filter(|j| *j != i)
                    .for_each(|j| assert!(!check(j, n, &all[i], &proof), "{i} {j} {n}"));
                assert!(!check(i, n, &all[i], &[&proof[..], &[top]].concat()));
                for cut in 0..proof.len() {
                    assert!(!check(i, n, &all[i], &proof[..cut]));
                    let mut changed = proof.clone();
                    changed[cut] = top;
                    assert!(!check(i, n, &all[i], &changed));
                }
            }
            assert_eq!(inclusion_proof(&all, n), None);
        }
    }

    #[test]
    fn every_consistency_holds_and_no_rewrite_does() {
        for n in 1..34usize {
            let all = leaves(n);
            let top = root(&all);
            for m in 1..=n {
                let proof = consistency_proof(&all, m).expect("within");
                let before = root(&all[..m]);
                let check = |m, n, proof: &[Digest], before: &Digest, top: &Digest| {
                    verify_consistency(m as u64, n as u64, proof, before, top).is_ok()
                };
                assert!(check(m, n, &proof, &before, &top), "{m} {n}");
                let mut rewritten = all.clone();
                rewritten[m - 1] = leaf_hash(b"rewritten");
                assert!(!check(m, n, &proof, &root(&rewritten[..m]), &top));
                assert!(!check(m, n, &proof, &before, &root(&rewritten)));
                assert!(!check(m, n, &[&proof[..], &[top]].concat(), &before, &top));
                (0..proof.len()).for_each(|cut| assert!(!check(m, n, &proof[..cut], &before, &top)));
            }
            assert_eq!(consistency_proof(&all, n + 1), None);
            assert!(verify_consistency(0, n as u64, &[], &Digest::of(b""), &top).is_err());
        }
    }

    #[test]
    fn the_reference_tree_has_its_published_roots() {
        // The eight leaves that Certificate Transparency's implementations share.
        let leaves: Vec<Digest> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .map(|hex| leaf_hash(&data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex")))
        .to_vec();
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        for (n, expected) in roots {
            assert_eq!(root(&leaves[..n]).to_string(), expected, "{n}");
        }
    }

    #[test]
    fn a_leaf_is_never_taken_for_a_node() {
        let pair = leaves(2);
        let forged = [pair[0].as_bytes().as_slice(), pair[1].as_bytes()].concat();
        assert_ne!(leaf_hash(&forged), root(&pair));
        assert_eq!(node_hash(&pair[0], &pair[1]), root(&pair));
    }
}
