//! What a rehearsal found, told to a person and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::escaped;
use super::table::{Cell, Table, Tone};
use crate::evidence::entry::Entry;
use crate::evidence::{Leg, Outcome};
use crate::rehearse::run::Rehearsal;

/// Differences shown to a person; all that were listed stand in the evidence.
const SHOWN_DIFFERENCES: usize = 12;

pub(super) fn summary(rehearsal: &Rehearsal) -> String {
    let lock = &rehearsal.facts.lock;
    let mut text = format!(
        "{} {} on {}, isolation level {}\n",
        lock.engine.name,
        lock.engine.version,
        lock.clone_id,
        u8::from(lock.isolation.level)
    );
    text.push_str(&legs_table(&rehearsal.facts.rollback.entries));
    for entry in &rehearsal.facts.rollback.entries {
        text.push_str(&what_differs(entry));
    }
    if rehearsal.facts.rollback.nondeterministic {
        text.push_str("\nthe change is NOT deterministic: applying it twice gave two states");
    }
    let spent: Vec<String> = rehearsal
        .timings
        .iter()
        .map(|(part, time)| format!("{} {:.2}s", part.name(), time.as_secs_f64()))
        .collect();
    text.push_str(&format!("\ntime  {}", spent.join(", ")));
    text
}

/// Each leg: how it ended, and whether rows and bytes came back.
pub(super) fn legs_table(entries: &[Entry]) -> String {
    let mut table = Table::headed(["LEG", "OUTCOME", "ROWS", "BYTES"]);
    for entry in entries {
        let tone = match entry.outcome {
            Outcome::Held | Outcome::Exact => Tone::Good,
            Outcome::NoDown | Outcome::NotApplicable | Outcome::CouldNotEstablish => Tone::Open,
            _ => Tone::Bad,
        };
        let [rows, bytes] = sameness(entry);
        let outcome = Cell::toned(word(entry.outcome), tone);
        table.add_row([Cell::from(entry.leg.name()), outcome, Cell::from(rows), Cell::from(bytes)]);
    }
    table.fitted()
}

/// How the state at the end compares with the one before, rows and bytes.
fn sameness(entry: &Entry) -> [&'static str; 2] {
    let end = entry.after_rollback_hash.or(entry.exit_hash);
    let (Some(before), Some(end)) = (entry.before_hash, end) else { return ["-", "-"] };
    let rows = if before.rows == end.rows { "equal" } else { "DIFFERENT" };
    let bytes = match (before.bytes, end.bytes) {
        (Some(a), Some(b)) if a == b => "equal",
        (Some(_), Some(_)) if entry.leg == Leg::Down => "different (as always)",
        (Some(_), Some(_)) => "DIFFERENT",
        _ => "-",
    };
    [rows, bytes]
}

/// Which table, key, column and kind of difference, and the engine's words.
fn what_differs(entry: &Entry) -> String {
    let mut text = String::new();
    if let Some(error) = &entry.error {
        text.push_str(&format!("\n{}: {}", entry.leg.name(), escaped(error)));
    }
    let Some(found) = &entry.differences else { return text };
    let codes: Vec<&str> = found.schema_codes.iter().chain(&found.row_codes).map(String::as_str).collect();
    text.push_str(&format!(
        "\n{}: {} differences: {}",
        entry.leg.name(),
        found.total,
        escaped(&codes.join(", "))
    ));
    for item in found.items.iter().take(SHOWN_DIFFERENCES) {
        let key = item.key.as_ref().map(|k| format!(", key {k}")).unwrap_or_default();
        let column = item.column.as_ref().map(|c| format!(", column {c}")).unwrap_or_default();
        text.push_str(&format!(
            "\n  {}{}{}: {}",
            escaped(&item.object),
            escaped(&key),
            escaped(&column),
            item.kind
        ));
    }
    if found.total > SHOWN_DIFFERENCES as u64 {
        text.push_str("\n  … all that were listed stand in clone-rollback-evidence.json");
    }
    text
}

fn word(outcome: Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn legs(rehearsal: &Rehearsal) -> Vec<Value> {
    let entries = rehearsal.facts.rollback.entries.iter();
    entries
        .map(|e| {
            let [rows, bytes] = sameness(e);
            json!({"leg": e.leg, "kind": e.kind, "outcome": e.outcome, "rows": rows, "bytes": bytes, "rows_changed": e.rows_changed,
                   "differences": e.differences, "error": e.error})
        })
        .collect()
}

pub(super) fn timings(rehearsal: &Rehearsal) -> BTreeMap<&'static str, u64> {
    let ms = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    rehearsal.timings.iter().map(|(part, time)| (part.name(), ms(time))).collect()
}
