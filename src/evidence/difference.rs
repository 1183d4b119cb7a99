//! What differs between two states of a database, without any row value.
//!
//! Owns: the vocabulary of differences. Must not: hold values of rows; a text or blob key stands as the
//! first 16 digits of its SHA-256. The lists are sorted and cut at a limit, the totals are exact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How equal two states are, from best to worst (research vocabulary of real migration histories).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Equality {
    /// Every row, header field and schema text is equal.
    Exact,
    /// As exact, but CREATE texts differ in white space, quoting, comments or case.
    ExactNormalised,
    /// Rows are equal, the schema is not.
    SchemaDiffersOnly,
    /// A row, value, rowid or counter is lost or changed.
    RowsDiffer,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Table, index, view, trigger, or `header`.
    pub object: String,
    /// What kind: `row_lost`, `row_added`, `value_changed`, `extra_table`, …
    pub kind: String,
    /// The row's key, where one row differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The column, where one value differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
}

/// All differences between two states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// How equal the states are.
    pub equality: Equality,
    /// `extra_table:x`, `sql_differs:x`, … sorted.
    pub schema_codes: Vec<String>,
    /// `rows_lost:x(3)`, … sorted.
    pub row_codes: Vec<String>,
    /// The first differences, sorted by object and key.
    pub items: Vec<Difference>,
    /// How many there are in all.
    pub total: u64,
}
