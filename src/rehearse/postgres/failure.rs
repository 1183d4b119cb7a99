//! A server's errors as failures of a rehearsal: SQLSTATE, kind, and words without row values.
//!
//! Owns: the mapping. Must not: let a value of a row through; details and hints are never kept.

use postgres::error::{DbError, SqlState};

use super::rows::StateError;
use crate::rehearse::engine::{Failure, FailureKind};

/// A failure of statement number `statement`; 0 where no statement of the plan's is to blame.
pub(super) fn of(error: &postgres::Error, statement: u64) -> Failure {
    match error.as_db_error() {
        Some(said) => Failure {
            statement,
            code: number(said.code().code()),
            kind: kind(said),
            text: format!("{} (SQLSTATE {})", words(said), said.code().code()),
        },
        None => Failure {
            statement,
            code: number("08006"),
            kind: FailureKind::Disk,
            // The library's own words: they quote nothing.
            text: format!("the connection to the cluster was lost: {error}"),
        },
    }
}

/// A state that could not be read.
pub(super) fn of_state(error: StateError) -> Failure {
    match error {
        StateError::Server { what, cause } => {
            let failure = of(&cause, 0);
            Failure { text: format!("{what}: {}", failure.text), ..failure }
        }
        other => outside(other.to_string()),
    }
}

/// A failure of the rehearsal's own programs or files.
pub(super) fn outside(text: impl Into<String>) -> Failure {
    Failure { statement: 0, code: number("58000"), kind: FailureKind::Disk, text: text.into() }
}

/// A refusal by the rehearsal itself, under a SQLSTATE that says the same.
pub(super) fn refused(statement: u64, sqlstate: &str, text: impl Into<String>) -> Failure {
    Failure { statement, code: number(sqlstate), kind: FailureKind::Denied, text: text.into() }
}

/// A SQLSTATE as PostgreSQL's own number: six bits a character, the first one lowest (`MAKE_SQLSTATE`).
pub(super) fn number(sqlstate: &str) -> i32 {
    let bits = |byte: u8| i32::from(byte.wrapping_sub(b'0') & 0x3f);
    sqlstate.bytes().take(5).zip(0..).fold(0, |number, (byte, at)| number | bits(byte) << (6 * at))
}

fn kind(said: &DbError) -> FailureKind {
    let code = said.code();
    match code.code() {
        _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => FailureKind::Denied,
        _ if *code == SqlState::QUERY_CANCELED => FailureKind::TimedOut,
        _ if *code == SqlState::DISK_FULL => FailureKind::OutOfSpace,
        _ if *code == SqlState::FEATURE_NOT_SUPPORTED && said.message().ends_with("is not available") => {
            FailureKind::Lacks
        }
        text if text.starts_with("XX") => FailureKind::Corrupt,
        text if text.starts_with("58") || text.starts_with("08") || text.starts_with("57P") => {
            FailureKind::Disk
        }
        _ => FailureKind::Fails,
    }
}

/// The message, as far as it names objects alone: classes that quote data lose what they quote.
fn words(said: &DbError) -> String {
    let code = said.code().code();
    let names_only =
        ["0A", "23", "25", "26", "2B", "2D", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"];
    match code {
        _ if names_only.iter().any(|class| code.starts_with(class)) => said.message().to_owned(),
        _ if code.starts_with("P0") || code.starts_with("38") => {
            "an exception that the script itself raises".to_owned()
        }
        _ => without_quoted(said.message()),
    }
}

fn without_quoted(text: &str) -> String {
    let pieces = text.split('"').enumerate().map(|(n, piece)| if n % 2 == 0 { piece } else { "…" });
    pieces.collect::<Vec<_>>().join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_postgresqls_own_number_and_quoted_data_is_left_out() {
        // The numbers of `src/include/utils/errcodes.h`: MAKE_SQLSTATE('4','2','5','0','1') and '00000'.
        assert_eq!(number("42501"), 4 | 2 << 6 | 5 << 12 | 1 << 24);
        assert_eq!(number("00000"), 0);
        assert_eq!(number("0A000"), 17 << 6);
        assert_eq!(
            without_quoted("invalid input syntax for type integer: \"abc\""),
            "invalid input syntax for type integer: \"…\""
        );
    }
}
