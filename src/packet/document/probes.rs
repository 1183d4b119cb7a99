//! `rehearsal-bad-input-probes.json` (R29 to R41).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::verdict::Code;

/// The schema name of `rehearsal-bad-input-probes.json`.
pub const PROBES_SCHEMA: &str = "fix7.rehearsal-bad-input-probes/v1";

/// `rehearsal-bad-input-probes.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeReport {
    /// [`PROBES_SCHEMA`].
    pub schema: String,
    /// The good case: without it, ten refusals could come from something that refuses everything (R40).
    pub control: Control,
    /// The canonical probes.
    pub probes: Vec<Probe>,
    /// Canonical probes that were refused for their own reason, without a side effect.
    pub refused: u64,
    /// Canonical probes.
    pub total: u64,
    /// The extended probes, counted apart.
    pub extended: Vec<Probe>,
    /// Extended probes that were refused for their own reason, without a side effect.
    pub extended_refused: u64,
    /// Extended probes.
    pub extended_total: u64,
    /// The token-leak check.
    pub leak: Leak,
}

/// The good case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Its name in the policy.
    pub id: String,
    /// ALLOW.
    pub expected: Allowance,
    /// What was answered.
    pub actual: Allowance,
}

/// Whether an input was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Allowance {
    /// Let through.
    Allow,
    /// Refused.
    Refuse,
}

/// One bad input, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its name in the policy.
    pub id: String,
    /// What was asked, in words: never the secret, never the claim.
    pub input: String,
    /// The one reason that counts.
    pub expected: Code,
    /// The reasons that were given, each once.
    pub actual: Vec<Code>,
    /// The exit code that the reasons make.
    pub exit: u8,
    /// Whether an input differed afterwards.
    pub side_effects: bool,
    /// Refused for its own reason, and nothing else, without a side effect.
    pub held: bool,
}

/// The token-leak check over the packet's other files (R41, R09).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// The policy whose rules were looked for.
    pub policy: Digest,
    /// The tokens that are refused everywhere.
    pub tokens: Vec<String>,
    /// Files that were looked through.
    pub files: u64,
    /// Where something was found. Empty in every packet that is accepted.
    pub hits: Vec<LeakHit>,
    /// Files with something that looks like a secret.
    pub secret_hits: u64,
}

/// A place with a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakHit {
    /// The file.
    pub path: String,
    /// The rule.
    pub reason: Code,
}
