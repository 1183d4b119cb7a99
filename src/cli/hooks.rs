//! `hooks install | uninstall | status`: the hooks of a clone or a server.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::surroundings;
use super::table::Table;
use crate::ledger::{HookKind, HookState, HookStatus, Repository};
use crate::verdict::{Code, Reason, Verdict};

/// Arguments of `hooks`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install pre-push and pre-commit into a clone, or pre-receive into a server. An existing hook is kept and run.
    Install {
        #[command(flatten)]
        side: Side,
    },
    /// Take the hooks away again; an earlier hook gets its place back.
    Uninstall {
        #[command(flatten)]
        side: Side,
    },
    /// Tell whether the hooks do their work.
    Status {
        #[command(flatten)]
        side: Side,
    },
}

#[derive(clap::Args)]
struct Side {
    #[command(flatten)]
    place: Place,
    /// The repository is a server that receives pushes; its own settings are made strict as well.
    #[arg(long)]
    server: bool,
}

impl Side {
    fn kinds(&self) -> &'static [HookKind] {
        match self.server {
            true => &[HookKind::PreReceive],
            false => &[HookKind::PrePush, HookKind::PreCommit],
        }
    }
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let inherited = surroundings::inherited();
    match args.verb {
        Verb::Install { side } => {
            let (repo, _) = side.place.open()?;
            let program = surroundings::executable()?;
            let mut found = Vec::new();
            for kind in side.kinds() {
                found.push(repo.install_hook(*kind, &program, &inherited)?);
            }
            if side.server {
                repo.harden_server(&inherited)?;
            }
            Ok(answer(&repo, &side, found)?)
        }
        Verb::Uninstall { side } => {
            let (repo, _) = side.place.open()?;
            let mut found = Vec::new();
            for kind in side.kinds() {
                found.push(repo.uninstall_hook(*kind, &inherited)?);
            }
            Ok(told(&found, &[]))
        }
        Verb::Status { side } => {
            let (repo, _) = side.place.open()?;
            let found = side
                .kinds()
                .iter()
                .map(|kind| repo.hook_status(*kind, &inherited))
                .collect::<Result<_, _>>()?;
            answer(&repo, &side, found)
        }
    }
}

/// What stands there, and a reason for each hook that does not do its work.
fn answer(repo: &Repository, side: &Side, found: Vec<HookStatus>) -> Result<Answer, Failure> {
    let soft = match side.server {
        true => repo.soft_settings(&surroundings::inherited())?,
        false => Vec::new(),
    };
    let dead = found.iter().filter(|hook| hook.state != HookState::Live);
    let mut verdict: Verdict = dead
        .map(|hook| Reason::new(Code::HookMissing, hook.path.display()).values("live", word(hook.state)))
        .collect();
    for (name, value) in &soft {
        verdict.push(Reason::new(Code::HookMissing, name).values("the strict setting", value));
    }
    Ok(told(&found, &soft).judged(verdict))
}

fn told(found: &[HookStatus], soft: &[(&str, String)]) -> Answer {
    let mut table = Table::default();
    for hook in found {
        let chained = if hook.chained { "then the earlier hook" } else { "" };
        table.add_row([hook.kind.name(), word(hook.state), &hook.path.display().to_string(), chained]);
    }
    let facts: Vec<_> = found
        .iter()
        .map(|h| json!({"hook": h.kind.name(), "state": word(h.state), "path": h.path, "chained": h.chained}))
        .collect();
    Answer::done(table.fitted()).with("hooks", facts).with("soft_settings", soft)
}

/// The state in a word.
pub(super) fn word(state: HookState) -> &'static str {
    match state {
        HookState::Live => "live",
        HookState::Missing => "missing",
        HookState::Foreign => "foreign",
        HookState::NotExecutable => "not executable",
        HookState::ProgramMissing => "program missing",
    }
}
