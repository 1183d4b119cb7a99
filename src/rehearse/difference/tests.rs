//! Every code of the vocabulary from a change that causes it, and nothing from one that does not.

use super::*;

const BASE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n);
    INSERT INTO t VALUES(1, 'secret one', 10), (2, 'secret two', 20), (3, 'secret three', 30);
    CREATE TABLE plain(a, b); INSERT INTO plain VALUES('x', 1), ('y', 2), ('z', 3);
    CREATE TABLE keyed(k TEXT COLLATE NOCASE, j, v, PRIMARY KEY(k, j DESC)) WITHOUT ROWID;
    INSERT INTO keyed VALUES('a', 1, 1), ('a', 2, 2), ('B', 1, 3), ('c', 1.5, 4);
    CREATE INDEX i ON t(name); CREATE VIEW v AS SELECT * FROM t;";

fn differences_of(base: &str, change: &str) -> Differences {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (dir.path().join("a.db"), dir.path().join("b.db"));
    for (path, sql) in [(&a, String::new()), (&b, change.to_owned())] {
        let c = Connection::open(path).expect("a file");
        c.execute_batch("PRAGMA foreign_keys=OFF").expect("set");
        c.execute_batch(&format!("{base};{sql}")).expect(change);
    }
    let found = between(&a, &b, 100).expect(change);
    let digest = |path| rows::of_file(path, 2, &|_| {}).expect("a digest");
    let (before, after) = (digest(&a), digest(&b));
    assert_eq!(found.equality == Equality::Exact, before.root == after.root, "{change}: {found:?}");
    assert_eq!(between_digested((&a, &before), (&b, &after), 100).expect(change), found, "{change}");
    let few = between(&a, &b, 1).expect(change);
    assert_eq!((few.total, few.items.len()), (found.total, found.items.len().min(1)), "{change}");
    let text = serde_json::to_string(&found).expect("JSON");
    assert!(!text.contains("secret"), "a value is in {text}");
    crate::canon::to_vec(&found).expect("canonical");
    found
}

fn codes(change: &str) -> (Equality, Vec<String>) {
    let found = differences_of(BASE, change);
    (found.equality, [found.schema_codes, found.row_codes].concat())
}

#[test]
fn each_kind_of_change_has_its_code() {
    use Equality::{Exact, ExactNormalised, RowsDiffer, SchemaDiffersOnly};
    for (change, equality, code) in [
        ("", Exact, ""),
        ("UPDATE t SET n = n", Exact, ""),
        (
            "DROP INDEX i; DROP VIEW v; CREATE VIEW v AS SELECT * FROM t; CREATE INDEX i ON t(name)",
            Exact,
            "object_order",
        ),
        ("DROP INDEX i; CREATE INDEX I ON \"t\" ( name ) /* again */", ExactNormalised, "text_only:index:i"),
        ("DROP INDEX i; CREATE INDEX i ON t(n)", SchemaDiffersOnly, "sql_differs:index:i"),
        ("DROP INDEX i", SchemaDiffersOnly, "missing_index:i"),
        ("CREATE VIEW w AS SELECT 1", SchemaDiffersOnly, "extra_view:w"),
        ("CREATE TABLE e(a)", SchemaDiffersOnly, "extra_table:e"),
        ("PRAGMA user_version=3", SchemaDiffersOnly, "header:user_version(0->3)"),
        ("ALTER TABLE plain ADD COLUMN c DEFAULT 1", SchemaDiffersOnly, "table_differs:plain[col_extra=c]"),
        ("UPDATE t SET n = 21 WHERE id = 2", RowsDiffer, "values:t(n)"),
        ("UPDATE t SET n = '20' WHERE id = 2", RowsDiffer, "values:t(n)"),
        ("DELETE FROM t WHERE id = 2", RowsDiffer, "row_count:t(3->2)"),
        ("DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(9, 'other', 1)", RowsDiffer, "rows_replaced:t(1)"),
        ("UPDATE t SET id = id + 10", RowsDiffer, "values:t(id)"),
        ("UPDATE plain SET rowid = rowid + 10", RowsDiffer, "rowids:plain(3)"),
        ("DELETE FROM keyed WHERE k = 'a' AND j = 2", RowsDiffer, "row_count:keyed(4->3)"),
        ("UPDATE keyed SET k = 'A' WHERE v = 1", RowsDiffer, "values:keyed(k)"),
        ("UPDATE keyed SET v = v + 0.0 WHERE k = 'b'", RowsDiffer, "values:keyed(v)"),
    ] {
        let codes = codes(change);
        let expected = if code.is_empty() { vec![] } else { vec![code.to_owned()] };
        assert_eq!(codes, (equality, expected), "{change}");
    }
}

