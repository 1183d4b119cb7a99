//! What the row digest tells apart, and that it stays the same where it should.

use super::*;

fn digest(sql: &str) -> RowDigest {
    let c = Connection::open_in_memory().expect("memory");
    c.execute_batch(sql).expect(sql);
    of_connection(&c).expect(sql)
}

#[test]
fn what_dbhash_confuses_is_told_apart() {
    let rows = |values: &str| digest(&format!("CREATE TABLE t(a,b); INSERT INTO t VALUES {values}")).root;
    assert_ne!(rows("('a3b','c')"), rows("('a','b3c')"));
    let one = |values: &str| digest(&format!("CREATE TABLE t(a); INSERT INTO t VALUES {values}")).root;
    assert_ne!(one("('a'),('b')"), one("('a3b')"));
    let moved = |table: &str| {
        digest(&format!("CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO {table} VALUES(1)")).root
    };
    assert_ne!(moved("t"), moved("u"));
}

#[test]
fn storage_classes_and_bits_are_told_apart() {
    let values = [
        "NULL",
        "''",
        "x''",
        "0",
        "0.0",
        "-0.0",
        "1",
        "1.0",
        "'1'",
        "x'31'",
        "9223372036854775807",
        "-9223372036854775808",
        "9e999",
        "-9e999",
        "'a'",
        "'A'",
        "'a' || char(0)",
    ];
    let roots: Vec<_> = values
        .iter()
        .map(|v| digest(&format!("CREATE TABLE t(a); INSERT INTO t VALUES({v})")).root)
        .collect();
    for (at, root) in roots.iter().enumerate() {
        assert!(!roots[..at].contains(root), "{} is like an earlier value", values[at]);
    }
}

#[test]
fn the_file_and_the_connection_agree_for_any_number_of_threads() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file:odd name?.db");
    let c =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_READ_WRITE);
    let c = c.expect("a file");
    c.execute_batch(
        "CREATE TABLE dense(a, b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 150000)
           INSERT INTO dense SELECT i * 7, 'text ' || i FROM n;
         CREATE TABLE sparse(id INTEGER PRIMARY KEY, v);
         INSERT INTO sparse SELECT a * 1000000007, b FROM dense WHERE rowid % 3 = 0;
         INSERT INTO sparse VALUES(-9223372036854775808, 1), (9223372036854775807, 2), (-1, 3);
         CREATE TABLE keyed(k, j, v, PRIMARY KEY(j DESC, k COLLATE NOCASE)) WITHOUT ROWID;
         INSERT INTO keyed SELECT b, a % 5, a FROM dense WHERE rowid < 20000;
         CREATE TABLE hidden(rowid, _rowid_, oid); INSERT INTO hidden SELECT a, b, 1 FROM dense LIMIT 9000;
         CREATE TABLE empty(a);",
    )
    .expect("rows");
    let expected = of_connection(&c).expect("a digest");
    drop(c);
    for threads in [0, 1, 2, 3, 8] {
        let last = std::sync::Mutex::new(Progress::default());
        let keep = |p: Progress| {
            let mut last = last.lock().expect("no panic");
            *last = Progress { rows: last.rows.max(p.rows), bytes: last.bytes.max(p.bytes) };
        };
        assert_eq!(of_file(&path, threads, &keep).expect("a digest"), expected, "{threads} threads");
        let last = *last.lock().expect("no panic");
        assert_eq!(last.rows, expected.tables.iter().map(|t| t.rows).sum::<u64>());
        assert!(last.bytes > 10 * last.rows);
    }
}
