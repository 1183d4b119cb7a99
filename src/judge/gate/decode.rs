//! Decoding: what bytes say once an encoding is taken away.
//!
//! Owns: escapes, runs of base64/base32/hex, number lists, gzip and zlib, UTF-16 and UTF-32, one layer each. Must not: recurse
//! or know a limit besides the one it is given ([`super::views`]).
//!
//! ```text
//! unescape   \u0050 \x50 \120 %50 %u0050 =50 &#80; &#x50; &Popf; \n
//! runs       base64, base64url, base32, hex: also misaligned, also wrapped over lines; "80 82 79", "50:52:4f"
//! inflate    gzip, zlib
//! wide       UTF-16 and UTF-32, both byte orders
//! ```

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// Shortest base64 or base32 run in characters: below it no token fits.
const MIN_RUN: usize = 10;
/// Shortest hexadecimal run in digits: as above.
const MIN_HEX: usize = 12;
/// Bytes of plain text in a row that make a run worth reading.
const MIN_PLAIN: usize = 6;
/// High bytes that are alike by chance: more of them make UTF-16.
const MIN_ALIKE: usize = 2;
/// Lengths in digits of the digests that evidence is full of: no encoding other than hex is tried on them.
const DIGEST_DIGITS: [usize; 4] = [40, 64, 96, 128];

/// What the runs of a text hold.
#[derive(Default)]
pub(super) struct Runs {
    /// Everything that reads as text, a line each.
    pub(super) text: Vec<u8>,
    /// Compressed pieces.
    pub(super) packed: Vec<Vec<u8>>,
    /// The name of a format that cannot be looked into.
    pub(super) opaque: Option<&'static str>,
}

/// Takes one layer of escapes away; nothing when there is none.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    let mut copied = 0;
    while let Some(step) = text[at..].iter().position(|b| matches!(b, b'\\' | b'%' | b'&' | b'=')) {
        at += step;
        match escape(&text[at..]) {
            Some((value, length)) => {
                let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
                out.extend_from_slice(&text[copied..at]);
                match value {
                    Escape::Byte(byte) => out.push(byte),
                    Escape::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    Escape::Nothing => {}
                }
                at += length;
                copied = at;
            }
            None => at += 1,
        }
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(&text[copied..]);
    }
    out
}

enum Escape {
    Byte(u8),
    Char(char),
    Nothing,
}

fn number(digits: Option<&[u8]>, radix: u32) -> Option<u32> {
    let digits = digits.filter(|d| !d.is_empty())?;
    digits.iter().try_fold(0u32, |value, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        value.checked_mul(radix)?.checked_add(digit)
    })
}

/// The escape that `text` begins with, and its length.
fn escape(text: &[u8]) -> Option<(Escape, usize)> {
    let character = |value: u32, length| Some((Escape::Char(char::from_u32(value)?), length));
    let byte = |range: std::ops::Range<usize>, radix, length| {
        let value = u8::try_from(number(text.get(range), radix)?).ok()?;
        Some((Escape::Byte(value), length))
    };
    match (text[0], *text.get(1)?) {
        (b'\\', b'u') if text.get(2) == Some(&b'{') => {
            let length = text.iter().take(12).position(|&b| b == b'}')?;
            character(number(text.get(3..length), 16)?, length + 1)
        }
        (b'\\' | b'%', b'u') => {
            let high = number(text.get(2..6), 16)?;
            let is_pair = (0xd800..0xdc00).contains(&high) && text.get(6) == text.first();
            match number(text.get(8..12), 16).filter(|low| is_pair && (0xdc00..0xe000).contains(low)) {
                Some(low) => character(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12),
                None => character(high, 6),
            }
        }
        (b'\\', b'U') => character(number(text.get(2..10), 16)?, 10),
        (b'\\', b'x') => byte(2..4, 16, 4),
        (b'\\', b'0'..=b'3') => byte(1..4, 8, 4),
        (b'\\', b'n' | b'r' | b't' | b'v' | b'f') => Some((Escape::Byte(b'\n'), 2)),
        (b'\\', b'\n') => Some((Escape::Nothing, 2)),
        (b'\\', c @ (b'\\' | b'/' | b'"' | b'\'')) => Some((Escape::Byte(c), 2)),
        (b'%', _) => byte(1..3, 16, 3),
        (b'=', b'\n') => Some((Escape::Nothing, 2)),
        (b'=', b'\r') if text.get(2) == Some(&b'\n') => Some((Escape::Nothing, 3)),
        (b'=', _) => byte(1..3, 16, 3).filter(|(value, _)| matches!(value, Escape::Byte(0x20..=0xff))),
        (b'&', _) => entity(text),
        _ => None,
    }
}

