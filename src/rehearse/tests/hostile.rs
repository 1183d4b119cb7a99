//! SQL that means harm: each refused with its code and without a trace, each with a twin that is accepted.

use super::*;
use crate::verdict::Code;

fn refused(up: &str, names: &str) {
    let fixture = Fixture::new(ROWS);
    let before = std::fs::read(&fixture.path).expect("the source");
    let error = fixture.refuses(up, Some("SELECT 1;"));
    assert_eq!(error.code(), Code::StatementForbidden, "{up}: {error}");
    assert!(error.to_string().contains(names), "{up}: {error}");
    assert_eq!(std::fs::read(&fixture.path).expect("the source"), before);
}

#[test]
fn the_rehearsals_transaction_cannot_be_ended() {
    refused("INSERT INTO t(b) VALUES('w'); COMMIT; INSERT INTO t(b) VALUES('v');", "COMMIT");
    refused("INSERT INTO t(b) VALUES('w'); END;", "COMMIT");
    refused("ROLLBACK; INSERT INTO t(b) VALUES('v');", "ROLLBACK");
    refused("BEGIN;", "BEGIN");
    Fixture::new(ROWS)
        .exact("SAVEPOINT s; INSERT INTO t(b) VALUES('w'); RELEASE s;", "DELETE FROM t WHERE b = 'w';");
}

#[test]
fn the_clone_cannot_be_left() {
    let elsewhere = tempfile::tempdir().expect("a scratch directory");
    let path = elsewhere.path().join("out.db");
    let path = path.display();
    refused(&format!("ATTACH '{path}' AS x; CREATE TABLE x.stolen AS SELECT * FROM t;"), "ATTACH");
    let fixture = Fixture::new(ROWS);
    let vacuum = format!("VACUUM INTO '{path}';");
    let facts = fixture.rehearse(&vacuum, None).expect("rehearsed");
    let inside = Some("statement 1: cannot VACUUM from within a transaction");
    assert_eq!(entry(&facts, Leg::Snapshot).error.as_deref(), inside);
    let unwrapped = rehearse(&fixture.path, plan(&vacuum, None, "transaction=false")).map(|_| ());
    assert_eq!(unwrapped.expect_err("refused").code(), Code::StatementForbidden);
    refused("SELECT load_extension('/tmp/evil.so');", "load_extension()");
    refused("PRAGMA writable_schema=ON;", "PRAGMA writable_schema");
    refused("PRAGMA journal_mode=OFF;", "PRAGMA journal_mode");
    assert!(
        std::fs::read_dir(elsewhere.path()).expect("lists").next().is_none(),
        "nothing was written there"
    );
    Fixture::new(ROWS)
        .exact("PRAGMA foreign_keys=OFF; UPDATE t SET b = b || '!';", "UPDATE t SET b = substr(b, 1, 1);");
}

#[test]
fn a_rollback_script_is_guarded_like_the_change() {
    let error = Fixture::new(ROWS).refuses("DELETE FROM t;", Some("COMMIT;"));
    assert_eq!(error.code(), Code::StatementForbidden);
}

#[test]
fn a_statement_that_rolls_back_by_itself_proves_nothing_and_leaves_nothing() {
    let or_rollback = "INSERT OR ROLLBACK INTO t VALUES(1, 'twice'); INSERT INTO t(b) VALUES('leaks');";
    let raise = "CREATE TRIGGER g BEFORE UPDATE ON t BEGIN SELECT RAISE(ROLLBACK, 'x'); END;
                 UPDATE t SET b = 1; INSERT INTO t(b) VALUES('leaks');";
    for up in [or_rollback, raise] {
        let facts = Fixture::new(ROWS).rehearse(up, Some("SELECT 1;")).expect("rehearsed");
        let transaction = entry(&facts, Leg::Transaction);
        assert_eq!(transaction.outcome, Outcome::UpFails);
        assert!(!transaction.transaction.clone().expect("its facts").stayed_open);
        assert!(transaction.error.clone().expect("why").ends_with("the statement ended the transaction"));
        assert_eq!(transaction.before_hash, transaction.after_rollback_hash);
        assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::UpFails);
    }
    Fixture::new(ROWS).exact("INSERT OR ROLLBACK INTO t VALUES(9, 'new');", "DELETE FROM t WHERE a = 9;");
}

#[test]
fn a_schema_from_outside_gets_no_dangerous_function() {
    let fixture = Fixture::new(
        "CREATE TABLE t(a); INSERT INTO t VALUES(1);
         CREATE VIEW v AS SELECT load_extension('/tmp/evil.so');
         CREATE TRIGGER g AFTER UPDATE ON t BEGIN SELECT load_extension('/tmp/evil.so'); END;",
    );
    let error = fixture.refuses("UPDATE t SET a = 2;", Some("SELECT 1;"));
    assert_eq!(error.code(), Code::StatementForbidden);
    fixture.exact("INSERT INTO t VALUES(2);", "DELETE FROM t WHERE a = 2;");
}

#[test]
fn an_endless_change_is_stopped() {
    let up = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) INSERT INTO t(b) SELECT x FROM n WHERE x < 0;";
    let fixture = Fixture::new(ROWS);
    let error =
        rehearse(&fixture.path, plan(up, None, "timeout_seconds=1")).map(|_| ()).expect_err("stopped");
    assert_eq!(error.code(), Code::TimedOut);
    rehearse(&fixture.path, plan("DELETE FROM t;", None, "timeout_seconds=1")).expect("in time");
}
