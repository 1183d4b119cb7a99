//! One script, statement by statement, by the prepare tail.
//!
//! Owns: the loop, and what is seen after every statement. Must not: open, commit or compare anything.

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use super::words::{first_word, said};
use crate::digest::{Digest, Hasher};

/// Statements in one script: stops a script that is a generator's accident.
pub const MAX_STATEMENTS: u64 = 200_000;

/// A script to run.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Its text.
    pub sql: &'a str,
    /// A transaction of the rehearsal's own is open, and must stay so.
    pub wrapped: bool,
}

/// What was seen while a script ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Statements that were started.
    pub statements: u64,
    /// Digest over the texts of those statements, framed, in order.
    pub statements_sha256: Digest,
    /// Rows that SQLite says were inserted, updated or deleted.
    pub rows_changed: u64,
    /// Autocommit was off after every statement.
    pub stayed_open: bool,
    /// Why it stopped early, if it did.
    pub failure: Option<Failure>,
}

/// Why a script stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which statement: 1, 2, 3, …
    pub statement: u64,
    /// The extended result code.
    pub code: i32,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The engine's words without row values, or what was refused.
    pub text: String,
}

/// What kind of failure stopped a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The statement fails in this database.
    Fails,
    /// The engine lacks a function, collation or module that the application has.
    Lacks,
    /// The guard refused it.
    Denied,
    /// It ran longer than allowed.
    TimedOut,
    /// The disk is full.
    OutOfSpace,
    /// The disk cannot be read or written.
    Disk,
    /// The database cannot be read.
    Corrupt,
}

impl Failure {
    /// Makes a failure of an error of SQLite's at statement number `statement`.
    pub fn of(error: &rusqlite::Error, statement: u64) -> Failure {
        Failure::met(error, statement, false)
    }

    /// Makes a failure of an error that came while statement number `statement` was compiled, or ran.
    fn met(error: &rusqlite::Error, statement: u64, compiling: bool) -> Failure {
        let said = said(error, compiling);
        let lacks = said.compiling
            && ["no such function: ", "no such collation sequence: ", "no such module: "]
                .iter()
                .any(|what| said.text.starts_with(what));
        // The low byte is the primary result code.
        let kind = match said.code & 0xff {
            rusqlite::ffi::SQLITE_INTERRUPT => FailureKind::TimedOut,
            rusqlite::ffi::SQLITE_FULL => FailureKind::OutOfSpace,
            rusqlite::ffi::SQLITE_IOERR | rusqlite::ffi::SQLITE_CANTOPEN | rusqlite::ffi::SQLITE_READONLY => {
                FailureKind::Disk
            }
            rusqlite::ffi::SQLITE_CORRUPT | rusqlite::ffi::SQLITE_NOTADB => FailureKind::Corrupt,
            rusqlite::ffi::SQLITE_AUTH => FailureKind::Denied,
            _ if lacks => FailureKind::Lacks,
            _ => FailureKind::Fails,
        };
        Failure { statement, code: said.code, kind, text: said.text }
    }
}

