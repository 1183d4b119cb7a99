//! Rows made up for tables that have none: what a way back loses shows only where there is something to lose.
//!
//! Owns: a few rows for each table, as far as its types, references and checks let them in. Must not: run as a superuser
//! (a table's triggers are the project's own), or be anything but filler: no row of anybody's is read.
//!
//! ```text
//! round   every table with fewer than ROWS rows: all columns filled, or else those alone that must be
//!         again while a round lets a row in: first those alone that have what they refer to
//! left    the tables that let no row in, by name
//! ```

use std::collections::BTreeMap;

use postgres::Client;

use super::cluster::{CLONE, OWNER, Place};
use super::failure;
use super::rows::layout::quote;
use crate::evidence::plan::postgresql::first_text;
use crate::rehearse::engine::Failure;
use crate::rehearse::survey::MadeRows;

/// Rows of each table.
const ROWS: i64 = 3;
/// Rounds at most: the longest chain of references that is followed.
const MAX_ROUNDS: usize = 16;

/// Columns that take a value: those that the server fills by itself are left to it. A reference stands with its table's
/// column and the order of the rows that it takes turns through; a check on this column alone with its text.
const COLUMNS: &str = "
    SELECT c.oid::regclass::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typtype::text, t.typcategory::text,
        COALESCE(b.typname, t.typname)::text, a.atttypmod, a.attnotnull OR t.typnotnull,
        (SELECT f.confrelid::regclass::text FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey) ORDER BY f.oid LIMIT 1),
        (SELECT (SELECT r.attname::text FROM pg_catalog.pg_attribute r WHERE r.attrelid = f.confrelid AND r.attnum = f.confkey[pg_catalog.array_position(f.conkey, a.attnum)])
         FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey) ORDER BY f.oid LIMIT 1),
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.attname), ', ' ORDER BY k.at) FROM
            (SELECT f.* FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey) ORDER BY f.oid LIMIT 1) f
            CROSS JOIN LATERAL pg_catalog.unnest(f.confkey) WITH ORDINALITY k(attnum, at)
            JOIN pg_catalog.pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = k.attnum),
        (SELECT pg_catalog.pg_get_constraintdef(h.oid) FROM pg_catalog.pg_constraint h WHERE h.conrelid = c.oid AND h.contype = 'c' AND h.conkey = ARRAY[a.attnum] ORDER BY h.oid LIMIT 1)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND a.attgenerated = '' AND a.attidentity = '' AND COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '^nextval\\('
    ORDER BY 1, a.attnum";

/// A column that takes a value.
struct Column {
    name: String,
    type_name: String,
    /// `e` for an enum, `d` for a domain.
    kind: String,
    category: String,
    base: String,
    modifier: i32,
    required: bool,
    /// Table, column and order of what it refers to.
    refers: Option<(String, String, String)>,
    check: Option<String>,
}

/// Fills the clone, and tells how far that went.
pub(super) fn fill(place: &Place) -> Result<MadeRows, Failure> {
    let failed = |e: postgres::Error| failure::of(&e, 0);
    let mut client = place.database(OWNER, CLONE).connect().map_err(failed)?;
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[]).map_err(failed)? {
        let refers: (Option<String>, Option<String>, Option<String>) = (row.get(8), row.get(9), row.get(10));
        let refers = match refers {
            (Some(table), Some(column), Some(order)) => Some((table, column, order)),
            _ => None,
        };
        let (modifier, required, check) = (row.get(6), row.get(7), row.get(11));
        let [name, type_name, kind, category, base] = [1, 2, 3, 4, 5].map(|at| row.get::<_, String>(at));
        let column = Column { name, type_name, kind, category, base, modifier, required, refers, check };
        tables.entry(row.get(0)).or_default().push(column);
    }
    client.batch_execute("BEGIN").map_err(failed)?;
    let mut made = MadeRows::default();
    // A reference that may be NULL is left so only where nothing else lets a row in.
    let mut patient = true;
    for _ in 0..MAX_ROUNDS {
        let before = made.rows;
        for (table, columns) in &tables {
            if !patient || has_what_it_refers_to(&mut client, table, columns).map_err(failed)? {
                made.rows += rows_for(&mut client, table, columns).map_err(failed)?;
            }
        }
        let moved = made.rows > before;
        if !moved && !patient {
            break;
        }
        patient = moved;
    }
    for table in tables.keys() {
        if count(&mut client, table).map_err(failed)? == 0 {
            made.left_empty.push(table.clone());
        }
    }
    client.batch_execute("COMMIT").map_err(failed)?;
    Ok(made)
}

