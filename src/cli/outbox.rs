//! `outbox list | push`: what could not be placed yet, and placing it.
//!
//! Owns: the verb. The protocol stands in `push`, the files in `ledger`. Must not: lose an entry: one leaves the
//! outbox only when it stands on the ledger.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::table::Table;
use super::{push, replay, writing};

/// Arguments of `outbox`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the entries that stand on no ledger yet.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Place them behind the ledger's head, their commits signed again, and send the ledger.
    Push {
        #[command(flatten)]
        place: Place,
        /// The remote.
        #[arg(default_value = "origin")]
        remote: String,
        #[command(flatten)]
        key: KeyArgs,
    },
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::List { place } => list(&place),
        Verb::Push { place, remote, key } => {
            let signer = keyring::signer(&key)?;
            let (repo, ledger, _) = place.existing()?;
            let lock = repo.lock(writing::LOCK_PATIENCE)?;
            let (mut state, tip) = replay::trusted(&place)?;
            let before = repo.kept()?.len();
            push::place_kept(&repo, &ledger, &lock, tip, &mut state, &signer)?;
            let placed = before - repo.kept()?.len();
            let sent = push::send(&repo, &ledger, &lock, &remote, Some(&signer), ui)?;
            let text = format!("{placed} entries left the outbox; pushed to {remote}");
            Ok(Answer::done(text)
                .with("placed", placed)
                .with("pushed", &remote)
                .with("repositioned", sent.repositioned))
        }
    }
}

fn list(place: &Place) -> Result<Answer, Failure> {
    let (repo, _) = place.open()?;
    let mut table = Table::default();
    let mut facts = Vec::new();
    for kept in repo.kept()? {
        let statement = push::statement_of(&kept)?;
        let (kind, label) = (statement.kind().name(), statement.claim().label());
        table.add_row([kind, label.as_str(), &kept.path.display().to_string()]);
        facts.push(json!({"kind": kind, "label": label, "path": kept.path}));
    }
    let text = match facts.is_empty() {
        true => "the outbox is empty".to_owned(),
        false => format!("{}\n`fix7-ledger outbox push --key KEY` places and sends them", table.fitted()),
    };
    Ok(Answer::done(text).with("kept", facts))
}
