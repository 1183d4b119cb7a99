//! The quorum: whose cosignatures are enough (c2sp.org/tlog-policy).
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>…     witnesses and groups of the lines before, each a member at most once
//! quorum <name>|none                   exactly once
//! ```
//!
//! Witnesses of one organisation go into one group, so that no organisation alone makes a quorum: that is the answer
//! to a witness that colludes with an operator.
//!
//! The time of a quorum is the latest moment that enough of its members vouch for: of a group that needs k, the k-th
//! latest time of its members.
//!
//! ```
//! use fix7_ledger::tlog::quorum::TrustPolicy;
//! assert!(TrustPolicy::parse(b"# nobody needs to have cosigned\nquorum none\n").is_ok());
//! assert!(TrustPolicy::parse(b"quorum nobody\n").is_err(), "a name that no line before defines");
//! ```

use super::checkpoint::cosigned_at;
use super::note::{Note, Role, VerifierKey};
use super::{MAX_TEXT_BYTES, TlogError};
use crate::time::Timestamp;

/// Most logs, witnesses and groups together. Stops a policy that takes hours to evaluate.
pub const MAX_LINES: usize = 256;
/// How far ahead of the reader's clock a cosignature's time may be, in seconds.
pub const MAX_CLOCK_SKEW: i64 = 300;

/// Which logs are known, and whose cosignatures make a checkpoint valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<VerifierKey>,
    nodes: Vec<(Vec<u8>, Node)>,
    /// `None`: no cosignature is needed.
    quorum: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Witness(Box<VerifierKey>),
    /// How many of these members are needed.
    Group(usize, Vec<usize>),
}

/// What the cosignatures of a note come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Whether there are enough.
    pub reached: bool,
    /// The latest moment that a quorum vouches for; `None` where none is needed or reached.
    pub time: Option<Timestamp>,
    /// The witnesses that cosigned, and when.
    pub cosigned: Vec<(String, Timestamp)>,
    /// The witnesses that did not.
    pub missing: Vec<String>,
}

