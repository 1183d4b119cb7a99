//! What differs between two schemas, object by object, and how much of it is only text.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::rehearse::rows::RowsError;
use crate::rehearse::rows::layout::{Layout, SchemaRow, printable};
use crate::rehearse::rows::sql::{self, Word};

/// A schema difference: the object, its kind and its code.
pub(super) struct Named {
    pub(super) object: String,
    pub(super) kind: String,
    pub(super) code: String,
    /// Only the text of a CREATE statement differs, not its words.
    pub(super) text_only: bool,
}

/// Compares the header fields.
pub(super) fn header(before: &Layout, after: &Layout) -> Vec<Named> {
    let (a, b) = (&before.header, &after.header);
    let mut found = Vec::new();
    let mut field = |name: &str, x: &dyn ToString, y: &dyn ToString| {
        let (x, y) = (x.to_string(), y.to_string());
        if x != y {
            found.push(Named {
                object: "header".to_owned(),
                kind: name.to_owned(),
                code: format!("header:{name}({x}->{y})"),
                text_only: false,
            });
        }
    };
    field("encoding", &a.encoding, &b.encoding);
    field("page_size", &a.page_size, &b.page_size);
    field("auto_vacuum", &a.auto_vacuum, &b.auto_vacuum);
    field("user_version", &a.user_version, &b.user_version);
    field("application_id", &a.application_id, &b.application_id);
    found
}

/// A connection with what it holds.
#[derive(Clone, Copy)]
pub(super) struct Database<'a> {
    pub(super) c: &'a Connection,
    pub(super) layout: &'a Layout,
}

type Objects<'a> = BTreeMap<(&'a str, String), &'a SchemaRow>;

fn objects(layout: &Layout) -> Objects<'_> {
    let named = layout.schema.iter().filter(|row| row.sql.is_some());
    named.map(|row| ((row.kind.as_str(), row.name.to_ascii_lowercase()), row)).collect()
}

/// Compares the schema rows.
pub(super) fn rows(before: Database<'_>, after: Database<'_>) -> Result<Vec<Named>, RowsError> {
    let (left, right) = (objects(before.layout), objects(after.layout));
    let mut found = Vec::new();
    let mut add = |row: &SchemaRow, kind: String, code: String, text_only: bool| {
        found.push(Named { object: printable(&row.name), kind, code, text_only });
    };
    let absent = |kind: &str, row: &SchemaRow| {
        let kind = format!("{kind}_{}", printable(&row.kind));
        (format!("{kind}:{}", printable(&row.name)), kind)
    };
    for (key, a) in &left {
        let Some(b) = right.get(key) else {
            let (code, kind) = absent("missing", a);
            add(a, kind, code, false);
            continue;
        };
        if a.framed == b.framed {
            continue;
        }
        let (kind, name) = (printable(&a.kind), printable(&a.name));
        let (parts, same_defaults) = if a.kind == "table" && !a.is_virtual() && !b.is_virtual() {
            table_parts(before, a, after, b)?
        } else {
            (Vec::new(), true)
        };
        let same_words = words(a) == words(b) && a.table.eq_ignore_ascii_case(&b.table);
        match (same_words && same_defaults, a.kind == "table") {
            (true, _) => add(a, "text_only".to_owned(), format!("text_only:{kind}:{name}"), true),
            (false, true) => {
                let parts = if parts.is_empty() { REST.to_owned() } else { parts.join(",") };
                add(a, "table_differs".to_owned(), format!("table_differs:{name}[{parts}]"), false);
            }
            (false, false) => add(a, "sql_differs".to_owned(), format!("sql_differs:{kind}:{name}"), false),
        }
    }
    for (key, b) in &right {
        if !left.contains_key(key) {
            let (code, kind) = absent("extra", b);
            add(b, kind, code, false);
        }
    }
    let stored = |layout: &Layout| layout.schema.iter().map(|row| row.framed.clone()).collect::<Vec<_>>();
    if found.is_empty() && stored(before.layout) != stored(after.layout) {
        let (object, kind) = ("sqlite_schema".to_owned(), "schema_rows".to_owned());
        found.push(Named { object, code: kind.clone(), kind, text_only: false });
    }
    Ok(found)
}

/// What is left when no column tells the difference.
const REST: &str = "constraint_text(check/collate/name/order)";

fn words(row: &SchemaRow) -> Vec<Word> {
    sql::Words::new(row.sql.as_deref().unwrap_or_default()).collect()
}

/// One column as SQLite understands it.
struct Column {
    name: String,
    kind: String,
    not_null: bool,
    default: Option<String>,
    primary: i64,
    hidden: i64,
}

fn columns(c: &Connection, table: &str) -> Result<Vec<Column>, RowsError> {
    let read = || -> rusqlite::Result<Vec<Column>> {
        let sql = r#"SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid"#;
        c.prepare(sql)?
            .query_map([table], |row| {
                Ok(Column {
                    name: row.get(0)?,
                    kind: row.get(1)?,
                    not_null: row.get(2)?,
                    default: row.get(3)?,
                    primary: row.get(4)?,
                    hidden: row.get(5)?,
                })
            })?
            .collect()
    };
    read().map_err(|e| RowsError::engine(&format!("the columns of table {}", printable(table)), e))
}

/// The parts in which two tables differ, and whether the defaults of their columns mean the same.
fn table_parts(
    before: Database<'_>,
    a: &SchemaRow,
    after: Database<'_>,
    b: &SchemaRow,
) -> Result<(Vec<String>, bool), RowsError> {
    let (left, right) = (columns(before.c, &a.name)?, columns(after.c, &b.name)?);
    let twin =
        |of: &Column, among: &[Column]| among.iter().position(|c| c.name.eq_ignore_ascii_case(&of.name));
    let only = |these: &[Column], those: &[Column]| {
        let only: Vec<String> =
            these.iter().filter(|c| twin(c, those).is_none()).map(|c| printable(&c.name)).collect();
        only.join("+")
    };
    let mut parts = Vec::new();
    let (missing, extra) = (only(&left, &right), only(&right, &left));
    if !missing.is_empty() {
        parts.push(format!("col_missing={missing}"));
    }
    if !extra.is_empty() {
        parts.push(format!("col_extra={extra}"));
    }
    let pairs: Vec<(&Column, usize)> = left.iter().filter_map(|c| Some((c, twin(c, &right)?))).collect();
    if parts.is_empty() && pairs.windows(2).any(|two| two[0].1 > two[1].1) {
        parts.push("col_order".to_owned());
    }
    let (mut primary, mut same_defaults) = (false, true);
    for (a, at) in pairs {
        let (b, name) = (&right[at], printable(&a.name));
        let kind = |c: &Column| sql::Words::new(&c.kind).collect::<Vec<_>>();
        // Here a double-quoted word is a string, so its case counts.
        let default =
            |c: &Column| c.default.as_deref().map(|d| sql::Words::with_strings(d).collect::<Vec<_>>());
        if kind(a) != kind(b) {
            parts.push(format!("type({name})"));
        }
        if a.not_null != b.not_null {
            parts.push(format!("notnull({name})"));
        }
        if a.default != b.default {
            same_defaults &= default(a) == default(b);
            parts.push(format!("default({name})"));
        }
        if a.hidden != b.hidden {
            parts.push(format!("generated({name})"));
        }
        primary |= a.primary != b.primary;
    }
    if primary {
        parts.push("primary_key".to_owned());
    }
    Ok((parts, same_defaults))
}
