//! Canonical JSON (RFC 8785): one writer, one strict reader.
//!
//! Owns: the bytes of every JSON file that is digested or signed. Must not: know any document.
//! What is verified is always the stored bytes; the reader demands that they are the only bytes that
//! could stand for the value, so a document has one digest.
//!
//! ```text
//! accepted   {"a":1,"b":["x",null,true]}        keys sorted by UTF-16 units, no white space, no final newline
//! refused    duplicate keys, floats, integers beyond ±(2^53-1), text that is not NFC, depth over 32,
//!            more than 8 MiB, any other spelling of the same value, unknown fields (by the types' serde rule)
//! ```
//!
//! ```
//! use fix7_ledger::canon;
//! let bytes = canon::to_vec(&serde_json::json!({"b": 2, "a": 1})).unwrap();
//! assert_eq!(bytes, br#"{"a":1,"b":2}"#);
//! let again: serde_json::Value = canon::from_slice(&bytes).unwrap();
//! assert!(canon::from_slice::<serde_json::Value>(br#"{"a":1,"a":2}"#).is_err());
//! # let _ = again;
//! ```

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::{Map, Value};
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// Largest document in bytes: a file that only exists to exhaust the reader's memory is refused unread.
pub const MAX_BYTES: usize = 8 << 20;
/// Deepest nesting: stops stack exhaustion by `[[[[…`.
pub const MAX_DEPTH: usize = 32;
/// Largest magnitude of an integer (2^53 - 1): beyond it, JSON readers disagree on the value.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why bytes are not a canonical document of the wanted type.
#[derive(Debug, thiserror::Error)]
pub enum CanonError {
    /// Over [`MAX_BYTES`].
    #[error("a JSON document of {found} bytes is over the limit of {MAX_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not JSON, or JSON with a construct that is refused.
    #[error("not strict JSON: {0}")]
    Malformed(String),
    /// Valid JSON in another spelling than the canonical one.
    #[error("not canonical JSON (RFC 8785): the first difference is at byte {at}")]
    NotCanonical {
        /// Offset of the first byte that differs from the canonical form.
        at: usize,
    },
    /// Canonical, but not the document that was asked for.
    #[error("not the expected document: {0}")]
    WrongShape(String),
}

/// Writes `value` canonically.
///
/// # Errors
/// A value that JSON cannot hold, or that the strict reader would refuse (a float, a large integer).
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonError> {
    let value = serde_json::to_value(value).map_err(|e| CanonError::Malformed(e.to_string()))?;
    let bytes = serde_json_canonicalizer::to_vec(&value).map_err(|e| CanonError::Malformed(e.to_string()))?;
    parse(&bytes)?; // what we write is what we would accept
    Ok(bytes)
}

/// Reads a canonical document. Types should carry `#[serde(deny_unknown_fields)]`.
///
/// # Errors
/// See [`CanonError`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonError> {
    let value = parse(bytes)?;
    let canonical =
        serde_json_canonicalizer::to_vec(&value).map_err(|e| CanonError::Malformed(e.to_string()))?;
    if canonical != bytes {
        let same = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(CanonError::NotCanonical { at: same });
    }
    T::deserialize(value).map_err(|e| CanonError::WrongShape(e.to_string()))
}

/// Reads strict JSON in any spelling: for documents that people write by hand (a plan's inputs).
///
/// # Errors
/// As [`from_slice`], but white space and key order are free.
pub fn from_slice_any_spelling<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonError> {
    T::deserialize(parse(bytes)?).map_err(|e| CanonError::WrongShape(e.to_string()))
}

fn parse(bytes: &[u8]) -> Result<Value, CanonError> {
    if bytes.len() > MAX_BYTES {
        return Err(CanonError::TooLarge { found: bytes.len() });
    }
    let malformed = |e: serde_json::Error| CanonError::Malformed(e.to_string());
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut json).map_err(malformed)?;
    json.end().map_err(malformed)?;
    Ok(value)
}

/// Builds a [`Value`] and refuses on the way what `serde_json` would silently repair.
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict, E> {
        match self.depth < MAX_DEPTH {
            true => Ok(Strict { depth: self.depth + 1 }),
            false => Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}"))),
        }
    }
}

fn checked_text<E: serde::de::Error>(text: &str) -> Result<String, E> {
    let nfc = match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => unicode_normalization::is_nfc(text),
    };
    if nfc { Ok(text.to_owned()) } else { Err(E::custom("text is not in Unicode normalization form C")) }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floats")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Value, E> {
        match v <= MAX_INTEGER {
            true => Ok(v.into()),
            false => Err(E::custom(format_args!("integer {v} is beyond 2^53-1"))),
        }
    }
    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Value, E> {
        match v.unsigned_abs() <= MAX_INTEGER {
            true => Ok(v.into()),
            false => Err(E::custom(format_args!("integer {v} is beyond 2^53-1"))),
        }
    }
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Err(E::custom(format_args!("{v} is not an integer")))
    }
    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Value, E> {
        checked_text(v).map(Value::String)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = checked_text(&key)?;
            let value = map.next_value_seed(self.deeper()?)?;
            if fields.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!(
                    "duplicate key `{}`",
                    key.escape_default()
                )));
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, CanonError> {
        from_slice(text.as_bytes())
    }

    #[test]
    fn each_refusal_has_an_accepted_twin() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        let pairs = [
            (r#"{"a":1,"a":2}"#.to_owned(), r#"{"a":1,"b":2}"#.to_owned()),
            (r#"{"a":1,"\u0061":2}"#.to_owned(), r#"{"a":1}"#.to_owned()),
            ("1.0".to_owned(), "1".to_owned()),
            ("-0".to_owned(), "0".to_owned()),
            ("9007199254740992".to_owned(), "9007199254740991".to_owned()),
            ("\"e\u{301}\"".to_owned(), "\"\u{e9}\"".to_owned()),
            (r#"{"b":1,"a":2}"#.to_owned(), r#"{"a":2,"b":1}"#.to_owned()),
            (r#"{"a": 1}"#.to_owned(), r#"{"a":1}"#.to_owned()),
            ("{}\n".to_owned(), "{}".to_owned()),
            ("{}{}".to_owned(), "[{},{}]".to_owned()),
            (deep(MAX_DEPTH + 1), deep(MAX_DEPTH)),
            ("nul".to_owned(), "null".to_owned()),
        ];
        for (bad, good) in pairs {
            assert!(read(&bad).is_err(), "{bad}");
            assert!(read(&good).is_ok(), "{good}");
        }
        assert!(from_slice::<Value>(&[b'"', 0xff, b'"']).is_err());
    }

    #[test]
    fn a_float_is_refused_by_the_writer_too() {
        assert!(to_vec(&1.5f64).is_err());
        assert!(to_vec(&u64::MAX).is_err());
    }
}
