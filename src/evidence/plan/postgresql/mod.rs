//! A PostgreSQL script, cut into statements as the server's own lexer would.
//!
//! Owns: where a statement ends, and what its first words say about transactions: pure, so that whoever reads a
//! packet can tell again why a leg was not run. Must not: know what a statement means; the server parses it, and
//! refuses a piece that turns out to be two statements (the extended protocol takes one at a time).
//!
//! ```
//! use fix7_ledger::evidence::plan::postgresql::{outside_transaction, statements};
//! let script = "CREATE TABLE t(a text DEFAULT 'x;y'); -- a; b\nCREATE INDEX CONCURRENTLY i ON t(a);";
//! assert_eq!(statements(script).len(), 2);
//! assert_eq!(outside_transaction(script), Some((2, "CREATE INDEX CONCURRENTLY")));
//! ```

mod lexer;
mod moment;
#[cfg(test)]
mod tests;

use lexer::{Lexer, Token};
pub use moment::{CLOCK_WORDS, at_another_moment, mentions_the_clock};

/// How many words of a statement are looked at: no rule needs more.
const WORDS: usize = 12;

/// What a statement does to the transaction that it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// BEGIN, COMMIT, ROLLBACK and their kin: the transaction is the rehearsal's, and stays so.
    Transaction,
    /// The server refuses it inside of a transaction; the name says which statement it is.
    Outside(&'static str),
    /// COPY between the server and its client: a script holds no client.
    CopyStream {
        /// From the client to the server.
        inwards: bool,
    },
    /// INSERT, UPDATE, DELETE, MERGE, or a WITH that may be one: the server counts rows for it.
    Rows,
    /// Everything else.
    Other,
}

/// The statements, without those that are empty.
pub fn statements(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut lexer = Lexer::of(sql);
    let (mut start, mut parentheses, mut blocks, mut words) = (0, 0usize, 0usize, Vec::new());
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(from, to) => {
                let word = sql[from..to].to_ascii_uppercase();
                // The body of a function in standard SQL: BEGIN ATOMIC …; …; END.
                if is_routine(&words) {
                    match word.as_str() {
                        "BEGIN" => blocks += 1,
                        "CASE" if blocks > 0 => blocks += 1,
                        "END" => blocks = blocks.saturating_sub(1),
                        _ => {}
                    }
                }
                if words.len() < WORDS {
                    words.push(word);
                }
            }
            Token::Byte(b'(') => parentheses += 1,
            Token::Byte(b')') => parentheses = parentheses.saturating_sub(1),
            Token::Byte(b';') if parentheses == 0 && blocks == 0 => {
                push(&mut found, &sql[start..lexer.at]);
                start = lexer.at;
                words.clear();
            }
            Token::Byte(_) => {}
        }
    }
    push(&mut found, &sql[start..]);
    found
}

fn push<'a>(found: &mut Vec<&'a str>, piece: &'a str) {
    let mut lexer = Lexer::of(piece);
    let any = std::iter::from_fn(|| lexer.next()).any(|token| token != Token::Byte(b';'));
    if any {
        found.push(piece.trim().trim_end_matches(';').trim_end());
    }
}

/// The statement's words, in upper case, without comments and quoted names.
fn each_word(statement: &str) -> impl Iterator<Item = String> {
    let mut lexer = Lexer::of(statement);
    std::iter::from_fn(move || lexer.next()).filter_map(|token| match token {
        Token::Word(from, to) => Some(statement[from..to].to_ascii_uppercase()),
        Token::Byte(_) => None,
    })
}

pub(super) fn any_word(statement: &str, wanted: &[&str]) -> Option<String> {
    each_word(statement).find(|word| wanted.contains(&word.as_str()))
}

