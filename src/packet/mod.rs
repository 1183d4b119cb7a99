//! The packet: a closed set of files that says what one rehearsal showed (DESIGN section 3).
//!
//! Owns: the file names, the path grammar, the manifest, and the types of the derived documents. Must not:
//! derive or judge (`judge::derive`, `judge::judge`), nor read a directory.
//!
//! ```text
//! facts     rehearsal-target-lock.json  rehearsal-execution-evidence.json  clone-rollback-evidence.json
//! plan      plan/…                                                 byte for byte
//! derived   every other file: a pure function of the facts, the plan and the policy
//! manifest  HASH_MANIFEST.txt    every file but itself and the next
//! tree      packet_tree.sha256   SHA-256 of HASH_MANIFEST.txt: the packet's one digest
//! ```

pub mod document;
mod files;
pub mod manifest;

pub use files::{Files, MAX_FILE_BYTES, MAX_FILES, MAX_PATH, MAX_TOTAL_BYTES, segment_fault};

/// What was cloned.
pub const LOCK: &str = "rehearsal-target-lock.json";
/// What was done.
pub const EXECUTION: &str = "rehearsal-execution-evidence.json";
/// What was found.
pub const ROLLBACK: &str = "clone-rollback-evidence.json";
/// The validator's judgement of every entry.
pub const VALIDATOR: &str = "hardened-validator-result.json";
/// What the rollback entries prove, and the fabricated entry's refusal.
pub const RECOVERY: &str = "rollback-recovery-proof.json";
/// The bad-input probes and the token-leak check.
pub const PROBES: &str = "rehearsal-bad-input-probes.json";
/// The one CI unknown.
pub const CI: &str = "ci-unknown-resolution.json";
/// The blocker map.
pub const BLOCKERS: &str = "updated-production-blocker-map.json";
/// The decision: HOLD.
pub const DECISION: &str = "production-decision-packet.json";
/// The forbidden surfaces.
pub const SURFACES: &str = "forbidden-surface-proof.json";
/// The document that people read.
pub const README: &str = "README.md";
/// How to do it all again.
pub const COMMANDS: &str = "commands.sh";
/// How to compare.
pub const RERUN: &str = "RERUN.sh";
/// `sha256sum` lines.
pub const MANIFEST: &str = "HASH_MANIFEST.txt";
/// The digest of [`MANIFEST`].
pub const TREE: &str = "packet_tree.sha256";
/// The folder of the plan's files.
pub const PLAN_FOLDER: &str = "plan/";

/// The three files of facts.
pub const FACTS: [&str; 3] = [LOCK, EXECUTION, ROLLBACK];
/// The derived files that the manifest lists.
pub const DERIVED: [&str; 10] =
    [VALIDATOR, RECOVERY, PROBES, CI, BLOCKERS, DECISION, SURFACES, README, COMMANDS, RERUN];
