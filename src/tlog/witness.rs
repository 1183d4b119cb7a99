//! A witness' decision (c2sp.org/tlog-witness): may this checkpoint be cosigned, after that one?
//!
//! Owns: the checks of `add-checkpoint`, in the specification's order, and what each refusal is called. Must not: keep
//! the state: whoever does compares and stores in one step, with this decision in between.
//!
//! ```text
//! request ─► known log? 404 ─► its signature? 403 ─► old ≤ size? 400 ─► old = last cosigned? 409 + size
//!         ─► consistent? 422 ─► store ─► cosign
//! ```
//!
//! ```
//! use fix7_ledger::tlog::witness::Request;
//! assert_eq!(Request::open("no request", &[]).unwrap_err().status(), 400);
//! ```

use super::TlogError;
use super::checkpoint::{self, Checkpoint};
use super::note::{Note, VerifierKey};
use super::proof::ConsistencyProof;
use crate::digest::Digest;
use crate::verdict::Code;

/// A checkpoint that may be cosigned, once it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// It with the signature of its log, and nothing else.
    pub note: Note,
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: no request, or the old size is beyond the new one.
    #[error("the request is malformed: {0}")]
    Malformed(TlogError),
    /// 404: the log is none of this witness'.
    #[error("log `{0}` is not one that this witness knows")]
    UnknownLog(String),
    /// 403: the log did not sign it.
    #[error("{0}")]
    NotSigned(TlogError),
    /// 409: the request begins elsewhere than at the last cosigned size.
    #[error(
        "this witness last cosigned size {last}, the request begins at {old}: make it with `--old {last}`"
    )]
    Conflict {
        /// The size last cosigned.
        last: u64,
        /// Where the request begins.
        old: u64,
    },
    /// 422: the log signed a history that does not continue what this witness saw.
    #[error("the checkpoint does not continue what this witness cosigned: {why}")]
    Inconsistent {
        /// Why.
        why: TlogError,
        /// The signed checkpoint, worth keeping.
        note: Box<Note>,
    },
}

impl Refusal {
    /// The HTTP status of the protocol.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Malformed(_) => 400,
            Refusal::UnknownLog(_) => 404,
            Refusal::NotSigned(_) => 403,
            Refusal::Conflict { .. } => 409,
            Refusal::Inconsistent { .. } => 422,
        }
    }

    /// The reason code.
    pub fn code(&self) -> Code {
        match self {
            Refusal::Malformed(e) | Refusal::NotSigned(e) => e.code(),
            Refusal::UnknownLog(_) => Code::WrongLedger,
            Refusal::Conflict { .. } => Code::HeadMoved,
            // The log's own signature stands under a root that its history does not lead to.
            Refusal::Inconsistent { why: TlogError::SplitView { .. }, .. } => Code::Forked,
            Refusal::Inconsistent { why, .. } => why.code(),
        }
    }
}

/// A request whose checkpoint a known log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    proof: ConsistencyProof,
    checkpoint: Checkpoint,
    note: Note,
}

impl Request {
    /// Reads a request, as far as it can be judged without this witness' memory.
    ///
    /// # Errors
    /// 400, 403 and 404.
    pub fn open(text: &str, logs: &[VerifierKey]) -> Result<Request, Refusal> {
        let proof = ConsistencyProof::parse(text).map_err(Refusal::Malformed)?;
        let note = Note::parse(&proof.checkpoint).map_err(Refusal::Malformed)?;
        let claimed = Checkpoint::parse(note.unverified_text()).map_err(Refusal::Malformed)?;
        let known: Vec<&VerifierKey> = logs.iter().filter(|key| key.name() == claimed.origin()).collect();
        if known.is_empty() {
            return Err(Refusal::UnknownLog(claimed.origin().to_owned()));
        }
        let (checkpoint, note) = signed_by_one_of(&proof.checkpoint, &known).map_err(Refusal::NotSigned)?;
        if proof.old > checkpoint.size() {
            let found = format!("old {} over {}", proof.old, checkpoint.size());
            return Err(Refusal::Malformed(TlogError::malformed("old size", "at most the new one", &found)));
        }
        Ok(Request { proof, checkpoint, note })
    }

    /// The checkpoint that is to be cosigned.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Compares with the checkpoint of this log that the witness cosigned last.
    ///
    /// # Errors
    /// 409 and 422.
    pub fn decide(self, last: Option<&Checkpoint>) -> Result<Accepted, Refusal> {
        let (size, root) = last.map_or((0, Digest::of(b"")), |last| (last.size(), last.root()));
        if self.proof.old != size {
            return Err(Refusal::Conflict { last: size, old: self.proof.old });
        }
        match self.proof.verify(&root, &self.checkpoint) {
            Ok(()) => Ok(Accepted { checkpoint: self.checkpoint, note: self.note }),
            Err(why) => Err(Refusal::Inconsistent { why, note: Box::new(self.note) }),
        }
    }
}

