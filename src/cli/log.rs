//! `log`: the entries, newest first, those that were asked for.
//!
//! Reads from the head backwards and stops when it has enough: the last few cost the same however long the ledger is.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::table::{Cell, Table, Tone, paint};
use super::{replay, screen};
use crate::entry::Entry;
use crate::evidence::BlockerMap;
use crate::evidence::blockers::BlockerState;
use crate::ledger::limits::MAX_COMMIT_BYTES;
use crate::ledger::{Kind, Oid, Reader, parse_oid};
use crate::packet::{BLOCKERS, PLAN_FOLDER};
use crate::policy::HOLD;
use crate::statement::{PACKET_DIR, STATEMENT_FILE};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};
use crate::verify::EntryFiles;

/// List the entries, newest first. Filters narrow the list; all of them must hold.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Show at most so many entries.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    filter: Filter,
    /// Print one JSON document a line for each entry, and nothing else.
    #[arg(long)]
    jsonl: bool,
}

/// Which entries.
#[derive(clap::Args)]
struct Filter {
    /// Not before this day or second: 2026-11-23 or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Not after this day or second.
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
    /// Signed by the key with this name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Of this kind: genesis, grant, rehearsal, rerun, …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Rehearsals and reruns with this result, as in ROLLBACK_EXACT.
    #[arg(long, value_name = "RESULT")]
    result: Option<String>,
    /// Rehearsals and reruns whose plan's SQL has this name in it; a comment counts.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Rehearsals and reruns whose blocker map has this blocker open.
    #[arg(long, value_name = "ID")]
    blocker: Option<String>,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    // Only a ledger that holds is listed: what does not hold is for `verify` to explain.
    let (state, tip) = replay::trusted(&args.place)?;
    let (repo, _, _) = args.place.existing()?;
    let reader = repo.reader();
    let mut table = Table::headed(["#", "TIME", "KIND", "NAME", "BY", "LEAF"]);
    let mut facts: Vec<Value> = Vec::new();
    let mut next = Some(tip);
    while let Some(oid) = next.filter(|_| facts.len() < args.limit) {
        let entry = read(&reader, &oid)?;
        next = entry.parent().and_then(|parent| parse_oid(parent.to_string().as_bytes()));
        let leaf = entry.leaf();
        // Time never goes back, so nothing before this can be asked for.
        if args.filter.since.is_some_and(|since| leaf.time < since) {
            break;
        }
        if !args.filter.takes(&entry, || Ok(reader.read_entry(&oid)?.files))? {
            continue;
        }
        let (author, label) = (entry.author().as_str(), entry.label().as_str());
        let suspect = state.suspects().contains_key(&leaf.seq);
        table.add_row([
            Cell::from(leaf.seq.to_string()),
            Cell::from(screen::when(leaf.time)),
            match suspect {
                true => Cell::toned(format!("{} SUSPECT", leaf.kind.name()), Tone::Bad),
                false => Cell::from(leaf.kind.name()),
            },
            Cell::from(label),
            Cell::from(author),
            Cell::toned(entry.leaf_hash().short(), Tone::Quiet),
        ]);
        facts.push(json!({
            "seq": leaf.seq, "time": leaf.time, "kind": leaf.kind.name(), "name": label, "by": author,
            "key": leaf.key.to_string(), "leaf": entry.leaf_hash(), "commit": oid.to_string(),
            "statement": leaf.statement, "packet_tree": leaf.packet_tree, "suspect": suspect,
        }));
    }
    let ledger = state
        .ledger()
        .ok_or_else(|| Failure::because(Code::LedgerAbsent, &args.place.ledger, "it is empty"))?;
    let lines = args.jsonl && !ui.json();
    let text = match lines {
        true => facts.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"),
        false => {
            let hold = paint(HOLD, Tone::Bad);
            format!("ledger `{}` {} [{hold}]\n{}", ledger.name, ledger.id.short(), table.fitted())
        }
    };
    let answer = Answer::done(text).with("ledger", ledger.id).with("entries", facts).with("hold", HOLD);
    Ok(if lines { answer } else { answer.to_read() })
}

pub(super) fn read(reader: &Reader, oid: &Oid) -> Result<Entry, Failure> {
    let mut commit = Vec::new();
    reader.read(oid, Kind::Commit, MAX_COMMIT_BYTES, &mut commit)?;
    Entry::parse(&commit).map_err(|e| Failure::from(Reason::new(e.code(), oid).found(e)))
}

impl Filter {
    /// Whether an entry is asked for. Its files are read only where nothing else said no.
    fn takes(
        &self,
        entry: &Entry,
        files: impl FnOnce() -> Result<EntryFiles, Failure>,
    ) -> Result<bool, Failure> {
        let leaf = entry.leaf();
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let plain = is(&self.by, entry.author().as_str())
            && is(&self.kind, leaf.kind.name())
            && self.until.is_none_or(|until| leaf.time <= until);
        let deep = self.result.is_some() || self.table.is_some() || self.blocker.is_some();
        if !plain || !deep {
            return Ok(plain);
        }
        if !leaf.kind.has_packet() {
            return Ok(false);
        }
        let files = files()?;
        Ok(self
            .result
            .as_ref()
            .is_none_or(|wanted| result(&files, leaf.kind.name()).as_ref() == Some(wanted))
            && self.table.as_ref().is_none_or(|table| names(&files, table))
            && self.blocker.as_ref().is_none_or(|id| has_open(&files, id)))
    }
}

/// What a rehearsal says that it came to.
fn result(files: &EntryFiles, kind: &str) -> Option<String> {
    let statement: Value = serde_json::from_slice(files.get(STATEMENT_FILE)?).ok()?;
    statement["predicate"][kind]["result"].as_str().map(str::to_owned)
}

/// Whether the SQL of a plan has this word, in any case, as SQL compares names.
fn names(files: &EntryFiles, table: &str) -> bool {
    let plan = format!("{PACKET_DIR}{PLAN_FOLDER}");
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let sql = files.iter().filter(|(path, _)| path.starts_with(&plan) && path.ends_with(".sql"));
    sql.map(|(_, bytes)| String::from_utf8_lossy(bytes)).any(|text| {
        let wanted = table.to_lowercase();
        let text = text.to_lowercase();
        text.match_indices(&wanted).any(|(at, found)| {
            let around = [text[..at].chars().next_back(), text[at + found.len()..].chars().next()];
            !found.is_empty() && around.into_iter().flatten().all(|c| !part(c))
        })
    })
}

fn has_open(files: &EntryFiles, id: &str) -> bool {
    let map = files.get(&format!("{PACKET_DIR}{BLOCKERS}"));
    let map = map.and_then(|bytes| BlockerMap::parse_input(bytes).ok());
    map.and_then(|map| map.blocker(id).map(|found| found.state == BlockerState::Open)).unwrap_or(false)
}

fn since(text: &str) -> Result<Timestamp, String> {
    moment(text, "T00:00:00Z")
}

fn until(text: &str) -> Result<Timestamp, String> {
    moment(text, "T23:59:59Z")
}

/// A second, or a day's first or last one.
fn moment(text: &str, rest: &str) -> Result<Timestamp, String> {
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}{rest}") };
    whole.parse().map_err(|e| format!("{e}: expected a day or YYYY-MM-DDTHH:MM:SSZ"))
}
