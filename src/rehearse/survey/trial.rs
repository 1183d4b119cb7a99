//! One migration up, down and up again, in the confined process.
//!
//! Owns: the states of one trial as files beside each other. Must not: be called outside of a confined
//! process but by tests.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::{Redo, Row};
use crate::evidence::Outcome;
use crate::evidence::difference::Equality;
use crate::rehearse::child::{Run, close, compare, guarded, read, run_and_commit};
use crate::rehearse::engine::{Failure, FailureKind, Script, statements};
use crate::rehearse::room::CLONE;
use crate::rehearse::rows::RowDigest;

/// How many single differences are counted for a row of a survey: the codes are what is shown.
const LISTED: usize = 0;

/// One migration to try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Where the states lie.
    pub directory: PathBuf,
    /// Its number.
    pub n: u32,
    /// Its name.
    pub id: String,
    /// The change.
    pub up: String,
    /// Wrap the change.
    pub up_transaction: bool,
    /// The way back.
    pub down: Option<String>,
    /// Wrap the way back.
    pub down_transaction: bool,
    /// `PRAGMA foreign_keys`.
    pub foreign_keys: bool,
    /// Longest time of one script, in milliseconds.
    pub limit_ms: u64,
}

/// Performs the trial. Afterwards the state is the one after the change; where the change failed, the one
/// after every statement of it that works.
///
/// # Errors
/// The disk or the engine itself failed.
pub fn perform(trial: &Trial) -> Result<Row, Failure> {
    let state = trial.directory.join(CLONE);
    let [before, after] = ["before.db", "after.db"].map(|name| trial.directory.join(name));
    let mut row = Row::begun(trial.n, &trial.id, trial.up_transaction, Outcome::Exact);
    copy(&state, &before)?;
    let base = read(&state)?;

    let (failure, chance) = script_at(&run_of(trial, &state, &trial.up, trial.up_transaction))?;
    let (verdict, failure) = match failure {
        None => match read(&state) {
            Ok(changed) => {
                row.nondeterministic = chance && differs_at_another_moment(trial, &before, &changed)?;
                row.noop = changed.root == base.root;
                copy(&state, &after)?;
                rolled_back(trial, &mut row, (&before, &base), &changed)?;
                return replace(&after, &state).map(|()| row);
            }
            Err(failure) if failure.kind == FailureKind::Lacks => (Outcome::CouldNotEstablish, failure),
            Err(failure) => (Outcome::UnreadableAfterUp, failure),
        },
        Some(failure) if failure.kind == FailureKind::Lacks => (Outcome::CouldNotEstablish, failure),
        Some(failure) => (Outcome::UpFails, failure),
    };
    row.verdict = verdict;
    row.error = Some(failure.to_string());
    replace(&before, &state)?;
    what_works(trial, &state)?;
    Ok(row)
}

/// After a change that fails, the history goes on from a state in which every statement of it that works
/// has been applied: what follows can then be measured, where one missing function would hide it all.
fn what_works(trial: &Trial, path: &Path) -> Result<(), Failure> {
    let engine = |e: rusqlite::Error| Failure::of(&e, 0);
    let (connection, guard) = guarded(&run_of(trial, path, "", true))?;
    guard.own(&connection, "PRAGMA synchronous=OFF; BEGIN IMMEDIATE").map_err(engine)?;
    for sql in statements(&trial.up) {
        let script = Script { sql, wrapped: true };
        let mut lacking = script.run(&connection, &guard).failure;
        // Each time round a function is added, so this ends with the statement's last function.
        while let Some(name) = lacking.as_ref().and_then(|f| f.text.strip_prefix("no such function: ")) {
            stand_in(&connection, name).map_err(engine)?;
            lacking = script.run(&connection, &guard).failure;
        }
        if connection.is_autocommit() {
            break;
        }
    }
    if !connection.is_autocommit() {
        let kept = guard.own(&connection, "COMMIT").or_else(|_| guard.own(&connection, "ROLLBACK"));
        kept.map_err(engine)?;
    }
    guard.retire();
    close(connection)
}

