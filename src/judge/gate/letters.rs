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

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::skeleton;

/// Stands for a character that is like no ASCII letter or digit.
const SEPARATOR: u8 = 1;
/// Characters remembered: the planes in which look-alikes and emoji stand.
const REMEMBERED: u32 = 0x2_0000;
/// Letters kept of one character's expansion (`ﬃ` has three).
const KEPT: usize = 3;
/// Set in what is remembered of a character: an empty fold is one too.
const KNOWN: u64 = 1 << 63;
/// Stands for a mute character where it is taken out: ASCII, neither printable nor one that text is looked at for.
pub(super) const MUTED: char = '\x7f';
/// First character that no misread byte is.
const NO_BYTE: char = '\u{100}';
/// Set where a character is inert, no misread byte, and like nothing in any reading: it only separates.
const MUTE: u64 = 1 << 61;
/// Set where a character stays as it is under NFKC, whatever stands around it, and is not invisible.
const INERT: u64 = 1 << 62;

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
        // Characters beyond ASCII seldom stand alone.
        let mut length = 0;
        for c in tail.chars().take_while(|c| !c.is_ascii()) {
            length += c.len_utf8();
            let packed = folded(c);
            let (one, two) = (unpack(packed), unpack(packed >> 24));
            if one != two && second.is_none() {
                second = Some(first.clone());
            }
            push(&mut first, one);
            if let Some(second) = &mut second {
                push(second, two);
            }
        }
        rest = &tail[length..];
    }
    first.extend_from_slice(rest.as_bytes());
    if let Some(second) = &mut second {
        second.extend_from_slice(rest.as_bytes());
    }
    Reading { first, second }
}

/// The text that noise reads as, with [`MUTED`] for each character that only separates: one stands for one in every
/// reading, so that nothing else is found, and most of the noise is ASCII then.
pub(super) fn muted(text: &str) -> String {
    text.chars().map(|c| if !c.is_ascii() && folded(c) & MUTE != 0 { MUTED } else { c }).collect()
}

/// Text with compatibility forms folded and invisible characters gone, but case and everything else kept: where
/// encodings are looked for.
///
/// Only what is not inert is normalised, with the one character before it: before an inert character and before an
/// ASCII one, normalisation can be cut (UAX #15, 9.1: a starter whose quick check says yes).
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut before, mut changing) = (0, 0, None);
    for (at, c) in text.char_indices() {
        if c.is_ascii() || folded(c) & INERT != 0 {
            if let Some(from) = changing.take() {
                out.push_str(&text[copied..from]);
                out.extend(visible(&text[from..at]));
                copied = at;
            }
            before = at;
        } else if changing.is_none() {
            changing = Some(before);
        }
    }
    if let Some(from) = changing {
        out.push_str(&text[copied..from]);
        out.extend(visible(&text[from..]));
        return out.into();
    }
    match copied {
        0 if out.is_empty() => text.into(),
        _ => (out + &text[copied..]).into(),
    }
}

/// [`plain`], of text of any kind.
fn visible(text: &str) -> impl Iterator<Item = char> {
    text.nfkc().filter(|&c| c.is_ascii() || !is_invisible(c))
}

/// The ASCII text that is written in invisible tag characters (U+E0020 to U+E007E), if there is any.
pub(super) fn tag_text(text: &str) -> Option<String> {
    // All of them, and few others, begin like this.
    memchr::memmem::find(text.as_bytes(), b"\xf3\xa0")?;
    let tags = text.chars().filter_map(|c| match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(c as u32 - 0xe0000),
        _ => None,
    });
    let found: String = tags.collect();
    (!found.is_empty()).then_some(found)
}

