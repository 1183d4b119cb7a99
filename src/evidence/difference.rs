//! What differs between two states of a database, without any row value.
//!
//! Owns: the vocabulary of differences. Must not: hold values of rows; a text or blob key stands as the
//! first 16 digits of its SHA-256. The lists are sorted and cut at a limit, the totals are exact.
//!
//! ```text
//! equality               exact · exact_normalised · exact_but_column_order · exact_but_sequence ·
//!                        schema_differs_only · rows_differ
//!
//! schema_codes           what                                                                         equality is at least
//!   object_order           the same schema rows stand in another order                                exact
//!   text_only:KIND:x       a CREATE text differs in white space, quoting, comments or case            exact_normalised
//!   header:FIELD(a->b)     encoding, page_size, auto_vacuum, user_version, application_id             schema_differs_only
//!   missing_KIND:x         KIND: table, index, view, trigger
//!   extra_KIND:x
//!   table_differs:x[…]     col_missing=a+b, col_extra=a+b, col_order, type(c), notnull(c), default(c), primary_key,
//!                          generated(c), or else constraint_text(check/collate/name/order)
//!   sql_differs:KIND:x     the CREATE text of an index, a view or a trigger
//!   sqlite_sequence_table_left   the only difference is an empty sqlite_sequence, which SQL cannot remove
//!   schema_rows            sqlite_schema differs in a way that has no other name
//!
//! row_codes                                                                                           rows_differ
//!   row_count:x(3->0)              rows are lost or added
//!   rows_replaced:x(2)             as many rows are lost as others are added
//!   values:x(a+b)                  values under the same key differ, in these columns
//!   rowids:x(3)                    the same rows under other rowids; values:x(id) where a column shows the rowid
//!   column_values_lost:x(a+b)      columns are gone that held values
//!   rows_lost_with_table:x(3)      a table is gone that held rows
//!   rows_extra_table:x(3)          a table has come with rows in it
//!   sqlite_sequence:x(3->none)     an AUTOINCREMENT counter
//!   derived:x                      statistics or a virtual table's own bookkeeping, nothing else of that table
//! ```
//!
//! PostgreSQL has more kinds of objects, and names each part of one: `KIND_differs:x[type(c),default(c),…]`,
//! `missing_KIND:x`, `extra_KIND:x`, `sql_differs:KIND:x`, where KIND is `index`, `constraint`, `function`, `policy`,
//! `privileges`, … Its counters are `sequence:x(3 called->none)`; alone, they make `exact_but_sequence`, and
//! `table_differs:x[col_order]` alone makes `exact_but_column_order`. `pg_dump_alone:x(a->b)` and
//! `catalogue_alone:schema(a->b)` say that one of the two opinions on the schema sees a difference that the other does not,
//! with the beginnings of its digests; the first makes at least `schema_differs_only`.

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
    /// As exact, but columns stand in another order in their table (PostgreSQL).
    ExactButColumnOrder,
    /// Rows and schema are equal but for the order of columns; the position of a sequence is not (PostgreSQL).
    ExactButSequence,
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
    /// What kind: `row_lost`, `row_added`, `value_changed`, `class_changed` (the storage class with it),
    /// `rowid_changed`, `counter_changed`, `column_lost`, `rows_changed` (rows that have no common key), or the name of a schema code.
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
    /// `extra_table:x`, `sql_differs:index:x`, … sorted.
    pub schema_codes: Vec<String>,
    /// `row_count:x(3->0)`, … sorted.
    pub row_codes: Vec<String>,
    /// The first differences: header, schema, then tables by name and rows by key.
    pub items: Vec<Difference>,
    /// How many there are in all.
    pub total: u64,
}
