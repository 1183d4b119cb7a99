//! JSON as the gate reads it: leniently, in one pass, by its pieces.
//!
//! Owns: the pieces in their order, and claims that the structure makes. Must not: accept a document (`canon` does
//! that, strictly); what is malformed is told as such and scanned as text.
//!
//! ```text
//! {"env":"production","pass":true}        a member that says where, beside one that says how it went
//! {"production":{"result":"PASS"}}        a verdict below a subject
//! {"a":"PRODUCTION_","b":"PASS"}          values joined; so are the keys
//! ```

use std::collections::HashSet;

use super::readings::{Letters, fold, table};
use super::{decode, runs};
use crate::policy::Claims;

/// Longest text in bytes that can be a subject or a verdict by itself.
const MAX_WORD_BYTES: usize = 40;
/// Bytes of the longest text that can be no document worth reading: `["a"]`.
const MIN_DOCUMENT: usize = 6;
/// Beginnings in a text that turn out not to be documents: each further one only costs time.
const MAX_BROKEN: u32 = 4;

/// What a walk over a document meets.
pub(super) trait Visitor {
    /// `{` or `[`.
    fn open(&mut self) {}
    /// `}` or `]`.
    fn close(&mut self) {}
    /// A member's name, as written between its quotes.
    fn key(&mut self, _raw: &[u8]) {}
    /// A text, as written between its quotes, and its offset.
    fn text(&mut self, _raw: &[u8], _at: usize) {}
    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self, _raw: &[u8]) {}
}

/// Whether a document may begin here: an object or an array, in a text with a text at once.
fn begins(text: &[u8], whole: bool) -> bool {
    let next = || text.get(1..).and_then(|rest| rest.trim_ascii_start().first());
    matches!(text.first(), Some(b'{' | b'[')) && (whole || next() == Some(&b'"'))
}

/// Walks over the document that `text` begins with. Where it ends; nothing when it is not well-formed as far as the
/// pieces show.
pub(super) fn walk(text: &[u8], visitor: &mut impl Visitor) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => at += 1,
            c @ (b'{' | b'[') => {
                visitor.open();
                open.push(c + 2); // '{' + 2 is '}', '[' + 2 is ']'
                at += 1;
            }
            c @ (b'}' | b']') => {
                if open.pop() != Some(c) {
                    return None;
                }
                visitor.close();
                at += 1;
                if open.is_empty() {
                    return Some(at);
                }
            }
            b'"' => {
                let start = at + 1;
                let length = string_length(&text[start..])?;
                let raw = &text[start..start + length];
                at = start + length + 1;
                let after = text[at..].iter().find(|b| !b.is_ascii_whitespace());
                match after == Some(&b':') && open.last() == Some(&b'}') {
                    true => visitor.key(raw),
                    false => visitor.text(raw, start),
                }
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                let length =
                    text[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
                let length = length.count();
                visitor.scalar(&text[at..at + length]);
                at += length;
            }
            _ => return None,
        }
    }
    None
}

fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

/// The text that a raw JSON string stands for.
pub(super) fn unescaped(raw: &[u8]) -> Vec<u8> {
    match memchr::memchr(b'\\', raw) {
        None => raw.to_vec(),
        Some(_) => decode::unescape(raw).unwrap_or_else(|| raw.to_vec()),
    }
}

/// The words by which structure claims.
pub(super) struct Words {
    subjects: Folded,
    verdicts: Folded,
    scope_keys: Folded,
    vocabulary: Vec<Vec<u8>>,
}

impl Words {
    pub(super) fn new(claims: &Claims) -> Words {
        let folds = |list: &[String]| list.iter().map(|w| fold(w)).collect::<Vec<_>>();
        let mut verdicts = folds(&claims.verdicts);
        for word in &claims.verdicts {
            for ending in ["ed", "d", "es", "s", "ing"] {
                verdicts.push(fold(&format!("{word}{ending}")));
            }
        }
        verdicts.extend(folds(&claims.verdict_words));
        Words {
            subjects: Folded::new(folds(&claims.subjects)),
            verdicts: Folded::new(verdicts),
            scope_keys: Folded::new(folds(&claims.scope_keys)),
            vocabulary: claims.vocabulary.iter().map(|w| w.as_bytes().to_vec()).collect(),
        }
    }

