//! The digest over an entry's files: what makes git's SHA-1 tree carry no weight.

use std::collections::BTreeMap;

use crate::digest::{Digest, Hasher};

/// The digest of each file.
pub fn file_digests(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&str, Digest> {
    files.iter().map(|(path, bytes)| (path.as_str(), Digest::of(bytes))).collect()
}

/// SHA-256 over the lines `<sha256>  <path>` of every file, sorted by path bytes: `Fix7-Content`.
///
/// A path with a line end could pass for two lines; no such path gets here (`ledger` refuses it when it reads the
/// tree, `verify` once more).
pub fn content_digest(digests: &BTreeMap<&str, Digest>) -> Digest {
    let mut hasher = Hasher::new();
    let mut line = String::with_capacity(160);
    for (path, digest) in digests {
        line.clear();
        data_encoding::HEXLOWER.encode_append(digest.as_bytes(), &mut line);
        line.push_str("  ");
        line.push_str(path);
        line.push('\n');
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}
