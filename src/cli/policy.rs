//! `policy show | propose | sign | apply`: the rules in force, and a change of them. It can only tighten.

use std::path::PathBuf;

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui, escaped};
use super::decision::{self, Decided, DecisionArgs};
use super::place::Place;
use super::proposal::{self, ApplyArgs, SignArgs};
use super::{replay, surroundings};
use crate::policy::{self, HOLD, Policy};
use crate::statement::{Claim, PolicyChange};
use crate::verdict::Code;

/// Arguments of `policy`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the policy in force.
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Bring a further policy into force, or propose it to the other owners. What would loosen is refused, by name.
    Propose(Box<Propose>),
    /// Sign a proposal.
    Sign(SignArgs),
    /// Append a proposal that enough owners signed.
    Apply(ApplyArgs),
}

#[derive(clap::Args)]
struct Propose {
    /// The whole new document.
    file: PathBuf,
    #[command(flatten)]
    decision: DecisionArgs,
    /// The change's name; by default `policy-` and its position.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::Show { place } => show(&place),
        Verb::Propose(args) => propose(&args),
        Verb::Sign(args) => proposal::sign(args, ui),
        Verb::Apply(args) => proposal::apply(args, ui),
    }
}

fn show(place: &Place) -> Result<Answer, Failure> {
    let (state, _) = replay::trusted(place)?;
    let absent = || Failure::because(Code::LedgerAbsent, &place.ledger, "it is empty");
    let policy = state.policy().ok_or_else(absent)?;
    let text = String::from_utf8_lossy(policy.bytes());
    Ok(Answer::done(escaped(&text)).with("policy", policy.digest()).with("hold", HOLD).with("content", text))
}

fn propose(args: &Propose) -> Result<Answer, Failure> {
    let bytes = surroundings::read(&args.file, policy::MAX_BYTES as u64)?;
    let new = Policy::parse(&bytes).map_err(|e| Failure::because(Code::Malformed, args.file.display(), e))?;
    decision::decide(&args.decision, |_, state| {
        // Asked before anybody signs, so that no proposal goes round that can never be applied.
        let loosened = state.policy().map(|old| old.tightened_by(&new)).unwrap_or_default();
        if !loosened.accepted() {
            return Err(loosened.into());
        }
        let id = decision::named(args.id.as_deref(), "policy", state)?;
        Ok(Decided { claim: Claim::Policy(PolicyChange { id }), policy: Some(new) })
    })
}
