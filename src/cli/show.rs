//! `show`: one entry, what it claims and what it carries.

use std::path::PathBuf;

use serde_json::Value;

use super::answer::{Answer, Failure, Ui, escaped};
use super::packet_directory;
use super::place::Place;
use super::recall::{self, Here};
use super::shown::{self, Since};
use crate::digest::Digest;
use crate::entry::{StoredEntry, check};
use crate::index::Wanted;
use crate::packet::Files;
use crate::statement::{PACKET_DIR, STATEMENT_FILE};
use crate::verdict::{Code, Reason};

/// Arguments of `show`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The entry: its number, its leaf, or its name. By default the newest.
    entry: Option<String>,
    /// Print one file of the entry and nothing else.
    #[arg(long, value_name = "PATH", conflicts_with = "extract")]
    file: Option<String>,
    /// Write the entry's packet into this directory, which must not exist.
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let here = recall::here(&args.place)?;
    let (state, stored) = (&here.state, find(&here, args.entry.as_deref())?);
    let checked = check(&stored).verified.ok_or_else(|| {
        Failure::because(
            Code::EntryMalformed,
            &stored.oid,
            "it does not hold by itself: run `fix7-ledger verify`",
        )
    })?;
    if let Some(path) = &args.file {
        let bytes = stored.files.get(path).ok_or_else(|| no_file(&stored, path))?;
        let text = String::from_utf8_lossy(bytes);
        return Ok(Answer::done(escaped(&text))
            .with("file", path)
            .with("content", text)
            .with("sha256", Digest::of(bytes))
            .to_read());
    }
    if let Some(directory) = &args.extract {
        return extract(&stored, directory);
    }
    let leaf = checked.entry().leaf();
    let suspects = state.suspects();
    let suspect = suspects.get(&leaf.seq);
    let repeated = state.rehearsal(&checked.leaf_hash()).map_err(Reason::from)?;
    let statement =
        stored.files.get(STATEMENT_FILE).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let rehearsal = repeated.as_ref().map(|record| (record, state.independent_reruns(record)));
    let since = Since { suspect, rehearsal };
    let text = shown::page(&stored, &checked, &since, statement.as_ref());
    Ok(Answer::done(text)
        .with("seq", leaf.seq)
        .with("leaf", checked.leaf_hash())
        .with("commit", &stored.oid)
        .with("suspect", suspect.is_some())
        .with("independent_reruns", rehearsal.map(|(_, others)| others))
        .with("void", repeated.as_ref().and_then(|record| record.void))
        .with("trailers", leaf.to_text())
        .with("statement", statement)
        .with(
            "files",
            stored
                .files
                .iter()
                .map(|(p, b)| (p.clone(), Digest::of(b)))
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .to_read())
}

/// The entry with this number, leaf or name (the newest with it); the newest one for `None`.
pub(super) fn find(here: &Here, wanted: Option<&str>) -> Result<StoredEntry, Failure> {
    let reader = here.repo.reader();
    let Some(wanted) = wanted else { return Ok(reader.read_entry(&here.tip)?) };
    let size = here.state.next_seq();
    let seq = if let Ok(seq) = wanted.trim_start_matches('#').parse::<u64>() {
        if seq >= size {
            return Err(absent(wanted, format!("the ledger has {size} entries, from #0")));
        }
        Some(seq)
    } else if let Ok(leaf) = wanted.parse::<Digest>() {
        here.view.leaf_position(&leaf).map_err(Reason::from)?
    } else {
        let named = Wanted { label: Some(wanted.to_owned()), ..Wanted::default() };
        here.view.search(&named, u64::MAX, 1).map_err(Reason::from)?.first().map(|found| found.seq)
    };
    match seq.map(|seq| here.commit(seq)).transpose()?.flatten() {
        Some(oid) => Ok(reader.read_entry(&oid)?),
        None => Err(absent(wanted, "no entry has this leaf or name".to_owned())),
    }
}

fn absent(wanted: &str, found: String) -> Failure {
    Failure::because(Code::EntryAbsent, format!("entry `{}`", wanted.escape_default()), found)
}

fn no_file(stored: &StoredEntry, path: &str) -> Failure {
    let names: Vec<&str> = stored.files.keys().map(String::as_str).collect();
    Reason::new(Code::FileMissing, path.escape_default())
        .values(format!("one of {}", names.join(", ")), "no such file")
        .into()
}

fn extract(stored: &StoredEntry, directory: &std::path::Path) -> Result<Answer, Failure> {
    let packet =
        stored.files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(PACKET_DIR)?, bytes.clone())));
    let (files, faults) = Files::collect(packet);
    if !faults.accepted() {
        return Err(faults.into());
    }
    if files.is_empty() {
        return Err(Failure::because(Code::FileMissing, "packet/", "this entry carries no packet"));
    }
    packet_directory::write(directory, &files)?;
    Ok(Answer::done(format!("{} files in {}", files.len(), directory.display())).with("dir", directory))
}
