//! What no verification of a ledger can leave out, and nothing else: the floor in `bench/compare verify`.
//!
//! ```text
//! floor REPOSITORY    every object inflated and hashed (SHA-1), every file (SHA-256), two ed25519 signatures an entry
//! ```
//!
//! It reads no statement, folds no state and judges nothing.
#![allow(clippy::print_stdout)]

use std::path::Path;

use fix7_ledger::dsse::Signatures;
use fix7_ledger::entry::{Entry, file_digests};
use fix7_ledger::ledger::Repository;
use fix7_ledger::statement::{SIGNATURE_FILE, STATEMENT_FILE};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc; // as the program's own

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: floor REPOSITORY")?;
    let repo = Repository::open(Path::new(&path))?;
    let (_, tip) = repo.ledgers()?.into_iter().next().ok_or("there is no ledger")?;
    let reader = repo.reader();
    let mut files = 0;
    let chain = reader.read_chain(&tip)?;
    for oid in &chain {
        let stored = reader.read_entry(oid)?;
        files += file_digests(&stored.files).len();
        let entry = Entry::parse(&stored.commit)?;
        entry.verify_signature()?;
        let file = |name: &str| stored.files.get(name).ok_or(format!("{oid}: no {name}"));
        Signatures::parse(file(SIGNATURE_FILE)?)?
            .verify_one(file(STATEMENT_FILE)?, entry.signature().key())?;
    }
    println!("{} entries, {files} files", chain.len());
    Ok(())
}
