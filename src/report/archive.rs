//! The archive in a report: every byte that the reader's browser checks, once.
//!
//! Owns: the format. Must not: know what the bytes mean.
//!
//! ```text
//! base64, 120 columns, of a zlib stream of
//!   {"blobs":[length,…],"entries":[{"commit":blob,"files":{"path":blob,…}},…],"format":"fix7.report/v1"} LF
//!   blob 0, blob 1, …
//! ```
//!
//! Equal blobs stand there once, and blobs of one path beside each other: a window of 32 KiB then sees the same file of
//! the entry before, which is nearly the same, where the packet as a whole would already have left it.

use std::collections::BTreeMap;
use std::io::Write;

use base64ct::{Base64, Encoding};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;

use crate::canon;
use crate::entry::StoredEntry;

/// The format's name.
pub const FORMAT: &str = "fix7.report/v1";
/// Columns of the base64 text: so that an editor can open the file.
const COLUMNS: usize = 120;

#[derive(Serialize)]
struct Index<'a> {
    blobs: Vec<usize>,
    entries: Vec<Entry<'a>>,
    format: &'static str,
}

#[derive(Serialize)]
struct Entry<'a> {
    commit: usize,
    files: BTreeMap<&'a str, usize>,
}

/// Packs the entries.
pub(super) fn pack(entries: &[StoredEntry]) -> String {
    let mut blobs = Blobs::default();
    let commits: Vec<usize> = entries.iter().map(|entry| blobs.number(&entry.commit)).collect();
    let mut index: Vec<Entry<'_>> =
        commits.into_iter().map(|commit| Entry { commit, files: BTreeMap::new() }).collect();
    let mut by_path: BTreeMap<&str, Vec<(usize, &[u8])>> = BTreeMap::new();
    for (n, entry) in entries.iter().enumerate() {
        for (path, bytes) in &entry.files {
            by_path.entry(path).or_default().push((n, bytes));
        }
    }
    for (path, files) in by_path {
        for (n, bytes) in files {
            index[n].files.insert(path, blobs.number(bytes));
        }
    }
    let lengths = blobs.order.iter().map(|blob| blob.len()).collect();
    let index = Index { blobs: lengths, entries: index, format: FORMAT };
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let head = canon::to_vec(&index).expect("numbers and paths");
    let written = encoder.write_all(&head).and_then(|()| encoder.write_all(b"\n"));
    written.expect("writing to memory does not fail");
    for blob in blobs.order {
        encoder.write_all(blob).expect("writing to memory does not fail");
    }
    wrapped(&Base64::encode_string(&encoder.finish().expect("writing to memory does not fail")))
}

/// Blobs in the order of their first use.
#[derive(Default)]
struct Blobs<'a> {
    order: Vec<&'a [u8]>,
    numbers: BTreeMap<&'a [u8], usize>,
}

impl<'a> Blobs<'a> {
    fn number(&mut self, bytes: &'a [u8]) -> usize {
        *self.numbers.entry(bytes).or_insert_with(|| {
            self.order.push(bytes);
            self.order.len() - 1
        })
    }
}

fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / COLUMNS + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}
