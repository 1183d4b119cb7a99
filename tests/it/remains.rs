//! A rehearsal that is killed in the middle leaves nothing: no copy of a database, no server, no directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{BINARY, Scratch};
use crate::postgres;

/// Longest wait for something that must happen by itself, on a loaded machine.
const SOON: Duration = Duration::from_secs(100);

fn within(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < SOON, "{what}: waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).expect("lists").flatten().map(|entry| entry.path()).collect()
}

/// Processes whose working directory lies below `directory`.
fn processes_in(directory: &Path) -> Vec<String> {
    let directory = directory.canonicalize().expect("a directory");
    let pids =
        fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().into_string().ok());
    let below = |pid: &String| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(&directory))
    };
    pids.filter(below).collect()
}

/// Runs a rehearsal, kills it with each signal once every one of `files` is there, and looks at what is left.
fn killed(scratch: &Scratch, arguments: &[&str], files: &[&str]) {
    let runs = scratch.path("t");
    fs::create_dir(&runs).expect("a directory for runs");
    for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
        // A background job of a shell is started with SIGINT ignored, and would hand that down.
        let mut command = scratch.scrubbed("env");
        command.arg("--default-signal=INT,TERM").arg(BINARY).args(arguments).env("TMPDIR", &runs);
        let mut running = silent(&mut command).spawn().expect("starts");
        within("the middle of the rehearsal", || {
            entries(&runs).iter().any(|run| files.iter().all(|file| run.join(file).exists()))
        });
        assert!(!processes_in(&runs).is_empty(), "whoever works there is seen");
        let pid = Pid::from_raw(running.id() as i32).expect("a process");
        kill_process(pid, signal).expect("own child");
        assert!(!running.wait().expect("its end").success());
        within("the directory is left behind", || entries(&runs).is_empty());
        within("processes are left behind", || processes_in(&runs).is_empty());
        assert!(!scratch.path("packet").exists());
    }
}

fn silent(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

#[test]
fn a_killed_rehearsal_of_sqlite_leaves_nothing() {
    let scratch = Scratch::new();
    scratch.run(&["plan", "new", "plan"]).ok();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT max(i) FROM n;";
    scratch.write("plan/up.sql", format!("CREATE TABLE t(i);\n{endless}\n"));
    // The snapshot leg is reached where there is no transaction to look into.
    let spec = fs::read_to_string(scratch.path("plan/plan.toml")).expect("the plan");
    scratch.write("plan/plan.toml", spec.replace("transaction = true", "transaction = false"));
    scratch.database("live.db", "CREATE TABLE u(a); INSERT INTO u VALUES ('somebody''s');");
    let arguments = ["rehearse", "--source", "live.db", "--plan", "plan", "--out", "packet"];
    killed(&scratch, &arguments, &["clone/clone.db", "kept/snapshot.db"]);
}

#[test]
fn a_killed_rehearsal_of_postgresql_leaves_nothing() {
    let scratch = postgres::place();
    postgres::attest(&scratch, "dump.sql", "staging-7", "keys/anna").ok();
    let what = ["--engine", "postgres", "--dump", "dump.sql", "--operator-key", "keys/anna.pub"];
    let arguments = [&["rehearse"], &what[..], &["--plan", "plan", "--out", "packet"]].concat();
    killed(&scratch, &arguments, &["clone/data/postmaster.pid", "clone/socket/.s.PGSQL.5432", "kept/data"]);
}
