//! `begin`, `void` and `note`: what is announced, what counts no more, and what an auditor says, each by leaf.

use super::answer::{Answer, Failure, Ui};
use super::decision::{self, Decided, DecisionArgs};
use super::{key_change, numbering, recording};
use crate::digest::Digest;
use crate::statement::{Begin, Claim, Note, Numbers, Void};
use crate::verdict::Code;

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
    #[arg(required_unless_present = "number")]
    entry: Option<String>,
    #[command(flatten)]
    decision: DecisionArgs,
    /// Instead of an entry, an operator's running number that came to nothing: N, or N-M for several.
    #[arg(long, value_name = "N", conflicts_with = "entry", value_parser = numbers)]
    number: Option<(u64, u64)>,
    /// Whose number, by name or fingerprint; by default the signer's own.
    #[arg(long, value_name = "NAME", requires = "number")]
    operator: Option<String>,
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
    decision::decide(&args.decision, |operator, state| {
        let grant = recording::named_grant(state, &args.grant)?;
        let id = decision::named(args.id.as_deref(), "begin", state)?;
        let (repo, _, _) = args.decision.place.existing()?;
        let number = Some(numbering::next(&repo, state, operator)?);
        Ok(Decided::from(Claim::Begin(Begin { grant, id, number })))
    })
}

/// Says that an entry counts no more.
pub(super) fn void(args: VoidArgs, _ui: &Ui) -> Result<Answer, Failure> {
    match (&args.entry, args.number) {
        (Some(entry), _) => {
            void_leaf(&args.decision, decision::leaf(&args.decision.place, entry)?, &args.reason)
        }
        (None, Some(given)) => void_numbers(&args, given),
        // The parser demands one of them.
        (None, None) => Err(Failure::because(Code::CorrectionInvalid, "void", "neither entry nor number")),
    }
}

/// Says that numbers of an operator came to nothing.
fn void_numbers(args: &VoidArgs, (first, last): (u64, u64)) -> Result<Answer, Failure> {
    decision::decide(&args.decision, |signer, state| {
        let key = match &args.operator {
            Some(name) => key_change::holder(state, name)?.0,
            None => *signer,
        };
        let (id, reason) = (decision::named(None, "void", state)?, args.reason.clone());
        let numbers = Some(Numbers { first, key, last });
        Ok(Decided::from(Claim::Void(Void { id, numbers, of: None, reason })))
    })
}

/// `4` or `4-6`.
fn numbers(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err("expected N or N-M, from the first to the last".to_owned()),
    }
}

/// Says that the entry with this leaf counts no more.
pub(super) fn void_leaf(args: &DecisionArgs, of: Digest, reason: &str) -> Result<Answer, Failure> {
    decision::decide(args, |_, state| {
        let id = decision::named(None, "void", state)?;
        Ok(Decided::from(Claim::Void(Void { id, numbers: None, of: Some(of), reason: reason.to_owned() })))
    })
}

/// An auditor's word about an entry.
pub(super) fn note(args: NoteArgs, _ui: &Ui) -> Result<Answer, Failure> {
    let of = decision::leaf(&args.decision.place, &args.entry)?;
    decision::decide(&args.decision, |_, state| {
        let id = decision::named(None, "note", state)?;
        Ok(Decided::from(Claim::Note(Note { confirms: args.confirm, id, of, text: args.text.clone() })))
    })
}
