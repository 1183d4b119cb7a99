//! Test data: how a text can be written so that it reads the same and compares different.

use std::fmt::Write as _;
use std::io::Write as _;

use data_encoding::{BASE32, BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// A way of writing a text.
pub(super) type Way = (&'static str, fn(&str) -> String);

fn each(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn between(text: &str, with: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(with)
}

fn shifted(text: &str, capital: char, small: char) -> String {
    let shift =
        |c: char, from: char, to: char| char::from_u32(to as u32 + c as u32 - from as u32).unwrap_or(c);
    text.chars()
        .map(|c| match c {
            'A'..='Z' => shift(c, 'A', capital),
            'a'..='z' => shift(c, 'a', small),
            _ => c,
        })
        .collect()
}

fn swapped(text: &str, pairs: &[(char, char)]) -> String {
    text.chars().map(|c| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)).collect()
}

fn rot13(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'a'..='z' => char::from((c as u8 - b'a' + 13) % 26 + b'a'),
            'A'..='Z' => char::from((c as u8 - b'A' + 13) % 26 + b'A'),
            _ => c,
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

fn wrapped(text: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(12).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
    format!("\n{}\n", lines.join("\n"))
}

/// Disguises: the text stays text, and letters stay where they are.
pub(super) const DISGUISES: &[Way] = &[
    ("as it is", |t| t.to_owned()),
    ("small", |t| t.to_lowercase()),
    ("alternating case", |t| {
        let case =
            |(i, c): (usize, char)| if i % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        t.chars().enumerate().map(case).collect()
    }),
    ("no separator", |t| t.replace('_', "")),
    ("hyphens", |t| t.replace('_', "-")),
    ("spaces", |t| t.replace('_', "   ")),
    ("slashes", |t| t.replace('_', " / ")),
    ("a line break", |t| t.replace('_', "\n")),
    ("spaced letters", |t| between(t, " ")),
    ("dotted letters", |t| between(t, ".")),
    ("quoted letters", |t| between(t, "\", \"")),
    ("digits between", |t| between(t, "2")),
    ("leetspeak", |t| swapped(t, &[('O', '0'), ('I', '1'), ('A', '4'), ('S', '5'), ('E', '3'), ('T', '7')])),
    ("leetspeak with symbols", |t| swapped(t, &[('A', '@'), ('S', '$'), ('I', '!'), ('O', '0')])),
    ("l for I", |t| t.replace('I', "l")),
    ("full width", |t| shifted(t, 'Ａ', 'ａ')),
    ("mathematical bold", |t| shifted(t, '𝐀', '𝐚')),
    ("mathematical monospace", |t| shifted(t, '𝙰', '𝚊')),
    ("circled", |t| shifted(t, 'Ⓐ', 'ⓐ')),
    ("squared", |t| shifted(t, '🄰', 'a')),
    ("negative squared", |t| shifted(t, '🅰', 'a')),
    ("regional indicators", |t| shifted(t, '🇦', 'a')),
    ("parenthesized", |t| shifted(&t.to_lowercase(), 'A', '⒜')),
    ("Cyrillic", |t| {
        swapped(
            t,
            &[('P', 'Р'), ('O', 'О'), ('C', 'С'), ('T', 'Т'), ('A', 'А'), ('S', 'Ѕ'), ('E', 'Е'), ('I', 'І')],
        )
    }),
    ("Greek", |t| {
        swapped(t, &[('P', 'Ρ'), ('O', 'Ο'), ('T', 'Τ'), ('A', 'Α'), ('N', 'Ν'), ('I', 'Ι'), ('E', 'Ε')])
    }),
    ("small capitals", |t| {
        swapped(
            &t.to_lowercase(),
            &[
                ('p', 'ᴘ'),
                ('r', 'ʀ'),
                ('o', 'ᴏ'),
                ('d', 'ᴅ'),
                ('u', 'ᴜ'),
                ('c', 'ᴄ'),
                ('t', 'ᴛ'),
                ('n', 'ɴ'),
                ('a', 'ᴀ'),
                ('s', 'ꜱ'),
                ('l', 'ʟ'),
                ('e', 'ᴇ'),
                ('v', 'ᴠ'),
                ('i', 'ɪ'),
            ],
        )
    }),
    ("zero-width spaces", |t| between(t, "\u{200b}")),
    ("soft hyphens", |t| between(t, "\u{ad}")),
    ("word joiners", |t| between(t, "\u{2060}")),
    ("Mongolian vowel separators", |t| between(t, "\u{180e}")),
    ("grapheme joiners", |t| between(t, "\u{34f}")),
    ("variation selectors", |t| between(t, "\u{e0101}")),
    ("accents", |t| between(t, "\u{301}")),
    ("stacked marks", |t| between(t, "\u{336}\u{20dd}")),
    ("right-to-left override", |t| format!("\u{202e}{}\u{202c}", t.chars().rev().collect::<String>())),
    ("hidden in tag characters", |t| t.chars().filter_map(|c| char::from_u32(0xe0000 + c as u32)).collect()),
    ("an em dash", |t| t.replace('_', " — ")),
    ("reversed", |t| t.chars().rev().collect()),
    ("rot13", rot13),
    ("reversed rot13", |t| rot13(t).chars().rev().collect()),
];

/// Encodings: the text becomes other text, which an encoding can be laid around again.
pub(super) const ENCODINGS: &[Way] = &[
    ("percent", |t| each(t, |b| format!("%{b:02X}"))),
    ("percent twice", |t| each(t, |b| format!("%25{b:02x}"))),
    ("percent, some", |t| {
        let plain = |b: u8| b.is_ascii() && !b.is_multiple_of(3);
        each(t, |b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") })
    }),
    ("percent-u", |t| t.encode_utf16().fold(String::new(), |s, u| s + &format!("%u{u:04X}"))),
    ("decimal entities", |t| t.chars().map(|c| format!("&#{};", c as u32)).collect()),
    ("hexadecimal entities", |t| t.chars().map(|c| format!("&#x{:X};", c as u32)).collect()),
    ("JSON escapes", |t| t.encode_utf16().fold(String::new(), |s, u| s + &format!("\\u{u:04x}"))),
    ("braced escapes", |t| t.chars().map(|c| format!("\\u{{{:x}}}", c as u32)).collect()),
    ("hexadecimal escapes", |t| each(t, |b| format!("\\x{b:02x}"))),
    ("octal escapes", |t| each(t, |b| format!("\\{b:03o}"))),
    ("quoted-printable", |t| each(t, |b| format!("={b:02X}"))),
    ("base64", |t| BASE64.encode(t.as_bytes())),
    ("base64 without padding", |t| BASE64_NOPAD.encode(t.as_bytes())),
    ("base64url", |t| BASE64URL_NOPAD.encode(t.as_bytes())),
    ("base64, misaligned", |t| format!("x{}", BASE64.encode(format!("   {t}").as_bytes()))),
    ("base64, wrapped", |t| wrapped(&BASE64.encode(t.as_bytes()))),
    ("base64 in a data URL", |t| format!("data:text/plain;base64,{}", BASE64.encode(t.as_bytes()))),
    ("base64 as a value", |t| format!("key={}", BASE64.encode(t.as_bytes()))),
    ("base64 in a path", |t| format!("a/b/{}", BASE64URL_NOPAD.encode(t.as_bytes()))),
    ("base32", |t| BASE32.encode(t.as_bytes())),
    ("base32, small", |t| BASE32_NOPAD.encode(t.as_bytes()).to_lowercase()),
    ("hex", |t| HEXLOWER.encode(t.as_bytes())),
    ("HEX", |t| HEXUPPER.encode(t.as_bytes())),
    ("0x", |t| format!("0x{}", HEXLOWER.encode(t.as_bytes()))),
    ("hex with one digit more", |t| format!("a{}", HEXLOWER.encode(t.as_bytes()))),
    ("hex, spaced", |t| each(t, |b| format!("{b:02x} "))),
    ("hex, colons", |t| each(t, |b| format!("{b:02X}:"))),
    ("hex, an array", |t| each(t, |b| format!("0x{b:02x}, "))),
    ("decimal codes", |t| each(t, |b| format!("{b},"))),
    ("binary", |t| each(t, |b| format!("{b:08b} "))),
    ("gzip in base64", |t| BASE64.encode(&gzip(t.as_bytes()))),
    ("zlib in hex", |t| HEXLOWER.encode(&zlib(t.as_bytes()))),
    ("gzip twice in base64", |t| BASE64.encode(&gzip(&gzip(t.as_bytes())))),
    ("UTF-16 in base64", |t| BASE64.encode(&utf16(t, true))),
    ("UTF-16, big end first, in hex", |t| HEXLOWER.encode(&utf16(t, false))),
    ("UTF-32 in base64", |t| {
        BASE64.encode(&t.chars().flat_map(|c| (c as u32).to_le_bytes()).collect::<Vec<_>>())
    }),
    ("a JSON text", |t| serde_json::to_string(&[t]).expect("a text")),
    ("a document in a JSON text", |t| {
        let inner = serde_json::to_string(&[t]).expect("a text");
        serde_json::to_string(&[inner]).expect("a text")
    }),
    ("cut over JSON texts", |t| {
        let (left, right) = t.split_at(t.char_indices().nth(t.chars().count() / 2).map_or(0, |(at, _)| at));
        serde_json::to_string(&serde_json::json!({"a": left, "b": right})).expect("texts")
    }),
    ("JSON escapes of UTF-8", |t| {
        t.bytes().fold(String::new(), |mut s, b| {
            write!(s, "\\u00{b:02x}").expect("memory");
            s
        })
    }),
];
