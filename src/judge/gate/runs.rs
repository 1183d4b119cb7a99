//! Runs: text that is hidden as letters of base64, base32 or hex, or as a list of numbers.
//!
//! Owns: finding and decoding the runs of one text, one layer. Must not: recurse ([`super::views`]).
//!
//! ```text
//! base64, base64url   also misaligned, in a path, wrapped over lines      base32   one case
//! hex                 also misaligned                                     digests  dropped, they say nothing
//! numbers             80 82 79    50:52:4f    0x50, 0x52    01010000
//! ```

use super::decode::{is_packed, number, opaque_format, wide};
use super::letters;

/// Shortest base64 or base32 run in characters: below it no token fits.
const MIN_RUN: usize = 10;
/// Shortest hexadecimal run in digits: as above.
const MIN_HEX: usize = 12;
/// Characters of text in a row that make a run worth reading: fewer come about by chance, and hold no token.
pub(super) const MIN_PLAIN: usize = 7;
/// Letters from which on a word may be a piece of base32.
const MAX_WORD: usize = 12;
/// Capitals from which on a word may be a piece of base64 or base32.
const MAX_CAPITALS: usize = 7;
/// Numbers in a text from which on they may be a piece of a list of codes.
const MAX_NUMBERS: usize = 2;
/// Lengths in digits of the digests that evidence is full of: no encoding other than hex is tried on them.
const DIGEST_DIGITS: [usize; 4] = [40, 64, 96, 128];

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

const NONE: u8 = 255;

const fn alphabet(first: &[u8], second: &[u8]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < first.len() {
        table[first[i] as usize] = i as u8;
        table[second[i] as usize] = i as u8;
        i += 1;
    }
    table
}

static BASE64: [u8; 256] = alphabet(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
);
static BASE32: [u8; 256] = alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz234567");
static HEX: [u8; 256] = alphabet(b"0123456789abcdef", b"0123456789ABCDEF");

/// Reads every run of `text`.
pub(super) fn runs(text: &[u8]) -> Runs {
    let mut runs = Runs::default();
    let is_digit = |b: u8| BASE64[b as usize] != NONE;
    long_runs(text, MIN_RUN, is_digit, |from, to| runs.run(&text[from..to]));
    runs.wrapped(text);
    runs.numbers(text);
    runs
}

impl Runs {
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

/// Calls `each` with the bounds of each run of at least `least` digits, the longest that there is. Looks first where
/// a run from here on would have to be still: most of a text is passed over.
fn long_runs(text: &[u8], least: usize, is_digit: impl Fn(u8) -> bool, mut each: impl FnMut(usize, usize)) {
    let mut at = 0;
    while let Some(&byte) = text.get(at + least - 1) {
        if !is_digit(byte) {
            at += least;
            continue;
        }
        let before = &text[at..at + least - 1];
        let from = at + before.iter().rposition(|&b| !is_digit(b)).map_or(0, |last| last + 1);
        let rest = &text[at + least..];
        let to = at + least + rest.iter().position(|&b| !is_digit(b)).unwrap_or(rest.len());
        if to - from >= least {
            each(from, to);
        }
        at = to + 1;
    }
}

/// Adds what a run stands for: `BITS` bits a digit, and whole bytes after `GROUP` of them.
fn unpacked<const BITS: usize, const GROUP: usize>(run: &[u8], alphabet: &[u8; 256], into: &mut Vec<u8>) {
    let groups = run.chunks_exact(GROUP);
    let rest = groups.remainder();
    let read =
        |digits: &[u8]| digits.iter().fold(0u64, |held, &b| held << BITS | u64::from(alphabet[b as usize]));
    for group in groups {
        into.extend_from_slice(&read(group).to_be_bytes()[8 - GROUP * BITS / 8..]);
    }
    let spare = rest.len() * BITS % 8;
    into.extend_from_slice(&(read(rest) >> spare).to_be_bytes()[8 - rest.len() * BITS / 8..]);
}

/// What text is made of, and what escapes it: chance makes other bytes often enough.
static TEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0usize;
    while b < 128 {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    let more = *b"\0\t\n\r _-./\\%&#;=+:,@$!|{}\"'";
    let mut i = 0;
    while i < more.len() {
        table[more[i] as usize] = true;
        i += 1;
    }
    table
};

/// What no character of a row of text has in it.
static BREAKS: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0usize;
    while b < 256 {
        table[b] = if b < 0x80 { !TEXT[b] } else { matches!(b, 0xc0 | 0xc1 | 0xf5..=0xff) };
        b += 1;
    }
    table
};

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

