//! What is in a database: header fields, raw schema rows, and for each table its columns and its key.
//!
//! Asks SQLite's own catalogue and never reads the meaning of a stored `sql` text, save one question:
//! whether it begins with CREATE VIRTUAL TABLE, for such a table is never opened through its module.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::error::RowsError;
use super::frame;

/// The header fields that are content. Counters, cookies, free pages and the write-ahead flag are not:
/// they move with every commit, or with the way a copy was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse) struct Header {
    pub(in crate::rehearse) encoding: String,
    pub(in crate::rehearse) page_size: i64,
    pub(in crate::rehearse) auto_vacuum: i64,
    pub(in crate::rehearse) user_version: i64,
    pub(in crate::rehearse) application_id: i64,
}

/// One row of `sqlite_schema`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rehearse) struct SchemaRow {
    /// `type`, `name`, `tbl_name` and `sql`, framed as values: the stored bytes, whatever they are.
    pub(in crate::rehearse) framed: Vec<u8>,
    pub(in crate::rehearse) kind: String,
    pub(in crate::rehearse) name: String,
    /// The table that an index or a trigger belongs to.
    pub(in crate::rehearse) table: String,
    /// As UTF-8, with replacement characters where it is not: to be shown and compared as words only.
    pub(in crate::rehearse) sql: Option<String>,
    root: i64,
}

impl SchemaRow {
    /// Whether it is a virtual table: never opened, its rows stand in its shadow tables.
    pub(in crate::rehearse) fn is_virtual(&self) -> bool {
        let sql = self.sql.as_deref().unwrap_or_default();
        self.kind == "table" && super::sql::begins_with(sql, &["CREATE", "VIRTUAL", "TABLE"])
    }
}

/// What a row of a table stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse) enum Key {
    /// A rowid, and the name that reaches it.
    Rowid(String),
    /// WITHOUT ROWID: the columns of the primary key, in its order.
    Primary(Vec<KeyColumn>),
    /// `sqlite_sequence`: its rows stand for themselves. Their rowids mean nothing, and every rebuilt table moves them.
    Content,
    /// A rowid table whose columns hide all three names of the rowid: only the order of rows is seen.
    Position,
}

/// One column of a primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse) struct KeyColumn {
    /// Where it stands in [`Table::columns`].
    pub(in crate::rehearse) at: usize,
    pub(in crate::rehearse) descending: bool,
    pub(in crate::rehearse) collation: String,
}

/// SQLite's own table of AUTOINCREMENT counters.
pub(in crate::rehearse) const SEQUENCE: &str = "sqlite_sequence";

/// A table that holds rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse) struct Table {
    pub(in crate::rehearse) name: String,
    /// The stored columns: ordinary ones and generated ones that are STORED.
    pub(in crate::rehearse) columns: Vec<String>,
    pub(in crate::rehearse) key: Key,
    /// The column that is another name of the rowid, by its place.
    pub(in crate::rehearse) alias: Option<usize>,
    pub(in crate::rehearse) derived: bool,
    /// The page on which its tree begins.
    pub(in crate::rehearse) root: u32,
    /// What a stored record holds, in the order of the record; none where that is not known for certain.
    pub(in crate::rehearse) record: Option<Vec<Field>>,
}

/// One field of a stored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rehearse) struct Field {
    /// Where it stands in [`Table::columns`].
    pub(in crate::rehearse) at: usize,
    /// A REAL column: integers stored in it stand for REAL numbers.
    pub(in crate::rehearse) real: bool,
    /// It has a default, which stands for it in records older than the column.
    pub(in crate::rehearse) default: bool,
}

/// The catalogue of one database.
pub(in crate::rehearse) struct Layout {
    pub(in crate::rehearse) header: Header,
    pub(in crate::rehearse) schema: Vec<SchemaRow>,
    /// Sorted by the bytes of their names.
    pub(in crate::rehearse) tables: Vec<Table>,
}

/// Puts a name into SQL as an identifier.
pub(in crate::rehearse) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How columns are selected so that text arrives as its stored bytes.
#[derive(Clone, Copy)]
pub(in crate::rehearse) struct Select {
    utf16: bool,
}

impl Select {
    pub(in crate::rehearse) fn for_encoding(encoding: &str) -> Select {
        Select { utf16: encoding != "UTF-8" }
    }

    /// The result columns for an expression. SQLite hands text out as UTF-8, which maps different malformed
    /// UTF-16 texts to one: in such databases text comes as a blob, behind a column that says it is text.
    pub(in crate::rehearse) fn list(self, expression: &str) -> String {
        match self.utf16 {
            false => expression.to_owned(),
            true => format!(
                "typeof({expression})='text',CASE typeof({expression}) WHEN 'text' THEN CAST({expression} AS BLOB) ELSE {expression} END"
            ),
        }
    }

