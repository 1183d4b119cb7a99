//! `plan new | check`: the directory that says what is rehearsed.

use std::path::PathBuf;

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use crate::judge::request;
use crate::policy::Policy;
use crate::rehearse::plan;
use crate::verdict::Verdict;

/// Arguments of `plan`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write a commented template, valid as it stands.
    New {
        /// A directory that does not exist yet, or is empty.
        dir: PathBuf,
    },
    /// Say what is wrong with a plan.
    Check {
        /// The plan's directory.
        dir: PathBuf,
    },
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::New { dir } => {
            let files = plan::write_template(&dir)?;
            let text = format!(
                "{}\nin {}: put your change into up.sql, its way back into down.sql, and fill in plan.toml",
                files.join("\n"),
                dir.display()
            );
            Ok(Answer::done(text).with("dir", &dir).with("files", files))
        }
        Verb::Check { dir } => {
            let plan = plan::read(&dir).map_err(Verdict::from_iter)?;
            let verdict = request::plan_verdict(&Policy::default_policy(), &plan.files);
            let text = format!("plan `{}` {}", plan.spec.name, plan.digest());
            Ok(Answer::done(text).with("name", &plan.spec.name).with("digest", plan.digest()).judged(verdict))
        }
    }
}