impl Script<'_> {
    /// Runs the script on `connection` under `guard`, to its end or to the first failure.
    pub fn run(&self, connection: &Connection, guard: &Guard) -> Report {
        let mut texts = Hasher::labelled("fix7.statements/v1");
        let before = connection.total_changes();
        let mut report = Report {
            statements: 0,
            statements_sha256: Digest::ZERO,
            rows_changed: 0,
            stayed_open: !connection.is_autocommit(),
            failure: None,
        };
        let mut batch = Batch::new(connection, self.sql);
        loop {
            let number = report.statements + 1;
            let step = match batch.next() {
                Ok(None) => break,
                Err(error) => Err((error, true)),
                Ok(Some(mut statement)) => {
                    let text = statement.expanded_sql().unwrap_or_default();
                    texts.framed(text.as_bytes());
                    report.statements = number;
                    guard.vacuum(!self.wrapped && first_word(&text) == "VACUUM");
                    let done = run_to_end(&mut statement);
                    guard.vacuum(false);
                    done.map_err(|error| (error, false))
                }
            };
            if let Err((error, compiling)) = step {
                report.failure = Some(named(Failure::met(&error, number, compiling), guard));
            }
            if self.wrapped && connection.is_autocommit() {
                // `INSERT OR ROLLBACK` or `RAISE(ROLLBACK)`: the next statement would commit by itself.
                report.stayed_open = false;
                let failure = report.failure.get_or_insert(Failure {
                    statement: number,
                    code: rusqlite::ffi::SQLITE_ABORT_ROLLBACK,
                    kind: FailureKind::Fails,
                    text: String::new(),
                });
                let comma = if failure.text.is_empty() { "" } else { "; " };
                failure.text.push_str(&format!("{comma}the statement ended the transaction"));
            }
            if report.failure.is_none() && report.statements >= MAX_STATEMENTS {
                report.failure = Some(Failure {
                    statement: number,
                    code: rusqlite::ffi::SQLITE_TOOBIG,
                    kind: FailureKind::Denied,
                    text: format!("more than {MAX_STATEMENTS} statements"),
                });
            }
            if report.failure.is_some() {
                break;
            }
        }
        report.statements_sha256 = texts.finish();
        report.rows_changed = connection.total_changes() - before;
        report
    }
}

/// Says what the guard refused, where it did: SQLite's own text is "not authorized".
fn named(mut failure: Failure, guard: &Guard) -> Failure {
    if let Some(denied) = guard.denied() {
        failure.kind = FailureKind::Denied;
        failure.text = denied;
    } else if guard.commit_attempts() > 0 {
        failure.kind = FailureKind::Denied;
        failure.text = "COMMIT".to_owned();
    }
    failure
}

