//! The isolation, through the real executable.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::rehearse::child::{self, Answer, Question};
use fix7_ledger::rehearse::isolation::{Confinement, Wanted};

use crate::harness::{BINARY, Scratch};

#[test]
fn both_levels_are_proven() {
    for level in Level::ALL {
        let scratch = tempfile::tempdir().expect("a directory");
        let confinement = Confinement::establish(Path::new(BINARY), scratch.path(), Wanted::Exactly(level))
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
        let mut command = std::process::Command::new(BINARY);
        let output = command.args(arguments).stdin(std::process::Stdio::null()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("for the program's own use"));
    }
}

/// R22: whoever runs the plan's SQL cannot change the executable, although the same attempt succeeds outside.
#[test]
fn the_executable_is_within_reach_outside_of_the_walls_alone() {
    let scratch = Scratch::new();
    let executable = scratch.path("copied");
    std::fs::copy(BINARY, &executable).expect("a copy that anybody may write to");
    std::fs::set_permissions(&executable, PermissionsExt::from_mode(0o777)).expect("its mode");
    let question = Question::Writable { executable: executable.clone() };
    assert!(matches!(child::answer(question.clone()), Answer::Writable(true)));
    for level in Level::ALL {
        let walls = Confinement::establish(Path::new(BINARY), scratch.root(), Wanted::Exactly(level));
        let walls = walls.expect("both levels");
        let mut process = walls.spawn().expect("a confined process");
        let answer: Answer = process.ask(&question, None).expect("an answer");
        assert!(matches!(answer, Answer::Writable(false)), "level {level}: {answer:?}");
        process.finish().expect("its end");
    }
    let left = std::fs::read_dir(scratch.root()).expect("lists").flatten();
    assert!(left.map(|e| e.file_name()).all(|name| !name.to_string_lossy().contains("probe")));
}
