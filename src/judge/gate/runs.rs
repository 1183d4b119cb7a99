//! Runs: text that is hidden as letters of base64, base32 or hex, or as a list of numbers.
//!
//! Owns: finding and decoding the runs of one text, one layer. Must not: recurse ([`super::views`]).
//!
//! ```text
//! base64, base64url   also misaligned, in a path, wrapped over lines      base32   one case
//! hex                 also misaligned                                     digests  dropped, they say nothing
//! numbers             80 82 79    50:52:4f    0x50, 0x52    01010000
//! ```

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::decode::{is_packed, number, opaque_format, wide};
use super::digits::{BASE32, BASE64, HEX, MIN_PLAIN, NONE, holds_text, long_runs, unpacked};
use super::letters;

/// Shortest base64 or base32 run in characters: below it no token fits.
const MIN_RUN: usize = 10;
/// Shortest hexadecimal run in digits: as above.
const MIN_HEX: usize = 12;
/// Letters from which on a word may be a piece of base32.
const MAX_WORD: usize = 12;
/// Capitals from which on a word may be a piece of base64 or base32.
const MAX_CAPITALS: usize = 7;
/// Numbers in a text from which on they may be a piece of a list of codes.
const MAX_NUMBERS: usize = 2;
/// Lengths in digits of the digests that evidence is full of: no encoding other than hex is tried on them.
const DIGEST_DIGITS: [usize; 4] = [40, 64, 96, 128];
/// Digits of a nonce.
const NONCE_DIGITS: usize = 32;
/// How the name of a clone begins, and how many digits follow: packets name theirs on every page.
const CLONE: &[u8] = b"clone-";
const CLONE_DIGITS: usize = 16;

/// Longest run that is remembered, in characters: names are shorter.
const MOST_REMEMBERED: usize = 64;
/// Most runs remembered: some MiB at worst.
const MOST_RUNS: usize = 1 << 13;

/// What short runs hold, as far as they were met: a packet's own names are runs, and recur in every packet. What a run
/// holds depends on nothing else; full, all is forgotten.
#[derive(Default)]
pub(super) struct Memory(RwLock<HashMap<Box<[u8]>, Remembered>>);

struct Remembered {
    text: Box<[u8]>,
    muted_bytes: usize,
}

/// What the runs of a text hold.
#[derive(Default)]
pub(super) struct Runs {
    /// Everything that reads as text, a line each.
    pub(super) text: Vec<u8>,
    /// Compressed pieces.
    pub(super) packed: Vec<Vec<u8>>,
    /// Bytes that muting took from the text: they count as if they were there.
    pub(super) muted_bytes: usize,
    /// The name of a format that cannot be looked into.
    pub(super) opaque: Option<&'static str>,
}

/// Reads every run of `text`.
pub(super) fn runs(text: &[u8], memory: &Memory) -> Runs {
    let mut runs = Runs::default();
    let is_digit = |b: u8| BASE64[b as usize] != NONE;
    long_runs(text, MIN_RUN, is_digit, |from, to| runs.met(&text[from..to], memory));
    runs.wrapped(text);
    runs.numbers(text);
    runs
}

impl Runs {
    /// A run as it is met in a text.
    fn met(&mut self, run: &[u8], memory: &Memory) {
        if run.len() > MOST_REMEMBERED {
            return self.run(run);
        }
        if let Some(known) = memory.0.read().unwrap_or_else(PoisonError::into_inner).get(run) {
            self.text.extend_from_slice(&known.text);
            self.muted_bytes += known.muted_bytes;
            return;
        }
        let mut own = Runs::default();
        own.run(run);
        self.text.extend_from_slice(&own.text);
        self.muted_bytes += own.muted_bytes;
        if own.packed.is_empty() && own.opaque.is_none() {
            let mut runs = memory.0.write().unwrap_or_else(PoisonError::into_inner);
            if runs.len() >= MOST_RUNS {
                runs.clear();
            }
            runs.insert(run.into(), Remembered { text: own.text.into(), muted_bytes: own.muted_bytes });
            return;
        }
        self.packed.append(&mut own.packed);
        self.opaque = own.opaque.or(self.opaque);
    }

