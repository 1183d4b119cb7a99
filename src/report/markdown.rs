//! The report as Markdown, for a knowledge hub: one document with front matter, of the same facts as the HTML page.
//!
//! Owns: the document. Must not: let a text of others be more than text: whatever Markdown or HTML could mean by it is
//! escaped.
//!
//! ```text
//! ---                     front matter: title, ledger, head, entries, date, tags
//! # Rollback rehearsals   the hold, and whose ledger
//! ## Rehearsals           newest first: legs with their digests, who reproduced it, what it leaves open
//! ## Blockers over time   blockers down, rehearsals across
//! ## Every entry          in order
//! ## Not established      what no reader may take from here
//! ```

use std::fmt::Write as _;

use crate::canon;
use crate::digest::Digest;
use crate::entry::{Entry, StoredEntry};
use crate::evidence::BlockerMap;
use crate::evidence::blockers::{BlockerState, LegState};
use crate::evidence::entry::RollbackEvidence;
use crate::packet::{BLOCKERS, ROLLBACK};
use crate::policy::HOLD;
use crate::statement::{Claim, PACKET_DIR, STATEMENT_FILE, Statement};

/// Holds for every report, whatever is in it.
const NEVER: [&str; 4] = [
    "That the signatures, the chain and the packets hold: this is a text. `fix7-ledger verify` checks them, and the HTML report in a browser.",
    "That everybody sees this history: ask for a checkpoint that witnesses cosigned.",
    "The times: each is what the signer wrote.",
    "Anything about production. It is on HOLD.",
];

/// An entry that could be read.
struct Read<'a> {
    stored: &'a StoredEntry,
    entry: Entry,
    claim: Claim,
}

impl Read<'_> {
    fn document<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        canon::from_slice(self.stored.files.get(&format!("{PACKET_DIR}{name}"))?).ok()
    }
}

/// The document of these entries, which begin with the genesis. The same entries give the same bytes.
pub fn markdown(entries: &[StoredEntry]) -> String {
    let read: Vec<Read<'_>> = entries.iter().filter_map(read).collect();
    let mut text = String::new();
    head(&read, &mut text);
    rehearsals(&read, &mut text);
    blockers(&read, &mut text);
    every_entry(&read, &mut text);
    text.push_str("\n## Not established\n\n");
    NEVER.iter().for_each(|line| line_to(&mut text, format_args!("- {line}")));
    text
}

fn read(stored: &StoredEntry) -> Option<Read<'_>> {
    let entry = Entry::parse(&stored.commit).ok()?;
    let claim = Statement::parse(stored.files.get(STATEMENT_FILE)?).ok()?.claim().clone();
    Some(Read { stored, entry, claim })
}

fn line_to(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes every text");
}

