//! What differs between a derived file and the one found, and what that means.
//!
//! Owns: the first differences by JSON pointer or line, and the code for each place. Must not: repeat a
//! secret, or more of a hostile file than a line.

use serde_json::Value;

use crate::judge::secret;
use crate::packet::{BLOCKERS, CI, DECISION, PROBES, README, SURFACES, VALIDATOR};
use crate::verdict::{Code, Reason, Verdict};

/// Most differences named for one file: a file that differs everywhere is named, not listed.
const MAX_NAMED: usize = 8;
/// Longest value quoted, in characters.
const MAX_QUOTED: usize = 100;

/// What a difference at a place of a document means; the longest beginning decides.
const MEANINGS: &[(&str, &str, Code)] = &[
    (DECISION, "/final_status", Code::ScopeLift),
    (DECISION, "/packet/scope", Code::ScopeLift),
    (DECISION, "/packet/kind", Code::ScopeLift),
    (DECISION, "/decision", Code::NotOnHold),
    (DECISION, "/production_state", Code::NotOnHold),
    (DECISION, "/authorizes", Code::NotOnHold),
    (DECISION, "/hold", Code::NotOnHold),
    (DECISION, "/flags", Code::NotOnHold),
    (DECISION, "/boundary", Code::BoundaryBroken),
    (BLOCKERS, "", Code::BlockersInvalid),
    (CI, "", Code::CiUnknownInvalid),
    (SURFACES, "", Code::SurfaceNotProven),
    (PROBES, "", Code::ProbesIncomplete),
    (VALIDATOR, "/selftest", Code::SelftestBroken),
    (VALIDATOR, "/validator", Code::ExecutorNotPinned),
];

/// Compares two JSON files: every difference of the found one, with the code of its place.
pub fn json(path: &str, derived: &[u8], found: &[u8]) -> Verdict {
    let mut verdict = Verdict::default();
    if derived == found {
        return verdict;
    }
    let read = |bytes: &[u8]| crate::canon::from_slice::<Value>(bytes);
    match (read(derived), read(found)) {
        (Ok(derived), Ok(found)) => {
            let mut differences = Vec::new();
            differ("", Some(&derived), Some(&found), &mut differences);
            for (pointer, derived, found) in differences {
                let reason = Reason::new(meaning(path, &pointer), format_args!("{path}#{pointer}"));
                verdict.push(reason.values(quoted(&derived), quoted(&found)));
            }
        }
        (_, Err(e)) => verdict.push(Reason::new(Code::Malformed, path).found(quoted(&e.to_string()))),
        (Err(e), _) => verdict.push(Reason::new(Code::NotDerived, path).found(quoted(&e.to_string()))),
    }
    verdict
}

/// Compares two text files: the first line that differs.
pub fn text(path: &str, derived: &[u8], found: &[u8]) -> Verdict {
    if derived == found {
        return Verdict::default();
    }
    let (derived, found) = (String::from_utf8_lossy(derived), String::from_utf8_lossy(found));
    let mut pairs = derived
        .split_inclusive('\n')
        .map(Some)
        .chain(std::iter::repeat(None))
        .zip(found.split_inclusive('\n').map(Some).chain(std::iter::repeat(None)));
    let at = pairs.position(|(d, f)| d != f || d.is_none()).unwrap_or_default();
    let lines = (derived.split_inclusive('\n').nth(at), found.split_inclusive('\n').nth(at));
    let (expected, shown) = match lines {
        (Some(derived), Some(found)) => from_the_difference(derived, found),
        (derived, found) => (derived.unwrap_or("the end"), found.unwrap_or("the end")),
    };
    let code = match derived.split_inclusive('\n').nth(at).unwrap_or_default() {
        line if path == README && line.starts_with("Final status:") => Code::ScopeLift,
        line if path == README && line.contains("does not authorize") => Code::BoundaryBroken,
        line if path == README && line.contains("remains HOLD") => Code::NotOnHold,
        _ => Code::NotDerived,
    };
    let object = format!("{path}: line {}", at + 1);
    Reason::new(code, object).values(quoted(expected), quoted(shown)).into()
}

fn meaning(path: &str, pointer: &str) -> Code {
    let fits = |place: &&(&str, &str, Code)| place.0 == path && pointer.starts_with(place.1);
    let longest = MEANINGS.iter().filter(fits).max_by_key(|place| place.1.len());
    longest.map_or(Code::NotDerived, |place| place.2)
}

type Difference = (String, String, String);

fn differ(pointer: &str, derived: Option<&Value>, found: Option<&Value>, into: &mut Vec<Difference>) {
    if into.len() >= MAX_NAMED || derived == found {
        return;
    }
    match (derived, found) {
        (Some(Value::Object(d)), Some(Value::Object(f))) => {
            let mut keys: Vec<&String> = d.keys().chain(f.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let step: String =
                    key.replace('~', "~0").replace('/', "~1").chars().take(MAX_QUOTED).collect();
                differ(&format!("{pointer}/{}", step.escape_default()), d.get(key), f.get(key), into);
            }
        }
        (Some(Value::Array(d)), Some(Value::Array(f))) => {
            for at in 0..d.len().max(f.len()) {
                differ(&format!("{pointer}/{at}"), d.get(at), f.get(at), into);
            }
        }
        _ => {
            let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            into.push((pointer.to_owned(), text(derived), text(found)));
        }
    }
}

