//! `hardened-validator-result.json`: the validator's judgement, written down.

use super::Draft;
use crate::evidence::Kind;
use crate::judge::validator::selftest;
use crate::packet::document::{
    EntryResult, Input, Pin, Ruling, VALIDATOR_SCHEMA, ValidatorIdentity, ValidatorResult,
};
use crate::packet::{EXECUTION, LOCK, ROLLBACK};
use crate::verdict::Verdict;

/// The document.
pub(super) fn result(draft: &Draft<'_>) -> ValidatorResult {
    let (facts, judgement) = (draft.facts, draft.judgement);
    let executable = facts.lock.executable;
    let entries: Vec<EntryResult> = (judgement.entries.iter())
        .map(|entry| EntryResult {
            leg: entry.leg,
            kind: entry.kind,
            outcome: entry.outcome,
            result: ruling(&entry.verdict),
            reasons: entry.verdict.reasons().to_vec(),
        })
        .collect();
    let selftest = selftest().clone();
    let mut result = ValidatorResult {
        schema: VALIDATOR_SCHEMA.into(),
        validator: ValidatorIdentity {
            sha256: executable,
            pin: Pin {
                algorithm: "sha256".into(),
                hex: draft.policy.pins(&executable).then_some(executable),
                policy: draft.policy.digest(),
            },
        },
        inputs: [LOCK, EXECUTION, ROLLBACK]
            .map(|path| Input { path: path.into(), sha256: draft.digest(path) })
            .into(),
        entry_count: entries.len() as u64,
        rollback_count: entries.iter().filter(|entry| entry.kind == Kind::Rollback).count() as u64,
        entries,
        reasons: judgement.whole.reasons().to_vec(),
        selftest,
        result: Ruling::Refused,
    };
    let enough = result.selftest.good >= draft.policy.validator().min_good_vectors
        && result.selftest.bad >= draft.policy.validator().min_bad_vectors;
    if judgement.accepted() && enough && result.selftest.misjudged.is_empty() {
        result.result = Ruling::Accepted;
    }
    result
}

/// Whether the evidence is accepted, by a validator that knows good from bad.
pub(super) fn holds(result: &ValidatorResult) -> bool {
    result.result == Ruling::Accepted && result.validator.pin.hex.is_some()
}

/// A verdict in one word.
pub(super) fn ruling(verdict: &Verdict) -> Ruling {
    if verdict.accepted() { Ruling::Accepted } else { Ruling::Refused }
}
