//! What the row digest tells apart, and that it stays the same where it should.

use std::path::PathBuf;

use super::layout::quote;
use super::*;
use crate::rehearse::bytes;

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

/// Copies of the corpus databases, recovered and at rest, in a directory of their own.
#[allow(clippy::print_stderr)] // a test that does not run says so
fn corpus(dir: &Path) -> Option<Vec<PathBuf>> {
    let Some(corpora) = std::env::var_os("FIX7_CORPORA").map(PathBuf::from) else {
        eprintln!("not run: FIX7_CORPORA is not set");
        return None;
    };
    let mut copies = Vec::new();
    for folder in ["databases", "directus"] {
        for entry in std::fs::read_dir(corpora.join(folder)).expect("the corpus has this folder") {
            let from = entry.expect("an entry").path();
            let name = from.file_name().and_then(|n| n.to_str()).expect("a name").to_owned();
            if name.ends_with(".sql") || name.ends_with("-wal") || name.ends_with("-journal") {
                continue;
            }
            let to = dir.join(name);
            bytes::copy_and_digest(&from, &to).expect("copied");
            let c = Connection::open(&to).expect("opened");
            c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("at rest");
            drop(c);
            copies.push(to);
        }
    }
    assert!(copies.len() >= 18, "only {} databases", copies.len());
    copies.sort();
    Some(copies)
}

#[test]
fn every_corpus_database_has_one_digest_by_pages_by_cursor_and_by_any_number_of_threads() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut by_pages, mut tables) = (0, 0);
    for path in corpus(dir.path()).unwrap_or_default() {
        let c = open(&path).expect("opened");
        let expected = of_connection(&c).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for threads in [1, 2, 3, 8] {
            let digest = of_file(&path, threads, &|_| {}).expect("a digest");
            assert_eq!(digest, expected, "{} on {threads} threads", path.display());
        }
        let layout = Layout::read(&c).expect("a layout");
        let pages = Pages::open(&path).unwrap_or_else(|| panic!("{} is at rest", path.display()));
        for (table, digest) in layout.tables.iter().zip(&expected.tables) {
            tables += 1;
            let Some(mut scan) = PageScan::new(&pages, table) else { continue };
            let (mut stream, mut root) = (ChunkStream::new(), table_stream(table));
            let read = scan.chunks(i64::MIN, i64::MAX, &mut stream, |chunk, _| {
                root.chunk(&chunk);
                true
            });
            if read.is_ok() {
                by_pages += 1;
                assert_eq!(root.finish(stream.rows), digest.root, "{} {}", path.display(), table.name);
            }
        }
    }
    assert!(by_pages * 10 >= tables * 9, "only {by_pages} of {tables} tables were read by their pages");
}

#[test]
fn a_vacuumed_copy_of_a_corpus_database_has_the_same_digest_and_a_changed_value_another() {
    let dir = tempfile::tempdir().expect("a directory");
    for path in corpus(dir.path()).unwrap_or_default() {
        let name = path.display();
        let before = of_file(&path, 2, &|_| {}).expect("a digest");
        let copy = path.with_extension("vacuumed");
        let c = Connection::open(&path).expect("opened");
        c.execute("VACUUM INTO ?1", [copy.to_str().expect("a name")]).expect("vacuumed");
        assert_eq!(of_file(&copy, 2, &|_| {}).expect("a digest"), before, "{name}");
        let layout = Layout::read(&c).expect("a layout");
        let plain = |t: &&Table| matches!(t.key, Key::Rowid(_)) && !t.derived && t.alias != Some(0);
        let with_rows = |t: &&Table| before.tables.iter().any(|d| d.name == t.name && d.rows > 0);
        let Some(table) = layout.tables.iter().filter(plain).find(with_rows) else { continue };
        let (table_name, column) = (quote(&table.name), quote(&table.columns[0]));
        let sql = format!(
            "UPDATE {table_name} SET {column} = x'00' WHERE rowid = (SELECT min(rowid) FROM {table_name})"
        );
        c.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON").expect("set");
        if c.execute(&sql, []).is_err() {
            continue; // a trigger of the application's, or a STRICT table
        }
        let after = of_file(&path, 2, &|_| {}).expect("a digest");
        assert_ne!(after.root, before.root, "{name} {table_name}");
        let differ = |t: &&TableDigest| before.tables.iter().all(|b| b.root != t.root);
        assert!(after.tables.iter().filter(differ).any(|t| t.name == table.name), "{name} {table_name}");
    }
}

/// A small database with every kind of page: inner and leaf pages of both trees, overflow, short records.
fn every_kind_of_page(path: &Path) {
    let c = Connection::open(path).expect("a file");
    c.execute_batch(
        "PRAGMA page_size=512; VACUUM;
         CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, s TEXT, b BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300)
           INSERT INTO t SELECT i * 50, i / 4.0, 'row ' || i, zeroblob(CASE i % 40 WHEN 0 THEN 3000 ELSE i % 9 END) FROM n;
         CREATE TABLE w(a TEXT, b, c REAL, PRIMARY KEY(b, a)) WITHOUT ROWID;
         INSERT INTO w SELECT s, id % 7, r FROM t; INSERT INTO w VALUES(hex(zeroblob(1500)), 1, 2);
         ALTER TABLE t ADD COLUMN late; ALTER TABLE w ADD COLUMN later DEFAULT 'x';
         INSERT INTO t VALUES(99999, 1, 2, 3, 4);",
    )
    .expect("rows");
}