    /// What the structure of a text's documents says; nothing when it has none.
    pub(super) fn read(&self, text: &[u8]) -> Option<Structure> {
        let mut reader = Reader { words: self, found: None, frames: Vec::new(), key: Key::default() };
        let whole = text.len() - text.trim_ascii_start().len();
        let (mut at, mut broken) = (0, 0);
        while let Some(step) = memchr::memchr2(b'{', b'[', &text[at..]) {
            at += step;
            if !begins(&text[at..], at == whole) {
                at += 1;
                continue;
            }
            reader.found.get_or_insert_with(Structure::default);
            let end = walk(&text[at..], &mut reader);
            // What a document that breaks off has said so far counts.
            while !reader.frames.is_empty() {
                reader.close();
            }
            broken += u32::from(end.is_none());
            if broken == MAX_BROKEN {
                break;
            }
            at += end.unwrap_or(1);
        }
        reader.found
    }
}

/// Folded words, to be asked for many that are not among them.
struct Folded {
    words: HashSet<Vec<u8>>,
    /// By length, the letters that such words begin with, a bit each.
    begin: [u32; MAX_WORD_BYTES + 1],
}

impl Folded {
    fn new(words: Vec<Vec<u8>>) -> Folded {
        let mut begin = [0; MAX_WORD_BYTES + 1];
        for word in words.iter().filter(|word| word.len() <= MAX_WORD_BYTES) {
            begin[word.len()] |= Folded::bit(word);
        }
        Folded { words: words.into_iter().collect(), begin }
    }

    fn bit(word: &[u8]) -> u32 {
        1 << (word.first().map_or(0, |b| b % 32))
    }

    /// Whether `word`, of at most [`MAX_WORD_BYTES`], is one of them.
    fn contains(&self, word: &[u8]) -> bool {
        self.begin[word.len()] & Folded::bit(word) != 0 && self.words.contains(word)
    }
}

/// What the structure of a document says.
#[derive(Default)]
pub(super) struct Structure {
    /// All texts, a line each.
    pub(super) texts: Vec<u8>,
    /// The texts that may be pieces of something encoded, glued where they stand together.
    pub(super) glued: Vec<u8>,
    /// All names of members, a line each.
    pub(super) keys: Vec<u8>,
    /// Texts that may hold documents themselves, a line each.
    pub(super) documents: Vec<u8>,
    /// A verdict stands beside or below a subject.
    pub(super) claims: bool,
}

#[derive(Clone, Copy, Default)]
struct Key {
    is_subject: bool,
    is_verdict: bool,
    is_scope: bool,
}

#[derive(Clone, Copy, Default)]
struct Frame {
    /// A member or ancestor is named like a subject.
    below_subject: bool,
    /// A member says that this is about a subject.
    in_scope: bool,
    /// This or something below it has a verdict.
    has_verdict: bool,
    /// The name under which this stands.
    key: Key,
}

struct Reader<'a> {
    words: &'a Words,
    found: Option<Structure>,
    frames: Vec<Frame>,
    key: Key,
}

impl Reader<'_> {
    fn found(&mut self) -> &mut Structure {
        self.found.get_or_insert_with(Structure::default)
    }

    fn verdict(&mut self) {
        let below = self.frames.last().is_some_and(|f| f.below_subject) || self.key.is_subject;
        self.found().claims |= below;
        if let Some(frame) = self.frames.last_mut() {
            frame.has_verdict = true;
        }
    }
}

impl Visitor for Reader<'_> {
    fn open(&mut self) {
        let above = self.frames.last().copied().unwrap_or_default();
        let key = std::mem::take(&mut self.key);
        let below_subject = above.below_subject || key.is_subject;
        self.frames.push(Frame { below_subject, key, ..Frame::default() });
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.found().claims |= frame.in_scope && frame.has_verdict;
        if let Some(above) = self.frames.last_mut() {
            above.has_verdict |= frame.has_verdict;
            above.in_scope |= frame.key.is_scope && frame.in_scope;
        }
        self.key = Key::default();
    }

    fn key(&mut self, raw: &[u8]) {
        self.found().keys.extend_from_slice(raw);
        self.found().keys.push(b'\n');
        self.key = Key::default();
        if raw.len() <= MAX_WORD_BYTES {
            let mut letters = [0; MAX_WORD_BYTES];
            let word = fold_short(raw, &mut letters);
            self.key = Key {
                is_subject: self.words.subjects.contains(word),
                is_verdict: self.words.verdicts.contains(word),
                is_scope: self.words.scope_keys.contains(word),
            };
        }
    }

    fn text(&mut self, raw: &[u8], _at: usize) {
        let own_word = self.words.vocabulary.iter().any(|word| word == raw);
        let texts = &mut self.found().texts;
        match raw.len() {
            _ if own_word => texts.extend_from_slice(b" -x- "), // the product's own word: it joins nothing
            1 if raw == b"x" => texts.push(b' '),               // a digest
            _ => texts.extend_from_slice(raw),
        }
        texts.push(b'\n');
        let goes_on = self.found().glued.last().is_some_and(|&b| b != b' ') && !raw.contains(&b' ');
        match !own_word && (goes_on || runs::could_be_cut(raw)) {
            true => self.found().glued.extend_from_slice(raw),
            false => self.found().glued.push(b' '),
        }
        if raw.len() > MIN_DOCUMENT && matches!(raw.trim_ascii_start().first(), Some(b'{' | b'[')) {
            let document = unescaped(raw);
            self.found().documents.extend_from_slice(&document);
            self.found().documents.push(b'\n');
        } else if raw.len() <= MAX_WORD_BYTES {
            let mut letters = [0; MAX_WORD_BYTES];
            let word = fold_short(raw, &mut letters);
            if self.words.verdicts.contains(word) || self.key.is_verdict && is_yes(raw) {
                self.verdict();
            }
            let in_scope = self.key.is_scope && self.words.subjects.contains(word);
            if let Some(frame) = self.frames.last_mut() {
                frame.in_scope |= in_scope;
            }
        }
        self.key = Key::default();
    }

    fn scalar(&mut self, raw: &[u8]) {
        if self.key.is_verdict && matches!(raw, b"true" | b"1") {
            self.verdict();
        }
        self.key = Key::default();
    }
}

