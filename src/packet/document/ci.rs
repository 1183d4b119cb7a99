//! `ci-unknown-resolution.json` (R11, R42 to R44).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::evidence::blockers::{BlockerState, Owner};
use crate::evidence::ci::{CiClass, CiNext, CiReason};

/// The schema name of `ci-unknown-resolution.json`.
pub const CI_RESOLUTION_SCHEMA: &str = "fix7.ci-unknown-resolution/v1";

/// `ci-unknown-resolution.json`: the one unknown, classified and not resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CiResolution {
    /// [`CI_RESOLUTION_SCHEMA`].
    pub schema: String,
    /// SHA-256 of the plan's list.
    pub items_sha256: Digest,
    /// How many items were unknown.
    pub unknown_count_before: u64,
    /// How many still are: classifying resolves nothing.
    pub unknown_count_after: u64,
    /// The item.
    pub item: String,
    /// Its class.
    pub class: CiClass,
    /// Why.
    pub reason: CiReason,
    /// What was looked at, read-only.
    pub inspected: Vec<String>,
    /// The blocker that it stays.
    pub blocker_id: String,
    /// That blocker's state.
    pub blocker_state: BlockerState,
    /// Who must act.
    pub owners: Vec<Owner>,
    /// What comes next.
    pub next: CiNext,
    /// SHA-256 of the gate's design, where there is one. It closes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gate_sha256: Option<Digest>,
    /// Whether a leg of the rehearsal reads CI.
    pub affects_clone_rehearsal: bool,
    /// Why not: where the steps are listed, and how many were looked at.
    pub why: String,
}