fn run_to_end(statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// A database on disk, as the engine opens it, with one row in `t`.
    fn with_database(wrapped: bool, sql: &str) -> (Report, i64) {
        let place = tempfile::tempdir().expect("a scratch directory");
        let path = place.path().canonicalize().expect("its real path").join("d.db");
        let made = Connection::open(&path).expect("a new database");
        made.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1, 'x')")
            .expect("made");
        drop(made);
        let mut connection = super::super::open(&path, false).expect("opens");
        let later = Instant::now() + Duration::from_secs(600);
        let guard = Guard::set(&mut connection, wrapped, later).expect("guarded");
        if wrapped {
            guard.own(&connection, "BEGIN IMMEDIATE").expect("begins");
        }
        let report = Script { sql, wrapped }.run(&connection, &guard);
        if !connection.is_autocommit() {
            guard.own(&connection, "ROLLBACK").expect("rolls back");
        }
        drop(connection);
        let rows =
            Connection::open(&path).expect("opens").query_row("SELECT count(*) FROM t", [], |r| r.get(0));
        (report, rows.expect("counts"))
    }

    fn denied(wrapped: bool, sql: &str) -> String {
        let (report, rows) = with_database(wrapped, sql);
        assert_eq!(rows, 1, "nothing is left behind by: {sql}");
        let failure = report.failure.expect("refused");
        assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");
        failure.text
    }

    #[test]
    fn a_plain_script_runs_to_its_end_and_leaves_nothing_after_the_rollback() {
        let (report, rows) =
            with_database(true, "INSERT INTO t(b) VALUES('y');\n-- end\nUPDATE t SET b='z';");
        assert_eq!(report.failure, None);
        assert_eq!((report.statements, report.rows_changed, report.stayed_open), (2, 3, true));
        assert_eq!(rows, 1);
    }

    #[test]
    fn transaction_verbs_are_refused_inside_and_allowed_where_the_plan_says_so() {
        for (sql, verb) in [
            ("INSERT INTO t(b) VALUES(1); COMMIT; INSERT INTO t(b) VALUES(2)", "COMMIT"),
            ("INSERT INTO t(b) VALUES(1); END", "COMMIT"),
            ("ROLLBACK; INSERT INTO t(b) VALUES(1)", "ROLLBACK"),
            ("BEGIN", "BEGIN"),
        ] {
            assert_eq!(denied(true, sql), verb);
        }
        let (report, rows) = with_database(false, "BEGIN; INSERT INTO t(b) VALUES(1); COMMIT; VACUUM;");
        assert_eq!(report.failure, None);
        assert_eq!(rows, 2);
    }

    #[test]
    fn savepoints_stay_inside() {
        let (report, rows) = with_database(true, "SAVEPOINT s; INSERT INTO t(b) VALUES(1); RELEASE s;");
        assert_eq!(report.failure, None);
        assert!(report.stayed_open);
        assert_eq!(rows, 1);
    }

    #[test]
    fn a_statement_that_rolls_back_by_itself_ends_the_script() {
        let or_rollback = "INSERT OR ROLLBACK INTO t VALUES(1, 'twice'); INSERT INTO t(b) VALUES('leaks')";
        let raise = "CREATE TRIGGER g BEFORE UPDATE ON t BEGIN SELECT RAISE(ROLLBACK, 'x'); END;
                     UPDATE t SET b=1; INSERT INTO t(b) VALUES('leaks')";
        for sql in [or_rollback, raise] {
            let (report, rows) = with_database(true, sql);
            assert!(!report.stayed_open);
            assert!(report.failure.expect("stops").text.ends_with("the statement ended the transaction"));
            assert_eq!(rows, 1);
        }
        let (report, _) = with_database(true, "INSERT OR ROLLBACK INTO t VALUES(2, 'new')");
        assert_eq!(report.failure, None, "without a conflict it is an ordinary insert");
    }

    #[test]
    fn every_way_out_of_the_clone_is_refused() {
        for wrapped in [true, false] {
            assert_eq!(denied(wrapped, "ATTACH '/tmp/x.db' AS x"), "ATTACH");
            assert_eq!(denied(wrapped, "ATTACH ':memory:' AS x"), "ATTACH");
            assert_eq!(denied(wrapped, "ATTACH '' AS x"), "ATTACH");
            assert_eq!(denied(wrapped, "SELECT load_extension('x')"), "load_extension()");
            assert_eq!(denied(wrapped, "PRAGMA writable_schema=1"), "PRAGMA writable_schema");
            assert_eq!(denied(wrapped, "PRAGMA journal_mode=OFF"), "PRAGMA journal_mode");
            assert_eq!(denied(wrapped, "PRAGMA temp_store_directory='/'"), "PRAGMA temp_store_directory");
            assert_eq!(denied(wrapped, "PRAGMA locking_mode=EXCLUSIVE"), "PRAGMA locking_mode");
        }
        assert_eq!(denied(false, "VACUUM INTO '/tmp/fix7-never-there.db'"), "VACUUM INTO");
        for harmless in [
            "PRAGMA user_version=3",
            "PRAGMA foreign_keys=off",
            "PRAGMA table_info(t)",
            "PRAGMA journal_mode",
        ] {
            let (report, _) = with_database(true, harmless);
            assert_eq!(report.failure, None, "{harmless}");
        }
    }

    #[test]
    fn an_endless_statement_is_stopped() {
        let place = tempfile::tempdir().expect("a scratch directory");
        let path = place.path().canonicalize().expect("its real path").join("d.db");
        Connection::open(&path).and_then(|c| c.execute_batch("CREATE TABLE t(a)")).expect("made");
        let mut connection = super::super::open(&path, false).expect("opens");
        let guard = Guard::set(&mut connection, true, Instant::now()).expect("guarded");
        guard.own(&connection, "BEGIN").expect("begins");
        let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT count(*) FROM n";
        let report = Script { sql, wrapped: true }.run(&connection, &guard);
        assert_eq!(report.failure.expect("stops").kind, FailureKind::TimedOut);
    }
}
