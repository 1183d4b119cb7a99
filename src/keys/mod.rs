//! Keys: ed25519 and nothing else, in OpenSSH's forms.
//!
//! Owns: the one door to every signature check of the crate ([`PublicKey::verify`], always strict), the
//! secret key, the signer, and the text forms of keys. Must not: read files, talk to an agent (both are
//! `ledger`'s), nor know who may do what (that is `state`'s).
//!
//! ```text
//! public line    ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…        one line, no comment, 80 bytes
//! fingerprint    SHA256:<43 characters of base64, no padding>  as `ssh-keygen -l` prints it
//! secret file    -----BEGIN OPENSSH PRIVATE KEY-----           plain or with a passphrase
//! SPKI           -----BEGIN PUBLIC KEY-----                    for `openssl pkeyutl -verify -rawin`
//! ```
//!
//! ```
//! use fix7_ledger::keys::{PublicKey, SecretKey};
//! let secret = SecretKey::from_seed(&[7; 32]);
//! let signature = secret.sign(b"evidence");
//! let public: PublicKey = secret.public().to_openssh().parse().unwrap();
//! assert!(public.verify(b"evidence", &signature).is_ok());
//! assert!(public.verify(b"another", &signature).is_err());
//! ```

use std::fmt;

mod public;
mod sample;
mod secret;
mod text;

pub use public::PublicKey;
pub use sample::{SAMPLES, is_sample, sample_secret};
pub use secret::{MAX_FILE_BYTES, MAX_KDF_ROUNDS, Protection, SecretKey};
pub use text::Fingerprint;

/// The only key type.
pub const ALGORITHM: &str = "ssh-ed25519";

/// Why something is not a usable key or signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the one text form of a public key.
    #[error("not a public key: expected `ssh-ed25519 ` and 68 characters of base64, found `{0}`")]
    PublicText(String),
    /// A key of another type.
    #[error("the key is of type `{0}`, only `ssh-ed25519` is used here")]
    OtherType(String),
    /// 32 bytes that are no point of the curve, or a second spelling of one.
    #[error("the 32 bytes are not the canonical encoding of a point of the curve")]
    NotAPoint,
    /// A key for which one signature is good for every message, or of mixed order.
    #[error("the key is weak: its point is not in the group of prime order")]
    Weak,
    /// Not the one text form of a fingerprint.
    #[error("not a fingerprint: expected `SHA256:` and 43 characters of base64, found `{0}`")]
    FingerprintText(String),
    /// Not an OpenSSH private key file.
    #[error("not an OpenSSH private key: {0}")]
    SecretText(String),
    /// Over [`MAX_FILE_BYTES`] or [`MAX_KDF_ROUNDS`].
    #[error("the private key file is over the limit of {limit} {unit}: {found}")]
    OverLimit {
        /// The limit.
        limit: u64,
        /// Its unit.
        unit: &'static str,
        /// What was found.
        found: u64,
    },
    /// The file is encrypted and no passphrase was given.
    #[error("the private key is encrypted: a passphrase is needed")]
    PassphraseNeeded,
    /// The passphrase does not open the file.
    #[error("the passphrase does not open this private key")]
    PassphraseWrong,
    /// The signature does not hold.
    #[error("the signature does not hold for key {0}")]
    BadSignature(Fingerprint),
    /// The agent did not sign.
    #[error("the agent did not sign with key {key}: {why}")]
    Agent {
        /// The key asked for.
        key: Fingerprint,
        /// What it said.
        why: String,
    },
}

/// An ed25519 signature, 64 bytes, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// How an agent signs: raw ed25519 over the given bytes, or why not.
pub type AgentSign<'a> = Box<dyn Fn(&[u8]) -> Result<Signature, String> + 'a>;

/// Whoever signs: a secret key in this process, or an agent that holds it.
#[allow(clippy::large_enum_variant)] // one or two live in a process
pub enum Signer<'a> {
    /// The key is here.
    Secret(SecretKey),
    /// The key is elsewhere; the closure asks for a signature.
    Agent {
        /// Which key.
        public: PublicKey,
        /// The way to it.
        sign: AgentSign<'a>,
    },
}

impl Signer<'_> {
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        match self {
            Signer::Secret(secret) => secret.public(),
            Signer::Agent { public, .. } => public,
        }
    }

    /// Signs `bytes`. What an agent answers is checked before it is used.
    ///
    /// # Errors
    /// The agent's refusal, or an answer that does not verify.
    pub fn sign(&self, bytes: &[u8]) -> Result<Signature, KeyError> {
        match self {
            Signer::Secret(secret) => Ok(secret.sign(bytes)),
            Signer::Agent { public, sign } => {
                let signature =
                    sign(bytes).map_err(|why| KeyError::Agent { key: public.fingerprint(), why })?;
                public.verify(bytes, &signature)?;
                Ok(signature)
            }
        }
    }
}

impl From<SecretKey> for Signer<'_> {
    fn from(secret: SecretKey) -> Self {
        Signer::Secret(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_answers_with_another_keys_signature_is_found_out() {
        let (own, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let agent = |from: &'static [u8; 32]| Signer::Agent {
            public: own.public().clone(),
            sign: Box::new(move |bytes| Ok(SecretKey::from_seed(from).sign(bytes))),
        };
        assert_eq!(agent(&[1; 32]).sign(b"x"), Ok(own.sign(b"x")));
        assert_eq!(agent(&[2; 32]).sign(b"x"), Err(KeyError::BadSignature(own.public().fingerprint())));
        assert_ne!(own.sign(b"x"), other.sign(b"x"));
    }
}
