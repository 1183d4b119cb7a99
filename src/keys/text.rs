//! The fingerprint of a key, in OpenSSH's text form.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64Unpadded, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::KeyError;

/// SHA-256 over the key's wire form: what `ssh-keygen -l` prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

const PREFIX: &str = "SHA256:";

impl Fingerprint {
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Fingerprint {
        Fingerprint(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a person may see of a refused text: short, and nothing that a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

impl FromStr for Fingerprint {
    type Err = KeyError;
    /// The base64 is read strictly: no padding, and the two spare bits of the last character are 0.
    fn from_str(text: &str) -> Result<Fingerprint, KeyError> {
        let refused = || KeyError::FingerprintText(shown(text));
        let encoded = text.strip_prefix(PREFIX).filter(|e| e.len() == 43).ok_or_else(refused)?;
        let mut bytes = [0u8; 32];
        match Base64Unpadded::decode(encoded, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Fingerprint(bytes)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0u8; 43];
        let text = Base64Unpadded::encode(&self.0, &mut buffer).map_err(|_| fmt::Error)?;
        f.write_str(PREFIX)?;
        f.write_str(text)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Fingerprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fingerprint".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^SHA256:[A-Za-z0-9+/]{43}$",
            "description": "OpenSSH fingerprint of an ed25519 key"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_stands_for_one_fingerprint() {
        let fingerprint = Fingerprint([0xa5; 32]);
        let text = fingerprint.to_string();
        assert_eq!(text.parse(), Ok(fingerprint));
        for i in 0..text.len() {
            assert!(text[..i].parse::<Fingerprint>().is_err(), "{}", &text[..i]);
            for c in 0u8..128 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] = c;
                let changed = String::from_utf8(bytes).expect("ASCII stays UTF-8");
                assert_eq!(changed.parse() == Ok(fingerprint), changed == text, "{changed}");
            }
        }
        assert!(format!("{text}=").parse::<Fingerprint>().is_err(), "padding is a second spelling");
    }
}
