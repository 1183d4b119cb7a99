//! `production-decision-packet.json` (R01 to R13, R54 to R57).
//!
//! The types hold the line: a decision is HOLD, a scope is a rehearsal, a final status is one of two, and
//! `authorizes` is a list of a type without values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::evidence::plan::KnowledgeBase;

/// `production-decision-packet.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionPacket {
    /// `fix7.production-decision-packet/v1`.
    pub schema: String,
    /// What this packet is about.
    pub packet: Subject,
    /// The README's front matter.
    pub kb: KnowledgeBase,
    /// The macro that the lane follows.
    #[serde(rename = "macro")]
    pub macro_: MacroRef,
    /// The delegated decision that a rehearsal consumes.
    pub delegated_decision: String,
    /// One more than the previous decision's.
    pub revision: u64,
    /// SHA-256 of the previous decision packet, as the plan brings it.
    pub prev: Digest,
    /// HOLD_PRODUCTION.
    pub decision: ProductionDecision,
    /// HOLD.
    pub production_state: ProductionState,
    /// Nothing.
    pub authorizes: Vec<Nothing>,
    /// The hold.
    pub hold: Hold,
    /// What did not happen.
    pub flags: Flags,
    /// Derived from every other document.
    pub final_status: FinalStatus,
    /// The documents that it is derived from.
    pub derived_from: Vec<DerivedFrom>,
    /// What the packet is not.
    pub boundary: Boundary,
    /// Where the README is published.
    pub publication: Publication,
}

/// A type without values: nothing can stand in a list of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {}

impl JsonSchema for Nothing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Nothing".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!(false)
    }
}

/// What a packet is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The plan's name.
    pub name: String,
    /// `rollback + CI resolution`.
    pub kind: String,
    /// REHEARSAL_ONLY.
    pub scope: PacketScope,
    /// The lane's date.
    pub date: String,
    /// The clone.
    pub clone_id: String,
}

/// What evidence may be about: there is no other scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PacketScope {
    /// A clone.
    #[serde(rename = "REHEARSAL_ONLY")]
    RehearsalOnly,
}

/// The macro document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MacroRef {
    /// Its exact name.
    pub id: String,
    /// SHA-256 of the document.
    pub sha256: Digest,
}

/// The decision: there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProductionDecision {
    /// Production stays as it is.
    #[serde(rename = "HOLD_PRODUCTION")]
    HoldProduction,
}

/// The state: there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProductionState {
    /// Production stays as it is.
    #[serde(rename = "HOLD")]
    Hold,
}

/// The hold (R56).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// HOLD_PRODUCTION.
    pub state: HoldState,
    /// Where data is absent, this holds.
    pub default: bool,
}

/// The hold's state: there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HoldState {
    /// Production stays as it is.
    #[serde(rename = "HOLD_PRODUCTION")]
    HoldProduction,
}

/// What did not happen, each with the evidence that shows it (R06 to R09).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    /// The source was changed.
    pub production_mutation: Flag,
    /// A REAL_RUN was asked for.
    pub real_run: Flag,
    /// QT001/apply was asked for.
    pub qt001: Flag,
    /// A cutover was asked for.
    pub cutover: Flag,
    /// CI of production was triggered.
    pub production_ci_trigger: Flag,
    /// A deployment was triggered.
    pub deploy_trigger: Flag,
    /// Secrets were changed.
    pub secrets_change: Flag,
}

/// One flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// Always false where `shown` is true.
    pub value: bool,
    /// Whether the evidence shows it.
    pub shown: bool,
    /// A file of the packet and a JSON pointer in it.
    pub evidence: String,
}

/// How a rehearsal ended: derived, never typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FinalStatus {
    /// Every document of the packet holds.
    #[serde(rename = "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY")]
    Ready,
    /// Something does not hold; the validator's result says what.
    #[serde(rename = "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_NOT_SHOWN")]
    NotShown,
}

impl FinalStatus {
    /// The status as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            FinalStatus::Ready => "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY",
            FinalStatus::NotShown => "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_NOT_SHOWN",
        }
    }
}

/// A document that the status is derived from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DerivedFrom {
    /// Its path in the packet.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Whether it holds.
    pub held: bool,
}

/// What the packet is not (R54, R55).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// The whole text, one line.
    pub text: String,
    /// SHA-256 of the text.
    pub sha256: Digest,
    /// The nine items.
    pub not_authorized: Vec<String>,
}

/// Where the README is published (R57): writing it there is a person's act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The path in the knowledge hub.
    pub path: String,
    /// The clone that it is about.
    pub from_packet: String,
}
