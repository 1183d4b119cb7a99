//! `status`: what the ledger amounts to. Production is on HOLD, whatever else is found.
//!
//! ```text
//! HOLD_PRODUCTION  whatever stands below: a rehearsal authorizes nothing
//! ledger      `orders` d925d5b1…
//! head        #3 rerun `orders-3` by eva, 2 h ago
//! rehearsal   #2 `orders-2` by anna, ROLLBACK_EXACT, the same packet reached by 1 other key
//! blockers    7 open
//! findings    none
//! next        anna has a grant: fix7-ledger rehearse, then record
//! ```

use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, Failure, Ui, escaped};
use super::next_step;
use super::place::Place;
use super::screen::when;
use super::shown::came_to;
use super::table::{Cell, Table, Tone, paint};
use super::{log, replay};
use crate::keys::Fingerprint;
use crate::ledger::Oid;
use crate::policy::HOLD;
use crate::state::{Counter, RehearsalRecord, State};
use crate::verdict::Reason;

/// Arguments of `status`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let hold = json!({"state": HOLD, "default": true});
    // No data, broken data and good data mean the same for production.
    let (state, tip) = match replay::trusted(&args.place) {
        Ok(found) => found,
        Err(failure) => {
            let text =
                format!("{}  the default: no ledger says otherwise, none could", paint(HOLD, Tone::Bad));
            return Ok(Answer::done(text).with("hold", hold).judged(failure.verdict().clone()));
        }
    };
    let id = replay::ledger_id(&state)?;
    let last = state.last_rehearsal().map_err(Reason::from)?;
    let last = last.as_ref().map(|(_, record)| record);
    let next = next_step::of(&state, last)?;
    let text = page(&args.place, &state, &tip, last, &next)?;
    let counts = state.counts();
    let numbers = numbers(&state);
    let begins: Vec<u64> = state.open_begins().values().map(|open| open.seq).collect();
    let suspects: Vec<u64> = state.suspects().keys().copied().collect();
    let ledger = state.ledger();
    Ok(Answer::done(text)
        .to_read()
        .with("hold", hold)
        .with("ledger", id)
        .with("name", ledger.map(|l| l.name.to_string()))
        .with("demo", ledger.is_some_and(|l| l.demo))
        .with("entries", state.next_seq())
        .with("leaf", state.last_leaf())
        .with("root", state.root())
        .with("commit", tip.to_string())
        .with("time", state.last_time())
        .with("policy", state.policy().map(|p| p.digest()))
        .with("open_grants", counts.grants - counts.spent_grants - counts.void_grants)
        .with("rehearsals", counts.rehearsals)
        .with("last_rehearsal", last.map(|record| json!({"seq": record.seq, "run_id": record.run_id, "result": record.result, "void": record.void, "independent_reruns": state.independent_reruns(record)})))
        .with("independent_reruns", state.all_independent_reruns().map_err(Reason::from)?)
        .with("open_blockers", state.open_blockers())
        .with("owner_threshold", state.owner_threshold())
        .with("numbers", &numbers)
        .with("open_begins", begins)
        .with("suspect_entries", suspects)
        .with("next", next)
        .judged(state.findings()))
}

