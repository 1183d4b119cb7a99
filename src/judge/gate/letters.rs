//! Letters: what a character looks like, as ASCII.
//!
//! Owns: folding Unicode text to ASCII text that reads alike. Must not: know any token.
//! By property, never by list: what is invisible (Default_Ignorable, Cf, Mn, Me) goes away, compatibility forms
//! fold (NFKD), look-alikes fold by UTS #39, both as they stand and in their other case. A character that is
//! like no ASCII letter or digit is a separator. Line feeds stay, so that a line keeps its number.
//!
//! ```text
//! Ｐ 𝐏 Р(Cyrillic) Ⓟ 🅿 ᴘ  -> p P p…     é -> e     ﬁ -> fi     U+200B -> nothing     生 -> a separator
//! ```

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::skeleton;

/// Stands for a character that is like no ASCII letter or digit.
const SEPARATOR: u8 = 1;
/// Characters remembered: the planes in which look-alikes and emoji stand.
const REMEMBERED: u32 = 0x2_0000;
/// Letters kept of one character's expansion (`ﬃ` has three).
const KEPT: usize = 3;
const KNOWN: u64 = 1 << 63;

/// Text as ASCII, in the likeliest reading and, where a character has two, in the other one too.
pub(super) struct Reading {
    /// By look.
    pub(super) first: Vec<u8>,
    /// By case: `ν` looks like v and is the small form of Ν, which looks like N.
    pub(super) second: Option<Vec<u8>>,
}

/// Folds `text`. ASCII stays as it is.
pub(super) fn read(text: &str) -> Reading {
    let mut first = Vec::with_capacity(text.len());
    let mut second: Option<Vec<u8>> = None;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| b >= 0x80) {
        let (ascii, tail) = rest.split_at(at);
        first.extend_from_slice(ascii.as_bytes());
        if let Some(second) = &mut second {
            second.extend_from_slice(ascii.as_bytes());
        }
        let c = tail.chars().next().unwrap_or(' ');
        let packed = folded(c);
        let (one, two) = (unpack(packed), unpack(packed >> 24));
        if one != two && second.is_none() {
            second = Some(first.clone());
        }
        push(&mut first, one);
        if let Some(second) = &mut second {
            push(second, two);
        }
        rest = &tail[c.len_utf8()..];
    }
    first.extend_from_slice(rest.as_bytes());
    if let Some(second) = &mut second {
        second.extend_from_slice(rest.as_bytes());
    }
    Reading { first, second }
}

/// Text with compatibility forms folded and invisible characters gone, but case and everything else kept: where
/// encodings are looked for.
pub(super) fn plain(text: &str) -> String {
    text.nfkc().filter(|&c| c.is_ascii() || !is_invisible(c)).collect()
}

/// The ASCII text that is written in invisible tag characters (U+E0020 to U+E007E), if there is any.
pub(super) fn tag_text(text: &str) -> Option<String> {
    let tags = text.chars().filter_map(|c| match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(c as u32 - 0xe0000),
        _ => None,
    });
    let found: String = tags.collect();
    (!found.is_empty()).then_some(found)
}

/// The text that was meant where UTF-8 was read as Latin-1 (`Ã©` for `é`), if it was.
pub(super) fn misread(text: &str) -> Option<String> {
    let is_byte = |c: char| u8::try_from(u32::from(c)).is_ok();
    let mut meant = String::new();
    for part in text.split(|c| !is_byte(c)).filter(|part| !part.is_ascii()) {
        let bytes: Vec<u8> = part.chars().map(|c| c as u8).collect();
        let part = String::from_utf8_lossy(&bytes);
        if part.chars().any(|c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER) {
            meant.push_str(&part);
            meant.push('\n');
        }
    }
    (!meant.is_empty()).then_some(meant)
}

fn push(to: &mut Vec<u8>, letters: [u8; KEPT]) {
    to.extend(letters.into_iter().take_while(|&b| b != 0));
}

fn unpack(packed: u64) -> [u8; KEPT] {
    let [a, b, c, ..] = packed.to_le_bytes();
    [a, b, c]
}

