//! `state export | import`: two auditors compare what they saw, by mail.
//!
//! Owns: the note that says "this is the head that I verified", and its comparison with the ledger that is here. Must
//! not: believe it. A head of somebody else only ever adds doubt: two that contradict each other are kept as proof.
//!
//! ```text
//! fix7-ledger/<name>/<ledger id>          the head as a C2SP signed note: the origin of the ledger's checkpoints,
//! 42                                      how many entries,
//! <root over them, base64>                and the root over them
//!
//! — kim <base64>                          by the name under which the key is registered
//! ```

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::recall::{self, Here};
use super::writing::LOCK_PATIENCE;
use super::{replay, surroundings};
use crate::ledger::AwaitedHead;
use crate::state::{Ledger, State};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::{Note, Role, VerifierKey};
use crate::tlog::{MAX_TEXT_BYTES, TlogError};
use crate::verdict::{Code, Reason, Verdict};

/// Arguments of `state`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write the head of this copy as a small signed text, for another auditor.
    Export {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        key: KeyArgs,
        /// Write it into this file, which must not exist, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Compare another auditor's head with this copy. A contradiction is kept as proof, exit 5.
    Import {
        /// The note.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::Export { place, key, out } => export(&place, &key, out.as_deref()),
        Verb::Import { file, place } => import(&place, &file),
    }
}

fn export(place: &Place, key: &KeyArgs, out: Option<&Path>) -> Result<Answer, Failure> {
    let signer = keyring::signer(key)?;
    let (state, _) = replay::trusted(place)?;
    let fingerprint = signer.public().fingerprint();
    let unknown = || Reason::new(Code::KeyUnknown, format!("key {fingerprint}")).found("not in this ledger");
    let name = state.key(&fingerprint).ok_or_else(unknown)?.name.to_string();
    let head = Checkpoint::new(&origin(&state)?, state.next_seq(), state.root())
        .map_err(|e| failed("the head", &e))?;
    let note = Note::sign(&head.to_text(), &name, &signer).map_err(|e| failed("the head", &e))?.to_text();
    if let Some(file) = out {
        let written = std::fs::File::create_new(file)
            .and_then(|mut new| std::io::Write::write_all(&mut new, note.as_bytes()));
        written.map_err(|e| Failure::because(Code::AlreadyExists, file.display(), e))?;
    }
    let text =
        out.map_or_else(|| note.trim_end().to_owned(), |file| format!("written to {}", file.display()));
    Ok(Answer::done(text).with("note", note).with("entries", head.size()).with("root", head.root()))
}

fn import(place: &Place, file: &Path) -> Result<Answer, Failure> {
    let bytes = surroundings::read(file, MAX_TEXT_BYTES as u64)?;
    let object = file.display().to_string();
    let text = String::from_utf8(bytes).map_err(|e| Failure::because(Code::Malformed, &object, e))?;
    let here = recall::here(place)?;
    let Here { repo, ledger, state, .. } = &here;
    let (theirs, by) = opened(&text, state).map_err(|reason| Reason { object: object.clone(), ..reason })?;
    let expected = origin(state)?;
    if theirs.origin() != expected {
        return Err(Reason::new(Code::WrongLedger, object).values(expected, theirs.origin()).into());
    }
    let entries = state.next_seq();
    let answer =
        Answer::default().with("by", &by).with("their_entries", theirs.size()).with("entries", entries);
    if theirs.size() > entries {
        let reason = Reason::new(Code::EntryAbsent, format!("entry {entries}"))
            .values(format_args!("{} entries, as {by} saw", theirs.size()), entries);
        let head = AwaitedHead { size: theirs.size(), root: theirs.root(), by: by.clone(), note: text };
        repo.await_head(&repo.lock(LOCK_PATIENCE)?, ledger, head)?;
        let text = format!(
            "{by} saw {} entries, this copy has {entries}: it is remembered; fetch, and `fix7-ledger verify` compares",
            theirs.size()
        );
        return Ok(answer.saying(text).judged(reason.into()));
    }
    let root = here.view.root_after(theirs.size()).map_err(Reason::from)?;
    if root == theirs.root() {
        let text = format!("{by} saw the same {} entries; this copy has {entries}", theirs.size());
        return Ok(answer.saying(text).with("agrees", true));
    }
    let kept = repo.keep_split(ledger, theirs.size(), &root, &text)?;
    let reason = Reason::new(Code::Forked, format!("the first {} entries, as {by} saw them", theirs.size()));
    let verdict: Verdict = reason.values(root, theirs.root()).into();
    Ok(answer.with("agrees", false).with("both_heads", kept).judged(verdict))
}

/// The head in a note that a key of this ledger signed, and that key's name.
fn opened(text: &str, state: &State) -> Result<(Checkpoint, String), Reason> {
    let refused = |e: TlogError| Reason::new(e.code(), "").found(e);
    let note = Note::parse(text).map_err(refused)?;
    for line in note.signatures() {
        let Some((_, key)) = state.keys().find(|(_, key)| key.name.as_str() == line.name()) else { continue };
        let key = VerifierKey::new(line.name(), Role::Log, &key.public).map_err(refused)?;
        let head = Checkpoint::parse(note.open(&key).map_err(refused)?).map_err(refused)?;
        return Ok((head, line.name().to_owned()));
    }
    Err(Reason::new(Code::KeyUnknown, "").found("no key of this ledger signed it"))
}

fn origin(state: &State) -> Result<String, Failure> {
    let absent = || Failure::because(Code::LedgerAbsent, "the ledger", "it has no genesis");
    state.ledger().map(Ledger::origin).ok_or_else(absent)
}

fn failed(object: &str, error: &TlogError) -> Failure {
    Failure::because(error.code(), object, error)
}
