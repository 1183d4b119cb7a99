//! The list of differences while it grows, of either engine: the first ones are kept, all are counted.

use crate::evidence::difference::{Difference, Differences, Equality};
use crate::rehearse::rows::layout::printable;

#[derive(Default)]
pub(in crate::rehearse) struct Listing {
    limit: usize,
    pub(in crate::rehearse) schema_codes: Vec<String>,
    pub(in crate::rehearse) row_codes: Vec<String>,
    items: Vec<Difference>,
    total: u64,
}

impl Listing {
    /// An empty list that keeps at most `limit` differences.
    pub(in crate::rehearse) fn of(limit: usize) -> Listing {
        Listing { limit, ..Listing::default() }
    }

    /// How many more are kept.
    pub(in crate::rehearse) fn room(&self) -> usize {
        self.limit.saturating_sub(self.items.len())
    }

    pub(in crate::rehearse) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// A difference of an object, or of one of its columns.
    pub(in crate::rehearse) fn item(&mut self, object: &str, kind: &str, column: Option<String>) {
        self.named(printable(object), kind.to_owned(), column);
    }

    /// The same, of names that are printable already.
    pub(in crate::rehearse) fn named(&mut self, object: String, kind: String, column: Option<String>) {
        self.total += 1;
        if self.room() > 0 {
            self.items.push(Difference { object, kind, key: None, column });
        }
    }

    /// A table with rows that only one side has.
    pub(in crate::rehearse) fn alone(&mut self, table: &str, rows: u64, code: &str, kind: &str) {
        if rows > 0 {
            self.row_codes.push(format!("{code}:{}({rows})", printable(table)));
            self.item(table, kind, None);
            self.total += rows - 1;
        }
    }

    /// What a walk over one table found: how many differences, and those that it kept.
    pub(in crate::rehearse) fn found(&mut self, total: u64, items: Vec<Difference>) {
        self.total += total;
        self.items.extend(items);
    }

    /// The whole, with its codes in order.
    pub(in crate::rehearse) fn finish(self, equality: Equality) -> Differences {
        let Listing { mut schema_codes, mut row_codes, items, total, .. } = self;
        schema_codes.sort_unstable();
        row_codes.sort_unstable();
        Differences { equality, schema_codes, row_codes, items, total }
    }
}
