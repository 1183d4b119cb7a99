//! What a confined process is asked, and how it answers: the only place where the clone is opened.
//!
//! Owns: the questions, the answers, and the work behind them. Every question opens the clone afresh and
//! closes it before it is answered, so a state is at rest whenever the parent looks at its bytes. Must not:
//! know legs or evidence; touch anything but the paths that the question names.
//!
//! ```text
//! Settle       recover, checkpoint, close: what the engine is, journal mode, integrity
//! Digest       row digest by a reader per thread
//! Read         row digest through one ordinary connection that could write
//! Inside       BEGIN, the change as if at another moment, row digest from inside, ROLLBACK
//! Commit       a script to its end and COMMIT, checkpoint, close
//! Try          one migration of a survey
//! Check        integrity_check and foreign_key_check
//! Compare      what differs between two files
//! Writable     whether this process could write to the executable, or put another in its place
//! ```

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{self, Failure, FailureKind, Guard, Identity, Report, Script};
use super::postgres;
use super::progress;
use super::rows::{self, RowDigest, RowsError};
use super::survey::{self, Row, Trial};
use crate::digest::Digest;
use crate::evidence::difference::Differences;

/// One question to a confined process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    /// Bring a fresh copy to rest.
    Settle {
        /// The database.
        path: PathBuf,
    },
    /// Digest the rows of a database at rest.
    Digest {
        /// The database.
        path: PathBuf,
        /// Readers.
        threads: usize,
    },
    /// Open as an application would, read everything, close.
    Read {
        /// The database.
        path: PathBuf,
    },
    /// Run a script inside a transaction that is rolled back.
    Inside(Run),
    /// Run a script and commit it.
    Commit(Run),
    /// Try one migration of a survey.
    Try(Trial),
    /// Run SQLite's own checks.
    Check {
        /// The database.
        path: PathBuf,
    },
    /// Try to write to a program that this process must not reach.
    Writable {
        /// The program.
        executable: PathBuf,
    },
    /// About a PostgreSQL cluster.
    Postgres(postgres::child::Question),
    /// Compare two databases at rest.
    Compare {
        /// The state that should be, and its digest.
        before: (PathBuf, RowDigest),
        /// The state that is, and its digest: tables with equal digests are not read again.
        after: (PathBuf, RowDigest),
        /// How many differences are listed.
        limit: usize,
    },
}

