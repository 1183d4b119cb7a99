//! `log`: the entries, newest first, those that were asked for.
//!
//! Asks the index where they stand, and reads each that is shown: the last few cost the same however long the ledger is.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::table::{Cell, Table, Tone, paint};
use super::{recall, screen};
use crate::entry::Entry;
use crate::index::{Found, Wanted, plan_names};
use crate::ledger::limits::MAX_COMMIT_BYTES;
use crate::ledger::{Kind, Oid, Reader, parse_oid};
use crate::policy::HOLD;
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

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
    let here = recall::here(&args.place)?;
    let (state, reader, wanted) = (&here.state, here.repo.reader(), args.filter.wanted());
    let mut table = Table::headed(["#", "TIME", "KIND", "NAME", "BY", "LEAF"]);
    let mut facts: Vec<Value> = Vec::new();
    let mut before = u64::MAX;
    while facts.len() < args.limit {
        let missing = args.limit - facts.len();
        let found = here.view.search(&wanted, before, missing).map_err(Reason::from)?;
        let last = found.len() < missing;
        for Found { seq, line, sure } in found {
            before = seq;
            let oid = parse_oid(line.commit.as_bytes())
                .ok_or_else(|| Failure::because(Code::Unreadable, "the index", "a commit's name"))?;
            // What is shown is read from the ledger; the index only says where it stands.
            let entry = read(&reader, &oid)?;
            if let (false, Some(name)) = (sure, &wanted.table)
                && !plan_names(&reader.read_entry(&oid)?.files, name)
            {
                continue;
            }
            let (leaf, author, label) = (entry.leaf(), entry.author().as_str(), entry.label().as_str());
            let suspect = state.is_suspect(leaf.seq);
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
        if last {
            break;
        }
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
    /// The question to the index.
    fn wanted(&self) -> Wanted {
        let Filter { since, until, by, kind, result, table, blocker } = self;
        let text = |value: &Option<String>| value.clone();
        let (by, kind, result) = (text(by), text(kind), text(result));
        let (table, blocker, label) = (text(table), text(blocker), None);
        Wanted { since: *since, until: *until, by, kind, label, result, table, blocker }
    }
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
