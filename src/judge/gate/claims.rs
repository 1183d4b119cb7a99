//! Claims: finding a token, or a subject with a verdict, in ASCII text.
//!
//! Owns: the automaton over the policy's lists, and the walk from a subject to its verdict. Must not: decode
//! anything ([`super::views`]).
//!
//! ```text
//! tokens, phrases   anywhere in the squeezed text, also turned (reversed, rot13)
//! forward           subject · up to three fillers · verdict        production status: approved
//! backward          verdict · preposition · subject                ready for production
//! not a claim       a longer word, in one piece (password); the product's own words (HOLD_PRODUCTION)
//! ```

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::squeeze::{self, Letters, fold, letter};
use crate::policy::Claims;

/// Most hits told of one text: a report of a thousand lines helps nobody.
pub(super) const MAX_HITS: usize = 8;
/// Most fillers between a subject and its verdict: further apart, words do not speak of each other.
const MAX_FILLERS: usize = 3;
/// Most letters of an ending (`pass` in `passing`), looking backward.
const MAX_ENDING: usize = 3;
/// Most separators within a token on an ordinary ref: a token in capitals may be spaced that far.
const MAX_ORDINARY_GAP: usize = 8;

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Tokens, written as one: for files on ordinary refs.
    JoinedTokens,
    /// Tokens however far apart.
    Tokens,
    /// Tokens and phrases: where pieces are joined that did not stand together.
    Phrases,
    /// Everything.
    All,
}

/// A claim in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The rule, by its place in the policy; the words themselves are not repeated.
    pub(super) rule: String,
    /// Offset of its first byte.
    pub(super) at: usize,
    /// Offset behind its last byte.
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Atom {
    Token(usize),
    Phrase(usize),
    Subject(usize),
    Reversed,
    Rot13,
    ReversedRot13,
}

/// The compiled claims of a policy.
pub(super) struct Finder {
    automaton: Option<AhoCorasick>,
    atoms: Vec<Atom>,
    longest: usize,
    verdicts: Vec<Vec<u8>>,
    verdict_words: Vec<Vec<u8>>,
    fillers: Vec<Vec<u8>>,
    prepositions: Vec<Vec<u8>>,
    benign: Vec<String>,
    /// The product's own words, with the place of each subject in them.
    own_words: Vec<(Vec<u8>, usize)>,
}

impl Finder {
    pub(super) fn new(claims: &Claims) -> Finder {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut atoms = Vec::new();
        let straight = [
            (&claims.tokens, Atom::Token as fn(usize) -> Atom),
            (&claims.phrases, Atom::Phrase),
            (&claims.subjects, Atom::Subject),
        ];
        for (list, atom) in straight {
            for (index, word) in list.iter().enumerate() {
                patterns.push(fold(word));
                atoms.push(atom(index));
            }
        }
        let subjects: Vec<Vec<u8>> = claims.subjects.iter().map(|s| fold(s)).collect();
        let reversed = |word: &str| word.chars().rev().collect::<String>();
        for word in claims.tokens.iter().chain(&claims.phrases).chain(&claims.subjects) {
            let folded = fold(word);
            let is_subject = subjects.contains(&folded);
            let holds_subject = subjects.iter().any(|s| contains(&folded, s));
            if is_subject || !holds_subject {
                for (turned, atom) in [
                    (reversed(word), Atom::Reversed),
                    (rot13(word), Atom::Rot13),
                    (reversed(&rot13(word)), Atom::ReversedRot13),
                ] {
                    patterns.push(fold(&turned));
                    atoms.push(atom);
                }
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let automaton = (!patterns.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&patterns)
                .expect("the floor bounds the lists far below the automaton's limits")
        });
        let folds = |list: &[String]| list.iter().map(|w| fold(w)).collect();
        let own_words = claims.vocabulary.iter().flat_map(|word| {
            let bytes = word.as_bytes();
            let starts =
                (0..bytes.len()).filter(|&at| subjects.iter().any(|s| forward(bytes, at, s).is_some()));
            starts.map(|at| (bytes.to_vec(), at)).collect::<Vec<_>>()
        });
        Finder {
            automaton,
            atoms,
            longest,
            verdicts: folds(&claims.verdicts),
            verdict_words: folds(&claims.verdict_words),
            fillers: folds(&claims.fillers),
            prepositions: folds(&claims.prepositions),
            benign: claims.benign.iter().map(|w| w.to_lowercase()).collect(),
            own_words: own_words.collect(),
        }
    }

