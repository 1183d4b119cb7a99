//! `rehearsal-execution-evidence.json`: each step, in order (R14, R18).
//!
//! Owns: the list of steps and the closing facts. Must not: hold output text or row values, only digests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::Leg;
use super::isolation::IsolationProof;
use crate::digest::Digest;

/// The schema name of `rehearsal-execution-evidence.json`.
pub const EXECUTION_SCHEMA: &str = "fix7.rehearsal-execution-evidence/v1";

/// `rehearsal-execution-evidence.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionEvidence {
    /// [`EXECUTION_SCHEMA`].
    pub schema: String,
    /// The clone that every step is about.
    pub clone_id: String,
    /// SHA-256 of `rehearsal-target-lock.json`.
    pub lock: Digest,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// The isolation, probed again after the last leg.
    pub isolation_at_end: IsolationProof,
    /// The source's set digest, taken again after the last leg.
    pub source_at_end: Digest,
    /// The names beside the source were the same before and after.
    pub source_directory_unchanged: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// 1, 2, 3, …
    pub n: u32,
    /// The leg it belongs to.
    pub leg: Leg,
    /// `open`, `begin`, `apply`, `look`, `rollback`, `commit`, `snapshot`, `restore`, `down`, `digest`, …
    pub action: String,
    /// The clone: no step has another target.
    pub target_id: String,
    /// Statements run.
    pub statements: u64,
    /// SHA-256 over the digests of the statements' texts, in order.
    pub statements_sha256: Digest,
    /// Rows that SQLite says were changed.
    pub rows_changed: u64,
    /// 0, or the engine's extended result code.
    pub exit: i64,
    /// SHA-256 of what the step gave (digests, result rows): never the text itself.
    pub output_sha256: Digest,
}
