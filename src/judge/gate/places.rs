//! Places: where a token is a mention, not a claim.
//!
//! Owns: blanking what the policy's typed places and the statement's declared mentions allow, before anything is
//! looked for. Must not: understand prose: a sentence that denies a claim is a claim.
//!
//! Blanking keeps every offset and line. Spaces separate nothing for the gate, so what stood around a mention
//! cannot hide behind it.

use super::json::{self, Visitor};
use crate::policy::{Place, Policy};
use crate::statement::Mention;

/// Longest text in bytes that a place for any text takes: a mention is a few words.
const MAX_ANY_TEXT: usize = 200;

/// `bytes` of the file `name` without what the policy lets stand there.
pub(super) fn without_typed(policy: &Policy, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if name == "policy.toml" && Policy::parse(bytes).is_ok() {
        // Its lists are the rules themselves; its comments are prose.
        return Some(comments(bytes));
    }
    let mut places = policy.mentions().iter().filter(|place| place.file == name).peekable();
    places.peek()?;
    let mut blanked = bytes.to_vec();
    for place in places {
        match &place.at {
            Some(pointer) => {
                for (at, end) in values_at(policy, place, pointer, bytes) {
                    blanked[at..end].fill(b' ');
                }
            }
            None => place.texts.iter().for_each(|text| blank(&mut blanked, text.as_bytes())),
        }
    }
    Some(blanked)
}

/// `bytes` without the declared mentions; or the first of them that is not what it says.
pub(super) fn without_declared<'m>(
    bytes: &mut [u8],
    mentions: &[&'m Mention],
    is_claim: impl Fn(&[u8]) -> bool,
) -> Result<(), (&'m Mention, &'static str)> {
    for mention in mentions {
        let token = mention.token.as_bytes();
        if token.len() > MAX_ANY_TEXT || !is_claim(token) {
            return Err((mention, "the token is not one that the gate would refuse"));
        }
        let mut lines = bytes.split_mut(|&b| b == b'\n');
        let number = usize::try_from(mention.line).ok().and_then(|line| line.checked_sub(1));
        let line =
            number.and_then(|number| lines.nth(number)).ok_or((*mention, "the file has no such line"))?;
        if !line.windows(token.len()).any(|window| window == token) {
            return Err((mention, "the token does not stand on that line"));
        }
        blank(line, token);
    }
    Ok(())
}

fn blank(bytes: &mut [u8], text: &[u8]) {
    let found: Vec<usize> = memchr::memmem::find_iter(bytes, text).collect();
    for at in found {
        bytes[at..at + text.len()].fill(b' ');
    }
}

/// The comments of a TOML document whose texts stand on one line each; everything else is blank.
fn comments(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b' '; bytes.len()];
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], quote) {
            (b'\n', _) => {
                out[at] = b'\n';
                quote = None;
            }
            (b'\\', Some(b'"')) => at += 1,
            (b, Some(q)) if b == q => quote = None,
            (b @ (b'"' | b'\''), None) => quote = Some(b),
            (b'#', None) => {
                let end = bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| at + n);
                out[at..end].copy_from_slice(&bytes[at..end]);
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

fn values_at(policy: &Policy, place: &Place, pointer: &str, bytes: &[u8]) -> Vec<(usize, usize)> {
    let wanted: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut finder = ValueFinder { wanted, path: Vec::new(), found: Vec::new() };
    json::walk(bytes, &mut finder);
    let claims = policy.claims();
    let allowed = |raw: &[u8]| {
        let any = raw.len() <= MAX_ANY_TEXT && place.texts.iter().any(|text| text == "*");
        any || place.texts.iter().chain(&claims.tokens).any(|text| text.as_bytes() == raw)
    };
    finder.found.into_iter().filter(|&(at, end)| allowed(&bytes[at..end])).collect()
}

/// A member's name, or an item of an array.
enum Step {
    Member(Vec<u8>),
    Item,
}

struct ValueFinder<'a> {
    wanted: Vec<&'a str>,
    path: Vec<Step>,
    found: Vec<(usize, usize)>,
}

impl Visitor for ValueFinder<'_> {
    fn open(&mut self) {
        self.path.push(Step::Item);
    }

    fn close(&mut self) {
        self.path.pop();
    }

    fn key(&mut self, raw: &[u8]) {
        if let Some(step) = self.path.last_mut() {
            *step = Step::Member(raw.to_vec());
        }
    }

    fn text(&mut self, raw: &[u8], at: usize) {
        let fits = |(step, wanted): (&Step, &&str)| match step {
            Step::Member(name) => *wanted == "*" || name == wanted.as_bytes(),
            Step::Item => *wanted == "*",
        };
        if self.path.len() == self.wanted.len() && self.path.iter().zip(&self.wanted).all(fits) {
            self.found.push((at, at + raw.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, text: &str) -> Option<String> {
        without_typed(&Policy::default_policy(), name, text.as_bytes())
            .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn a_typed_place_takes_its_own_texts_and_no_others() {
        let probes = "rehearsal-bad-input-probes.json";
        let blanked =
            typed(probes, r#"{"leak":{"tokens":["CUTOVER_PASS","x CUTOVER_PASS"]},"x":"CUTOVER_PASS"}"#);
        let expected = r#"{"leak":{"tokens":["            ","x CUTOVER_PASS"]},"x":"CUTOVER_PASS"}"#;
        assert_eq!(blanked.as_deref(), Some(expected));
        let id = r#"{"probes":[{"id":"production-PASS-from-rehearsal","input":"production-PASS-from-rehearsal"}]}"#;
        let blanked = typed(probes, id).expect("a typed file");
        assert_eq!(blanked.matches("production-PASS").count(), 1);
        assert_eq!(typed("other.json", id), None);
        let line = "no PRODUCTION_PASS / REAL_RUN_PASS / CUTOVER_PASS / seal-like token leaked";
        assert_eq!(typed("README.md", line).expect("a typed file").trim(), "");
        assert_ne!(typed("README.md", &line.to_lowercase()).expect("a typed file").trim(), "");
    }

    #[test]
    fn the_policy_itself_is_read_by_its_comments() {
        let text = std::str::from_utf8(Policy::DEFAULT).expect("UTF-8");
        let blanked = typed("policy.toml", text).expect("a typed file");
        assert!(blanked.contains("# The default policy") && !blanked.contains("PRODUCTION_PASS"));
        let with = text.replace("schema = 1", "schema = 1 # \"PRODUCTION_PASS\"");
        assert!(typed("policy.toml", &with).expect("a typed file").contains("PRODUCTION_PASS"));
        assert_eq!(typed("policy.toml", "PRODUCTION_PASS"), None);
    }

    #[test]
    fn a_declared_mention_must_be_what_it_says() {
        let mention = |line, token: &str| Mention {
            file: "plan/up.sql".to_owned(),
            line,
            token: token.to_owned(),
            reason: "a column of this name exists".to_owned(),
        };
        let is_claim = |token: &[u8]| token == b"CUTOVER_PASS";
        let text = b"a\nb CUTOVER_PASS c\n";
        let mut bytes = text.to_vec();
        without_declared(&mut bytes, &[&mention(2, "CUTOVER_PASS")], is_claim).expect("it stands there");
        assert_eq!(bytes, b"a\nb              c\n");
        for bad in [
            mention(1, "CUTOVER_PASS"),
            mention(9, "CUTOVER_PASS"),
            mention(0, "CUTOVER_PASS"),
            mention(2, "CUTOVER"),
        ] {
            assert!(without_declared(&mut text.to_vec(), &[&bad], is_claim).is_err());
        }
    }
}
