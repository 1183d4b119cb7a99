//! The report of a verification: eight checks, each held, broken or not established, and what nobody could know.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::state::Ledger;
use crate::statement::Label;
use crate::verdict::{Class, Reason, Verdict};

/// The schema name of the report.
pub const REPORT_SCHEMA: &str = "fix7-ledger/verify-report/v1";
/// Most reasons that one check lists; more are counted. Stops a hostile ledger from filling the auditor's disk.
pub const MAX_REASONS: usize = 100;

/// The steps of verification, numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// 1: the commit is the one byte string of its fields.
    Object,
    /// 2: leaf chain and root.
    Chain,
    /// 3: content digests.
    Content,
    /// 4: both signatures.
    Signatures,
    /// 5: authority by replay.
    Authority,
    /// 6: the packet and its claims.
    Packet,
    /// 7: grants and blockers.
    Grants,
    /// 8: completeness.
    Completeness,
}

impl Step {
    /// Every step in order.
    pub const ALL: [Step; 8] = [
        Step::Object,
        Step::Chain,
        Step::Content,
        Step::Signatures,
        Step::Authority,
        Step::Packet,
        Step::Grants,
        Step::Completeness,
    ];

    /// The number, from 1.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Whether the step needs the state before the entry.
    fn is_replay(self) -> bool {
        matches!(self, Step::Chain | Step::Authority | Step::Packet | Step::Grants)
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Checked for every entry, and nothing speaks against it.
    Held,
    /// Something speaks against it.
    Broken,
    /// Not checked for every entry, or it could not be.
    NotEstablished,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The step's number.
    pub step: u8,
    /// The step's name.
    pub name: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// What speaks against it, at most [`MAX_REASONS`].
    pub reasons: Vec<Reason>,
    /// How many more there are.
    pub more: u64,
}

/// A position in a ledger, as a verifier remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The leaf of the last entry.
    pub leaf: Digest,
    /// The Merkle root over all leaves up to it.
    pub root: Digest,
    /// The position of the last entry.
    pub seq: u64,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} (leaf {}, root {})", self.seq, self.leaf, self.root)
    }
}

/// Which ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerName {
    /// A demonstration: its keys may be public.
    pub demo: bool,
    /// Digest of the genesis statement: what to pin.
    pub id: Digest,
    /// Its name.
    pub name: Label,
}

/// Why something could not be established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GapKind {
    /// An entry does not hold, so nothing after it has an authority.
    ReplayStopped,
    /// Entries were not read.
    NotRead,
    /// Entries were verified before, and not read again.
    VerifiedBefore,
    /// Packets were not judged.
    NotJudged,
    /// A shallow clone.
    Shallow,
    /// No genesis digest was given.
    GenesisNotPinned,
    /// No head was remembered, or it was not reached.
    NoRememberedHead,
    /// No witness cosigned.
    NoWitness,
    /// Times are claims.
    TimesAreClaims,
}

/// Something that this verification does not establish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Why.
    pub kind: GapKind,
    /// What.
    pub text: String,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The eight checks, in order.
    pub checks: Vec<Check>,
    /// How many entries were given.
    pub entries: u64,
    /// The process exit code.
    pub exit_code: u8,
    /// The last entry that holds; what a verifier remembers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<Head>,
    /// Its git commit: a place to look, never an identity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head_commit: Option<String>,
    /// Which ledger; absent where no genesis holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ledger: Option<LedgerName>,
    /// What is not established, whatever the outcome.
    pub not_established: Vec<Gap>,
    /// [`REPORT_SCHEMA`].
    pub schema: String,
    /// How many entries hold in every step, from the genesis on.
    pub verified: u64,
}

impl Report {
    /// Every reason, in the order of the steps.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.checks.iter().flat_map(|check| &check.reasons)
    }

    /// How a step ended.
    pub fn outcome(&self, step: Step) -> Outcome {
        self.checks.iter().find(|c| c.name == step).map_or(Outcome::NotEstablished, |c| c.outcome)
    }
}

/// The reasons by step, bounded, while a verification goes on.
#[derive(Debug, Default)]
pub(super) struct Found {
    steps: [(Verdict, u64); 8],
    /// One reason of each class, so that the exit code does not depend on what was listed.
    classes: Vec<Reason>,
    broken: [bool; 8],
}

impl Found {
    pub(super) fn merge(&mut self, step: Step, verdict: Verdict) {
        let at = step as usize;
        for reason in verdict.reasons() {
            let class = reason.code.class();
            if self.classes.iter().all(|known| known.code.class() != class) {
                self.classes.push(reason.clone());
            }
            self.broken[at] |= matches!(class, Class::Broken | Class::Refused | Class::Forked);
            let (listed, more) = &mut self.steps[at];
            match listed.reasons().len() < MAX_REASONS {
                true => listed.push(reason.clone()),
                false => *more += 1,
            }
        }
    }

    fn exit_code(&self) -> u8 {
        let mut all = Verdict::default();
        self.classes.iter().for_each(|reason| all.push(reason.clone()));
        all.exit_code()
    }
}

/// What [`assemble`] makes a report of.
pub(super) struct Ending<'a> {
    pub(super) found: Found,
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) head: Option<Head>,
    pub(super) head_oid: Option<String>,
    pub(super) seen: u64,
    pub(super) verified: u64,
    pub(super) stopped: bool,
    pub(super) unread: bool,
    pub(super) end_seen: bool,
    pub(super) unjudged: bool,
    pub(super) gaps: Vec<Gap>,
}

pub(super) fn assemble(ending: Ending<'_>) -> Report {
    let nothing = ending.seen == 0 && ending.verified == 0;
    let checks: Vec<Check> = Step::ALL
        .into_iter()
        .map(|step| {
            let (listed, more) = &ending.found.steps[step as usize];
            let unreached = nothing
                || (ending.unread && step != Step::Completeness)
                || (ending.stopped && step.is_replay())
                || (ending.unjudged && step == Step::Packet)
                || (!ending.end_seen && step == Step::Completeness)
                || !listed.accepted();
            let outcome = match (ending.found.broken[step as usize], unreached) {
                (true, _) => Outcome::Broken,
                (false, true) => Outcome::NotEstablished,
                (false, false) => Outcome::Held,
            };
            Check {
                step: step.number(),
                name: step,
                outcome,
                reasons: listed.reasons().to_vec(),
                more: *more,
            }
        })
        .collect();
    // What was not checked never counts as held, so it is no success either. That nothing was cut off at the end is
    // nobody's to know who sees a ledger for the first time: the report says so, and it is no failure.
    let entries = checks.iter().filter(|check| check.name != Step::Completeness);
    let established = entries.into_iter().all(|check| check.outcome == Outcome::Held);
    let exit_code = match (ending.found.exit_code(), established) {
        (0, false) => Class::NotEstablished.exit_code(),
        (code, _) => code,
    };
    Report {
        checks,
        entries: ending.seen,
        exit_code,
        head: ending.head,
        head_commit: ending.head_oid,
        ledger: ending.ledger.map(|l| LedgerName { demo: l.demo, id: l.id, name: l.name.clone() }),
        not_established: ending.gaps,
        schema: REPORT_SCHEMA.to_owned(),
        verified: ending.verified,
    }
}
