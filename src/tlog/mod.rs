//! Proofs that travel: the C2SP transparency-log formats, so that existing witnesses and monitors work.
//!
//! Owns: signed notes and their keys ([`note`]), checkpoints and cosignatures ([`checkpoint`]), inclusion and
//! consistency proofs as text ([`proof`]). Must not: read git or the clock, know what a leaf says, keep a state.
//!
//! ```text
//! leaves ── root ──► checkpoint ── log key signs ──► note ── witnesses cosign ──► quorum
//!    └── hashes ──► .tlog-proof = index + hashes + that note
//! ```
//!
//! | format | specification | here |
//! |---|---|---|
//! | note, vkey | c2sp.org/signed-note | [`note`]: ed25519 alone, types 0x01 and 0x04 |
//! | checkpoint | c2sp.org/tlog-checkpoint | [`checkpoint::Checkpoint`] |
//! | cosignature | c2sp.org/tlog-cosignature | [`checkpoint::cosign`]: `cosignature/v1` |
//! | proof | c2sp.org/tlog-proof | [`proof::InclusionProof`] |
//! | request | c2sp.org/tlog-witness | [`proof::ConsistencyProof`]: the body of `add-checkpoint`; [`witness`] decides |
//! | tiles | c2sp.org/tlog-tiles | [`tile`] |
//! | policy | c2sp.org/tlog-policy | [`quorum::TrustPolicy`] |
//!
//! A log key signs checkpoints, a witness key cosignatures; the type byte is part of the key's id, and what is
//! signed begins differently, so neither can be taken for the other.
//!
//! ```
//! use fix7_ledger::keys::SecretKey;
//! use fix7_ledger::merkle::Frontier;
//! use fix7_ledger::tlog::checkpoint::{self, Checkpoint};
//! use fix7_ledger::tlog::note::{Note, Role, VerifierKey};
//!
//! let log = SecretKey::from_seed(&[1; 32]).into();
//! let head = Checkpoint::new("example.com/ledger", 0, Frontier::default().root()).unwrap();
//! let signed = checkpoint::sign(&head, &log).unwrap().to_text();
//!
//! let key = VerifierKey::new("example.com/ledger", Role::Log, fix7_ledger::keys::Signer::public(&log)).unwrap();
//! let (read, _) = checkpoint::open(&signed, &key).unwrap();
//! assert_eq!(read, head);
//! assert!(checkpoint::open(&signed.replace("\n0\n", "\n1\n"), &key).is_err());
//! ```

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod quorum;
pub mod tile;
pub mod witness;

use crate::digest::Digest;
use crate::keys::{Fingerprint, KeyError};
use crate::merkle::ProofError;
use crate::verdict::Code;

/// Largest note, proof or request in bytes: 100 signatures and 63 hashes stay far below. Stops a file that fills
/// the memory.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// Why a text of these formats is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogError {
    /// Over [`MAX_TEXT_BYTES`] or a number of lines.
    #[error("over the limit of {limit} {unit}")]
    OverLimit {
        /// The limit.
        limit: usize,
        /// Its unit.
        unit: &'static str,
    },
    /// Not the form that the specification gives.
    #[error("{what}: expected {expected}, found `{found}`")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A verifier key of a type that is not used here.
    #[error("the verifier key has type {0:#04x}; 0x01 (log) and 0x04 (witness) are known here")]
    KeyType(u8),
    /// A key or signature that is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A known key's signature does not hold.
    #[error("the signature of `{name}` does not hold")]
    Signature {
        /// The key's name.
        name: String,
    },
    /// The key that was asked for has not signed.
    #[error("`{name}` has not signed this note (key {key})")]
    NotSigned {
        /// The key's name.
        name: String,
        /// The key.
        key: Fingerprint,
    },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of log `{found}`, expected `{expected}`")]
    OtherLog {
        /// The log that was asked for.
        expected: String,
        /// The checkpoint's origin.
        found: String,
    },
    /// The hashes prove nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Two roots for one size: somebody was shown another history.
    #[error("two roots of size {size}: {one} and {other}")]
    SplitView {
        /// The size.
        size: u64,
        /// The root known before.
        one: Digest,
        /// The root found now.
        other: Digest,
    },
}

impl TlogError {
    pub(crate) fn malformed(what: &'static str, expected: &'static str, found: &str) -> TlogError {
        let found = found.chars().take(80).flat_map(char::escape_default).collect();
        TlogError::Malformed { what, expected, found }
    }

    /// The reason code.
    pub fn code(&self) -> Code {
        match self {
            TlogError::OverLimit { .. } => Code::LimitExceeded,
            TlogError::Malformed { .. } | TlogError::KeyType(_) => Code::Malformed,
            TlogError::Key(_) | TlogError::Signature { .. } => Code::SignatureInvalid,
            TlogError::NotSigned { .. } => Code::KeyUnknown,
            TlogError::OtherLog { .. } => Code::WrongLedger,
            TlogError::Proof(_) => Code::RootMismatch,
            TlogError::SplitView { .. } => Code::Forked,
        }
    }
}

/// The limit that stands before every parse.
pub(crate) fn demand_length(text: &str) -> Result<(), TlogError> {
    match text.len() > MAX_TEXT_BYTES {
        true => Err(TlogError::OverLimit { limit: MAX_TEXT_BYTES, unit: "bytes" }),
        false => Ok(()),
    }
}

/// An ASCII decimal without leading zeroes.
pub(crate) fn number(what: &'static str, text: &str) -> Result<u64, TlogError> {
    let number = text.parse::<u64>().ok().filter(|n| n.to_string() == text);
    number.ok_or_else(|| TlogError::malformed(what, "a decimal number", text))
}

/// One SHA-256 in base64.
pub(crate) fn hash(what: &'static str, text: &str) -> Result<Digest, TlogError> {
    use base64ct::{Base64, Encoding};
    let bytes = Base64::decode_vec(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Digest::from_bytes).ok_or_else(|| TlogError::malformed(what, "32 bytes in base64", text))
}

/// A SHA-256 as these formats write it.
pub(crate) fn base64(digest: &Digest) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(digest.as_bytes())
}