fn count(client: &mut Client, table: &str) -> Result<i64, postgres::Error> {
    client.query_one(&format!("SELECT pg_catalog.count(*) FROM {table}"), &[]).map(|row| row.get(0))
}

fn has_what_it_refers_to(
    client: &mut Client,
    table: &str,
    columns: &[Column],
) -> Result<bool, postgres::Error> {
    for (other, ..) in columns.iter().filter_map(|column| column.refers.as_ref()) {
        if other != table && count(client, other)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Inserts what is missing of one table, as far as it is let in.
fn rows_for(client: &mut Client, table: &str, columns: &[Column]) -> Result<u64, postgres::Error> {
    let mut made = 0;
    for n in count(client, table)? + 1..=ROWS {
        let whole = insert(table, columns.iter(), n);
        let least = insert(table, columns.iter().filter(|column| column.required), n);
        let mut done = false;
        for sql in [whole, least] {
            client.batch_execute("SAVEPOINT fix7_row")?;
            done = client.batch_execute(&sql).is_ok();
            if done {
                break;
            }
            client.batch_execute("ROLLBACK TO SAVEPOINT fix7_row")?;
        }
        match done {
            true => made += 1,
            false => break,
        }
    }
    Ok(made)
}

fn insert<'c>(table: &str, columns: impl Iterator<Item = &'c Column>, n: i64) -> String {
    let (names, values): (Vec<String>, Vec<String>) =
        columns.map(|column| (quote(&column.name), column.value(n))).unzip();
    match names.is_empty() {
        true => format!("INSERT INTO {table} DEFAULT VALUES"),
        false => format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", ")),
    }
}

impl Column {
    /// The expression of its value in row `n`: another one in each, so that what must be unique is.
    fn value(&self, n: i64) -> String {
        if let Some((table, column, order)) = &self.refers {
            let turn = format!("{} % greatest((SELECT pg_catalog.count(*) FROM {table}), 1)", n - 1);
            return format!("(SELECT {} FROM {table} ORDER BY {order} LIMIT 1 OFFSET {turn})", quote(column));
        }
        if self.kind == "e" {
            let labels = format!("pg_catalog.enum_range(NULL::{})", self.type_name);
            return format!("({labels})[1 + {} % pg_catalog.array_length({labels}, 1)]", n - 1);
        }
        if self.category == "A" {
            return format!("'{{}}'::{}", self.type_name);
        }
        format!("'{}'::{}", self.literal(n).replace('\'', "''"), self.type_name)
    }

    /// A text that its type reads.
    fn literal(&self, n: i64) -> String {
        match self.base.as_str() {
            "bool" => if n % 2 == 1 { "true" } else { "false" }.to_owned(),
            "uuid" => format!("00000000-0000-4000-8000-{n:012}"),
            "date" | "timestamp" | "timestamptz" => format!("2024-01-{n:02}"),
            "time" | "timetz" => format!("00:00:{n:02}"),
            "interval" => format!("{n} days"),
            "json" | "jsonb" => format!("{{\"k\": {n}}}"),
            "bytea" => format!("\\x{n:02x}"),
            "inet" => format!("10.0.0.{n}"),
            "cidr" => format!("10.0.{n}.0/24"),
            "macaddr" => format!("08:00:2b:01:02:{n:02x}"),
            "hstore" => format!("k=>{n}"),
            "text" | "varchar" | "bpchar" | "citext" | "name" => self.words(n),
            _ => n.to_string(),
        }
    }

    /// A value that a check names, or the column's name and a number, cut to the type's length at its beginning.
    fn words(&self, n: i64) -> String {
        if let Some(text) = self.check.as_deref().and_then(first_text) {
            return text;
        }
        let text = format!("{}-{n}", self.name);
        // A length is kept with the four bytes of its header.
        let most = usize::try_from(self.modifier - 4).unwrap_or(usize::MAX);
        let skipped = text.chars().count().saturating_sub(most);
        text.chars().skip(skipped).collect()
    }
}
