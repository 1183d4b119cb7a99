//! `blockers`: what stands between a rehearsal and production, and which entries moved it over time.
//!
//! Owns: showing the last map of the ledger with what the entries since have done to it. Must not: take a leg for proven
//! because a packet says so; whether a rehearsal or a decision still counts, the state says.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui, escaped};
use super::blocker_decision;
use super::place::Place;
use super::recall::{self, Here};
use super::table::Table;
use crate::canon;
use crate::digest::Digest;
use crate::evidence::blockers::{
    Blocker, BlockerMap, BlockerState, CLONE_LEG, DUMP_LEG, LegState, NeedState, ROLLBACK_BLOCKER,
};
use crate::packet::BLOCKERS;
use crate::policy::HOLD;
use crate::state::{RehearsalRecord, State};
use crate::statement::{BlockerAction, Outcome, PACKET_DIR};
use crate::verdict::{Code, Reason};

/// Arguments of `blockers`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<blocker_decision::Verb>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Args)]
struct Shown {
    #[command(flatten)]
    place: Place,
    /// Show every entry that was to move a blocker, and whether each still counts.
    #[arg(long)]
    history: bool,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Some(verb) => blocker_decision::run(verb),
        None => show(&args.shown),
    }
}

fn show(args: &Shown) -> Result<Answer, Failure> {
    let here = recall::here(&args.place)?;
    let state = &here.state;
    let rehearsals = state.rehearsals().map_err(Reason::from)?;
    let needed = state.policy().map_or(0, |policy| policy.ledger_rules().min_independent_reruns);
    let mut text = format!("production  {HOLD}\n");
    let mut answer = Answer::default().with("hold", HOLD).with("min_independent_reruns", needed);
    if let Some((_, last)) = rehearsals.last() {
        let map = map_of(&here, last)?;
        let evidence = |dump: bool| {
            let mut counting = rehearsals.iter().rev().filter(|(_, record)| state.is_evidence(record));
            counting.find(|(_, record)| record.dump || !dump)
        };
        let proofs = Proofs { state, clone: evidence(false), dump: evidence(true) };
        let shown: Vec<Value> = map.blockers.iter().map(|blocker| proofs.shown(blocker, &mut text)).collect();
        let open = shown.iter().filter(|blocker| blocker["state"] == "OPEN").count();
        text.push_str(&format!("{open} open; the map is that of entry #{}\n", last.seq));
        answer = answer.with("open", open).with("as_of", last.seq).with("blockers", shown);
    } else {
        text.push_str("no rehearsal brought a map yet\n");
        answer = answer.with("open", 0).with("blockers", Vec::<Value>::new());
    }
    if args.history {
        let (table, moves) = history(state, &rehearsals, needed);
        text.push_str(&table);
        answer = answer.with("history", moves);
    }
    Ok(answer.saying(text.trim_end().to_owned()).to_read())
}

/// Arguments of `blockers map`.
#[derive(clap::Args)]
pub(super) struct MapArgs {
    #[command(flatten)]
    place: Place,
    /// A file that does not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the last map of the ledger with everything that the owners decided, and nothing that a packet proves by itself.
pub(super) fn map(args: &MapArgs) -> Result<Answer, Failure> {
    let here = recall::here(&args.place)?;
    let state = &here.state;
    let rehearsals = state.rehearsals().map_err(Reason::from)?;
    let absent = || Failure::because(Code::EntryAbsent, &args.place.ledger, "no rehearsal brought a map yet");
    let (_, last) = rehearsals.last().ok_or_else(absent)?;
    let mut map = map_of(&here, last)?.bare();
    for blocker in &mut map.blockers {
        let moved = |action, part: &str| state.moved(&blocker.id, action, part);
        for leg in &mut blocker.legs {
            if let Some(decision) = moved(BlockerAction::Prove, &leg.name) {
                (leg.state, leg.evidence_sha256) = (LegState::Proven, Some(decision.claim.evidence));
            }
        }
        for need in &mut blocker.needs {
            if let Some(decision) = moved(BlockerAction::Meet, &need.id) {
                (need.state, need.met_by) = (NeedState::Met, Some(decision.statement));
            }
        }
        if let Some(decision) = state.closed(&blocker.id) {
            (blocker.state, blocker.closed_by) = (BlockerState::Closed, Some(decision.statement));
        }
    }
    map.open_count = map.counted_open();
    let place = args.out.display();
    let bytes = canon::to_vec(&map).map_err(|e| Failure::because(Code::Malformed, &place, e))?;
    let written = std::fs::File::create_new(&args.out).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::because(Code::AlreadyExists, &place, e),
        _ => Failure::because(Code::Unreadable, &place, e),
    })?;
    let text = format!("{place}: {} of {} open", map.open_count, map.blockers.len());
    Ok(Answer::done(text).with("map", &args.out).with("open", map.open_count))
}

/// The map in a rehearsal's packet.
fn map_of(here: &Here, record: &RehearsalRecord) -> Result<BlockerMap, Failure> {
    let place = format!("entry {}: {BLOCKERS}", record.seq);
    let absent = || Failure::because(Code::EntryAbsent, &place, "it is not here");
    let oid = here.commit(record.seq)?.ok_or_else(absent)?;
    let stored = here.repo.reader().read_entry(&oid)?;
    let bytes = stored.files.get(&format!("{PACKET_DIR}{BLOCKERS}")).ok_or_else(absent)?;
    canon::from_slice(bytes).map_err(|e| Failure::because(Code::Malformed, &place, e))
}

