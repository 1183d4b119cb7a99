//! One text at a time: characters that look alike or are not seen, surroundings that break readers, encodings.

use std::fs;

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD, HEXLOWER};
use fix7_ledger::judge::gate::Channel;
use fix7_ledger::verdict::Code;
use naughty_strings::BLNS;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{Count, Look, gate};
use crate::harness::corpora;

/// Together they have every letter of the policy's tokens.
const TOKENS: [&str; 5] =
    ["PRODUCTION_PASS", "REAL_RUN_PASS", "CUTOVER_PASS", "PRODUCTION_CERTIFIED", "REAL_RUN_APPROVED"];

/// Every confusable of the official table that is like letters of a token, at each place where the token has them and
/// at all of them at once.
fn look_alikes(look: &dyn Look, table: &str) -> Count {
    let text = |field: &str| -> String {
        let code = |hex: &str| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        field.split_whitespace().filter_map(code).collect()
    };
    let (mut count, mut pairs) = (Count::default(), 0);
    for line in
        table.trim_start_matches('\u{feff}').lines().filter(|l| !l.starts_with('#') && l.contains(';'))
    {
        let mut fields = line.split(';');
        let (source, target) = (text(fields.next().unwrap_or("")), text(fields.next().unwrap_or("")));
        pairs += 1;
        let like: String =
            target.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        // What the target has besides marks and punctuation must be ASCII, else it is like another script's letter.
        let foreign = target.chars().any(|c| !c.is_ascii() && c.is_alphanumeric());
        if like.is_empty() || foreign || source.is_ascii() {
            continue;
        }
        // `I`, `l`, `1` and `|` are one class, as are `O` and `0`; `rn` stands for `m`, which no token has.
        let mut forms = vec![like.clone(), like.replace(['L', '1'], "I"), like.replace('0', "O")];
        forms.dedup();
        for form in forms {
            for token in TOKENS.iter().filter(|token| token.contains(&form)) {
                let places = token
                    .match_indices(&form)
                    .map(|(at, _)| format!("{}{source}{}", &token[..at], &token[at + form.len()..]));
                for written in places.chain([token.replace(&form, &source)]) {
                    let verdict = look.text(Channel::TagName, written.as_bytes());
                    count.refused(&verdict, Code::ClaimFound, || {
                        format!("{written} ({source:?}, like {like})")
                    });
                }
            }
        }
    }
    assert!(pairs > 6000, "{pairs} pairs");
    count
}

#[test]
fn a_token_with_any_one_look_alike_is_refused() {
    let Some(corpora) = corpora("a_token_with_any_one_look_alike_is_refused") else { return };
    let table = fs::read_to_string(corpora.join("vectors/confusables.txt")).expect("the table");
    look_alikes(&gate(), &table).told("look-alikes of UTS #39", "refused", 9_000);
    let blind = look_alikes(&super::Blind, &table);
    assert_eq!(blind.wrong.len(), blind.cases, "a blind gate refuses none");
    let twin = gate().text(Channel::TagName, "PR\u{43e}DUCTION_PLAN".as_bytes());
    assert!(twin.accepted(), "a look-alike alone is no claim");
}

/// Characters that no reader sees, by their property: marks, formats, what Unicode calls ignorable (the ranges of
/// DerivedCoreProperties.txt).
fn is_unseen(c: char) -> bool {
    const IGNORABLE: [(u32, u32); 17] = [
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfff8),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];
    let ignorable = IGNORABLE.iter().any(|(from, to)| (*from..=*to).contains(&(c as u32)));
    let category = c.general_category();
    ignorable
        || matches!(
            category,
            GeneralCategory::Format | GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        )
}

/// Every unseen character between the letters of a token.
pub fn unseen(look: &dyn Look) -> Count {
    let mut count = Count::default();
    for c in ('\u{80}'..=char::MAX).filter(|&c| is_unseen(c)) {
        let written: String = "CUTOVER_PASS".chars().flat_map(|letter| [letter, c]).collect();
        let verdict = look.text(Channel::TagName, written.as_bytes());
        count.refused(&verdict, Code::ClaimFound, || format!("U+{:04X}", c as u32));
    }
    count
}

#[test]
fn every_character_that_is_not_seen_is_read_over() {
    unseen(&gate()).told("unseen characters in a token", "refused", 5_000);
    let mut count = Count::default();
    for c in ('\u{80}'..=char::MAX).filter(|&c| is_unseen(c)) {
        let written: String = "CUTOUTS_PASS".chars().flat_map(|letter| [letter, c]).collect();
        count.passed(&gate_once().text(Channel::TagName, written.as_bytes()), || {
            format!("U+{:04X}", c as u32)
        });
    }
    count.told("unseen characters in its twin", "passed", 5_000);
}

fn gate_once() -> &'static fix7_ledger::judge::gate::Gate {
    static MADE: std::sync::OnceLock<fix7_ledger::judge::gate::Gate> = std::sync::OnceLock::new();
    MADE.get_or_init(gate)
}

