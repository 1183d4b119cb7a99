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

use super::machine::{Machine, Seen};
use super::readings::{self, Letters, fold, letter};
use super::words::{
    backward, contains, ends_word, first_letters, forward, letter_bit, one_case, rot13, rot13_byte,
    starts_word, written_as_one,
};
use crate::policy::Claims;

/// Most hits told of one text: a report of a thousand lines helps nobody.
pub(super) const MAX_HITS: usize = 8;
/// Most fillers between a subject and its verdict: further apart, words do not speak of each other.
const MAX_FILLERS: usize = 3;
/// Most letters of an ending (`pass` in `passing`), looking backward.
const MAX_ENDING: usize = 3;

/// Bytes around a turned atom that are turned back: a turned token that is spread wider is not read by anybody.
const TURNED_BYTES: usize = 512;

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
    /// Reversed (0), rot13 (1), both (2).
    Turned(usize),
}

struct Found {
    hits: Vec<Hit>,
    /// How far the text was looked at, turned each way.
    turned_until: [usize; 3],
}

/// The compiled claims of a policy.
pub(super) struct Finder {
    machine: Machine,
    atoms: Vec<Atom>,
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
                    (reversed(word), Atom::Turned(0)),
                    (rot13(word), Atom::Turned(1)),
                    (reversed(&rot13(word)), Atom::Turned(2)),
                ] {
                    patterns.push(fold(&turned));
                    atoms.push(atom);
                }
            }
        }
        let folds = |list: &[String]| list.iter().map(|w| fold(w)).collect();
        let own_words = claims.vocabulary.iter().flat_map(|word| {
            let bytes = word.as_bytes();
            let starts =
                (0..bytes.len()).filter(|&at| subjects.iter().any(|s| forward(bytes, at, s).is_some()));
            starts.map(|at| (bytes.to_vec(), at)).collect::<Vec<_>>()
        });
        Finder {
            machine: Machine::new(&patterns),
            atoms,
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
        let mut found = Found { hits: Vec::new(), turned_until: [0; 3] };
        self.straight(text, reach, Some(&mut found));
        found.hits
    }

    /// The claims in `text` turned around, near a turned atom at `at..end`.
    fn turned(&self, turn: usize, text: &[u8], (at, end): (usize, usize), reach: Reach) -> Option<Hit> {
        let from = at.saturating_sub(TURNED_BYTES);
        let to = text.len().min(end + TURNED_BYTES);
        let mut piece = text[from..to].to_vec();
        if turn != 0 {
            piece.iter_mut().for_each(|b| *b = rot13_byte(*b));
        }
        if turn != 1 {
            piece.reverse();
        }
        let hit = self.straight(&piece, reach.min(Reach::Phrases), None).into_iter().next()?;
        Some(Hit { rule: format!("{}, turned", hit.rule), at, end })
    }

    /// Looks for atoms in every reading. `found`: where the hits go and turned atoms are followed; without it they
    /// are not.
    fn straight(&self, text: &[u8], reach: Reach, found: Option<&mut Found>) -> Vec<Hit> {
        let follow = found.is_some();
        let mut own = Found { hits: Vec::new(), turned_until: [0; 3] };
        let found = found.unwrap_or(&mut own);
        let both = self.machine.read_both(text);
        for letters in [Letters::Alone, Letters::WithDigits, Letters::WithSymbols] {
            if letters == Letters::WithSymbols && !readings::has_symbol_letters(text) {
                continue;
            }
            found.turned_until = [0; 3];
            let mut look = |seen| {
                let hit = self.met(text, letters, seen, reach, follow.then_some(&mut found.turned_until));
                if let Some(hit) = hit
                    && !found.hits.iter().any(|h| h.at < hit.end && hit.at < h.end)
                {
                    found.hits.push(hit);
                }
                found.hits.len() < MAX_HITS
            };
            let mut noted = |seen: &[Seen]| {
                let _enough = seen.iter().all(|seen| look(*seen));
            };
            match (&both, letters) {
                (Some([alone, _]), Letters::Alone) => noted(alone),
                (Some([_, with_digits]), Letters::WithDigits) => noted(with_digits),
                _ => self.machine.read(text, letters, look),
            }
        }
        own.hits
    }

    /// The claim that an atom is part of, if it is. `turned_until`: where turned atoms are followed.
    fn met(
        &self,
        text: &[u8],
        letters: Letters,
        seen: Seen,
        reach: Reach,
        turned_until: Option<&mut [usize; 3]>,
    ) -> Option<Hit> {
        let span = || (self.machine.start(text, letters, seen), seen.end);
        match self.atoms[seen.pattern] {
            Atom::Token(index) => self.token("tokens", index, text, span(), reach),
            Atom::Phrase(index) if reach >= Reach::Phrases => {
                self.token("phrases", index, text, span(), reach)
            }
            Atom::Subject(index) if reach == Reach::All => {
                let span = span();
                let told = letters != Letters::Alone && is_plain(&text[span.0..span.1]);
                if told { None } else { self.family(index, text, span) }
            }
            Atom::Turned(turn) => {
                let until = &mut turned_until?[turn];
                if *until >= seen.end {
                    return None;
                }
                // What stands near was just looked at.
                *until = seen.end + TURNED_BYTES / 2;
                self.turned(turn, text, span(), reach)
            }
            Atom::Phrase(_) | Atom::Subject(_) => None,
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
        let first = first_letters(&text[from..]);
        let may_begin = |word: &[u8]| word.first().is_some_and(|&b| first & letter_bit(b) != 0);
        for (index, word) in self.verdicts.iter().enumerate().filter(|(_, word)| may_begin(word)) {
            let end = forward(text, from, word).filter(|&end| !self.in_longer_word(text, from, end));
            if let Some(end) = end {
                return Some((end, format!("claims.verdicts[{index}]")));
            }
        }
        for (index, word) in self.verdict_words.iter().enumerate().filter(|(_, word)| may_begin(word)) {
            if let Some(end) = forward(text, from, word).filter(|&end| ends_word(text, end)) {
                return Some((end, format!("claims.verdict_words[{index}]")));
            }
        }
        if fillers == 0 {
            return None;
        }
        let ends =
            self.fillers.iter().filter(|word| may_begin(word)).filter_map(|word| forward(text, from, word));
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

/// Whether a piece is letters alone: then the first reading has it too.
fn is_plain(piece: &[u8]) -> bool {
    piece.iter().all(u8::is_ascii_alphabetic)
}