    /// Reads the `at`th expression, where `before` result columns stand before the first.
    pub(in crate::rehearse) fn value<'r>(
        self,
        row: &'r Row<'_>,
        before: usize,
        at: usize,
    ) -> rusqlite::Result<ValueRef<'r>> {
        if !self.utf16 {
            return row.get_ref(before + at);
        }
        let value = row.get_ref(before + 2 * at + 1)?;
        match (row.get_ref(before + 2 * at)?, value) {
            (ValueRef::Integer(1), ValueRef::Blob(bytes)) => Ok(ValueRef::Text(bytes)),
            _ => Ok(value),
        }
    }
}

impl Layout {
    pub(in crate::rehearse) fn read(c: &Connection) -> Result<Layout, RowsError> {
        let header = header(c).map_err(|e| RowsError::engine("the database header", e))?;
        let select = Select::for_encoding(&header.encoding);
        let schema = schema(c, select)?;
        let tables = tables(c, &schema)?;
        Ok(Layout { header, schema, tables })
    }
}

fn header(c: &Connection) -> rusqlite::Result<Header> {
    let number = |pragma: &str| c.query_row(&format!("PRAGMA main.{pragma}"), [], |row| row.get::<_, i64>(0));
    Ok(Header {
        encoding: c.query_row("PRAGMA main.encoding", [], |row| row.get(0))?,
        page_size: number("page_size")?,
        auto_vacuum: number("auto_vacuum")?,
        user_version: number("user_version")?,
        application_id: number("application_id")?,
    })
}

fn schema(c: &Connection, select: Select) -> Result<Vec<SchemaRow>, RowsError> {
    let what = "sqlite_schema";
    let failed = |e| RowsError::engine(what, e);
    let stored: Vec<String> = ["type", "name", "tbl_name", "sql"].map(|e| select.list(e)).into();
    let sql =
        format!("SELECT type, name, tbl_name, sql, rootpage, {} FROM main.sqlite_schema", stored.join(","));
    let mut statement = c.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut schema = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let mut framed = Vec::new();
        for at in 0..4 {
            frame::put_value(&mut framed, select.value(row, 5, at).map_err(failed)?);
        }
        let name = |at: usize| match row.get_ref(at) {
            Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| RowsError::Malformed(format!("a name in {what} is not UTF-8"))),
            _ => Err(RowsError::Malformed(format!("a name in {what} is not text"))),
        };
        let sql = match row.get_ref(3).map_err(failed)? {
            ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        let root = match row.get_ref(4).map_err(failed)? {
            ValueRef::Integer(root) => root,
            _ => 0,
        };
        schema.push(SchemaRow { framed, kind: name(0)?, name: name(1)?, table: name(2)?, sql, root });
    }
    schema.sort_unstable();
    Ok(schema)
}

/// The tables that virtual tables keep their rows in, by the suffix after the virtual table's name
/// (FTS3 to FTS5, R-tree, geopoly). A `_content` table is not derived: it holds the only copy of the texts.
const SHADOWS: [&str; 10] =
    ["config", "data", "docsize", "idx", "node", "parent", "rowid", "segdir", "segments", "stat"];

fn is_derived(name: &str, schema: &[SchemaRow]) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("sqlite_stat") {
        return true;
    }
    let suffix_of =
        |owner: &str| lower.strip_prefix(&owner.to_ascii_lowercase())?.strip_prefix('_').map(str::to_owned);
    schema
        .iter()
        .filter(|row| row.is_virtual())
        .filter_map(|row| suffix_of(&row.name))
        .any(|suffix| SHADOWS.contains(&suffix.as_str()))
}

fn tables(c: &Connection, schema: &[SchemaRow]) -> Result<Vec<Table>, RowsError> {
    let mut tables = Vec::new();
    for row in schema.iter().filter(|row| row.kind == "table" && !row.is_virtual()) {
        let clash = |other: &&SchemaRow| other.kind == "index" && other.name.eq_ignore_ascii_case(&row.name);
        if row.root < 2 || schema.iter().any(|other| clash(&other)) {
            let name = printable(&row.name);
            return Err(RowsError::Malformed(format!(
                "table {name} has no pages or shares its name with an index"
            )));
        }
        tables.push(table(c, row, is_derived(&row.name, schema))?);
    }
    tables.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(tables)
}

