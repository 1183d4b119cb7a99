//! Digests and compares databases from the command line: what `bench/compare digest` and `bench/compare postgres` measure.
//!
//! ```text
//! rows digest FILE THREADS    the row digest's root
//! rows bytes FILE             the byte digest of the file set
//! rows copy FILE TO           copies the file set durably, digesting it on the way
//! rows between A B            the differences as JSON
//! rows postgres SOCKETS DATABASE USER THREADS    the root of a PostgreSQL database's state
//! ```
#![allow(clippy::print_stdout)]

use std::path::Path;

use fix7_ledger::rehearse::{bytes, difference, postgres, rows};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["digest", file, threads] => {
            println!("{}", rows::of_file(Path::new(file), threads.parse()?, &|_| {})?.root);
        }
        ["bytes", file] => println!("{}", bytes::FileSetDigest::of(Path::new(file))?.files["main"].sha256),
        ["copy", from, to] => println!("{}", bytes::copy_and_digest(Path::new(from), Path::new(to))?.set),
        ["between", a, b] => {
            let found = difference::between(Path::new(a), Path::new(b), 20)?;
            println!("{}", serde_json::to_string(&found)?);
        }
        ["postgres", sockets, database, user, threads] => {
            let mut config = ::postgres::Config::new();
            config.host_path(sockets).user(user).dbname(database);
            let database = postgres::Database::new(config);
            let spill = std::env::temp_dir();
            let state = postgres::rows::of_database(&database, threads.parse()?, &spill, &|_| {})?;
            println!("{}", state.root);
        }
        _ => {
            return Err(
                "usage: rows digest FILE THREADS | rows bytes FILE | rows copy FILE TO | rows between A B | \
                 rows postgres SOCKETS DATABASE USER THREADS"
                    .into(),
            );
        }
    }
    Ok(())
}
