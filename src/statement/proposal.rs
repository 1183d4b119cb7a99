//! A proposal: a statement on its way from signer to signer, before it is an entry.
//!
//! Owns: the file that owners hand to each other, so that they need not sit together. Must not: decide whether the
//! signatures are enough, nor whether they hold (`state` does, when the entry is appended).
//!
//! ```text
//! {"format":"fix7.proposal/v1","policy":"<policy.toml>","signatures":{…statement.sig…},"statement":"<statement.json>"}
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_BYTES, POLICY_FILE, Statement, StatementError};
use crate::canon;
use crate::digest::Digest;
use crate::dsse::Signatures;

/// Largest proposal in bytes: a statement and a policy, each written as a JSON text.
pub const MAX_PROPOSAL_BYTES: usize = 4 * MAX_BYTES;
const FORMAT: &str = "fix7.proposal/v1";

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "proposal.json")]
pub struct Proposal {
    format: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    policy: Option<String>,
    signatures: Signatures,
    statement: String,
}

impl Proposal {
    /// A statement with its first signatures, and the policy that it is about, where it is about one.
    pub fn new(statement: &Statement, signatures: Signatures, policy: Option<String>) -> Proposal {
        let statement = String::from_utf8_lossy(statement.bytes()).into_owned();
        Proposal { format: FORMAT.to_owned(), policy, signatures, statement }
    }

    /// Reads a proposal, and the statement in it.
    ///
    /// # Errors
    /// Not the canonical document, not a statement, or a policy that is not the statement's subject.
    pub fn parse(bytes: &[u8]) -> Result<(Proposal, Statement), StatementError> {
        if bytes.len() > MAX_PROPOSAL_BYTES {
            return Err(StatementError::TooLarge { found: bytes.len() });
        }
        let proposal: Proposal = canon::from_slice(bytes)?;
        if proposal.format != FORMAT {
            return Err(StatementError::field("/format", FORMAT, &proposal.format));
        }
        let statement = Statement::parse(proposal.statement.as_bytes())?;
        let policy = proposal.policy.as_ref().map(|text| Digest::of(text.as_bytes()));
        if policy.as_ref() != statement.subjects().get(POLICY_FILE) {
            let found = policy.map_or("none".to_owned(), |digest| digest.to_string());
            return Err(StatementError::field("/policy", "the statement's subject", found));
        }
        Ok((proposal, statement))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        canon::to_vec(self).expect("a proposal is texts and signatures")
    }

    /// Who signed so far.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// The policy that it brings.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The same proposal with these signatures instead.
    pub fn signed(self, signatures: Signatures) -> Proposal {
        Proposal { signatures, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsse;
    use crate::keys::SecretKey;
    use crate::statement::{Nonce, PolicyChange};

    #[test]
    fn a_proposal_is_read_back_and_its_policy_is_the_one_that_is_signed() {
        let policy = "schema = 1\n";
        let change = PolicyChange { id: "policy-1".parse().expect("a label") };
        let digest = Digest::of(policy.as_bytes());
        let ledger = Digest::of(b"genesis");
        let statement = Statement::policy(ledger, Nonce::from_bytes([1; 16]), change, digest).expect("fits");
        let signer = SecretKey::from_seed(&[7; 32]).into();
        let signatures = dsse::sign(statement.bytes(), &[&signer]).expect("signed");
        let proposal = Proposal::new(&statement, signatures.clone(), Some(policy.to_owned()));
        let (read, same) = Proposal::parse(&proposal.to_bytes()).expect("reads");
        assert_eq!((same, read.policy()), (statement.clone(), Some(policy)));
        let other = Proposal::new(&statement, signatures.clone(), Some("schema = 2\n".to_owned()));
        assert!(Proposal::parse(&other.to_bytes()).is_err());
        assert!(Proposal::parse(&Proposal::new(&statement, signatures, None).to_bytes()).is_err());
    }
}
