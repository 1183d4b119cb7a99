//! DSSE (Dead Simple Signing Envelope 1.0): the signatures over a statement.
//!
//! Owns: the bytes that are signed (PAE), the file `statement.sig`, and the export as one envelope.
//! Must not: read the statement; what is signed is the stored bytes. The payload type is a constant, so a
//! signature over another kind of document never counts here.
//!
//! ```text
//! PAE            "DSSEv1 " len(type) " " type " " len(body) " " body        lengths in decimal
//! statement.sig  {"payloadType":"application/vnd.in-toto+json",
//!                 "signatures":[{"keyid":"SHA256:…","sig":"<base64>"}]}     canonical JSON, sorted by keyid
//! ```
//!
//! ```
//! use fix7_ledger::{dsse, keys::SecretKey};
//! let signer = SecretKey::from_seed(&[7; 32]).into();
//! let signatures = dsse::sign(b"{}", &[&signer]).unwrap();
//! let read = dsse::Signatures::parse(&signatures.to_bytes()).unwrap();
//! assert!(read.verify_one(b"{}", signer.public()).is_ok());
//! assert!(read.verify_one(b"{ }", signer.public()).is_err());
//! ```

use base64ct::{Base64, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::canon;
use crate::keys::{Fingerprint, KeyError, PublicKey, Signature, Signer};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Most signatures on a statement: each costs a check before anything else is known.
pub const MAX_SIGNATURES: usize = 16;
/// Largest `statement.sig` in bytes: 16 signatures have about 3000; more only feeds the parser.
pub const MAX_BYTES: usize = 8 << 10;

/// Why a `statement.sig` is refused.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// Over [`MAX_BYTES`].
    #[error("a signature file of {found} bytes is over the limit of {MAX_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not the canonical document.
    #[error(transparent)]
    Document(#[from] canon::CanonError),
    /// Another payload type.
    #[error("the payload type is `{0}`, expected `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// None, or more than [`MAX_SIGNATURES`].
    #[error("{0} signatures, expected 1 to {MAX_SIGNATURES}")]
    Count(usize),
    /// Not sorted by key id, or a key twice.
    #[error("the signatures are not sorted by distinct key ids: {0} stands after {1}")]
    Order(Fingerprint, Fingerprint),
    /// No signature by this key.
    #[error("there is no signature by key {0}")]
    Absent(Fingerprint),
    /// A signature does not hold, or could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The content of `statement.sig`: one to sixteen signatures by distinct keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<KeyedSignature>,
}

/// A signature and the fingerprint of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyedSignature {
    keyid: Fingerprint,
    #[schemars(with = "String")]
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    sig: Signature,
}

fn to_base64<S: Serializer>(signature: &Signature, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Base64::encode_string(&signature.0))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0u8; 64];
    match Base64::decode(&text, &mut bytes) {
        Ok(decoded) if decoded.len() == 64 => Ok(Signature(bytes)),
        _ => Err(serde::de::Error::custom("not a signature: expected 64 bytes in canonical base64")),
    }
}

/// The bytes that are signed for a statement.
pub fn pae(statement: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(statement.len() + 64);
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), statement.len());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(statement);
    bytes
}

/// Signs the bytes of `statement.json` with each signer.
///
/// # Errors
/// No signer, too many, one twice; an agent's refusal.
pub fn sign(statement: &[u8], signers: &[&Signer<'_>]) -> Result<Signatures, DsseError> {
    let bytes = pae(statement);
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        let keyid = signer.public().fingerprint();
        signatures.push(KeyedSignature { keyid, sig: signer.sign(&bytes)? });
    }
    Signatures { payload_type: PAYLOAD_TYPE.to_owned(), signatures }.sorted()
}

impl Signatures {
    /// Reads `statement.sig`. The signatures are not yet checked.
    ///
    /// # Errors
    /// Everything but the one valid form.
    pub fn parse(bytes: &[u8]) -> Result<Signatures, DsseError> {
        if bytes.len() > MAX_BYTES {
            return Err(DsseError::TooLarge { found: bytes.len() });
        }
        let read: Signatures = canon::from_slice(bytes)?;
        read.checked()
    }

    /// The bytes of `statement.sig`.
    pub fn to_bytes(&self) -> Vec<u8> {
        canon::to_vec(self).expect("signatures are short strings")
    }

    /// Adds the signatures of another file over the same statement: how several owners sign in turn.
    ///
    /// # Errors
    /// A key twice, too many.
    pub fn joined(mut self, other: Signatures) -> Result<Signatures, DsseError> {
        self.signatures.extend(other.signatures);
        self.sorted()
    }

