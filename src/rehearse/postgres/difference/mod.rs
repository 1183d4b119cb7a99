//! What differs between two PostgreSQL databases: schema, then every table row by row, then sequences.
//!
//! Owns: finding the differences; their vocabulary stands in [`crate::evidence::difference`]. Must not: write, or
//! let a row's value into the result.
//!
//! ```text
//! both tables have the same primary key ─► merge by key          ─► lost · added · values
//! no common key                         ─► merge by whole rows   ─► how many are lost and added
//! a table or a column is there once only ─► what it held
//! ```
//!
//! Only tables whose digests differ are sorted, by the bytes of their keys' texts: an order that the server and
//! this program agree on whatever collations say.

mod walk;

use std::collections::BTreeMap;

use postgres::Client;

use super::Database;
use super::rows::layout::{Layout, Table, quote};
use super::rows::{PINNED, State, StateError};
use super::schema::Schema;
use crate::evidence::difference::{Differences, Equality};
use crate::rehearse::difference::listing::Listing;
use crate::rehearse::rows::layout::printable;
use walk::{Found, Walk};

/// One of the two databases, in a snapshot of its own.
struct Side {
    client: Client,
    layout: Layout,
    schema: Schema,
    sequences: BTreeMap<String, String>,
}

impl Side {
    fn open(database: &Database) -> Result<Side, StateError> {
        let failed = |e| StateError::server("the database", e);
        let mut client = database.connect().map_err(failed)?;
        client
            .batch_execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {PINNED}"))
            .map_err(failed)?;
        let (layout, schema) = (Layout::read(&mut client)?, Schema::read(&mut client)?);
        let sequences = layout.positions(&mut client)?;
        Ok(Side { client, layout, schema, sequences })
    }

    fn count(&mut self, table: &Table, sql: &str) -> Result<u64, StateError> {
        let row = self.client.query_one(sql, &[]).map_err(|e| StateError::server(&table.name, e))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }
}

/// Compares two databases. The result lists at most `limit` differences; its totals are exact.
///
/// Tables whose digests are equal in the `known` states are not read again.
///
/// # Errors
/// See [`StateError`].
pub fn between(
    before: &Database,
    after: &Database,
    known: Option<(&State, &State)>,
    limit: usize,
) -> Result<Differences, StateError> {
    let (mut a, mut b) = (Side::open(before)?, Side::open(after)?);
    let mut report = Report { list: Listing::of(limit), ..Report::default() };
    for named in a.schema.differences(&b.schema) {
        let kind = named.code.split(':').next().unwrap_or_default().to_owned();
        report.list.item(&named.object, &kind, None);
        report.order_differs |= named.order_only;
        report.schema_differs |= !named.order_only;
        report.list.schema_codes.push(printable(&named.code));
    }
    let mut twins: BTreeMap<String, (Option<Table>, Option<Table>)> = BTreeMap::new();
    for table in &a.layout.tables {
        twins.entry(table.name.clone()).or_default().0 = Some(table.clone());
    }
    for table in &b.layout.tables {
        twins.entry(table.name.clone()).or_default().1 = Some(table.clone());
    }
    for (name, twins) in twins {
        match twins {
            (Some(_), Some(_)) if is_known_equal(known, &name) => {}
            (Some(table), Some(twin)) => report.table(&mut a, &table, &mut b, &twin)?,
            (Some(table), None) => report.alone(&mut a, &table, "rows_lost_with_table", "row_lost")?,
            (None, Some(twin)) => report.alone(&mut b, &twin, "rows_extra_table", "row_added")?,
            (None, None) => {}
        }
    }
    report.sequences(&a.sequences, &b.sequences);
    Ok(report.finish())
}

fn is_known_equal(known: Option<(&State, &State)>, name: &str) -> bool {
    let find = |state: &State| {
        let tables = state.tables.iter().chain(&state.apart.large_objects);
        tables.clone().find(|table| table.name == name).map(|table| table.root)
    };
    known.is_some_and(|(a, b)| find(a).is_some() && find(a) == find(b))
}

#[derive(Default)]
struct Report {
    list: Listing,
    /// More than the order of columns.
    schema_differs: bool,
    order_differs: bool,
    rows_differ: bool,
    sequences_differ: bool,
}

impl Report {
    /// A table that only one side has.
    fn alone(&mut self, side: &mut Side, table: &Table, code: &str, kind: &str) -> Result<(), StateError> {
        let rows = side.count(table, &format!("SELECT count(*) FROM ONLY {}", table.name))?;
        self.rows_differ |= rows > 0;
        self.list.alone(&table.name, rows, code, kind);
        Ok(())
    }

    /// A table that both sides have.
    fn table(&mut self, a: &mut Side, table: &Table, b: &mut Side, twin: &Table) -> Result<(), StateError> {
        let walk = Walk::new(table, twin, self.list.room());
        let found = walk.run(&mut a.client, &mut b.client)?;
        let name = printable(&table.name);
        let mut lost = Vec::new();
        for column in table.columns.iter().filter(|c| twin.columns.iter().all(|t| t.name != c.name)) {
            let sql = format!(
                "SELECT count(*) FROM (SELECT FROM ONLY {} WHERE pg_catalog.num_nulls({}) = 0 LIMIT 1) held",
                table.name,
                quote(&column.name)
            );
            if a.count(table, &sql)? > 0 {
                lost.push(printable(&column.name));
            }
        }
        let codes = row_codes(&name, &found, &lost);
        self.rows_differ |= !codes.is_empty();
        self.list.row_codes.extend(codes);
        if walk.is_keyed() {
            self.list.found(found.lost + found.added + found.values, found.items);
        } else if found.lost + found.added > 0 {
            self.list.item(&table.name, "rows_changed", None);
        }
        for column in lost {
            self.list.item(&table.name, "column_lost", Some(column));
        }
        Ok(())
    }

    fn sequences(&mut self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
            let shown = |side: Option<&String>| side.map_or("none".to_owned(), String::clone);
            let (from, to) = (before.get(name), after.get(name));
            // One that has never been used holds no position: the schema says that it came or went.
            let used = |side: Option<&String>| side.is_some_and(|position| position.ends_with(" called"));
            let alone = from.is_none() || to.is_none();
            if from == to || alone && !used(from) && !used(to) {
                continue;
            }
            self.sequences_differ = true;
            self.list.row_codes.push(format!("sequence:{}({}->{})", printable(name), shown(from), shown(to)));
            self.list.item(name, "counter_changed", None);
        }
    }

    fn finish(self) -> Differences {
        let equality = match self {
            Report { rows_differ: true, .. } => Equality::RowsDiffer,
            Report { schema_differs: true, .. } => Equality::SchemaDiffersOnly,
            Report { sequences_differ: true, .. } => Equality::ExactButSequence,
            Report { order_differs: true, .. } => Equality::ExactButColumnOrder,
            _ => Equality::Exact,
        };
        self.list.finish(equality)
    }
}

fn row_codes(name: &str, found: &Found, lost_columns: &[String]) -> Vec<String> {
    let mut codes = Vec::new();
    if found.before != found.after {
        codes.push(format!("row_count:{name}({}->{})", found.before, found.after));
    } else if found.lost > 0 {
        codes.push(format!("rows_replaced:{name}({})", found.lost));
    }
    if !found.columns.is_empty() {
        let columns: Vec<String> = found.columns.iter().map(|c| printable(c)).collect();
        codes.push(format!("values:{name}({})", columns.join("+")));
    }
    if !lost_columns.is_empty() {
        codes.push(format!("column_values_lost:{name}({})", lost_columns.join("+")));
    }
    codes
}
