//! `log`: the entries, newest first.

use comfy_table::{Table, presets};
use serde_json::json;

use super::answer::{Answer, Failure, Ui, escaped};
use super::place::Place;
use super::replay;
use crate::entry::Entry;
use crate::ledger::limits::MAX_COMMIT_BYTES;
use crate::verdict::{Code, Reason};

/// Arguments of `log`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Show at most so many entries.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    // Only a ledger that holds is listed: what does not hold is for `verify` to explain.
    let (state, tip) = replay::trusted(&args.place)?;
    let (repo, _, _) = args.place.existing()?;
    let reader = repo.reader();
    let chain = reader.read_chain(&tip)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["#", "TIME", "KIND", "NAME", "BY", "LEAF"]);
    let mut facts = Vec::new();
    for oid in chain.iter().rev().take(args.limit) {
        let mut commit = Vec::new();
        reader.read(oid, crate::ledger::Kind::Commit, MAX_COMMIT_BYTES, &mut commit)?;
        let entry = Entry::parse(&commit).map_err(|e| Failure::from(Reason::new(e.code(), oid).found(e)))?;
        let leaf = entry.leaf();
        let suspect = state.suspects().contains_key(&leaf.seq);
        let (author, label) = (entry.author().as_str(), entry.label().as_str());
        let row = [
            leaf.seq.to_string(),
            leaf.time.to_string(),
            format!("{}{}", leaf.kind.name(), if suspect { " SUSPECT" } else { "" }),
            escaped(label),
            escaped(author),
        ];
        table.add_row(row.into_iter().chain([entry.leaf_hash().short()]));
        facts.push(json!({
            "seq": leaf.seq, "time": leaf.time, "kind": leaf.kind.name(), "name": label, "by": author,
            "key": leaf.key.to_string(), "leaf": entry.leaf_hash(), "commit": oid.to_string(),
            "statement": leaf.statement, "packet_tree": leaf.packet_tree,
            "suspect": suspect,
        }));
    }
    let ledger = state
        .ledger()
        .ok_or_else(|| Failure::because(Code::LedgerAbsent, &args.place.ledger, "it is empty"))?;
    let text =
        format!("ledger `{}` {} [HOLD_PRODUCTION]\n{}", ledger.name, ledger.id.short(), table.trim_fmt());
    Ok(Answer::done(text).with("ledger", ledger.id).with("entries", facts).with("hold", "HOLD_PRODUCTION"))
}