/// Whether some characters in a row are text: letters and what separates or escapes them (zero bytes pass: UTF-16),
/// or UTF-8.
fn holds_text(bytes: &[u8]) -> bool {
    let is_tail = |at: usize| bytes.get(at).is_some_and(|b| b & 0xc0 == 0x80);
    let (mut row, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        if row == 0 {
            // A row that begins here needs so many bytes, none of which breaks it off.
            let Some(next) = bytes.get(at..at + MIN_PLAIN) else { return false };
            if let Some(last) = next.iter().rposition(|&b| BREAKS[b as usize]) {
                at += last + 1;
                continue;
            }
        }
        let length = match byte {
            0..0x80 => usize::from(TEXT[byte as usize]),
            0xc2..=0xdf if is_tail(at + 1) => 2,
            0xe0..=0xef if is_tail(at + 1) && is_tail(at + 2) => 3,
            0xf0..=0xf4 if (1..4).all(|n| is_tail(at + n)) => 4,
            _ => 0,
        };
        row = if length == 0 { 0 } else { row + 1 };
        if row >= MIN_PLAIN && byte != 0 {
            return true;
        }
        at += length.max(1);
    }
    false
}

/// `text` with an `x` for each digest in it, a run of exactly 40 or 64 small hexadecimal digits that holds no text:
/// evidence is full of them, and they say nothing.
pub(super) fn without_digests(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let glued = |b: Option<&u8>| b.is_some_and(|&b| BASE64[b as usize] != NONE);
    long_runs(text, 40, is_digit, |from, to| {
        let whole = || !glued(from.checked_sub(1).map(|before| &text[before])) && !glued(text.get(to));
        if !matches!(to - from, 40 | 64) || !whole() {
            return;
        }
        let mut bytes = Vec::with_capacity(32);
        unpacked::<4, 2>(&text[from..to], &HEX, &mut bytes);
        if !holds_text(&bytes) && !is_packed(&bytes) && wide(&bytes).is_empty() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The digits one after the other, as the rule says it.
    fn unpacked_slowly(run: &[u8], alphabet: &[u8; 256], bits: u32) -> Vec<u8> {
        let (mut bytes, mut held, mut count) = (Vec::new(), 0u32, 0u32);
        for &b in run {
            held = held << bits | u32::from(alphabet[b as usize]);
            count += bits;
            if count >= 8 {
                count -= 8;
                bytes.push((held >> count) as u8);
                held &= (1 << count) - 1;
            }
        }
        bytes
    }

    /// Seven characters of text in a row, at any place.
    fn holds_text_slowly(bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|from| {
            let (mut at, mut row) = (from, 0);
            while let Some(&byte) = bytes.get(at) {
                let length = match byte {
                    0..0x80 if TEXT[byte as usize] => 1,
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0..=0xf4 => 4,
                    _ => return false,
                };
                let tails = bytes.get(at + 1..at + length);
                if !tails.is_some_and(|tails| tails.iter().all(|b| b & 0xc0 == 0x80)) {
                    return false;
                }
                row += 1;
                if row >= MIN_PLAIN && byte != 0 {
                    return true;
                }
                at += length;
            }
            false
        })
    }

    proptest! {
        #[test]
        fn groups_of_digits_stand_for_what_the_digits_do(run in "[A-Za-z0-9+/_-]{0,30}", hex in "[0-9a-fA-F]{0,20}") {
            let both = |run: &str, alphabet: &[u8; 256], bits: u32| {
                let mut bytes = Vec::new();
                match bits {
                    4 => unpacked::<4, 2>(run.as_bytes(), alphabet, &mut bytes),
                    5 => unpacked::<5, 8>(run.as_bytes(), alphabet, &mut bytes),
                    _ => unpacked::<6, 4>(run.as_bytes(), alphabet, &mut bytes),
                }
                (bytes, unpacked_slowly(run.as_bytes(), alphabet, bits))
            };
            let (fast, slow) = both(&run, &BASE64, 6);
            prop_assert_eq!(fast, slow);
            let (fast, slow) = both(&hex, &HEX, 4);
            prop_assert_eq!(fast, slow);
            let base32: String = run.chars().filter(|c| BASE32[*c as usize] != NONE).collect();
            let (fast, slow) = both(&base32, &BASE32, 5);
            prop_assert_eq!(fast, slow);
        }

        #[test]
        fn text_is_found_wherever_it_stands(
            bytes in proptest::collection::vec(
                prop_oneof![6 => Just(b'a'), 1 => any::<u8>(), 1 => Just(0xc3), 1 => Just(0xe4), 2 => 0x80u8..0xc0, 1 => Just(0)],
                0..24,
            ),
        ) {
            prop_assert_eq!(holds_text(&bytes), holds_text_slowly(&bytes), "{:?}", bytes);
        }

        #[test]
        fn every_long_run_is_met_once(text in "[ab.]{0,40}", least in 1usize..6) {
            let mut met = Vec::new();
            long_runs(text.as_bytes(), least, |b| b != b'.', |from, to| met.push(text[from..to].to_owned()));
            let split: Vec<_> = text.split('.').filter(|run| run.len() >= least).map(str::to_owned).collect();
            prop_assert_eq!(met, split);
        }
    }
}
