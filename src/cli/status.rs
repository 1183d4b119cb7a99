//! `status`: what the ledger amounts to. Production is on HOLD, whatever else is found.

use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::replay;
use crate::policy::HOLD;

/// Arguments of `status`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    // No data, broken data and good data mean the same for production.
    let (state, tip) = match replay::trusted(&args.place) {
        Ok(found) => found,
        Err(failure) => {
            let text = format!("production   {HOLD} (the default: no ledger says otherwise, none could)");
            return Ok(Answer::done(text)
                .with("hold", json!({"state": HOLD, "default": true}))
                .judged(failure.verdict().clone()));
        }
    };
    let id = replay::ledger_id(&state)?;
    let name = state.ledger().map(|l| l.name.to_string()).unwrap_or_default();
    let demo = state.ledger().is_some_and(|l| l.demo);
    let mut text = format!("production   {HOLD}\nledger       `{name}` {id}\n");
    if demo {
        text.push_str("             a DEMONSTRATION: public sample keys are accepted\n");
    }
    text.push_str(&format!("entries      {}, head {} {}\n", state.next_seq(), state.last_leaf(), tip));
    let mut keys: Vec<_> = state.keys().collect();
    keys.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    for (n, (fingerprint, key)) in keys.iter().enumerate() {
        let roles: Vec<&str> = key.roles.iter().map(|r| r.name()).collect();
        let head = if n == 0 { "keys" } else { "" };
        text.push_str(&format!(
            "{head:<12} {:<12} {:<18} {fingerprint}\n",
            key.name.as_str(),
            roles.join("+")
        ));
    }
    let counts = state.counts();
    let open = counts.grants - counts.spent_grants - counts.void_grants;
    text.push_str(&format!("grants       {open} open, {} used\n", counts.spent_grants));
    let reruns = counts.independent_reruns;
    text.push_str(&format!("rehearsals   {}, repeated by others {reruns} times\n", counts.rehearsals));
    let blockers: Vec<&str> = state.open_blockers().iter().map(String::as_str).collect();
    text.push_str(&format!(
        "blockers     {} open{}{}",
        blockers.len(),
        if blockers.is_empty() { "" } else { ": " },
        blockers.join(", ")
    ));
    let findings = state.findings();
    let begins: Vec<u64> = state.open_begins().values().map(|open| open.seq).collect();
    let suspects: Vec<u64> = state.suspects().keys().copied().collect();
    Ok(Answer::done(text)
        .with("hold", json!({"state": HOLD, "default": true}))
        .with("ledger", id)
        .with("name", name)
        .with("demo", demo)
        .with("entries", state.next_seq())
        .with("leaf", state.last_leaf())
        .with("root", state.root())
        .with("commit", tip.to_string())
        .with("policy", state.policy().map(|p| p.digest()))
        .with("open_grants", open)
        .with("rehearsals", counts.rehearsals)
        .with("independent_reruns", reruns)
        .with("open_blockers", blockers)
        .with("open_begins", begins)
        .with("suspect_entries", suspects)
        .judged(findings))
}
