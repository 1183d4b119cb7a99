//! The isolation, through the real executable.

use std::path::Path;

use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::rehearse::isolation::{Confinement, Wanted};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_fix7-ledger");

#[test]
fn both_levels_are_proven() {
    for level in Level::ALL {
        let scratch = tempfile::tempdir().expect("a directory");
        let confinement =
            Confinement::establish(Path::new(EXECUTABLE), scratch.path(), Wanted::Exactly(level))
                .unwrap_or_else(|e| panic!("level {level}: {e}"));
        assert_eq!(confinement.opening().faults(level), Vec::new());
        let opening = confinement.opening().clone();
        let closing = confinement.close().unwrap_or_else(|e| panic!("level {level}: {e}"));
        assert_eq!(closing.proof, opening);
        assert_eq!(std::fs::read_dir(scratch.path()).expect("a directory").count(), 0);
    }
}

#[test]
fn the_hidden_verb_is_of_no_use_to_people() {
    for arguments in [&["confined"][..], &["confined", "control"], &["confined", "--help"]] {
        let mut command = std::process::Command::new(EXECUTABLE);
        let output = command.args(arguments).stdin(std::process::Stdio::null()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("for the program's own use"));
    }
}