fn entity(text: &[u8]) -> Option<(Escape, usize)> {
    let end = text.iter().take(12).position(|&b| b == b';')?;
    let name = text.get(1..end)?;
    let value = match name {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(Some(digits), 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(Some(digits), 10)?)?,
        b"amp" => '&',
        b"lowbar" => '_',
        b"sol" => '/',
        b"bsol" => '\\',
        b"percnt" => '%',
        b"shy" | b"zwj" | b"zwnj" | b"lrm" | b"rlm" | b"ZeroWidthSpace" | b"NoBreak" => '\u{ad}',
        b"nbsp" | b"hyphen" | b"dash" | b"ndash" | b"mdash" | b"period" | b"colon" | b"comma" => ' ',
        [letter, b'o', b'p', b'f'] | [letter, b's', b'c', b'r'] | [letter, b'f', b'r']
            if letter.is_ascii_alphabetic() =>
        {
            char::from(*letter)
        }
        _ => return None,
    };
    Some((Escape::Char(value), end + 1))
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
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|&&b| BASE64[b as usize] != NONE).count();
        if length >= MIN_RUN {
            runs.run(&text[at..at + length]);
        }
        at += length + 1;
    }
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
        let mut bytes = Vec::new();
        for &offset in offsets {
            let Some(run) = run.get(offset..) else { return };
            bytes.clear();
            let (mut held, mut count) = (0u32, 0u32);
            for &b in run {
                held = held << bits | u32::from(alphabet[b as usize]);
                count += bits;
                if count >= 8 {
                    count -= 8;
                    bytes.push((held >> count) as u8);
                    held &= (1 << count) - 1;
                }
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
            for text in wide(bytes) {
                self.line(text.as_bytes());
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
        for word in text.split(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let digits = match word {
                [b'0', b'x' | b'X', rest @ ..] => rest,
                _ => word,
            };
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
        }
        lists.iter().for_each(|list| self.keep(list, true));
    }
}

/// Whether some characters in a row are text: printable ASCII (zero bytes pass: UTF-16), or UTF-8.
fn holds_text(bytes: &[u8]) -> bool {
    let is_tail = |at: usize| bytes.get(at).is_some_and(|b| b & 0xc0 == 0x80);
    let (mut row, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            0 | b'\t' | b'\n' | b'\r' | 0x20..0x7f => 1,
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

/// Whether bytes begin as gzip or zlib do.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    match bytes {
        [0x1f, 0x8b, 8, flags, ..] => flags & 0xe0 == 0,
        [0x78, level, ..] => (0x7800 + u16::from(*level)).is_multiple_of(31) && level & 0x20 == 0,
        _ => false,
    }
}

/// The name of a compressed or packed format that is not looked into.
pub(super) fn opaque_format(bytes: &[u8]) -> Option<&'static str> {
    let formats: [(&[u8], &str); 8] = [
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"Rar!\x1a\x07", "rar"),
        (b"%PDF-", "pdf"),
    ];
    formats.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}

/// Inflates gzip or zlib, up to `most` bytes; the flag says that there was more. What follows an error is lost to
/// every reader, so what came before it is the content.
pub(super) fn inflate(bytes: &[u8], most: usize) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let limit = most as u64 + 1;
    let _ended_early = match bytes.first() {
        Some(0x1f) => MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out).is_err(),
        _ => ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out).is_err(),
    };
    let over = out.len() > most;
    out.truncate(most);
    (out, over)
}

/// The texts that bytes are in UTF-16 or UTF-32, where they are like such a text.
pub(super) fn wide(bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    for offset in [0, 1] {
        let Some(bytes) = bytes.get(offset..) else { break };
        for little in [true, false] {
            if is_like_utf16(bytes, usize::from(little)) {
                let units = bytes.chunks_exact(2).map(|unit| match little {
                    true => u16::from_le_bytes([unit[0], unit[1]]),
                    false => u16::from_be_bytes([unit[0], unit[1]]),
                });
                texts.push(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect());
            }
        }
    }
    for little in [true, false] {
        let scalars = bytes.chunks_exact(4).map(|unit| match little {
            true => u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]),
            false => u32::from_be_bytes([unit[0], unit[1], unit[2], unit[3]]),
        });
        let mut scalars = scalars.map(char::from_u32);
        if bytes.len() >= 4 * MIN_PLAIN && scalars.clone().take(64).all(|c| c.is_some()) {
            texts.push(scalars.by_ref().map(|c| c.unwrap_or('\u{fffd}')).collect());
        }
    }
    texts
}

/// Letters of one script share their high bytes, or do so in turn (surrogates, marks between letters): `high` says
/// which byte of a pair that is.
fn is_like_utf16(bytes: &[u8], high: usize) -> bool {
    let highs = || bytes.iter().skip(high).step_by(2);
    let alike = |stride| highs().zip(highs().skip(stride)).filter(|(a, b)| a == b).count();
    let enough = (bytes.len() / 2 / 6).max(MIN_ALIKE);
    bytes.len() >= 2 * MIN_PLAIN && (1..=4).any(|stride| alike(stride) > enough)
}
