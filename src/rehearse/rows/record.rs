//! SQLite's record format: a header of serial types, then the values. Bytes in, values out.
//!
//! Whatever is not exactly as SQLite writes it is [`Unsure`]: then SQLite itself is asked.

use rusqlite::types::ValueRef;

/// Why nothing was decided about some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsure {
    /// They are not what SQLite writes, or more than is handled here: SQLite has to say what they mean.
    Leave,
    /// The record with this rowid is older than its columns from this field on, which have defaults.
    Short {
        /// Where SQLite can be asked for the defaults.
        rowid: i64,
        /// The first field that the record lacks.
        from: usize,
    },
}

/// Reads SQLite's variable-length integer at `at`, and moves past it.
#[inline]
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Unsure> {
    let first = *bytes.get(*at).ok_or(Unsure::Leave)?;
    *at += 1;
    if first < 0x80 {
        return Ok(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    for n in 1..9 {
        let byte = *bytes.get(*at).ok_or(Unsure::Leave)?;
        *at += 1;
        if n == 8 {
            return Ok(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Ok(value)
}

/// What a serial type says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serial {
    Null,
    /// An integer in so many bytes.
    Integer(usize),
    /// 0 or 1, without bytes.
    Constant(i64),
    Real,
    Blob(usize),
    Text(usize),
}

impl Serial {
    #[inline]
    pub(super) fn new(code: u64) -> Result<Serial, Unsure> {
        Ok(match code {
            0 => Serial::Null,
            1..=4 => Serial::Integer(code as usize),
            5 => Serial::Integer(6),
            6 => Serial::Integer(8),
            7 => Serial::Real,
            8 | 9 => Serial::Constant(code as i64 - 8),
            10 | 11 => return Err(Unsure::Leave), // reserved
            _ => {
                let length = usize::try_from((code - 12) / 2).map_err(|_| Unsure::Leave)?;
                if code.is_multiple_of(2) { Serial::Blob(length) } else { Serial::Text(length) }
            }
        })
    }

    /// Bytes of the value.
    #[inline]
    pub(super) fn length(self) -> usize {
        match self {
            Serial::Null | Serial::Constant(_) => 0,
            Serial::Integer(length) | Serial::Blob(length) | Serial::Text(length) => length,
            Serial::Real => 8,
        }
    }

    /// The value that these bytes, as many as [`Serial::length`], stand for.
    #[inline]
    pub(super) fn value(self, bytes: &[u8], real: bool) -> ValueRef<'_> {
        let integer = |i: i64| if real { ValueRef::Real(i as f64) } else { ValueRef::Integer(i) };
        match self {
            Serial::Null => ValueRef::Null,
            Serial::Constant(i) => integer(i),
            Serial::Integer(_) => {
                let sign = if bytes.first().is_some_and(|b| *b >= 0x80) { -1 } else { 0 };
                integer(bytes.iter().fold(sign, |i, byte| i << 8 | i64::from(*byte)))
            }
            Serial::Real => {
                let bits = bytes.iter().fold(0, |bits: u64, byte| bits << 8 | u64::from(*byte));
                let number = f64::from_bits(bits);
                // SQLite knows no NaN: it reads one as NULL.
                if number.is_nan() { ValueRef::Null } else { ValueRef::Real(number) }
            }
            Serial::Blob(_) => ValueRef::Blob(bytes),
            Serial::Text(_) => ValueRef::Text(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_has_one_to_nine_bytes() {
        for (bytes, value) in [
            (&[0x7f][..], 127),
            (&[0x81, 0x00], 128),
            (&[0xff, 0x7f], 16383),
            (&[0xff; 9], u64::MAX),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 1),
        ] {
            let mut at = 0;
            assert_eq!(varint(bytes, &mut at), Ok(value));
            assert_eq!(at, bytes.len());
            for short in 0..bytes.len() {
                assert_eq!(varint(&bytes[..short], &mut 0), Err(Unsure::Leave));
            }
        }
    }

    #[test]
    fn reserved_serial_types_are_left_to_sqlite_and_their_neighbours_are_not() {
        assert_eq!(Serial::new(10), Err(Unsure::Leave));
        assert_eq!(Serial::new(11), Err(Unsure::Leave));
        assert_eq!(Serial::new(9), Ok(Serial::Constant(1)));
        assert_eq!(Serial::new(12), Ok(Serial::Blob(0)));
        assert_eq!(Serial::new(13), Ok(Serial::Text(0)));
    }
}