    fn run(&mut self, run: &[u8]) {
        let hex = run.iter().all(|&b| HEX[b as usize] != NONE);
        if hex && run.len() >= MIN_HEX {
            self.unpack(run, &HEX, 4, &[0, 1]);
            if DIGEST_DIGITS.contains(&run.len()) {
                return;
            }
        }
        if !hex && run.len() >= MIN_HEX + 2 && run.starts_with(b"0x") {
            self.run(&run[2..]);
        }
        self.unpack(run, &BASE64, 6, &[0, 1, 2, 3]);
        let one_case = |case: fn(&u8) -> bool| run.iter().all(|b| case(b) || (b'2'..=b'7').contains(b));
        if one_case(u8::is_ascii_uppercase) || one_case(u8::is_ascii_lowercase) {
            self.unpack(run, &BASE32, 5, &[0]);
        }
        // A run that other characters of the alphabet glue together: key=UFJP…, path/UFJP…
        if run.iter().any(|b| matches!(b, b'/' | b'-' | b'_' | b'+')) {
            for piece in run.split(|b| matches!(b, b'/' | b'-' | b'_' | b'+')).skip(1) {
                if piece.len() >= MIN_RUN {
                    let hex = piece.iter().all(|&b| HEX[b as usize] != NONE);
                    match hex {
                        true => self.unpack(piece, &HEX, 4, &[0]),
                        false => self.unpack(piece, &BASE64, 6, &[0]),
                    }
                }
            }
        }
    }

    /// Decodes a run from each of the offsets, and keeps what reads as something.
    fn unpack(&mut self, run: &[u8], alphabet: &[u8; 256], bits: u32, offsets: &[usize]) {
        let mut bytes = Vec::with_capacity(run.len());
        for &offset in offsets {
            let Some(run) = run.get(offset..) else { return };
            bytes.clear();
            match bits {
                4 => unpacked::<4, 2>(run, alphabet, &mut bytes),
                5 => unpacked::<5, 8>(run, alphabet, &mut bytes),
                _ => unpacked::<6, 4>(run, alphabet, &mut bytes),
            }
            self.keep(&bytes, offset == 0);
        }
    }

    fn keep(&mut self, bytes: &[u8], aligned: bool) {
        let text = holds_text(bytes);
        if text {
            self.line(bytes);
        }
        if !aligned || bytes.len() < MIN_PLAIN || text && !bytes.contains(&0) {
            return;
        }
        if is_packed(bytes) {
            self.packed.push(bytes.to_vec());
        } else if let Some(format) = opaque_format(bytes) {
            self.opaque = Some(format);
        } else {
            // Letters of base64 that are a word's are like UTF-16 often enough, and then nearly all of it is noise.
            for text in wide(bytes) {
                let muted = letters::muted(&text);
                self.muted_bytes += text.len() - muted.len();
                self.line(muted.as_bytes());
            }
        }
    }

    fn line(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        // The dot keeps two runs from being read as one that is wrapped.
        self.text.extend_from_slice(b"\n.\n");
    }

    /// Base64 and hex that are wrapped: lines of nothing else, one after the other.
    fn wrapped(&mut self, text: &[u8]) {
        let mut block: Vec<u8> = Vec::new();
        let mut lines = 0;
        for line in text.split(|&b| b == b'\n').chain([&b" "[..]]) {
            let line = line.trim_ascii();
            let run = line.trim_ascii_end();
            let run = &run[..run.iter().rposition(|&b| b != b'=').map_or(0, |last| last + 1)];
            if !run.is_empty() && run.iter().all(|&b| BASE64[b as usize] != NONE) {
                block.extend_from_slice(run);
                lines += 1;
            } else {
                if lines > 1 && block.len() >= MIN_RUN {
                    self.run(&std::mem::take(&mut block));
                }
                block.clear();
                lines = 0;
            }
        }
    }

    /// Lists of character codes: `50 52 4f`, `0x50, 0x52`, `80,82,79`, `01010000 01010010`.
    fn numbers(&mut self, text: &[u8]) {
        let mut lists: [Vec<u8>; 3] = Default::default();
        let mut begun = false;
        for word in text.split(|b| !b.is_ascii_alphanumeric()) {
            // Nearly every word is none of these, and breaks no list off.
            if !begun && !word.first().is_some_and(u8::is_ascii_hexdigit) {
                continue;
            }
            let digits = match word {
                [] => continue,
                [b'0', b'x' | b'X', rest @ ..] => rest,
                _ => word,
            };
            if !matches!(digits.len(), 2 | 3 | 8) && !begun {
                continue;
            }
            let code = |length: &[usize], radix| {
                let value = length.contains(&digits.len()).then(|| number(Some(digits), radix))??;
                u8::try_from(value).ok()
            };
            for (list, value) in lists.iter_mut().zip([code(&[2], 16), code(&[2, 3], 10), code(&[8], 2)]) {
                match value {
                    Some(value) => list.push(value),
                    None if list.len() < MIN_PLAIN => list.clear(),
                    None => self.keep(&std::mem::take(list), true),
                }
            }
            begun = lists.iter().any(|list| !list.is_empty());
        }
        lists.iter().for_each(|list| self.keep(list, true));
    }
}

