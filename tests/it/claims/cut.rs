//! A token cut in two at each of its places, over everything that stands side by side in a packet or a text.

use fix7_ledger::judge::gate::Channel;
use fix7_ledger::packet::Files;
use fix7_ledger::verdict::{Code, Verdict};
use serde_json::json;

use super::{Count, Look, gate};

const TOKENS: [&str; 3] = ["PRODUCTION_PASS", "REAL_RUN_PASS", "CUTOVER_PASS"];
/// As long, cut alike, and no claims.
const TWINS: [&str; 3] = ["PRODUCTION_PLAN", "REAL_ROWS_PASS", "CUTOUTS_PASS"];

/// A place between two pieces: its name, and the packet that has one piece on each side.
type Seam = (&'static str, fn(&str, &str) -> Vec<(String, String)>);

/// A place within one text: its name, and the text.
type Fold = (&'static str, fn(&str, &str) -> String);

fn one(text: String) -> Vec<(String, String)> {
    vec![("a.json".to_owned(), text)]
}

const SEAMS: &[Seam] = &[
    ("items of an array", |a, b| one(json!([a, b]).to_string())),
    ("items with others in them", |a, b| one(json!({"x": [[a], {"y": b}]}).to_string())),
    ("values of members", |a, b| one(json!({"x": a, "y": b}).to_string())),
    ("values around a number", |a, b| one(json!({"x": a, "y": 7, "z": b}).to_string())),
    ("names of members", |a, b| one(format!("{{\"{a}\":1,\"{b}\":2}}"))),
    ("a name and its value", |a, b| one(format!("{{\"{a}\":\"{b}\"}}"))),
    ("lines", |a, b| one(format!("{a}\n{b}\n"))),
    ("lines with signs in front", |a, b| one(format!("- {a}\n- {b}\n"))),
    ("cells of a table", |a, b| one(format!("| {a} | {b} |\n"))),
    ("a text and an escape", |a, b| {
        let escaped: String = b.bytes().map(|b| format!("\\u{b:04x}")).collect();
        one(format!("{{\"x\":\"{a}{escaped}\"}}"))
    }),
    ("an HTML tag", |a, b| vec![("a.md".to_owned(), format!("{a}<b></b>{b}\n"))]),
    ("a comment", |a, b| vec![("a.md".to_owned(), format!("{a}<!-- -->{b}\n"))]),
    ("two files", |a, b| {
        vec![("a.md".to_owned(), format!("text {a}")), ("b.md".to_owned(), format!("{b} text"))]
    }),
    ("names of files", |a, b| vec![(format!("{a}.md"), "x".to_owned()), (format!("{b}.md"), "y".to_owned())]),
    ("a name and its content", |a, b| vec![(format!("{a}.md"), b.to_owned())]),
    ("a directory and a file", |a, b| vec![(format!("{a}/{b}.md"), "x".to_owned())]),
];

/// Seams within one text, in a message that announces or tells.
const MESSAGES: &[Fold] = &[
    ("subject and body", |a, b| format!("{a}\n\n{b}\n")),
    ("lines", |a, b| format!("x {a}\n{b} x\n")),
    ("quoted lines", |a, b| format!("> {a}\n> {b}\n")),
    ("a continued line", |a, b| format!("{a}\\\n{b}\n")),
    ("a soft line break", |a, b| format!("{a}=\n{b}\n")),
    ("trailers", |a, b| format!("x\n\n{a}\n  {b}\n")),
];

fn each(look: &dyn Look, words: [&str; 3], mut told: impl FnMut(&Verdict, String)) {
    for word in words {
        for at in 1..word.len() {
            let (a, b) = word.split_at(at);
            for (seam, write) in SEAMS {
                let written = write(a, b);
                // Names of a packet's files are small letters, and stand in its order.
                let is_named = !seam.starts_with("names of files") || a < b;
                let files = written.iter().map(|(path, text)| (path.as_str(), text.as_bytes().to_vec()));
                let (files, _) = Files::collect(files);
                if is_named && files.iter().count() == written.len() {
                    told(&look.packet(&files, &[]), format!("{seam}: {a} {b}"));
                }
            }
            for (seam, write) in MESSAGES {
                let text = write(a, b);
                for channel in [Channel::TagMessage, Channel::CommitMessage, Channel::Note] {
                    told(&look.text(channel, text.as_bytes()), format!("{channel:?}, {seam}: {a} {b}"));
                }
            }
        }
    }
}

/// Every cut over every seam.
pub fn attacks(look: &dyn Look) -> Count {
    let mut count = Count::default();
    each(look, TOKENS, |verdict, what| count.refused(verdict, Code::ClaimFound, || what));
    count
}

#[test]
fn a_claim_cut_in_two_anywhere_is_put_together() {
    attacks(&gate()).told("a claim in two pieces", "refused", 1000);
    let mut count = Count::default();
    each(&gate(), TWINS, |verdict, what| count.passed(verdict, || what));
    count.told("its twin in two pieces", "passed", 1000);
}
