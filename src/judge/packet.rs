//! The judgement of a whole packet.
//!
//! Owns: the order of the checks. Must not: have a rule that another module of `judge` could have.
//!
//! ```text
//! files      required, unexpected, manifest, tree                 FILE_ MANIFEST_ TREE_
//! facts      strict parse, validator, request check, probes       MALFORMED … PROBES_INCOMPLETE
//! derived    every other file derived again and compared          NOT_DERIVED, or the code of the place
//! ledger     policy in force, blockers                            POLICY_MISMATCH BLOCKERS_INVALID
//! statement  subjects, tree, result                               CONTENT_MISMATCH SCOPE_LIFT
//! claims     the gate, with the statement's mentions              CLAIM_FOUND UNDECIDABLE
//! ```
//!
//! A [`Judge`] remembers, while it lives, three things that depend on the policy alone, so that a ledger whose packets
//! repeat is judged faster and no otherwise: packets against which nothing speaks (by all their files and mentions), texts
//! in which the gate found nothing (by their bytes and how they are read), and what a short run of letters decodes to.
//! What is refused is looked at again each time, and nothing is kept on disk: every process judges for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::continuity::continuity;
use super::derive::{self, compare};
use super::gate::{Channel, Gate};
use super::known::Known;
use super::{beside, blockers};
use super::{failure, probes, request, secret, validator};
use crate::evidence::Facts;
use crate::packet::document::FinalStatus;
use crate::packet::{DERIVED, FACTS, Files, MANIFEST, PLAN_FOLDER, TREE, manifest};
use crate::policy::Policy;
use crate::state::State;
use crate::statement::{PACKET_DIR, POLICY_FILE, STATEMENT_FILE, Statement};
use crate::verdict::{Code, Reason, Verdict};

mod read;
mod statement;

pub(super) use read::packet_facts_and_dump;
pub use read::{FACT_FILES, Maps, facts, packet_facts, packet_facts_among};
use statement::{input, mentions, subjects};

/// A judge of packets and statements under one policy: whatever can be made ready once is.
///
/// It remembers what it accepted and nothing else, so one value serves any number of threads and its verdicts do not
/// depend on what it saw before.
pub struct Judge {
    policy: Policy,
    gate: Gate,
    /// Packets against which nothing speaks, each with the mentions that it was judged with: a rerun's packet is its
    /// rehearsal's, byte for byte.
    accepted: Known,
}

