//! Schema and rows of a database, described object by object and table by table.
//!
//! Owns: what a description is made of, its digest, and what differs between two. Must not: depend on the order of
//! rows, on object identifiers or on anything that two restores of one dump do not share.
//!
//! ```text
//! object   kind, name, definition in the server's own words (catalogue.sql)
//! table    sorted SHA-256 of each row's COPY text, under pinned settings
//! root     H(objects…, tables…), each framed
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};

use postgres::Client;

use super::failure::{self, outside};
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::{Difference, Differences, Equality};
use crate::rehearse::engine::Failure;

/// What a text of a value depends on, pinned.
pub(super) const PINNED: &str = "SET search_path = pg_catalog; SET row_security = off; SET extra_float_digits = 1; \
     SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET TimeZone = 'UTC'; \
     SET client_encoding = 'UTF8'; SET standard_conforming_strings = on";

/// A database, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// Kind and name to definition.
    objects: BTreeMap<(String, String), String>,
    /// Name to the digest of its rows and their number.
    tables: BTreeMap<String, (Digest, u64)>,
}

impl Contents {
    /// Describes what `client` sees.
    pub(super) fn of(client: &mut Client) -> Result<Contents, Failure> {
        let failed = |e: postgres::Error| failure::of(&e, 0);
        client.batch_execute(PINNED).map_err(failed)?;
        let mut objects = BTreeMap::new();
        for row in client.query(include_str!("catalogue.sql"), &[]).map_err(failed)? {
            objects.insert((row.get(0), row.get(1)), row.get(2));
        }
        let sql = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
        let mut tables = BTreeMap::new();
        for row in client.query(sql, &[]).map_err(failed)? {
            let name: String = row.get(0);
            let digest = rows(client, &name)?;
            tables.insert(name, digest);
        }
        Ok(Contents { objects, tables })
    }

    /// The root over everything.
    pub(super) fn root(&self) -> Digest {
        let mut hasher = Hasher::labelled("fix7/rows/postgresql/v1");
        hasher.update(&(self.objects.len() as u64).to_be_bytes());
        for ((kind, name), definition) in &self.objects {
            for text in [kind, name, definition] {
                hasher.framed(text.as_bytes());
            }
        }
        for (name, (digest, count)) in &self.tables {
            hasher.framed(name.as_bytes());
            hasher.update(digest.as_bytes());
            hasher.update(&count.to_be_bytes());
        }
        hasher.finish()
    }

    /// What differs between the state that should be and the one that is.
    pub(super) fn differences(&self, after: &Contents, listed: usize) -> Differences {
        let mut schema = BTreeSet::new();
        let mut items = Vec::new();
        let keys: BTreeSet<_> = self.objects.keys().chain(after.objects.keys()).collect();
        for key in keys {
            let (kind, name) = key;
            let code = match (self.objects.get(key), after.objects.get(key)) {
                (Some(_), None) => format!("missing_{kind}:{name}"),
                (None, Some(_)) => format!("extra_{kind}:{name}"),
                (Some(a), Some(b)) if a != b && kind == "table" => {
                    format!("table_differs:{name}[{}]", columns(a, b))
                }
                (Some(a), Some(b)) if a != b => format!("sql_differs:{kind}:{name}"),
                _ => continue,
            };
            let what = code.split(':').next().unwrap_or_default().to_owned();
            items.push(Difference { object: name.clone(), kind: what, key: None, column: None });
            schema.insert(code);
        }
        let mut rows = BTreeSet::new();
        let names: BTreeSet<_> = self.tables.keys().chain(after.tables.keys()).collect();
        for name in names {
            let code = match (self.tables.get(name), after.tables.get(name)) {
                (Some((_, n)), None) if *n > 0 => format!("rows_lost_with_table:{name}({n})"),
                (None, Some((_, n))) if *n > 0 => format!("rows_extra_table:{name}({n})"),
                (Some((_, a)), Some((_, b))) if a != b => format!("row_count:{name}({a}->{b})"),
                (Some((a, _)), Some((b, _))) if a != b && !schema.contains(&order_only(name)) => {
                    format!("values:{name}")
                }
                _ => continue,
            };
            items.push(Difference {
                object: name.clone(),
                kind: "rows_changed".to_owned(),
                key: None,
                column: None,
            });
            rows.insert(code);
        }
        let equality = match (rows.is_empty(), schema.is_empty()) {
            (false, _) => Equality::RowsDiffer,
            (true, false) => Equality::SchemaDiffersOnly,
            (true, true) => Equality::Exact,
        };
        let total = items.len() as u64;
        items.truncate(listed);
        Differences {
            equality,
            schema_codes: schema.into_iter().collect(),
            row_codes: rows.into_iter().collect(),
            items,
            total,
        }
    }
}

fn order_only(name: &str) -> String {
    format!("table_differs:{name}[col_order]")
}

/// What differs between two tables' definitions: the same lines in another order are the same columns.
fn columns(before: &str, after: &str) -> &'static str {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if sorted(before) == sorted(after) { "col_order" } else { "columns" }
}

/// Sorted digests of each row's text, digested: a multiset, in which equal rows count.
fn rows(client: &mut Client, name: &str) -> Result<(Digest, u64), Failure> {
    let reader = client.copy_out(&format!("COPY (SELECT * FROM ONLY {name}) TO STDOUT"));
    let reader = reader.map_err(|e| failure::of(&e, 0))?;
    let mut leaves: Vec<Digest> = Vec::new();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(lost)? > 0 {
        leaves.push(Digest::of(&line));
        line.clear();
    }
    leaves.sort_unstable();
    let mut hasher = Hasher::labelled("fix7/table/postgresql/v1");
    leaves.iter().for_each(|leaf| hasher.update(leaf.as_bytes()));
    Ok((hasher.finish(), leaves.len() as u64))
}

/// A reader of rows fails by the server's errors.
fn lost(error: std::io::Error) -> Failure {
    match error.into_inner().map(|inner| inner.downcast::<postgres::Error>()) {
        Some(Ok(error)) => failure::of(&error, 0),
        _ => outside("the rows cannot be read"),
    }
}
