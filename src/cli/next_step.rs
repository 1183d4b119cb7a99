//! What to do next with a ledger, as its state suggests: the most pressing first. Nothing here permits anything.

use super::answer::Failure;
use crate::state::{RehearsalRecord, State};
use crate::statement::Role;
use crate::verdict::Reason;

/// Steps shown.
const MOST: usize = 3;

/// The next steps, each a sentence with the command for it.
pub(super) fn of(state: &State, last: Option<&RehearsalRecord>) -> Result<Vec<String>, Failure> {
    let mut steps = Vec::new();
    if let Some((seq, _)) = state.suspects().first_key_value() {
        steps.push(format!("an auditor looks at entry #{seq}: fix7-ledger note {seq} --confirm --text TEXT, or an owner voids it"));
    }
    if let Some(open) = state.open_begins().values().min_by_key(|open| open.seq) {
        steps.push(format!(
            "what entry #{} began is missed: fix7-ledger record, or void {}",
            open.seq, open.seq
        ));
    }
    let counts = state.counts();
    let waiting = waiting(state)?;
    match waiting.first() {
        Some((name, grant)) => {
            steps.push(format!("{name} has grant `{grant}`: fix7-ledger rehearse, then record"));
        }
        None if counts.rehearsals == 0 => {
            steps.push("an owner permits a rehearsal: fix7-ledger grant issue --operator NAME".to_owned());
        }
        None => {}
    }
    if let Some(record) = last.filter(|record| record.void.is_none() && state.independent_reruns(record) == 0)
    {
        steps.push(format!(
            "somebody else repeats #{seq}: fix7-ledger show {seq} --extract DIR, rerun --packet DIR, record --rerun-of {seq}",
            seq = record.seq
        ));
    }
    if steps.is_empty() {
        steps.push(
            "verify it, with an id or a head from somewhere else: fix7-ledger verify --pin ID".to_owned(),
        );
    }
    steps.truncate(MOST);
    Ok(steps)
}

/// Operators with an unused grant, and its name.
fn waiting(state: &State) -> Result<Vec<(String, String)>, Failure> {
    let mut waiting = Vec::new();
    for (fingerprint, key) in state.keys().filter(|(_, key)| key.roles.contains(&Role::Operator)) {
        let grants = state.open_grants(fingerprint).map_err(Reason::from)?;
        waiting.extend(grants.first().map(|(_, record)| (key.name.to_string(), record.grant.id.to_string())));
    }
    Ok(waiting)
}