fn page(
    place: &Place,
    state: &State,
    tip: &Oid,
    last: Option<&RehearsalRecord>,
    next: &[String],
) -> Result<String, Failure> {
    let mut lines =
        vec![format!("{}  whatever stands below: a rehearsal authorizes nothing", paint(HOLD, Tone::Bad))];
    let mut line = |name: &str, text: &str| lines.push(format!("{name:<11} {text}"));
    if let Some(ledger) = state.ledger() {
        line("ledger", &format!("`{}` {}", ledger.name, ledger.id));
        if ledger.demo {
            line("", &paint("a DEMONSTRATION: public sample keys are accepted", Tone::Open));
        }
    }
    let (repo, _, _) = place.existing()?;
    let head = log::read(&repo.reader(), tip)?;
    let (leaf, author) = (head.leaf(), head.author());
    line(
        "head",
        &format!("#{} {} `{}` by {author}, {}", leaf.seq, leaf.kind.name(), head.label(), when(leaf.time)),
    );
    line("", &paint(&state.last_leaf().to_string(), Tone::Quiet));
    let who = |record: &RehearsalRecord| {
        state.key(&record.operator).map_or_else(|| record.operator.to_string(), |key| key.name.to_string())
    };
    match last {
        Some(record) => line(
            "rehearsal",
            &format!(
                "#{} `{}` by {}, {}",
                record.seq,
                record.run_id,
                who(record),
                came_to(record, state.independent_reruns(record))
            ),
        ),
        None => line("rehearsal", "none yet"),
    }
    let blockers = state.open_blockers();
    match blockers.len() {
        0 => line("blockers", "none is listed yet"),
        open => {
            let open = paint(&format!("{open} open"), Tone::Open);
            line("blockers", &format!("{open}: {}", escaped(&blockers.join(", "))));
        }
    }
    for (n, one) in numbers(state).iter().enumerate() {
        let name = if n == 0 { "numbers" } else { "" };
        let missing: Vec<String> = one
            .missing
            .iter()
            .map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") })
            .collect();
        let missing = if missing.is_empty() {
            "none missing".to_owned()
        } else {
            format!("MISSING {}", missing.join(", "))
        };
        let doubled =
            if one.doubled == 0 { String::new() } else { format!(", {} given out twice", one.doubled) };
        line(name, &format!("{} up to {}, {missing}{doubled}", one.operator, one.last));
    }
    let findings = state.findings();
    match findings.reasons().len() {
        0 => line("findings", &paint("none", Tone::Good)),
        more => line("findings", &paint(&format!("{more}, explained below"), Tone::Bad)),
    }
    let counts = state.counts();
    let open = counts.grants - counts.spent_grants - counts.void_grants;
    line("owners", &format!("{} must agree", state.owner_threshold()));
    line("grants", &format!("{open} open, {} used, {} revoked", counts.spent_grants, counts.void_grants));
    next.iter().enumerate().for_each(|(n, step)| line(if n == 0 { "next" } else { "" }, step));
    Ok(format!("{}\n\n{}", lines.join("\n"), keys(state)))
}

/// The running numbers of one operator.
#[derive(Serialize)]
struct Numbers {
    operator: String,
    last: u64,
    missing: Vec<(u64, u64)>,
    doubled: u64,
}

fn numbers(state: &State) -> Vec<Numbers> {
    let one = |(key, counter): (&Fingerprint, &Counter)| Numbers {
        operator: state.key(key).map_or_else(|| key.to_string(), |record| record.name.to_string()),
        last: counter.last(),
        missing: counter.missing().collect(),
        doubled: counter.doubled(),
    };
    state.counters().map(one).collect()
}

/// Every key, those that ended last.
fn keys(state: &State) -> String {
    let mut keys: Vec<_> = state.keys().collect();
    keys.sort_by_key(|(_, key)| (key.last_valid_seq.is_some(), key.name.clone()));
    let mut table = Table::headed(["KEY", "ROLES", "COUNTS", "FINGERPRINT"]);
    for (fingerprint, key) in keys {
        let roles: Vec<&str> = key.roles.iter().map(|role| role.name()).collect();
        let counts = match key.last_valid_seq {
            None => Cell::toned(format!("from #{}", key.from_seq), Tone::Plain),
            Some(last) => Cell::toned(format!("ended at #{last}"), Tone::Open),
        };
        table.add_row([
            Cell::from(key.name.as_str()),
            Cell::from(roles.join("+")),
            counts,
            Cell::toned(fingerprint.to_string(), Tone::Quiet),
        ]);
    }
    table.fitted()
}