fn folded(c: char) -> u64 {
    static MEMORY: OnceLock<Box<[AtomicU64]>> = OnceLock::new();
    let memory = MEMORY.get_or_init(|| (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect());
    let Some(cell) = memory.get(c as usize) else { return compute(c) };
    match cell.load(Ordering::Relaxed) {
        0 => {
            let packed = compute(c) | KNOWN;
            cell.store(packed, Ordering::Relaxed);
            packed
        }
        packed => packed,
    }
}

/// Two readings of up to three letters each, 24 bits a reading.
fn compute(c: char) -> u64 {
    if is_invisible(c) {
        return 0;
    }
    let mut readings: Vec<[u8; KEPT]> = Vec::new();
    let mut add = |letters: [u8; KEPT]| {
        if letters[0] != 0 && !readings.contains(&letters) {
            readings.push(letters);
        }
    };
    if let Some(letter) = drawn(c) {
        add([letter, 0, 0]);
    }
    let decomposed: String = c.nfkd().filter(|&c| !is_invisible(c)).collect();
    add(ascii(decomposed.chars()));
    add(ascii(skeleton(c.encode_utf8(&mut [0; 4]))));
    add(ascii(skeleton(&decomposed)));
    for other in [c.to_uppercase().collect::<String>(), c.to_lowercase().collect::<String>()] {
        add(ascii(skeleton(&other)));
    }
    let first = readings.first().copied().unwrap_or([SEPARATOR, 0, 0]);
    let second = readings.get(1).copied().unwrap_or(first);
    let pack = |[a, b, c]: [u8; KEPT]| u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16;
    pack(first) | pack(second) << 24
}

/// The letters of a fold; nothing when one of its characters is not like ASCII at all.
fn ascii(chars: impl Iterator<Item = char>) -> [u8; KEPT] {
    let mut letters = [0; KEPT];
    let mut at = 0;
    let mut previous_r = false;
    for c in chars {
        if is_invisible(c) {
            continue;
        }
        let c = drawn(c).map_or(c, char::from);
        if !c.is_ascii() {
            if c.is_alphanumeric() {
                return [0; KEPT];
            }
            continue; // a dot or a stroke beside the letter
        }
        let byte = (c as u8).to_ascii_lowercase();
        // UTS #39 writes m as rn.
        if byte == b'n' && previous_r {
            letters[at - 1] = b'm';
            previous_r = false;
        } else if byte.is_ascii_alphanumeric() && at < KEPT {
            letters[at] = byte;
            at += 1;
            previous_r = byte == b'r';
        }
    }
    letters
}

fn is_invisible(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return false;
    }
    let category = c.general_category();
    matches!(category, G::Format | G::NonspacingMark | G::EnclosingMark)
        // `skeleton` drops exactly what has the property Default_Ignorable_Code_Point.
        || skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

/// Letters that are drawn as a form of an ASCII letter without Unicode saying so: small capitals, letters in
/// filled circles and squares, regional indicators, letters turned upside down.
fn drawn(c: char) -> Option<u8> {
    const SMALL_CAPITALS: &str = "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpꞯqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzᴌlᴎnᴙrᴚr";
    const TURNED: &str = "ɐaɔcǝeɟfƃgɥhᴉiɾjʞkɯmɹrʇtʌvʍwʎyꞁl";
    const OTHER: &str = "тtкkнhвbмmгrпnдdлlиnеeѕsꙅsʗcӀlꓑpꓣrꓳoꓓdꓴuꓚcꓔtꓲiꓠnꓮaꓢs˛iͺi𐔜c";
    let block = |start: char| Some(b'a' + ((c as u32 - start as u32) % 26) as u8);
    match c {
        '🅐'..='🅩' => block('🅐'),
        '🅰'..='🆉' => block('🅰'),
        '🇦'..='🇿' => block('🇦'),
        _ => {
            let mut pairs = [SMALL_CAPITALS, TURNED, OTHER].into_iter().flat_map(str::chars);
            while let (Some(from), Some(to)) = (pairs.next(), pairs.next()) {
                if from == c {
                    return Some(to as u8);
                }
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> String {
        String::from_utf8(read(text).first).expect("ASCII")
    }

    #[test]
    fn what_reads_alike_folds_alike() {
        for (text, like) in [
            ("plain ASCII\n", "plain ASCII\n"),
            ("ＰＡＳＳ", "pass"),
            ("𝐏𝔸𝓢𝚜", "pass"),
            ("РАЅЅ", "pass"),
            ("p\u{200b}a\u{ad}s\u{301}s\u{fe0f}", "pass"),
            ("ⓟⒶ🅢🆂", "pass"),
            ("ᴘᴀꜱꜱ", "pass"),
            ("ﬁx ﬆop", "fix stop"),
            ("a生b", "a\u{1}b"),
            ("é\nø", "e\no"),
        ] {
            assert_eq!(first(text), like, "{text}");
        }
    }

    #[test]
    fn a_character_of_two_looks_has_two_readings() {
        let reading = read("ν");
        assert_eq!((reading.first, reading.second), (b"v".to_vec(), Some(b"n".to_vec())));
        assert!(read("é").second.is_none());
    }

    #[test]
    fn tag_characters_carry_text() {
        let hidden: String = "PASS".chars().filter_map(|c| char::from_u32(0xe0000 + c as u32)).collect();
        assert_eq!(tag_text(&format!("a{hidden}b")).as_deref(), Some("PASS"));
        assert_eq!(tag_text("ab"), None);
    }

    #[test]
    fn text_that_was_misread_is_read_again() {
        assert_eq!(misread("生Ã©").as_deref(), Some("é\n"));
        assert_eq!(misread("é"), None);
        assert_eq!(misread("é生"), None);
    }

    #[test]
    fn plain_text_keeps_its_case() {
        assert_eq!(plain("Ｕ\u{200b}FJ\u{ad}Ｐ"), "UFJP");
    }
}