fn is_yes(raw: &[u8]) -> bool {
    ["true", "yes", "y", "1", "on"].iter().any(|yes| raw.eq_ignore_ascii_case(yes.as_bytes()))
}

/// The letters of a text of at most [`MAX_WORD_BYTES`]; none of what is not UTF-8.
fn fold_short<'a>(raw: &[u8], letters: &'a mut [u8; MAX_WORD_BYTES]) -> &'a [u8] {
    if !raw.is_ascii() && std::str::from_utf8(raw).is_err() {
        return &[];
    }
    let table = table(Letters::WithDigits);
    let mut length = 0;
    for letter in raw.iter().map(|&b| table[b as usize]).filter(|&letter| letter != 0) {
        letters[length] = letter;
        length += 1;
    }
    &letters[..length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn claims(text: &str) -> bool {
        let read = Words::new(Policy::default_policy().claims()).read(text.as_bytes());
        read.is_some_and(|structure| structure.claims)
    }

    #[test]
    fn structure_claims_and_its_twins_do_not() {
        for (bad, good) in [
            (r#"{"env":"production","pass":true}"#, r#"{"env":"clone","pass":true}"#),
            (r#"{"pass":true,"env":"PROD"}"#, r#"{"pass":false,"env":"PROD"}"#),
            (r#"{"production":{"result":"PASS"}}"#, r#"{"production":{"result":"HOLD"}}"#),
            (r#"{"production":{"a":[{"b":"passed"}]}}"#, r#"{"clone":{"a":[{"b":"passed"}]}}"#),
            (r#"{"cutover":"green"}"#, r#"{"cutover":"not-requested"}"#),
            (r#"{"scope":"real-run","x":{"y":"OK"}}"#, r#"{"scope":"production-rehearsal-only","y":"OK"}"#),
            (r#"{"production":{"result":"PASS""#, r#"{"production":{"result":"FAIL""#),
            (r#"[{"x":{"approved":"yes"},"stage":"prod"}]"#, r#"[{"x":{"approved":"no"},"stage":"prod"}]"#),
        ] {
            assert!(claims(bad), "{bad}");
            assert!(!claims(good), "{good}");
        }
    }

    #[test]
    fn pieces_are_told_in_order() {
        let words = Words::new(Policy::default_policy().claims());
        let read = |text: &str| {
            let structure = words.read(text.as_bytes())?;
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            Some((text(structure.texts), text(structure.keys)))
        };
        let said = read(r#"{"a":"u","b":["HOLD_PRODUCTION","y\"z"],"c":1}"#).expect("a document");
        assert_eq!((said.0.as_str(), said.1.as_str()), ("u\n -x- \ny\\\"z\n", "a\nb\nc\n"));
        let two = read(r#"first ["a"] then {"b":"c"} and {"d":"e"#).expect("two documents");
        assert_eq!((two.0.as_str(), two.1.as_str()), ("a\nc\n", "b\nd\n"));
        assert_eq!(read("no [1] {document}"), None);
        for broken in ["{", "}", "[}", "{\"a", "{\"a\\", "@", "[\"a\""] {
            assert_eq!(walk(broken.as_bytes(), &mut Nothing), None, "{broken}");
        }
        assert_eq!(walk(b"[\"a\"] ", &mut Nothing), Some(5));
    }

    struct Nothing;
    impl Visitor for Nothing {}
}
