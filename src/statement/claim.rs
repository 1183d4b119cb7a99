//! The claims, one for each kind of entry, and the rules that need no history.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocker::BlockerDecision;
use super::decision::{Begin, KeyChange, Note, PolicyChange, Void, number_fits, roles_fit};
use super::{Kind, Label, MAX_KEYS, MAX_MENTIONS, MAX_TEXT_BYTES, Run, StatementError};
use crate::canon;
use crate::digest::Digest;
use crate::keys::{Fingerprint, PublicKey};
use crate::time::Timestamp;

/// What a statement claims.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// The ledger begins, with these keys.
    Genesis(Genesis),
    /// An operator may rehearse once.
    Grant(Grant),
    /// A rehearsal was done.
    Rehearsal(Rehearsal),
    /// A rehearsal was repeated; [`Rehearsal::of`] names it.
    Rerun(Rehearsal),
    /// An operator begins a rehearsal.
    Begin(Begin),
    /// An entry counts no more.
    Void(Void),
    /// The owners change the keys.
    Key(KeyChange),
    /// The owners change the policy.
    Policy(PolicyChange),
    /// The owners decide about a blocker.
    Blockers(BlockerDecision),
    /// An auditor's word.
    Note(Note),
}

/// What a key may do. Keys of `log` and `witness` do nothing else: a cosignature must never be another claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Keys, policy, grants.
    Owner,
    /// Rehearsals and reruns.
    Operator,
    /// Notes.
    Auditor,
    /// Checkpoints.
    Log,
    /// Cosignatures of checkpoints.
    Witness,
}

impl Role {
    /// The name in statements.
    pub fn name(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Operator => "operator",
            Role::Auditor => "auditor",
            Role::Log => "log",
            Role::Witness => "witness",
        }
    }
}

/// The beginning of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// A demonstration: the public sample keys are accepted, and every report says so.
    pub demo: bool,
    /// The first keys.
    pub keys: Vec<KeyEntry>,
    /// The ledger's name, and the label of its first entry.
    pub name: Label,
    /// How many distinct owners a grant needs.
    pub owner_threshold: u32,
}

/// A registered key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The holder's name: the author of entries signed with it.
    pub name: Label,
    /// Whose key it is, where the same person has another one: the name of that. One person counts once, with however
    /// many keys. Absent: a person of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<Label>,
    /// The key.
    pub public: PublicKey,
    /// What it may do.
    pub roles: BTreeSet<Role>,
}

/// An owner's permission for one rehearsal: never for production, never for a second one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name, and the label of its entry.
    pub id: Label,
    /// The only key that may use it.
    pub operator: Fingerprint,
    /// What may be rehearsed.
    pub scope: Scope,
    /// The last position at which it may be used.
    pub expires_after_seq: Option<u64>,
}

/// What a grant covers; `None` leaves it open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Digest of the plan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<Digest>,
    /// Digest of the source's file set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Digest>,
}

/// What a rehearsal may come to. Both outcomes speak of the rollback on the clone alone; the second proves nothing,
/// and is recorded so that a failure cannot be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// The rollback restored the clone exactly.
    #[serde(rename = "ROLLBACK_EXACT")]
    RollbackExact,
    /// It did not: the packet shows the leg that failed.
    #[serde(rename = "ROLLBACK_NOT_EXACT")]
    RollbackNotExact,
}

impl Outcome {
    /// The name in statements.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::RollbackExact => "ROLLBACK_EXACT",
            Outcome::RollbackNotExact => "ROLLBACK_NOT_EXACT",
        }
    }
}

/// A rehearsal, or a rerun of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// The leaf of the begin that announced it. Absent in a rerun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begin: Option<Digest>,
    /// The day, `YYYY-MM-DD`, as the operator's clock had it.
    pub date: String,
    /// The leaf of the grant that this rehearsal consumes; a rerun names that of the rehearsal it repeats.
    pub grant: Digest,
    /// Places where a forbidden token is mentioned, not claimed.
    pub mentions: Vec<Mention>,
    /// The operator's own running number. Absent in statements of older programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<u64>,
    /// In a rerun: the leaf of the rehearsal that it repeats. Absent in a rehearsal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<Digest>,
    /// Digest of the packet's HASH_MANIFEST.txt.
    pub packet_tree: Digest,
    /// What it came to.
    pub result: Outcome,
    /// Volatile facts.
    pub run: Run,
    /// The run's name, and the label of its entry; unique in the ledger.
    pub run_id: Label,
}

/// A declared mention of a forbidden token: a place, and why it is no claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mention {
    /// The file, by its path in the packet.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Why it stands there.
    pub reason: String,
    /// The token, as the policy lists it.
    pub token: String,
}

impl Claim {
    /// The kind of entry.
    pub fn kind(&self) -> Kind {
        match self {
            Claim::Genesis(_) => Kind::Genesis,
            Claim::Grant(_) => Kind::Grant,
            Claim::Rehearsal(_) => Kind::Rehearsal,
            Claim::Rerun(_) => Kind::Rerun,
            Claim::Begin(_) => Kind::Begin,
            Claim::Void(_) => Kind::Void,
            Claim::Key(_) => Kind::Key,
            Claim::Policy(_) => Kind::Policy,
            Claim::Blockers(_) => Kind::Blockers,
            Claim::Note(_) => Kind::Note,
        }
    }