/// A script and how to run it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The database.
    pub path: PathBuf,
    /// The script.
    pub sql: String,
    /// Inside a transaction of the rehearsal's own.
    pub transaction: bool,
    /// `PRAGMA foreign_keys`.
    pub foreign_keys: bool,
    /// As if it were another moment: for the application that only shows whether the clock matters.
    pub shifted: bool,
    /// Longest time, in milliseconds.
    pub limit_ms: u64,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Settle`].
    Settled(Settled),
    /// To [`Question::Digest`] and [`Question::Read`].
    Rows(RowDigest),
    /// To [`Question::Inside`].
    Inside(Inside),
    /// To [`Question::Commit`].
    Committed(Committed),
    /// To [`Question::Try`].
    Tried(Row),
    /// To [`Question::Check`].
    Checked(Checked),
    /// To [`Question::Writable`].
    Writable(bool),
    /// To [`Question::Postgres`].
    Postgres(Box<postgres::child::Answer>),
    /// To [`Question::Compare`].
    Compared(Differences),
    /// The database cannot be opened or read, to any question.
    Unreadable(Failure),
    /// The message is none of the questions.
    NotAQuestion,
}

/// A copy brought to rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// What the engine is.
    pub identity: Identity,
    /// `delete`, `wal`, …
    pub journal_mode: String,
}

/// What was seen inside a transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inside {
    /// How the script ran.
    pub report: Report,
    /// The rows with the change in them, unless the script failed.
    pub rows: Option<Digest>,
    /// Why the rows could not be read, though the script succeeded.
    pub unreadable: Option<Failure>,
    /// Commits that were asked for and refused.
    pub commit_attempts: u64,
    /// Autocommit was on again after ROLLBACK.
    pub closed: bool,
}

/// A script committed, or rolled back because it failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Committed {
    /// How the script ran, the COMMIT included.
    pub report: Report,
}

/// The engine's own checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// `ok`, or that there are problems.
    pub integrity: String,
    /// Rows of `PRAGMA foreign_key_check`; of PostgreSQL the constraints that are not validated.
    pub foreign_key_violations: u64,
}

/// What a confined process does with a message from its parent (`isolation::child::serve`).
pub fn handle(notice: &mut dyn FnMut(Value), message: Value) -> Value {
    let answer = match serde_json::from_value(message) {
        Ok(question) => answer_and_tell(question, notice),
        Err(_) => Answer::NotAQuestion,
    };
    serde_json::to_value(answer).unwrap_or(Value::Null)
}

/// Answers one question. Whatever SQLite refuses is an answer; only the pipe can fail.
pub fn answer(question: Question) -> Answer {
    answer_and_tell(question, &mut |_| {})
}

/// The same; long readings tell how far they have come.
fn answer_and_tell(question: Question, tell: &mut dyn FnMut(Value)) -> Answer {
    let done = match question {
        Question::Settle { path } => settle(&path).map(Answer::Settled),
        Question::Digest { path, threads } => digest(&path, threads, tell).map(Answer::Rows),
        Question::Read { path } => read(&path).map(Answer::Rows),
        Question::Inside(run) => inside(&run).map(Answer::Inside),
        Question::Commit(run) => commit(&run).map(Answer::Committed),
        Question::Try(trial) => survey::perform(&trial).map(Answer::Tried),
        Question::Postgres(question) => {
            Ok(Answer::Postgres(Box::new(postgres::child::answer(question, tell))))
        }
        Question::Writable { executable } => Ok(Answer::Writable(is_writable(&executable))),
        Question::Check { path } => check(&path).map(Answer::Checked),
        Question::Compare { before, after, limit } => compare(&before, &after, limit).map(Answer::Compared),
    };
    done.unwrap_or_else(Answer::Unreadable)
}

/// Failures outside of a script: no statement of the plan's is to blame.
fn outside(error: &rusqlite::Error) -> Failure {
    Failure::of(error, 0)
}

/// A reader's failure, without the paths and the SQL that its own text has.
pub(super) fn of_rows(error: &rows::RowsError) -> Failure {
    let (code, kind, text) = match error {
        RowsError::Malformed(_) => {
            (rusqlite::ffi::SQLITE_CORRUPT, FailureKind::Corrupt, "the database is malformed".to_owned())
        }
        RowsError::Needs { kind, name } => {
            (rusqlite::ffi::SQLITE_ERROR, FailureKind::Lacks, format!("the schema needs the {kind} {name}"))
        }
        RowsError::Io { .. } | RowsError::NotQuiet { .. } => {
            (rusqlite::ffi::SQLITE_IOERR, FailureKind::Disk, "the clone's file cannot be read".to_owned())
        }
        RowsError::Engine { what, .. } if !what.contains('/') => {
            (rusqlite::ffi::SQLITE_ERROR, FailureKind::Corrupt, format!("SQLite cannot read {what}"))
        }
        RowsError::Engine { .. } => {
            (rusqlite::ffi::SQLITE_ERROR, FailureKind::Corrupt, "SQLite cannot read the clone".to_owned())
        }
    };
    Failure { statement: 0, code, kind, text }
}

pub(super) fn open(path: &Path, foreign_keys: bool) -> Result<Connection, Failure> {
    engine::open(path, foreign_keys).map_err(|e| outside(&e))
}

/// Moves the WAL into the main file and closes the last connection, so that no side file is left.
pub(super) fn close(connection: Connection) -> Result<(), Failure> {
    let clean = engine::checkpoint(&connection).map_err(|e| outside(&e))?;
    connection.close().map_err(|(_, e)| outside(&e))?;
    if clean {
        return Ok(());
    }
    let text = "the write-ahead log cannot be moved into the main file".to_owned();
    Err(Failure { statement: 0, code: rusqlite::ffi::SQLITE_BUSY, kind: FailureKind::Disk, text })
}

fn settle(path: &Path) -> Result<Settled, Failure> {
    let connection = open(path, false)?;
    let failed = |e| outside(&e);
    // The first read plays a hot journal or a WAL in.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    let journal_mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    let identity = engine::identity(&connection).map_err(failed)?;
    close(connection)?;
    Ok(Settled { identity, journal_mode })
}

fn digest(path: &Path, threads: usize, tell: &mut dyn FnMut(Value)) -> Result<RowDigest, Failure> {
    // A reader of a WAL database leaves its side files; the last writer to close takes them away.
    let keeper = open(path, false)?;
    let rows = progress::told(tell, |progress| rows::of_file(path, threads, progress));
    let ended =
        || RowsError::Engine { what: "the rows".to_owned(), cause: "a thread ended early".to_owned() };
    let rows = rows.unwrap_or_else(|| Err(ended())).map_err(|e| of_rows(&e))?;
    close(keeper)?;
    Ok(rows)
}

pub(super) fn read(path: &Path) -> Result<RowDigest, Failure> {
    let connection = open(path, false)?;
    let rows = rows::of_connection(&connection).map_err(|e| of_rows(&e))?;
    close(connection)?;
    Ok(rows)
}

/// Opens for a script: guarded, with a deadline.
pub(super) fn guarded(run: &Run) -> Result<(Connection, Guard), Failure> {
    let mut connection = open(&run.path, run.foreign_keys)?;
    if run.shifted {
        engine::shift(&connection).map_err(|e| outside(&e))?;
    }
    let deadline = Instant::now() + Duration::from_millis(run.limit_ms);
    let guard = Guard::set(&mut connection, run.transaction, deadline).map_err(|e| outside(&e))?;
    Ok((connection, guard))
}

fn inside(run: &Run) -> Result<Inside, Failure> {
    let (connection, guard) = guarded(&Run { transaction: true, shifted: true, ..run.clone() })?;
    guard.own(&connection, "BEGIN IMMEDIATE").map_err(|e| outside(&e))?;
    let report = Script { sql: &run.sql, wrapped: true }.run(&connection, &guard);
    let commit_attempts = guard.commit_attempts();
    guard.retire();
    let (mut rows, mut unreadable) = (None, None);
    if report.failure.is_none() {
        match rows::of_connection(&connection) {
            Ok(seen) => rows = Some(seen.root),
            Err(error) => unreadable = Some(of_rows(&error)),
        }
    }
    if !connection.is_autocommit() {
        guard.own(&connection, "ROLLBACK").map_err(|e| outside(&e))?;
    }
    let closed = connection.is_autocommit();
    close(connection)?;
    Ok(Inside { report, rows, unreadable, commit_attempts, closed })
}

fn commit(run: &Run) -> Result<Committed, Failure> {
    let (connection, guard) = guarded(run)?;
    let report = run_and_commit(&connection, &guard, run)?;
    guard.retire();
    close(connection)?;
    Ok(Committed { report })
}

/// Runs a script and makes it last, or leaves nothing of a wrapped one that failed.
pub(super) fn run_and_commit(connection: &Connection, guard: &Guard, run: &Run) -> Result<Report, Failure> {
    if run.transaction {
        guard.own(connection, "BEGIN IMMEDIATE").map_err(|e| outside(&e))?;
    }
    let mut report = Script { sql: &run.sql, wrapped: run.transaction }.run(connection, guard);
    if report.failure.is_none() && run.transaction {
        // Deferred foreign keys speak here.
        if let Err(error) = guard.own(connection, "COMMIT") {
            report.failure = Some(Failure::of(&error, report.statements + 1));
        }
    }
    if !connection.is_autocommit() {
        guard.own(connection, "ROLLBACK").map_err(|e| outside(&e))?;
        report.failure.get_or_insert_with(|| Failure {
            statement: report.statements,
            code: rusqlite::ffi::SQLITE_ERROR,
            kind: FailureKind::Fails,
            text: "the script leaves its transaction open".to_owned(),
        });
    }
    Ok(report)
}

fn check(path: &Path) -> Result<Checked, Failure> {
    let connection = open(path, false)?;
    let integrity = engine::integrity(&connection).map_err(|e| outside(&e))?;
    let foreign_key_violations = engine::foreign_key_violations(&connection).map_err(|e| outside(&e))?;
    close(connection)?;
    Ok(Checked { integrity, foreign_key_violations })
}

/// Tries to open the file for writing, and to make a file beside it: whoever can do the one changes it, whoever can do the
/// other puts another in its place. What was made is removed.
fn is_writable(executable: &Path) -> bool {
    if OpenOptions::new().append(true).open(executable).is_ok() {
        return true;
    }
    let beside = executable.with_file_name(format!(".fix7-probe-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&beside).is_ok();
    if made {
        let _ = std::fs::remove_file(&beside); // where it stays, the finding is the same
    }
    made
}

pub(super) fn compare(
    before: &(PathBuf, RowDigest),
    after: &(PathBuf, RowDigest),
    limit: usize,
) -> Result<Differences, Failure> {
    // As for a digest: whoever can write closes last, and takes the readers' side files away.
    let kept = [open(&before.0, false)?, open(&after.0, false)?];
    let (left, right) = ((before.0.as_path(), &before.1), (after.0.as_path(), &after.1));
    let differences = super::difference::between_digested(left, right, limit).map_err(|e| of_rows(&e))?;
    kept.into_iter().try_for_each(close)?;
    Ok(differences)
}
