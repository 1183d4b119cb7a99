//! `begin`, `void` and `note`: what is announced, what counts no more, and what an auditor says, each by leaf.

use super::answer::{Answer, Failure, Ui};
use super::decision::{self, Decided, DecisionArgs};
use super::record;
use crate::digest::Digest;
use crate::statement::{Begin, Claim, Note, Void};

/// Arguments of `begin`.
#[derive(clap::Args)]
pub(super) struct BeginArgs {
    #[command(flatten)]
    decision: DecisionArgs,
    /// The grant that the rehearsal will consume: its name or leaf.
    #[arg(long, value_name = "GRANT")]
    grant: String,
    /// The begin's name; by default `begin-` and its position.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

/// Arguments of `void`.
#[derive(clap::Args)]
pub(super) struct VoidArgs {
    /// The entry that counts no more: its number, leaf or name.
    entry: String,
    #[command(flatten)]
    decision: DecisionArgs,
    /// Why, in a sentence.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Arguments of `note`.
#[derive(clap::Args)]
pub(super) struct NoteArgs {
    /// The entry that it is about: its number, leaf or name.
    entry: String,
    #[command(flatten)]
    decision: DecisionArgs,
    /// What is said, in a sentence.
    #[arg(long, value_name = "TEXT")]
    text: String,
    /// The entry is suspect, was checked, and is confirmed.
    #[arg(long)]
    confirm: bool,
}

/// Announces a rehearsal: until it is recorded, however it ends, it is missed.
pub(super) fn begin(args: BeginArgs, _ui: &Ui) -> Result<Answer, Failure> {
    decision::decide(&args.decision, |state| {
        let grant = record::named_grant(state, &args.grant)?;
        let id = decision::named(args.id.as_deref(), "begin", state)?;
        Ok(Decided::from(Claim::Begin(Begin { grant, id })))
    })
}

/// Says that an entry counts no more.
pub(super) fn void(args: VoidArgs, _ui: &Ui) -> Result<Answer, Failure> {
    let of = decision::leaf(&args.decision.place, &args.entry)?;
    void_leaf(&args.decision, of, &args.reason)
}

/// Says that the entry with this leaf counts no more.
pub(super) fn void_leaf(args: &DecisionArgs, of: Digest, reason: &str) -> Result<Answer, Failure> {
    decision::decide(args, |state| {
        let id = decision::named(None, "void", state)?;
        Ok(Decided::from(Claim::Void(Void { id, of, reason: reason.to_owned() })))
    })
}

/// An auditor's word about an entry.
pub(super) fn note(args: NoteArgs, _ui: &Ui) -> Result<Answer, Failure> {
    let of = decision::leaf(&args.decision.place, &args.entry)?;
    decision::decide(&args.decision, |state| {
        let id = decision::named(None, "note", state)?;
        Ok(Decided::from(Claim::Note(Note { confirms: args.confirm, id, of, text: args.text.clone() })))
    })
}
