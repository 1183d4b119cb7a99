//! Rows out of a binary `COPY`. No server: a stream of bytes that may hold anything.
//!
//! ```text
//! PGCOPY\n\377\r\n\0   u32(flags) u32(length) extension   {u16(fields) {u32(length) bytes}…}…   FF FF
//! ```

use std::io::{self, BufRead};

use super::StateError;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Most columns of a row: PostgreSQL's own limit (`MaxTupleAttributeNumber`).
const FIELDS: u16 = 1664;
/// Longest row in bytes: a value has less than 1 GiB, and a message of the protocol less than 2 GiB.
const ROW: usize = 0x7fff_ffff;
/// No field: SQL's NULL.
const NULL: u32 = u32::MAX;

/// Reads rows; each is valid until the next one.
pub(in crate::rehearse::postgres) struct Tuples<R> {
    input: R,
    fields: u16,
    begun: bool,
    row: Vec<u8>,
    /// Where each field lies in `row`; nothing for NULL.
    places: Vec<Option<(usize, usize)>>,
}

impl<R: BufRead> Tuples<R> {
    /// Rows of `fields` columns each.
    pub(in crate::rehearse::postgres) fn new(input: R, fields: usize) -> Result<Tuples<R>, StateError> {
        let fields = u16::try_from(fields)
            .ok()
            .filter(|n| *n <= FIELDS)
            .ok_or_else(|| malformed("too many columns"))?;
        Ok(Tuples { input, fields, begun: false, row: Vec::new(), places: Vec::new() })
    }

    /// The next row as it stands in the stream, from its count of fields on; nothing at the end.
    ///
    /// # Errors
    /// The stream ends early, is no binary COPY, or has another number of columns.
    pub(in crate::rehearse::postgres) fn next(&mut self) -> Result<Option<&[u8]>, StateError> {
        if !self.begun {
            self.begin()?;
        }
        self.row.clear();
        self.places.clear();
        self.take(2)?;
        let fields = u16::from_be_bytes([self.row[0], self.row[1]]);
        if fields == u16::MAX {
            let left = self.input.fill_buf().map_err(lost)?;
            return if left.is_empty() { Ok(None) } else { Err(malformed("bytes after the last row")) };
        }
        if fields != self.fields {
            return Err(malformed("a row has another number of columns"));
        }
        for _ in 0..fields {
            let length = self.four()?;
            if length == NULL {
                self.places.push(None);
                continue;
            }
            let (from, length) = (self.row.len(), length as usize);
            if from.saturating_add(length) > ROW {
                return Err(malformed("a row is too long"));
            }
            self.take(length)?;
            self.places.push(Some((from, from + length)));
        }
        Ok(Some(&self.row))
    }

    /// A field of the current row.
    pub(in crate::rehearse::postgres) fn field(&self, at: usize) -> Option<&[u8]> {
        let (from, to) = (*self.places.get(at)?)?;
        self.row.get(from..to)
    }

    fn begin(&mut self) -> Result<(), StateError> {
        self.take(SIGNATURE.len())?;
        if self.row != SIGNATURE {
            return Err(malformed("no binary COPY"));
        }
        let (flags, extension) = (self.four()?, self.four()?);
        if flags != 0 || extension != 0 {
            return Err(malformed("a binary COPY of another version"));
        }
        self.begun = true;
        Ok(())
    }

    fn four(&mut self) -> Result<u32, StateError> {
        let at = self.row.len();
        self.take(4)?;
        Ok(self.row[at..].iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }

    /// Adds bytes as they come: a length that lies costs no memory.
    fn take(&mut self, mut wanted: usize) -> Result<(), StateError> {
        while wanted > 0 {
            let there = match self.input.fill_buf() {
                Ok(there) => there,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(lost(e)),
            };
            if there.is_empty() {
                return Err(malformed("the rows end early"));
            }
            let taken = there.len().min(wanted);
            self.row.extend_from_slice(&there[..taken]);
            self.input.consume(taken);
            wanted -= taken;
        }
        Ok(())
    }
}

fn malformed(what: &str) -> StateError {
    StateError::Malformed(what.to_owned())
}

/// A reader of the client gives the server's error inside of its own.
fn lost(error: io::Error) -> StateError {
    let text = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<postgres::Error>()) {
        Some(Ok(cause)) => StateError::Server { what: "rows".to_owned(), cause: *cause },
        _ => StateError::Malformed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Row = Vec<Option<Vec<u8>>>;

    fn stream(rows: &[Row]) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend([0; 8]);
        for row in rows {
            out.extend((row.len() as u16).to_be_bytes());
            for field in row {
                match field {
                    None => out.extend(NULL.to_be_bytes()),
                    Some(bytes) => {
                        out.extend((bytes.len() as u32).to_be_bytes());
                        out.extend(bytes);
                    }
                }
            }
        }
        out.extend([0xff, 0xff]);
        out
    }

    fn read(bytes: &[u8], fields: usize, piece: usize) -> Result<Vec<Row>, StateError> {
        let mut tuples = Tuples::new(io::BufReader::with_capacity(piece, bytes), fields)?;
        let mut rows = Vec::new();
        while tuples.next()?.is_some() {
            rows.push((0..fields).map(|at| tuples.field(at).map(<[u8]>::to_vec)).collect());
        }
        Ok(rows)
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(
            rows in proptest::collection::vec(proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)), 3), 0..9),
            piece in 1usize..40,
        ) {
            prop_assert_eq!(read(&stream(&rows), 3, piece).expect("a good stream"), rows);
        }

        #[test]
        fn any_bytes_are_rows_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), whole: bool) {
            if whole {
                let mut good = SIGNATURE.to_vec();
                good.extend([0; 8]);
                good.append(&mut bytes);
                bytes = good;
            }
            let _ = read(&bytes, 2, 7);
        }
    }

    #[test]
    fn a_stream_that_is_cut_is_never_taken_for_a_shorter_one() {
        let bytes = stream(&[
            vec![Some(b"abc".to_vec()), None],
            vec![Some(b"".to_vec()), Some(b"defghijk".to_vec())],
        ]);
        assert_eq!(read(&bytes, 2, 16).map(|rows| rows.len()).ok(), Some(2));
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], 2, 16).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_length_that_lies_is_an_error_and_costs_no_memory() {
        let mut bytes = stream(&[]);
        bytes.truncate(19);
        bytes.extend([0, 1, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert!(matches!(read(&bytes, 1, 64), Err(StateError::Malformed(_))));
        let mut longer = stream(&[]);
        longer.push(0);
        assert!(read(&longer, 1, 64).is_err(), "bytes after the end");
    }
}
