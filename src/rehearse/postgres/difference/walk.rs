//! Two tables side by side, in the order of their keys' bytes. Holds one row of each at a time.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::BufRead;

use postgres::Client;

use super::super::rows::layout::{Column, Table, quote, text};
use super::super::rows::{StateError, Tuples};
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::Difference;
use crate::rehearse::rows::layout::printable;

/// Types whose values may stand as a key in the evidence.
const INTEGERS: [&str; 4] = ["smallint", "integer", "bigint", "oid"];

/// What a walk found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) lost: u64,
    pub(super) added: u64,
    /// Values that differ under a common key.
    pub(super) values: u64,
    pub(super) columns: BTreeSet<String>,
    pub(super) items: Vec<Difference>,
}

/// What is compared, and how.
pub(super) struct Walk<'a> {
    table: &'a Table,
    twin: &'a Table,
    /// The columns of both, and whether their forms can be compared as they are.
    common: Vec<(&'a Column, bool)>,
    key: Vec<&'a Column>,
    limit: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(table: &'a Table, twin: &'a Table, limit: usize) -> Walk<'a> {
        let find = |name: &String| twin.columns.iter().find(|column| column.name == *name);
        let common: Vec<(&Column, bool)> =
            table.columns.iter().filter_map(|column| Some((column, find(&column.name)? == column))).collect();
        let key = if table.key == twin.key { table.key.as_slice() } else { &[] };
        let key =
            key.iter().filter_map(|name| table.columns.iter().find(|column| column.name == *name)).collect();
        Walk { table, twin, common, key, limit }
    }

    pub(super) fn is_keyed(&self) -> bool {
        !self.key.is_empty()
    }

    /// Rows of one side, in order: the key's texts, then the columns.
    fn select(&self, table: &Table) -> String {
        let bytes = |name: &str| format!("pg_catalog.textsend({})", text(name));
        let keys: Vec<String> = match self.is_keyed() {
            true => self.key.iter().map(|column| bytes(&column.name)).collect(),
            false => self.common.iter().map(|(column, _)| bytes(&column.name)).collect(),
        };
        let compared = self.common.iter().filter(|_| self.is_keyed()).map(|(column, same)| match same {
            true if !column.as_text => quote(&column.name),
            _ => bytes(&column.name),
        });
        let order: Vec<String> = (1..=keys.len()).map(|at| format!("{at} NULLS FIRST")).collect();
        let list: Vec<String> = keys.into_iter().chain(compared).collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        format!("COPY (SELECT {} FROM ONLY {}{order}) TO STDOUT (FORMAT binary)", list.join(", "), table.name)
    }

    pub(super) fn run(&self, before: &mut Client, after: &mut Client) -> Result<Found, StateError> {
        let keys = if self.is_keyed() { self.key.len() } else { self.common.len() };
        let fields = keys + if self.is_keyed() { self.common.len() } else { 0 };
        let failed = |e| StateError::server(&self.table.name, e);
        let mut a = Tuples::new(before.copy_out(&self.select(self.table)).map_err(failed)?, fields)?;
        let mut b = Tuples::new(after.copy_out(&self.select(self.twin)).map_err(failed)?, fields)?;
        let mut found = Found::default();
        let named = |e: StateError| e.at(&self.table.name);
        let (mut left, mut right) = (a.next().map_err(named)?.is_some(), b.next().map_err(named)?.is_some());
        while left || right {
            let order = match (left, right) {
                (true, true) => (0..keys).map(|at| a.field(at).cmp(&b.field(at))).find(|o| o.is_ne()),
                (true, false) => Some(Ordering::Less),
                _ => Some(Ordering::Greater),
            };
            let order = order.unwrap_or(Ordering::Equal);
            match order {
                Ordering::Less => {
                    found.lost += 1;
                    self.item(&mut found, "row_lost", &a, None);
                }
                Ordering::Greater => {
                    found.added += 1;
                    self.item(&mut found, "row_added", &b, None);
                }
                Ordering::Equal => self.values(&mut found, &a, &b),
            }
            if order.is_le() {
                found.before += 1;
                left = a.next().map_err(named)?.is_some();
            }
            if order.is_ge() {
                found.after += 1;
                right = b.next().map_err(named)?.is_some();
            }
        }
        Ok(found)
    }

    fn values<A: BufRead, B: BufRead>(&self, found: &mut Found, a: &Tuples<A>, b: &Tuples<B>) {
        if !self.is_keyed() {
            return;
        }
        for (at, (column, _)) in self.common.iter().enumerate() {
            let at = at + self.key.len();
            if a.field(at) != b.field(at) {
                found.values += 1;
                if !found.columns.contains(&column.name) {
                    found.columns.insert(column.name.clone());
                }
                self.item(found, "value_changed", a, Some(&column.name));
            }
        }
    }

    fn item<R: BufRead>(&self, found: &mut Found, kind: &str, row: &Tuples<R>, column: Option<&str>) {
        if !self.is_keyed() || found.items.len() >= self.limit {
            return;
        }
        found.items.push(Difference {
            object: printable(&self.table.name),
            kind: kind.to_owned(),
            key: Some(self.shown(row)),
            column: column.map(printable),
        });
    }

    /// The key as it may be shown: an integer as it is, anything else as the start of its digest.
    fn shown<R: BufRead>(&self, row: &Tuples<R>) -> String {
        let field = |at| row.field(at).unwrap_or_default();
        let digest = match self.key.as_slice() {
            [only] if INTEGERS.contains(&only.type_name.as_str()) => {
                return String::from_utf8_lossy(field(0)).into_owned();
            }
            [_] => Digest::of(field(0)),
            several => {
                let mut hasher = Hasher::new();
                (0..several.len()).for_each(|at| hasher.framed(field(at)));
                hasher.finish()
            }
        };
        format!("sha256:{}", &digest.to_string()[..16])
    }
}
