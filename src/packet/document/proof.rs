//! `hardened-validator-result.json` and `rollback-recovery-proof.json` (R10, R23 to R28).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::evidence::{Kind, Leg, Outcome};
use crate::verdict::{Code, Reason};

/// The schema name of `hardened-validator-result.json`.
pub const VALIDATOR_SCHEMA: &str = "fix7.hardened-validator-result/v1";
/// The schema name of `rollback-recovery-proof.json`.
pub const RECOVERY_SCHEMA: &str = "fix7.rollback-recovery-proof/v1";

/// What the validator says of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Ruling {
    /// Nothing speaks against it.
    Accepted,
    /// The reasons say why not.
    Refused,
}

/// Whether something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Proven {
    /// The evidence shows it.
    #[serde(rename = "PROVEN")]
    Proven,
    /// The evidence does not show it.
    #[serde(rename = "NOT_PROVEN")]
    NotProven,
    /// It cannot apply to this plan.
    #[serde(rename = "NOT_APPLICABLE")]
    NotApplicable,
}

/// `hardened-validator-result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatorResult {
    /// [`VALIDATOR_SCHEMA`].
    pub schema: String,
    /// What judged.
    pub validator: ValidatorIdentity,
    /// What it read.
    pub inputs: Vec<Input>,
    /// The judgement of each entry, in the evidence's order.
    pub entries: Vec<EntryResult>,
    /// How many entries.
    pub entry_count: u64,
    /// How many entries prove a rollback.
    pub rollback_count: u64,
    /// What speaks against the evidence as a whole.
    pub reasons: Vec<Reason>,
    /// The validator's judgement of its own vectors.
    pub selftest: Selftest,
    /// The whole.
    pub result: Ruling,
}

/// The validator is the executable that rehearses; the policy pins it (R28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatorIdentity {
    /// SHA-256 of the executable, as the lock has it.
    pub sha256: Digest,
    /// The pin.
    pub pin: Pin,
}

/// A pin: always the whole digest, always from the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// `sha256`.
    pub algorithm: String,
    /// The pinned digest; absent where the policy pins no such executable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hex: Option<Digest>,
    /// The policy that holds the pin.
    pub policy: Digest,
}

/// A file that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its path in the packet.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// The judgement of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryResult {
    /// The leg.
    pub leg: Leg,
    /// What it proves.
    pub kind: Kind,
    /// How the leg ended.
    pub outcome: Outcome,
    /// The judgement.
    pub result: Ruling,
    /// Why it was refused.
    pub reasons: Vec<Reason>,
}

/// The validator's judgement of its own vectors (R26).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selftest {
    /// Known-good vectors, accepted.
    pub good: u64,
    /// Known-bad vectors, each refused for its own reason.
    pub bad: u64,
    /// Vectors that were misjudged, by name.
    pub misjudged: Vec<String>,
}

/// `rollback-recovery-proof.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryProof {
    /// [`RECOVERY_SCHEMA`].
    pub schema: String,
    /// The clone.
    pub clone_id: String,
    /// SHA-256 of `clone-rollback-evidence.json`.
    pub evidence: Digest,
    /// SHA-256 of the canonical isolation proof at the start.
    pub isolation_ref: Digest,
    /// What the entries show together.
    pub claims: Claims,
    /// What each rollback entry shows.
    pub entries: Vec<EntryProof>,
    /// The documented rollback, step by step.
    pub pattern: PatternProof,
    /// Entries made up to be refused (R27).
    pub fabricated: Vec<Fabricated>,
}

/// What the rollback entries show together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Every rollback restored every byte that it can restore.
    pub byte_exact: bool,
    /// Every rollback restored every row.
    pub row_exact: bool,
    /// The plan brings its own rollback script.
    pub rollback_script: bool,
}

/// What one rollback entry shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// The leg.
    pub leg: Leg,
    /// `after_apply_hash != before_hash`.
    pub mutation: Proven,
    /// `after_rollback_hash.rows == before_hash.rows`.
    pub rows_restored: Proven,
    /// `after_rollback_hash.bytes == before_hash.bytes`.
    pub bytes_restored: Proven,
}

/// The documented rollback and its legs (R10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternProof {
    /// The document's path in the packet.
    pub document: String,
    /// SHA-256 of the document.
    pub sha256: Digest,
    /// Every step.
    pub steps: Vec<StepProof>,
}

/// One step of the documented rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepProof {
    /// Its number.
    pub number: u32,
    /// SHA-256 of its text.
    pub text_sha256: Digest,
    /// The leg that rehearsed it.
    pub leg: Leg,
    /// Whether that leg held.
    pub result: Proven,
}

/// An entry that was made up, and how the validator answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fabricated {
    /// `no-mutation`.
    pub id: String,
    /// The leg that it imitates.
    pub leg: Leg,
    /// The one reason that counts.
    pub expected: Code,
    /// The reasons that were given.
    pub reasons: Vec<Code>,
    /// The answer.
    pub result: Ruling,
}
