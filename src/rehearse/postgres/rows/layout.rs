//! Which tables there are, and in which form each column is read.
//!
//! Must not: call a function or an operator that the database brings along.

use std::collections::{BTreeMap, HashMap};

use postgres::Client;

use super::StateError;

/// Oids below are PostgreSQL's own: the same in every cluster (`FirstNormalObjectId`).
const FIRST_OWN: i64 = 16384;
/// Sequences asked about in one statement.
const SEQUENCES: usize = 500;
/// The catalogue that holds the content of large objects.
const LARGE_OBJECTS: &str = "pg_catalog.pg_largeobject";

/// A column as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse::postgres) struct Column {
    pub(in crate::rehearse::postgres) name: String,
    pub(in crate::rehearse::postgres) type_name: String,
    /// Read as text, for its binary form means nothing elsewhere.
    pub(in crate::rehearse::postgres) as_text: bool,
}

impl Column {
    /// The expression that reads it.
    pub(super) fn select(&self) -> String {
        if self.as_text { text(&self.name) } else { quote(&self.name) }
    }
}

/// A relation that holds rows.
#[derive(Clone, Debug)]
pub(in crate::rehearse::postgres) struct Table {
    /// Schema and name, quoted where SQL needs it.
    pub(in crate::rehearse::postgres) name: String,
    /// Ascending by name.
    pub(in crate::rehearse::postgres) columns: Vec<Column>,
    /// The primary key's columns.
    pub(in crate::rehearse::postgres) key: Vec<String>,
    pub(super) pages: i64,
}

impl Table {
    /// The statement that gives the rows on pages `from` to before `to`; all of them without pages.
    pub(super) fn copy(&self, pages: Option<(i64, Option<i64>)>) -> String {
        let list: Vec<String> = self.columns.iter().map(Column::select).collect();
        let mut sql = format!("COPY (SELECT {} FROM ONLY {}", list.join(", "), self.name);
        if let Some((from, to)) = pages {
            sql.push_str(&format!(" WHERE ctid >= '({from},0)'::tid"));
            if let Some(to) = to {
                sql.push_str(&format!(" AND ctid < '({to},0)'::tid"));
            }
        }
        sql + ") TO STDOUT (FORMAT binary)"
    }
}

/// An identifier in SQL.
pub(in crate::rehearse::postgres) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The text of a column by its type's output function: a cast could be the database's own.
pub(in crate::rehearse::postgres) fn text(column: &str) -> String {
    let column = quote(column);
    // `IS NULL` holds for a row of nulls too; format gives an empty text for NULL.
    format!("CASE WHEN pg_catalog.num_nulls({column}) = 0 THEN pg_catalog.format('%s', {column}) END")
}

/// What there is to read, in ascending order of names, the large objects' pages last.
pub(in crate::rehearse::postgres) struct Layout {
    pub(in crate::rehearse::postgres) tables: Vec<Table>,
    pub(super) large_objects: bool,
    sequences: Vec<String>,
}

struct Type {
    kind: String,
    has_send: bool,
    is_name_of_object: bool,
    /// Element of an array, base of a domain, subtype of a range.
    of: i64,
    is_array: bool,
}

const TYPES: &str = "
    SELECT t.oid::int8, t.typtype::text, t.typsend <> 0, t.oid::int8 < 16384 AND t.typname LIKE 'reg%',
        COALESCE(NULLIF(t.typbasetype, 0), r.rngsubtype, m.rngsubtype, t.typelem)::int8, t.typsend = 'array_send'::regproc
    FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid";

/// A materialized view that was never filled has no rows to read; that it was not stands in the schema.
const TABLES: &str = "
    SELECT c.oid::int8, format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) / current_setting('block_size')::int8,
        ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(attnum, at)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.at)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       OR c.oid = 'pg_catalog.pg_largeobject'::regclass AND has_table_privilege(c.oid, 'SELECT')";