impl Judge {
    /// Makes the judge of a policy.
    pub fn new(policy: &Policy) -> Judge {
        Judge { policy: policy.clone(), gate: Gate::new(policy), accepted: Known::default() }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Everything that speaks against a packet and needs no ledger. `statement` is the entry's own: without it,
    /// what needs it is not looked at, and whoever calls must not report it as held.
    pub fn packet(&self, statement: Option<&Statement>, files: &Files) -> Verdict {
        let mut verdict = Verdict::default();
        if let Some(statement) = statement {
            verdict.merge(subjects(statement, files));
            verdict.merge(self.said(statement, verdict.accepted()));
        }
        // A packet that is not READY is accepted under a statement that says so, and under no other: it is never known.
        let failing = statement.is_some_and(failure::is_claimed);
        let input = input(files.iter().map(|(path, _)| (path, files.digest(path))), mentions(statement));
        if !failing && self.accepted.holds(&input) {
            let status = FinalStatus::Ready;
            statement.iter().for_each(|statement| verdict.merge(failure::claimed(statement, status)));
            return verdict;
        }
        let judged = self.files(statement, files);
        if !failing && judged.accepted() {
            self.accepted.add(input);
        }
        verdict.merge(judged);
        verdict
    }

    /// As [`Judge::packet`], where this judge knows the packet by its digests alone. The statement must be that of an entry
    /// whose content holds ([`crate::entry::check`]), so that its subjects are the digests of the packet's files.
    pub fn known_packet(&self, statement: &Statement) -> Option<Verdict> {
        let path = |name| str::strip_prefix(name, PACKET_DIR);
        let files = statement.subjects().iter().map(|(name, digest)| Some((path(name)?, Some(*digest))));
        let files = files.collect::<Option<BTreeMap<_, _>>>()?;
        if failure::is_claimed(statement) || !self.accepted.holds(&input(files, mentions(Some(statement)))) {
            return None;
        }
        let mut verdict = self.said(statement, true);
        verdict.merge(failure::claimed(statement, FinalStatus::Ready));
        Some(verdict)
    }

    /// The claim gate over a statement. Subjects that are the packet's own files are left out: the gate over the packet
    /// looks at their names, each by itself and joined.
    fn said(&self, statement: &Statement, subjects_are_files: bool) -> Verdict {
        match subjects_are_files {
            true => {
                let (part, whole) = (statement.without_subjects(), statement.bytes().len());
                self.gate.scan_part(STATEMENT_FILE, Channel::Statement, &part, whole)
            }
            false => self.gate.scan(STATEMENT_FILE, Channel::Statement, statement.bytes()),
        }
    }

    /// Everything that speaks against a packet, of the statement's claims only that there are some.
    fn files(&self, statement: Option<&Statement>, files: &Files) -> Verdict {
        let policy = &self.policy;
        let mut verdict = presence(policy, files);
        verdict.merge(manifest::check(files));
        let claims = self.gate.scan_packet(files, mentions(statement));
        let secrets = secrets(files);
        // What was looked through here need not be looked through again by the leak check of the derivation: unless
        // the statement lets something stand in an output, which that check does not know.
        let outputs_mentioned = mentions(statement).iter().any(|m| !m.file.starts_with(PLAN_FOLDER));
        let clean = claims.accepted() && secrets.accepted() && !outputs_mentioned;
        verdict.merge(selftest(policy));
        match facts(files) {
            Err(faults) => verdict.merge(faults),
            Ok(facts) => {
                let asked = request::plan_verdict(policy, &facts.plan.files);
                verdict.merge(asked.clone());
                verdict.merge(self.derived(&facts, statement, files, clean, &asked));
            }
        }
        verdict.merge(secrets);
        verdict.merge(claims);
        verdict
    }

    /// The claim gate over what a statement and the entry that it names say together, by the ledger's state before it.
    pub fn beside(&self, state: &State, statement: &Statement) -> Verdict {
        beside::beside(&self.gate, state, statement)
    }

    /// The claim gate over a statement, and over the files of an entry that has no packet (a genesis' policy).
    pub fn statement(&self, statement: &Statement, other_files: &BTreeMap<String, Vec<u8>>) -> Verdict {
        let mut verdict = self.gate.scan(STATEMENT_FILE, Channel::Statement, statement.bytes());
        for (path, bytes) in other_files {
            // Of a policy the gate reads the comments: its lists are the rules themselves.
            verdict.merge(self.gate.scan(path, Channel::PacketFile { path }, bytes));
            if path == POLICY_FILE {
                verdict.merge(self.policy_names(path, bytes));
            }
        }
        verdict
    }

    /// What a policy says beside its rules: names and versions. Those of the default policy are known.
    fn policy_names(&self, path: &str, bytes: &[u8]) -> Verdict {
        let mut verdict = Verdict::default();
        // One that does not read is another step's reason.
        let Ok(policy) = Policy::parse(bytes) else { return verdict };
        let own = Policy::default_policy();
        let known: BTreeSet<&str> = own.names().collect();
        for name in policy.names().filter(|name| !known.contains(name)) {
            let place = format!("{path}: a name");
            verdict.merge(self.gate.scan(&place, Channel::Identity, name.as_bytes()));
        }
        verdict
    }

    /// What the facts imply, against what is there and what is claimed.
    fn derived(
        &self,
        facts: &Facts,
        statement: Option<&Statement>,
        files: &Files,
        clean: bool,
        asked: &Verdict,
    ) -> Verdict {
        let policy = &self.policy;
        let gate = (!clean).then_some(&self.gate);
        let derived = match derive::derive_asked(facts, policy, gate, asked) {
            Ok(derived) => derived,
            Err(e) => return Reason::new(Code::NotDerived, e.path).found(e).into(),
        };
        let failing = statement.is_some_and(failure::is_claimed);
        let mut verdict = match failing {
            true => failure::faults(&derived.judgement),
            false => derived.judgement.verdict(),
        };
        // Evidence that is refused has no control and fewer bad inputs: its own reasons say enough.
        if derived.judgement.accepted() {
            verdict.merge(probes::faults(&derived.probes, policy.probes()));
        }
        verdict.merge(compared(&derived.files, files));
        if !failing {
            verdict.merge(ready(derived.status, verdict.accepted()));
        }
        if let Some(statement) = statement {
            verdict.merge(failure::claimed(statement, derived.status));
        }
        verdict
    }

    /// What speaks against a packet that this judge judges coming next in a ledger.
    pub fn continuity(&self, state: &State, statement: Option<&Statement>, files: &Files) -> Verdict {
        let mut verdict = Verdict::default();
        let in_force = state.policy().map(Policy::digest);
        verdict.require(in_force == Some(self.policy.digest()), || {
            Reason::new(Code::PolicyMismatch, "the ledger's policy in force")
                .values(self.policy.digest(), in_force.map_or("none".to_owned(), |digest| digest.to_string()))
        });
        verdict.merge(continuity(state, statement, files));
        verdict
    }
}

/// Everything that speaks against a packet, for a single use. `state` is the ledger's before the entry, `statement`
/// the entry's own: without them, what needs them is not looked at, and whoever calls must not report it as held.
///
/// ```
/// use fix7_ledger::judge::{self, derive, specimen};
/// use fix7_ledger::packet::Files;
/// use fix7_ledger::verdict::Code;
/// let policy = specimen::policy();
/// let mut files = derive::packet(&specimen::facts(), &policy).unwrap();
/// assert!(judge::judge(&policy, None, None, &Files::collect(files.clone()).0).accepted());
/// files.get_mut("README.md").unwrap().push(b'\n');
/// let verdict = judge::judge(&policy, None, None, &Files::collect(files).0);
/// assert!(verdict.has(Code::ManifestMismatch) && verdict.has(Code::NotDerived));
/// ```
pub fn judge(
    policy: &Policy,
    state: Option<&State>,
    statement: Option<&Statement>,
    files: &Files,
) -> Verdict {
    let judge = Judge::new(policy);
    let mut verdict = judge.packet(statement, files);
    match state {
        Some(state) => verdict.merge(judge.continuity(state, statement, files)),
        None => verdict.merge(blockers::overclaimed(None, files)),
    }
    verdict
}

/// Every file that the policy asks for, and none that nobody knows. The facts' reader names its own.
fn presence(policy: &Policy, files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    for path in policy.packet().required.iter().map(String::as_str) {
        let named_elsewhere =
            FACTS.contains(&path) || [MANIFEST, TREE].contains(&path) || DERIVED.contains(&path);
        verdict
            .require(named_elsewhere || files.get(path).is_some(), || Reason::new(Code::FileMissing, path));
    }
    for (path, _) in files.iter() {
        let known = FACTS.contains(&path) || DERIVED.contains(&path) || [MANIFEST, TREE].contains(&path);
        // What may stand in the plan's folder, the plan's reader says.
        verdict.require(known || path.starts_with(PLAN_FOLDER), || Reason::new(Code::FileUnexpected, path));
    }
    verdict
}

/// No file but the plan's, which the request check reads, holds what looks like a secret (R09).
fn secrets(files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with(PLAN_FOLDER)) {
        for finding in secret::find(bytes) {
            let object = format!("{path}: line {}", finding.line);
            verdict.push(Reason::new(Code::SecretsForbidden, object).found(finding.kind));
        }
    }
    verdict
}

