//! The previous production decision, as a plan brings it: a file of an earlier packet, byte for byte (R12).
//!
//! Owns: the few fields that the next decision continues. Must not: accept a decision other than HOLD.
//! The file is the whole `production-decision-packet.json` of the packet before (other fields are kept by
//! its digest), or the first one, `{"schema":…,"revision":0,"decision":"HOLD_PRODUCTION",…}`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::KnowledgeBase;
use crate::canon;
use crate::digest::Digest;
use crate::verdict::{Code, Reason};

/// The schema name of `production-decision-packet.json`.
pub const DECISION_SCHEMA: &str = "fix7.production-decision-packet/v1";
/// The one decision there is, and the default where data is absent (R56).
pub const HOLD_PRODUCTION: &str = "HOLD_PRODUCTION";

/// What the next decision continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviousDecision {
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its revision.
    pub revision: u64,
    /// The front matter's id and revision, where the file is a packet's.
    pub kb: Option<(String, u64)>,
}

impl PreviousDecision {
    /// Reads the previous decision in any JSON spelling.
    ///
    /// # Errors
    /// Every fault, in words: above all, a decision that is not HOLD or authorizes something.
    pub fn parse_input(bytes: &[u8]) -> Result<PreviousDecision, Vec<String>> {
        let value: Value = canon::from_slice_any_spelling(bytes).map_err(|e| vec![e.to_string()])?;
        let mut faults = Vec::new();
        let mut expect = |field: &str, expected: Value| {
            let found = value.get(field).unwrap_or(&Value::Null);
            if *found != expected {
                faults.push(format!("{field}: expected {expected}, found {found}"));
            }
        };
        expect("schema", DECISION_SCHEMA.into());
        expect("decision", HOLD_PRODUCTION.into());
        expect("production_state", "HOLD".into());
        expect("authorizes", Value::Array(Vec::new()));
        let revision = value.get("revision").and_then(Value::as_u64);
        if revision.is_none() {
            faults.push("revision: expected a number".into());
        }
        let kb = value
            .get("kb")
            .and_then(|kb| Some((kb.get("id")?.as_str()?.to_owned(), kb.get("revision")?.as_u64()?)));
        match revision {
            Some(revision) if faults.is_empty() => {
                Ok(PreviousDecision { sha256: Digest::of(bytes), revision, kb })
            }
            _ => Err(faults),
        }
    }

    /// A knowledge-base revision is never used twice: the next document of the same id is a higher one.
    pub(super) fn faults_of_successor(&self, kb: &KnowledgeBase) -> Option<Reason> {
        let (id, revision) = self.kb.as_ref()?;
        (*id == kb.id && kb.revision <= *revision).then(|| {
            Reason::new(Code::PlanInvalid, "plan/plan.toml: kb.revision")
                .values(format_args!("more than {revision}, the previous packet's"), kb.revision)
        })
    }
}
