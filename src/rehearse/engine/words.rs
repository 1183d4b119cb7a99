//! The engine's words, without row values; and the first word of a statement.
//!
//! Owns: which messages may enter the evidence. SQLite's messages about a statement's text name tables
//! and columns; some messages at run time quote data (`RAISE` with an expression, JSON paths, full-text
//! queries). Those are replaced by SQLite's general text for the code. Must not: guess: a message that is
//! not listed here is not repeated.

use rusqlite::Error;

/// What could be learnt from an error: its extended result code, and words that hold no row value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The extended result code.
    pub code: i32,
    /// The words.
    pub text: String,
    /// The error came while the statement was compiled, not while it ran.
    pub compiling: bool,
}

/// Beginnings of run-time messages that are made of names alone: constraints and ALTER TABLE.
const NAMES_ONLY: &[&str] = &[
    "NOT NULL constraint failed: ",
    "UNIQUE constraint failed: ",
    "CHECK constraint failed: ",
    "FOREIGN KEY constraint failed",
    "error in ",
    "cannot store ",
    "Cannot add a ",
    "cannot VACUUM",
    "cannot start a transaction within a transaction",
    "cannot commit - ",
    "cannot rollback - ",
    "no such savepoint: ",
    "database table is locked",
    "database schema has changed",
    "database disk image is malformed",
    "malformed database schema (",
    "file is not a database",
    "no such table: ",
    "no such column: ",
    "no such function: ",
    "no such collation sequence: ",
    "no such module: ",
    "datatype mismatch",
    "Safety level may not be changed inside a transaction",
    "attempt to write a readonly database",
];

/// Longest message kept, in bytes: a CHECK constraint's text may be as long as its author liked.
const MESSAGE_BYTES: usize = 400;

/// The words of `error` that may be kept.
pub fn said(error: &Error) -> Said {
    match error {
        Error::SqlInputError { error, msg, .. } => {
            Said { code: error.extended_code, text: cut(msg), compiling: true }
        }
        Error::SqliteFailure(error, message) => {
            let code = error.extended_code;
            let general = rusqlite::ffi::code_to_str(code).to_owned();
            let text = match message {
                // A trigger's message is an expression: it may be a row.
                _ if code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER => {
                    "a trigger refused the row".to_owned()
                }
                Some(message) if NAMES_ONLY.iter().any(|names| message.starts_with(names)) => cut(message),
                _ => general,
            };
            Said { code, text, compiling: false }
        }
        _ => {
            Said { code: 1, text: "the statement cannot be run by this program".to_owned(), compiling: false }
        }
    }
}

fn cut(message: &str) -> String {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

/// The first word of a statement in upper case, after white space and comments.
///
/// ```
/// use fix7_ledger::rehearse::engine::first_word;
/// assert_eq!(first_word("-- tidy up\n /* all */ vacuum into 'x'"), "VACUUM");
/// assert_eq!(first_word("  "), "");
/// ```
pub fn first_word(sql: &str) -> String {
    let rest = past_comments(sql);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest[..end].to_ascii_uppercase()
}

fn past_comments(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        rest = if let Some(line) = rest.strip_prefix("--") {
            line.find('\n').map_or("", |end| &line[end + 1..])
        } else if let Some(block) = rest.strip_prefix("/*") {
            block.find("*/").map_or("", |end| &block[end + 2..])
        } else {
            return rest;
        };
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn error_of(sql: &[&str]) -> Said {
        let connection = Connection::open_in_memory().expect("a database in memory opens");
        let (last, first) = sql.split_last().expect("at least one statement");
        for statement in first {
            connection.execute_batch(statement).expect("the statements before the last succeed");
        }
        said(&connection.execute_batch(last).expect_err("the last statement fails"))
    }

    #[test]
    fn a_constraint_names_its_column_and_nothing_else() {
        let said = error_of(&[
            "CREATE TABLE t(a UNIQUE)",
            "INSERT INTO t VALUES('secret')",
            "INSERT INTO t VALUES('secret')",
        ]);
        assert_eq!(said.text, "UNIQUE constraint failed: t.a");
        assert_eq!(said.code, rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE);
        assert!(!said.compiling);
    }

    #[test]
    fn a_message_made_of_a_row_is_not_repeated() {
        let raised = error_of(&[
            "CREATE TABLE t(a)",
            "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'secret'); END",
            "INSERT INTO t VALUES(1)",
        ]);
        assert_eq!(raised.text, "a trigger refused the row");
        let path = error_of(&[
            "CREATE TABLE t(a)",
            "INSERT INTO t VALUES('secret')",
            "SELECT json_extract('{}', a) FROM t",
        ]);
        assert!(!path.text.contains("secret"), "{}", path.text);
    }

    #[test]
    fn a_missing_function_is_named() {
        let said = error_of(&["SELECT BIN2B64('x')"]);
        assert_eq!(said.text, "no such function: BIN2B64");
        assert!(said.compiling);
    }
}
