//! `prove`: that an entry is under a checkpoint, or that a checkpoint continues an older one.

use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::recall::{self, Here};
use super::{checkpoint, show};
use crate::entry::Entry;
use crate::verdict::Code;

/// Arguments of `prove`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The entry: its number, its leaf, or its name. By default the newest.
    #[arg(conflicts_with = "since")]
    entry: Option<String>,
    /// Prove instead that the checkpoint continues the ledger of this many entries.
    #[arg(long, value_name = "SIZE")]
    since: Option<u64>,
    /// The signed checkpoint; by default the one that this clone keeps.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Write it to this file (`.tlog-proof`) as well.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let here = recall::here(&args.place)?;
    let Here { repo, ledger, state, .. } = &here;
    let (head, _, text) = checkpoint::given(repo, ledger, state, args.checkpoint.as_deref())?;
    let under = checkpoint::under_kept(&here, &head, &text)?;
    let (proof, answer) = match args.since {
        Some(old) => (under.consistency(old, &text)?.to_text(), Answer::default().with("since", old)),
        None => {
            let stored = show::find(&here, args.entry.as_deref())?;
            let entry = Entry::parse(&stored.commit)
                .map_err(|e| Failure::because(Code::EntryMalformed, &stored.oid, e))?;
            let leaf = entry.leaf();
            let proof = under.inclusion(leaf.seq, leaf.to_text().into_bytes(), &text)?;
            (proof.to_text(), Answer::default().with("seq", leaf.seq).with("leaf", entry.leaf_hash()))
        }
    };
    checkpoint::write(args.out.as_deref(), &proof)?;
    Ok(answer.saying(proof.trim_end()).with("proof", &proof).with("size", head.size()))
}
