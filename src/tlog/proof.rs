//! Proofs as text: inclusion (c2sp.org/tlog-proof) and consistency (the body of tlog-witness' `add-checkpoint`).
//!
//! ```text
//! c2sp.org/tlog-proof@v1          old 5
//! extra <base64 of the leaf>      <hash>                0 to 63 of them, base64, the leaf's side first
//! index 3                         …
//! <hash>
//! …                               <checkpoint: the signed note, verbatim>
//!
//! <checkpoint>
//! ```
//!
//! The `extra` line holds the leaf's own bytes, so that a proof alone says what it proves. The format does not
//! authenticate it; here it is, since the leaf hash is computed from it.
//!
//! ```
//! use fix7_ledger::{digest::Digest, merkle, tlog::proof::InclusionProof};
//! let proof = InclusionProof { extra: Some(b"leaf".to_vec()), index: 0, hashes: vec![], checkpoint: "c\n".into() };
//! let read = InclusionProof::parse(&proof.to_text()).unwrap();
//! assert_eq!(read, proof);
//! assert!(InclusionProof::parse("c2sp.org/tlog-proof@v2\nindex 0\n\nc\n").is_err());
//! ```

use base64ct::{Base64, Encoding};

use super::checkpoint::Checkpoint;
use super::{TlogError, base64, demand_length, hash, number};
use crate::digest::Digest;
use crate::merkle;

/// The first line of an inclusion proof.
pub const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most hashes: a tree of 2^63 leaves has no more.
pub const MAX_HASHES: usize = 63;

/// That a leaf is in the tree of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// What goes with the proof: here the leaf's bytes.
    pub extra: Option<Vec<u8>>,
    /// The leaf's position, from 0.
    pub index: u64,
    /// The hashes, the leaf's sibling first.
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, as it stood in the file.
    pub checkpoint: String,
}

impl InclusionProof {
    /// The file.
    pub fn to_text(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", Base64::encode_string(extra)));
        let extra = extra.unwrap_or_default();
        format!("{PROOF_HEADER}\n{extra}index {}\n{}\n{}", self.index, lines(&self.hashes), self.checkpoint)
    }