impl TrustPolicy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// Everything that the syntax does not allow, with its line.
    pub fn parse(bytes: &[u8]) -> Result<TrustPolicy, TlogError> {
        if bytes.len() > MAX_TEXT_BYTES {
            return Err(TlogError::OverLimit { limit: MAX_TEXT_BYTES, unit: "bytes" });
        }
        let mut policy = TrustPolicy { logs: Vec::new(), nodes: Vec::new(), quorum: None };
        let (mut quorum_lines, mut members) = (0, Vec::new());
        for line in bytes.split(|b| *b == b'\n') {
            if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
                return Err(refused("no control characters", line));
            }
            let words: Vec<&[u8]> =
                line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
            match words[..] {
                [] => {}
                [first, ..] if first.starts_with(b"#") => {}
                [b"log", key] | [b"log", key, _] => policy.log(key, line)?,
                [b"witness", name, key] | [b"witness", name, key, _] => policy.witness(name, key, line)?,
                [b"group", name, needed, ref names @ ..] if !names.is_empty() => {
                    policy.group(name, needed, names, &mut members, line)?;
                }
                [b"quorum", name] => {
                    quorum_lines += 1;
                    policy.quorum = match name {
                        b"none" => None,
                        _ => Some(policy.named(name, line)?),
                    };
                }
                _ => return Err(refused("a log, witness, group or quorum line", line)),
            }
            if policy.logs.len() + policy.nodes.len() > MAX_LINES {
                return Err(TlogError::OverLimit { limit: MAX_LINES, unit: "logs, witnesses and groups" });
            }
        }
        match quorum_lines {
            1 => Ok(policy),
            _ => Err(refused("exactly one quorum line", format!("{quorum_lines} of them").as_bytes())),
        }
    }

    /// The logs that are known.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses that are known.
    pub fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.nodes.iter().filter_map(|(_, node)| match node {
            Node::Witness(key) => Some(&**key),
            Node::Group(..) => None,
        })
    }

    /// Counts the cosignatures of a note as of `now`: a time that is further ahead than [`MAX_CLOCK_SKEW`] counts for
    /// nothing.
    ///
    /// # Errors
    /// A known witness' signature that does not hold: such a note is refused whole.
    pub fn evaluate(&self, note: &Note, now: Timestamp) -> Result<Quorum, TlogError> {
        let mut quorum = Quorum { reached: false, time: None, cosigned: Vec::new(), missing: Vec::new() };
        let mut times: Vec<Option<Timestamp>> = Vec::with_capacity(self.nodes.len());
        for (name, node) in &self.nodes {
            let time = match node {
                Node::Witness(key) => {
                    let ahead = now.unix_seconds().saturating_add(MAX_CLOCK_SKEW);
                    let time = cosigned_at(note, key)?.filter(|time| time.unix_seconds() <= ahead);
                    let name = String::from_utf8_lossy(name).into_owned();
                    match time {
                        Some(time) => quorum.cosigned.push((name, time)),
                        None => quorum.missing.push(name),
                    }
                    time
                }
                // Members stand on lines before, so their times are known.
                Node::Group(needed, members) => {
                    let mut known: Vec<Timestamp> = members.iter().filter_map(|m| times[*m]).collect();
                    known.sort_unstable_by(|a, b| b.cmp(a));
                    known.get(needed - 1).copied()
                }
            };
            times.push(time);
        }
        quorum.time = self.quorum.and_then(|at| times[at]);
        quorum.reached = self.quorum.is_none() || quorum.time.is_some();
        Ok(quorum)
    }

    fn log(&mut self, key: &[u8], line: &[u8]) -> Result<(), TlogError> {
        let key = verifier(key, Role::Log, line)?;
        if self.logs.iter().any(|known| known.public() == key.public()) {
            return Err(refused("each log key once", line));
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], line: &[u8]) -> Result<(), TlogError> {
        let key = verifier(key, Role::Witness, line)?;
        if self.witnesses().any(|known| known.public() == key.public()) {
            return Err(refused("each witness key once", line));
        }
        self.define(name, Node::Witness(Box::new(key)), line)
    }

    fn group(
        &mut self,
        name: &[u8],
        needed: &[u8],
        names: &[&[u8]],
        members: &mut Vec<usize>,
        line: &[u8],
    ) -> Result<(), TlogError> {
        let mut own = Vec::with_capacity(names.len());
        for member in names {
            let member = self.named(member, line)?;
            if members.contains(&member) {
                return Err(refused("each name a member at most once", line));
            }
            members.push(member);
            own.push(member);
        }
        let needed = match needed {
            b"all" => own.len(),
            b"any" => 1,
            digits => {
                let text = std::str::from_utf8(digits).unwrap_or_default();
                let number = text.parse().ok().filter(|n: &usize| n.to_string() == text);
                number
                    .filter(|n| (1..=own.len()).contains(n))
                    .ok_or_else(|| refused("all, any, or a number from 1 to that of the members", line))?
            }
        };
        self.define(name, Node::Group(needed, own), line)
    }

    fn define(&mut self, name: &[u8], node: Node, line: &[u8]) -> Result<(), TlogError> {
        if name == b"none" || self.nodes.iter().any(|(known, _)| known == name) {
            return Err(refused("a name that is not taken", line));
        }
        self.nodes.push((name.to_vec(), node));
        Ok(())
    }

    fn named(&self, name: &[u8], line: &[u8]) -> Result<usize, TlogError> {
        let found = self.nodes.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| refused("names that lines before define", line))
    }
}

fn verifier(key: &[u8], role: Role, line: &[u8]) -> Result<VerifierKey, TlogError> {
    let text = std::str::from_utf8(key).map_err(|_| refused("a verifier key", line))?;
    let key: VerifierKey = text.parse()?;
    match key.role() == role {
        true => Ok(key),
        false => Err(refused("a log's key of type 0x01, a witness' of type 0x04", line)),
    }
}