const COLUMNS: &str = "
    SELECT a.attrelid::int8, a.attname::text, a.atttypid::int8, format_type(a.atttypid, NULL)
    FROM pg_attribute a WHERE a.attrelid::int8 = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped";

const ALL_SEQUENCES: &str = "
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'";

impl Layout {
    /// Reads the catalogue under [`super::PINNED`].
    pub(in crate::rehearse::postgres) fn read(client: &mut Client) -> Result<Layout, StateError> {
        let failed = |e| StateError::server("the catalogue of tables", e);
        let mut types = HashMap::new();
        for row in client.query(TYPES, &[]).map_err(failed)? {
            let (kind, of) = (row.get(1), row.get::<_, Option<i64>>(4).unwrap_or(0));
            let (has_send, is_name_of_object, is_array) = (row.get(2), row.get(3), row.get(5));
            types.insert(row.get::<_, i64>(0), Type { kind, has_send, is_name_of_object, of, is_array });
        }
        let mut tables: BTreeMap<i64, Table> = BTreeMap::new();
        for row in client.query(TABLES, &[]).map_err(failed)? {
            let (name, pages, key) = (row.get(1), row.get(2), row.get(3));
            tables.insert(row.get(0), Table { name, columns: Vec::new(), key, pages });
        }
        let oids: Vec<i64> = tables.keys().copied().collect();
        for row in client.query(COLUMNS, &[&oids]).map_err(failed)? {
            let Some(table) = tables.get_mut(&row.get::<_, i64>(0)) else { continue };
            let as_text = as_text(&types, row.get(2), 0);
            table.columns.push(Column { name: row.get(1), type_name: row.get(3), as_text });
        }
        let mut tables: Vec<Table> = tables.into_values().collect();
        tables.iter_mut().for_each(|table| table.columns.sort_by(|a, b| a.name.cmp(&b.name)));
        tables.sort_by(|a, b| (a.name == LARGE_OBJECTS, &a.name).cmp(&(b.name == LARGE_OBJECTS, &b.name)));
        let large_objects = tables.last().is_some_and(|table| table.name == LARGE_OBJECTS);
        let sequences = client.query(ALL_SEQUENCES, &[]).map_err(failed)?;
        let sequences = sequences.iter().map(|row| row.get(0)).collect();
        Ok(Layout { tables, large_objects, sequences })
    }

    /// The position of each sequence; how many values are cached ahead in the log says nothing and is left out.
    pub(in crate::rehearse::postgres) fn positions(
        &self,
        client: &mut Client,
    ) -> Result<BTreeMap<String, String>, StateError> {
        let mut positions = BTreeMap::new();
        for names in self.sequences.chunks(SEQUENCES) {
            let one = |name: &String| {
                let literal = name.replace('\'', "''");
                format!(
                    "SELECT '{literal}', last_value::text || CASE WHEN is_called THEN ' called' ELSE '' END FROM {name}"
                )
            };
            let sql: Vec<String> = names.iter().map(one).collect();
            let rows = client.query(&sql.join(" UNION ALL "), &[]);
            for row in rows.map_err(|e| StateError::server("sequences", e))? {
                positions.insert(row.get(0), row.get(1));
            }
        }
        Ok(positions)
    }
}

/// Whether values of a type are read as text.
fn as_text(types: &HashMap<i64, Type>, oid: i64, depth: usize) -> bool {
    let Some(found) = types.get(&oid).filter(|_| depth < 32) else { return true };
    match found.kind.as_str() {
        // The binary form of an array begins with the oid of its elements' type.
        "b" if found.is_array => found.of >= FIRST_OWN || as_text(types, found.of, depth + 1),
        "b" => !found.has_send || found.is_name_of_object,
        "e" => false,
        "d" | "r" | "m" => as_text(types, found.of, depth + 1),
        _ => true, // a composite's binary form names its columns' types by oid
    }
}
