//! What differs between two databases: header, schema, then every table row by row.
//!
//! Owns: finding the differences; their vocabulary stands in [`crate::evidence::difference`]. Must not: write,
//! or let a row's value into the result. Rows are compared as stored: by storage class and by bytes.
//!
//! ```text
//! both tables have rowids, or the same primary key ─► merge by key   ─► lost · added · values · rowids
//! the key itself changed                           ─► as multisets  ─► equal or not
//! a table or a column is there once only           ─► what it held
//! ```

pub(super) mod listing;
mod order;
mod schema;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::evidence::difference::{Differences, Equality};
use crate::rehearse::rows::layout::{Key, Layout, SEQUENCE, Select, Table, printable, quote};
use crate::rehearse::rows::{self, RowDigest, RowsError, frame};
use listing::Listing;
use order::KeyOrder;
use schema::Database;
use walk::{Found, Relation, Side, Walk};

/// Compares two quiet database files. The result lists at most `limit` differences; its totals are exact.
///
/// # Errors
/// See [`RowsError`].
pub fn between(before: &Path, after: &Path, limit: usize) -> Result<Differences, RowsError> {
    compare(before, after, limit, None)
}

/// As [`between`], but skips the tables whose digests are known to be equal.
///
/// # Errors
/// See [`RowsError`].
pub fn between_digested(
    before: (&Path, &RowDigest),
    after: (&Path, &RowDigest),
    limit: usize,
) -> Result<Differences, RowsError> {
    compare(before.0, after.0, limit, Some((before.1, after.1)))
}

fn compare(
    before: &Path,
    after: &Path,
    limit: usize,
    known: Option<(&RowDigest, &RowDigest)>,
) -> Result<Differences, RowsError> {
    let (left, right) = (rows::open(before)?, rows::open(after)?);
    let (a, b) = (Layout::read(&left)?, Layout::read(&right)?);
    let (before, after) = (Database { c: &left, layout: &a }, Database { c: &right, layout: &b });
    let mut report = Report { list: Listing::of(limit), schema_differs: false };
    for named in schema::header(&a, &b).into_iter().chain(schema::rows(before, after)?) {
        report.schema(named);
    }
    let twins = Twins::new(&a, &b);
    for (table, twin) in &twins.0 {
        match (table, twin) {
            (Some(table), Some(twin)) if is_known_equal(known, table, twin) => {}
            (Some(table), Some(twin)) if table.name == SEQUENCE => {
                report.counters(Some((before, table)), Some((after, twin)))?;
            }
            (Some(table), None) if table.name == SEQUENCE => report.counters(Some((before, table)), None)?,
            (None, Some(twin)) if twin.name == SEQUENCE => report.counters(None, Some((after, twin)))?,
            (Some(table), Some(twin)) => report.table(before, table, after, twin)?,
            (Some(table), None) => report.alone(before, table, "rows_lost_with_table", "row_lost")?,
            (None, Some(twin)) => report.alone(after, twin, "rows_extra_table", "row_added")?,
            (None, None) => {}
        }
    }
    report.finish(before, after)
}

/// The tables of both sides, brought together by name.
struct Twins<'a>(Vec<(Option<&'a Table>, Option<&'a Table>)>);

impl<'a> Twins<'a> {
    fn new(before: &'a Layout, after: &'a Layout) -> Twins<'a> {
        let mut twins: BTreeMap<String, (Option<&Table>, Option<&Table>)> = BTreeMap::new();
        for table in &before.tables {
            twins.entry(table.name.to_ascii_lowercase()).or_default().0 = Some(table);
        }
        for table in &after.tables {
            twins.entry(table.name.to_ascii_lowercase()).or_default().1 = Some(table);
        }
        Twins(twins.into_values().collect())
    }
}

fn is_known_equal(known: Option<(&RowDigest, &RowDigest)>, table: &Table, twin: &Table) -> bool {
    let find = |digest: &RowDigest, table: &Table| {
        let name = printable(&table.name);
        digest.tables.iter().find(|t| t.name == name).map(|t| t.root)
    };
    // A table's root says nothing of the encoding in which its text is stored: the header's does.
    known.is_some_and(|(a, b)| {
        a.header == b.header && find(a, table).is_some() && find(a, table) == find(b, twin)
    })
}

/// The columns of both sides, brought together by name: their places.
fn common_columns(table: &Table, twin: &Table) -> Vec<(usize, usize)> {
    let place = |name: &String| twin.columns.iter().position(|c| c.eq_ignore_ascii_case(name));
    table.columns.iter().enumerate().filter_map(|(at, name)| Some((at, place(name)?))).collect()
}