fn refused(expected: &'static str, line: &[u8]) -> TlogError {
    TlogError::malformed("policy line", expected, &String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::keys::{SecretKey, Signer};
    use crate::tlog::checkpoint::{Checkpoint, cosign, sign};

    fn signer(seed: u8) -> Signer<'static> {
        SecretKey::from_seed(&[seed; 32]).into()
    }

    fn witness(seed: u8) -> String {
        VerifierKey::new("w", Role::Witness, signer(seed).public()).expect("a key").to_string()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).expect("in range")
    }

    /// Witnesses a, b of one house and c, d of another: two of the first and one of the second.
    fn houses() -> String {
        let lines =
            ["a", "b", "c", "d"].iter().zip(2..).map(|(n, s)| format!("witness {n} {}\n", witness(s)));
        lines.collect::<String>()
            + "group X all a b\ngroup\tY any c d\n  # both\ngroup both all X Y\nquorum both\n"
    }

    fn quorum(policy: &str, cosigned: &[(u8, i64)]) -> Quorum {
        let head = Checkpoint::new("log", 1, Digest::of(b"x")).expect("a head");
        let mut note = sign(&head, &signer(1)).expect("signed");
        for (seed, time) in cosigned {
            note.add(cosign(&head, "w", &signer(*seed), at(*time)).expect("cosigned")).expect("room");
        }
        TrustPolicy::parse(policy.as_bytes()).expect("a policy").evaluate(&note, at(1000)).expect("evaluated")
    }

    #[test]
    fn one_house_alone_is_no_quorum() {
        assert!(!quorum(&houses(), &[(2, 10), (3, 20)]).reached, "both of the first house");
        assert!(!quorum(&houses(), &[(2, 10), (4, 20), (5, 20)]).reached, "one of it is not enough");
        let reached = quorum(&houses(), &[(2, 10), (3, 20), (5, 30)]);
        assert!(reached.reached);
        assert_eq!(reached.time, Some(at(10)), "all of them vouch for the earliest of their times");
        assert_eq!(reached.missing, ["c"]);
        assert!(quorum("quorum none\n", &[]).reached);
        assert!(!quorum(&houses(), &[(2, 10), (3, 20), (5, 1301)]).reached, "a time that has not come");
    }

    #[test]
    fn the_time_is_the_latest_that_enough_vouch_for() {
        let of = |needed: &str| {
            let names = ["a", "b", "c"].iter().zip(2..);
            let lines: String = names.map(|(n, s)| format!("witness {n} {}\n", witness(s))).collect();
            quorum(&format!("{lines}group g {needed} a b c\nquorum g\n"), &[(2, 30), (3, 10), (4, 20)]).time
        };
        assert_eq!((of("any"), of("2"), of("all")), (Some(at(30)), Some(at(20)), Some(at(10))));
    }

    #[test]
    fn what_the_syntax_does_not_allow_is_refused() {
        let (w2, w3) = (witness(2), witness(3));
        let log = VerifierKey::new("log", Role::Log, signer(1).public()).expect("a key").to_string();
        let good = format!("log {log} https://example.com\nwitness a {w2}\nwitness b {w3}\n");
        assert!(TrustPolicy::parse(format!("{good}group g 1 a b\nquorum g\n").as_bytes()).is_ok());
        for bad in [
            "",
            "group g 0 a b\nquorum g\n",
            "group g 3 a b\nquorum g\n",
            "group g 01 a b\nquorum g\n",
            "group g any a a\nquorum g\n",
            "group g any a\ngroup h any a b\nquorum g\n",
            "group g any c\nquorum g\n",
            "group a any b\nquorum a\n",
            "group none any b\nquorum none\n",
            "quorum g\ngroup g any a b\n",
            "quorum a\nquorum a\n",
            "quorum a b\n",
            "group g any\nquorum g\n",
            "quorum a\r\n",
            &format!("witness c {w2}\nquorum a\n"),
            &format!("log {log}\nquorum a\n"),
            &format!("witness c {log}\nquorum a\n"),
            &format!("log {w2}\nquorum a\n"),
        ] {
            assert!(TrustPolicy::parse(format!("{good}{bad}").as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = houses().into_bytes();
        for at in 0..good.len() {
            let _ = TrustPolicy::parse(&good[..at]);
            for byte in [0, b' ', b'\n', b'9', 0x80, 0xff] {
                let mut changed = good.clone();
                changed[at] = byte;
                let _ = TrustPolicy::parse(&changed);
            }
        }
    }
}
