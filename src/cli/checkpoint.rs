//! `checkpoint`: sign the ledger's head, so that it can travel and be cosigned.

use std::path::{Path, PathBuf};

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::leaves::Tree;
use super::place::Place;
use super::recall::{self, Here};
use super::trust::{failure, open_with, read_text};
use super::writing::LOCK_PATIENCE;
use crate::ledger::{LedgerRef, Repository};
use crate::state::State;
use crate::tlog::checkpoint::{self, Checkpoint};
use crate::tlog::note::Note;
use crate::verdict::{Code, Reason};

/// Arguments of `checkpoint`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyArgs,
    /// Write it to this file as well.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let here = recall::here(&args.place)?;
    let Here { repo, ledger, state, .. } = &here;
    let signer = keyring::signer(&args.key)?;
    let size = state.next_seq();
    let keys = state.log_keys(size);
    let Some(key) = keys.iter().find(|key| key.public() == signer.public()) else {
        let reason = Reason::new(Code::RoleMissing, format!("key {}", signer.public().fingerprint()));
        return Err(reason.values("role log", "it is not registered as a log's key").into());
    };
    let head = Checkpoint::new(key.name(), size, state.root()).map_err(|e| failure("the head", &e))?;
    let lock = repo.lock(LOCK_PATIENCE)?;
    let mut note = None;
    if let Some(text) = repo.kept_checkpoint(ledger)? {
        // A log never signs what contradicts an earlier signature of its own.
        let (before, kept) = open_with(&text, &state.log_keys(size))?;
        under_kept(&here, &before, &text)?;
        note = (before == head).then_some(kept);
    }
    let own = checkpoint::sign(&head, &signer).map_err(|e| failure("the head", &e))?;
    let note = match note {
        None => own,
        // The same head again keeps the cosignatures that it has.
        Some(kept) => merged(kept, &own)?,
    };
    let text = note.to_text();
    repo.keep_checkpoint(&lock, ledger, &text)?;
    write(args.out.as_deref(), &text)?;
    Ok(Answer::done(text.trim_end())
        .with("checkpoint", &text)
        .with("origin", head.origin())
        .with("size", head.size())
        .with("root", head.root())
        .with("verifier_key", key.to_string()))
}

/// The tree under a signed checkpoint; one that contradicts this history is kept as proof.
pub(super) fn under_kept<'a>(
    here: &'a Here,
    checkpoint: &Checkpoint,
    text: &str,
) -> Result<Tree<'a>, Failure> {
    match Tree::of(here)?.under(checkpoint) {
        Err(failed) => {
            let kept = here.repo.keep_contradiction(&here.ledger, checkpoint.size(), text)?;
            Err(failed.with("kept", kept))
        }
        under => under,
    }
}

/// The checkpoint in a file, or the one that this clone keeps: opened with the ledger's own log keys.
pub(super) fn given(
    repo: &Repository,
    ledger: &LedgerRef,
    state: &State,
    file: Option<&Path>,
) -> Result<(Checkpoint, Note, String), Failure> {
    let text = match file {
        Some(path) => read_text(path)?,
        None => repo.kept_checkpoint(ledger)?.ok_or_else(|| {
            let found =
                "none is kept here: `fix7-ledger checkpoint` signs one, or name a file with --checkpoint";
            Failure::because(Code::Unreadable, "the checkpoint", found)
        })?,
    };
    let (checkpoint, note) = open_with(&text, &state.log_keys(state.next_seq()))?;
    Ok((checkpoint, note, text))
}

/// Writes a file that people pass on, where one was asked for.
pub(super) fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        None => Ok(()),
        Some(path) => {
            std::fs::write(path, text).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))
        }
    }
}

pub(super) fn merged(mut note: Note, other: &Note) -> Result<Note, Failure> {
    for line in other.signatures() {
        note.add(line.clone()).map_err(|e| failure("the checkpoint", &e))?;
    }
    Ok(note)
}
