//! The claim gate: nothing that the ledger takes may claim more than a rehearsal can show.
//!
//! Owns: which channel is looked at how, and the verdict. Must not: know git, or a document's meaning.
//! A claim is refused wherever it stands and however it is written; a mention is let through only in a typed place
//! that the policy names, or where the signed statement declares it. The refusal names the rule by its place in
//! the policy and never repeats the claim.
//!
//! ```text
//! channel                                    looked for               not decodable, or over a bound
//! Statement, PacketFile, EntryMessage,       everything, in every     UNDECIDABLE
//!   EntryIdentity                            view; printable text
//! RefName, TagName, TagMessage, Note,        everything, in every     UNDECIDABLE only for compressed or
//!   PushOption                               view                     too deeply encoded text
//! FileName, CommitMessage, Identity, Header  tokens, in every view    let through
//! File (on an ordinary ref)                  tokens written as one,   let through: images and archives are
//!                                            in every view            no reason to block a push
//! any, over its limit of bytes               -                        LIMIT_EXCEEDED
//! ```
//!
//! Tokens, phrases and the family (subject and verdict) are the policy's. What is not seen: other languages,
//! pictures, ciphers with a key, text cut over several entries, encodings other than those of `decode`.
//!
//! ```
//! use fix7_ledger::judge::gate::{Channel, Gate};
//! use fix7_ledger::policy::Policy;
//! let gate = Gate::new(&Policy::default_policy());
//! let scan = |text: &str| gate.scan("refs/tags/x", Channel::TagName, text.as_bytes());
//! assert!(scan("rehearsal-2026-06-12").accepted());
//! assert!(!scan("v1-рrоduction.p\u{200b}a5s").accepted(), "look-alikes, invisible characters, leetspeak");
//! assert!(!scan("UFJPRFVDVElPTl9QQVNT").accepted(), "base64");
//! ```

mod claims;
mod decode;
mod digits;
mod json;
mod letters;
mod machine;
mod places;
mod readings;
mod runs;
mod views;
mod words;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod disguises;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use claims::{Finder, Reach};
use json::Words;
use runs::Memory;
use views::{Examined, Manner, Walk};

use super::known::Known;
use crate::digest::Hasher;
use crate::packet::Files;
use crate::policy::Policy;
use crate::statement::Mention;
use crate::verdict::{Code, Reason, Verdict};

/// Letters of a file's end and of the next one's beginning that are read together: a token that is cut over files.
const JOINED_BYTES: usize = 256;

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel<'a> {
    /// A file on an ordinary ref.
    File {
        /// Its path.
        path: &'a str,
    },
    /// A file of a packet or another file of an entry.
    PacketFile {
        /// Its path.
        path: &'a str,
    },
    /// `statement.json`.
    Statement,
    /// The message of an entry's commit.
    EntryMessage,
    /// Author or committer of an entry's commit.
    EntryIdentity,
    /// The full name of a ref.
    RefName,
    /// The name in an annotated tag.
    TagName,
    /// The message of an annotated tag.
    TagMessage,
    /// The text of a note.
    Note,
    /// A push option.
    PushOption,
    /// The path of a file on an ordinary ref.
    FileName,
    /// The message of an ordinary commit.
    CommitMessage,
    /// Author, committer or tagger of an ordinary commit or tag.
    Identity,
    /// Any other header of a commit or tag.
    Header,
}

/// How strictly a channel is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strictness {
    /// Files on ordinary refs.
    Ordinary,
    /// What people write about ordinary commits.
    Short,
    /// What names and announces.
    Announced,
    /// What the ledger itself says.
    Ledger,
}

impl Channel<'_> {
    fn strictness(self) -> Strictness {
        match self {
            Channel::File { .. } => Strictness::Ordinary,
            Channel::FileName | Channel::CommitMessage | Channel::Identity | Channel::Header => {
                Strictness::Short
            }
            Channel::RefName
            | Channel::TagName
            | Channel::TagMessage
            | Channel::Note
            | Channel::PushOption => Strictness::Announced,
            Channel::PacketFile { .. }
            | Channel::Statement
            | Channel::EntryMessage
            | Channel::EntryIdentity => Strictness::Ledger,
        }
    }

    /// The name that typed places know a file by.
    fn file(&self) -> Option<&str> {
        match self {
            Channel::File { path } => path.rsplit('/').next(),
            Channel::PacketFile { path } => Some(path),
            Channel::Statement => Some("statement.json"),
            _ => None,
        }
    }
}

/// The claim gate of one policy.
pub struct Gate {
    policy: Policy,
    finder: Finder,
    words: Words,
    runs: Memory,
    /// Texts in which nothing was found, each with the channel that it was read as.
    clean: Known,
}

impl Gate {
    /// Compiles the gate of a policy.
    pub fn new(policy: &Policy) -> Gate {
        let claims = policy.claims();
        Gate {
            finder: Finder::new(claims),
            words: Words::new(claims),
            policy: policy.clone(),
            runs: Memory::default(),
            clean: Known::default(),
        }
    }