fn selftest(policy: &Policy) -> Verdict {
    let (result, rules) = (validator::selftest(), policy.validator());
    let mut verdict = Verdict::default();
    let reason = || Reason::new(Code::SelftestBroken, "validator selftest");
    verdict.require(result.misjudged.is_empty(), || {
        reason().values("no vector misjudged", result.misjudged.join(", "))
    });
    verdict.require(result.good >= rules.min_good_vectors, || {
        reason().values(format_args!("at least {} good vectors", rules.min_good_vectors), result.good)
    });
    verdict.require(result.bad >= rules.min_bad_vectors, || {
        reason().values(format_args!("at least {} bad vectors", rules.min_bad_vectors), result.bad)
    });
    verdict
}

/// Every derived file against the one found.
fn compared(derived: &BTreeMap<String, Vec<u8>>, files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    for path in FACTS.iter().chain(&DERIVED) {
        match (derived.get(*path), files.get(path)) {
            (Some(derived), Some(found)) if path.ends_with(".json") => {
                verdict.merge(compare::json(path, derived, found));
            }
            (Some(derived), Some(found)) => verdict.merge(compare::text(path, derived, found)),
            (_, None) => verdict.push(Reason::new(Code::FileMissing, path)),
            (None, Some(_)) => {
                verdict.push(Reason::new(Code::NotDerived, path).found("nothing implies this file"))
            }
        }
    }
    verdict
}

/// A packet that is not READY is never accepted, even should no other rule have spoken.
fn ready(status: FinalStatus, accepted: bool) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.require(status == FinalStatus::Ready || !accepted, || {
        Reason::new(Code::RollbackProofMissing, "final status")
            .values(FinalStatus::Ready.name(), status.name())
    });
    verdict
}

#[cfg(test)]
mod tests;
