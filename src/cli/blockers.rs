//! `blockers`: what stands between a rehearsal and production, and which entries moved it. Nothing here closes anything.
//!
//! Owns: showing the last map of the ledger with what the entries since have done to it. Must not: take a leg for proven
//! because a packet says so; whether a rehearsal still counts, the state says.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui, escaped};
use super::place::Place;
use super::replay;
use super::table::Table;
use crate::canon;
use crate::digest::Digest;
use crate::evidence::blockers::{
    Blocker, BlockerMap, BlockerState, CLONE_LEG, LegState, NeedState, ROLLBACK_BLOCKER,
};
use crate::ledger::{Oid, Repository};
use crate::packet::BLOCKERS;
use crate::policy::HOLD;
use crate::state::{RehearsalRecord, State};
use crate::statement::PACKET_DIR;
use crate::verdict::{Code, Reason};

/// Arguments of `blockers`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Show the rehearsals that were to prove the clone's leg, and whether each still counts.
    #[arg(long)]
    history: bool,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let (state, tip) = replay::trusted(&args.place)?;
    let rehearsals = state.rehearsals().map_err(Reason::from)?;
    let needed = state.policy().map_or(0, |policy| policy.ledger_rules().min_independent_reruns);
    let mut text = format!("production  {HOLD}\n");
    let mut answer = Answer::default().with("hold", HOLD).with("min_independent_reruns", needed);
    if let Some((_, last)) = rehearsals.last() {
        let (repo, _, _) = args.place.existing()?;
        let map = map_of(&repo, &tip, last)?;
        let proof = rehearsals.iter().rev().find(|(_, record)| state.is_evidence(record));
        let shown: Vec<Value> = map.blockers.iter().map(|blocker| shown(blocker, proof, &mut text)).collect();
        let open = map.counted_open();
        text.push_str(&format!("{open} open, as of entry #{}; a rehearsal closes none\n", last.seq));
        answer = answer.with("open", open).with("as_of", last.seq).with("blockers", shown);
    } else {
        text.push_str("no rehearsal brought a map yet\n");
        answer = answer.with("open", 0).with("blockers", Vec::<Value>::new());
    }
    if args.history {
        let (table, moves) = history(&state, &rehearsals, needed);
        text.push_str(&table);
        answer = answer.with("history", moves);
    }
    Ok(answer.saying(text.trim_end().to_owned()).to_read())
}

/// The map in a rehearsal's packet.
fn map_of(repo: &Repository, tip: &Oid, record: &RehearsalRecord) -> Result<BlockerMap, Failure> {
    let reader = repo.reader();
    let chain = reader.read_chain(tip)?;
    let place = format!("entry {}: {BLOCKERS}", record.seq);
    let absent = || Failure::because(Code::EntryAbsent, &place, "it is not here");
    let oid = usize::try_from(record.seq).ok().and_then(|seq| chain.get(seq)).ok_or_else(absent)?;
    let stored = reader.read_entry(oid)?;
    let bytes = stored.files.get(&format!("{PACKET_DIR}{BLOCKERS}")).ok_or_else(absent)?;
    canon::from_slice(bytes).map_err(|e| Failure::because(Code::Malformed, &place, e))
}

/// One blocker in text and JSON. The clone's leg is as proven as the ledger's entries make it now.
fn shown(blocker: &Blocker, proof: Option<&(Digest, RehearsalRecord)>, text: &mut String) -> Value {
    let state = if blocker.state == BlockerState::Open { "OPEN" } else { "CLOSED" };
    text.push_str(&format!("{state:<7} {}  {}\n", escaped(&blocker.id), escaped(&blocker.title)));
    let mut legs = Vec::new();
    for leg in &blocker.legs {
        let by = match blocker.id == ROLLBACK_BLOCKER && leg.name == CLONE_LEG {
            true => proof.map(|(leaf, record)| (*leaf, record.seq)),
            false => None,
        };
        // Any other leg is what the map says: its evidence is outside of rehearsals.
        let proven = by.is_some() || (leg.name != CLONE_LEG && leg.state == LegState::Proven);
        let word = if proven { "PROVEN" } else { "OPEN" };
        let entry = by.map_or(String::new(), |(_, seq)| format!("  by entry #{seq}"));
        text.push_str(&format!("  leg   {word:<7} {}{entry}\n", escaped(&leg.name)));
        legs.push(json!({"name": leg.name, "state": word, "by": by.map(|(leaf, _)| leaf)}));
    }
    let mut needs = Vec::new();
    for need in &blocker.needs {
        let word = if need.state == NeedState::Met { "MET" } else { "OPEN" };
        text.push_str(&format!("  need  {word:<7} {}\n", escaped(&need.id)));
        needs.push(json!({"id": need.id, "state": word}));
    }
    json!({"id": blocker.id, "state": state, "legs": legs, "needs": needs})
}

/// Every rehearsal, oldest first, and whether it counts as evidence now.
fn history(state: &State, rehearsals: &[(Digest, RehearsalRecord)], needed: u64) -> (String, Vec<Value>) {
    let mut table = Table::headed(["#", "REHEARSAL", "RESULT", "REPEATED", "COUNTS"]);
    let mut moves = Vec::new();
    for (leaf, record) in rehearsals {
        let repeated = state.independent_reruns(record);
        let counts = match record.void {
            _ if state.is_evidence(record) => "yes".to_owned(),
            Some(seq) => format!("no: void by #{seq}"),
            None if state.suspects().contains_key(&record.seq) => "no: suspect".to_owned(),
            None if repeated < needed => format!("not yet: {needed} must repeat it"),
            None => "no: it failed".to_owned(),
        };
        table.add_row([
            record.seq.to_string(),
            record.run_id.to_string(),
            record.result.name().to_owned(),
            repeated.to_string(),
            counts,
        ]);
        moves.push(json!({
            "seq": record.seq, "leaf": leaf, "run_id": record.run_id, "result": record.result,
            "independent_reruns": repeated, "void": record.void, "counts": state.is_evidence(record),
        }));
    }
    (table.fitted(), moves)
}
