//! The mutation corpus: every disguise in every encoding in every channel is refused, its benign twin accepted, and
//! a gate that knows no token would refuse none of them.

use super::disguises::{DISGUISES, ENCODINGS, Way};
use super::*;
use crate::policy::Claims;

const TOKENS: [&str; 3] = ["PRODUCTION_PASS", "REAL_RUN_PASS", "CUTOVER_PASS"];
/// As long, of the same letters as far as possible, and no claim.
const TWINS: [&str; 3] = ["PRODUCTION_PLAN", "REAL_ROWS_PASS", "CUTOUTS_PASS"];
const PLAIN: Way = ("plain", |t| t.to_owned());

/// Channels where everything is looked for.
const STRICT: [Channel<'static>; 7] = [
    Channel::PacketFile { path: "notes.md" },
    Channel::Statement,
    Channel::RefName,
    Channel::TagName,
    Channel::TagMessage,
    Channel::Note,
    Channel::PushOption,
];
/// Channels where tokens are looked for.
const SHORT: [Channel<'static>; 4] =
    [Channel::FileName, Channel::CommitMessage, Channel::Identity, Channel::Header];

fn gate() -> Gate {
    Gate::new(&Policy::default_policy())
}

/// The control: a gate that looks for nothing.
fn blind() -> Gate {
    let none = Claims {
        tokens: vec![],
        phrases: vec![],
        subjects: vec![],
        verdicts: vec![],
        verdict_words: vec![],
        fillers: vec![],
        prepositions: vec![],
        benign: vec![],
        vocabulary: vec![],
        scope_keys: vec![],
    };
    Gate {
        finder: Finder::new(&none),
        words: Words::new(&none),
        policy: Policy::default_policy(),
        runs: Memory::default(),
        clean: Known::default(),
    }
}

fn claims(gate: &Gate, channel: Channel<'_>, text: &str) -> bool {
    gate.scan("x", channel, text.as_bytes()).has(Code::ClaimFound)
}

/// Encodings around nothing, and one around each.
fn ways(outer: &'static [Way]) -> impl Iterator<Item = &'static Way> {
    std::iter::once(&PLAIN).chain(outer)
}

fn sentence(text: &str) -> String {
    format!("note: {text} (end)")
}

#[test]
fn every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not() {
    let (gate, blind) = (gate(), blind());
    let (mut missed, mut wrong, mut cases) = (Vec::new(), Vec::new(), 0u32);
    for (token, twin) in TOKENS.iter().zip(TWINS) {
        for (disguise, disguised) in DISGUISES {
            // One token shows every encoding, the others that the tokens do not matter.
            let encodings = if *token == TOKENS[0] { ENCODINGS } else { &ENCODINGS[..1] };
            for (encoding, encoded) in ways(encodings) {
                let bad = sentence(&encoded(&disguised(token)));
                let good = sentence(&encoded(&disguised(twin)));
                // Decoding is the same in every channel: an encoding in every third one shows it.
                let step = if *encoding == "plain" { 1 } else { 4 };
                for channel in STRICT.iter().chain(&SHORT).step_by(step) {
                    cases += 1;
                    if !claims(&gate, *channel, &bad) {
                        missed.push(format!("{channel:?} · {encoding}({disguise}({token})) · {bad}"));
                    }
                    if !gate.scan("x", *channel, good.as_bytes()).accepted() {
                        wrong.push(format!("{channel:?} · {encoding}({disguise}({twin})) · {good}"));
                    }
                    assert!(!claims(&blind, *channel, &bad), "a blind gate refuses nothing");
                }
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
    assert!(missed.is_empty(), "{} of {cases} missed:\n{}", missed.len(), first(&missed));
    assert!(wrong.is_empty(), "{} of {cases} twins refused:\n{}", wrong.len(), first(&wrong));
}

#[test]
fn an_encoding_within_an_encoding_is_refused_and_its_twin_is_not() {
    let gate = gate();
    let channel = Channel::PacketFile { path: "notes.md" };
    let (mut missed, mut wrong, mut cases) = (Vec::new(), Vec::new(), 0u32);
    for (outer, outside) in ENCODINGS {
        for (inner, inside) in ENCODINGS {
            for (disguise, disguised) in DISGUISES.iter().step_by(13) {
                let bad = sentence(&outside(&inside(&disguised(TOKENS[0]))));
                let good = sentence(&outside(&inside(&disguised(TWINS[0]))));
                cases += 1;
                // Five layers are one more than the gate takes away: that is undecidable, and refused as well.
                if gate.scan("x", channel, bad.as_bytes()).accepted() {
                    missed.push(format!("{outer}({inner}({disguise})) · {bad}"));
                }
                let twin = gate.scan("x", channel, good.as_bytes());
                if twin.has(Code::ClaimFound) {
                    wrong.push(format!("{outer}({inner}({disguise})) · {:?}", twin.reasons()));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} of {cases} missed:\n{}", missed.len(), first(&missed));
    assert!(wrong.is_empty(), "{} of {cases} twins refused:\n{}", wrong.len(), first(&wrong));
}

fn first(cases: &[String]) -> String {
    let cut = |case: &String| case.chars().take(160).collect::<String>();
    cases.iter().map(cut).take(60).collect::<Vec<_>>().join("\n")
}