/// Whether the change, from the same state but at another moment, comes out otherwise.
fn differs_at_another_moment(trial: &Trial, before: &Path, changed: &RowDigest) -> Result<bool, Failure> {
    let twin = trial.directory.join("twin.db");
    copy(before, &twin)?;
    let run = run_of(trial, &twin, &trial.up, trial.up_transaction);
    let (failure, _) = script_at(&Run { shifted: true, ..run })?;
    Ok(failure.is_some() || read(&twin)?.root != changed.root)
}

/// The way back, what it left, and the change once more.
fn rolled_back(
    trial: &Trial,
    row: &mut Row,
    before: (&Path, &RowDigest),
    changed: &RowDigest,
) -> Result<(), Failure> {
    let state = trial.directory.join(CLONE);
    let Some(down) = &trial.down else {
        row.verdict = Outcome::NoDown;
        return Ok(());
    };
    if let Some(failure) = script(trial, &state, down, trial.down_transaction)? {
        row.verdict = match failure.kind {
            FailureKind::Lacks => Outcome::CouldNotEstablish,
            _ => Outcome::DownFails,
        };
        row.error = Some(failure.to_string());
        return Ok(());
    }
    let back = read(&state)?;
    let digested = |path: &Path, digest: &RowDigest| (path.to_owned(), digest.clone());
    let differences = compare(&digested(before.0, before.1), &digested(&state, &back), LISTED)?;
    row.verdict = match differences.equality {
        Equality::Exact if back.root == before.1.root => Outcome::Exact,
        other => Outcome::of_difference(other),
    };
    row.schema_codes = differences.schema_codes;
    row.row_codes = differences.row_codes;
    row.redo = Some(match script(trial, &state, &trial.up, trial.up_transaction)? {
        Some(failure) => Redo::Fails(failure.to_string()),
        None if read(&state)?.root == changed.root => Redo::Same,
        None => Redo::Differs,
    });
    Ok(())
}

/// A function that gives its first argument back, in the place of one that only the application has.
fn stand_in(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, -1, FunctionFlags::SQLITE_UTF8, |context| match context.len() {
        0 => Ok(Value::Null),
        _ => context.get::<Value>(0),
    })
}

/// Runs one script on a new connection; gives its failure, if it is the script's own.
fn script(trial: &Trial, path: &Path, sql: &str, transaction: bool) -> Result<Option<Failure>, Failure> {
    script_at(&run_of(trial, path, sql, transaction)).map(|(failure, _)| failure)
}

/// The same, and whether a function was used whose result may differ from one time to the next.
fn script_at(run: &Run) -> Result<(Option<Failure>, bool), Failure> {
    let (connection, guard) = guarded(run)?;
    // The states are copies of copies: nothing here needs to outlive a power cut.
    guard.own(&connection, "PRAGMA synchronous=OFF").map_err(|e| Failure::of(&e, 0))?;
    let report = run_and_commit(&connection, &guard, run)?;
    let chance = guard.left_to_chance();
    guard.retire();
    close(connection)?;
    match report.failure {
        Some(failure) if matches!(failure.kind, FailureKind::OutOfSpace | FailureKind::Disk) => Err(failure),
        failure => Ok((failure, chance)),
    }
}

fn run_of(trial: &Trial, path: &Path, sql: &str, transaction: bool) -> Run {
    Run {
        path: path.to_owned(),
        sql: sql.to_owned(),
        transaction,
        foreign_keys: trial.foreign_keys,
        shifted: false,
        limit_ms: trial.limit_ms,
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(|_| ()).map_err(|e| disk(&e))
}

fn replace(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|e| disk(&e))
}

fn disk(error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FailureKind::OutOfSpace,
        _ => FailureKind::Disk,
    };
    Failure { statement: 0, code: rusqlite::ffi::SQLITE_IOERR, kind, text: error.kind().to_string() }
}
