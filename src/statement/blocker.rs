//! What the owners decide about one blocker: a need is met, a leg is proven by evidence outside of rehearsals, or the whole is
//! closed. Each names the document that it rests on, and the decision about the same blocker that it comes after, so that
//! it cannot be applied to another state than the one that its signers saw.
//!
//! Owns: the claim and its form. Must not: know which blockers there are, nor whether anything may move (`state` does). No
//! decision speaks about HOLD_PRODUCTION.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::text_fits;
use super::{Label, StatementError};
use crate::digest::Digest;
use crate::evidence::blockers::{MAX_ID_BYTES, is_id};

/// The owners decide about a blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockerDecision {
    /// What they decide.
    pub action: BlockerAction,
    /// The leaf of the last decision about this blocker that counts; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Digest>,
    /// The blocker.
    pub blocker: String,
    /// What it rests on: the SHA-256 of a document, or the leaf of an entry.
    pub evidence: Digest,
    /// The label of its entry.
    pub id: Label,
    /// The need that is met, or the leg that is proven; none where the blocker is closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,
    /// Why.
    pub text: String,
}

/// What can be decided about a blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockerAction {
    /// Every leg is proven, every need is met: it blocks no more. Production stays on hold.
    Close,
    /// A need is met.
    Meet,
    /// A leg is proven.
    Prove,
}

impl BlockerAction {
    /// The name in statements.
    pub fn name(self) -> &'static str {
        match self {
            BlockerAction::Close => "close",
            BlockerAction::Meet => "meet",
            BlockerAction::Prove => "prove",
        }
    }
}

impl BlockerDecision {
    pub(super) fn check(&self) -> Result<(), StatementError> {
        const PART: &str = "/predicate/blockers/part";
        if !is_id(&self.blocker) {
            let field = "/predicate/blockers/blocker";
            return Err(StatementError::field(field, "the id of a blocker", &self.blocker));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        let fits = |part: &String| (1..=MAX_ID_BYTES).contains(&part.len()) && part.bytes().all(plain);
        match (&self.part, self.action) {
            (None, BlockerAction::Close) => {}
            (Some(part), BlockerAction::Meet | BlockerAction::Prove) if fits(part) => {}
            (part, _) => {
                let found = part.as_deref().unwrap_or("none");
                return Err(StatementError::field(PART, "the name of a need or a leg, none to close", found));
            }
        }
        text_fits("/predicate/blockers/text", &self.text)
    }
}
