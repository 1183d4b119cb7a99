//! Builders for tests: a scratch directory, the binary, git with nothing of the machine's in it.
//!
//! A test says what it does in a few lines; what it expects is compared exactly.
#![allow(dead_code)] // not every topic needs every builder

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_fix7-ledger");

/// A scratch directory with a home of its own, removed at the end.
pub struct Scratch {
    dir: tempfile::TempDir,
}

/// What a command gave.
pub struct Ran {
    pub what: String,
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Scratch {
    pub fn new() -> Scratch {
        let dir = tempfile::Builder::new().prefix("fix7-test-").tempdir().expect("a scratch directory");
        fs::create_dir(dir.path().join("home")).expect("a home");
        Scratch { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the scratch")).expect("its directory");
        fs::write(&path, bytes).expect("a file of the scratch");
        path
    }

    /// A database made by `sql`, closed and at rest.
    pub fn database(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.path(name);
        let connection = rusqlite::Connection::open(&path).expect("a new database");
        connection.execute_batch(sql).expect("the fixture's SQL");
        connection.close().expect("closed");
        path
    }

    /// A command with nothing of the machine in its environment.
    pub fn scrubbed(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "test")
            .env("GIT_AUTHOR_EMAIL", "test@example.invalid")
            .env("GIT_COMMITTER_NAME", "test")
            .env("GIT_COMMITTER_EMAIL", "test@example.invalid")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// A command to run the binary, for tests that need its environment or its input.
    pub fn binary(&self, arguments: &[&str]) -> Command {
        let mut command = self.scrubbed(BINARY);
        command.args(arguments);
        command
    }

    /// Runs the binary.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.binary(arguments);
        Ran::of(&format!("fix7-ledger {}", arguments.join(" ")), command.output().expect("the binary starts"))
    }

    /// Runs another program with the same clean environment, in `directory` below the scratch.
    #[track_caller]
    pub fn program(&self, directory: &str, program: &str, arguments: &[&str]) -> Ran {
        let mut command = self.scrubbed(program);
        command.args(arguments).current_dir(self.path(directory));
        let output = command.output().unwrap_or_else(|e| panic!("{program} does not start: {e}"));
        Ran::of(&format!("{program} {}", arguments.join(" ")), output)
    }

    #[track_caller]
    pub fn git(&self, directory: &str, arguments: &[&str]) -> Ran {
        self.program(directory, "git", arguments)
    }

    /// Every file below `name` with its SHA-256: to show that a refusal has written nothing.
    pub fn listing(&self, name: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        list(&self.path(name), &self.path(name), &mut found);
        found.sort();
        found
    }
}

fn list(root: &Path, dir: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let below = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            into.push((format!("{below}/"), String::new()));
            list(root, &path, into);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            into.push((below, fix7_ledger::digest::Digest::of(&bytes).to_string()));
        }
    }
}

impl Ran {
    pub fn of(what: &str, output: Output) -> Ran {
        Ran {
            what: what.to_owned(),
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Demands an exit code, and shows everything where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(
            self.exit, code,
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.what, self.stdout, self.stderr
        );
        self
    }

    /// Demands one of several exit codes, and gives it.
    #[track_caller]
    pub fn exits_with(self, codes: &[i32]) -> i32 {
        assert!(
            codes.contains(&self.exit),
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.stdout,
            self.stderr
        );
        self.exit
    }

    #[track_caller]
    pub fn ok(self) -> Ran {
        self.exits(0)
    }

    /// Demands a text on stdout or stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        let found = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(
            found,
            "{}: `{text}` not in\n--- stdout\n{}\n--- stderr\n{}",
            self.what, self.stdout, self.stderr
        );
        self
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("{}: not JSON: {e}\n--- stdout\n{}\n--- stderr\n{}", self.what, self.stdout, self.stderr)
        })
    }

    /// The reason codes of a `--json` answer.
    #[track_caller]
    pub fn codes(&self) -> Vec<String> {
        let json = self.json();
        let reasons = json["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().map(|r| r["code"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// The corpora's directory, or `None` with a line that names what is not run.
pub fn corpora(test: &str) -> Option<PathBuf> {
    match std::env::var_os("FIX7_CORPORA") {
        Some(path) => Some(PathBuf::from(path)),
        None => {
            eprintln!("not run: {test}: FIX7_CORPORA is not set");
            None
        }
    }
}