fn head(read: &[Read<'_>], text: &mut String) {
    let (name, demo, ledger) = match read.first().map(|first| (&first.claim, first.entry.leaf())) {
        Some((Claim::Genesis(genesis), leaf)) => (genesis.name.to_string(), genesis.demo, leaf.ledger),
        _ => ("a ledger that cannot be read".to_owned(), false, Digest::ZERO),
    };
    let last = read.last().map(|last| last.entry.leaf());
    line_to(text, format_args!("---\ntitle: \"Rollback rehearsals of {name}\"\nledger: {ledger}"));
    if let Some(leaf) = last {
        line_to(text, format_args!("head: {}\ndate: {}", leaf.hash(), leaf.time.date()));
    }
    line_to(text, format_args!("entries: {}", read.len()));
    line_to(
        text,
        format_args!("tags: [\"fix7\", \"production-rehearsal-only\", \"rollback-packet\"]\n---\n"),
    );
    line_to(
        text,
        format_args!(
            "# Rollback rehearsals of {name}\n\n**{HOLD}**: a rehearsal on a clone authorizes nothing in production.\n"
        ),
    );
    if demo {
        line_to(text, format_args!("A demonstration: its keys are public samples.\n"));
    }
    line_to(
        text,
        format_args!(
            "Check it: `fix7-ledger verify --pin {ledger}`, with the id from somebody whom you trust."
        ),
    );
}

fn rehearsals(read: &[Read<'_>], text: &mut String) {
    text.push_str("\n## Rehearsals, newest first\n");
    let mut none = true;
    for run in read.iter().rev() {
        let Claim::Rehearsal(claim) = &run.claim else { continue };
        none = false;
        let leaf = run.entry.leaf();
        line_to(text, format_args!("\n### #{} {}: {}\n", leaf.seq, claim.run_id, claim.result.name()));
        line_to(
            text,
            format_args!("{} by {}; packet tree `{}`.\n", leaf.time, run.entry.author(), claim.packet_tree),
        );
        if let Some(evidence) = run.document::<RollbackEvidence>(ROLLBACK) {
            legs(&evidence, text);
        }
        what_followed(run, read, text);
    }
    if none {
        text.push_str("\nNone yet.\n");
    }
}

/// Each leg with its row digests on the way out and back.
fn legs(evidence: &RollbackEvidence, text: &mut String) {
    line_to(
        text,
        format_args!(
            "| leg | outcome | rows before | after the change | after the way back |\n|---|---|---|---|---|"
        ),
    );
    for leg in &evidence.entries {
        let outcome = serde_json::to_value(leg.outcome).ok();
        let outcome = outcome.as_ref().and_then(|v| v.as_str()).unwrap_or_default().replace('_', " ");
        let short =
            |digest: Option<Digest>| digest.map_or("-".to_owned(), |digest| format!("`{}`", digest.short()));
        let [before, out, back] = [
            leg.before_hash.map(|hash| hash.rows),
            leg.after_apply_hash.map(|hash| hash.rows),
            leg.after_rollback_hash.or(leg.exit_hash).map(|hash| hash.rows),
        ]
        .map(short);
        line_to(text, format_args!("| {} | {outcome} | {before} | {out} | {back} |", leg.leg.name()));
    }
    text.push('\n');
}

/// Who repeated it, who voided it, what auditors said of it.
fn what_followed(run: &Read<'_>, read: &[Read<'_>], text: &mut String) {
    let own = run.entry.leaf();
    let hash = own.hash();
    let mut reproduced = false;
    for later in read {
        let (seq, author) = (later.entry.leaf().seq, later.entry.author());
        match &later.claim {
            Claim::Rerun(rerun) if rerun.of == Some(hash) => {
                let other = later.entry.leaf().key != own.key;
                reproduced |= other;
                let how = if other { "reproduced by" } else { "repeated by its own operator," };
                line_to(text, format_args!("- {how} {author} (#{seq}), the same packet"));
            }
            Claim::Void(void) if void.of == Some(hash) => {
                line_to(text, format_args!("- **VOID** by #{seq}: {}", escaped(&void.reason)));
            }
            Claim::Note(note) if note.of == hash => {
                line_to(text, format_args!("- note by {author} (#{seq}): {}", escaped(&note.text)));
            }
            _ => {}
        }
    }
    if !reproduced {
        line_to(text, format_args!("- not established: that somebody else reaches the same packet"));
    }
}

fn blockers(read: &[Read<'_>], text: &mut String) {
    let maps: Vec<(u64, BlockerMap)> =
        read.iter().filter_map(|run| Some((run.entry.leaf().seq, run.document(BLOCKERS)?))).collect();
    let Some((_, last)) = maps.last() else { return };
    text.push_str("\n## Blockers over time\n\n");
    let heads: String = maps.iter().map(|(seq, _)| format!(" #{seq} |")).collect();
    line_to(text, format_args!("| blocker |{heads}\n|---|{}", "---|".repeat(maps.len())));
    let mut ids: Vec<&str> = Vec::new();
    for blocker in maps.iter().flat_map(|(_, map)| &map.blockers) {
        if !ids.contains(&blocker.id.as_str()) {
            ids.push(&blocker.id);
        }
    }
    for id in ids {
        let cells: String = maps.iter().map(|(_, map)| format!(" {} |", cell(map, id))).collect();
        line_to(text, format_args!("| {} |{cells}", escaped(id)));
    }
    line_to(text, format_args!("\n{} open in the last map; a rehearsal closes none.", last.counted_open()));
    let decided = read.iter().filter_map(|later| match &later.claim {
        Claim::Blockers(decision) => Some((later, decision)),
        _ => None,
    });
    for (n, (later, decision)) in decided.enumerate() {
        let (seq, author) = (later.entry.leaf().seq, later.entry.author());
        let of = [Some(&decision.blocker), decision.part.as_ref()].into_iter().flatten();
        let of: Vec<String> = of.map(|name| escaped(name)).collect();
        let (action, why) = (decision.action.name(), escaped(&decision.text));
        let start = if n == 0 { "\n" } else { "" };
        line_to(text, format_args!("{start}- #{seq} {action} {} by {author}: {why}", of.join(", ")));
    }
}

fn cell(map: &BlockerMap, id: &str) -> String {
    let Some(blocker) = map.blocker(id) else { return "not listed".to_owned() };
    let proven = blocker.legs.iter().filter(|leg| leg.state == LegState::Proven).count();
    let state = if blocker.state == BlockerState::Open { "OPEN" } else { "CLOSED" };
    match blocker.legs.len() {
        0 => state.to_owned(),
        legs => format!("{state}, {proven} of {legs} legs proven"),
    }
}

fn every_entry(read: &[Read<'_>], text: &mut String) {
    text.push_str("\n## Every entry\n\n| # | time | kind | name | by | leaf |\n|---|---|---|---|---|---|\n");
    for Read { entry, .. } in read {
        let leaf = entry.leaf();
        let (kind, label, author) = (leaf.kind.name(), entry.label(), entry.author());
        line_to(
            text,
            format_args!(
                "| {} | {} | {kind} | {label} | {author} | `{}` |",
                leaf.seq,
                leaf.time,
                leaf.hash().short()
            ),
        );
    }
}

/// A text of others as text: on one line, and every sign of Markdown or HTML as itself.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                out.extend(c.escape_unicode());
            }
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_ascii_punctuation() && !",.;: -/()'\"".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixture::Book;

    #[test]
    fn the_same_entries_give_the_same_document_and_each_stands_in_it() {
        let book = Book::full();
        let text = markdown(&book.entries);
        assert_eq!(text, markdown(&book.entries));
        assert!(text.starts_with("---\ntitle: \"Rollback rehearsals of orders\"\nledger: "), "{text}");
        for line in
            ["**HOLD_PRODUCTION**", "### #2 run-1: ROLLBACK_EXACT", "- reproduced by eve (#3)", "| 1 | "]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("not established: that somebody"), "{text}");
        assert!(markdown(&book.entries[..3]).contains("not established: that somebody"));
        assert!(markdown(&[]).contains("None yet."));
    }

    #[test]
    fn text_of_others_is_text() {
        let hostile = "a|b\n# x <img src=x> [y](z) `c` *d* _e_ &amp; \u{202e}";
        let expected =
            "a\\|b \\# x &lt;img src\\=x\\> \\[y\\](z) \\`c\\` \\*d\\* \\_e\\_ &amp;amp; \\u{202e}";
        assert_eq!(escaped(hostile), expected);
    }
}