/// The same key on both sides, so that rows come in the same order: the places of its columns.
fn common_key(table: &Table, twin: &Table) -> Option<Vec<(usize, usize)>> {
    let (Key::Primary(a), Key::Primary(b)) = (&table.key, &twin.key) else { return None };
    let same = a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            table.columns[a.at].eq_ignore_ascii_case(&twin.columns[b.at])
                && a.descending == b.descending
                && a.collation.eq_ignore_ascii_case(&b.collation)
        });
    same.then(|| a.iter().zip(b).map(|(a, b)| (a.at, b.at)).collect())
}

struct Report {
    list: Listing,
    /// Whether more than the text of CREATE statements differs.
    schema_differs: bool,
}

impl Report {
    fn schema(&mut self, named: schema::Named) {
        self.list.named(named.object, named.kind, None);
        self.list.schema_codes.push(named.code);
        self.schema_differs |= !named.text_only;
    }

    /// A table that only one side has.
    fn alone(&mut self, side: Database<'_>, table: &Table, code: &str, kind: &str) -> Result<(), RowsError> {
        let rows = query(side, table, &format!("SELECT count(*) FROM main.{}", quote(&table.name)))?;
        self.list.alone(&table.name, u64::try_from(rows).unwrap_or_default(), code, kind);
        Ok(())
    }

