//! The running numbers of an operator: which one comes next, and giving one out before a rehearsal begins.
//!
//! Owns: what counts as given out: what the ledger has, what the outbox holds, and what this clone noted. Must not:
//! decide whether a number may stand (`state` does).
//!
//! ```text
//! rehearse --operator anna   3 is given out, durably        ─► PACKET.run.json ─► record: number 3
//! rehearse --operator anna   4 is given out; it crashes     ─► never recorded: 4 is missing once a later one is
//! ```

use serde_json::{Value, json};

use super::answer::Failure;
use super::{push, replay};
use crate::dsse::Signatures;
use crate::keys::Fingerprint;
use crate::ledger::{HostLock, Repository};
use crate::state::State;
use crate::statement::{Run, SIGNATURE_FILE};

/// The names in the volatile facts of a rehearsal that had a number.
const NUMBER: &str = "number";
const OPERATOR: &str = "operator";

/// The number that this operator's next statement has.
pub(super) fn next(repo: &Repository, state: &State, operator: &Fingerprint) -> Result<u64, Failure> {
    let mut last = state.counter(operator).last();
    last = last.max(repo.given_number(&replay::ledger_id(state)?, operator)?);
    for kept in repo.kept()? {
        let bytes = kept.files.get(SIGNATURE_FILE).map(Vec::as_slice).unwrap_or_default();
        let own = Signatures::parse(bytes).is_ok_and(|all| all.signers().any(|key| key == *operator));
        // What cannot be read there is told when it is placed.
        if let (true, Ok(statement)) = (own, push::statement_of(&kept)) {
            last = last.max(statement.claim().number().unwrap_or(0));
        }
    }
    Ok(last + 1)
}

/// Gives out the next number: from here on it is missed until an entry has it, or it is voided.
pub(super) fn give(
    repo: &Repository,
    lock: &HostLock,
    state: &State,
    operator: &Fingerprint,
) -> Result<u64, Failure> {
    let number = next(repo, state, operator)?;
    repo.give_number(lock, &replay::ledger_id(state)?, operator, number)?;
    Ok(number)
}

/// What a rehearsal notes of its number.
pub(super) fn noted(operator: &Fingerprint, number: u64) -> [(String, Value); 2] {
    [(NUMBER.to_owned(), json!(number)), (OPERATOR.to_owned(), json!(operator))]
}

/// The number of a statement about a rehearsal with these facts: the one that was given out for it, where no entry has
/// it yet; else the next.
pub(super) fn of_run(
    run: &Run,
    repo: &Repository,
    state: &State,
    operator: &Fingerprint,
) -> Result<u64, Failure> {
    let fact = |name| run.facts().get(name);
    let own = fact(OPERATOR).and_then(Value::as_str) == Some(operator.to_string().as_str());
    match fact(NUMBER).and_then(Value::as_u64).filter(|_| own) {
        Some(number) if number > 0 && !state.counter(operator).has(number) => Ok(number),
        _ => next(repo, state, operator),
    }
}