    /// Whose signatures there are, in ascending order of their text.
    pub fn signers(&self) -> impl ExactSizeIterator<Item = Fingerprint> + '_ {
        self.signatures.iter().map(|s| s.keyid)
    }

    /// Checks the signature that `key` is said to have made over the bytes of `statement.json`.
    ///
    /// # Errors
    /// There is none by this key, or it does not hold.
    pub fn verify_one(&self, statement: &[u8], key: &PublicKey) -> Result<(), DsseError> {
        self.verify_pae(&pae(statement), key)
    }

    /// As [`Signatures::verify_one`], over bytes that [`pae`] made once for several keys.
    ///
    /// # Errors
    /// There is none by this key, or it does not hold.
    pub fn verify_pae(&self, pae: &[u8], key: &PublicKey) -> Result<(), DsseError> {
        let fingerprint = key.fingerprint();
        let found = self.signatures.iter().find(|s| s.keyid == fingerprint);
        let signature = found.ok_or(DsseError::Absent(fingerprint))?;
        Ok(key.verify(pae, &signature.sig)?)
    }

    /// The whole DSSE envelope, for foreign verifiers.
    pub fn to_envelope(&self, statement: &[u8]) -> Vec<u8> {
        let envelope = serde_json::json!({
            "payload": Base64::encode_string(statement),
            "payloadType": self.payload_type,
            "signatures": self.signatures,
        });
        canon::to_vec(&envelope).expect("an envelope is short strings and one base64 text")
    }

    fn sorted(mut self) -> Result<Signatures, DsseError> {
        self.signatures.sort_by_key(|s| s.keyid.to_string());
        self.checked()
    }

    fn checked(self) -> Result<Signatures, DsseError> {
        if self.payload_type != PAYLOAD_TYPE {
            let shown = self.payload_type.chars().take(80).flat_map(char::escape_default).collect();
            return Err(DsseError::PayloadType(shown));
        }
        if !(1..=MAX_SIGNATURES).contains(&self.signatures.len()) {
            return Err(DsseError::Count(self.signatures.len()));
        }
        for pair in self.signatures.windows(2) {
            let [a, b] = [pair[0].keyid, pair[1].keyid];
            if a.to_string() >= b.to_string() {
                return Err(DsseError::Order(b, a));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn signer(seed: u8) -> Signer<'static> {
        SecretKey::from_seed(&[seed; 32]).into()
    }

    #[test]
    fn the_pae_is_that_of_the_specification() {
        assert_eq!(pae(b"hello world"), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
    }

    #[test]
    fn every_changed_byte_and_every_prefix_is_refused() {
        let (a, b) = (signer(1), signer(2));
        let good = sign(b"{}", &[&a, &b]).expect("signed").to_bytes();
        let holds = |bytes: &[u8]| {
            Signatures::parse(bytes).is_ok_and(|s| {
                s.signers().len() == 2 && [&a, &b].iter().all(|k| s.verify_one(b"{}", k.public()).is_ok())
            })
        };
        assert!(holds(&good));
        for i in 0..good.len() {
            assert!(!holds(&good[..i]), "prefix {i}");
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[i] ^= 1 << bit;
                assert!(!holds(&bytes), "byte {i} bit {bit}");
            }
        }
        assert!(!holds(&[&good[..], b"\n"].concat()));
    }

    #[test]
    fn one_set_of_signatures_has_one_spelling() {
        let (a, b) = (signer(1), signer(2));
        let one = sign(b"{}", &[&a, &b]).expect("signed");
        assert_eq!(one, sign(b"{}", &[&b, &a]).expect("signed"));
        let joined = sign(b"{}", &[&b]).expect("b").joined(sign(b"{}", &[&a]).expect("a"));
        assert_eq!(joined.expect("distinct keys"), one);
        let mut swapped = one.clone();
        swapped.signatures.reverse();
        assert!(matches!(Signatures::parse(&swapped.to_bytes()), Err(DsseError::Order(..))));
        assert!(matches!(sign(b"{}", &[&a, &a]), Err(DsseError::Order(..))));
        assert!(matches!(sign(b"{}", &[]), Err(DsseError::Count(0))));
        let many: Vec<_> = (0..17).map(signer).collect();
        let refs: Vec<_> = many.iter().collect();
        assert!(matches!(sign(b"{}", &refs), Err(DsseError::Count(17))));
        assert!(sign(b"{}", &refs[..16]).is_ok_and(|s| Signatures::parse(&s.to_bytes()).is_ok()));
    }

    #[test]
    fn another_payload_type_never_counts() {
        let mut other = sign(b"{}", &[&signer(1)]).expect("signed");
        other.payload_type = "text/plain".into();
        assert!(matches!(Signatures::parse(&other.to_bytes()), Err(DsseError::PayloadType(_))));
    }

    #[test]
    fn the_envelope_carries_the_stored_bytes() {
        let envelope = sign(b"{\"a\":1}", &[&signer(1)]).expect("signed").to_envelope(b"{\"a\":1}");
        let value: serde_json::Value = canon::from_slice(&envelope).expect("canonical");
        assert_eq!(value["payload"], "eyJhIjoxfQ==");
        assert_eq!(value["signatures"].as_array().map(Vec::len), Some(1));
    }
}
