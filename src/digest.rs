//! SHA-256 digests: the one fingerprint that this crate trusts.
//!
//! Owns: hashing bytes, and the one text form of a digest (64 lower-case hexadecimal digits). It is
//! the only door from text to a digest: `FromStr` and `Deserialize` end in the same strict parse.
//! Must not: know what is hashed. Domain separation belongs to whoever frames the bytes.
//!
//! ```text
//! Digest            956c47…64 digits          in JSON, HASH_MANIFEST.txt, packet_tree.sha256
//! Digest, prefixed  sha256:956c47…64 digits   in commit trailers (DESIGN section 7)
//! ```
//!
//! ```
//! use fix7_ledger::digest::Digest;
//! let d = Digest::of(b"abc");
//! assert_eq!(d.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
//! assert_eq!(d.to_string().parse::<Digest>(), Ok(d));
//! assert!("BA7816BF".parse::<Digest>().is_err(), "short and upper-case forms are refused");
//! ```

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A SHA-256 digest. Made by hashing or by the strict parse, never by default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest: expected {expected}, found `{found}`")]
pub struct DigestError {
    expected: &'static str,
    found: String,
}

impl Digest {
    /// The digest of nothing yet known: the `Fix7-Prev` of an entry that has no predecessor.
    pub const ZERO: Digest = Digest([0; 32]);

    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(bytes).into())
    }

    /// Hashes a stream to its end in 1 MiB reads, and gives its length in bytes as well.
    ///
    /// # Errors
    /// Whatever the reader gives.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Digest, u64)> {
        let mut buffer = vec![0u8; 1 << 20];
        let mut hasher = Hasher::new();
        let mut length = 0u64;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((hasher.finish(), length)),
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    length += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes 32 bytes that *are* a digest (read from a signed binary form); text goes through `parse`.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The trailer form, `sha256:` and 64 digits.
    pub fn prefixed(&self) -> String {
        format!("sha256:{self}")
    }

    /// Reads the trailer form.
    ///
    /// # Errors
    /// Another algorithm, another case, another length.
    pub fn parse_prefixed(text: &str) -> Result<Digest, DigestError> {
        match text.strip_prefix("sha256:") {
            Some(hex) => hex.parse(),
            None => Err(DigestError::new("`sha256:` and 64 digits", text)),
        }
    }

    /// The first 12 digits, for people's eyes only: never compared, never stored.
    pub fn short(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0[..6])
    }
}

impl DigestError {
    fn new(expected: &'static str, found: &str) -> DigestError {
        let found = found.chars().take(80).flat_map(char::escape_default).collect();
        DigestError { expected, found }
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let mut bytes = [0u8; 32];
        let fits =
            text.len() == 64 && data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes) == Ok(32);
        match fits {
            true => Ok(Digest(bytes)),
            false => Err(DigestError::new("64 lower-case hexadecimal digits", text)),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 lower-case hexadecimal digits"
        })
    }
}

/// SHA-256 over bytes that come in pieces.
#[derive(Clone)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Starts an empty stream.
    #[allow(clippy::new_without_default)] // an accidental empty digest is a wrong digest
    pub fn new() -> Hasher {
        Hasher(sha2::Sha256::new())
    }

    /// Starts a stream with a domain label: `u64` big-endian length, then the label's bytes.
    pub fn labelled(label: &str) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.framed(label.as_bytes());
        hasher
    }

    /// Adds bytes as they are.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds bytes behind their length (`u64`, big-endian), so that neighbours cannot flow together.
    pub fn framed(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Ends the stream.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_one_character_is_refused_or_another_digest() {
        let good = Digest::of(b"evidence");
        let text = good.to_string();
        for i in 0..text.len() {
            for c in 0u8..128 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] = c;
                let changed = String::from_utf8(bytes).expect("ASCII stays UTF-8");
                assert_eq!(changed.parse() == Ok(good), changed == text, "{changed}");
            }
        }
        for i in 0..text.len() {
            assert!(text[..i].parse::<Digest>().is_err());
        }
    }

    #[test]
    fn a_stream_and_a_slice_agree() {
        let bytes = vec![7u8; (1 << 20) + 3];
        let (streamed, length) = Digest::of_reader(&bytes[..]).expect("a slice does not fail");
        assert_eq!((streamed, length), (Digest::of(&bytes), bytes.len() as u64));
    }

    #[test]
    fn framing_keeps_neighbours_apart() {
        let digest = |parts: &[&str]| {
            let mut h = Hasher::labelled("test");
            parts.iter().for_each(|p| h.framed(p.as_bytes()));
            h.finish()
        };
        assert_ne!(digest(&["a3b", "c"]), digest(&["a", "b3c"]));
    }
}