/// The checkpoint where one of its log's keys signed it; a known key's broken signature refuses the whole note.
fn signed_by_one_of(text: &str, keys: &[&VerifierKey]) -> Result<(Checkpoint, Note), TlogError> {
    let mut outcome = None;
    for key in keys {
        match checkpoint::open(text, key) {
            Ok((checkpoint, mut note)) => {
                // Other signatures are nothing that this witness vouches for.
                note.keep_of(key);
                outcome = Some((checkpoint, note));
            }
            Err(TlogError::NotSigned { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let first = keys.first().map(|key| (key.name().to_owned(), key.public().fingerprint()));
    match (outcome, first) {
        (Some(outcome), _) => Ok(outcome),
        (None, Some((name, key))) => Err(TlogError::NotSigned { name, key }),
        (None, None) => Err(TlogError::malformed("log keys", "at least one", "none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{SecretKey, Signer};
    use crate::merkle;
    use crate::tlog::note::Role;

    fn log(seed: u8) -> Signer<'static> {
        SecretKey::from_seed(&[seed; 32]).into()
    }

    fn leaves(n: usize, what: &str) -> Vec<Digest> {
        (0..n).map(|i| merkle::leaf_hash(format!("{what} {i}").as_bytes())).collect()
    }

    fn head(leaves: &[Digest]) -> Checkpoint {
        Checkpoint::new("log.example", leaves.len() as u64, merkle::root(leaves)).expect("a head")
    }

    fn request(old: usize, leaves: &[Digest], seed: u8) -> String {
        let checkpoint = checkpoint::sign(&head(leaves), &log(seed)).expect("signed").to_text();
        let hashes = merkle::consistency_proof(leaves, old).unwrap_or_default();
        ConsistencyProof { old: old as u64, hashes, checkpoint }.to_text()
    }

    fn status(request: &str, last: Option<&[Digest]>) -> u16 {
        let keys = [VerifierKey::new("log.example", Role::Log, log(1).public()).expect("a key")];
        let last = last.map(head);
        match Request::open(request, &keys).and_then(|request| request.decide(last.as_ref())) {
            Ok(_) => 200,
            Err(refusal) => refusal.status(),
        }
    }

    #[test]
    fn each_refusal_has_the_status_of_the_protocol() {
        let (honest, other) = (leaves(9, "leaf"), leaves(9, "other"));
        assert_eq!(status(&request(0, &honest, 1), None), 200);
        assert_eq!(status(&request(5, &honest, 1), Some(&honest[..5])), 200);
        assert_eq!(status(&request(9, &honest, 1), Some(&honest)), 200, "the same head once more");
        assert_eq!(status(&request(4, &honest, 1), Some(&honest[..5])), 409);
        assert_eq!(status(&request(0, &honest, 1), Some(&honest[..5])), 409);
        assert_eq!(status(&request(5, &other, 1), Some(&honest[..5])), 422, "another history");
        assert_eq!(status(&request(9, &other, 1), Some(&honest)), 422, "a split view");
        assert_eq!(status(&request(5, &honest[..4], 1), Some(&honest[..5])), 400, "a rollback");
        assert_eq!(status(&request(0, &honest, 2), None), 403, "another key");
        let elsewhere = request(0, &honest, 1).replace("log.example\n", "log.elsewhere\n");
        assert_eq!(status(&elsewhere, None), 404);
        assert_eq!(status("old 0\n", None), 400);
        let stuffed =
            request(0, &honest, 1).replacen("\n\n", &format!("\n{}\n\n", crate::tlog::base64(&honest[0])), 1);
        assert_eq!(status(&stuffed, None), 422, "a proof from nothing must be empty");
    }

    #[test]
    fn a_split_view_is_told_from_a_bad_proof() {
        let (honest, other) = (leaves(9, "leaf"), leaves(9, "other"));
        let keys = [VerifierKey::new("log.example", Role::Log, log(1).public()).expect("a key")];
        let code = |request: &str, last: &[Digest]| {
            let request = Request::open(request, &keys).expect("signed by its log");
            request.decide(Some(&head(last))).expect_err("refused").code()
        };
        assert_eq!(code(&request(9, &other, 1), &honest), Code::Forked);
        assert_eq!(code(&request(5, &other, 1), &honest[..5]), Code::RootMismatch);
    }
}
