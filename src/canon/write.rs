//! The writer: a value's canonical bytes, without a tree of it in between.
//!
//! Owns: what is refused on the way, and the order of the fields. Must not: know a document.
//!
//! Fields are written as they come; where their names do not rise, their bytes are put in order at the end of the
//! object.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};
use serde_json::{Error, Value};

use super::{MAX_DEPTH, MAX_INTEGER, checked_text, is_integer};

/// The canonical bytes of `value`.
pub(super) fn bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer =
        Writer { out: Vec::with_capacity(256), depth: 0, fields: Vec::new(), scratch: Vec::new() };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    /// How many arrays and objects what is written stands in.
    depth: usize,
    /// The fields of all objects under way, the innermost's last.
    fields: Vec<Field>,
    /// Where an object's bytes are while they are put in order.
    scratch: Vec<u8>,
}

/// A field's name, and where it is written, the comma behind it included.
struct Field {
    name: Cow<'static, str>,
    from: usize,
    to: usize,
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

    fn text(&mut self, text: &str) -> Result<(), Error> {
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

    fn deeper(&mut self) -> Result<(), Error> {
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
    fn sort(&mut self, from: usize, first: usize) {
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

    fn end_variant(&mut self) {
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

/// An array under way.
struct Array<'a> {
    writer: &'a mut Writer,
    items: usize,
    /// It is the value of a variant.
    wrapped: bool,
}

impl Array<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.items > 0 {
            self.writer.out.push(b',');
        }
        self.items += 1;
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.depth -= 1;
        self.writer.out.push(b']');
        if self.wrapped {
            self.writer.end_variant();
        }
    }
}

macro_rules! array {
    ($($trait:ident $item:ident)*) => {
        $(impl ser::$trait for Array<'_> {
            type Ok = ();
            type Error = Error;
            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }
            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}
array! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// An object under way.
struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its first field is written.
    from: usize,
    /// Where its first field stands among those of all objects.
    first: usize,
    /// The name of the value that comes next.
    next: Option<String>,
    /// It is the value of a variant.
    wrapped: bool,
}

impl Object<'_> {
    /// A field, written with a comma behind it.
    fn field<T: Serialize + ?Sized>(&mut self, name: Cow<'static, str>, value: &T) -> Result<(), Error> {
        let from = self.writer.out.len();
        self.writer.text(&name)?;
        self.writer.out.push(b':');
        self.writer.deeper()?;
        value.serialize(&mut *self.writer)?;
        self.writer.depth -= 1;
        self.writer.out.push(b',');
        let to = self.writer.out.len();
        self.writer.fields.push(Field { name, from, to });
        Ok(())
    }

    fn close(self) {
        let Object { writer, from, first, wrapped, next: _ } = self;
        if !writer.fields[first..].is_sorted_by(|one, other| order(&one.name, &other.name).is_lt()) {
            writer.sort(from, first);
        }
        writer.fields.truncate(first);
        match writer.out.len() > from {
            true => writer.out.pop(),
            false => None,
        };
        writer.out.push(b'}');
        if wrapped {
            writer.end_variant();
        }
    }
}

/// RFC 8785: by UTF-16 units, which is the order of the bytes where all are ASCII.
fn order(one: &str, other: &str) -> std::cmp::Ordering {
    match one.is_ascii() && other.is_ascii() {
        true => one.cmp(other),
        false => one.encode_utf16().cmp(other.encode_utf16()),
    }
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(Cow::Borrowed(name), value)
            }
            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}
fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next = Some(match serde_json::to_value(key)? {
            Value::String(name) => name,
            name @ (Value::Number(_) | Value::Bool(_)) => name.to_string(),
            _ => return Err(Error::custom("a name is a text")),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.next.take().unwrap_or_default();
        self.field(Cow::Owned(name), value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}
