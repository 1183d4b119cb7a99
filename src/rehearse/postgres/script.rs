//! One script on one connection, statement by statement, as the role that owns the clone.
//!
//! Owns: the loop, and what is looked at after every statement. Must not: run anything as a superuser.
//!
//! The extended protocol takes one statement at a time, so a piece that the server reads as two is refused by it.
//! After each statement the transaction's number is asked for: it is the same, or the transaction was ended.

use std::time::Duration;

use postgres::Client;
use postgres::error::SqlState;

use super::failure::{self, refused};
use crate::digest::{Digest, Hasher};
use crate::evidence::plan::postgresql::{Verb, statements, verb};
use crate::rehearse::engine::{Failure, FailureKind, MAX_STATEMENTS, Report};

/// Runs `sql` to its end or to its first failure. Wrapped: inside the transaction that is open. `about_to_end` is called
/// before each statement by which the script ends a transaction of its own.
pub(super) fn run(client: &mut Client, sql: &str, wrapped: bool, about_to_end: &mut dyn FnMut()) -> Report {
    let mut texts = Hasher::labelled("fix7.statements/v1");
    let mut report = Report {
        statements: 0,
        statements_sha256: Digest::ZERO,
        rows_changed: 0,
        stayed_open: wrapped,
        failure: None,
    };
    let transaction = if wrapped { number(client) } else { None };
    for statement in statements(sql) {
        let n = report.statements + 1;
        if n > MAX_STATEMENTS {
            report.failure = Some(refused(n, "54000", format!("more than {MAX_STATEMENTS} statements")));
            break;
        }
        report.statements = n;
        texts.framed(statement.as_bytes());
        if !wrapped && verb(statement) == Verb::Transaction {
            about_to_end();
        }
        match one(client, statement, n, wrapped) {
            Ok(rows) => report.rows_changed += rows,
            Err(failure) => {
                report.failure = Some(failure);
                break;
            }
        }
        if wrapped && (transaction.is_none() || number(client) != transaction) {
            report.stayed_open = false;
            report.failure = Some(refused(n, "25000", "the statement ended the rehearsal's transaction"));
            break;
        }
    }
    if !wrapped && report.failure.is_none() && is_open(client) {
        let text = "the script leaves its transaction open".to_owned();
        let code = failure::number("25001");
        report.failure = Some(Failure { statement: report.statements, code, kind: FailureKind::Fails, text });
    }
    report.statements_sha256 = texts.finish();
    report
}

/// Ends every statement that runs longer than this.
pub(super) fn limit(client: &mut Client, most: Duration) -> Result<(), Failure> {
    let sql = format!("SET statement_timeout = {}", most.as_millis());
    client.batch_execute(&sql).map_err(|e| failure::of(&e, 0))
}

fn one(client: &mut Client, statement: &str, n: u64, wrapped: bool) -> Result<u64, Failure> {
    let verb = verb(statement);
    match verb {
        Verb::Transaction if wrapped => {
            return Err(refused(n, "2D000", "transaction verbs belong to the rehearsal"));
        }
        Verb::CopyStream { .. } => {
            return Err(refused(n, "42501", "COPY with the client's own streams: a script has no client"));
        }
        _ => {}
    }
    let failed = |e: postgres::Error| failure::of(&e, n);
    let prepared = client.prepare(statement).map_err(failed)?;
    let rows = client.execute(&prepared, &[]).map_err(failed)?;
    Ok(if verb == Verb::Rows { rows } else { 0 })
}

/// The number of the transaction that is open, if one is and has one.
fn number(client: &mut Client) -> Option<String> {
    let sql = "SELECT pg_catalog.pg_current_xact_id_if_assigned()::text";
    client.query_one(sql, &[]).ok().and_then(|row| row.get(0))
}

/// Whether a transaction is open: outside of one there are no savepoints.
pub(super) fn is_open(client: &mut Client) -> bool {
    match client.batch_execute("SAVEPOINT fix7") {
        Ok(()) => true,
        Err(error) => error.code() != Some(&SqlState::NO_ACTIVE_SQL_TRANSACTION),
    }
}
