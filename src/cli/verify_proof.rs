//! `verify --proof`: a proof alone, without a repository.

use std::path::Path;

use super::answer::{Answer, Failure};
use super::trust::{Opened, Trust, failure, read_text};
use crate::digest::Digest;
use crate::entry::Leaf;
use crate::merkle;
use crate::tlog::proof::{ConsistencyProof, InclusionProof, PROOF_HEADER};
use crate::verdict::{Code, Reason};

/// Verifies an inclusion or a consistency proof; `older` is the checkpoint that the latter begins at.
pub(super) fn run(
    proof: &Path,
    older: Option<&Path>,
    leaf: Option<Digest>,
    trust: &Trust,
) -> Result<Answer, Failure> {
    let text = read_text(proof)?;
    let object = proof.display().to_string();
    match text.starts_with(PROOF_HEADER) {
        true => inclusion(&object, &text, leaf, trust),
        false => consistency(&object, &text, older, trust),
    }
}

fn inclusion(object: &str, text: &str, leaf: Option<Digest>, trust: &Trust) -> Result<Answer, Failure> {
    let proof = InclusionProof::parse(text).map_err(|e| failure(object, &e))?;
    let opened = trust.open(&proof.checkpoint, &[])?;
    let (hash, words, fields) = match &proof.extra {
        None => {
            let found = "it does not hold the leaf: name its hash with --leaf";
            let hash = leaf.ok_or_else(|| Failure::because(Code::Malformed, object, found))?;
            (hash, format!("leaf {hash}"), None)
        }
        Some(bytes) => {
            let fields = read_leaf(object, bytes, &proof, &opened)?;
            let hash = merkle::leaf_hash(bytes);
            if let Some(expected) = leaf.filter(|expected| *expected != hash) {
                return Err(Reason::new(Code::ContentMismatch, object).values(expected, hash).into());
            }
            (hash, format!("entry #{} {}\n{}", fields.seq, hash, fields.to_text()), Some(fields))
        }
    };
    proof.verify(&hash, &opened.checkpoint).map_err(|e| failure(object, &e))?;
    let text = format!("{}\n{}", words.trim_end(), opened.text());
    let answer = Answer::done(text.trim_end())
        .with("index", proof.index)
        .with("leaf", hash)
        .with("trailers", fields.map(|leaf| leaf.to_text()));
    Ok(opened.tell(answer).judged(opened.verdict.clone()))
}

/// The leaf must be an entry's, stand where it says, and belong to the log's ledger.
fn read_leaf(object: &str, bytes: &[u8], proof: &InclusionProof, opened: &Opened) -> Result<Leaf, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|e| Failure::because(Code::EntryMalformed, object, e))?;
    let leaf = Leaf::parse(text).map_err(|e| Failure::because(e.code(), object, e))?;
    if leaf.seq != proof.index {
        return Err(Reason::new(Code::ChainBroken, object).values(leaf.seq, proof.index).into());
    }
    let origin = opened.checkpoint.origin();
    match origin.ends_with(&format!("/{}", leaf.ledger)) {
        true => Ok(leaf),
        false => Err(Reason::new(Code::WrongLedger, object).values(origin, leaf.ledger).into()),
    }
}

fn consistency(object: &str, text: &str, older: Option<&Path>, trust: &Trust) -> Result<Answer, Failure> {
    let proof = ConsistencyProof::parse(text).map_err(|e| failure(object, &e))?;
    let opened = trust.open(&proof.checkpoint, &[])?;
    let found = "it proves that a checkpoint continues an older one: name that with --older";
    let older = older.ok_or_else(|| Failure::because(Code::Unreadable, object, found))?;
    let before = trust.open(&read_text(older)?, &[])?.checkpoint;
    if before.origin() != opened.checkpoint.origin() {
        let reason = Reason::new(Code::WrongLedger, object);
        return Err(reason.values(before.origin(), opened.checkpoint.origin()).into());
    }
    if before.size() != proof.old {
        return Err(Reason::new(Code::RootMismatch, object).values(before.size(), proof.old).into());
    }
    proof.verify(&before.root(), &opened.checkpoint).map_err(|e| failure(object, &e))?;
    let text = format!("the first {} entries are unchanged\n{}", proof.old, opened.text());
    let answer = Answer::done(text.trim_end()).with("since", proof.old);
    Ok(opened.tell(answer).judged(opened.verdict.clone()))
}
