//! Sources of every kind: live, hot, spent, linked, changing, and what is no database at all.

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::verdict::Code;

fn refused(path: &Path, code: Code) {
    let error = rehearse(path, plan("CREATE TABLE u(c);", None, "")).map(|_| ()).expect_err("refused");
    assert_eq!(error.code(), code, "{error}");
}

fn names(directory: &Path) -> Vec<String> {
    super::super::source::names_beside(directory, "".as_ref()).expect("lists")
}

#[test]
fn a_live_wal_database_is_cloned_with_everything_committed_and_left_alone() {
    let fixture = Fixture::new("PRAGMA journal_mode=WAL; CREATE TABLE t(a);");
    let writer = Connection::open(&fixture.path).expect("the application");
    writer.execute_batch("INSERT INTO t VALUES(1),(2),(3);").expect("commits into the WAL");
    let before = names(fixture.place.path());
    assert_eq!(before, ["source.db", "source.db-shm", "source.db-wal"]);
    let facts = fixture.rehearse("DELETE FROM t;", None).expect("rehearsed");
    assert!(facts.lock.source.recovered);
    assert_eq!(facts.lock.source.journal_mode.as_deref(), Some("wal"));
    assert_eq!(entry(&facts, Leg::Snapshot).rows_changed, 3, "the rows in the WAL are there");
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
    assert_eq!(names(fixture.place.path()), before);
    drop(writer);
    let at_rest = fixture.rehearse("DELETE FROM t;", None).expect("rehearsed");
    assert!(!at_rest.lock.source.recovered);
}

#[test]
fn a_wal_database_at_rest_gets_no_side_files() {
    let fixture = Fixture::new("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);");
    assert_eq!(names(fixture.place.path()), ["source.db"]);
    fixture.exact("INSERT INTO t VALUES(2);", "DELETE FROM t WHERE a = 2;");
    assert_eq!(names(fixture.place.path()), ["source.db"]);
}

/// A copy of a database taken in the middle of a transaction that has spilled to the disk.
fn hot(fixture: &Fixture) -> PathBuf {
    let writer = Connection::open(&fixture.path).expect("the application");
    writer.execute_batch("PRAGMA cache_size=2; BEGIN; UPDATE t SET b = zeroblob(3000);").expect("spills");
    let copy = fixture.place.path().join("crashed.db");
    fs::copy(&fixture.path, &copy).expect("copied");
    let journal = fixture.place.path().join("source.db-journal");
    fs::copy(journal, fixture.place.path().join("crashed.db-journal")).expect("copied");
    copy
}

const MANY: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b);
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300)
    INSERT INTO t SELECT x, zeroblob(2000) FROM n;";

#[test]
fn a_hot_journal_is_played_back_in_the_clone() {
    let fixture = Fixture::new(MANY);
    let committed = fixture.rehearse("DELETE FROM t;", None).expect("rehearsed");
    let crashed = hot(&fixture);
    let before = fs::read(&crashed).expect("the source");
    let facts = rehearse(&crashed, plan("DELETE FROM t;", None, "")).expect("rehearsed");
    assert!(facts.lock.source.recovered);
    let rows = |facts: &Facts| entry(facts, Leg::ReadOnly).before_hash.expect("before").rows;
    assert_eq!(rows(&facts), rows(&committed), "the clone has the state before the crash");
    assert_eq!(fs::read(&crashed).expect("the source"), before);
}

#[test]
fn a_journal_of_several_databases_is_refused() {
    let fixture = Fixture::new(MANY);
    let crashed = hot(&fixture);
    let journal = fixture.place.path().join("crashed.db-journal");
    let mut bytes = fs::read(&journal).expect("the journal");
    // A super-journal's name, its length, a checksum, and the magic number at the very end.
    bytes.extend_from_slice(b"/tmp/other.db-mj12345678\0\0\0\x18\0\0\0\0\xd9\xd5\x05\xf9\x20\xa1\x63\xd7");
    fs::write(&journal, bytes).expect("written");
    refused(&crashed, Code::Unreadable);
}

#[test]
fn a_spent_journal_belongs_to_no_state() {
    let fixture = Fixture::new(ROWS);
    let writer = Connection::open(&fixture.path).expect("the application");
    let persist = "PRAGMA journal_mode=PERSIST; INSERT INTO t(b) VALUES('w');";
    writer.execute_batch(persist).expect("leaves a journal");
    drop(writer);
    assert_eq!(names(fixture.place.path()), ["source.db", "source.db-journal"]);
    let facts = fixture.rehearse("DELETE FROM t;", None).expect("rehearsed");
    assert!(!facts.lock.source.recovered);
    assert_eq!(outcome(&facts, Leg::Transaction), Outcome::Exact);
}

#[test]
fn an_empty_file_is_an_empty_database() {
    let fixture = Fixture::new("");
    fs::write(&fixture.path, "").expect("written");
    fixture.exact("CREATE TABLE u(c); INSERT INTO u VALUES(1);", "DROP TABLE u;");
    assert_eq!(fs::metadata(&fixture.path).expect("there").len(), 0);
}

#[test]
fn what_is_no_database_is_refused() {
    let place = tempfile::tempdir().expect("a scratch directory");
    let text = place.path().join("notes.txt");
    fs::write(&text, "these are notes, and no database at all").expect("written");
    refused(&text, Code::Unreadable);
    refused(&place.path().join("not-there.db"), Code::Unreadable);
    refused(place.path(), Code::PathForbidden);
    refused(Path::new("/"), Code::PathForbidden);
    let pipe = place.path().join("pipe.db");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    refused(&pipe, Code::PathForbidden);
    let damaged = Fixture::new(MANY);
    let mut bytes = fs::read(&damaged.path).expect("the source");
    bytes[100..4000].fill(0xA5);
    fs::write(&damaged.path, bytes).expect("written");
    refused(&damaged.path, Code::IntegrityBroken);
}

#[test]
fn a_linked_source_is_refused_and_the_file_itself_is_not() {
    let fixture = Fixture::new(ROWS);
    let link = fixture.place.path().join("link.db");
    std::os::unix::fs::symlink(&fixture.path, &link).expect("linked");
    refused(&link, Code::PathForbidden);
    let side = fixture.place.path().join("source.db-wal");
    std::os::unix::fs::symlink("/etc/hostname", &side).expect("linked");
    refused(&fixture.path, Code::PathForbidden);
    fs::remove_file(&side).expect("removed");
    fixture.exact("CREATE TABLE u(c);", "DROP TABLE u;");
}