    /// Looks at one object. `object` is its name in the reasons.
    pub fn scan(&self, object: &str, channel: Channel<'_>, bytes: &[u8]) -> Verdict {
        self.scan_part(object, channel, bytes, bytes.len())
    }

    /// As [`Gate::scan`], of a part of an object of `whole` bytes, the rest of which is looked at elsewhere.
    pub fn scan_part(&self, object: &str, channel: Channel<'_>, bytes: &[u8], whole: usize) -> Verdict {
        let mut verdict = Verdict::default();
        let limits = self.policy.limits();
        let (limit, most) = match channel {
            Channel::File { .. } => ("pushed_file_bytes", limits.pushed_file_bytes),
            Channel::PacketFile { .. } => ("file_bytes", limits.file_bytes),
            Channel::Statement => ("statement_bytes", limits.statement_bytes),
            _ => ("message_bytes", limits.message_bytes),
        };
        if whole as u64 > most {
            let expected = format_args!("at most {most} bytes (limits.{limit})");
            verdict.push(Reason::new(Code::LimitExceeded, object).values(expected, whole));
            return verdict;
        }
        let blanked = channel.file().and_then(|name| places::without_typed(&self.policy, name, bytes));
        let bytes = blanked.as_deref().unwrap_or(bytes);
        if channel.strictness() == Strictness::Ledger {
            grammar(&mut verdict, object, channel, bytes);
        }
        self.examined(&mut verdict, object, channel, bytes);
        verdict
    }

