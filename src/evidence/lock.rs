//! `rehearsal-target-lock.json`: what was cloned, written before anything else is done (R15 to R17).
//!
//! Owns: the facts about source, clone, engine and isolation at the start. Must not: hold paths, inode
//! numbers or user names: those differ from machine to machine and stand in the statement, under `run`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::isolation::IsolationProof;
use crate::digest::{Digest, Hasher};

/// The schema name of `rehearsal-target-lock.json`.
pub const LOCK_SCHEMA: &str = "fix7.rehearsal-target-lock/v1";
/// The format of packets that this program makes: the rules of derivation, the validator's vectors, the extended
/// probes and the table of isolation probes. What one number names never changes, since whoever verifies an old
/// ledger derives its packets again and must reach the same bytes: other rules get the next number, and a reader
/// keeps the old ones. A number that is not known is refused.
pub const PACKET_FORMAT: u64 = 1;

/// `rehearsal-target-lock.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetLock {
    /// [`LOCK_SCHEMA`].
    pub schema: String,
    /// [`PACKET_FORMAT`].
    pub format: u64,
    /// [`TargetLock::clone_id_of`] the source's set digest and the plan's digest.
    pub clone_id: String,
    /// Digest over the plan's files ([`super::Plan::digest`]).
    pub plan: Digest,
    /// Digest of the policy document.
    pub policy: Digest,
    /// SHA-256 of the executable that rehearses.
    pub executable: Digest,
    /// What runs the SQL.
    pub engine: Engine,
    /// The database as given.
    pub source: SourceFacts,
    /// The copy.
    pub clone: CloneFacts,
    /// The kernel's wall around the clone.
    pub isolation: IsolationProof,
}

impl TargetLock {
    /// The name of a clone: `clone-` and 16 digits of a digest over source and plan, so that evidence of one
    /// rehearsal cannot stand for another's.
    pub fn clone_id_of(source_set: &Digest, plan: &Digest) -> String {
        let mut hasher = Hasher::labelled("fix7.clone/v1");
        hasher.update(source_set.as_bytes());
        hasher.update(plan.as_bytes());
        format!("clone-{}", &hasher.finish().to_string()[..16])
    }
}

/// What runs the SQL, and with which settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// `sqlite`.
    pub name: String,
    /// `3.54.1`.
    pub version: String,
    /// `sqlite3_sourceid()`.
    pub source_id: String,
    /// SHA-256 over the sorted compile options, a line each.
    pub compile_options: Digest,
    /// `PRAGMA foreign_keys` while the change runs: stock SQLite's default is off.
    pub foreign_keys: bool,
    /// Whether each script runs inside one transaction of the rehearsal's.
    pub transaction: bool,
}

/// The database as given. It is never opened: only its files are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceFacts {
    /// Digest over the file set as found.
    pub set: Digest,
    /// `main`, `wal`, `journal`: SHA-256 and bytes of each file found.
    pub files: BTreeMap<String, FileFacts>,
    /// `delete`, `wal`, … of the clone once opened.
    pub journal_mode: String,
    /// A hot journal or a WAL with content was played into the clone.
    pub recovered: bool,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// SHA-256 of the file's bytes.
    pub sha256: Digest,
    /// Length in bytes.
    pub size: u64,
}

/// The copy, and why it is private and not production (R16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneFacts {
    /// Digest over the copied set: equal to the source's.
    pub set: Digest,
    /// Digest over the file set after recovery, checkpoint and close: the state that the legs start from.
    pub base: Digest,
    /// Mode of the fresh directory: `0700`.
    pub directory_mode: String,
    /// No component of its path is a symbolic link.
    pub symlink_free: bool,
    /// Hard links of the main file: 1.
    pub hard_links: u64,
    /// The file system is a local one.
    pub local_file_system: bool,
    /// Owned by the user who rehearses.
    pub owned_by_operator: bool,
}
