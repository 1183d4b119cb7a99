//! The statement: what an entry claims, as an in-toto Statement (v1).
//!
//! Owns: the kinds of entries, the typed claims, and the one canonical form of `statement.json`. Must not:
//! know its position in the ledger (a statement survives a lost push race) nor decide who may claim what
//! (`state` does). Results are closed enumerations without any word for a production pass.
//!
//! ```text
//! {"_type":"https://in-toto.io/Statement/v1",
//!  "predicate":{"kind":"rehearsal","ledger":"<genesis>","nonce":"<32 digits>","policy":"HOLD_PRODUCTION",
//!               "rehearsal":{…}},
//!  "predicateType":"https://fix7-ledger.example/rollback-rehearsal/v1",
//!  "subject":[{"digest":{"sha256":"…"},"name":"packet/HASH_MANIFEST.txt"},…]}
//! ```
//!
//! The subjects are every other file of the entry's tree, sorted by path bytes. A grant, as every
//! claim without files, has one subject: `ledger` with the genesis digest. A genesis has no `ledger`: its own digest becomes it.
//!
//! ```
//! use fix7_ledger::{digest::Digest, statement::{Claim, Grant, Nonce, Scope, Statement}};
//! let genesis = Digest::of(b"a genesis statement");
//! let grant = Grant {
//!     id: "grant-7".parse().unwrap(),
//!     operator: "SHA256:Yx02yNtIglfoSfg48zu3/zZ/L50C+Io3hwCKu7Y+TYY".parse().unwrap(),
//!     scope: Scope { source: None, plan: None },
//!     expires_after_seq: Some(40),
//! };
//! let statement = Statement::grant(genesis, Nonce::from_bytes([1; 16]), grant).unwrap();
//! let read = Statement::parse(statement.bytes()).unwrap();
//! assert!(matches!(read.claim(), Claim::Grant(g) if g.expires_after_seq == Some(40)));
//! ```

use std::collections::BTreeMap;

use crate::canon;
use crate::digest::Digest;

mod blocker;
mod claim;
mod decision;
mod document;
mod kind;
mod label;
mod proposal;
mod run;

pub use blocker::{BlockerAction, BlockerDecision};
pub use claim::{Claim, Genesis, Grant, KeyEntry, Mention, Outcome, Rehearsal, Role, Scope};
pub use decision::{Begin, KeyChange, KeyEnd, KeyRevocation, Note, Numbers, PolicyChange, Void};
pub use document::Document;
pub use kind::Kind;
pub use label::{Label, LabelError, MAX_LABEL_BYTES, Nonce};
pub use proposal::{MAX_PROPOSAL_BYTES, Proposal};
pub use run::{MAX_RUN_BYTES, MAX_RUN_DEPTH, Run};

/// Largest `statement.json` in bytes: 256 subjects, 256 mentions and `run` fit; more only feeds the parser.
pub const MAX_BYTES: usize = 256 << 10;
/// Most subjects: the files of an entry.
pub const MAX_SUBJECTS: usize = 256;
/// Most mentions in one statement: a list that nobody reads hides a claim.
pub const MAX_MENTIONS: usize = 256;
/// Longest free text (a mention's token or reason, a subject's name) in bytes.
pub const MAX_TEXT_BYTES: usize = 512;
/// Most keys in a genesis.
pub const MAX_KEYS: usize = 64;

/// The file that holds the statement in an entry's tree.
pub const STATEMENT_FILE: &str = "statement.json";
/// The file that holds its signatures.
pub const SIGNATURE_FILE: &str = "statement.sig";
/// The file that holds the policy in a genesis and in a change of it.
pub const POLICY_FILE: &str = "policy.toml";
/// The directory that holds the packet.
pub const PACKET_DIR: &str = "packet/";

/// Why bytes are not a statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Over [`MAX_BYTES`].
    #[error("a statement of {found} bytes is over the limit of {MAX_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not the canonical document.
    #[error(transparent)]
    Document(#[from] canon::CanonError),
    /// A kind that this program does not know.
    #[error("the entry kind `{0}` is unknown here")]
    KindUnknown(String),
    /// A field whose value contradicts another field or a rule.
    #[error("{field}: expected {expected}, found {found}")]
    Field {
        /// A JSON pointer.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl StatementError {
    fn field(field: &'static str, expected: impl ToString, found: impl std::fmt::Display) -> StatementError {
        let found = found.to_string().chars().take(120).flat_map(char::escape_default).collect();
        StatementError::Field { field, expected: expected.to_string(), found }
    }
}

/// Path to digest of each file that a statement is about.
pub type Subjects = BTreeMap<String, Digest>;

/// What an entry claims, checked for everything that needs no history.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    subjects: Subjects,
    ledger: Option<Digest>,
    nonce: Nonce,
    claim: Claim,
    /// The bytes of `statement.json`, which are made of the fields above.
    text: Vec<u8>,
}

impl Statement {
    /// The first statement of a ledger, about its policy file.
    ///
    /// # Errors
    /// A rule of the claim does not hold.
    pub fn genesis(nonce: Nonce, genesis: Genesis, policy: Digest) -> Result<Statement, StatementError> {
        let subjects = Subjects::from([(POLICY_FILE.to_owned(), policy)]);
        Statement::written(subjects, None, nonce, Claim::Genesis(genesis))
    }