    /// Looks at a whole packet: every file, and what neighbours say together. `mentions` are those of the signed
    /// statement.
    pub fn scan_packet(&self, files: &Files, mentions: &[Mention]) -> Verdict {
        let mut verdict = self.packet_limits(files, mentions);
        for mention in mentions.iter().filter(|m| files.get(&m.file).is_none()) {
            verdict.push(Reason::new(Code::FileMissing, format_args!("mention of {}", mention.file)));
        }
        let mut read: Vec<(&str, Cow<'_, [u8]>)> = Vec::new();
        for (path, bytes) in files.iter() {
            let extension = path.rsplit_once('.').map(|(_, extension)| extension);
            let listed = extension.is_some_and(|e| self.policy.packet().extensions.iter().any(|x| x == e));
            verdict.require(listed, || {
                Reason::new(Code::FileUnexpected, path).found("a type that is not listed")
            });
            let blanked = places::without_typed(&self.policy, path, bytes);
            let mut bytes = blanked.map_or(Cow::Borrowed(bytes), Cow::Owned);
            let declared: Vec<&Mention> = mentions.iter().filter(|m| m.file == path).collect();
            let is_claim = |token: &[u8]| !self.finder.find(token, Reach::All).is_empty();
            if !declared.is_empty()
                && let Err((mention, why)) = places::without_declared(bytes.to_mut(), &declared, is_claim)
            {
                let object = format_args!("mention of {path} line {}", mention.line);
                verdict.push(Reason::new(Code::Malformed, object).found(why));
            }
            let condensed = bytes.is_ascii().then(|| runs::without_digests(&bytes)).flatten();
            let short = condensed.as_deref().unwrap_or(&bytes);
            verdict.merge(self.scan_blanked(path, Channel::PacketFile { path }, &bytes, short));
            let name = format!("the name {path}");
            verdict.merge(self.scan_blanked(&name, Channel::EntryIdentity, path.as_bytes(), path.as_bytes()));
            read.push((path, condensed.map_or(bytes, Cow::Owned)));
        }
        self.neighbours(&mut verdict, &read);
        verdict
    }

    fn packet_limits(&self, files: &Files, mentions: &[Mention]) -> Verdict {
        let limits = self.policy.limits();
        let longest = files.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
        let deepest = files.iter().map(|(path, _)| path.split('/').count()).max().unwrap_or(0);
        let mut verdict = Verdict::default();
        for (name, found, most) in [
            ("packet_files", files.len(), limits.packet_files),
            ("packet_bytes", files.total_bytes(), limits.packet_bytes),
            ("path_bytes", longest, limits.path_bytes),
            ("path_depth", deepest, limits.path_depth),
            ("mentions", mentions.len(), limits.mentions),
        ] {
            verdict.require(found as u64 <= most, || {
                let expected = format_args!("at most {most} (limits.{name})");
                Reason::new(Code::LimitExceeded, "packet").values(expected, found)
            });
        }
        verdict
    }

    /// A file without its mentions, or its name; `short` is the same without the digests of ASCII text. They say nothing
    /// ([`views`]), so that texts that differ in nothing else are one, and one text that is read the same way is looked at
    /// once: what is in it depends on nothing but the policy, a file's path neither.
    fn scan_blanked(&self, object: &str, channel: Channel<'_>, bytes: &[u8], short: &[u8]) -> Verdict {
        let mut hasher = Hasher::labelled("fix7.gate.text/v1");
        hasher.framed(if channel == Channel::EntryIdentity { b"name" } else { b"file" });
        // The bounds are those of the whole text.
        hasher.framed(&bytes.len().to_be_bytes());
        hasher.framed(short);
        let input = hasher.finish();
        if self.clean.holds(&input) {
            return Verdict::default();
        }
        let verdict = self.looked(object, channel, bytes);
        if verdict.accepted() {
            self.clean.add(input);
        }
        verdict
    }

    fn looked(&self, object: &str, channel: Channel<'_>, bytes: &[u8]) -> Verdict {
        let mut verdict = Verdict::default();
        let most = self.policy.limits().file_bytes;
        if bytes.len() as u64 > most {
            let expected = format_args!("at most {most} bytes (limits.file_bytes)");
            return Reason::new(Code::LimitExceeded, object).values(expected, bytes.len()).into();
        }
        grammar(&mut verdict, object, channel, bytes);
        self.examined(&mut verdict, object, channel, bytes);
        verdict
    }

    /// Tokens that are cut over names, over a name and its content, or over a file's end and the next's beginning.
    fn neighbours(&self, verdict: &mut Verdict, files: &[(&str, Cow<'_, [u8]>)]) {
        let stem = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
        };
        let stems: Vec<String> = files.iter().map(|(path, _)| stem(path)).collect();
        let mut told = |what: &str, text: &[u8]| {
            let mut hasher = Hasher::labelled("fix7.gate.joined/v1");
            hasher.framed(text);
            let input = hasher.finish();
            if self.clean.holds(&input) {
                return;
            }
            match self.finder.find(text, Reach::Phrases).into_iter().next() {
                Some(hit) => verdict.push(claim(what).found(hit.rule)),
                None => self.clean.add(input),
            }
        };
        told("the names of the files, joined", stems.join("\n").as_bytes());
        for (stem, (path, bytes)) in stems.iter().zip(files) {
            let mut text = format!("{stem}\n").into_bytes();
            text.extend_from_slice(&bytes[..bytes.len().min(JOINED_BYTES)]);
            told(&format!("the name and the beginning of {path}, joined"), &text);
        }
        for pair in files.windows(2) {
            let [(first, before), (second, after)] = pair else { continue };
            let mut text = before[before.len().saturating_sub(JOINED_BYTES)..].to_vec();
            text.push(b'\n');
            text.extend_from_slice(&after[..after.len().min(JOINED_BYTES)]);
            told(&format!("the end of {first} and the beginning of {second}, joined"), &text);
        }
    }

    fn examined(&self, verdict: &mut Verdict, object: &str, channel: Channel<'_>, bytes: &[u8]) {
        let strictness = channel.strictness();
        let (reach, decoded_reach) = match strictness {
            Strictness::Ordinary => (Reach::JoinedTokens, Reach::Tokens),
            Strictness::Short => (Reach::Tokens, Reach::Tokens),
            Strictness::Announced | Strictness::Ledger => (Reach::All, Reach::All),
        };
        let manner = Manner { reach, decoded_reach, thorough: strictness > Strictness::Ordinary };
        let Examined { findings, undecided } =
            Walk::examine(&self.finder, &self.words, &self.runs, self.policy.limits(), manner, bytes);
        for finding in findings {
            let line = finding.line.map(|line| format!(", line {line}")).unwrap_or_default();
            let layers = match finding.layers.is_empty() {
                true => String::new(),
                false => format!(", read through {}", finding.layers.join(" > ")),
            };
            verdict.push(claim(object).found(format_args!("{}{line}{layers}", finding.rule)));
        }
        if let Some(why) = undecided.filter(|_| strictness >= Strictness::Announced) {
            verdict.push(Reason::new(Code::Undecidable, object).found(why));
        }
    }
}

fn claim(object: &str) -> Reason {
    Reason::new(Code::ClaimFound, object)
}

/// What the ledger says is text: UTF-8 without control characters, and ASCII in messages and identities.
fn grammar(verdict: &mut Verdict, object: &str, channel: Channel<'_>, bytes: &[u8]) {
    let ascii = matches!(channel, Channel::EntryMessage | Channel::EntryIdentity);
    let one_line = channel == Channel::EntryIdentity;
    let plain = |b: u8| match b {
        b'\n' => !one_line,
        b'\t' | b'\r' => !ascii,
        0x20..=0x7e => true,
        0x80.. => !ascii,
        _ => false,
    };
    // Without stopping at the first, which is the usual case and many bytes at a time.
    let refused = bytes.iter().fold(false, |refused, &b| refused | !plain(b));
    if let Some(at) = refused.then(|| bytes.iter().position(|&b| !plain(b))).flatten() {
        let expected = if ascii { "printable ASCII" } else { "text without control characters" };
        let found = format_args!("byte {:#04x} at {at}", bytes[at]);
        verdict.push(Reason::new(Code::Undecidable, object).values(expected, found));
    } else if let Err(e) = std::str::from_utf8(bytes) {
        verdict.push(Reason::new(Code::Undecidable, object).values("UTF-8", e));
    }
}
