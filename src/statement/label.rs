//! Labels and nonces: the two small texts that name things.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name: of a ledger, a key's holder, a grant, a run. `[a-z0-9][a-z0-9._-]{0,63}`, so that it can stand in a
/// commit's author line, a subject and a ref without any of them meaning something else by it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

/// Longest label in bytes.
pub const MAX_LABEL_BYTES: usize = 64;

/// Why a text is not a label or a nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct LabelError {
    expected: &'static str,
    found: String,
}

impl LabelError {
    fn new(expected: &'static str, found: &str) -> LabelError {
        LabelError { expected, found: found.chars().take(80).flat_map(char::escape_default).collect() }
    }
}

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Label, LabelError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=MAX_LABEL_BYTES).contains(&text.len())
            && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
            && text.bytes().next().is_some_and(plain);
        match fits {
            true => Ok(Label(text.into())),
            false => Err(LabelError::new("a label, [a-z0-9][a-z0-9._-]{0,63}", text)),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Label, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Label {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Label".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" })
    }
}

/// 128 random bits, 32 lower-case hexadecimal digits: no two statements have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// From 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Nonce {
        Nonce(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Nonce, LabelError> {
        let mut bytes = [0u8; 16];
        let fits =
            text.len() == 32 && data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes) == Ok(16);
        match fits {
            true => Ok(Nonce(bytes)),
            false => Err(LabelError::new("a nonce, 32 lower-case hexadecimal digits", text)),
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nonce, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Nonce {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Nonce".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_could_mean_something_else_are_refused() {
        let long = "a".repeat(65);
        for bad in ["", ".a", "-a", "_a", "A", "a b", "a/b", "a\n", "ä", "a<b", "a@b", "a+b", &long] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
        for good in ["a", "7", "orders-2026-11-23-7", "a.b_c-d", &long[..64]] {
            assert_eq!(good.parse::<Label>().map(|l| l.to_string()), Ok(good.to_owned()));
        }
    }

    #[test]
    fn a_nonce_has_one_spelling() {
        let text = "00112233445566778899aabbccddeeff";
        assert_eq!(text.parse::<Nonce>().map(|n| n.to_string()), Ok(text.to_owned()));
        for bad in ["", &text[..31], &text.to_uppercase(), &format!("{text}0")] {
            assert!(bad.parse::<Nonce>().is_err(), "{bad}");
        }
    }
}
