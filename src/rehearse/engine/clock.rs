//! Another time of day, to see whether a change depends on it.
//!
//! Owns: SQLite's date functions with a fixed `now`. Must not: be set on a connection whose commit counts
//! as evidence: there the functions are SQLite's own.
//!
//! Applying a change twice shows `random()`, but two applications within one second agree on the clock. So
//! one of them runs as if it were this moment of long ago; where the rows come out the same, the clock did
//! not matter, whatever functions the change calls.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

/// The fixed moment.
const NOW: &str = "2001-02-03 04:05:06.789";
/// SQLite's date functions, and where their time values begin.
const FUNCTIONS: [(&str, usize); 7] = [
    ("date", 0),
    ("time", 0),
    ("datetime", 0),
    ("julianday", 0),
    ("unixepoch", 0),
    ("timediff", 0),
    ("strftime", 1),
];
/// The keywords, and the functions that they stand for.
const KEYWORDS: [(&str, &str); 3] =
    [("current_date", "date"), ("current_time", "time"), ("current_timestamp", "datetime")];

/// Makes it `NOW` for everything that `connection` runs.
///
/// # Errors
/// SQLite's own.
pub fn shift(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, first) in FUNCTIONS {
        // A connection of its own computes the value: SQLite's own function, with another moment.
        let own = Connection::open_in_memory()?;
        connection.create_scalar_function(name, -1, flags, move |context| {
            let mut arguments = Vec::with_capacity(context.len() + 1);
            for index in 0..context.len() {
                arguments.push(context.get::<Value>(index)?);
            }
            at_the_moment(&mut arguments, first);
            compute(&own, name, &arguments)
        })?;
    }
    for (keyword, name) in KEYWORDS {
        let own = Connection::open_in_memory()?;
        connection.create_scalar_function(keyword, 0, flags, move |_| {
            compute(&own, name, &[Value::Text(NOW.to_owned())])
        })?;
    }
    Ok(())
}

/// Puts the moment wherever the clock would be read.
fn at_the_moment(arguments: &mut Vec<Value>, first: usize) {
    let says = |value: &Value, words: &[&str]| match value {
        Value::Text(text) => words.iter().any(|word| text.eq_ignore_ascii_case(word)),
        _ => false,
    };
    for value in arguments.iter_mut().skip(first) {
        if says(value, &["now"]) {
            *value = Value::Text(NOW.to_owned());
        }
    }
    // No time value, or a modifier in its place, means now.
    let missing = arguments.get(first).is_none_or(|value| says(value, &["subsec", "subsecond"]));
    if missing && arguments.len() >= first {
        arguments.insert(first, Value::Text(NOW.to_owned()));
    }
}

fn compute(own: &Connection, name: &str, arguments: &[Value]) -> Result<Value> {
    let marks = vec!["?"; arguments.len()].join(",");
    let mut statement = own.prepare_cached(&format!("SELECT {name}({marks})"))?;
    statement.query_row(params_from_iter(arguments), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(sql: &str) -> (Value, Value) {
        let (stock, shifted) = (Connection::open_in_memory(), Connection::open_in_memory());
        let (stock, shifted) = (stock.expect("opens"), shifted.expect("opens"));
        shift(&shifted).expect("shifted");
        let ask = |c: &Connection| c.query_row(sql, [], |row| row.get::<_, Value>(0)).expect(sql);
        (ask(&stock), ask(&shifted))
    }

    #[test]
    fn what_does_not_read_the_clock_is_as_ever() {
        for sql in [
            "SELECT date('2024-02-29', '+1 year')",
            "SELECT strftime('%Y now', '2024-02-29')",
            "SELECT strftime('now', '2024-02-29')",
            "SELECT unixepoch(2460000.5)",
            "SELECT datetime(NULL)",
            "SELECT julianday('2000-01-01', 'subsec')",
            "SELECT timediff('2024-01-01', '2023-01-01')",
        ] {
            let (stock, shifted) = both(sql);
            assert_eq!(stock, shifted, "{sql}");
        }
    }

    #[test]
    fn what_reads_the_clock_comes_out_otherwise() {
        for sql in [
            "SELECT date('now')",
            "SELECT datetime()",
            "SELECT CURRENT_TIMESTAMP",
            "SELECT current_date",
            "SELECT strftime('%s', 'NOW')",
            "SELECT strftime('%Y')",
            "SELECT unixepoch('subsec')",
            "SELECT julianday('now', '-1 day')",
        ] {
            let (stock, shifted) = both(sql);
            assert_ne!(stock, shifted, "{sql}");
            assert_ne!(shifted, Value::Null, "{sql}");
        }
    }

    #[test]
    fn defaults_and_generated_columns_know_the_moment() {
        let connection = Connection::open_in_memory().expect("opens");
        shift(&connection).expect("shifted");
        let made = "CREATE TABLE t(a DEFAULT CURRENT_TIMESTAMP, b AS (date(a)), CHECK (julianday(a) > 0));
                    INSERT INTO t DEFAULT VALUES;";
        connection.execute_batch(made).expect("made");
        let row = connection.query_row("SELECT a, b FROM t", [], |r| Ok((r.get(0)?, r.get(1)?)));
        let row: (String, String) = row.expect("a row");
        assert_eq!(row, ("2001-02-03 04:05:06".to_owned(), "2001-02-03".to_owned()));
    }
}