/// What the statement does to its transaction.
pub fn verb(statement: &str) -> Verb {
    let words: Vec<String> = each_word(statement).take(WORDS).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        ["ROLLBACK", "TO", ..] | ["ROLLBACK", "WORK" | "TRANSACTION", "TO", ..] => Verb::Other,
        ["BEGIN" | "COMMIT" | "END" | "ABORT" | "ROLLBACK", ..]
        | ["START" | "PREPARE", "TRANSACTION", ..] => Verb::Transaction,
        ["CREATE", "INDEX", "CONCURRENTLY", ..] | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => {
            Verb::Outside("CREATE INDEX CONCURRENTLY")
        }
        ["DROP", "INDEX", "CONCURRENTLY", ..] => Verb::Outside("DROP INDEX CONCURRENTLY"),
        ["REINDEX", ..] if has("CONCURRENTLY") => Verb::Outside("REINDEX CONCURRENTLY"),
        ["REINDEX", "DATABASE" | "SYSTEM", ..] => Verb::Outside("REINDEX DATABASE"),
        ["ALTER", "TABLE", ..] if has("DETACH") && has("CONCURRENTLY") => {
            Verb::Outside("ALTER TABLE … DETACH PARTITION … CONCURRENTLY")
        }
        ["VACUUM", ..] => Verb::Outside("VACUUM"),
        ["CLUSTER"] | ["CLUSTER", "VERBOSE"] => Verb::Outside("CLUSTER"),
        ["CREATE" | "DROP", "DATABASE", ..] => Verb::Outside("CREATE or DROP DATABASE"),
        ["CREATE" | "DROP", "TABLESPACE", ..] => Verb::Outside("CREATE or DROP TABLESPACE"),
        ["ALTER", "SYSTEM", ..] => Verb::Outside("ALTER SYSTEM"),
        ["CREATE" | "DROP", "SUBSCRIPTION", ..] => Verb::Outside("CREATE or DROP SUBSCRIPTION"),
        ["DISCARD", "ALL", ..] => Verb::Outside("DISCARD ALL"),
        // The list of columns may be long.
        ["COPY", ..] => match any_word(statement, &["STDIN", "STDOUT"]).as_deref() {
            Some(stream) => Verb::CopyStream { inwards: stream == "STDIN" },
            None => Verb::Other,
        },
        ["INSERT" | "UPDATE" | "DELETE" | "MERGE", ..] => Verb::Rows,
        ["WITH", ..] if any_word(statement, &["INSERT", "UPDATE", "DELETE", "MERGE"]).is_some() => Verb::Rows,
        _ => Verb::Other,
    }
}

/// The first statement that cannot run in a transaction: its number and its name.
pub fn outside_transaction(sql: &str) -> Option<(u64, &'static str)> {
    let statements = statements(sql);
    // What ALTER TYPE adds to an enum that was there before can be used once it is committed.
    let mut added: Vec<&str> = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let number = at as u64 + 1;
        if let Verb::Outside(name) = verb(statement) {
            return Some((number, name));
        }
        match added_value(statement) {
            Some((name, _)) if statements[..at].iter().any(|earlier| makes_type(earlier, name)) => {}
            Some((_, value)) => added.push(value),
            None if added.iter().any(|value| statement.contains(value)) => {
                return Some((number, "the use of a value that ALTER TYPE … ADD VALUE has added"));
            }
            None => {}
        }
    }
    None
}

/// Of `ALTER TYPE name ADD VALUE 'value'` the name and the value, as they are written.
fn added_value(statement: &str) -> Option<(&str, &str)> {
    let words: Vec<String> = each_word(statement).take(WORDS).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !matches!(words.as_slice(), ["ALTER", "TYPE", ..]) {
        return None;
    }
    let (mut lexer, mut name, mut last) = (Lexer::of(statement), None, (0, 0));
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(from, to) if statement[from..to].eq_ignore_ascii_case("TYPE") && name.is_none() => {
                last = (to, to);
            }
            Token::Word(from, to) if statement[from..to].eq_ignore_ascii_case("ADD") => {
                name = Some(statement[last.0..from].trim());
            }
            Token::Byte(b'\'') => return Some((name?, &statement[lexer.from..lexer.at])),
            _ => {}
        }
    }
    None
}

fn makes_type(statement: &str, name: &str) -> bool {
    let words: Vec<String> = each_word(statement).take(2).collect();
    words == ["CREATE", "TYPE"] && statement.contains(name)
}

/// The first quoted text of an expression, as it is meant: of `(a = ANY (ARRAY['x'::text]))` it is `x`.
pub fn first_text(expression: &str) -> Option<String> {
    let mut lexer = Lexer::of(expression);
    while let Some(token) = lexer.next() {
        if token == Token::Byte(b'\'') {
            let written = &expression[lexer.from..lexer.at];
            let inner = written.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\''));
            return inner.map(|inner| inner.replace("''", "'"));
        }
    }
    None
}

/// Whether a statement of a dump says who owns an object or who may use it: roles of the cluster that it was taken from.
pub fn is_about_roles(statement: &str) -> bool {
    let words: Vec<String> = each_word(statement).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["GRANT" | "REVOKE", ..] | ["ALTER", "DEFAULT", "PRIVILEGES", ..] => true,
        // The role's name may be quoted.
        ["ALTER", .., "OWNER", "TO"] | ["ALTER", .., "OWNER", "TO", _] => !words.contains(&"RENAME"),
        _ => false,
    }
}

/// Whether a script opens and closes transactions by itself.
pub fn brings_its_own_transaction(sql: &str) -> bool {
    statements(sql).iter().any(|statement| matches!(verb(statement), Verb::Transaction | Verb::Outside(_)))
}

fn is_routine(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["CREATE", "FUNCTION" | "PROCEDURE", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE", ..]
    )
}
