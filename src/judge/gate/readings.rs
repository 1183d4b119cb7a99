//! Readings: the letter that a byte is read as, in three ways.
//!
//! Owns: the readings of ASCII text as letters alone. Must not: know any token, or go through a text
//! ([`super::machine`]).
//!
//! ```text
//! text      PR0DUCTION-P@SS 1
//! alone     pr ductionp ss       digits and symbols separate
//! digits    pro ductionp ssi     digits are letters, symbols separate
//! symbols   pro ductionpassi     both are letters (only where a symbol touches a letter)
//! ```
//! `i` and `l` are one letter in all three, as are `1` and `!`; the claims are folded by the same table.

/// How digits and symbols are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// Neither is a letter.
    Alone,
    /// Digits are.
    WithDigits,
    /// Both are.
    WithSymbols,
}

const fn made(letters: Letters) -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut b = 0usize;
    while b < 256 {
        table[b] = match b as u8 {
            b'l' | b'L' => b'i',
            c @ b'a'..=b'z' => c,
            c @ b'A'..=b'Z' => c + 32,
            _ => 0,
        };
        b += 1;
    }
    if !matches!(letters, Letters::Alone) {
        let digits = *b"oizeasgtbg";
        let mut d = 0;
        while d < 10 {
            table[b'0' as usize + d] = digits[d];
            d += 1;
        }
    }
    if matches!(letters, Letters::WithSymbols) {
        table[b'@' as usize] = b'a';
        table[b'$' as usize] = b's';
        table[b'!' as usize] = b'i';
        table[b'|' as usize] = b'i';
    }
    table
}

static ALONE: [u8; 256] = made(Letters::Alone);
static WITH_DIGITS: [u8; 256] = made(Letters::WithDigits);
static WITH_SYMBOLS: [u8; 256] = made(Letters::WithSymbols);

/// The letter that a byte is read as, digits and symbols included; 0 for none.
pub(super) fn letter(byte: u8) -> u8 {
    WITH_SYMBOLS[byte as usize]
}

/// A claim's word as the automaton sees it.
pub(super) fn fold(word: &str) -> Vec<u8> {
    word.bytes().map(|b| WITH_DIGITS[b as usize]).filter(|&b| b != 0).collect()
}

/// Whether a symbol that can be a letter touches one.
pub(super) fn has_symbol_letters(text: &[u8]) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let symbols = memchr::memchr3_iter(b'@', b'$', b'!', text).chain(memchr::memchr_iter(b'|', text));
    symbols.into_iter().any(|at| is_letter(at.checked_sub(1)) || is_letter(Some(at + 1)))
}

/// The letter that each byte is in a reading; 0 for none.
pub(super) fn table(letters: Letters) -> &'static [u8; 256] {
    match letters {
        Letters::Alone => &ALONE,
        Letters::WithDigits => &WITH_DIGITS,
        Letters::WithSymbols => &WITH_SYMBOLS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &[u8], letters: Letters) -> String {
        let read = text.iter().map(|&b| table(letters)[b as usize]).filter(|&b| b != 0);
        read.map(char::from).collect()
    }

    #[test]
    fn the_three_readings() {
        let text = b"PR0D-P@SS 1";
        assert_eq!(letters(text, Letters::Alone), "prdpss");
        assert_eq!(letters(text, Letters::WithDigits), "prodpssi");
        assert_eq!(letters(text, Letters::WithSymbols), "prodpassi");
        assert!(has_symbol_letters(text) && has_symbol_letters(b"a |b"));
        assert!(!has_symbol_letters(b"| a | b | @ $"));
    }
}
