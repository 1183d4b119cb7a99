//! Reports: what was found, for people.
//!
//! Owns: the text of a verification, the HTML report that verifies itself, the same as Markdown. Must not: find anything out, print, or
//! colour what a pipe reads.
//!
//! ```text
//! 1 object       held
//! 2 chain        held
//! …
//! 8 completeness NOT ESTABLISHED
//! ```

use crate::verify::{Outcome, Report};

mod archive;
mod html;
mod markdown;

pub use archive::FORMAT as ARCHIVE_FORMAT;
pub use html::{html, script};
pub use markdown::markdown;

/// A verification as text: a line a step, then what is not established whatever the outcome.
pub fn verification(report: &Report, ledger: &str) -> String {
    let mut text = format!("{ledger}: {} of {} entries hold\n", report.verified, report.entries);
    if let Some(name) = &report.ledger {
        let demo = if name.demo { ", a DEMONSTRATION" } else { "" };
        text.push_str(&format!("ledger `{}` {}{demo} [HOLD_PRODUCTION]\n", name.name, name.id));
    }
    for check in &report.checks {
        let outcome = match check.outcome {
            Outcome::Held => "held",
            Outcome::Broken => "BROKEN",
            Outcome::NotEstablished => "NOT ESTABLISHED",
        };
        let more = if check.more > 0 { format!(" ({} more reasons)", check.more) } else { String::new() };
        text.push_str(&format!("  {} {:<13} {outcome}{more}\n", check.step, step_name(check.name)));
    }
    if let Some(head) = &report.head {
        text.push_str(&format!("head #{} {}\n", head.seq, head.leaf));
    }
    if !report.not_established.is_empty() {
        text.push_str("not established:\n");
    }
    for gap in &report.not_established {
        text.push_str(&format!("  - {}\n", gap.text));
    }
    text.truncate(text.trim_end().len());
    text
}

fn step_name(step: crate::verify::Step) -> String {
    serde_json::to_value(step).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
