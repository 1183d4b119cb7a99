//! Writes a valid ledger of any size: what `bench/scale.py` and `bench/verify.py` measure.
//!
//! ```text
//! synthesise REPOSITORY ENTRIES [PACKETS]     PACKETS distinct ones (default: every rehearsal has its own; 0: grants alone)
//! synthesise keys DIR                         the keys of owner and operator, to append further entries with
//! ```
//!
//! REPOSITORY is an empty bare repository (`git init --bare`).
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Duration;

use fix7_ledger::keys::Protection;
use fix7_ledger::ledger::Repository;

mod ledger;

use ledger::{Failure, Shape, key, write};

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["keys", directory] => keys(Path::new(directory)),
        [repository, entries] => synthesise(repository, entries.parse()?, u64::MAX),
        [repository, entries, packets] => synthesise(repository, entries.parse()?, packets.parse()?),
        _ => Err("usage: synthesise REPOSITORY ENTRIES [PACKETS] | synthesise keys DIR".into()),
    }
}

fn synthesise(repository: &str, entries: u64, packets: u64) -> Result<(), Failure> {
    let repository = Repository::open(Path::new(repository))?;
    let lock = repository.lock(Duration::from_secs(1))?;
    let (tip, id) = write(&repository, &lock, Shape { entries, packets })?;
    println!("{tip}\n{id}");
    Ok(())
}

fn keys(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)?;
    for role in ["owner", "operator"] {
        let comment = format!("{role}@synthesised");
        let path = directory.join(role);
        std::fs::write(&path, key(role).to_openssh(&comment, Protection::None)?.as_bytes())?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        std::fs::write(path.with_extension("pub"), format!("{} {comment}\n", key(role).public()))?;
    }
    Ok(())
}
