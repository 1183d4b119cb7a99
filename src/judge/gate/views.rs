//! Views: an object as it stands, and everything that decoding makes of it, within bounds.
//!
//! Owns: the recursion, its depth and its budget. Must not: know a channel ([`super`]) or a single encoding
//! ([`super::decode`]).
//!
//! ```text
//! bytes ─┬─ as text ── as letters (two readings) ── claims
//!        ├─ UTF-16, UTF-32 ─► text                  each arrow is one layer:
//!        ├─ gzip, zlib ─► bytes                     at most `decode_depth` of them,
//!        └─ text ─┬─ markup ─► text                 `decoded_bytes` in all and
//!                 ├─ escapes ─► text                `decode_expansion` times the object
//!                 ├─ base64, base32, hex ─► bytes
//!                 └─ JSON: structure, joined values, joined keys, documents within
//! ```

use super::claims::{Finder, MAX_HITS, Reach};
use super::json::{Structure, Words};
use super::runs::{self, Memory};
use super::{decode, letters};
use crate::policy::Limits;

/// Bytes of an object below which the expansion is not counted: a short text may hold a long one.
const EXPANSION_FREE: u64 = 64 << 10;
/// Why a text at the bottom is not looked into.
const TOO_DEEP: &str = "encoded within more encodings than limits.decode_depth";
/// Fewest letters and digits that count as one more layer when the layers are used up.
const MIN_FURTHER: usize = 8;

/// A claim, and how it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: String,
    /// The layers taken away, outermost first.
    pub(super) layers: Vec<&'static str>,
    /// The line, where the object itself has it.
    pub(super) line: Option<usize>,
}

/// All that an object says.
#[derive(Default)]
pub(super) struct Examined {
    pub(super) findings: Vec<Finding>,
    /// Why something could not be looked into.
    pub(super) undecided: Option<String>,
}

/// How an object is looked at.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// What is looked for in the object itself.
    pub(super) reach: Reach,
    /// What is looked for in its decoded views.
    pub(super) decoded_reach: Reach,
    /// Whether structure claims, and every view is taken.
    pub(super) thorough: bool,
}

/// One examination.
pub(super) struct Walk<'a> {
    finder: &'a Finder,
    words: &'a Words,
    memory: &'a Memory,
    manner: Manner,
    depth: usize,
    budget: u64,
    layers: Vec<&'static str>,
    out: Examined,
}

impl<'a> Walk<'a> {
    /// Examines `bytes`.
    pub(super) fn examine(
        finder: &'a Finder,
        words: &'a Words,
        memory: &'a Memory,
        limits: &Limits,
        manner: Manner,
        bytes: &[u8],
    ) -> Examined {
        let expanded = (bytes.len() as u64).saturating_mul(limits.decode_expansion).max(EXPANSION_FREE);
        let mut walk = Walk {
            finder,
            words,
            memory,
            manner,
            depth: limits.decode_depth as usize,
            budget: limits.decoded_bytes.min(expanded),
            layers: Vec::new(),
            out: Examined::default(),
        };
        walk.bytes(bytes);
        walk.out
    }

    fn undecided(&mut self, why: impl Into<String>) {
        if self.out.undecided.is_none() {
            self.out.undecided = Some(why.into());
        }
    }

    /// Goes one layer down, if the bounds allow it.
    fn layer(&mut self, name: &'static str, bytes: &[u8], look: impl FnOnce(&mut Self, &[u8])) {
        if self.out.findings.len() >= MAX_HITS || bytes.is_empty() {
            return;
        }
        if self.depth == 0 {
            if bytes.split(|&b| b == b'\n').any(could_be_said) {
                self.undecided(format!("{TOO_DEEP} ({} > {name})", self.layers.join(" > ")));
            }
            return;
        }
        self.depth -= 1;
        self.within(name, bytes, look);
        self.depth += 1;
    }