#[test]
fn damaged_pages_give_the_cursor_s_answer_or_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("damaged.db");
    every_kind_of_page(&path);
    let sound = std::fs::read(&path).expect("read");
    let whole = of_file(&path, 1, &|_| {}).expect("a digest");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut same, mut refused, mut other) = (0, 0, 0);
    for round in 0..500 {
        let mut bytes = sound.clone();
        for _ in 0..=round % 3 {
            let page = next(sound.len() / 512);
            // Half of the damage hits what a page says of itself.
            let at = page * 512 + if next(2) == 0 { next(24) } else { next(512) };
            bytes[at] = if next(2) == 0 { next(256) as u8 } else { bytes[at] ^ (1 << next(8)) };
        }
        std::fs::write(&path, &bytes).expect("written");
        let cursor = open(&path).and_then(|c| of_connection(&c));
        let one = of_file(&path, 1, &|_| {});
        match (&one, &cursor) {
            (Ok(one), Ok(cursor)) => {
                assert_eq!(one, cursor, "round {round}");
                if *one == whole { same += 1 } else { other += 1 }
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(e)) => panic!("round {round}: read by its pages, but SQLite says {e}"),
            (Err(e), Ok(_)) => panic!("round {round}: SQLite reads it, but {e}"),
        }
        match (one, of_file(&path, 3, &|_| {})) {
            (Ok(one), Ok(three)) => assert_eq!(one, three, "round {round}"),
            (Err(_), Err(_)) => {}
            _ => panic!("round {round}: the number of threads decides"),
        }
    }
    assert!(same > 10 && refused > 10 && other > 10, "{same} {refused} {other}");
}

#[test]
fn the_known_answers_are_given_by_file_and_by_connection() {
    let cases = include_str!("../../../tests/vectors/rows/cases.sql");
    let roots: Vec<&str> = include_str!("../../../tests/vectors/rows/roots.txt").lines().collect();
    let cases: Vec<&str> = cases.split("-- case: ").skip(1).collect();
    assert_eq!(cases.len(), roots.len());
    let dir = tempfile::tempdir().expect("a directory");
    for (number, (case, expected)) in cases.iter().zip(&roots).enumerate() {
        let (title, sql) = case.split_once('\n').expect("a title");
        let path = dir.path().join(number.to_string());
        let c = Connection::open(&path).expect("a file");
        c.execute_batch(sql).expect(title);
        let root = of_connection(&c).expect(title).root;
        assert_eq!(format!("{root} {title}"), *expected);
        drop(c);
        assert_eq!(of_file(&path, 2, &|_| {}).expect(title).root, root, "{title}");
        assert_eq!(
            roots.iter().filter(|other| other[..64] == expected[..64]).count(),
            1,
            "{title} has a twin"
        );
    }
}

#[test]
fn what_plain_sqlite_lacks_is_named_and_the_rest_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("lacks.db");
    let c = Connection::open(&path).expect("a file");
    c.create_scalar_function("doubled", 1, rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC, |f| {
        Ok(f.get::<i64>(0)? * 2)
    })
    .expect("registered");
    c.execute_batch(
        "CREATE TABLE fine(a CHECK(doubled(a) > 0), b AS (doubled(a)) STORED); INSERT INTO fine VALUES(1);
         CREATE TABLE indexed(a COLLATE nocase); CREATE INDEX i ON indexed(a); INSERT INTO indexed VALUES('x');
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'mine');",
    )
    .expect("rows");
    drop(c);
    assert!(of_file(&path, 1, &|_| {}).is_ok(), "no row needs the function or the collation to be read");
    let c = Connection::open(&path).expect("a file");
    c.execute_batch(
        "CREATE TABLE keyed(a PRIMARY KEY COLLATE nocase) WITHOUT ROWID;
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'mine');",
    )
    .expect("a table");
    drop(c);
    let c = open(&path).expect("opened");
    match of_connection(&c) {
        Err(RowsError::Needs { kind: Needed::Collation, name }) => assert_eq!(name, "mine"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_database_and_a_missing_file_are_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.db");
    assert!(matches!(of_file(&path, 1, &|_| {}), Err(RowsError::Io { .. })));
    std::fs::write(&path, [b'x'; 4096]).expect("written");
    assert!(matches!(of_file(&path, 1, &|_| {}), Err(RowsError::Malformed(_))));
    std::fs::write(&path, "").expect("written");
    assert_eq!(of_file(&path, 1, &|_| {}).expect("an empty database").tables, []);
}

#[test]
fn a_virtual_table_is_read_through_its_shadows_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("virtual.db");
    let c = Connection::open(&path).expect("a file");
    c.execute_batch("CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES('one'), ('two')")
        .expect("rows");
    let before = of_connection(&c).expect("a digest");
    let derived: Vec<_> = before.tables.iter().filter(|t| t.derived).map(|t| t.name.as_str()).collect();
    assert_eq!(derived, ["notes_config", "notes_data", "notes_docsize", "notes_idx"]);
    assert!(before.tables.iter().any(|t| t.name == "notes_content" && t.rows == 2 && !t.derived));
    assert!(before.tables.iter().all(|t| t.name != "notes"));
    c.execute_batch("UPDATE notes SET body = 'three' WHERE rowid = 2").expect("changed");
    assert_ne!(of_connection(&c).expect("a digest").root, before.root);
}
