//! Digests and compares databases from the command line: what `bench/compare digest` measures.
//!
//! ```text
//! rows digest FILE THREADS    the row digest's root
//! rows bytes FILE             the byte digest of the file set
//! rows copy FILE TO           copies the file set durably, digesting it on the way
//! rows between A B            the differences as JSON
//! ```
#![allow(clippy::print_stdout)]

use std::path::Path;

use fix7_ledger::rehearse::{bytes, difference, rows};

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
        _ => {
            return Err(
                "usage: rows digest FILE THREADS | rows bytes FILE | rows copy FILE TO | rows between A B"
                    .into(),
            );
        }
    }
    Ok(())
}
