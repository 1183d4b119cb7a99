//! `blockers meet | prove | close`: what the owners decide about a blocker. Production stays on hold.
//!
//! Owns: the arguments. Must not: hold a rule; what may move, and who must sign, the state says.

use std::path::PathBuf;

use clap::Subcommand;

use super::answer::{Answer, Failure};
use super::decision::{self, Decided, DecisionArgs};
use super::surroundings;
use crate::digest::Digest;
use crate::statement::{BlockerAction, BlockerDecision, Claim};

/// Largest document that a decision can rest on, in bytes: it is hashed, not kept.
const MAX_DOCUMENT_BYTES: u64 = 256 << 20;

/// What can be decided.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// Say that a need of a blocker is met. The blocker stays open.
    Meet(Box<Move>),
    /// Say that a leg of a blocker is proven by evidence outside of rehearsals. The blocker stays open.
    Prove(Box<Move>),
    /// Write the last map with what was decided since, for the next plan's `blockers.json`.
    Map(super::blockers::MapArgs),
    /// Close a blocker whose every leg is proven and every need met. Production stays on hold.
    Close(Box<Close>),
}

/// A need or a leg.
#[derive(clap::Args)]
pub(super) struct Move {
    /// The blocker.
    blocker: String,
    /// The need, or the leg.
    part: String,
    #[command(flatten)]
    grounds: Grounds,
}

/// A whole blocker.
#[derive(clap::Args)]
pub(super) struct Close {
    /// The blocker.
    blocker: String,
    #[command(flatten)]
    grounds: Grounds,
}

/// Who decides, why, and on what it rests.
#[derive(clap::Args)]
struct Grounds {
    #[command(flatten)]
    decision: DecisionArgs,
    #[command(flatten)]
    evidence: Evidence,
    /// Why, in a sentence.
    #[arg(long, value_name = "TEXT")]
    text: String,
    /// The decision's name; by default `blockers-` and its position.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Evidence {
    /// What it rests on: a document, of which the SHA-256 is signed.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// What it rests on: the SHA-256 of a document.
    #[arg(long, value_name = "SHA256")]
    digest: Option<Digest>,
    /// What it rests on: an entry of this ledger, by its number, leaf or name.
    #[arg(long, value_name = "ENTRY")]
    entry: Option<String>,
}

pub(super) fn run(verb: Verb) -> Result<Answer, Failure> {
    match verb {
        Verb::Meet(args) => decide(BlockerAction::Meet, args.blocker, Some(args.part), args.grounds),
        Verb::Prove(args) => decide(BlockerAction::Prove, args.blocker, Some(args.part), args.grounds),
        Verb::Map(args) => super::blockers::map(&args),
        Verb::Close(args) => decide(BlockerAction::Close, args.blocker, None, args.grounds),
    }
}

fn decide(
    action: BlockerAction,
    blocker: String,
    part: Option<String>,
    grounds: Grounds,
) -> Result<Answer, Failure> {
    let Grounds { decision: args, evidence, text, id } = grounds;
    let evidence = match evidence {
        Evidence { document: Some(file), .. } => Digest::of(&surroundings::read(&file, MAX_DOCUMENT_BYTES)?),
        Evidence { digest: Some(digest), .. } => digest,
        Evidence { entry, .. } => decision::leaf(&args.place, &entry.unwrap_or_default())?,
    };
    decision::decide(&args, |_, state| {
        let after = state.last_decision(&blocker).map(|decision| decision.leaf);
        let id = decision::named(id.as_deref(), "blockers", state)?;
        Ok(Decided::from(Claim::Blockers(BlockerDecision {
            action,
            after,
            blocker,
            evidence,
            id,
            part,
            text,
        })))
    })
}
