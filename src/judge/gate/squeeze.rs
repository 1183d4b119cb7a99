//! Squeezing: text without what separates its letters, block by block, with the way back to the text.
//!
//! Owns: the three readings of ASCII text as letters alone. Must not: know any token.
//!
//! ```text
//! text      PR0DUCTION-P@SS 1
//! letters   pr ductionp ss       digits and symbols separate
//! leet      pro ductionp ssi     digits are letters, symbols separate
//! symbols   pro ductionpassi     both are letters (only where a symbol touches a letter)
//! ```
//! `i` and `l` are one letter in all three, as are `1` and `!`; the claims are folded by the same table.

/// Bytes of text squeezed at a time: bounds the memory that a large file takes.
const BLOCK: usize = 1 << 18;

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

const fn table(letters: Letters) -> [u8; 256] {
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

static ALONE: [u8; 256] = table(Letters::Alone);
static WITH_DIGITS: [u8; 256] = table(Letters::WithDigits);
static WITH_SYMBOLS: [u8; 256] = table(Letters::WithSymbols);

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
    let is_symbol = |b: &u8| matches!(b, b'@' | b'$' | b'!' | b'|');
    let mut rest = text;
    let mut before = 0u8;
    while let Some(at) = rest.iter().position(is_symbol) {
        let left = if at == 0 { before } else { rest[at - 1] };
        let right = rest.get(at + 1).copied().unwrap_or(0);
        if left.is_ascii_alphanumeric() || right.is_ascii_alphanumeric() {
            return true;
        }
        before = rest[at];
        rest = &rest[at + 1..];
    }
    false
}

/// One block of squeezed text. `carry` letters of the previous block stand in front.
pub(super) struct Block<'a> {
    /// The letters.
    pub(super) letters: &'a [u8],
    /// How many of them were in the previous block too.
    pub(super) carried: usize,
    /// Where the carried letters stand in the text.
    carried_at: &'a [usize],
    text: &'a [u8],
    from: usize,
    table: &'static [u8; 256],
    places: Option<Vec<u32>>,
}

impl Block<'_> {
    /// Where letter `index` stands in the text.
    pub(super) fn place(&mut self, index: usize) -> usize {
        if index < self.carried {
            return self.carried_at[index];
        }
        let (text, table) = (self.text, self.table);
        let places = self.places.get_or_insert_with(|| {
            let kept = text.iter().enumerate().filter(|(_, b)| table[**b as usize] != 0);
            kept.map(|(at, _)| at as u32).collect()
        });
        self.from + places[index - self.carried] as usize
    }
}

/// Calls `look` with each block of `text`; `overlap` letters are carried over. Stops when `look` says so.
pub(super) fn blocks(
    text: &[u8],
    letters: Letters,
    overlap: usize,
    mut look: impl FnMut(&mut Block<'_>) -> bool,
) {
    let table = match letters {
        Letters::Alone => &ALONE,
        Letters::WithDigits => &WITH_DIGITS,
        Letters::WithSymbols => &WITH_SYMBOLS,
    };
    let mut buffer = vec![0u8; overlap + BLOCK.min(text.len())];
    let mut carried_at: Vec<usize> = Vec::new();
    for (number, chunk) in text.chunks(BLOCK).enumerate() {
        let carried = carried_at.len();
        let mut end = carried;
        for &byte in chunk {
            let letter = table[byte as usize];
            buffer[end] = letter;
            end += usize::from(letter != 0);
        }
        let from = number * BLOCK;
        let mut block = Block {
            letters: &buffer[..end],
            carried,
            carried_at: &carried_at,
            text: chunk,
            from,
            table,
            places: None,
        };
        if !look(&mut block) {
            return;
        }
        if from + chunk.len() == text.len() {
            return;
        }
        let keep = end.saturating_sub(overlap);
        let next: Vec<usize> = (keep..end).map(|index| block.place(index)).collect();
        buffer.copy_within(keep..end, 0);
        carried_at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &[u8], letters: Letters) -> String {
        let mut all = Vec::new();
        blocks(text, letters, 5, |block| {
            all.extend_from_slice(&block.letters[block.carried..]);
            true
        });
        String::from_utf8(all).expect("ASCII")
    }

    #[test]
    fn the_three_readings() {
        let text = b"PR0D-P@SS 1";
        assert_eq!(squeezed(text, Letters::Alone), "prdpss");
        assert_eq!(squeezed(text, Letters::WithDigits), "prodpssi");
        assert_eq!(squeezed(text, Letters::WithSymbols), "prodpassi");
        assert!(has_symbol_letters(text) && has_symbol_letters(b"a |b"));
        assert!(!has_symbol_letters(b"| a | b | @ $"));
    }

    #[test]
    fn places_hold_across_blocks() {
        let mut text = vec![b'.'; BLOCK - 2];
        text.extend_from_slice(b"a-b-c-d");
        let mut seen = Vec::new();
        blocks(&text, Letters::Alone, 3, |block| {
            for index in 0..block.letters.len() {
                seen.push((block.letters[index], block.place(index) - (BLOCK - 2)));
            }
            true
        });
        assert_eq!(seen, [(b'a', 0), (b'a', 0), (b'b', 2), (b'c', 4), (b'd', 6)]);
    }
}
