//! What is left when a parent is killed: nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use fix7_ledger::evidence::isolation::Level;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{establish, nothing_left, own_executable, processes_in, soon};
use crate::{Test, entries, scratch};

pub(crate) const TESTS: &[Test] = &[
    ("a_dropped_confinement_leaves_nothing", a_dropped_confinement_leaves_nothing),
    ("a_killed_parent_leaves_nothing", a_killed_parent_leaves_nothing),
    ("what_a_killed_family_leaves_is_removed_by_the_next_run", what_a_killed_family_leaves),
];

fn a_dropped_confinement_leaves_nothing() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish(scratch.path(), level);
        let child = confinement.spawn().expect("a child");
        assert_eq!(entries(scratch.path()).len(), 1);
        assert!(processes_in(scratch.path()).len() >= 2);
        drop(confinement);
        drop(child);
        nothing_left(scratch.path());
    }
}

/// The verb of [`hold`].
pub(crate) const HOLD: &str = "--hold";

/// The `--hold` verb: a parent whose child is busy, until somebody kills it.
pub(crate) fn hold(level: &str) -> ExitCode {
    let level = level.parse::<u8>().ok().and_then(|n| Level::try_from(n).ok()).expect("2 or 3");
    let place = std::env::var_os("HOLD").expect("a directory");
    let confinement = establish(place.as_ref(), level);
    std::fs::write(confinement.clone_directory().join("rows"), "somebody's").expect("own directory");
    let mut child = confinement.spawn().expect("a child");
    crate::say("ready");
    let _ = child.ask::<_, Value>(&json!({"do": "hang"}), None);
    ExitCode::FAILURE
}

fn holder(place: &std::path::Path, level: Level) -> Child {
    // A background job of a shell is started with SIGINT ignored, and would hand that down.
    let mut holder = Command::new("env")
        .arg("--default-signal=INT,TERM")
        .arg(own_executable())
        .args([HOLD, &level.to_string()])
        .env("HOLD", place)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    holder
}

fn a_killed_parent_leaves_nothing() {
    let scratch = scratch();
    for level in Level::ALL {
        for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
            let mut holder = holder(scratch.path(), level);
            assert_eq!(entries(scratch.path()).len(), 1);
            let pid = Pid::from_raw(holder.id() as i32).expect("a process");
            kill_process(pid, signal).expect("own child");
            holder.wait().expect("it ended");
            soon("the scratch directory is left behind", || entries(scratch.path()).is_empty());
            nothing_left(scratch.path());
        }
    }
}

fn what_a_killed_family_leaves() {
    let scratch = scratch();
    let mut holder = holder(scratch.path(), Level::Three);
    let family = processes_in(scratch.path());
    assert!(family.len() >= 2);
    // The control child first: it would clean up.
    let own = |pid: &u32| Pid::from_raw(*pid as i32).expect("a process");
    for pid in family.iter().map(own) {
        let _ = kill_process(pid, Signal::KILL);
    }
    holder.kill().expect("own child");
    holder.wait().expect("it ended");
    soon("processes are left behind", || processes_in(scratch.path()).is_empty());
    assert_eq!(entries(scratch.path()).len(), 1, "nobody was left to remove it");
    let confinement = establish(scratch.path(), Level::Two);
    assert_eq!(entries(scratch.path()).len(), 1, "the directory of the living run alone");
    let living = establish(scratch.path(), Level::Two);
    assert_eq!(entries(scratch.path()).len(), 2, "a living run's directory is not touched");
    confinement.close().expect("nobody came");
    living.close().expect("nobody came");
    nothing_left(scratch.path());
}