    /// The claims in `text` (ASCII; other bytes separate).
    pub(super) fn find(&self, text: &[u8], reach: Reach) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut turns = [false; 3];
        self.straight(text, reach, &mut hits, Some(&mut turns));
        for (turn, turned) in turns.into_iter().zip([
            (|t: &[u8]| t.iter().rev().copied().collect()) as fn(&[u8]) -> Vec<u8>,
            |t| t.iter().map(|&b| rot13_byte(b)).collect(),
            |t| t.iter().rev().map(|&b| rot13_byte(b)).collect(),
        ]) {
            if turn && hits.len() < MAX_HITS {
                let mut found = Vec::new();
                let reach = reach.min(Reach::Phrases);
                self.straight(&turned(text), reach, &mut found, None);
                let whole = |hit: Hit| Hit { rule: format!("{}, turned", hit.rule), at: 0, end: text.len() };
                hits.extend(found.into_iter().take(1).map(whole));
            }
        }
        hits
    }

    fn straight(&self, text: &[u8], reach: Reach, hits: &mut Vec<Hit>, mut turns: Option<&mut [bool; 3]>) {
        let Some(automaton) = &self.automaton else { return };
        let symbols = squeeze::has_symbol_letters(text);
        for letters in [Letters::Alone, Letters::WithDigits, Letters::WithSymbols] {
            if letters == Letters::WithSymbols && !symbols {
                continue;
            }
            squeeze::blocks(text, letters, self.longest, |block| {
                let found: &[u8] = block.letters;
                for m in automaton.find_overlapping_iter(found) {
                    if m.end() <= block.carried {
                        continue; // told with the block before
                    }
                    let atom = self.atoms[m.pattern().as_usize()];
                    let mut span = || (block.place(m.start()), block.place(m.end() - 1) + 1);
                    let hit = match atom {
                        Atom::Token(index) => self.token("tokens", index, text, span(), reach),
                        Atom::Phrase(index) if reach >= Reach::Phrases => {
                            self.token("phrases", index, text, span(), reach)
                        }
                        Atom::Subject(index) if reach == Reach::All => self.family(index, text, span()),
                        Atom::Phrase(_) | Atom::Subject(_) => None,
                        Atom::Reversed | Atom::Rot13 | Atom::ReversedRot13 => {
                            if let Some(turns) = &mut turns {
                                let turn = match atom {
                                    Atom::Reversed => 0,
                                    Atom::Rot13 => 1,
                                    _ => 2,
                                };
                                turns[turn] = true;
                            }
                            None
                        }
                    };
                    if let Some(hit) = hit {
                        let known = hits.iter().any(|h| h.at < hit.end && hit.at < h.end);
                        if !known {
                            hits.push(hit);
                        }
                        if hits.len() >= MAX_HITS {
                            return false;
                        }
                    }
                }
                true
            });
        }
    }

    fn token(
        &self,
        list: &str,
        index: usize,
        text: &[u8],
        (at, end): (usize, usize),
        reach: Reach,
    ) -> Option<Hit> {
        if self.in_longer_word(text, at, end)
            || reach == Reach::JoinedTokens && !written_as_one(text, at, end)
        {
            return None;
        }
        Some(Hit { rule: format!("claims.{list}[{index}]"), at, end })
    }

    fn family(&self, index: usize, text: &[u8], (at, end): (usize, usize)) -> Option<Hit> {
        if self.is_own_word(text, at) {
            return None;
        }
        let hit =
            |verdict: String, at, end| Hit { rule: format!("claims.subjects[{index}], {verdict}"), at, end };
        let after = self.verdict_after(text, end, MAX_FILLERS);
        if let Some((end, verdict)) = after.filter(|(end, _)| !self.in_longer_word(text, at, *end)) {
            return Some(hit(verdict, at, end));
        }
        let (start, verdict) = self.verdict_before(text, at)?;
        Some(hit(verdict, start, end))
    }

    fn verdict_after(&self, text: &[u8], from: usize, fillers: usize) -> Option<(usize, String)> {
        // What only separates is passed over once, for all words.
        let from = from + text[from..].iter().take_while(|&&b| letter(b) == 0).count();
        if from == text.len() {
            return None;
        }
        for (index, word) in self.verdicts.iter().enumerate() {
            let end = forward(text, from, word).filter(|&end| !self.in_longer_word(text, from, end));
            if let Some(end) = end {
                return Some((end, format!("claims.verdicts[{index}]")));
            }
        }
        for (index, word) in self.verdict_words.iter().enumerate() {
            if let Some(end) = forward(text, from, word).filter(|&end| ends_word(text, end)) {
                return Some((end, format!("claims.verdict_words[{index}]")));
            }
        }
        if fillers == 0 {
            return None;
        }
        let ends = self.fillers.iter().filter_map(|word| forward(text, from, word));
        ends.into_iter().find_map(|end| self.verdict_after(text, end, fillers - 1))
    }

    fn verdict_before(&self, text: &[u8], subject: usize) -> Option<(usize, String)> {
        for preposition in &self.prepositions {
            let Some(start) = backward(text, subject, preposition) else { continue };
            if !starts_word(text, start) {
                continue;
            }
            for (index, word) in self.verdict_words.iter().enumerate() {
                if let Some(at) = backward(text, start, word).filter(|&at| starts_word(text, at)) {
                    return Some((at, format!("claims.verdict_words[{index}]")));
                }
            }
            let mut ending = start;
            for _ in 0..=MAX_ENDING {
                for (index, word) in self.verdicts.iter().enumerate() {
                    if let Some(at) = backward(text, ending, word).filter(|&at| starts_word(text, at)) {
                        return Some((at, format!("claims.verdicts[{index}]")));
                    }
                }
                let Some(at) = text[..ending].iter().rposition(|&b| letter(b) != 0) else { break };
                ending = at;
            }
        }
        None
    }

    /// Whether what stands at `at..end` is only part of a benign word that is written in one piece.
    fn in_longer_word(&self, text: &[u8], at: usize, end: usize) -> bool {
        let stop = end + text[end..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let start = at - text[..at].iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
        if start == at && stop == end {
            return false;
        }
        self.benign.iter().any(|word| {
            let written = |piece: &[u8]| piece.eq_ignore_ascii_case(word.as_bytes()) && one_case(piece);
            // The word ends behind the claim (PRODUCTION_PASSWORD), or begins before it (reproduction passed).
            let tail = stop.checked_sub(word.len()).filter(|&from| stop > end && at <= from && from < end);
            let head = Some(start + word.len()).filter(|&to| start < at && at < to && to <= end);
            tail.is_some_and(|from| written(&text[from..stop]))
                || head.is_some_and(|to| written(&text[start..to]))
        })
    }

    /// Whether the subject at `at` belongs to one of the product's own words, whole and ended as a word ends.
    fn is_own_word(&self, text: &[u8], at: usize) -> bool {
        self.own_words.iter().any(|(word, offset)| {
            let Some(start) = at.checked_sub(*offset) else { return false };
            let end = start + word.len();
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            text.get(start..end) == Some(word)
                && !start.checked_sub(1).is_some_and(|before| is_name(text[before]))
                && text.get(end).is_none_or(|b| b"\"'`.,;)]}|<*[\\\n\r".contains(b))
        })
    }
}

