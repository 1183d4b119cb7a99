//! `completions`: a completion script for a shell.

use super::answer::{Answer, Failure, Ui};

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// bash, elvish, fish, powershell or zsh.
    shell: clap_complete::Shell,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "fix7-ledger", &mut script);
    let mut text = String::from_utf8_lossy(&script).into_owned();
    if args.shell == clap_complete::Shell::Bash {
        // clap_complete 4.6 spells a program's hyphen in one way where it names a verb's words and in another where it
        // looks for them: as it comes, bash offers nothing behind a verb.
        text = text.replace("fix7__subcmd__ledger", "fix7__ledger");
    }
    Ok(Answer::done(text.trim_end()).with("script", text.as_str()))
}
