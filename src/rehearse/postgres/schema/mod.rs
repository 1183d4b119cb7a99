//! The schema of a PostgreSQL database by its catalogue: every object, in the server's own words, part by part.
//!
//! Owns: what of an object counts (`catalogue.sql`), the digest of a schema, and what differs between two. Must
//! not: hold object identifiers, or anything that two restores of one dump do not share.
//!
//! ```text
//! kind       name              part          definition
//! table      public.orders     options       r p heap …
//! table      public.orders     order         id, total             the columns in their order
//! table      public.orders     type(total)   numeric(10,2)
//! index      public.orders_pk                CREATE UNIQUE INDEX …
//!
//! schema  H(lp("fix7/postgresql/schema/v1") u64(parts) {lp(kind) lp(name) lp(part) lp(definition)}…)   ascending
//! ```

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use super::rows::StateError;
use crate::digest::{Digest, Hasher};

const SCHEMA: &str = "fix7/postgresql/schema/v1";

type Parts = BTreeMap<String, String>;

/// All objects of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse::postgres) struct Schema(BTreeMap<(String, String), Parts>);

/// A difference of two schemas, by its name.
pub(in crate::rehearse::postgres) struct Named {
    pub(in crate::rehearse::postgres) code: String,
    pub(in crate::rehearse::postgres) object: String,
    /// Nothing but the order of columns.
    pub(in crate::rehearse::postgres) order_only: bool,
}

impl Schema {
    /// Reads the catalogue as the transaction of `client` sees it, under [`super::rows`]' pinned settings.
    pub(in crate::rehearse::postgres) fn read(client: &mut Client) -> Result<Schema, StateError> {
        let failed = |e| StateError::server("the catalogue", e);
        let mut objects: BTreeMap<(String, String), Parts> = BTreeMap::new();
        for row in client.query(include_str!("catalogue.sql"), &[]).map_err(failed)? {
            let (kind, name, part): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let definition: String = row.get(3);
            // Two objects of one name are told apart by nothing but their definitions: none may hide the other.
            let parts = objects.entry((kind, name)).or_default();
            parts
                .entry(part)
                .and_modify(|held| held.push_str(&format!("\n{definition}")))
                .or_insert_with(|| definition.clone());
        }
        Ok(Schema(objects))
    }

    /// The digest over all objects.
    pub(in crate::rehearse::postgres) fn digest(&self) -> Digest {
        self.digest_of(|_| true)
    }

    /// The same over what `pg_dump --schema-only` tells too: to it large objects are data.
    pub(in crate::rehearse::postgres) fn told_by_pg_dump(&self) -> Digest {
        self.digest_of(|(kind, name)| {
            let described = match kind.as_str() {
                "privileges" => name.starts_with("large_object "),
                "comment" | "security_label" => name.starts_with("large object "),
                _ => false,
            };
            kind != "large_object" && !described
        })
    }

    fn digest_of(&self, counts: impl Fn(&(String, String)) -> bool) -> Digest {
        let objects = || self.0.iter().filter(|(key, _)| counts(key));
        let mut hasher = Hasher::labelled(SCHEMA);
        hasher.update(&(objects().map(|(_, parts)| parts.len()).sum::<usize>() as u64).to_be_bytes());
        for ((kind, name), parts) in objects() {
            for (part, definition) in parts {
                for text in [kind, name, part, definition] {
                    hasher.framed(text.as_bytes());
                }
            }
        }
        hasher.finish()
    }

    /// What differs, in the order of kinds and names.
    pub(in crate::rehearse::postgres) fn differences(&self, after: &Schema) -> Vec<Named> {
        let keys: BTreeSet<_> = self.0.keys().chain(after.0.keys()).collect();
        let named = keys.into_iter().filter_map(|key| {
            let (kind, name) = key;
            let (code, order_only) = match (self.0.get(key), after.0.get(key)) {
                (Some(_), None) => (format!("missing_{kind}:{name}"), false),
                (None, Some(_)) => (format!("extra_{kind}:{name}"), false),
                (Some(a), Some(b)) if a != b => {
                    let parts = differing(a, b);
                    let order_only = parts == ["col_order"];
                    let code = match parts.as_slice() {
                        [only] if only.is_empty() => format!("sql_differs:{kind}:{name}"),
                        _ => format!("{kind}_differs:{name}[{}]", parts.join(",")),
                    };
                    (code, order_only)
                }
                _ => return None,
            };
            Some(Named { code, object: name.clone(), order_only })
        });
        named.collect()
    }
}

/// The names of what differs between two objects; a column that only one has is named once.
fn differing(before: &Parts, after: &Parts) -> Vec<String> {
    let columns = |parts: &Parts| -> Vec<String> {
        parts.get("order").map(|order| order.split('\n').map(str::to_owned).collect()).unwrap_or_default()
    };
    let (a, b) = (columns(before), columns(after));
    let gone: Vec<&str> = a.iter().filter(|c| !b.contains(c)).map(String::as_str).collect();
    let new: Vec<&str> = b.iter().filter(|c| !a.contains(c)).map(String::as_str).collect();
    let mut found = Vec::new();
    if !gone.is_empty() {
        found.push(format!("col_missing={}", gone.join("+")));
    }
    if !new.is_empty() {
        found.push(format!("col_extra={}", new.join("+")));
    }
    if a.iter().filter(|c| b.contains(c)).ne(b.iter().filter(|c| a.contains(c))) {
        found.push("col_order".to_owned());
    }
    let parts: BTreeSet<&String> =
        before.keys().chain(after.keys()).filter(|part| *part != "order").collect();
    for part in parts {
        let column = part.split_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
        let told = column.is_some_and(|c| gone.contains(&c) || new.contains(&c));
        if !told && before.get(part) != after.get(part) {
            found.push(part.clone());
        }
    }
    found
}
