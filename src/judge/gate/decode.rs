//! Decoding: what bytes say once an encoding is taken away.
//!
//! Owns: escapes, gzip and zlib, UTF-16 and UTF-32, one layer each. Must not: recurse or know a limit besides the one
//! it is given ([`super::views`]).
//!
//! ```text
//! unescape   \u0050 \x50 \120 %50 %u0050 =50 &#80; &#x50; &Popf; \n
//! inflate    gzip, zlib
//! markup     <b>, </b>, <!-- -->
//! wide       UTF-16 and UTF-32, both byte orders
//! ```

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::digits::MIN_PLAIN;

/// Bytes that tell whether a text is UTF-16.
const MAX_SAMPLE: usize = 4096;
/// Longest tag or comment in bytes.
const MAX_MARKUP: usize = 1024;
/// High bytes that are alike by chance: more of them make UTF-16.
const MIN_ALIKE: usize = 2;

/// Takes one layer of escapes away; nothing when there is none.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    let mut copied = 0;
    let mut equals = memchr::memchr_iter(b'=', text).peekable();
    let mut others = memchr::memchr3_iter(b'\\', b'%', b'&', text).peekable();
    loop {
        while equals.next_if(|&next| next < at).is_some() {}
        while others.next_if(|&next| next < at).is_some() {}
        at = match (equals.peek(), others.peek()) {
            (Some(&one), Some(&other)) => one.min(other),
            (Some(&one), None) | (None, Some(&one)) => one,
            (None, None) => break,
        };
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

pub(super) fn number(digits: Option<&[u8]>, radix: u32) -> Option<u32> {
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

/// `text` without its markup, tags and comments: what a reader of the rendered page sees as one word. Nothing when
/// there is none. `clean`: only tags of printable text count, since noise has `<` and `>` as well.
pub(super) fn without_markup(text: &[u8], clean: bool) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    for at in memchr::memchr_iter(b'<', text) {
        if at < copied {
            continue; // within a tag or a comment
        }
        let rest = &text[at..text.len().min(at + MAX_MARKUP)];
        let length = match rest {
            [b'<', b'!', b'-', b'-', ..] => memchr::memmem::find(&rest[4..], b"-->").map(|end| end + 7),
            [b'<', b'/' | b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] => {
                memchr::memchr(b'>', rest).map(|end| end + 1)
            }
            _ => None,
        };
        let is_noise = |length| {
            let mut tag = rest[..length].iter();
            clean && !tag.all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
        };
        if let Some(length) = length.filter(|&length| !is_noise(length)) {
            let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
            out.extend_from_slice(&text[copied..at]);
            copied = at + length;
        }
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(&text[copied..]);
    }
    out
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
        let alike = are_like_utf16(bytes);
        for little in [true, false] {
            if alike[usize::from(little)] {
                let units = bytes.chunks_exact(2).map(|unit| match little {
                    true => u16::from_le_bytes([unit[0], unit[1]]),
                    false => u16::from_be_bytes([unit[0], unit[1]]),
                });
                let mut text = String::with_capacity(bytes.len() * 3 / 2);
                text.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
                texts.push(text);
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

/// Letters of one script share their high bytes, or do so in turn (surrogates, marks between letters): whether the
/// first and whether the second byte of each pair is such a one.
fn are_like_utf16(bytes: &[u8]) -> [bool; 2] {
    let bytes = &bytes[..bytes.len().min(MAX_SAMPLE)];
    let enough = (bytes.len() / 2 / 6).max(MIN_ALIKE);
    let mut like = [false; 2];
    if bytes.len() < 2 * MIN_PLAIN {
        return like;
    }
    for stride in 1..=4 {
        let later = bytes[2 * stride..].chunks_exact(2);
        // A last byte without its pair is a first one.
        let last = later.remainder().first();
        let last = last.is_some_and(|last| *last == bytes[bytes.len() - 1 - 2 * stride]);
        let (mut first, mut second) = (usize::from(last), 0);
        for (later, earlier) in later.zip(bytes.chunks_exact(2)) {
            first += usize::from(later[0] == earlier[0]);
            second += usize::from(later[1] == earlier[1]);
        }
        like[0] |= first > enough;
        like[1] |= second > enough;
    }
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_what_only_looks_like_it_stays() {
        let read = |text: &str| {
            without_markup(text.as_bytes(), false).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
        };
        assert_eq!(read("a<b class=\"x\">c</b>d<br/>e").as_deref(), Some("acde"));
        assert_eq!(read("a<!-- b > c -->d<!-- e").as_deref(), Some("ad<!-- e"));
        assert_eq!(read("a<b<c>d>e").as_deref(), Some("ad>e"));
        for plain in ["a < b > c", "1<2", "a<b", "->", "<>", "<3>"] {
            assert_eq!(read(plain), None, "{plain}");
        }
        let long = format!("a<b {}>c", "x".repeat(MAX_MARKUP));
        assert_eq!(read(&long), None);
        assert!(without_markup("a<é>b".as_bytes(), true).is_none());
        assert!(without_markup("a<b é>c".as_bytes(), false).is_some());
        assert!(without_markup(b"a<b c>d", true).is_some());
    }

    proptest::proptest! {
        /// As the rule says it: of the pairs' first bytes, and of the second ones, some are those of 1 to 4 pairs before.
        #[test]
        fn high_bytes_are_counted_as_the_rule_says(
            bytes in proptest::collection::vec(0u8..4, 0..64),
        ) {
            let rule = |high: usize| {
                let highs = || bytes.iter().skip(high).step_by(2);
                let alike = |stride| highs().zip(highs().skip(stride)).filter(|(a, b)| a == b).count();
                let enough = (bytes.len() / 2 / 6).max(MIN_ALIKE);
                bytes.len() >= 2 * MIN_PLAIN && (1..=4).any(|stride| alike(stride) > enough)
            };
            proptest::prop_assert_eq!(are_like_utf16(&bytes), [rule(0), rule(1)]);
        }
    }
}