    /// A table that both sides have.
    fn table(
        &mut self,
        before: Database<'_>,
        table: &Table,
        after: Database<'_>,
        twin: &Table,
    ) -> Result<(), RowsError> {
        let name = printable(&table.name);
        let encoding = &before.layout.header.encoding;
        let same_encoding = *encoding == after.layout.header.encoding;
        // Texts of different encodings have no bytes in common: then they are compared as UTF-8.
        let compared = if same_encoding { encoding.as_str() } else { "UTF-8" };
        let keys = common_key(table, twin).filter(|_| same_encoding);
        let collating = collating(compared)?;
        let relation = match (&table.key, &twin.key, &keys) {
            (Key::Rowid(_), Key::Rowid(_), _) => Relation::Rowid,
            (Key::Position, Key::Position, _) => Relation::Position,
            (Key::Primary(key), _, Some(_)) => Relation::Primary(
                KeyOrder::new(&collating, key).map_err(|e| RowsError::engine(&format!("table {name}"), e))?,
            ),
            _ => Relation::None,
        };
        let walk = Walk {
            before: Side { c: before.c, table },
            after: Side { c: after.c, table: twin },
            select: Select::for_encoding(compared),
            common: common_columns(table, twin),
            keys: keys.unwrap_or_default(),
            limit: self.list.room(),
        };
        let found = walk.run(relation)?;
        let gone: Vec<&String> = table
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| walk.common.iter().all(|(l, _)| l != at))
            .map(|(_, name)| name)
            .collect();
        let mut lost = Vec::new();
        for column in gone {
            let sql = "SELECT EXISTS(SELECT 1 FROM main.";
            let sql = format!("{sql}{} AS t WHERE t.{} IS NOT NULL)", quote(&table.name), quote(column));
            if query(before, table, &sql)? != 0 {
                lost.push(printable(column));
            }
        }
        let codes = row_codes(&name, table, &found, &lost);
        if table.derived && !codes.is_empty() {
            self.list.row_codes.push(format!("derived:{name}"));
        } else {
            self.list.row_codes.extend(codes);
        }
        let total = found.lost + found.added + found.values + found.renumbered.unwrap_or(0);
        self.list.found(total, found.items);
        if found.unkeyed {
            self.list.item(&table.name, "rows_changed", None);
        }
        for column in lost {
            self.list.item(&table.name, "column_lost", Some(column));
        }
        Ok(())
    }

    /// The AUTOINCREMENT counters, by the table that they count for.
    fn counters(
        &mut self,
        before: Option<(Database<'_>, &Table)>,
        after: Option<(Database<'_>, &Table)>,
    ) -> Result<(), RowsError> {
        let read =
            |side: Option<(Database<'_>, &Table)>| side.map_or(Ok(BTreeMap::new()), |(d, t)| counters(d, t));
        let (left, right) = (read(before)?, read(after)?);
        let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let none = Counter { framed: Vec::new(), shown: "none".to_owned() };
        for name in names {
            let (a, b) = (left.get(name).unwrap_or(&none), right.get(name).unwrap_or(&none));
            if a.framed != b.framed {
                self.list.row_codes.push(format!("{SEQUENCE}:{name}({}->{})", a.shown, b.shown));
                self.list.item(SEQUENCE, "counter_changed", Some(name.clone()));
            }
        }
        Ok(())
    }

    fn finish(mut self, before: Database<'_>, after: Database<'_>) -> Result<Differences, RowsError> {
        let list = &mut self.list;
        if list.schema_codes == [format!("extra_table:{SEQUENCE}")] && list.row_codes.is_empty() {
            list.schema_codes.push(format!("{SEQUENCE}_table_left"));
        }
        if list.schema_codes.is_empty() && object_order(before.c)? != object_order(after.c)? {
            list.schema_codes.push("object_order".to_owned());
        }
        let equality = match (list.row_codes.is_empty(), self.schema_differs, list.is_empty()) {
            (false, ..) => Equality::RowsDiffer,
            (_, true, _) => Equality::SchemaDiffersOnly,
            (.., false) => Equality::ExactNormalised,
            _ => Equality::Exact,
        };
        Ok(self.list.finish(equality))
    }
}

fn row_codes(name: &str, table: &Table, found: &Found, lost_columns: &[String]) -> Vec<String> {
    let mut codes = Vec::new();
    if found.before != found.after {
        // Rows that moved up to fill a gap would look like changed values: the count says it all.
        codes.push(format!("row_count:{name}({}->{})", found.before, found.after));
    } else {
        if found.lost > 0 {
            codes.push(format!("rows_replaced:{name}({})", found.lost));
        }
        if !found.columns.is_empty() {
            let columns: Vec<String> = found.columns.iter().map(|c| printable(c)).collect();
            codes.push(format!("values:{name}({})", columns.join("+")));
        }
    }
    match (found.renumbered, table.alias) {
        (Some(_), Some(at)) => codes.push(format!("values:{name}({})", printable(&table.columns[at]))),
        (Some(rows), None) => codes.push(format!("rowids:{name}({rows})")),
        (None, _) => {}
    }
    if found.unkeyed && found.before == found.after {
        codes.push(format!("rows_replaced:{name}({})", found.before));
    }
    if !lost_columns.is_empty() {
        codes.push(format!("column_values_lost:{name}({})", lost_columns.join("+")));
    }
    codes
}

fn query(side: Database<'_>, table: &Table, sql: &str) -> Result<i64, RowsError> {
    let failed = |e| RowsError::engine(&format!("table {}", printable(&table.name)), e);
    side.c.query_row(sql, [], |row| row.get(0)).map_err(failed)
}

/// An empty database whose texts have this encoding: where keys are compared.
fn collating(encoding: &str) -> Result<Connection, RowsError> {
    let open = || {
        let c = Connection::open_in_memory()?;
        c.pragma_update(None, "encoding", encoding)?;
        Ok(c)
    };
    open().map_err(|e| RowsError::engine("an empty database", e))
}

/// A counter: what is compared, and what is shown.
struct Counter {
    framed: Vec<u8>,
    shown: String,
}

fn counters(side: Database<'_>, table: &Table) -> Result<BTreeMap<String, Counter>, RowsError> {
    let select = Select::for_encoding(&side.layout.header.encoding);
    let read = || -> rusqlite::Result<BTreeMap<String, Counter>> {
        let mut counters: BTreeMap<String, Counter> = BTreeMap::new();
        let list = [select.list("name"), select.list("seq")].join(",");
        let sql = format!("SELECT name, {list} FROM main.sqlite_sequence ORDER BY name, typeof(seq), seq");
        let mut statement = side.c.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // Only a table's name and an integer may be shown: the table takes any rows.
            let name = row.get_ref(0)?.as_str().map_or_else(|_| "?".to_owned(), printable);
            let seq = select.value(row, 1, 1)?;
            let shown = match seq {
                ValueRef::Integer(n) => n.to_string(),
                other => other.data_type().to_string().to_ascii_lowercase(),
            };
            let counter =
                counters.entry(name).or_insert(Counter { framed: Vec::new(), shown: String::new() });
            frame::put_value(&mut counter.framed, select.value(row, 1, 0)?);
            frame::put_value(&mut counter.framed, seq);
            let comma = if counter.shown.is_empty() { "" } else { "," };
            counter.shown = format!("{}{comma}{shown}", counter.shown);
        }
        Ok(counters)
    };
    read().map_err(|e| RowsError::engine(&printable(&table.name), e))
}

/// The schema's objects in the order in which they stand.
fn object_order(c: &Connection) -> Result<Vec<(String, String)>, RowsError> {
    let read = || -> rusqlite::Result<Vec<(String, String)>> {
        c.prepare("SELECT type, name FROM main.sqlite_schema ORDER BY rowid")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    read().map_err(|e| RowsError::engine("sqlite_schema", e))
}

#[cfg(test)]
mod tests;