    /// The name in the entry's subject.
    pub fn label(&self) -> &Label {
        match self {
            Claim::Genesis(genesis) => &genesis.name,
            Claim::Grant(grant) => &grant.id,
            Claim::Rehearsal(r) | Claim::Rerun(r) => &r.run_id,
            Claim::Begin(begin) => &begin.id,
            Claim::Void(void) => &void.id,
            Claim::Key(change) => change.name(),
            Claim::Policy(change) => &change.id,
            Claim::Blockers(decision) => &decision.id,
            Claim::Note(note) => &note.id,
        }
    }

    /// The operator's own running number, where the kind has one and the statement gives it.
    pub fn number(&self) -> Option<u64> {
        match self {
            Claim::Rehearsal(r) | Claim::Rerun(r) => r.number,
            Claim::Begin(begin) => begin.number,
            _ => None,
        }
    }

    /// The packet's digest, where there is a packet.
    pub fn packet_tree(&self) -> Option<&Digest> {
        match self {
            Claim::Rehearsal(r) | Claim::Rerun(r) => Some(&r.packet_tree),
            _ => None,
        }
    }

    pub(super) fn check(&self) -> Result<(), StatementError> {
        match self {
            Claim::Genesis(genesis) => genesis.check(),
            // Beyond it, JSON readers disagree on the value.
            Claim::Grant(g) => match g.expires_after_seq {
                Some(seq) if seq > canon::MAX_INTEGER => {
                    Err(StatementError::field("/predicate/grant/expires_after_seq", canon::MAX_INTEGER, seq))
                }
                _ => Ok(()),
            },
            Claim::Rehearsal(r) => r.check(false),
            Claim::Rerun(r) => r.check(true),
            Claim::Key(change) => change.check(),
            Claim::Void(void) => void.check(),
            Claim::Note(note) => note.check(),
            Claim::Begin(begin) => number_fits("/predicate/begin/number", begin.number),
            Claim::Blockers(decision) => decision.check(),
            Claim::Policy(_) => Ok(()),
        }
    }
}

impl KeyEntry {
    /// Whose key it is.
    pub fn person(&self) -> &Label {
        self.person.as_ref().unwrap_or(&self.name)
    }

    pub(super) fn check(&self, field: &'static str) -> Result<(), StatementError> {
        if self.person.as_ref() == Some(&self.name) {
            return Err(StatementError::field(field, "a person who has another key", &self.name));
        }
        roles_fit(field, &self.roles)
    }
}

impl Genesis {
    fn check(&self) -> Result<(), StatementError> {
        const KEYS: &str = "/predicate/genesis/keys";
        if !(1..=MAX_KEYS).contains(&self.keys.len()) {
            return Err(StatementError::field(KEYS, format!("1 to {MAX_KEYS}"), self.keys.len()));
        }
        let (mut names, mut prints) = (BTreeSet::new(), BTreeSet::new());
        for key in &self.keys {
            key.check(KEYS)?;
            let known = |person: &Label| {
                self.keys.iter().any(|other| other.name == *person && other.person.is_none())
            };
            if let Some(person) = key.person.as_ref().filter(|person| !known(person)) {
                return Err(StatementError::field(KEYS, "the name of somebody's first key", person));
            }
            if !names.insert(&key.name) || !prints.insert(key.public.fingerprint()) {
                return Err(StatementError::field(KEYS, "distinct names and keys", &key.name));
            }
        }
        let owners = self.keys.iter().filter(|k| k.roles.contains(&Role::Owner));
        let owners = owners.map(KeyEntry::person).collect::<BTreeSet<_>>().len();
        if !(1..=owners).contains(&(self.owner_threshold as usize)) {
            let expected = format!("1 to {owners}, the owners' number");
            return Err(StatementError::field(
                "/predicate/genesis/owner_threshold",
                expected,
                self.owner_threshold,
            ));
        }
        Ok(())
    }
}

impl Rehearsal {
    fn check(&self, rerun: bool) -> Result<(), StatementError> {
        if self.of.is_some() != rerun {
            let found = if rerun { "none" } else { "one" };
            return Err(StatementError::field(
                "/predicate/…/of",
                "one in a rerun, none in a rehearsal",
                found,
            ));
        }
        if rerun && self.begin.is_some() {
            return Err(StatementError::field("/predicate/rerun/begin", "none in a rerun", "one"));
        }
        number_fits("/predicate/…/number", self.number)?;
        // A day is what a timestamp's day can be.
        if format!("{}T00:00:00Z", self.date).parse::<Timestamp>().is_err() {
            return Err(StatementError::field("/predicate/…/date", "YYYY-MM-DD", &self.date));
        }
        if self.mentions.len() > MAX_MENTIONS {
            let expected = format!("at most {MAX_MENTIONS}");
            return Err(StatementError::field("/predicate/…/mentions", expected, self.mentions.len()));
        }
        for mention in &self.mentions {
            let texts = [&mention.file, &mention.token, &mention.reason];
            if !(1..=canon::MAX_INTEGER).contains(&mention.line)
                || texts.iter().any(|t| t.is_empty() || t.len() > MAX_TEXT_BYTES)
            {
                let expected = format!("a line from 1, texts of 1 to {MAX_TEXT_BYTES} bytes");
                return Err(StatementError::field("/predicate/…/mentions", expected, &mention.file));
            }
        }
        self.run.check()
    }
}
