//! What the index keeps of an entry so that `log` and `show` find it.
//!
//! Owns: the line of an entry, the terms that it is found by, the words of a plan's SQL. Must not: store.
//!
//! ```text
//! terms   kind rehearsal · by anna · name orders-41 · result ROLLBACK_EXACT · set <plan> · set <blocker map>
//! sets    a plan's words, a map's open blockers: written once, however many entries share them
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
use crate::entry::VerifiedEntry;
use crate::evidence::BlockerMap;
use crate::evidence::blockers::BlockerState;
use crate::packet::{BLOCKERS, PLAN_FOLDER};
use crate::statement::{Claim, Outcome, PACKET_DIR};
use crate::time::Timestamp;

/// Most words that are kept of one plan: a plan with more is found by looking into it.
const MAX_WORDS: usize = 4096;
/// The word of a set that has too many.
const ANY_WORD: &str = "*";

/// An entry as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its commit, in hexadecimal.
    pub commit: String,
    /// Its leaf hash.
    pub leaf: Digest,
    /// When its signer says that it was made.
    pub time: Timestamp,
    /// Its kind's name.
    pub kind: String,
    /// Its own name.
    pub label: String,
    /// The name of the key that placed it.
    pub author: String,
    /// What a rehearsal or rerun came to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<Outcome>,
    /// The names of its sets of words.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) sets: Vec<Digest>,
}

/// An entry with what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub seq: u64,
    /// As it is listed.
    pub line: Line,
    /// Its sets of words: the set's name, and its words.
    pub(super) sets: Vec<(Digest, BTreeSet<String>)>,
}

impl Listed {
    /// What is kept of a verified entry.
    pub fn of(commit: &str, verified: &VerifiedEntry, files: &BTreeMap<String, Vec<u8>>) -> Listed {
        let (leaf, claim) = (verified.entry().leaf(), verified.statement().claim());
        let result = match claim {
            Claim::Rehearsal(rehearsal) | Claim::Rerun(rehearsal) => Some(rehearsal.result),
            _ => None,
        };
        let sets: Vec<_> = match leaf.kind.has_packet() {
            true => plan_words(files).into_iter().chain(open_blockers(files)).collect(),
            false => Vec::new(),
        };
        let line = Line {
            commit: commit.to_owned(),
            leaf: verified.leaf_hash(),
            time: leaf.time,
            kind: leaf.kind.name().to_owned(),
            label: verified.entry().label().to_string(),
            author: verified.entry().author().to_string(),
            result,
            sets: sets.iter().map(|(set, _)| *set).collect(),
        };
        Listed { seq: leaf.seq, line, sets }
    }

    /// The terms that it is found by.
    pub(super) fn terms(&self) -> impl Iterator<Item = Digest> + '_ {
        let line = &self.line;
        let plain = [("kind", line.kind.as_str()), ("by", &line.author), ("name", &line.label)];
        let result = line.result.map(|result| ("result", result.name()));
        let plain = plain.into_iter().chain(result).map(|(field, value)| term(field, value));
        plain.chain(self.sets.iter().map(|(set, _)| set_term(set)))
    }
}

impl Line {
    /// What a rehearsal or rerun says that it came to.
    pub(super) fn result_name(&self) -> &str {
        self.result.map_or("", Outcome::name)
    }
}

/// What an entry with this value in this field is found by.
pub(super) fn term(field: &str, value: &str) -> Digest {
    let mut hasher = Hasher::labelled(field);
    hasher.framed(value.as_bytes());
    hasher.finish()
}

/// What an entry with this set is found by.
pub(super) fn set_term(set: &Digest) -> Digest {
    term("set", &set.to_string())
}

/// What a set with this word of a plan is found by.
pub(super) fn plan_word(word: &str) -> Digest {
    term("word", word)
}

/// What the sets with too many words are found by.
pub(super) fn any_plan_word() -> Digest {
    plan_word(ANY_WORD)
}

/// What a set with this open blocker is found by.
pub(super) fn blocker_word(id: &str) -> Digest {
    term("word", &format!("{BLOCKERS} {id}"))
}

fn plan_words(files: &BTreeMap<String, Vec<u8>>) -> Option<(Digest, BTreeSet<String>)> {
    let mut set = Hasher::labelled("plan");
    let mut words = BTreeSet::new();
    let mut any = false;
    for (path, bytes) in plan_sql(files) {
        set.framed(path.as_bytes());
        set.framed(bytes);
        for word in words_of(&String::from_utf8_lossy(bytes)) {
            if words.len() < MAX_WORDS {
                words.insert(word);
            }
        }
        any = true;
    }
    if words.len() == MAX_WORDS {
        words = BTreeSet::from([ANY_WORD.to_owned()]);
    }
    any.then(|| (set.finish(), words))
}

fn open_blockers(files: &BTreeMap<String, Vec<u8>>) -> Option<(Digest, BTreeSet<String>)> {
    let bytes = files.get(&format!("{PACKET_DIR}{BLOCKERS}"))?;
    let map = BlockerMap::parse_input(bytes).ok()?;
    let open = map.blockers.iter().filter(|blocker| blocker.state == BlockerState::Open);
    let words = open.map(|blocker| format!("{BLOCKERS} {}", blocker.id)).collect();
    Some((Digest::of(bytes), words))
}

fn plan_sql(files: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = (&String, &Vec<u8>)> {
    let plan = format!("{PACKET_DIR}{PLAN_FOLDER}");
    files.iter().filter(move |(path, _)| path.starts_with(&plan) && path.ends_with(".sql"))
}

/// The words of a text, in lower case, as SQL compares names.
pub(super) fn words_of(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Whether the SQL of a plan has this name, in any case; not as a part of a longer one.
pub fn plan_names(files: &BTreeMap<String, Vec<u8>>, name: &str) -> bool {
    let wanted = name.to_lowercase();
    plan_sql(files).map(|(_, bytes)| String::from_utf8_lossy(bytes).to_lowercase()).any(|text| {
        text.match_indices(&wanted).any(|(at, found)| {
            let around = [text[..at].chars().next_back(), text[at + found.len()..].chars().next()];
            !found.is_empty() && around.into_iter().flatten().all(|c| !is_part(c))
        })
    })
}