#[test]
fn what_goes_with_a_column_or_a_table_is_said() {
    let (equality, found) = codes("DROP TABLE plain");
    assert_eq!(
        (equality, found),
        (Equality::RowsDiffer, vec!["missing_table:plain".into(), "rows_lost_with_table:plain(3)".into()])
    );
    let (_, found) = codes("CREATE TABLE e AS SELECT * FROM t");
    assert_eq!(found, ["extra_table:e", "rows_extra_table:e(3)"]);
    let (_, found) = codes("DROP INDEX i; DROP VIEW v; ALTER TABLE t DROP COLUMN name");
    assert_eq!(
        found,
        [
            "missing_index:i",
            "missing_view:v",
            "table_differs:t[col_missing=name]",
            "column_values_lost:t(name)"
        ]
    );
    let (equality, found) = codes("UPDATE plain SET b = NULL; ALTER TABLE plain DROP COLUMN b");
    assert_eq!((equality, found.len()), (Equality::RowsDiffer, 2), "the other side had values");
}

#[test]
fn counters_are_compared_by_their_tables_and_a_left_over_table_is_named() {
    let base = "CREATE TABLE a(x INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a VALUES(5)";
    let found = differences_of(base, "INSERT INTO a VALUES(9); DELETE FROM a WHERE x = 9");
    assert_eq!(found.row_codes, ["sqlite_sequence:a(5->9)"]);
    let moved = "INSERT INTO sqlite_sequence VALUES('z', 1); DELETE FROM sqlite_sequence WHERE name = 'a';
                 INSERT INTO sqlite_sequence VALUES('a', 5); DELETE FROM sqlite_sequence WHERE name = 'z'";
    assert_eq!(differences_of(base, moved).equality, Equality::Exact, "a counter's rowid means nothing");
    let found = differences_of(
        "CREATE TABLE t(a)",
        "CREATE TABLE b(x INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE b",
    );
    assert_eq!(found.equality, Equality::SchemaDiffersOnly);
    assert_eq!(found.schema_codes, ["extra_table:sqlite_sequence", "sqlite_sequence_table_left"]);
}

#[test]
fn rows_are_named_by_key_and_column_and_never_by_value() {
    let found = differences_of(
        BASE,
        "UPDATE t SET name = 'secret', n = 20.0 WHERE id = 2; DELETE FROM keyed WHERE v = 3",
    );
    let shown: Vec<_> =
        found.items.iter().map(|d| (d.kind.as_str(), d.key.as_deref(), d.column.as_deref())).collect();
    assert_eq!(
        shown[1..],
        [("value_changed", Some("2"), Some("name")), ("class_changed", Some("2"), Some("n"))]
    );
    assert_eq!(shown[0].0, "row_lost");
    assert!(shown[0].1.is_some_and(|key| key.starts_with("sha256:") && key.len() == 23), "{shown:?}");
    assert_eq!(found.total, 3);
}

#[test]
fn other_keys_and_other_encodings_are_compared_as_multisets() {
    let base = "CREATE TABLE t(k TEXT, v); INSERT INTO t VALUES('a', 1), ('b', 2)";
    let rebuilt = |rows: &str| {
        format!(
            "DROP TABLE t; CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES {rows}"
        )
    };
    assert_eq!(differences_of(base, &rebuilt("('b', 2), ('a', 1)")).equality, Equality::SchemaDiffersOnly);
    let found = differences_of(base, &rebuilt("('b', 2), ('a', 3)"));
    assert_eq!(
        (found.equality, found.items.last().map(|d| d.kind.as_str())),
        (Equality::RowsDiffer, Some("rows_changed"))
    );

    let dir = tempfile::tempdir().expect("a directory");
    let [a, b] = ["UTF-8", "UTF-16le"].map(|encoding| {
        let path = dir.path().join(encoding);
        let c = Connection::open(&path).expect("a file");
        c.execute_batch(&format!("PRAGMA encoding='{encoding}'; {BASE}")).expect("rows");
        path
    });
    let found = between(&a, &b, 10).expect("compared");
    assert_eq!(found.schema_codes[0], "header:encoding(UTF-8->UTF-16le)");
    assert_eq!(found.row_codes, Vec::<String>::new());
}
