//! The writer: a value's canonical bytes, without a tree of it in between.
//!
//! Owns: what is refused on the way, and the order of the fields. Must not: know a document.
//!
//! Fields are written as they come; where their names do not rise, their bytes are put in order at the end of the
//! object.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{Error as _, Serializer};
use serde_json::Error;

use super::containers::{Array, Object};
use super::{MAX_DEPTH, MAX_INTEGER, checked_text, is_integer};

/// The canonical bytes of `value`.
pub(super) fn bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer =
        Writer { out: Vec::with_capacity(256), depth: 0, fields: Vec::new(), scratch: Vec::new() };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// What was written so far, and where it stands.
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// How many arrays and objects what is written stands in.
    pub(super) depth: usize,
    /// The fields of all objects under way, the innermost's last.
    pub(super) fields: Vec<Field>,
    /// Where an object's bytes are while they are put in order.
    scratch: Vec<u8>,
}

/// A field's name, and where it is written, the comma behind it included.
pub(super) struct Field {
    pub(super) name: Cow<'static, str>,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Writer {
    fn integer(&mut self, negative: bool, magnitude: u64) -> Result<(), Error> {
        if magnitude > MAX_INTEGER {
            let sign = if negative { "-" } else { "" };
            return Err(Error::custom(format_args!("{sign}{magnitude} is not an integer up to 2^53-1")));
        }
        if negative {
            self.out.push(b'-');
        }
        let mut digits = [0; 20];
        let mut from = digits.len();
        let mut rest = magnitude;
        loop {
            from -= 1;
            digits[from] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[from..]);
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Error> {
        checked_text::<Error>(text)?;
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        // All of them, many at a time: hardly any text has such a byte.
        if !bytes.iter().fold(false, |any, &byte| any | escaped(byte)) {
            self.out.extend_from_slice(bytes);
            self.out.push(b'"');
            return Ok(());
        }
        let mut written = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let short = match byte {
                b'"' | b'\\' => byte,
                0x08 => b'b',
                0x09 => b't',
                0x0a => b'n',
                0x0c => b'f',
                0x0d => b'r',
                0..0x20 => b'u',
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[written..at]);
            self.out.extend_from_slice(&[b'\\', short]);
            if short == b'u' {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                self.out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
            written = at + 1;
        }
        self.out.extend_from_slice(&bytes[written..]);
        self.out.push(b'"');
        Ok(())
    }

    pub(super) fn deeper(&mut self) -> Result<(), Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::custom(format_args!("nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<Array<'_>, Error> {
        self.deeper()?;
        self.out.push(b'[');
        Ok(Array { writer: self, items: 0, wrapped: false })
    }

    fn object(&mut self) -> Object<'_> {
        self.out.push(b'{');
        let (from, first) = (self.out.len(), self.fields.len());
        Object { writer: self, from, first, next: None, wrapped: false }
    }

    /// Puts an object's fields, which are written from `from` on, in order. Of two with one name, the later counts.
    pub(super) fn sort(&mut self, from: usize, first: usize) {
        let fields = &mut self.fields[first..];
        fields.sort_by(|one, other| order(&one.name, &other.name));
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.out[from..]);
        self.out.truncate(from);
        for (n, field) in fields.iter().enumerate() {
            if fields.get(n + 1).is_none_or(|next| next.name != field.name) {
                self.out.extend_from_slice(&self.scratch[field.from - from..field.to - from]);
            }
        }
    }

    /// `{"variant":`, whose end is `}`.
    fn variant(&mut self, variant: &str) -> Result<(), Error> {
        self.out.push(b'{');
        self.text(variant)?;
        self.out.push(b':');
        self.deeper()
    }

    pub(super) fn end_variant(&mut self) {
        self.depth -= 1;
        self.out.push(b'}');
    }
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, v: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if v { b"true" } else { b"false" });
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Result<(), Error> {
        self.serialize_i64(v.into())
    }
    fn serialize_i16(self, v: i16) -> Result<(), Error> {
        self.serialize_i64(v.into())
    }
    fn serialize_i32(self, v: i32) -> Result<(), Error> {
        self.serialize_i64(v.into())
    }
    fn serialize_i64(self, v: i64) -> Result<(), Error> {
        self.integer(v < 0, v.unsigned_abs())
    }
    fn serialize_u8(self, v: u8) -> Result<(), Error> {
        self.integer(false, v.into())
    }
    fn serialize_u16(self, v: u16) -> Result<(), Error> {
        self.integer(false, v.into())
    }
    fn serialize_u32(self, v: u32) -> Result<(), Error> {
        self.integer(false, v.into())
    }
    fn serialize_u64(self, v: u64) -> Result<(), Error> {
        self.integer(false, v)
    }
    fn serialize_f32(self, v: f32) -> Result<(), Error> {
        self.serialize_f64(v.into())
    }
    /// A float that is an integer is written as one; what is no number at all, as JSON's libraries do.
    fn serialize_f64(self, v: f64) -> Result<(), Error> {
        match v {
            v if !v.is_finite() => self.serialize_unit(),
            v if is_integer(v) => self.serialize_i64(v as i64),
            v => Err(Error::custom(format_args!("{v} is not an integer up to 2^53-1"))),
        }
    }
    fn serialize_char(self, v: char) -> Result<(), Error> {
        self.text(v.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, v: &str) -> Result<(), Error> {
        self.text(v)
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), Error> {
        self.collect_seq(v)
    }
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.text(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Result<(), Error> {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, Error> {
        self.array()
    }
    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, Error> {
        self.array()
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'a>, Error> {
        self.array()
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'a>, Error> {
        self.variant(variant)?;
        Ok(Array { wrapped: true, ..self.array()? })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Error> {
        Ok(self.object())
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'a>, Error> {
        Ok(self.object())
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Error> {
        self.variant(variant)?;
        Ok(Object { wrapped: true, ..self.object() })
    }
}

/// RFC 8785: by UTF-16 units, which is the order of the bytes where all are ASCII.
pub(super) fn order(one: &str, other: &str) -> std::cmp::Ordering {
    match one.is_ascii() && other.is_ascii() {
        true => one.cmp(other),
        false => one.encode_utf16().cmp(other.encode_utf16()),
    }
}