    /// Looks at what is no encoding, but another way to read the same; it is shorter, so that this ends.
    fn within(&mut self, name: &'static str, bytes: &[u8], look: impl FnOnce(&mut Self, &[u8])) {
        let length = bytes.len() as u64;
        if self.budget < length {
            self.undecided("decodes to more bytes than the limit");
            return;
        }
        self.budget -= length;
        self.layers.push(name);
        look(self, bytes);
        self.layers.pop();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.text(text);
                let control = |b: &u8| *b < b' ' && !matches!(b, b'\n' | b'\r' | b'\t');
                // All of them, many at a time: text has none.
                if !bytes.iter().fold(false, |any, b| any | control(b)) {
                    return;
                }
            }
            Err(_) => {
                self.find(bytes);
                // Runs are read at every offset: what one offset makes of noise must not hide the layer within
                // that another one found.
                if self.manner.thorough || !self.layers.is_empty() {
                    self.text(&String::from_utf8_lossy(bytes));
                }
            }
        }
        for text in decode::wide(bytes) {
            self.layer("utf-16/32", text.as_bytes(), |walk, bytes| walk.utf8(bytes));
        }
        if decode::is_packed(bytes) {
            self.packed(bytes);
        } else if let Some(format) = decode::opaque_format(bytes) {
            self.undecided(format!("{format} is not looked into"));
        }
    }

    fn packed(&mut self, bytes: &[u8]) {
        if self.depth == 0 {
            self.undecided(format!("{TOO_DEEP} ({} > gzip/zlib)", self.layers.join(" > ")));
            return;
        }
        let (inflated, over) = decode::inflate(bytes, self.budget as usize);
        if over {
            self.undecided("inflates to more bytes than the limit");
        }
        self.layer("gzip/zlib", &inflated, |walk, bytes| walk.bytes(bytes));
    }

    fn utf8(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(_) => self.bytes(bytes),
        }
    }

    fn text(&mut self, text: &str) {
        if text.is_ascii() {
            let condensed = runs::without_digests(text.as_bytes());
            let text = condensed.as_deref().unwrap_or(text.as_bytes());
            self.find(text);
            self.decoded(text);
            return;
        }
        let reading = letters::read(text);
        self.find(&reading.first);
        if let Some(second) = &reading.second {
            self.find(second);
        }
        if let Some(hidden) = letters::tag_text(text) {
            self.within("tag characters", hidden.as_bytes(), |walk, bytes| walk.utf8(bytes));
        }
        if let Some(meant) = letters::misread(text) {
            self.within("UTF-8 read as Latin-1", meant.as_bytes(), |walk, bytes| walk.utf8(bytes));
        }
        self.decoded(letters::plain(text).as_bytes());
    }

    /// Every view that decoding text makes.
    fn decoded(&mut self, text: &[u8]) {
        if self.manner.thorough
            && let Some(structure) = self.words.read(text)
        {
            self.structure(structure);
        }
        if self.manner.thorough
            && let Some(shown) = decode::without_markup(text, !self.layers.is_empty())
        {
            self.within("markup", &shown, |walk, bytes| walk.utf8(bytes));
        }
        if let Some(plain) = decode::unescape(text) {
            self.layer("escapes", &plain, |walk, bytes| walk.utf8(bytes));
        }
        let found = runs::runs(text, self.memory);
        if let Some(format) = found.opaque {
            self.undecided(format!("encoded {format} is not looked into"));
        }
        if self.depth > 0 && self.out.findings.len() < MAX_HITS {
            self.budget = self.budget.saturating_sub(found.muted_bytes as u64);
        }
        self.layer("base64/base32/hex", &found.text, |walk, bytes| walk.bytes(bytes));
        for packed in found.packed {
            self.layer("base64/base32/hex", &packed, |walk, bytes| walk.packed(bytes));
        }
    }

    fn structure(&mut self, structure: Structure) {
        if structure.claims {
            self.report("structure: a verdict about a subject".to_owned(), None);
        }
        for (joined, what) in [(&structure.texts, "texts joined"), (&structure.keys, "keys joined")] {
            let reading = match joined.is_ascii() {
                true => None,
                false => Some(letters::read(&String::from_utf8_lossy(joined)).first),
            };
            for hit in self.finder.find(reading.as_ref().unwrap_or(joined), Reach::Phrases) {
                self.report(format!("{}, {what}", hit.rule), None);
            }
        }
        self.within("texts joined", &structure.glued, |walk, bytes| walk.decoded(bytes));
        self.layer("a document in a text", &structure.documents, |walk, bytes| walk.bytes(bytes));
    }

    /// Looks for claims in ASCII letters, whose lines are the object's as long as no layer was taken away.
    fn find(&mut self, letters: &[u8]) {
        let reach = match self.layers.last() {
            None | Some(&"escapes") => self.manner.reach,
            Some(_) => self.manner.decoded_reach,
        };
        for hit in self.finder.find(letters, reach) {
            let line = letters[..hit.at].iter().filter(|&&b| b == b'\n').count() + 1;
            let line = self.layers.is_empty().then_some(line);
            self.report(hit.rule, line);
        }
    }

    fn report(&mut self, rule: String, line: Option<usize>) {
        let finding = Finding { rule, layers: self.layers.clone(), line };
        let known = self.out.findings.iter().any(|f| f.line.is_some() && f.line == finding.line);
        if self.out.findings.len() < MAX_HITS && !known && !self.out.findings.contains(&finding) {
            self.out.findings.push(finding);
        }
    }
}

/// Whether a line could be read by a person: mostly letters and digits, or what looks like them.
fn could_be_said(line: &[u8]) -> bool {
    let letters = letters::read(&String::from_utf8_lossy(line)).first;
    let count = letters.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    count >= MIN_FURTHER && count * 2 >= letters.len()
}
