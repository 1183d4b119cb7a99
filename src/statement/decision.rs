//! The claims without a packet, beside genesis and grant: what owners decide about keys and policy, what an operator
//! announces, and what corrects by leaf. Nothing is ever rewritten: a correction is an entry of its own.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::{KeyEntry, Role};
use super::{Label, MAX_TEXT_BYTES, StatementError};
use crate::canon;
use crate::digest::Digest;
use crate::keys::Fingerprint;

/// The owners change the keys. Its label is the holder's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum KeyChange {
    /// A further key, from the next entry on.
    Add(Box<KeyEntry>),
    /// A key ends in order: this entry's position is the last at which it counts.
    Retire(KeyEnd),
    /// A key was stolen or misused: it ended at an earlier position, and what it signed since is suspect.
    Revoke(KeyRevocation),
}

/// Whose key ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEnd {
    /// The key.
    pub key: Fingerprint,
    /// Its holder's name.
    pub name: Label,
}

/// Whose key ended, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRevocation {
    /// The key.
    pub key: Fingerprint,
    /// The last position at which it counts: before this entry's.
    pub last_valid_seq: u64,
    /// Its holder's name.
    pub name: Label,
}

/// The owners change the policy: the new document stands in the entry's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// The change's name, and the label of its entry.
    pub id: Label,
}

/// An operator begins a rehearsal: from here on it is missed until it is recorded, however it ends, or voided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The leaf of the grant that the rehearsal will consume.
    pub grant: Digest,
    /// The label of its entry.
    pub id: Label,
    /// The operator's own running number. Absent in statements of older programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<u64>,
}

/// What counts no more: an entry (a grant, a rehearsal, a rerun, a begin or a decision about a blocker), or numbers of
/// an operator that came to nothing. What a grant was spent for stays spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Void {
    /// The label of its entry.
    pub id: Label,
    /// Numbers that came to no entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub numbers: Option<Numbers>,
    /// The leaf of the entry that counts no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<Digest>,
    /// Why.
    pub reason: String,
}

/// Running numbers of an operator, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The first of them.
    pub first: u64,
    /// Whose.
    pub key: Fingerprint,
    /// The last of them.
    pub last: u64,
}

/// An auditor's word about an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Whether a suspect entry is confirmed: its signer was asked, or its evidence was checked in another way.
    pub confirms: bool,
    /// The label of its entry.
    pub id: Label,
    /// The leaf of the entry that it is about.
    pub of: Digest,
    /// What is said.
    pub text: String,
}

impl KeyChange {
    /// The holder's name.
    pub fn name(&self) -> &Label {
        match self {
            KeyChange::Add(entry) => &entry.name,
            KeyChange::Retire(end) => &end.name,
            KeyChange::Revoke(end) => &end.name,
        }
    }

    /// The key that changes.
    pub fn key(&self) -> Fingerprint {
        match self {
            KeyChange::Add(entry) => entry.public.fingerprint(),
            KeyChange::Retire(end) => end.key,
            KeyChange::Revoke(end) => end.key,
        }
    }

    pub(super) fn check(&self) -> Result<(), StatementError> {
        match self {
            KeyChange::Add(entry) => entry.check("/predicate/key"),
            KeyChange::Revoke(end) if end.last_valid_seq > canon::MAX_INTEGER => {
                let (field, most) = ("/predicate/key/last_valid_seq", canon::MAX_INTEGER);
                Err(StatementError::field(field, most, end.last_valid_seq))
            }
            KeyChange::Retire(_) | KeyChange::Revoke(_) => Ok(()),
        }
    }
}

impl Void {
    pub(super) fn check(&self) -> Result<(), StatementError> {
        const WHAT: &str = "/predicate/void";
        match (&self.of, &self.numbers) {
            (Some(_), None) => {}
            (None, Some(numbers)) => {
                number_fits(WHAT, Some(numbers.first))?;
                number_fits(WHAT, Some(numbers.last))?;
                if numbers.first > numbers.last {
                    return Err(StatementError::field(WHAT, "first up to last", numbers.last));
                }
            }
            _ => return Err(StatementError::field(WHAT, "an entry or numbers", "neither or both")),
        }
        text_fits("/predicate/void/reason", &self.reason)
    }
}

impl Note {
    pub(super) fn check(&self) -> Result<(), StatementError> {
        text_fits("/predicate/note/text", &self.text)
    }
}

/// At least one role; `log` and `witness` alone.
pub(super) fn roles_fit(field: &'static str, roles: &BTreeSet<Role>) -> Result<(), StatementError> {
    let alone = roles.iter().any(|r| matches!(r, Role::Log | Role::Witness));
    if roles.is_empty() || (alone && roles.len() > 1) {
        let found = roles.iter().map(|r| r.name()).collect::<Vec<_>>().join("+");
        return Err(StatementError::field(field, "a role, `log` and `witness` alone", found));
    }
    Ok(())
}

/// From 1 to what every JSON reader can hold.
pub(super) fn number_fits(field: &'static str, number: Option<u64>) -> Result<(), StatementError> {
    match number {
        Some(n) if !(1..=canon::MAX_INTEGER).contains(&n) => {
            Err(StatementError::field(field, format!("1 to {}", canon::MAX_INTEGER), n))
        }
        _ => Ok(()),
    }
}

pub(super) fn text_fits(field: &'static str, text: &str) -> Result<(), StatementError> {
    match (1..=MAX_TEXT_BYTES).contains(&text.len()) {
        true => Ok(()),
        false => Err(StatementError::field(field, format!("1 to {MAX_TEXT_BYTES} bytes"), text.len())),
    }
}
