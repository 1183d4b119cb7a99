//! Derivation: every file of a packet from the facts, the plan and the policy.
//!
//! Owns: the contents of each derived file. Must not: know anything else: the same facts give the same bytes on
//! every machine, and whoever reads a packet derives it again and compares (`judge::judge`).
//!
//! ```text
//! facts ─► validator ─► validator result, recovery proof ─┐
//! plan  ─► CI unknown, blocker map ───────────────────────┤
//! lock  ─► surfaces ──────────────────────────────────────┼─► decision ─► README ─► manifest ─► tree
//! facts made bad ─► probes ── leak check over the rest ───┘
//! ```
//!
//! ```
//! use fix7_ledger::judge::{derive, specimen};
//! let files = derive::packet(&specimen::facts(), &specimen::policy()).unwrap();
//! assert!(String::from_utf8_lossy(&files["README.md"]).contains("ROLLBACK_READY"));
//! assert_eq!(files["packet_tree.sha256"].len(), 64 + 2 + "HASH_MANIFEST.txt\n".len());
//! ```

mod blockers;
mod ci;
pub mod compare;
mod decision;
mod leak;
mod probes;
mod readme;
mod recovery;
mod scripts;
mod surfaces;
mod validator;

use std::collections::BTreeMap;

pub use decision::{lifted, lifted_decision};

use super::gate::Gate;
use super::probes::Run;
use super::request;
use super::validator::Judgement;
use crate::canon::{self, CanonError};
use crate::digest::Digest;
use crate::evidence::blockers::BlockerMap;
use crate::evidence::{Facts, Leg};
use crate::packet::document::{DerivedFrom, FinalStatus, Leak, SurfaceProof};
use crate::packet::{
    BLOCKERS, CI, COMMANDS, DECISION, EXECUTION, LOCK, MANIFEST, PLAN_FOLDER, PROBES, README, RECOVERY,
    RERUN, ROLLBACK, SURFACES, TREE, VALIDATOR, manifest,
};
use crate::policy::Policy;
use crate::verdict::Verdict;

/// Why a packet cannot be derived: a fact that canonical JSON cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written: {source}")]
pub struct DeriveError {
    /// The file.
    pub path: &'static str,
    /// Why.
    pub source: CanonError,
}

/// Every file of the packet: the facts written canonically, the plan, everything derived, manifest and tree.
///
/// # Errors
/// A fact that canonical JSON cannot hold (an integer beyond 2^53, text that is not NFC).
pub fn packet(facts: &Facts, policy: &Policy) -> Result<BTreeMap<String, Vec<u8>>, DeriveError> {
    Ok(derive(facts, policy, Some(&Gate::new(policy)))?.files)
}

/// A packet, and what was found on the way to it.
#[derive(Clone, Debug)]
pub struct Derived {
    /// Every file.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The validator's judgement.
    pub judgement: Judgement,
    /// The probes' run.
    pub probes: Run,
    /// The final status.
    pub status: FinalStatus,
}

/// As [`packet`], with the findings. Without a gate the leak check is taken to have found nothing: whoever does so
/// has looked through the same files (`judge::packet`).
///
/// # Errors
/// As [`packet`].
pub fn derive(facts: &Facts, policy: &Policy, gate: Option<&Gate>) -> Result<Derived, DeriveError> {
    let mut derived = derive_asked(facts, policy, gate, &request::plan_verdict(policy, &facts.plan.files))?;
    let files = derived.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let text = manifest::render(files);
    derived.files.insert(TREE.into(), manifest::render_tree(&text));
    derived.files.insert(MANIFEST.into(), text);
    Ok(derived)
}

