//! Arrays and objects under way.
//!
//! Owns: what stands between their parts, and that an object's names rise. Must not: write a value ([`super::write`]).

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{self, Error as _};
use serde_json::{Error, Value};

use super::write::{Field, Writer, order};

/// An array under way.
pub(super) struct Array<'a> {
    pub(super) writer: &'a mut Writer,
    pub(super) items: usize,
    /// It is the value of a variant.
    pub(super) wrapped: bool,
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
pub(super) struct Object<'a> {
    pub(super) writer: &'a mut Writer,
    /// Where its first field is written.
    pub(super) from: usize,
    /// Where its first field stands among those of all objects.
    pub(super) first: usize,
    /// The name of the value that comes next.
    pub(super) next: Option<String>,
    /// It is the value of a variant.
    pub(super) wrapped: bool,
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
