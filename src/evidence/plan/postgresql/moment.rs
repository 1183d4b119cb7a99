//! A script as if it ran at another moment: what the grammar has instead of a function of the clock.
//!
//! Owns: which words read the clock, and putting a fixed moment in the place of those that no function stands behind.
//! Must not: look into quoted text, but for the bodies of routines and of DO.
//!
//! ```
//! use fix7_ledger::evidence::plan::postgresql::at_another_moment;
//! let script = "INSERT INTO t VALUES (CURRENT_DATE, 'current_date', DATE 'today')";
//! let moved = "INSERT INTO t VALUES (CAST('2001-02-03' AS pg_catalog.date), 'current_date', DATE '2001-02-03 04:05:06.789+00')";
//! assert_eq!(at_another_moment(script), moved);
//! ```

use super::lexer::{Lexer, Token};
use super::{any_word, statements};

/// Words of SQL that read the clock. `age` does with one argument.
pub const CLOCK_WORDS: [&str; 11] = [
    "age",
    "clock_timestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "now",
    "statement_timestamp",
    "timeofday",
    "transaction_timestamp",
];
/// Those that are no functions, and what is put in their place: in the grammar both are the same kind of expression.
const KEYWORDS: [(&str, &str); 5] = [
    ("CURRENT_DATE", "CAST('2001-02-03' AS pg_catalog.date)"),
    ("CURRENT_TIME", "CAST('04:05:06.789+00' AS pg_catalog.timetz)"),
    ("CURRENT_TIMESTAMP", "CAST('2001-02-03 04:05:06.789+00' AS pg_catalog.timestamptz)"),
    ("LOCALTIME", "CAST('04:05:06.789' AS pg_catalog.time)"),
    ("LOCALTIMESTAMP", "CAST('2001-02-03 04:05:06.789' AS pg_catalog.\"timestamp\")"),
];
/// Texts that are read as a moment where a moment is asked for.
const LITERALS: [&str; 4] = ["'now'", "'today'", "'tomorrow'", "'yesterday'"];
/// What stands for them.
const MOMENT: &str = "'2001-02-03 04:05:06.789+00'";

/// Whether a word of a script may read the clock, wherever it stands: too often is no harm.
pub fn mentions_the_clock(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    CLOCK_WORDS.iter().chain(&LITERALS).any(|word| lower.contains(word))
}

/// The script with a fixed moment of long ago wherever it names the clock without calling a function.
pub fn at_another_moment(sql: &str) -> String {
    let mut moved = String::with_capacity(sql.len());
    let mut rest = sql;
    for statement in statements(sql) {
        let Some(at) = rest.find(statement) else { continue };
        moved.push_str(&rest[..at]);
        let routine = any_word(statement, &["FUNCTION", "PROCEDURE", "DO"]).is_some();
        rewrite(statement, routine, &mut moved);
        rest = &rest[at + statement.len()..];
    }
    moved.push_str(rest);
    moved
}

/// Appends `text` as at another moment; `within` looks into `$$ … $$` too.
fn rewrite(text: &str, within: bool, into: &mut String) {
    let mut lexer = Lexer::of(text);
    let (mut copied, mut before) = (0, String::new());
    while let Some(token) = lexer.next() {
        let (from, to) = (lexer.from, lexer.at);
        let written = &text[from..to];
        let word = matches!(token, Token::Word(..));
        let keyword = KEYWORDS.iter().find(|(name, _)| word && written.eq_ignore_ascii_case(name));
        let tag =
            written.find('$').filter(|at| *at == 0).and_then(|_| written[1..].find('$')).map(|end| end + 2);
        match (keyword, tag) {
            // `SELECT 1 AS current_date` names a column.
            (Some((_, moment)), _) if before != "AS" => {
                into.push_str(&text[copied..from]);
                into.push_str(moment);
                copied = to + precision(&text[to..]);
                lexer.at = copied;
            }
            (None, Some(tag)) if within && written.len() >= 2 * tag => {
                let end = to - tag;
                into.push_str(&text[copied..from + tag]);
                rewrite(&text[from + tag..end], true, into);
                copied = end;
            }
            _ if is_literal(written) && is_moment(&before, &text[to..]) => {
                into.push_str(&text[copied..from]);
                into.push_str(MOMENT);
                copied = to;
            }
            _ => {}
        }
        before = if word { written.to_ascii_uppercase() } else { String::new() };
    }
    into.push_str(&text[copied..]);
}

/// Bytes of a precision that follows: `(3)`.
fn precision(rest: &str) -> usize {
    let inner = rest.trim_start().strip_prefix('(').map(|inner| inner.split_once(')'));
    match inner {
        Some(Some((digits, after))) if digits.trim().bytes().all(|b| b.is_ascii_digit()) => {
            rest.len() - after.len()
        }
        _ => 0,
    }
}

fn is_literal(written: &str) -> bool {
    LITERALS.iter().any(|literal| written.eq_ignore_ascii_case(literal))
}

/// Whether a text between these is read as a moment: `DATE 'today'`, `'now'::timestamptz`.
fn is_moment(before: &str, after: &str) -> bool {
    let cast = after.trim_start().strip_prefix("::").map(|kind| kind.trim_start().to_ascii_lowercase());
    let of_time = |kind: &str| kind.starts_with("date") || kind.starts_with("time");
    // `timestamp with time zone 'now'`
    cast.is_some_and(|kind| of_time(&kind)) || of_time(&before.to_ascii_lowercase()) || before == "ZONE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_clock_is_moved_and_what_only_looks_so_is_not() {
        for unmoved in [
            "SELECT 'CURRENT_DATE', \"current_date\" -- CURRENT_DATE\n",
            "SELECT 1 AS current_date; SELECT now(), age(x)",
            "INSERT INTO t VALUES ($$CURRENT_DATE$$, 'today', ' now ')",
            "SELECT 'today'::text",
            "",
            "; ;",
        ] {
            assert_eq!(at_another_moment(unmoved), unmoved);
        }
        for (script, moved) in [
            ("select current_time ( 3 ) + x", "select CAST('04:05:06.789+00' AS pg_catalog.timetz) + x"),
            ("select LOCALTIME,(1)", "select CAST('04:05:06.789' AS pg_catalog.time),(1)"),
            ("select 'yesterday' :: date", "select '2001-02-03 04:05:06.789+00' :: date"),
            (
                "DO $x$ a := CURRENT_DATE; $x$; SELECT 1",
                "DO $x$ a := CAST('2001-02-03' AS pg_catalog.date); $x$; SELECT 1",
            ),
        ] {
            assert_eq!(at_another_moment(script), moved);
        }
    }

    #[test]
    fn a_script_that_may_read_the_clock_is_known() {
        for sql in [
            "UPDATE t SET a = NOW()",
            "select 'today'::date",
            "alter table t add d date default CURRENT_DATE",
        ] {
            assert!(mentions_the_clock(sql), "{sql}");
        }
        assert!(!mentions_the_clock("ALTER TABLE t ADD x int DEFAULT 7"));
    }
}
