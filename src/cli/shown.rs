//! One entry for people: what it is, who signed it, what it came to, what it claims and carries.
//!
//! Owns: the words of `show`. Must not: leave a claim out: what has no line of its own stands among the claims.

use serde_json::Value;

use super::answer::escaped;
use super::rehearsed::legs_table;
use super::screen::when;
use super::table::{Cell, Table, Tone, paint};
use crate::canon;
use crate::digest::Digest;
use crate::entry::{StoredEntry, VerifiedEntry};
use crate::evidence::entry::RollbackEvidence;
use crate::packet::ROLLBACK;
use crate::policy::HOLD;
use crate::state::{RehearsalRecord, Suspect};
use crate::statement::{Outcome, PACKET_DIR};

/// What the entries after this one say of it.
pub(super) struct Since<'a> {
    pub(super) suspect: Option<&'a Suspect>,
    /// With how many others reached its packet.
    pub(super) rehearsal: Option<(&'a RehearsalRecord, u64)>,
}

/// The page.
pub(super) fn page(
    stored: &StoredEntry,
    verified: &VerifiedEntry,
    since: &Since<'_>,
    statement: Option<&Value>,
) -> String {
    let (leaf, label) = (verified.entry().leaf(), verified.entry().label());
    let hold = paint(HOLD, Tone::Bad);
    let mut text =
        format!("entry #{} {} `{label}` [{hold}], {}\n", leaf.seq, leaf.kind.name(), when(leaf.time));
    text.push_str(&format!("  leaf    {}\n  commit  {}\n", verified.leaf_hash(), stored.oid));
    text.push_str(&format!("  signed  by {} {}\n", verified.entry().author(), leaf.key));
    if let Some(suspect) = since.suspect {
        let word = paint("SUSPECT", Tone::Bad);
        text.push_str(&format!("  {word}: entry {} revoked its key {}\n", suspect.revoked_by, suspect.key));
    }
    if let Some((record, others)) = since.rehearsal {
        text.push_str(&format!("  result  {}\n", came_to(record, others)));
    }
    if let Some(legs) = legs(stored) {
        text.push_str(&format!("\n{legs}\n"));
    }
    text.push_str(&format!("\n{}\n", paint("trailers", Tone::Quiet)));
    leaf.to_text().lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    if let Some(predicate) = statement.map(|statement| &statement["predicate"]) {
        text.push_str(&format!("\n{}\n", paint("claims", Tone::Quiet)));
        claims(predicate, "", &mut text);
    }
    text.push_str(&format!("\n{}\n{}", paint("files", Tone::Quiet), files(stored)));
    text
}

/// What a rehearsal came to, and who else reached it.
pub(super) fn came_to(record: &RehearsalRecord, others: u64) -> String {
    let tone = match (record.result, record.void) {
        (Outcome::RollbackExact, None) => Tone::Good,
        _ => Tone::Bad,
    };
    let others = match others {
        0 => "nobody else has repeated it".to_owned(),
        1 => "the same packet reached by 1 other".to_owned(),
        more => format!("the same packet reached by {more} others"),
    };
    let void = record.void.map_or(String::new(), |seq| format!(", VOID by entry {seq}"));
    format!("{}, {others}{void}", paint(record.result.name(), tone))
}

fn legs(stored: &StoredEntry) -> Option<String> {
    let bytes = stored.files.get(&format!("{PACKET_DIR}{ROLLBACK}"))?;
    let evidence: RollbackEvidence = canon::from_slice(bytes).ok()?;
    Some(legs_table(&evidence.entries))
}

/// Every value of a claim on a line of its own, under the names that lead to it.
fn claims(value: &Value, name: &str, text: &mut String) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| claims(value, &below(key), text)),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().enumerate().for_each(|(n, item)| claims(item, &below(&n.to_string()), text));
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(word).collect();
            let items = if items.is_empty() { "none".to_owned() } else { items.join(", ") };
            text.push_str(&format!("  {}: {items}\n", escaped(name)));
        }
        other => text.push_str(&format!("  {}: {}\n", escaped(name), word(other))),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| escaped(text).replace('\n', " "))
}

fn files(stored: &StoredEntry) -> String {
    let mut table = Table::headed(["SHA-256", "BYTES", "PATH"]);
    for (path, bytes) in &stored.files {
        let digest = Cell::toned(Digest::of(bytes).short(), Tone::Quiet);
        table.add_row([digest, Cell::from(bytes.len().to_string()), Cell::from(path)]);
    }
    table.fitted()
}
