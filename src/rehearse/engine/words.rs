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
    "duplicate column name: ",
    "Safety level may not be changed inside a transaction",
    "attempt to write a readonly database",
];

/// Longest message kept, in bytes: a CHECK constraint's text may be as long as its author liked.
const MESSAGE_BYTES: usize = 400;

/// The words of `error` that may be kept. While a statement is `compiling` no row is read: the engine then
/// speaks of the statement's text and the schema alone.
pub fn said(error: &Error, compiling: bool) -> Said {
    match error {
        Error::SqlInputError { error, msg, .. } => {
            Said { code: error.extended_code, text: cut(msg), compiling: true }
        }
        Error::SqliteFailure(error, message) => {
            let code = error.extended_code;
            let general = rusqlite::ffi::code_to_str(code).to_owned();
            let text = match message {
                // A foreign key's action is a trigger inside.
                Some(message) if message == "FOREIGN KEY constraint failed" => cut(message),
                // A trigger's message is an expression: it may be a row.
                _ if code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER => {
                    "a trigger refused the row".to_owned()
                }
                Some(message) if compiling => cut(message),
                Some(message) if NAMES_ONLY.iter().any(|names| message.starts_with(names)) => cut(message),
                _ => general,
            };
            Said { code, text, compiling }
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
    let mut rest = past_blanks(sql);
    while let Some(more) = rest.strip_prefix([';', '\u{feff}']) {
        rest = past_blanks(more);
    }
    rest
}

/// The statements of a script, as they stand, one after the other.
///
/// SQLite's own tail decides where a statement ends wherever one is run to its end; this cut is for looking
/// at a script, and for going on behind a statement that SQLite does not understand.
pub fn statements(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let statement = past_comments(rest);
        rest = past_statement(statement);
        (!statement.is_empty()).then(|| &statement[..statement.len() - rest.len()])
    })
}

/// Whether a script has statements that cannot run inside somebody else's transaction: transaction verbs
/// of its own, or VACUUM.
///
/// ```
/// use fix7_ledger::rehearse::engine::brings_its_own_transaction;
/// assert!(brings_its_own_transaction("CREATE TABLE t(a); VACUUM;"));
/// assert!(!brings_its_own_transaction("CREATE TRIGGER g AFTER INSERT ON t BEGIN
///     UPDATE t SET a = CASE a WHEN 1 THEN 2 END; SELECT ';'; END; -- commit;"));
/// ```
pub fn brings_its_own_transaction(sql: &str) -> bool {
    let own = |statement| {
        matches!(first_word(statement).as_str(), "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "VACUUM")
    };
    statements(sql).any(own)
}

/// What stands after the statement at the beginning of `sql`. A trigger ends with `END`, not with its
/// first semicolon.
fn past_statement(sql: &str) -> &str {
    let mut words = Vec::new();
    let mut rest = sql;
    while !rest.is_empty() {
        rest = past_blanks(rest);
        let Some(first) = rest.chars().next() else { break };
        let quoted = match first {
            '\'' | '"' | '`' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        if let Some(quote) = quoted {
            // A doubled quote is two quoted texts side by side, for this purpose.
            rest = rest[1..].find(quote).map_or("", |end| &rest[end + 2..]);
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = first_word(rest);
            rest = &rest[word.len().max(1)..];
            words.push(word);
        } else {
            rest = &rest[first.len_utf8()..];
            let in_trigger =
                words.first().is_some_and(|w| w == "CREATE") && words.iter().take(3).any(|w| w == "TRIGGER");
            if first == ';' {
                // `; END ;` ends a trigger; `CASE … END;` in its body does not.
                if !in_trigger || words.ends_with(&[";".to_owned(), "END".to_owned()]) {
                    return rest;
                }
                words.push(";".to_owned());
            }
        }
    }
    ""
}

/// Past white space and comments, but no semicolons.
fn past_blanks(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
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
        let compiling = connection.prepare(last).is_err();
        said(&connection.execute_batch(last).expect_err("the last statement fails"), compiling)
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
