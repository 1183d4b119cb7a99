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
//! Equal blobs stand there once, and those that repeat each other near each other, since deflate looks back 32 KiB only:
//! first, entry by entry, the small files that name the same digests; then the large ones path by path, next to the same
//! file of the entry before. Whole packets one after the other would be half as large again and more.

use std::collections::BTreeMap;
use std::io::Write;

use base64ct::{Base64, Encoding};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;

use crate::canon;
use crate::entry::StoredEntry;
use crate::packet::{BLOCKERS, CI, DECISION, MANIFEST, RECOVERY, ROLLBACK, TREE, VALIDATOR};
use crate::statement::{PACKET_DIR, STATEMENT_FILE};

/// The format's name.
pub const FORMAT: &str = "fix7.report/v1";
/// Files that name the digests of the others.
const NAMING: [&str; 9] =
    [STATEMENT_FILE, MANIFEST, TREE, DECISION, VALIDATOR, RECOVERY, BLOCKERS, CI, ROLLBACK];
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
    let mut index = Vec::with_capacity(entries.len());
    let mut large: BTreeMap<&str, Vec<(usize, &[u8])>> = BTreeMap::new();
    for (n, entry) in entries.iter().enumerate() {
        let mut files = BTreeMap::new();
        let commit = blobs.number(&entry.commit);
        for (path, bytes) in &entry.files {
            match NAMING.contains(&path.strip_prefix(PACKET_DIR).unwrap_or(path)) {
                true => drop(files.insert(path.as_str(), blobs.number(bytes))),
                false => large.entry(path).or_default().push((n, bytes)),
            }
        }
        index.push(Entry { commit, files });
    }
    for (path, files) in large {
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
