//! Reading words in text that separates, obscures and glues its letters.
//!
//! Owns: walking along a word in either direction, and where words begin and end. Must not: know any word.

use super::readings::letter;

/// Most separators within a token on an ordinary ref: a token in capitals may be spaced that far.
const MAX_ORDINARY_GAP: usize = 12;

/// Reads `word` from `from` on, passing over separators, digits and symbols that are not its next letter.
pub(super) fn forward(text: &[u8], from: usize, word: &[u8]) -> Option<usize> {
    let mut at = from;
    let mut written = 0;
    for &wanted in word {
        loop {
            let byte = *text.get(at)?;
            at += 1;
            if letter(byte) == wanted {
                written += usize::from(byte.is_ascii_alphabetic());
                break;
            }
            if byte.is_ascii_alphabetic() {
                return None;
            }
        }
    }
    is_word(written, word).then_some(at)
}

/// The letters that a word may begin with here, a bit each: what stands before the first real letter, and it.
pub(super) fn first_letters(text: &[u8]) -> u32 {
    let mut letters = 0;
    for &byte in text {
        letters |= letter_bit(letter(byte));
        if byte.is_ascii_alphabetic() {
            break;
        }
    }
    letters
}

/// A folded letter's bit; none for what is no letter.
pub(super) fn letter_bit(letter: u8) -> u32 {
    match letter {
        b'a'..=b'z' => 1 << (letter - b'a'),
        _ => 0,
    }
}

/// Reads `word` backward so that it ends before `to`.
pub(super) fn backward(text: &[u8], to: usize, word: &[u8]) -> Option<usize> {
    let mut at = to;
    let mut written = 0;
    for &wanted in word.iter().rev() {
        loop {
            at = at.checked_sub(1)?;
            let byte = text[at];
            if letter(byte) == wanted {
                written += usize::from(byte.is_ascii_alphabetic());
                break;
            }
            if byte.is_ascii_alphabetic() {
                return None;
            }
        }
    }
    is_word(written, word).then_some(at)
}

/// One letter in four is written as a letter: `P455` is a word, `5341` is a number.
fn is_word(written: usize, word: &[u8]) -> bool {
    written * 4 >= word.len()
}

/// Whether a word may end at `end`: no letter follows at once, or a capital follows a small letter.
pub(super) fn ends_word(text: &[u8], end: usize) -> bool {
    let hump = |next: u8| next.is_ascii_uppercase() && text[end - 1].is_ascii_lowercase();
    text.get(end).is_none_or(|&next| !next.is_ascii_alphabetic() || hump(next))
}

pub(super) fn starts_word(text: &[u8], at: usize) -> bool {
    let hump = |before: u8| before.is_ascii_lowercase() && text[at].is_ascii_uppercase();
    at.checked_sub(1).is_none_or(|before| !text[before].is_ascii_alphabetic() || hump(text[before]))
}

/// Whether a piece is written as words are: all small, all capitals, or one capital in front.
pub(super) fn one_case(piece: &[u8]) -> bool {
    let rest = piece.get(1..).unwrap_or_default();
    let small = rest.iter().all(u8::is_ascii_lowercase);
    small || piece.iter().all(u8::is_ascii_uppercase)
}

/// Whether the letters of a token stand together: in capitals a few separators apart, otherwise one that joins
/// words. `if x == "production": pass` is a program, `production-pass` is a claim; so is `production pass`, but
/// `the cutover passed` is prose.
pub(super) fn written_as_one(text: &[u8], at: usize, end: usize) -> bool {
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

pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len().max(1)).any(|w| w == word)
}

pub(super) fn rot13_byte(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
        _ => b,
    }
}

pub(super) fn rot13(word: &str) -> String {
    word.bytes().map(|b| char::from(rot13_byte(b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_over_what_separates_it_in_both_directions() {
        for (text, read) in [
            (&b"pass"[..], true),
            (b"p.a-s s", true),
            (b"p4ss", true),
            (b"p 2 a 3 s\ns", true),
            (b"P455", true),
            (b"pxass", false),
            (b"pas", false),
            (b"4455", false),
        ] {
            assert_eq!(forward(text, 0, b"pass") == Some(text.len()), read, "{text:?}");
            assert_eq!(backward(text, text.len(), b"pass") == Some(0), read, "{text:?}");
        }
    }

    #[test]
    fn words_end_at_humps() {
        assert!(ends_word(b"readyNow", 5) && !ends_word(b"readyness", 5) && !ends_word(b"READYNESS", 5));
        assert!(starts_word(b"isReady", 2) && !starts_word(b"already", 2) && starts_word(b"x ready", 2));
    }
}