fn table(c: &Connection, row: &SchemaRow, derived: bool) -> Result<Table, RowsError> {
    let name = row.name.as_str();
    let failed = |e| RowsError::engine(&format!("the columns of table {}", printable(name)), e);
    let every: Vec<Column> = columns(c, name).map_err(failed)?;
    let columns: Vec<String> = every.iter().filter(|c| c.is_stored()).map(|c| c.name.clone()).collect();
    if columns.is_empty() {
        return Err(RowsError::Malformed(format!("table {} has no columns", printable(name))));
    }
    let (primary, order) = primary_key(c, name, &columns).map_err(failed)?;
    let mut alias = None;
    let key = if name == SEQUENCE {
        Key::Content
    } else if !primary.is_empty() {
        Key::Primary(primary)
    } else {
        let shows_rowid = rowid_column(c, name, &every).map_err(failed)?;
        alias = columns.iter().position(|c| shows_rowid.as_ref() == Some(c));
        let hidden = |alias: &&str| every.iter().any(|c| c.name.eq_ignore_ascii_case(alias));
        match ["rowid", "_rowid_", "oid"].iter().find(|alias| !hidden(alias)) {
            Some(alias) => Key::Rowid((*alias).to_owned()),
            None => shows_rowid.map_or(Key::Position, Key::Rowid),
        }
    };
    let field = |at: usize| {
        let column = every.iter().filter(|c| c.is_stored()).nth(at)?;
        Some(Field { at, real: column.is_real(), default: column.default })
    };
    let record = match &key {
        Key::Rowid(_) => (0..columns.len()).map(field).collect(),
        Key::Primary(_) if order.len() == columns.len() => order.into_iter().map(field).collect(),
        _ => None,
    };
    let root = u32::try_from(row.root).unwrap_or(0);
    Ok(Table { name: name.to_owned(), columns, key, alias, derived, root, record })
}

struct Column {
    name: String,
    /// 1-based place in the primary key; 0 outside of it.
    primary: i64,
    /// SQLite's code: 0 ordinary, 1 hidden, 2 generated when read, 3 generated and stored.
    hidden: i64,
    /// The declared type.
    kind: String,
    default: bool,
}

impl Column {
    /// Whether the declared type gives REAL affinity: SQLite's rules, in their order.
    fn is_real(&self) -> bool {
        let kind = self.kind.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
        !has(&["INT", "CHAR", "CLOB", "TEXT", "BLOB"]) && has(&["REAL", "FLOA", "DOUB"])
    }

    fn is_stored(&self) -> bool {
        matches!(self.hidden, 0 | 3)
    }
}

fn columns(c: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let sql = "SELECT name, pk, hidden, type, dflt_value IS NOT NULL FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
    c.prepare(sql)?
        .query_map([table], |row| {
            Ok(Column {
                name: row.get(0)?,
                primary: row.get(1)?,
                hidden: row.get(2)?,
                kind: row.get(3)?,
                default: row.get(4)?,
            })
        })?
        .collect()
}

/// The key columns of a WITHOUT ROWID table, and the order of columns in its records; nothing for other tables
/// (so `index_xinfo` of a table's own name is defined).
fn primary_key(
    c: &Connection,
    table: &str,
    columns: &[String],
) -> rusqlite::Result<(Vec<KeyColumn>, Vec<usize>)> {
    let sql = r#"SELECT name, "desc", coll, key FROM pragma_index_xinfo(?1, 'main') ORDER BY seqno"#;
    let mut statement = c.prepare(sql)?;
    let mut rows = statement.query([table])?;
    let (mut keys, mut order) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(0)?;
        let at = name.and_then(|name| columns.iter().position(|c| *c == name));
        order.extend(at);
        if row.get(3)? {
            let at = at.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            keys.push(KeyColumn { at, descending: row.get(1)?, collation: row.get(2)? });
        }
    }
    Ok((keys, order))
}

/// The column that is another name of the rowid: the only column of a primary key that has no index.
fn rowid_column(c: &Connection, table: &str, columns: &[Column]) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT count(*) FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'";
    let indexes: i64 = c.query_row(sql, [table], |row| row.get(0))?;
    let mut keys = columns.iter().filter(|c| c.primary > 0);
    Ok(match (keys.next(), keys.next(), indexes) {
        (Some(key), None, 0) => Some(key.name.clone()),
        _ => None,
    })
}

/// A name as the evidence may show it: as it is where it is NFC and without control characters or backslashes;
/// otherwise with every character outside of printable ASCII, and every backslash, as `\u{…}`. No two names
/// look alike this way, and canonical JSON takes them all.
pub(in crate::rehearse) fn printable(name: &str) -> String {
    if !name.contains('\\') && !name.chars().any(char::is_control) && unicode_normalization::is_nfc(name) {
        return name.to_owned();
    }
    name.chars().fold(String::new(), |mut out, c| {
        match c {
            ' '..='~' if c != '\\' => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
        out
    })
}
