//! A mention that the signed statement declares: a token that stands somewhere without being claimed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a token stands, which, and why (DESIGN section 6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mention {
    /// The packet's file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The token, exactly as it stands on that line.
    pub token: String,
    /// Why it stands there: for people.
    pub reason: String,
}
