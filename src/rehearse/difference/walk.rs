//! Walks two tables side by side in key order, and says which rows and columns differ.
//!
//! Memory does not grow with the tables: one row of each side is held at a time.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows, Statement};

use super::order::KeyOrder;
use crate::digest::Digest;
use crate::evidence::difference::Difference;
use crate::rehearse::rows::RowsError;
use crate::rehearse::rows::frame;
use crate::rehearse::rows::layout::{Key, Select, Table, printable};
use crate::rehearse::rows::scan;

/// The rows of one table in one of the two databases.
pub(super) struct Side<'a> {
    pub(super) c: &'a Connection,
    pub(super) table: &'a Table,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) lost: u64,
    pub(super) added: u64,
    /// Columns in which a value differs under a common key.
    pub(super) columns: BTreeSet<String>,
    /// Changed values under common keys.
    pub(super) values: u64,
    /// The same rows, under other rowids: how many.
    pub(super) renumbered: Option<u64>,
    /// The rows differ, but have no common key to say more.
    pub(super) unkeyed: bool,
    pub(super) items: Vec<Difference>,
}

/// How the rows of both sides are put in relation.
pub(super) enum Relation<'o> {
    Rowid,
    Primary(KeyOrder<'o>),
    Position,
    /// No common key: whether the rows are the same as a multiset.
    None,
}

/// A sum of row digests that does not depend on the order of rows: finds the same rows under other keys.
/// It serves to name a difference, never to deny one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Bag([u64; 4]);

impl Bag {
    fn add(&mut self, framed: &[u8]) {
        let digest = Digest::of(framed);
        for (sum, part) in self.0.iter_mut().zip(digest.as_bytes().chunks_exact(8)) {
            *sum = sum.wrapping_add(part.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
        }
    }
}

/// One walk over both sides of a table.
pub(super) struct Walk<'a> {
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
    pub(super) select: Select,
    /// The columns that both sides have: their place in each side's table.
    pub(super) common: Vec<(usize, usize)>,
    /// The columns of a common primary key, likewise.
    pub(super) keys: Vec<(usize, usize)>,
    /// Items to keep at most.
    pub(super) limit: usize,
}

struct Cursor<'s> {
    rows: Rows<'s>,
    what: String,
}

impl Cursor<'_> {
    fn step(&mut self) -> Result<bool, RowsError> {
        self.rows.advance().map_err(|e| RowsError::engine(&self.what, e))?;
        Ok(self.rows.get().is_some())
    }
}

impl<'a> Side<'a> {
    fn what(&self) -> String {
        format!("table {}", printable(&self.table.name))
    }

    fn statement(&self, select: Select) -> Result<Statement<'a>, RowsError> {
        let c: &'a Connection = self.c;
        scan::prepare(c, select, self.table).map_err(|e| RowsError::engine(&self.what(), e))
    }

    fn rows<'s>(&self, statement: &'s mut Statement<'_>) -> Result<Cursor<'s>, RowsError> {
        let rows = match &self.table.key {
            Key::Rowid(_) => statement.query([i64::MIN, i64::MAX]),
            _ => statement.query([]),
        };
        let what = self.what();
        Ok(Cursor { rows: rows.map_err(|e| RowsError::engine(&what, e))?, what })
    }

    /// Result columns before the first value.
    fn offset(&self) -> usize {
        usize::from(matches!(self.table.key, Key::Rowid(_)))
    }

    fn value<'r>(&self, select: Select, row: &'r Row<'_>, at: usize) -> rusqlite::Result<ValueRef<'r>> {
        select.value(row, self.offset(), at)
    }
}