/// The text that was meant where UTF-8 was read as Latin-1 (`Ã©` for `é`), if it was.
pub(super) fn misread(text: &str) -> Option<String> {
    // A lead byte and a tail byte, each written as a character of two bytes.
    let bytes = text.as_bytes();
    let is_pair = |at: usize| matches!(bytes.get(at..), Some([0xc3, 0x82..=0xb4, 0xc2, ..]));
    if !memchr::memchr_iter(0xc3, bytes).any(is_pair) {
        return None;
    }
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
    match letters {
        [0, ..] => {}
        [one, 0, _] => to.push(one),
        _ => to.extend(letters.into_iter().take_while(|&b| b != 0)),
    }
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

/// Two readings of up to three letters each, 24 bits a reading, and whether the character is inert.
fn compute(c: char) -> u64 {
    if is_invisible(c) {
        return 0;
    }
    let stays = is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes && canonical_combining_class(c) == 0;
    let inert = if stays { INERT } else { 0 };
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
    let separates = [first, second].iter().all(|reading| *reading == [SEPARATOR, 0, 0]);
    let mute = if stays && separates && c >= NO_BYTE { MUTE } else { 0 };
    pack(first) | pack(second) << 24 | inert | mute
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

/// Letters that are drawn as a form of an ASCII letter without Unicode saying so, each with that letter.
const SMALL_CAPITALS: &str = "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpꞯqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzᴌlᴎnᴙrᴚr";
const TURNED: &str = "ɐaɔcǝeɟfƃgɥhᴉiɾjʞkɯmɹrʇtʌvʍwʎyꞁl";
const OTHER: &str = "тtкkнhвbмmгrпnдdлlиnеeѕsꙅsʗcӀlꓑpꓣrꓳoꓓdꓴuꓚcꓔtꓲiꓠnꓮaꓢs˛iͺi𐔜c";

/// Small capitals, letters in filled circles and squares, regional indicators, letters turned upside down.
fn drawn(c: char) -> Option<u8> {
    static PAIRS: LazyLock<Vec<(char, u8)>> = LazyLock::new(|| {
        let chars: Vec<char> = [SMALL_CAPITALS, TURNED, OTHER].into_iter().flat_map(str::chars).collect();
        let mut pairs: Vec<(char, u8)> = chars.chunks_exact(2).map(|pair| (pair[0], pair[1] as u8)).collect();
        pairs.sort_unstable();
        pairs
    });
    let block = |start: char| Some(b'a' + ((c as u32 - start as u32) % 26) as u8);
    match c {
        '🅐'..='🅩' => block('🅐'),
        '🅰'..='🆉' => block('🅰'),
        '🇦'..='🇿' => block('🇦'),
        _ => {
            let at = PAIRS.binary_search_by_key(&c, |(from, _)| *from).ok()?;
            Some(PAIRS[at].1)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn each_drawn_letter_is_one_letter() {
        for list in [SMALL_CAPITALS, TURNED, OTHER] {
            let chars: Vec<char> = list.chars().collect();
            for pair in chars.chunks(2) {
                assert_eq!(drawn(pair[0]), Some(pair[1] as u8), "{}", pair[0]);
            }
        }
        assert_eq!((drawn('a'), drawn('生'), drawn('🅩'), drawn('🇦')), (None, None, Some(b'z'), Some(b'a')));
    }

    #[test]
    fn what_is_muted_separates_and_what_says_anything_is_kept() {
        assert_eq!(muted("a生\u{e000}b가"), "a\x7f\x7fb\x7f");
        for kept in ["é", "Ａ", "Р", "\u{301}", "\u{200b}", "\u{e0041}", "①", "©", "ᴀ", "\u{85}", "ﬁ"]
        {
            assert_eq!(muted(kept), kept);
        }
        // Every character: muted or not, it reads as before.
        for c in (0x80..0x11_0000).filter_map(char::from_u32) {
            let text = format!("x{c}y");
            if muted(&text) != text {
                let reading = read(&text);
                assert_eq!((reading.first, reading.second), (b"x\x01y".to_vec(), None), "{c:?}");
                assert_eq!(
                    (plain(&text).as_ref(), tag_text(&text), misread(&text)),
                    (text.as_str(), None, None)
                );
            }
        }
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
        for (text, read) in [
            ("é生", "é生"),
            ("生e\u{301}x", "生éx"),
            ("e\u{301}", "é"),
            ("x生\u{ff21}", "x生A"),
            ("\u{1100}\u{1161}a", "가a"),
        ] {
            assert_eq!(plain(text), read, "{text}");
        }
    }

    /// Characters that normalisation moves, joins, splits or drops, and some that it leaves alone.
    const MOVED: &str = "ab é生\u{301}\u{327}\u{315}Ａﬁ\u{1100}\u{1161}\u{11a8}가\u{ad}\u{200b}Å\u{212b}ǆ½①\u{0344}\u{fe0f}\u{e0041}\u{1d15e}ÃÂ©\u{82}\u{fffd}\u{d4db}ｶ\u{ff9e}";

    proptest! {
        #[test]
        fn what_is_normalised_piece_by_piece_is_what_is_normalised_at_once(
            chosen in proptest::collection::vec(0..MOVED.chars().count(), 0..12),
            any in "\\PC{0,6}",
        ) {
            let mut text: String = chosen.iter().filter_map(|&n| MOVED.chars().nth(n)).collect();
            text.push_str(&any);
            prop_assert_eq!(plain(&text), visible(&text).collect::<String>());
        }

        #[test]
        fn nothing_was_misread_where_no_two_bytes_of_a_character_stand(
            chosen in proptest::collection::vec(0x80u32..0x100, 0..4), tail in "[a生]{0,2}",
        ) {
            let text: String = chosen.iter().filter_map(|&n| char::from_u32(n)).chain(tail.chars()).collect();
            let bytes: Vec<u8> = chosen.iter().map(|&n| n as u8).collect();
            let meant = String::from_utf8_lossy(&bytes).chars().any(|c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER);
            prop_assert_eq!(misread(&text).is_some(), meant);
        }
    }
}
