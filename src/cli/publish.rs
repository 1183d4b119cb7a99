//! `publish`: a rehearsal's document into a directory, at the path of the knowledge hub.
//!
//! What is written is the packet's README.md, byte for byte: its digest stands in the signed entry. Pushing it anywhere
//! is for people to do.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::{recall, show};
use crate::digest::Digest;
use crate::packet::document::{DecisionPacket, FinalStatus};
use crate::packet::{DECISION, README};
use crate::statement::PACKET_DIR;
use crate::verdict::{Code, Reason};

/// Arguments of `publish`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The rehearsal: its number, its leaf, or its name. By default the newest entry.
    entry: Option<String>,
    /// The directory that the document's path begins in.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    // Only what is recorded in a ledger that holds is published.
    let stored = show::find(&recall::here(&args.place)?, args.entry.as_deref())?;
    let file = |name: &str| {
        let absent = || Failure::because(Code::FileMissing, name, "this entry carries no packet");
        stored.files.get(&format!("{PACKET_DIR}{name}")).ok_or_else(absent)
    };
    let (document, decision) = (file(README)?, file(DECISION)?);
    let decision: DecisionPacket =
        serde_json::from_slice(decision).map_err(|e| Failure::because(Code::Malformed, DECISION, e))?;
    if decision.final_status != FinalStatus::Ready {
        let values = (FinalStatus::Ready.name(), decision.final_status.name());
        return Err(Reason::new(Code::NotRestored, DECISION).values(values.0, values.1).into());
    }
    let below = PathBuf::from(&decision.publication.path);
    if !below.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Failure::because(Code::PathForbidden, DECISION, below.display()));
    }
    let path = args.to.join(below);
    write(&path, document)?;
    let sha256 = Digest::of(document);
    let text = format!(
        "wrote {}\n  sha256 {sha256}, as recorded in entry {}\n  Nothing was sent anywhere: publishing it is for you to do.",
        path.display(),
        stored.oid
    );
    Ok(Answer::done(text)
        .with("path", &path)
        .with("sha256", sha256)
        .with("commit", &stored.oid)
        .with("publication", serde_json::to_value(&decision.publication).unwrap_or(Value::Null)))
}

/// Writes the document where there is none; the same one is there already is no fault, another one is.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    match fs::read(path) {
        Ok(there) if there == bytes => return Ok(()),
        Ok(_) => {
            return Err(Failure::because(
                Code::AlreadyExists,
                path.display(),
                "another document: a published revision is never rewritten",
            ));
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    fs::write(path, bytes).map_err(failed)
}