/// Whether a text may be a piece that was cut out of something encoded: it has an escape's characters, or it is not
/// made of words, each in one case and no longer than words are.
pub(super) fn could_be_cut(text: &[u8]) -> bool {
    let mut numbers = 0;
    let words = text.split(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let all_words = words.into_iter().all(|word| {
        let digits = word.iter().all(u8::is_ascii_digit);
        numbers += usize::from(digits);
        let rest = &word[1..];
        let small = rest.iter().all(u8::is_ascii_lowercase);
        let capitals = word.iter().all(u8::is_ascii_uppercase) && word.len() < MAX_CAPITALS;
        let letters = word[0].is_ascii_alphabetic() && (small || capitals);
        (letters || digits) && word.len() < MAX_WORD
    });
    !all_words || numbers > MAX_NUMBERS || text.iter().any(|b| matches!(b, b'\\' | b'%' | b'&' | b'='))
}

/// `text` with an `x` for each digest in it that holds no text: a run of exactly 40 or 64 small hexadecimal digits, a
/// nonce of 32, or the name of a clone. Evidence is full of them, and they say nothing.
pub(super) fn without_digests(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let glued = |b: Option<&u8>| b.is_some_and(|&b| BASE64[b as usize] != NONE);
    long_runs(text, CLONE_DIGITS, is_digit, |from, to| {
        let begin = match to - from {
            CLONE_DIGITS if text[..from].ends_with(CLONE) => from - CLONE.len(),
            NONCE_DIGITS | 40 | 64 => from,
            _ => return,
        };
        let whole = || !glued(begin.checked_sub(1).map(|before| &text[before])) && !glued(text.get(to));
        if whole() && says_nothing(&text[begin..to]) {
            let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
            out.extend_from_slice(&text[copied..from]);
            out.push(b'x');
            copied = to;
        }
    });
    if let Some(out) = &mut out {
        out.extend_from_slice(&text[copied..]);
    }
    out
}

/// Whether a digest, a nonce or a clone's name holds nothing else.
fn says_nothing(run: &[u8]) -> bool {
    if DIGEST_DIGITS.contains(&run.len()) {
        let mut bytes = Vec::with_capacity(32);
        unpacked::<4, 2>(run, &HEX, &mut bytes);
        return !holds_text(&bytes) && !is_packed(&bytes) && wide(&bytes).is_empty();
    }
    let mut found = Runs::default();
    found.run(run);
    found.text.is_empty() && found.packed.is_empty() && found.muted_bytes == 0 && found.opaque.is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(runs: Runs) -> (Vec<u8>, Vec<Vec<u8>>, usize, Option<&'static str>) {
        (runs.text, runs.packed, runs.muted_bytes, runs.opaque)
    }

    proptest! {
        /// Names, digests, base64 of text, of compressed and of opaque bytes: met again, a run holds what it held.
        #[test]
        fn what_is_remembered_is_what_is_read(
            words in proptest::collection::vec(prop_oneof![
                "[a-z]{4,9}(-[a-z/]{3,9}){1,3}", "[A-Za-z0-9+/]{10,70}", "[0-9a-f]{12,66}",
                Just("UFJPRFVDVElPTl9QQVNT".to_owned()), Just("H4sIAAAAAAAAA0tMSk4BAMJBJDUEAAAA".to_owned()),
                Just("JVBERi0xLjQKJeLjz9M".to_owned()), Just("KLUv/QRYIQAAYWJjZA".to_owned()),
            ], 1..8),
        ) {
            let text = [words.join(" "), words.join("\n")].join(", ");
            let memory = Memory::default();
            let first = told(runs(text.as_bytes(), &memory));
            let again = told(runs(text.as_bytes(), &memory));
            let mut slow = Runs::default();
            long_runs(text.as_bytes(), MIN_RUN, |b| BASE64[b as usize] != NONE, |from, to| slow.run(&text.as_bytes()[from..to]));
            slow.wrapped(text.as_bytes());
            slow.numbers(text.as_bytes());
            prop_assert_eq!(&first, &told(slow));
            prop_assert_eq!(first, again);
        }
    }

    #[test]
    fn it_forgets_before_it_grows() {
        let memory = Memory::default();
        let known = || memory.0.read().expect("whole").len();
        for n in 0..MOST_RUNS {
            let _ = runs(format!("name-number-{n:08}").as_bytes(), &memory);
        }
        assert_eq!(known(), MOST_RUNS);
        let _ = runs(b"another-name-yet", &memory);
        assert_eq!(known(), 1);
        let _ = runs("longer-".repeat(10).as_bytes(), &memory);
        assert_eq!(known(), 1, "too long to be a name");
    }
}
