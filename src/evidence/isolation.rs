//! The isolation proof: what the kernel refused, and that it would not have refused it outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The isolation reached (DESIGN section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolationProof {
    /// 3 or 2.
    pub level: u8,
}