/// A claim before, behind and between naughty strings.
pub fn naughty(look: &dyn Look) -> Count {
    let mut count = Count::default();
    for text in BLNS {
        for written in [
            format!("{text} CUTOVER_PASS"),
            format!("CUTOVER_PASS\n{text}"),
            format!("{text}\nCUTOVER_PASS {text}"),
        ] {
            for channel in [
                Channel::TagMessage,
                Channel::CommitMessage,
                Channel::File { path: "a.txt" },
                Channel::PacketFile { path: "a.md" },
            ] {
                let verdict = look.text(channel, written.as_bytes());
                count.refused(&verdict, Code::ClaimFound, || format!("{channel:?}: {written:?}"));
            }
        }
    }
    count
}

#[test]
fn a_claim_among_naughty_strings_is_refused_and_the_strings_alone_are_not() {
    naughty(&gate()).told("a claim among naughty strings", "refused", 6_000);
    let (gate, mut count) = (gate(), Count::default());
    for text in BLNS {
        for channel in [
            Channel::TagMessage,
            Channel::CommitMessage,
            Channel::Note,
            Channel::PushOption,
            Channel::Identity,
            Channel::FileName,
            Channel::File { path: "a.txt" },
        ] {
            count.passed(&gate.text(channel, text.as_bytes()), || format!("{channel:?}: {text:?}"));
        }
        let packet = gate.text(Channel::PacketFile { path: "a.md" }, text.as_bytes());
        assert!(!packet.has(Code::ClaimFound), "{text:?}");
    }
    count.told("naughty strings", "passed", 3_000);
}

/// Encodings of one layer each.
const LAYERS: [super::disguises::Way; 10] = [
    ("base64", |t| BASE64.encode(t.as_bytes())),
    ("base64url", |t| BASE64URL_NOPAD.encode(t.as_bytes())),
    ("base32", |t| BASE32.encode(t.as_bytes())),
    ("hex", |t| HEXLOWER.encode(t.as_bytes())),
    ("percent", |t| t.bytes().map(|b| format!("%{b:02x}")).collect()),
    ("decimal entities", |t| t.bytes().map(|b| format!("&#{b};")).collect()),
    ("JSON escapes", |t| t.bytes().map(|b| format!("\\u{b:04x}")).collect()),
    ("hexadecimal escapes", |t| t.bytes().map(|b| format!("\\x{b:02x}")).collect()),
    ("quoted-printable", |t| t.bytes().map(|b| format!("={b:02X}")).collect()),
    ("octal escapes", |t| t.bytes().map(|b| format!("\\{b:03o}")).collect()),
];
/// Layers that the default policy takes away (`limits.decode_depth`).
const DEPTH: usize = 4;

/// A text within as many layers as the limit allows: each encoding in itself, and each around and within base64.
fn layered(text: &str, depth: usize, mut told: impl FnMut(&str, String)) {
    for (name, write) in LAYERS {
        let same = (0..depth).fold(text.to_owned(), |text, _| write(&text));
        told(&same, format!("{name}, {depth} times"));
        let inner = (1..depth).fold(write(text), |text, _| BASE64.encode(text.as_bytes()));
        told(&inner, format!("{name} within {} times base64", depth - 1));
        let outer = write(&(1..depth).fold(text.to_owned(), |text, _| BASE64.encode(text.as_bytes())));
        told(&outer, format!("{name} around {} times base64", depth - 1));
    }
}

/// Channels where what is too deeply encoded is refused.
const STRICT: [Channel<'static>; 4] =
    [Channel::PacketFile { path: "a.md" }, Channel::TagMessage, Channel::Note, Channel::PushOption];

/// A claim within one to as many layers as are taken away.
pub fn nested(look: &dyn Look) -> Count {
    let mut count = Count::default();
    for depth in 1..=DEPTH {
        for channel in STRICT.iter().chain(&[Channel::CommitMessage, Channel::File { path: "a.txt" }]) {
            layered("CUTOVER_PASS", depth, |text, what| {
                if text.len() < 60_000 {
                    let verdict = look.text(*channel, text.as_bytes());
                    count.refused(&verdict, Code::ClaimFound, || format!("{channel:?}: {what}"));
                }
            });
        }
    }
    count
}

#[test]
fn one_encoding_more_than_the_limit_is_refused_as_undecidable() {
    nested(&gate()).told("a claim within encodings", "refused", 600);
    let (gate, mut over, mut within) = (gate(), Count::default(), Count::default());
    for channel in STRICT {
        layered("CUTOVER_PASS", DEPTH + 1, |text, what| {
            if text.len() < 60_000 {
                let verdict = gate.text(channel, text.as_bytes());
                over.refused(&verdict, Code::Undecidable, || format!("{channel:?}: {what}"));
                assert!(!verdict.has(Code::ClaimFound), "{what}: it is not read");
            }
        });
        // Deeper, what the offsets of a run make of it looks like one encoding too many often enough.
        layered("CUTOUTS_PASS", 2, |text, what| {
            if text.len() < 60_000 {
                within.passed(&gate.text(channel, text.as_bytes()), || format!("{channel:?}: {what}"));
            }
        });
    }
    over.told("a claim within one encoding too many", "refused as undecidable", 80);
    within.told("its twin within two encodings", "passed", 80);
}