/// As [`derive`], where the request check of the plan was made already, and without the manifest: who compares has
/// held that against the files.
pub(super) fn derive_asked(
    facts: &Facts,
    policy: &Policy,
    gate: Option<&Gate>,
    asked: &Verdict,
) -> Result<Derived, DeriveError> {
    let judgement = super::validator::judge(facts, policy);
    let run = super::probes::run_asked(facts, policy, &judgement, asked);
    let mut draft = Draft::new(facts, policy, &judgement);
    draft.add(LOCK, &facts.lock)?;
    draft.add(EXECUTION, &facts.execution)?;
    draft.add(ROLLBACK, &facts.rollback)?;
    for (name, bytes) in &facts.plan.files {
        draft.files.insert(format!("{PLAN_FOLDER}{name}"), bytes.clone());
    }
    let result = validator::result(&draft);
    draft.hold(VALIDATOR, validator::holds(&result));
    draft.add(VALIDATOR, &result)?;
    let proof = recovery::proof(&draft);
    draft.hold(RECOVERY, recovery::holds(&proof));
    draft.add(RECOVERY, &proof)?;
    let resolution = ci::resolution(&draft);
    draft.hold(CI, resolution.is_some());
    if let Some(resolution) = &resolution {
        draft.add(CI, resolution)?;
    }
    let map = blockers::map(&draft);
    draft.hold(BLOCKERS, map.faults().is_empty());
    draft.add(BLOCKERS, &map)?;
    let surfaces = surfaces::proof(&draft, asked);
    draft.hold(SURFACES, surfaces.total == surfaces.untouched + surfaces.not_requested);
    draft.add(SURFACES, &surfaces)?;
    draft.files.insert(COMMANDS.into(), scripts::commands(&facts.plan));
    draft.files.insert(RERUN.into(), scripts::rerun());
    draft.files.insert(DECISION.into(), Vec::new());
    draft.files.insert(README.into(), Vec::new());
    let leak = leak::clean(policy, &draft.files);
    let mut status = conclude(&mut draft, &run, &map, &surfaces, leak)?;
    if let Some(gate) = gate {
        // README and decision are looked through too, and tell the outcome: so they may be written twice.
        let leak = leak::check(policy, gate, &draft.files);
        status = conclude(&mut draft, &run, &map, &surfaces, leak)?;
    }
    let files = draft.files;
    Ok(Derived { files, judgement, probes: run, status })
}

/// Writes what tells the leak check's outcome: the report of the probes, the decision and the README.
fn conclude(
    draft: &mut Draft<'_>,
    run: &Run,
    map: &BlockerMap,
    surfaces: &SurfaceProof,
    leak: Leak,
) -> Result<FinalStatus, DeriveError> {
    let report = probes::report(run, leak);
    draft.hold(PROBES, probes::holds(draft.policy, run, &report));
    draft.add(PROBES, &report)?;
    let decision = decision::packet(draft, surfaces);
    draft.add(DECISION, &decision)?;
    let text = readme::render(draft, &decision, &report, map, surfaces);
    draft.files.insert(README.into(), text.into_bytes());
    Ok(decision.final_status)
}

/// A packet under way.
struct Draft<'a> {
    facts: &'a Facts,
    policy: &'a Policy,
    judgement: &'a Judgement,
    files: BTreeMap<String, Vec<u8>>,
    /// Of the documents.
    digests: BTreeMap<&'static str, Digest>,
    held: BTreeMap<&'static str, bool>,
}

impl<'a> Draft<'a> {
    fn new(facts: &'a Facts, policy: &'a Policy, judgement: &'a Judgement) -> Draft<'a> {
        let (files, digests, held) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Draft { facts, policy, judgement, files, digests, held }
    }

    fn add<T: serde::Serialize>(&mut self, path: &'static str, document: &T) -> Result<(), DeriveError> {
        let bytes = canon::to_vec(document).map_err(|source| DeriveError { path, source })?;
        self.digests.insert(path, Digest::of(&bytes));
        self.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    /// Notes whether a document shows what it is for.
    fn hold(&mut self, path: &'static str, held: bool) {
        self.held.insert(path, held);
    }

    fn digest(&self, path: &str) -> Digest {
        self.digests.get(path).copied().unwrap_or(Digest::ZERO)
    }

    /// The documents that the final status is derived from: the facts hold where the validator says so.
    fn derived_from(&self) -> Vec<DerivedFrom> {
        let facts = [LOCK, EXECUTION, ROLLBACK].map(|path| (path, self.judgement.accepted()));
        let documents = [VALIDATOR, RECOVERY, PROBES, CI, BLOCKERS, SURFACES]
            .map(|path| (path, self.held.get(path).copied().unwrap_or(false)));
        let all = facts.into_iter().chain(documents);
        all.map(|(path, held)| DerivedFrom { path: path.into(), sha256: self.digest(path), held }).collect()
    }

    fn holds(&self, leg: Leg) -> bool {
        self.judgement.holds(leg)
    }
}

#[cfg(test)]
mod tests;
