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
    let mut lexer = Lexer { text: sql.as_bytes(), at: 0 };
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
    let mut lexer = Lexer { text: piece.as_bytes(), at: 0 };
    let any = std::iter::from_fn(|| lexer.next()).any(|token| token != Token::Byte(b';'));
    if any {
        found.push(piece.trim().trim_end_matches(';').trim_end());
    }
}

/// The statement's words, in upper case, without comments and quoted names.
fn each_word(statement: &str) -> impl Iterator<Item = String> {
    let mut lexer = Lexer { text: statement.as_bytes(), at: 0 };
    std::iter::from_fn(move || lexer.next()).filter_map(|token| match token {
        Token::Word(from, to) => Some(statement[from..to].to_ascii_uppercase()),
        Token::Byte(_) => None,
    })
}

fn any_word(statement: &str, wanted: &[&str]) -> Option<String> {
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
    statements(sql).iter().zip(1..).find_map(|(statement, n)| match verb(statement) {
        Verb::Outside(name) => Some((n, name)),
        _ => None,
    })
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword or a plain name: from, to.
    Word(usize, usize),
    /// Any other byte; a whole quoted text or name is one.
    Byte(u8),
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token; comments and white space are passed over.
    fn next(&mut self) -> Option<Token> {
        loop {
            let byte = *self.text.get(self.at)?;
            match (byte, self.peek(1)) {
                (b'-', b'-') => self.skip_past(|text, at| text[at] == b'\n', 1),
                (b'/', b'*') => self.comment(),
                (b'\'', _) => return Some(self.quoted(b'\'', false)),
                (b'"', _) => return Some(self.quoted(b'"', false)),
                (b'e' | b'E', b'\'') => {
                    self.at += 1;
                    return Some(self.quoted(b'\'', true));
                }
                (b'$', _) => return Some(self.dollar()),
                _ if byte.is_ascii_whitespace() => self.at += 1,
                _ if is_name(byte) && !byte.is_ascii_digit() => {
                    let from = self.at;
                    while is_name(self.peek(0)) || self.peek(0) == b'$' {
                        self.at += 1;
                    }
                    return Some(Token::Word(from, self.at));
                }
                // A number: `1e'x'` is no text with escapes.
                _ if byte.is_ascii_digit() => {
                    while is_name(self.peek(0)) {
                        self.at += 1;
                    }
                    return Some(Token::Byte(byte));
                }
                _ => {
                    self.at += 1;
                    return Some(Token::Byte(byte));
                }
            }
        }
    }

    fn skip_past(&mut self, end: impl Fn(&[u8], usize) -> bool, length: usize) {
        while self.at < self.text.len() && !end(self.text, self.at) {
            self.at += 1;
        }
        self.at = (self.at + length).min(self.text.len());
    }

    /// A comment, with those inside of it.
    fn comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => (depth, self.at) = (depth + 1, self.at + 2),
                (b'*', b'/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> Token {
        self.at += 1;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' if escapes => self.at += 2,
                byte if byte == quote && self.peek(1) == quote => self.at += 2,
                byte if byte == quote => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.text.len());
        Token::Byte(quote)
    }

    /// `$tag$ … $tag$`, or a lone `$`.
    fn dollar(&mut self) -> Token {
        let from = self.at;
        let mut end = from + 1;
        while self.text.get(end).is_some_and(|byte| is_name(*byte)) {
            end += 1;
        }
        let digit = self.text.get(from + 1).is_some_and(u8::is_ascii_digit);
        if self.text.get(end) != Some(&b'$') || digit {
            self.at += 1;
            return Token::Byte(b'$');
        }
        let tag = &self.text[from..=end];
        self.at = end + 1;
        self.skip_past(|text, at| text[at..].starts_with(tag), tag.len());
        Token::Byte(b'$')
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_where_the_server_says() {
        for (script, pieces) in [
            ("", vec![]),
            (" ; -- nothing\n ; /* ; */", vec![]),
            ("SELECT ';'; SELECT 2", vec!["SELECT ';'", "SELECT 2"]),
            ("SELECT E'\\';'; SELECT 2;", vec!["SELECT E'\\';'", "SELECT 2"]),
            ("SELECT '\\'; SELECT 2;", vec!["SELECT '\\'", "SELECT 2"]),
            ("SELECT \"a;\"\"b\"; x", vec!["SELECT \"a;\"\"b\"", "x"]),
            ("DO $a$ x; $b$; $a$; y", vec!["DO $a$ x; $b$; $a$", "y"]),
            ("SELECT $1; a$b$; c", vec!["SELECT $1", "a$b$", "c"]),
            ("/* a /* ; */ ; */ SELECT 1;", vec!["/* a /* ; */ ; */ SELECT 1"]),
            (
                "CREATE RULE r AS ON INSERT TO t DO (a; b); c",
                vec!["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"],
            ),
            (
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; c",
                vec![
                    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
                    "c",
                ],
            ),
            ("BEGIN; END; c", vec!["BEGIN", "END", "c"]),
            ("'open; for ever", vec!["'open; for ever"]),
            ("$x$open", vec!["$x$open"]),
            ("/* open", vec![]),
        ] {
            assert_eq!(statements(script), pieces, "{script}");
        }
    }

    #[test]
    fn what_cannot_run_in_a_transaction_is_seen_and_its_twin_is_not() {
        for (bad, good) in [
            ("create unique index concurrently i on t(a)", "create unique index i on t(a)"),
            ("drop index concurrently i", "drop index i"),
            ("reindex table concurrently t", "reindex table t"),
            ("vacuum full t", "analyze t"),
            ("create database d", "create schema d"),
            ("alter system set a = 1", "alter table system add a int"),
            ("/* why */ VACUUM", "comment on table t is 'VACUUM'"),
            ("alter table t detach partition p concurrently", "alter table t detach partition p"),
        ] {
            assert!(outside_transaction(bad).is_some(), "{bad}");
            assert_eq!(outside_transaction(good), None, "{good}");
        }
    }

    #[test]
    fn verbs_of_transactions_are_seen_and_savepoints_pass() {
        for text in [
            "begin",
            "COMMIT WORK",
            "end",
            "abort",
            "rollback",
            "start transaction",
            "prepare transaction 'x'",
        ] {
            assert_eq!(verb(text), Verb::Transaction, "{text}");
        }
        for text in
            ["savepoint a", "rollback to a", "rollback to savepoint a", "release a", "prepare p as select 1"]
        {
            assert_eq!(verb(text), Verb::Other, "{text}");
        }
        assert_eq!(verb("with x as (select 1) insert into t select * from x"), Verb::Rows);
        let many = (0..40).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ");
        assert_eq!(verb(&format!("copy t ({many}) from stdin")), Verb::CopyStream { inwards: true });
    }
}
