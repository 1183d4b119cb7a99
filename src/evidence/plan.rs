//! The plan: the change, its rollback, and the documents around them.
//!
//! Owns: reading a plan from its files. Must not: touch the disk (`rehearse::plan` reads the directory,
//! a packet holds the same files under `plan/`).

use std::collections::BTreeMap;

use crate::digest::{Digest, Hasher};

/// A plan, with the exact bytes of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// File name to bytes, as given.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The change.
    pub change: String,
    /// The plan's own rollback script.
    pub rollback: Option<String>,
    /// How the scripts are run.
    pub settings: Settings,
}

/// How the scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Wrap each script in one transaction (most migration runners do).
    pub transaction: bool,
    /// `PRAGMA foreign_keys` for the scripts; stock SQLite's default is off.
    pub foreign_keys: bool,
}

impl Plan {
    /// Digest over every file: framed name, framed bytes, in the order of the names' bytes.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::labelled("fix7.plan/v1");
        for (name, bytes) in &self.files {
            hasher.framed(name.as_bytes());
            hasher.framed(bytes);
        }
        hasher.finish()
    }
}
