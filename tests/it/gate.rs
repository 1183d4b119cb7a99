//! The claim gate over real files, every look-alike letter, and input that was made to exhaust it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use fix7_ledger::judge::gate::{Channel, Gate};
use fix7_ledger::policy::Policy;
use fix7_ledger::verdict::Code;
use proptest::prelude::*;

use crate::harness::corpora;

fn gate() -> Gate {
    Gate::new(&Policy::default_policy())
}

fn files_below(dir: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files_below(&path, extension, into),
            false if path.extension().is_some_and(|e| e == extension) => into.push(path),
            false => {}
        }
    }
}

#[test]
fn real_sql_makes_no_claim() {
    let Some(corpora) = corpora("real_sql_makes_no_claim") else { return };
    let mut files = Vec::new();
    files_below(&corpora.join("migrations"), "sql", &mut files);
    files_below(&corpora.join("directus"), "sql", &mut files);
    assert!(files.len() > 200, "{} files of SQL", files.len());
    let gate = gate();
    let mut refused = Vec::new();
    for path in &files {
        let bytes = fs::read(path).expect("a readable file");
        for channel in [Channel::PacketFile { path: "plan/up.sql" }, Channel::File { path: "up.sql" }] {
            let verdict = gate.scan(&path.display().to_string(), channel, &bytes);
            refused.extend(verdict.reasons().iter().map(|r| r.to_string()));
        }
    }
    assert!(refused.is_empty(), "{} of {} files:\n{}", refused.len(), files.len(), refused.join("\n"));
}

#[test]
fn real_databases_on_ordinary_refs_make_no_claim() {
    let Some(corpora) = corpora("real_databases_on_ordinary_refs_make_no_claim") else { return };
    let gate = gate();
    let mut seen = 0;
    for entry in fs::read_dir(corpora.join("databases")).expect("the databases") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a readable file");
        let verdict = gate.scan(&path.display().to_string(), Channel::File { path: "x.db" }, &bytes);
        assert!(verdict.accepted(), "{:?}", verdict.reasons());
        seen += 1;
    }
    assert!(seen > 10, "{seen} databases");
}

/// Longest time for one scan of the inputs below, unoptimised and on a busy machine: what is not bounded takes
/// minutes.
const BOUND: Duration = Duration::from_secs(60);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn what_is_made_to_exhaust_the_gate_is_bounded() {
    let gate = gate();
    let nested = (0..12).fold("nothing to see here".to_owned(), |text, _| BASE64.encode(text.as_bytes()));
    let bomb = BASE64.encode(&gzip(&vec![b'a'; 64 << 20]));
    let bombs = BASE64.encode(&gzip(&gzip(&vec![b'a'; 64 << 20])));
    let half = 256 << 10;
    let inputs: BTreeMap<&str, (String, Option<Code>)> = BTreeMap::from([
        ("nested base64", (nested, Some(Code::Undecidable))),
        ("a gzip bomb", (bomb, Some(Code::Undecidable))),
        ("a bomb of bombs", (bombs, Some(Code::Undecidable))),
        ("deep JSON", ("[".repeat(half), None)),
        ("deep JSON of texts", ("[\"".repeat(half), None)),
        ("objects without end", ("{\"a\":".repeat(half / 5), None)),
        ("subjects", ("production ".repeat(half / 11), None)),
        ("subjects and fillers", ("prod is is is ".repeat(half / 14), None)),
        ("a gap", (format!("production{}pazz", " ".repeat(half)), None)),
        ("prepositions", ("for production ".repeat(half / 15), None)),
        ("backslashes", ("\\".repeat(half), None)),
        ("percent signs", ("%25".repeat(half / 3), None)),
        ("entities", ("&amp;".repeat(half / 5), None)),
        ("base64 letters", ("QUJD".repeat(half / 4), None)),
        ("hexadecimal digits", ("4a".repeat(half / 2), None)),
        ("numbers", ("80 ".repeat(half / 3), None)),
        ("quotes", ("\"".repeat(half), None)),
        ("invisible", ("\u{200b}".repeat(half / 3), None)),
        ("Latin-1", ("\u{c3}\u{a9}".repeat(half / 4), None)),
        ("full width", ("Ａ".repeat(half / 3), None)),
    ]);
    for (name, (text, expected)) in inputs {
        let start = Instant::now();
        let verdict = gate.scan(name, Channel::PacketFile { path: "x.md" }, text.as_bytes());
        let took = start.elapsed();
        assert!(took < BOUND, "{name}: {took:?}");
        assert!(!verdict.has(Code::ClaimFound), "{name}: {:?}", verdict.reasons());
        if let Some(code) = expected {
            assert!(verdict.has(code), "{name}: {:?}", verdict.reasons());
        }
        gate.scan(name, Channel::File { path: "x" }, text.as_bytes());
        assert!(start.elapsed() < 2 * BOUND, "{name} on an ordinary ref");
    }
}

#[test]
fn what_cannot_be_looked_into_is_refused_in_a_packet_and_let_through_on_an_ordinary_ref() {
    let gate = gate();
    let zip = format!("data: {}", BASE64.encode(b"PK\x03\x04 a packed file \x00\x01"));
    let deep = (0..6).fold("harmless words only".to_owned(), |text, _| BASE64.encode(text.as_bytes()));
    let plain = BASE64.encode(b"harmless words only");
    for text in [&zip, &deep] {
        let packet = gate.scan("x", Channel::PacketFile { path: "x.md" }, text.as_bytes());
        assert!(packet.has(Code::Undecidable) && !packet.has(Code::ClaimFound));
        assert!(gate.scan("x", Channel::File { path: "x" }, text.as_bytes()).accepted());
    }
    assert!(gate.scan("x", Channel::PacketFile { path: "x.md" }, plain.as_bytes()).accepted());
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
        proptest::sample::select(vec![
            "PRODUCTION",
            "_PASS",
            "\\u00",
            "\\x5",
            "%",
            "%2",
            "&#",
            "&#x",
            ";",
            "{\"",
            "\":",
            "[",
            "]",
            "}",
            "H4sI",
            "eJw",
            "\\",
            "=\n",
            "prod",
            " is ",
            "for ",
            "0x",
            "\u{202e}",
            "\u{e0050}",
            "P\u{0}",
            "\u{1f1f5}",
            "ﬀ",
            "=",
            "78da",
            "1f8b08",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_gate_panic_or_change_its_mind(bytes in pieces()) {
        let gate = gate();
        for channel in [
            Channel::File { path: "README.md" },
            Channel::PacketFile { path: "rehearsal-bad-input-probes.json" },
            Channel::EntryMessage,
            Channel::RefName,
        ] {
            let verdict = gate.scan("x", channel, &bytes);
            prop_assert_eq!(&verdict, &gate.scan("x", channel, &bytes));
        }
    }

    #[test]
    fn a_token_is_found_in_any_surroundings(before in "[ -~\n]{0,60}", after in "[ -~\n]{0,60}") {
        let text = format!("{before} CUTOVER_PASS {after}");
        let verdict = gate().scan("x", Channel::PacketFile { path: "x.md" }, text.as_bytes());
        prop_assert!(verdict.has(Code::ClaimFound), "{:?}", verdict.reasons());
    }
}