impl Walk<'_> {
    /// Walks to the end of both sides.
    pub(super) fn run(&self, mut relation: Relation<'_>) -> Result<Found, RowsError> {
        let (mut left, mut right) = (self.before.statement(self.select)?, self.after.statement(self.select)?);
        let (mut left, mut right) = (self.before.rows(&mut left)?, self.after.rows(&mut right)?);
        let (mut has_left, mut has_right) = (left.step()?, right.step()?);
        let mut found = Found::default();
        let (mut bag_before, mut bag_after) = (Bag::default(), Bag::default());
        let (mut touched, mut scratch) = (0u64, Vec::new());
        loop {
            let (a, b) = (left.rows.get().filter(|_| has_left), right.rows.get().filter(|_| has_right));
            let order = match (a, b) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => self.order(&mut relation, a, b).map_err(|e| self.failed(e))?,
            };
            let unkeyed = matches!(relation, Relation::None);
            let mut differs = unkeyed || order != Ordering::Equal;
            if let (Some(a), Some(b), false) = (a, b, differs) {
                differs = self.values(a, b, &mut found).map_err(|e| self.failed(e))?;
            }
            if let (Some(a), true) = (a, differs && order != Ordering::Greater) {
                self.frame(&self.before, a, |(at, _)| *at, &mut scratch).map_err(|e| self.failed(e))?;
                bag_before.add(&scratch);
                touched += 1;
            }
            if let (Some(b), true) = (b, differs && order != Ordering::Less) {
                self.frame(&self.after, b, |(_, at)| *at, &mut scratch).map_err(|e| self.failed(e))?;
                bag_after.add(&scratch);
            }
            if order == Ordering::Less && !unkeyed {
                found.lost += 1;
                self.item(&mut found, "row_lost", a.map(|a| (&self.before, a)));
            }
            if order == Ordering::Greater && !unkeyed {
                found.added += 1;
                self.item(&mut found, "row_added", b.map(|b| (&self.after, b)));
            }
            if order != Ordering::Greater {
                found.before += 1;
                has_left = left.step()?;
            }
            if order != Ordering::Less {
                found.after += 1;
                has_right = right.step()?;
            }
        }
        let same_bag = bag_before == bag_after && found.before == found.after;
        match relation {
            Relation::None => found.unkeyed = !same_bag,
            Relation::Rowid if same_bag && touched > 0 => self.renumber(&mut found, touched),
            _ => {}
        }
        Ok(found)
    }

    /// The differences are other rowids for the same rows: says just that.
    fn renumber(&self, found: &mut Found, rows: u64) {
        let alias = self.before.table.alias.map(|at| printable(&self.before.table.columns[at]));
        found.items.retain(|item| item.kind == "row_lost");
        for item in &mut found.items {
            item.kind = "rowid_changed".to_owned();
            item.column.clone_from(&alias);
        }
        (found.lost, found.added, found.values) = (0, 0, 0);
        found.columns.clear();
        found.renumbered = Some(rows);
    }

    fn failed(&self, error: rusqlite::Error) -> RowsError {
        RowsError::engine(&self.before.what(), error)
    }

    fn order(&self, relation: &mut Relation<'_>, a: &Row<'_>, b: &Row<'_>) -> rusqlite::Result<Ordering> {
        let Relation::Primary(order) = relation else {
            return match relation {
                Relation::Rowid => Ok(a.get::<_, i64>(0)?.cmp(&b.get::<_, i64>(0)?)),
                _ => Ok(Ordering::Equal),
            };
        };
        let pair = |(l, r): &(usize, usize)| {
            Ok((self.before.value(self.select, a, *l)?, self.after.value(self.select, b, *r)?))
        };
        for place in &self.keys {
            let (l, r) = pair(place)?;
            if !same(l, r) {
                return order.compare(self.keys.iter().map(pair));
            }
        }
        Ok(Ordering::Equal)
    }

    /// Compares the values of two rows with a common key; true where one differs.
    fn values(&self, a: &Row<'_>, b: &Row<'_>, found: &mut Found) -> rusqlite::Result<bool> {
        let mut differs = false;
        for (l, r) in &self.common {
            let (x, y) = (self.before.value(self.select, a, *l)?, self.after.value(self.select, b, *r)?);
            if same(x, y) {
                continue;
            }
            differs = true;
            found.values += 1;
            let column = &self.before.table.columns[*l];
            if !found.columns.contains(column) {
                found.columns.insert(column.clone());
            }
            let kind = if x.data_type() == y.data_type() { "value_changed" } else { "class_changed" };
            if self.item(found, kind, Some((&self.before, a)))
                && let Some(item) = found.items.last_mut()
            {
                item.column = Some(printable(column));
            }
        }
        Ok(differs)
    }

    fn item(&self, found: &mut Found, kind: &str, row: Option<(&Side<'_>, &Row<'_>)>) -> bool {
        let Some((side, row)) = row.filter(|_| found.items.len() < self.limit) else { return false };
        let position = if kind == "row_added" { found.after } else { found.before };
        found.items.push(Difference {
            object: printable(&side.table.name),
            kind: kind.to_owned(),
            key: self.key(side, row, position).ok(),
            column: None,
        });
        true
    }

    /// The key as it may be shown: integers as they are, anything else as the start of its digest.
    fn key(&self, side: &Side<'_>, row: &Row<'_>, position: u64) -> rusqlite::Result<String> {
        Ok(match &side.table.key {
            Key::Rowid(_) => row.get::<_, i64>(0)?.to_string(),
            Key::Content | Key::Position => format!("#{position}"),
            Key::Primary(key) => {
                let mut framed = Vec::new();
                for column in key {
                    let value = side.value(self.select, row, column.at)?;
                    if let (ValueRef::Integer(number), 1) = (value, key.len()) {
                        return Ok(number.to_string());
                    }
                    if let (ValueRef::Text(bytes) | ValueRef::Blob(bytes), 1) = (value, key.len()) {
                        framed.extend_from_slice(bytes);
                    } else {
                        frame::put_value(&mut framed, value);
                    }
                }
                format!("sha256:{}", &Digest::of(&framed).to_string()[..16])
            }
        })
    }

    /// The row's common columns, but for the one that shows the rowid.
    fn frame(
        &self,
        side: &Side<'_>,
        row: &Row<'_>,
        place: impl Fn(&(usize, usize)) -> usize,
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<()> {
        out.clear();
        for pair in self.common.iter().filter(|pair| side.table.alias != Some(place(pair))) {
            frame::put_value(out, side.value(self.select, row, place(pair))?);
        }
        Ok(())
    }
}

/// Same storage class, same bytes.
pub(super) fn same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Null, ValueRef::Null) => true,
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a == b,
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a == b,
        _ => false,
    }
}