/// What proves a leg, meets a need or closes a blocker.
struct Proofs<'a> {
    state: &'a State,
    clone: Option<&'a (Digest, RehearsalRecord)>,
    dump: Option<&'a (Digest, RehearsalRecord)>,
}

impl Proofs<'_> {
    /// One blocker in text and JSON: as open, proven and met as the ledger's entries make it now.
    fn shown(&self, blocker: &Blocker, text: &mut String) -> Value {
        let closed = self.state.closed(&blocker.id).map(|decision| (decision.leaf, decision.seq));
        let state = if closed.is_none() { "OPEN" } else { "CLOSED" };
        let by =
            |by: Option<(Digest, u64)>| by.map_or(String::new(), |(_, seq)| format!("  by entry #{seq}"));
        let (id, title) = (escaped(&blocker.id), escaped(&blocker.title));
        text.push_str(&format!("{state:<7} {id}  {title}{}\n", by(closed)));
        let mut legs = Vec::new();
        for leg in &blocker.legs {
            let proof = self.leg(&blocker.id, &leg.name);
            let word = if proof.is_some() { "PROVEN" } else { "OPEN" };
            text.push_str(&format!("  leg   {word:<7} {}{}\n", escaped(&leg.name), by(proof)));
            legs.push(json!({"name": leg.name, "state": word, "by": proof.map(|(leaf, _)| leaf)}));
        }
        let mut needs = Vec::new();
        for need in &blocker.needs {
            let moved = self.state.moved(&blocker.id, BlockerAction::Meet, &need.id);
            let moved = moved.map(|decision| (decision.leaf, decision.seq));
            let word = if moved.is_some() { "MET" } else { "OPEN" };
            text.push_str(&format!("  need  {word:<7} {}{}\n", escaped(&need.id), by(moved)));
            needs.push(json!({"id": need.id, "state": word, "by": moved.map(|(leaf, _)| leaf)}));
        }
        json!({"id": blocker.id, "state": state, "by": closed.map(|(leaf, _)| leaf), "legs": legs, "needs": needs})
    }

    /// The entry that proves a leg.
    fn leg(&self, blocker: &str, leg: &str) -> Option<(Digest, u64)> {
        let rehearsal =
            |found: Option<&(Digest, RehearsalRecord)>| found.map(|(leaf, record)| (*leaf, record.seq));
        match (blocker == ROLLBACK_BLOCKER, leg) {
            (true, CLONE_LEG) => rehearsal(self.clone),
            (true, DUMP_LEG) => rehearsal(self.dump),
            _ => {
                let moved = self.state.moved(blocker, BlockerAction::Prove, leg)?;
                Some((moved.leaf, moved.seq))
            }
        }
    }
}

/// Every entry that was to move a blocker, oldest first, and whether it counts now.
fn history(state: &State, rehearsals: &[(Digest, RehearsalRecord)], needed: u64) -> (String, Vec<Value>) {
    let mut rows: Vec<(u64, [String; 4], Value)> = Vec::new();
    for (leaf, record) in rehearsals {
        let repeated = state.independent_reruns(record);
        let counts = match record.void {
            _ if state.is_evidence(record) => "yes".to_owned(),
            Some(seq) => format!("no: void by #{seq}"),
            None if state.is_suspect(record.seq) => "no: suspect".to_owned(),
            None if record.result != Outcome::RollbackExact => "no: it failed".to_owned(),
            // Whoever repeats it now would reach a packet of the policy in force, which is another one.
            None if record.seq < state.policy_since() => {
                format!("no: {repeated} of {needed} repeated it before the policy changed, rehearse again")
            }
            None => format!("not yet: {needed} must repeat it, {repeated} did"),
        };
        let what = format!("rehearsal {}", record.run_id);
        rows.push((
            record.seq,
            [what, record.result.name().to_owned(), repeated.to_string(), counts],
            json!({
                "seq": record.seq, "kind": "rehearsal", "leaf": leaf, "run_id": record.run_id,
                "result": record.result, "independent_reruns": repeated, "void": record.void,
                "counts": state.is_evidence(record),
            }),
        ));
    }
    for decision in state.decisions() {
        let claim = &decision.claim;
        let counts = match decision.void {
            Some(seq) => format!("no: void by #{seq}"),
            None if !state.is_standing(decision) => "no: suspect".to_owned(),
            None => "yes".to_owned(),
        };
        let part = claim.part.as_ref().map_or(String::new(), |part| format!(" {}", escaped(part)));
        rows.push((
            decision.seq,
            [
                format!("{} {}", claim.id, claim.blocker),
                format!("{}{part}", claim.action.name()),
                "-".to_owned(),
                counts,
            ],
            json!({
                "seq": decision.seq, "kind": "blockers", "leaf": decision.leaf, "decision": claim,
                "void": decision.void, "counts": state.is_standing(decision),
            }),
        ));
    }
    rows.sort_by_key(|(seq, ..)| *seq);
    let mut table = Table::headed(["#", "ENTRY", "SAYS", "REPEATED", "COUNTS"]);
    let mut moves = Vec::new();
    for (seq, [what, says, repeated, counts], fact) in rows {
        table.add_row([seq.to_string(), what, says, repeated, counts]);
        moves.push(fact);
    }
    (table.fitted(), moves)
}