    /// A grant in the ledger whose genesis statement has this digest.
    ///
    /// # Errors
    /// A rule of the claim does not hold.
    pub fn grant(ledger: Digest, nonce: Nonce, grant: Grant) -> Result<Statement, StatementError> {
        Statement::bare(ledger, nonce, Claim::Grant(grant))
    }

    /// A claim without files in the ledger whose genesis statement has this digest.
    ///
    /// # Errors
    /// A rule of the claim does not hold, or its kind has files.
    pub fn bare(ledger: Digest, nonce: Nonce, claim: Claim) -> Result<Statement, StatementError> {
        let subjects = Subjects::from([(document::LEDGER_SUBJECT.to_owned(), ledger)]);
        Statement::written(subjects, Some(ledger), nonce, claim)
    }

    /// A change of the policy, about the new policy file.
    ///
    /// # Errors
    /// A rule of the claim does not hold.
    pub fn policy(
        ledger: Digest,
        nonce: Nonce,
        change: PolicyChange,
        policy: Digest,
    ) -> Result<Statement, StatementError> {
        let subjects = Subjects::from([(POLICY_FILE.to_owned(), policy)]);
        Statement::written(subjects, Some(ledger), nonce, Claim::Policy(change))
    }

    /// A rehearsal, or a rerun where the claim names the rehearsal that it repeats, about the packet's files
    /// (`packet/…`).
    ///
    /// # Errors
    /// A rule of the claim does not hold.
    pub fn rehearsal(
        ledger: Digest,
        nonce: Nonce,
        rehearsal: Rehearsal,
        subjects: Subjects,
    ) -> Result<Statement, StatementError> {
        let claim = match rehearsal.of {
            None => Claim::Rehearsal(rehearsal),
            Some(_) => Claim::Rerun(rehearsal),
        };
        Statement::written(subjects, Some(ledger), nonce, claim)
    }

    /// Reads `statement.json`.
    ///
    /// # Errors
    /// Everything but the one canonical form of a statement whose fields agree with each other.
    pub fn parse(bytes: &[u8]) -> Result<Statement, StatementError> {
        if bytes.len() > MAX_BYTES {
            return Err(StatementError::TooLarge { found: bytes.len() });
        }
        let quick = document::from_canonical(bytes).and_then(|d| d.into_statement().ok());
        let statement = match quick {
            Some(statement) => statement,
            // The slow door gives the reason.
            None => canon::from_slice::<Document>(bytes)?.into_statement()?,
        };
        let statement = statement.checked()?.with_text();
        // A role twice, or a field spelled `null`, would be a second spelling of the same claim.
        let again = &statement.text;
        if again != bytes {
            let at = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(canon::CanonError::NotCanonical { at }.into());
        }
        Ok(statement)
    }

    /// The bytes of `statement.json`.
    pub fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// The same with an empty list of subjects: what it says beside the names and digests of its files.
    pub fn without_subjects(&self) -> Vec<u8> {
        const LIST: &[u8] = br#","subject":["#;
        // The list is the last field, and a quotation mark in a text is written with a backslash before it.
        let end = memchr::memmem::rfind(&self.text, LIST).map_or(0, |at| at + LIST.len());
        [&self.text[..end], b"]}"].concat()
    }

    /// Its digest: the identity of the ledger, for a genesis.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }

    /// The files that it is about.
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The genesis digest of its ledger; `None` in a genesis.
    pub fn ledger(&self) -> Option<&Digest> {
        self.ledger.as_ref()
    }

    /// What makes it unlike every other statement.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// What it claims.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The kind of its entry.
    pub fn kind(&self) -> Kind {
        self.claim.kind()
    }

    /// What is made here must be what would be read.
    fn written(
        subjects: Subjects,
        ledger: Option<Digest>,
        nonce: Nonce,
        claim: Claim,
    ) -> Result<Statement, StatementError> {
        let statement = Statement { subjects, ledger, nonce, claim, text: Vec::new() };
        Statement::parse(&statement.checked()?.with_text().text)
    }

    fn with_text(mut self) -> Statement {
        self.text = document::to_canonical(&Document::from_statement(&self));
        self
    }

    fn checked(self) -> Result<Statement, StatementError> {
        self.claim.check()?;
        if self.subjects.len() > MAX_SUBJECTS {
            return Err(StatementError::field(
                "/subject",
                format!("at most {MAX_SUBJECTS}"),
                self.subjects.len(),
            ));
        }
        let names = self.subjects.keys();
        let fits = |name: &String| match self.kind() {
            kind if kind.has_policy() => name == POLICY_FILE,
            kind if kind.is_bare() => name == document::LEDGER_SUBJECT,
            _ => name.len() <= MAX_TEXT_BYTES && name.strip_prefix(PACKET_DIR).is_some_and(|n| !n.is_empty()),
        };
        if let Some(odd) = names.clone().find(|n| !fits(n)) {
            let expected = format!("the files of a {}", self.kind().name());
            return Err(StatementError::field("/subject", expected, odd));
        }
        if self.subjects.is_empty() {
            return Err(StatementError::field("/subject", "at least one", 0));
        }
        if self.kind().is_bare() && self.subjects.values().next() != self.ledger.as_ref() {
            return Err(StatementError::field("/subject", "the ledger's digest", "another digest"));
        }
        if self.ledger.is_some() != (self.kind() != Kind::Genesis) {
            return Err(StatementError::field(
                "/predicate/ledger",
                "none in a genesis alone",
                self.kind().name(),
            ));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