/// One line of a file that may be hostile: what is not printable ASCII escaped, cut, and no secret.
fn quoted(text: &str) -> String {
    if let Some(kind) = secret::in_argument(text) {
        return format!("({kind}, not repeated)");
    }
    let mut line = String::new();
    for c in text.trim_end_matches('\n').chars().take(MAX_QUOTED) {
        match c {
            ' '..='~' => line.push(c),
            _ => line.extend(c.escape_default()),
        }
    }
    line
}

/// Two lines from shortly before where they begin to differ.
fn from_the_difference<'a>(derived: &'a str, found: &'a str) -> (&'a str, &'a str) {
    let pairs = derived.char_indices().zip(found.chars());
    let same = pairs.take_while(|((_, d), f)| d == f).last().map_or(0, |((at, _), _)| at);
    let start = derived[..same].char_indices().rev().nth(MAX_QUOTED / 4).map_or(0, |(at, _)| at);
    (&derived[start..], &found[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(verdict: &Verdict) -> (Code, &str) {
        let reason = &verdict.reasons()[0];
        (reason.code, reason.object.as_str())
    }

    #[test]
    fn a_difference_is_named_by_its_pointer_and_means_what_its_place_says() {
        let derived = br#"{"a":[1,2],"authorizes":[],"boundary":{"text":"x"}}"#;
        assert!(json(DECISION, derived, derived).accepted());
        for (found, expected) in [
            (
                &br#"{"a":[1,3],"authorizes":[],"boundary":{"text":"x"}}"#[..],
                (Code::NotDerived, "production-decision-packet.json#/a/1"),
            ),
            (
                br#"{"a":[1,2],"authorizes":["p"],"boundary":{"text":"x"}}"#,
                (Code::NotOnHold, "production-decision-packet.json#/authorizes/0"),
            ),
            (
                br#"{"a":[1,2],"authorizes":[],"boundary":{"text":"y"}}"#,
                (Code::BoundaryBroken, "production-decision-packet.json#/boundary/text"),
            ),
            (
                br#"{"a":[1,2],"authorizes":[],"b":0,"boundary":{"text":"x"}}"#,
                (Code::NotDerived, "production-decision-packet.json#/b"),
            ),
            (br#"{"a": [1,2]}"#, (Code::Malformed, "production-decision-packet.json")),
        ] {
            assert_eq!(object(&json(DECISION, derived, found)), expected);
        }
        assert_eq!(object(&json(CI, b"{\"a\":1}", b"{\"a\":2}")).0, Code::CiUnknownInvalid);
    }

    #[test]
    fn a_text_is_named_by_its_first_line_that_differs() {
        let derived = b"one\nFinal status: A\nproduction remains HOLD\n";
        assert!(text(README, derived, derived).accepted());
        for (found, expected) in [
            (&b"one\nFinal status: B\nproduction remains HOLD\n"[..], (Code::ScopeLift, "README.md: line 2")),
            (b"one\nFinal status: A\nproduction is free\n", (Code::NotOnHold, "README.md: line 3")),
            (
                b"one\nFinal status: A\nproduction remains HOLD\nmore\n",
                (Code::NotDerived, "README.md: line 4"),
            ),
            (b"one\nFinal status: A\nproduction remains HOLD", (Code::NotOnHold, "README.md: line 3")),
            (b"one\r\nFinal status: A\nproduction remains HOLD\n", (Code::NotDerived, "README.md: line 1")),
        ] {
            assert_eq!(object(&text(README, derived, found)), expected);
        }
    }

    #[test]
    fn a_secret_in_a_changed_file_is_not_repeated() {
        let found = format!("{{\"a\":\"postgres://u:{}@h/d\"}}", "pw7");
        assert!(!format!("{:?}", json(CI, b"{\"a\":1}", found.as_bytes())).contains("pw7"));
    }

    #[test]
    fn a_changed_line_is_shown_from_shortly_before_the_change_escaped_and_cut() {
        let far = "x".repeat(60);
        let of = |derived: String, found: String| {
            let verdict = text("notes.md", derived.as_bytes(), found.as_bytes());
            let reason = verdict.reasons()[0].clone();
            (reason.expected.expect("a value"), reason.found.expect("a value"))
        };
        assert_eq!(of("one\n".into(), "two\tü\n".into()), ("one".into(), "two\\t\\u{fc}".into()));
        let kept = &far[..MAX_QUOTED / 4 + 1];
        assert_eq!(of(format!("{far}a\n"), format!("{far}b\n")), (format!("{kept}xa"), format!("{kept}xb")));
        let long = of(format!("a{}\n", "y".repeat(200)), "b\n".into());
        assert_eq!(long, (format!("a{}", "y".repeat(MAX_QUOTED - 1)), "b".into()));
    }
}
