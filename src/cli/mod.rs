//! The command line: the only code that reads arguments, environment and clock, prints, and exits.
//!
//! Owns: one file a verb, each with its `Args` (whose doc comments are the help text) and `run`. A verb
//! gives an [`answer::Answer`] (text and JSON of the same facts, one exit code) or a [`answer::Failure`].
//! Must not: hold a rule; every rule stands in the pure modules.
//!
//! ```text
//! exit  0 done · 1 broken · 2 usage · 3 could not be established · 4 refused · 5 rollback or fork · 75 try again
//! ```

pub mod answer;
mod completions;
mod init;
mod key;
mod keyring;
mod place;
mod surroundings;
mod writing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use answer::{Answer, Failure, Ui};

/// A signed evidence ledger in git for database rollback rehearsals.
///
/// A rehearsal runs a change and its rollback on an isolated clone and proves that the database is
/// restored exactly. It authorizes nothing: production stays on HOLD.
#[derive(Parser)]
#[command(name = "fix7-ledger", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// Print one JSON document with a stable schema instead of text; the exit code is the same.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Begin a ledger: its keys, their roles, and the policy.
    Init(init::Args),
    /// Make, import and list the keys that sign.
    Key(key::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Verb::Init(_) => "init",
            Verb::Key(_) => "key",
            Verb::Completions(_) => "completions",
        }
    }

    fn run(self, ui: &Ui) -> Result<Answer, Failure> {
        match self {
            Verb::Init(args) => init::run(args, ui),
            Verb::Key(args) => key::run(args, ui),
            Verb::Completions(args) => completions::run(args, ui),
        }
    }
}

/// Runs the command line and gives the documented exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return answer::usage(&usage),
    };
    let ui = Ui::new(cli.json);
    let verb = cli.verb.name();
    ui.finish(verb, cli.verb.run(&ui))
}

/// The whole command, for completions and for the test that reads the README's commands.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}
