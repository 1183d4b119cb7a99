//! Conformance: published vectors against the public doors of the crate.
//!
//! `FIX7_CORPORA` names the directory that holds `vectors/`. Where this crate is stricter than a vector, the difference
//! stands in the test by name and is itself tested, so that neither more nor less is refused than is written down.

use std::fs;
use std::path::{Path, PathBuf};

mod c2sp;
mod ed25519;
mod json;
mod merkle;
mod sshsig;

/// The vectors, or `None` (told by name) where the corpora are not there. A set variable demands them.
#[allow(clippy::print_stderr)] // a test that does not run says so
fn vectors(test: &str) -> Option<PathBuf> {
    match std::env::var_os("FIX7_CORPORA") {
        Some(root) => {
            let vectors = PathBuf::from(root).join("vectors");
            assert!(vectors.is_dir(), "{}: not there", vectors.display());
            Some(vectors)
        }
        None => {
            eprintln!("{test}: not run: FIX7_CORPORA is not set");
            None
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file below a directory, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).expect("an ASCII name")
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}
