//! The isolation with children that misbehave: this test is its own child.
//!
//! ```text
//! confined …     a child of one of the tests (`isolation::child::VERB`)
//! --hold LEVEL   a parent that is killed by one of the tests
//! --proof LEVEL  establishes, closes and prints the proof
//! [FILTER]       the tests
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use fix7_ledger::rehearse::isolation::child;

mod children;
mod handler;
mod levels;
mod liars;
mod remains;
mod sqlite;
mod support;

type Test = (&'static str, fn());

const TESTS: &[&[Test]] = &[levels::TESTS, liars::TESTS, children::TESTS, remains::TESTS, sqlite::TESTS];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(child::VERB) => return child::serve(handler::handle),
        Some(remains::HOLD) => return remains::hold(&arguments[1]),
        Some(levels::PROOF) => return levels::print_proof(&arguments[1]),
        _ => {}
    }
    let filter = filter(&arguments);
    let chosen =
        TESTS.iter().copied().flatten().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str())));
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.for_each(|(name, _)| say(&format!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, test) in chosen {
        let begun = std::time::Instant::now();
        let result = std::panic::catch_unwind(test);
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        say(&format!("test {name} ... {word} ({} ms)", begun.elapsed().as_millis()));
        failed += u8::from(result.is_err());
    }
    if failed == 0 && filter.is_none() && support::is_root() {
        failed += u8::from(!again_as_nobody());
    }
    ExitCode::from(failed)
}

/// The first argument that is no option of the usual harness, nor an option's value.
fn filter(arguments: &[String]) -> Option<&String> {
    const WITH_VALUE: [&str; 5] = ["--test-threads", "--skip", "--format", "--color", "-Z"];
    let value = |at: usize| at > 0 && WITH_VALUE.contains(&arguments[at - 1].as_str());
    let mut words = arguments.iter().enumerate();
    words.find(|(at, word)| !word.starts_with('-') && !value(*at)).map(|(_, word)| word)
}

#[allow(clippy::print_stdout)] // a test's own report
fn say(line: &str) {
    println!("{line}");
}

/// Everything once more, as a user who may do nothing.
fn again_as_nobody() -> bool {
    let own = support::own_executable();
    let scratch = tempfile::tempdir().expect("a directory");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(scratch.path(), open).expect("own directory");
    let as_nobody = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]).args(arguments);
        command.env("TMPDIR", scratch.path());
        command
    };
    let path = own.to_string_lossy();
    match as_nobody(&path, &["--list"]).output() {
        Ok(output) if output.status.success() => {
            say("again as nobody:");
            let all = as_nobody(&path, &["_"]).status().expect("it ran before");
            // The proof does not depend on who proves it.
            let same = ["2", "3"].iter().all(|level| {
                let arguments = [levels::PROOF, level];
                let theirs = as_nobody(&path, &arguments).output().expect("it ran before").stdout;
                let own = std::process::Command::new(&own).args(arguments).output().expect("it runs").stdout;
                !own.is_empty() && own == theirs
            });
            say(&format!("test both_users_prove_the_same_bytes ... {}", if same { "ok" } else { "FAILED" }));
            all.success() && same
        }
        // The sources of a developer may be in a directory that is closed to others.
        _ => {
            say("not run as nobody: setpriv is missing, or this executable cannot be reached by others");
            true
        }
    }
}

/// Where a test makes its directories.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn entries(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}