/// Reads `word` from `from` on, passing over separators, digits and symbols that are not its next letter.
fn forward(text: &[u8], from: usize, word: &[u8]) -> Option<usize> {
    let mut at = from;
    for &wanted in word {
        loop {
            let byte = *text.get(at)?;
            at += 1;
            if letter(byte) == wanted {
                break;
            }
            if byte.is_ascii_alphabetic() {
                return None;
            }
        }
    }
    Some(at)
}

/// Reads `word` backward so that it ends before `to`.
fn backward(text: &[u8], to: usize, word: &[u8]) -> Option<usize> {
    let mut at = to;
    for &wanted in word.iter().rev() {
        loop {
            at = at.checked_sub(1)?;
            if letter(text[at]) == wanted {
                break;
            }
            if text[at].is_ascii_alphabetic() {
                return None;
            }
        }
    }
    Some(at)
}

/// Whether a word may end at `end`: no letter follows at once, or a capital follows a small letter.
fn ends_word(text: &[u8], end: usize) -> bool {
    let hump = |next: u8| next.is_ascii_uppercase() && text[end - 1].is_ascii_lowercase();
    text.get(end).is_none_or(|&next| !next.is_ascii_alphabetic() || hump(next))
}

fn starts_word(text: &[u8], at: usize) -> bool {
    let hump = |before: u8| before.is_ascii_lowercase() && text[at].is_ascii_uppercase();
    at.checked_sub(1).is_none_or(|before| !text[before].is_ascii_alphabetic() || hump(text[before]))
}

/// Whether a piece is written as words are: all small, all capitals, or one capital in front.
fn one_case(piece: &[u8]) -> bool {
    let rest = piece.get(1..).unwrap_or_default();
    let small = rest.iter().all(u8::is_ascii_lowercase);
    small || piece.iter().all(u8::is_ascii_uppercase)
}

/// Whether the letters of a token stand together: in capitals a few separators apart, otherwise one that joins
/// words. `if x == "production": pass` is a program, `production-pass` is a claim; so is `production pass`, but
/// `the cutover passed` is prose.
fn written_as_one(text: &[u8], at: usize, end: usize) -> bool {
    let piece = &text[at..end];
    if piece.iter().all(|b| !b.is_ascii_lowercase()) {
        let gaps = piece.split(|b| b.is_ascii_alphabetic());
        return gaps.into_iter().all(|gap| gap.len() <= MAX_ORDINARY_GAP);
    }
    let joins = |b: u8| b"-_./ ~+=:".contains(&b) || letter(b) != 0;
    let gaps = piece.split(|b| b.is_ascii_alphabetic());
    let joined = gaps.into_iter().all(|gap| gap.len() <= 1 && gap.iter().all(|&b| joins(b)));
    joined && (!piece.contains(&b' ') || ends_word(text, end))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len().max(1)).any(|w| w == word)
}

fn rot13_byte(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
        _ => b,
    }
}

fn rot13(word: &str) -> String {
    word.bytes().map(|b| char::from(rot13_byte(b))).collect()
}
