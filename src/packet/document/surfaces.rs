//! `forbidden-surface-proof.json` (R50).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::verdict::Reason;

/// The schema name of `forbidden-surface-proof.json`.
pub const SURFACES_SCHEMA: &str = "fix7.forbidden-surface-proof/v1";

/// `forbidden-surface-proof.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurfaceProof {
    /// [`SURFACES_SCHEMA`].
    pub schema: String,
    /// Surfaces that the policy names.
    pub total: u64,
    /// Shown untouched by the kernel.
    pub untouched: u64,
    /// Shown not to have been asked for.
    pub not_requested: u64,
    /// Each surface.
    pub surfaces: Vec<Surface>,
}

/// One surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// Its name in the policy.
    pub id: String,
    /// What is shown.
    pub status: SurfaceStatus,
    /// Where the proof stands: a file of the packet and a JSON pointer in it.
    pub proof_ref: String,
    /// SHA-256 of that file.
    pub proof_sha256: Digest,
    /// For a contact: the isolation probes that it rests on. For a request: none.
    pub probes: Vec<String>,
    /// Connections counted by the listeners.
    pub accepted: u64,
    /// What speaks against it.
    pub reasons: Vec<Reason>,
}

/// What is shown of a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SurfaceStatus {
    /// The kernel kept it out of reach.
    Untouched,
    /// Nothing asked for it.
    NotRequested,
    /// Neither is shown: such a packet is refused.
    NotProven,
}
