//! The entry: one commit, as the bytes that git stores.
//!
//! Owns: the form in which stored entries travel from `ledger` to whatever judges them. Must not: read git.

use std::collections::BTreeMap;

/// One entry as it stands in the repository: bytes, each already checked against its git object id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The commit's git object id (40 lower-case hexadecimal digits): a place to look, never an identity.
    pub oid: String,
    /// The commit object's content, without git's `commit <length>` header.
    pub commit: Vec<u8>,
    /// Every file of the entry's tree, by its path from the tree's root with `/` between the parts.
    pub files: BTreeMap<String, Vec<u8>>,
}
