//! A claim in pieces over several entries: what the names and words about one run say together, though none says it alone.
//!
//! Owns: which texts stand beside each other. Entries that have nothing to do with each other are not joined: each line of a
//! log says HOLD_PRODUCTION between them.
//!
//! ```text
//! rehearsal `orders-production` ◄─ note `note-9`: "PASS"          read together, both ways round
//! ```

use super::gate::{Channel, Gate};
use crate::digest::Digest;
use crate::state::State;
use crate::statement::{Claim, Statement};
use crate::verdict::Verdict;

/// Whether a statement names another entry, so that the two are read together.
pub fn names_another(statement: &Statement) -> bool {
    named(statement).0.is_some()
}

/// The entry that a statement is about, and its own words about it.
fn named(statement: &Statement) -> (Option<Digest>, &str) {
    match statement.claim() {
        Claim::Note(note) => (Some(note.of), note.text.as_str()),
        Claim::Void(void) => (void.of, void.reason.as_str()),
        Claim::Rerun(rerun) => (rerun.of, ""),
        Claim::Rehearsal(rehearsal) => (rehearsal.begin, ""),
        _ => (None, ""),
    }
}

/// What speaks against a statement, read with the name of the entry that it names.
pub(super) fn beside(gate: &Gate, state: &State, statement: &Statement) -> Verdict {
    let (of, words) = named(statement);
    let mut verdict = Verdict::default();
    let Some(other) = of.and_then(|leaf| state.name_of_entry(&leaf)) else { return verdict };
    let own = statement.claim().label();
    let mut pairs = vec![format!("{other} {own}"), format!("{own} {other}")];
    if !words.is_empty() {
        pairs.extend([format!("{other} {words}"), format!("{words} {other}")]);
    }
    for text in pairs {
        verdict.merge(gate.scan(
            "statement.json, beside the entry that it names",
            Channel::Identity,
            text.as_bytes(),
        ));
    }
    verdict
}
