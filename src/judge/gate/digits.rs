//! Digits: what letters of base64, base32 and hex stand for, and whether it reads as text.
//!
//! Owns: the alphabets, the way from digits to bytes, and both looks that every byte of a text is given: is it in a long
//! run, is it in a row of text. Must not: know what a run is for ([`super::runs`]).
//!
//! ```text
//! UFJPRF ─ long_runs ─ unpacked ─► PROD ─ holds_text
//! ```

/// Characters of text in a row that make a run worth reading: fewer come about by chance, and hold no token.
pub(super) const MIN_PLAIN: usize = 7;

pub(super) const NONE: u8 = 255;

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

pub(super) static BASE64: [u8; 256] = alphabet(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
);
pub(super) static BASE32: [u8; 256] =
    alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz234567");
pub(super) static HEX: [u8; 256] = alphabet(b"0123456789abcdef", b"0123456789ABCDEF");

/// Calls `each` with the bounds of each run of at least `least` digits, the longest that there is. Looks first where
/// a run from here on would have to be still: most of a text is passed over.
pub(super) fn long_runs(
    text: &[u8],
    least: usize,
    is_digit: impl Fn(u8) -> bool,
    mut each: impl FnMut(usize, usize),
) {
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
pub(super) fn unpacked<const BITS: usize, const GROUP: usize>(
    run: &[u8],
    alphabet: &[u8; 256],
    into: &mut Vec<u8>,
) {
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

/// Whether some characters in a row are text: letters and what separates or escapes them (zero bytes pass: UTF-16),
/// or UTF-8.
pub(super) fn holds_text(bytes: &[u8]) -> bool {
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
