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
