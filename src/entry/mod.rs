//! The entry: one commit, as the bytes that git stores.
//!
//! Owns: the one valid byte string of an entry's commit (headers, signature, subject, trailers), its leaf, and the
//! form in which stored entries travel. Must not: read git, nor know whether the entry continues a ledger.
//!
//! ```text
//! tree <40 digits>
//! parent <40 digits>                                         none for seq 0, exactly one otherwise
//! author <name> <<name>@fix7-ledger> <unix seconds> +0000    the second of Fix7-Time
//! committer …                                                the same
//! gpgsig -----BEGIN SSH SIGNATURE-----                       SSHSIG over everything but these lines
//!  <base64, 70 columns>
//!  -----END SSH SIGNATURE-----
//!
//! fix7-ledger #41 rehearsal orders-2026-11-23-7 [HOLD_PRODUCTION]
//!
//! Fix7-Entry: v1                                             from here to the end: the leaf
//! …
//! ```
//!
//! Stock git calls a commit good that carries text in a second `gpgsig…` header, behind the armor or behind a NUL.
//! Here an entry is parsed into its fields, written again from them, and must come out the same.
//!
//! ```
//! use fix7_ledger::{digest::Digest, entry::{Entry, Leaf, Unsigned}, keys::SecretKey, statement::Kind};
//! let signer = SecretKey::from_seed(&[7; 32]).into();
//! let unsigned = Unsigned::new(
//!     "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().unwrap(), None,
//!     "ann".parse().unwrap(), "orders".parse().unwrap(),
//!     Leaf {
//!         ledger: Digest::of(b"statement"), seq: 0, prev: Digest::ZERO, root: Digest::of(b""),
//!         kind: Kind::Genesis, statement: Digest::of(b"statement"), content: Digest::of(b"files"),
//!         packet_tree: None, policy: Digest::ZERO,
//!         key: fix7_ledger::keys::Signer::public(&signer).fingerprint(),
//!         time: "2026-11-23T00:00:00Z".parse().unwrap(),
//!     },
//! ).unwrap();
//! let entry = unsigned.sign(&signer).unwrap();
//! let read = Entry::parse(&entry.to_bytes()).unwrap();
//! assert!(read.verify_signature().is_ok());
//! assert_eq!(read.leaf_hash(), entry.leaf_hash());
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::keys::KeyError;
use crate::sshsig::SshSigError;
use crate::statement::{LabelError, StatementError};
use crate::verdict::Code;

mod commit;
mod content;
mod leaf;
mod verified;

pub use commit::{Entry, Unsigned};
pub use content::{content_digest, file_digests};
pub use leaf::Leaf;
pub use verified::{Checked, VerifiedEntry, check};

/// Largest commit object in bytes: an entry has about 1500; more only feeds the parser.
pub const MAX_COMMIT_BYTES: usize = 16 << 10;
/// The domain behind the `@` of an author: no address, so that no mail ever goes anywhere.
pub const AUTHOR_DOMAIN: &str = "fix7-ledger";

/// One entry as it stands in the repository: bytes, each already checked against its git object id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The commit's git object id (40 lower-case hexadecimal digits): a place to look, never an identity.
    pub oid: String,
    /// The commit object's content, without git's `commit <length>` header.
    pub commit: Vec<u8>,
    /// Every file of the entry's tree, by its path from the tree's root with `/` between the parts.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A git object id, 40 lower-case hexadecimal digits: it links objects, it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitId([u8; 20]);

impl FromStr for GitId {
    type Err = EntryError;
    fn from_str(text: &str) -> Result<GitId, EntryError> {
        let mut bytes = [0u8; 20];
        let fits =
            text.len() == 40 && data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes) == Ok(20);
        match fits {
            true => Ok(GitId(bytes)),
            false => Err(EntryError::line("git object id", "40 lower-case hexadecimal digits", text)),
        }
    }
}

impl fmt::Display for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are not the one form of an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Over [`MAX_COMMIT_BYTES`].
    #[error("a commit of {found} bytes is over the limit of {MAX_COMMIT_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// A byte outside printable ASCII and LF: NUL, CR, escapes and bidi hide text from people.
    #[error("byte {byte:#04x} at {at}: an entry is printable ASCII and line ends")]
    Byte {
        /// The byte.
        byte: u8,
        /// Its offset.
        at: usize,
    },
    /// A line that is missing, out of place, or has another content than the fields give.
    #[error("{line}: expected {expected}, found `{found}`")]
    Line {
        /// Which line.
        line: &'static str,
        /// What it must be.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A name in the commit that is no label.
    #[error("{line}: {error}")]
    Label {
        /// Which line.
        line: &'static str,
        /// Why not.
        error: LabelError,
    },
    /// An unknown kind.
    #[error(transparent)]
    Kind(#[from] StatementError),
    /// The armor in the `gpgsig` header, or the key in it.
    #[error("gpgsig: {0}")]
    Signature(#[from] SshSigError),
    /// Written again from its fields the commit is another one.
    #[error("the commit is not the one form of its fields: the first difference is at byte {at}")]
    NotTheOneForm {
        /// Offset of the first difference.
        at: usize,
    },
    /// The signer did not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl EntryError {
    fn line(line: &'static str, expected: impl fmt::Display, found: &str) -> EntryError {
        let found = found.chars().take(120).flat_map(char::escape_default).collect();
        EntryError::Line { line, expected: expected.to_string(), found }
    }

    /// The reason code.
    pub fn code(&self) -> Code {
        match self {
            EntryError::Kind(StatementError::KindUnknown(_)) => Code::KindUnknown,
            EntryError::Signature(SshSigError::Key(_)) | EntryError::Key(_) => Code::SignatureInvalid,
            _ => Code::EntryMalformed,
        }
    }
}

#[cfg(test)]
mod tests;
