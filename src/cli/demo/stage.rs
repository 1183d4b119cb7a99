//! The stage: runs a command, shows it as typed with what it printed, and demands how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use owo_colors::OwoColorize;
use serde::Serialize;

use super::super::answer::{Failure, Ui, escaped};
use super::super::surroundings;
use crate::verdict::Code;

/// One command that was run.
#[derive(Serialize)]
pub(super) struct Step {
    command: String,
    exit: i32,
    expected_refusal: Option<String>,
}

/// Where the demo plays.
pub(super) struct Stage<'a> {
    ui: &'a Ui,
    dir: &'a Path,
    executable: PathBuf,
    steps: Vec<Step>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(ui: &'a Ui, dir: &'a Path) -> Result<Stage<'a>, Failure> {
        Ok(Stage { ui, dir, executable: surroundings::executable()?, steps: Vec::new() })
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// A headline.
    pub(super) fn scene(&self, title: &str) {
        self.ui.tell(format!("\n{}", title.bold()));
    }

    /// A line of explanation.
    pub(super) fn note(&self, text: &str) {
        self.ui.tell(format!("  {}", text.dimmed()));
    }

    /// Runs this program; it must exit 0.
    pub(super) fn us(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        let command = [&["fix7-ledger"][..], arguments].concat();
        self.shown(&command, None).map(drop)
    }

    /// Runs git; it must exit 0.
    pub(super) fn git(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        let command = [&["git"][..], arguments].concat();
        self.shown(&command, None).map(drop)
    }

    /// Runs a command that must be refused, for this reason.
    pub(super) fn refused(&mut self, command: &[&str], reason: &str) -> Result<(), Failure> {
        self.shown(command, Some(reason)).map(drop)
    }

    /// Runs git quietly and gives its output.
    pub(super) fn ask_git(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.asked(&[&["git"][..], arguments].concat())
    }

    /// Runs this program quietly and gives its output.
    pub(super) fn ask_us(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.asked(&[&["fix7-ledger"][..], arguments].concat())
    }

    fn asked(&self, command: &[&str]) -> Result<String, Failure> {
        let output = self.output(command)?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
            false => Err(ended(command, &output, "0")),
        }
    }

    fn shown(&mut self, command: &[&str], refusal: Option<&str>) -> Result<(), Failure> {
        let typed = command.join(" ");
        self.ui.tell(format!("{} {}", "$".green(), typed.green()));
        let output = self.output(command)?;
        for stream in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(stream).lines().filter(|l| !l.trim().is_empty()) {
                self.ui.tell(format!("  {}", escaped(line)));
            }
        }
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let good = match refusal {
            None => output.status.success(),
            Some(reason) => !output.status.success() && String::from_utf8_lossy(&said).contains(reason),
        };
        let exit = output.status.code().unwrap_or(-1);
        self.steps.push(Step { command: typed, exit, expected_refusal: refusal.map(str::to_owned) });
        let expected = refusal.map_or("0".to_owned(), |reason| format!("a refusal that names {reason}"));
        if good { Ok(()) } else { Err(ended(command, &output, &expected)) }
    }

    /// Runs a command in the demo's directory with nothing of the machine's git configuration, and with this
    /// executable first on the path, where the hooks look for it.
    fn output(&self, command: &[&str]) -> Result<Output, Failure> {
        let (name, arguments) = command.split_first().unwrap_or((&"", &[]));
        let program = if *name == "fix7-ledger" { self.executable.as_os_str() } else { name.as_ref() };
        let mut child = Command::new(program);
        child.args(arguments).current_dir(self.dir).stdin(Stdio::null());
        surroundings::scrub_git(&mut child, self.executable.parent());
        child
            .output()
            .map_err(|e| Failure::because(Code::Unreadable, name, format!("it does not start: {e}")))
    }
}

fn ended(command: &[&str], output: &Output, expected: &str) -> Failure {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let found =
        format!("expected {expected}, found exit {}: {}", output.status.code().unwrap_or(-1), escaped(last));
    Failure::because(Code::Unreadable, command.join(" "), found)
}