    /// Reads the file. The checkpoint is taken as it stands; [`super::checkpoint::open`] reads it.
    ///
    /// # Errors
    /// Everything but the one form.
    pub fn parse(text: &str) -> Result<InclusionProof, TlogError> {
        let (head, checkpoint) = split(text)?;
        let mut lines = head.lines().peekable();
        let header = lines.next().unwrap_or_default();
        if header != PROOF_HEADER {
            return Err(TlogError::malformed("first line", PROOF_HEADER, header));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(encoded) => {
                let bytes = Base64::decode_vec(encoded);
                lines.next();
                Some(bytes.map_err(|_| TlogError::malformed("extra", "base64", encoded))?)
            }
            None => None,
        };
        let index = numbered("index", lines.next().unwrap_or_default())?;
        let hashes = read_hashes(lines)?;
        Ok(InclusionProof { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that a leaf stands at the index in the tree of a checkpoint that was opened.
    ///
    /// # Errors
    /// The hashes lead elsewhere.
    pub fn verify(&self, leaf: &Digest, checkpoint: &Checkpoint) -> Result<(), TlogError> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        Ok(merkle::verify_inclusion(self.index, size, leaf, &self.hashes, &root)?)
    }
}

/// That the tree of a checkpoint continues an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The older tree's size.
    pub old: u64,
    /// The hashes.
    pub hashes: Vec<Digest>,
    /// The signed newer checkpoint, as it stood in the file.
    pub checkpoint: String,
}

impl ConsistencyProof {
    /// The file, which is also what is sent to a witness.
    pub fn to_text(&self) -> String {
        format!("old {}\n{}\n{}", self.old, lines(&self.hashes), self.checkpoint)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Everything but the one form.
    pub fn parse(text: &str) -> Result<ConsistencyProof, TlogError> {
        let (head, checkpoint) = split(text)?;
        let mut lines = head.lines();
        let old = numbered("old", lines.next().unwrap_or_default())?;
        Ok(ConsistencyProof { old, hashes: read_hashes(lines)?, checkpoint: checkpoint.to_owned() })
    }

    /// Checks the way from an older root to a checkpoint that was opened.
    ///
    /// # Errors
    /// `FORKED` where the sizes are equal and the roots are not; else that the hashes lead elsewhere.
    pub fn verify(&self, older: &Digest, checkpoint: &Checkpoint) -> Result<(), TlogError> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        if self.old == 0 {
            // The empty tree is a prefix of every tree: nothing is to be shown.
            return match self.hashes.is_empty() && *older == Digest::of(b"") {
                true => Ok(()),
                false => {
                    Err(TlogError::malformed("proof", "no hashes from an empty tree", &lines(&self.hashes)))
                }
            };
        }
        if self.old == size && *older != root {
            return Err(TlogError::SplitView { size, one: *older, other: root });
        }
        Ok(merkle::verify_consistency(self.old, size, &self.hashes, older, &root)?)
    }
}

/// What stands before and after the first empty line; the lines before have no CR, and their last line end.
fn split(text: &str) -> Result<(&str, &str), TlogError> {
    demand_length(text)?;
    let refused = || TlogError::malformed("proof", "lines, an empty line, and a checkpoint", text);
    let at = text.find("\n\n").ok_or_else(refused)?;
    let (head, checkpoint) = (&text[..=at], &text[at + 2..]);
    match checkpoint.is_empty() || head.contains('\r') {
        true => Err(refused()),
        false => Ok((head, checkpoint)),
    }
}

fn numbered(name: &'static str, line: &str) -> Result<u64, TlogError> {
    let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
    number(name, value.ok_or_else(|| TlogError::malformed(name, "`<name> <number>`", line))?)
}

fn read_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Digest>, TlogError> {
    let hashes: Vec<Digest> =
        lines.take(MAX_HASHES + 1).map(|line| hash("hash", line)).collect::<Result<_, _>>()?;
    match hashes.len() > MAX_HASHES {
        true => Err(TlogError::OverLimit { limit: MAX_HASHES, unit: "hashes" }),
        false => Ok(hashes),
    }
}

fn lines(hashes: &[Digest]) -> String {
    hashes.iter().map(|hash| base64(hash) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{SecretKey, Signer};
    use crate::tlog::checkpoint;
    use crate::tlog::note::{Role, VerifierKey};

    fn leaves(n: usize) -> Vec<Digest> {
        (0..n).map(|i| merkle::leaf_hash(format!("leaf {i}").as_bytes())).collect()
    }

    fn log() -> Signer<'static> {
        SecretKey::from_seed(&[1; 32]).into()
    }

    fn key() -> VerifierKey {
        VerifierKey::new("log.example", Role::Log, log().public()).expect("a key")
    }

    fn signed(leaves: &[Digest]) -> String {
        let head = Checkpoint::new("log.example", leaves.len() as u64, merkle::root(leaves)).expect("a head");
        checkpoint::sign(&head, &log()).expect("signed").to_text()
    }

    /// Every flip of a bit and every cut: never a panic, and never another file that holds.
    fn mutilate(text: &str, holds: impl Fn(&str) -> bool) {
        assert!(holds(text));
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert!(!holds(&changed), "byte {at}, bit {bit}: {changed}");
                }
            }
            if text.is_char_boundary(at) {
                assert!(!holds(&text[..at]), "cut at {at}");
            }
        }
    }

    #[test]
    fn no_changed_inclusion_proof_holds() {
        let all = leaves(11);
        let hashes = merkle::inclusion_proof(&all, 6).expect("within");
        let extra = Some(b"leaf 6".to_vec());
        let proof = InclusionProof { extra, index: 6, hashes, checkpoint: signed(&all) };
        mutilate(&proof.to_text(), |text| {
            InclusionProof::parse(text).is_ok_and(|proof| {
                let head = checkpoint::open(&proof.checkpoint, &key());
                let leaf = proof.extra.as_ref().map(|extra| merkle::leaf_hash(extra));
                leaf.is_some_and(|leaf| head.is_ok_and(|(head, _)| proof.verify(&leaf, &head).is_ok()))
            })
        });
    }

    #[test]
    fn no_changed_consistency_proof_holds() {
        let all = leaves(11);
        let older = merkle::root(&all[..6]);
        let hashes = merkle::consistency_proof(&all, 6).expect("within");
        let proof = ConsistencyProof { old: 6, hashes, checkpoint: signed(&all) };
        mutilate(&proof.to_text(), |text| {
            ConsistencyProof::parse(text).is_ok_and(|proof| {
                let head = checkpoint::open(&proof.checkpoint, &key());
                head.is_ok_and(|(head, _)| proof.verify(&older, &head).is_ok())
            })
        });
    }

    #[test]
    fn two_roots_of_one_size_are_a_split_view() {
        let all = leaves(4);
        let proof = ConsistencyProof { old: 4, hashes: vec![], checkpoint: signed(&all) };
        let (head, _) = checkpoint::open(&proof.checkpoint, &key()).expect("opens");
        assert_eq!(proof.verify(&merkle::root(&all), &head), Ok(()));
        let other = merkle::root(&leaves(3));
        let split = TlogError::SplitView { size: 4, one: other, other: head.root() };
        assert_eq!(proof.verify(&other, &head), Err(split));
    }
}
