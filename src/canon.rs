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
use serde_json::map::Entry;
use serde_json::{Map, Value};
use unicode_normalization::{IsNormalized, is_nfc_quick};

mod containers;
mod quick;
mod write;

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
    let bytes = write::bytes(value).map_err(|e| CanonError::Malformed(e.to_string()))?;
    match bytes.len() > MAX_BYTES {
        true => Err(CanonError::TooLarge { found: bytes.len() }),
        false => Ok(bytes),
    }
}

/// Reads a canonical document. Types should carry `#[serde(deny_unknown_fields)]`.
///
/// # Errors
/// See [`CanonError`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonError> {
    if quick::is_canonical(bytes)
        && let Ok(document) = serde_json::from_slice(bytes)
    {
        return Ok(document);
    }
    // What is wrong is found out from the value.
    let value = parse(bytes)?;
    let canonical = rendered(&value)?;
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

/// The canonical bytes of a value that [`parse`] made: what the writer gives is what the reader takes.
fn rendered(value: &Value) -> Result<Vec<u8>, CanonError> {
    write::bytes(value).map_err(|e| CanonError::Malformed(e.to_string()))
}

fn is_integer(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() <= MAX_INTEGER as f64
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

fn is_nfc(text: &str) -> bool {
    text.is_ascii()
        || match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => true,
            IsNormalized::No => false,
            IsNormalized::Maybe => unicode_normalization::is_nfc(text),
        }
}

fn checked_text<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if is_nfc(text) { Ok(()) } else { Err(E::custom("text is not in Unicode normalization form C")) }
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
        checked_text(v)?;
        Ok(Value::String(v.to_owned()))
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
            checked_text(&key)?;
            let value = map.next_value_seed(self.deeper()?)?;
            match fields.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    let key = place.key().escape_default();
                    return Err(serde::de::Error::custom(format_args!("duplicate key `{key}`")));
                }
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Values with everything in them that the writer treats in its own way: escapes, names beyond ASCII and beyond
    /// the first plane, integers at the limit, floats, depth.
    fn any_value() -> impl Strategy<Value = Value> {
        let text = "[a-c\"\\\\\\x00-\\x1f\\x7fé\u{301}\u{ffff}𐀀]{0,4}";
        let edge = (MAX_INTEGER - 1..=MAX_INTEGER + 1).prop_map(Value::from);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-9i64..9).prop_map(Value::from),
            edge,
            Just(Value::from(1.5)),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(40, 60, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                inner.clone().prop_map(|value| Value::from(vec![value])),
                proptest::collection::hash_map(text, inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The strict way alone.
    fn strictly(bytes: &[u8]) -> Option<Value> {
        let value = parse(bytes).ok()?;
        (rendered(&value).ok()? == bytes).then_some(value)
    }

    #[test]
    fn the_quick_look_knows_the_usual_documents() {
        for text in [
            r#"{"a":[1,0,true,false,null,{}],"b":"x\n\"\\","c":[]}"#,
            r#"{"title":"FIX7 — README"}"#,
            "9007199254740991",
        ] {
            assert!(quick::is_canonical(text.as_bytes()), "{text}");
        }
        for text in [
            "{\"a\": 1}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":2}",
            "9007199254740992",
            "01",
            "1.0",
            "-0",
            "\"e\u{301}\"",
        ] {
            assert!(!quick::is_canonical(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_look_never_says_yes_where_the_strict_reader_says_no(
            value in any_value(), at in any::<prop::sample::Index>(), with in "[\\[\\]{}\",:\\\\ab0-9 .e\\-]{0,2}"
        ) {
            // Canonical bytes, and the same with something written over a place in them.
            let bytes = serde_json_canonicalizer::to_vec(&value).expect("a JSON value");
            let start = at.index(bytes.len());
            let changed = [&bytes[..start], with.as_bytes(), &bytes[(start + 1).min(bytes.len())..]].concat();
            for bytes in [bytes, changed] {
                if quick::is_canonical(&bytes) {
                    let value = strictly(&bytes);
                    prop_assert!(value.is_some(), "{}", String::from_utf8_lossy(&bytes));
                    prop_assert_eq!(from_slice::<Value>(&bytes).ok(), value);
                }
            }
        }

        #[test]
        fn the_writer_writes_what_the_reference_does_and_refuses_what_the_reader_would(value in any_value()) {
            let reference = serde_json_canonicalizer::to_vec(&value).expect("a JSON value");
            match to_vec(&value) {
                Ok(bytes) => {
                    prop_assert_eq!(&bytes, &reference);
                    // Of a float that is an integer the text is read as one.
                    prop_assert_eq!(from_slice::<Value>(&bytes).expect("it reads").to_string(), value.to_string());
                }
                Err(_) => prop_assert!(parse(&reference).is_err(), "{}", value),
            }
        }
    }

    /// Everything that a type can ask the writer for.
    #[derive(serde::Serialize)]
    struct Every<'a> {
        z: Option<u8>,
        a: (i8, char, ()),
        unit: Kinds,
        m: Kinds,
        text: Kinds,
        pair: Kinds,
        map: std::collections::BTreeMap<u64, Kinds>,
        #[serde(flatten)]
        rest: std::collections::BTreeMap<&'a str, f32>,
    }

    #[derive(serde::Serialize)]
    enum Kinds {
        One,
        Text(&'static str),
        Pair(u8, i64),
        Fields { b: u32, a: f64 },
    }

    #[test]
    fn every_kind_of_value_is_written_as_the_reference_does() {
        let map = [(20, Kinds::One), (3, Kinds::Text("x"))].into();
        let value = Every {
            z: None,
            a: (-3, '\n', ()),
            unit: Kinds::One,
            m: Kinds::Fields { b: 0, a: -0.0 },
            text: Kinds::Text("\u{1f}\u{8}\u{c}\u{7f}é"),
            pair: Kinds::Pair(7, -9_007_199_254_740_991),
            map,
            rest: [("é", 1.0), ("A", 2.0), ("𐀀", 3.0), ("\u{ffff}", 4.0)].into(),
        };
        let reference = serde_json_canonicalizer::to_vec(&value).expect("a JSON value");
        assert_eq!(String::from_utf8(to_vec(&value).expect("canonical")), String::from_utf8(reference));
        assert!(to_vec(&[Some(1.5)]).is_err() && to_vec("e\u{301}").is_err());
        assert!(to_vec(&std::collections::BTreeMap::from([((1, 2), 3)])).is_err());
    }

    #[test]
    fn depth_is_counted_alike_by_reader_and_writer() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for (inner, depth) in
                [("0", 30), ("0", 31), ("0", 32), ("0", 33), ("[]", 31), ("[]", 32), ("{}", 32), ("{}", 33)]
            {
                let text = open.repeat(depth) + inner + &close.repeat(depth);
                let value: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(to_vec(&value).is_ok(), read(&text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn a_float_is_refused_by_the_writer_too() {
        assert!(to_vec(&1.5f64).is_err());
        assert!(to_vec(&u64::MAX).is_err());
    }
}
