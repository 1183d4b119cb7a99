//! The blockers over time: what the maps of the packets brought, and what the owners decided about them.
//!
//! ```text
//! map (packet)    ids, legs, needs, who must act      only ever more of them; a map claims no more than stands here
//! meet · prove    m owners, and an operator where the map names one      moves one need or one leg
//! close           the same, where every leg is proven and every need met; else it stays OPEN
//! void            takes a decision back; what closed behind it is open again
//! ```
//!
//! What a clone or a dump proves, the packets say themselves, and [`State::is_evidence`] whether they still count. A leg in
//! production is proven by nothing that this ledger can hold, so a blocker that has one never closes here, and neither
//! does [`ROLLBACK_BLOCKER`]. Production is on hold whatever is open or closed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{BlockerFacts, Index as _, IndexError, Once, State};
use crate::digest::Digest;
use crate::entry::VerifiedEntry;
use crate::evidence::blockers::{CLONE_LEG, DUMP_LEG, ROLLBACK_BLOCKER, ROLLBACK_NEEDS};
use crate::keys::Fingerprint;
use crate::statement::{BlockerAction, BlockerDecision, Role};
use crate::verdict::{Code, Reason, Verdict};

/// The blockers that the maps brought, and what was decided about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blockers {
    /// Whether there was a map. Which ones, the records know: each, its predecessor and its bare form.
    mapped: bool,
    open: BTreeSet<String>,
    shapes: BTreeMap<String, BlockerShape>,
    decisions: Vec<Decision>,
}

/// What a blocker consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockerShape {
    /// The names of its legs.
    pub legs: BTreeSet<String>,
    /// The ids of its needs.
    pub needs: BTreeSet<String>,
    /// An operator must act on it too.
    pub operator: bool,
}

/// A decision of the owners about a blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Where it stands.
    pub seq: u64,
    /// Its entry.
    pub leaf: Digest,
    /// The digest of its statement, which a map quotes.
    pub statement: Digest,
    /// What was decided.
    pub claim: BlockerDecision,
    /// The entry that took it back.
    pub void: Option<u64>,
}

/// What a packet's map says of a blocker beside "open".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockerClaim {
    /// The blocker.
    pub blocker: String,
    /// What it says.
    pub action: BlockerAction,
    /// Of which need or leg.
    pub part: Option<String>,
    /// What it quotes: a statement's digest for a need and a closing, the evidence for a leg.
    pub quotes: Option<Digest>,
}

impl State {
    /// Every decision about blockers, oldest first, those that were taken back too.
    pub fn decisions(&self) -> &[Decision] {
        &self.summary.blockers.decisions
    }

    /// Whether a decision counts: it was not taken back, and no stolen key signed it.
    pub fn is_standing(&self, decision: &Decision) -> bool {
        decision.void.is_none() && !self.is_suspect(decision.seq)
    }

    /// The decision by which a need is met or a leg is proven.
    pub fn moved(&self, blocker: &str, action: BlockerAction, part: &str) -> Option<&Decision> {
        let of = |decision: &&Decision| {
            decision.claim.blocker == blocker
                && decision.claim.action == action
                && decision.claim.part.as_deref() == Some(part)
        };
        self.decisions().iter().rev().filter(of).find(|decision| self.is_standing(decision))
    }

    /// The decision by which a blocker is closed: it came after everything that the blocker asks for, and that still
    /// stands.
    pub fn closed(&self, blocker: &str) -> Option<&Decision> {
        let shape = self.summary.blockers.shapes.get(blocker)?;
        let closing = self.decisions().iter().rev().find(|decision| {
            decision.claim.blocker == blocker
                && decision.claim.action == BlockerAction::Close
                && self.is_standing(decision)
        })?;
        let mut parts = parts(shape).map(|(action, part)| self.moved(blocker, action, part));
        parts.all(|moved| moved.is_some_and(|moved| moved.seq < closing.seq)).then_some(closing)
    }

    /// What the known blockers consist of, by id.
    pub fn blockers(&self) -> &BTreeMap<String, BlockerShape> {
        &self.summary.blockers.shapes
    }

    /// The blockers that are open: those that any map had open, but for the closed ones.
    pub fn open_blockers(&self) -> Vec<&str> {
        let all = self.summary.blockers.open.iter().map(String::as_str);
        all.filter(|id| self.closed(id).is_none()).collect()
    }

    /// The last decision about a blocker that was not taken back: what the next one comes after.
    pub fn last_decision(&self, blocker: &str) -> Option<&Decision> {
        let of = |decision: &&Decision| decision.claim.blocker == blocker && decision.void.is_none();
        self.decisions().iter().rev().find(of)
    }

    /// A map continues one of this ledger's maps (the first is free), no blocker, leg, need or duty vanishes from it, and it
    /// claims no more than the owners decided.
    pub fn map_holds(&self, facts: &BlockerFacts, place: &str) -> Verdict {
        let mut verdict = Verdict::default();
        let refused = |what: String| Reason::new(Code::BlockersInvalid, format_args!("{place}{what}"));
        match self.continues(facts) {
            Ok(continues) => verdict.require(continues, || {
                let found = facts.previous.map_or("none".to_owned(), |d| d.to_string());
                refused("the previous blocker map".to_owned()).values("a map of this ledger", found)
            }),
            Err(error) => verdict.push(error.into()),
        }
        for gone in self.summary.blockers.open.difference(&facts.open) {
            let closed = self.closed(gone).is_some() && facts.shapes.contains_key(gone);
            verdict.require(closed, || {
                let what = format!("blocker {}", gone.escape_default());
                refused(what).values("OPEN", "not among the open ones")
            });
        }
        for (id, shape) in &self.summary.blockers.shapes {
            let Some(now) = facts.shapes.get(id) else { continue };
            let of_packets = |leg: &String| is_derived(id, leg);
            let legs = shape.legs.difference(&now.legs).filter(|leg| !of_packets(leg));
            let gone: Vec<&str> =
                legs.chain(shape.needs.difference(&now.needs)).map(String::as_str).collect();
            verdict.require(gone.is_empty() && shape.operator <= now.operator, || {
                let found = if gone.is_empty() { "not its operator".to_owned() } else { gone.join(", ") };
                refused(format!("blocker {id}"))
                    .values("its legs, needs and owners as before", format_args!("without {found}"))
            });
        }
        verdict.merge(self.map_claims(facts, place));
        verdict
    }

    /// Whether a map continues a known one. One that differs from a known map in its claims alone does: each claim is
    /// compared with the decisions.
    fn continues(&self, facts: &BlockerFacts) -> Result<bool, IndexError> {
        let known = |map: &Digest| self.records.used(&Once::map(map));
        Ok(!self.summary.blockers.mapped
            || facts.previous.as_ref().map_or(Ok(false), known)?
            || known(&facts.bare)?)
    }

    /// What a map claims beyond what the owners decided.
    pub fn map_claims(&self, facts: &BlockerFacts, place: &str) -> Verdict {
        let reasons = facts.claims.iter().filter_map(|claim| self.overclaims(claim));
        reasons.map(|reason| Reason { object: format!("{place}{}", reason.object), ..reason }).collect()
    }

    /// What a map says beyond what was decided.
    fn overclaims(&self, claim: &BlockerClaim) -> Option<Reason> {
        let decided = match &claim.part {
            Some(part) => self.moved(&claim.blocker, claim.action, part),
            None => self.closed(&claim.blocker),
        };
        let quoted = decided.map(|decision| match claim.action {
            BlockerAction::Prove => decision.claim.evidence,
            BlockerAction::Meet | BlockerAction::Close => decision.statement,
        });
        if quoted.is_some() && quoted == claim.quotes {
            return None;
        }
        let what = match (&claim.part, claim.action) {
            (Some(part), BlockerAction::Prove) => format!(": leg {}", part.escape_default()),
            (Some(part), _) => format!(": need {}", part.escape_default()),
            (None, _) => String::new(),
        };
        let object = format!("blocker {}{what}", claim.blocker.escape_default());
        let found = claim.quotes.map_or("a claim without a decision".to_owned(), |d| d.to_string());
        let expected =
            quoted.map_or("OPEN, nothing in this ledger says otherwise".to_owned(), |d| d.to_string());
        Some(Reason::new(Code::BlockersInvalid, object).values(expected, found))
    }

    /// Takes note of a judged blocker map.
    pub(super) fn note_blockers(&mut self, facts: &BlockerFacts) {
        for map in facts.previous.iter().chain([&facts.map, &facts.bare]) {
            self.records.mark_used(Once::map(map));
        }
        let blockers = &mut self.summary.blockers;
        blockers.mapped = true;
        blockers.open.extend(facts.open.iter().cloned());
        for (id, now) in &facts.shapes {
            let shape = blockers.shapes.entry(id.clone()).or_default();
            shape.legs.extend(now.legs.iter().cloned());
            shape.needs.extend(now.needs.iter().cloned());
            shape.operator |= now.operator;
        }
    }

    pub(super) fn note_decision(&mut self, decision: Decision) {
        self.summary.blockers.decisions.push(decision);
    }

    /// Takes a decision back, where the leaf is one's.
    pub(super) fn void_decision(&mut self, leaf: &Digest, by: u64) {
        let decisions = &mut self.summary.blockers.decisions;
        if let Some(decision) = decisions.iter_mut().find(|decision| decision.leaf == *leaf) {
            decision.void = Some(by);
        }
    }

    /// The decision with this leaf.
    pub(super) fn decision(&self, leaf: &Digest) -> Option<&Decision> {
        self.decisions().iter().find(|decision| decision.leaf == *leaf)
    }

    /// What speaks against a decision, beside the number of owners who signed it.
    pub(super) fn blocker_moves(
        &self,
        claim: &BlockerDecision,
        verified: &VerifiedEntry,
        object: &str,
        verdict: &mut Verdict,
    ) {
        let object = format!("{object}: blocker {}", claim.blocker);
        let refused = |expected: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
            Reason::new(Code::BlockersInvalid, &object).values(expected, found)
        };
        let Some(shape) = self.summary.blockers.shapes.get(&claim.blocker) else {
            return verdict.push(refused(&"a blocker of this ledger's maps", &claim.blocker));
        };
        let signers: Vec<Fingerprint> = verified.signatures().signers().collect();
        verdict.require(!shape.operator || self.operator_beside_owners(&signers), || {
            let expected = "an operator beside the owners: the map names both";
            Reason::new(Code::RoleMissing, &object).values(expected, "owners alone")
        });
        let after = self.last_decision(&claim.blocker).map(|decision| decision.leaf);
        verdict.require(after == claim.after, || {
            let shown = |leaf: Option<Digest>| leaf.map_or("none".to_owned(), |leaf| leaf.to_string());
            refused(&format_args!("the last decision about it, {}", shown(after)), &shown(claim.after))
        });
        match (claim.action, claim.part.as_deref()) {
            (BlockerAction::Meet, Some(need)) => {
                verdict.require(shape.needs.contains(need), || refused(&"one of its needs", &need));
                self.moves_once(claim, need, &object, verdict);
                if (claim.blocker.as_str(), need) == (ROLLBACK_BLOCKER, ROLLBACK_NEEDS[0]) {
                    return self.is_dump_evidence(&claim.evidence, &object, verdict);
                }
            }
            (BlockerAction::Prove, Some(leg)) => {
                verdict.require(shape.legs.contains(leg), || refused(&"one of its legs", &leg));
                self.moves_once(claim, leg, &object, verdict);
                verdict.require(!is_derived(&claim.blocker, leg), || {
                    refused(&"a leg that no rehearsal proves by itself", &leg)
                });
                let production = self.policy().and_then(|policy| policy.names_production(leg));
                verdict.require(production.is_none(), || {
                    let found = format_args!("leg {leg}, {}", production.unwrap_or_default()).to_string();
                    Reason::new(Code::ScopeLift, &object)
                        .values("nothing here proves a leg in production", found)
                });
            }
            _ => self.closes(claim, shape, &object, verdict),
        }
        self.rests_on_its_own(claim, &object, verdict);
    }

    fn moves_once(&self, claim: &BlockerDecision, part: &str, object: &str, verdict: &mut Verdict) {
        if let Some(before) = self.moved(&claim.blocker, claim.action, part) {
            let found = format_args!("{part}, by entry {}", before.seq).to_string();
            let reason = Reason::new(Code::BlockersInvalid, object);
            verdict.push(reason.values("what has not moved yet", found));
        }
    }

    fn closes(&self, claim: &BlockerDecision, shape: &BlockerShape, object: &str, verdict: &mut Verdict) {
        let reason = |code| Reason::new(code, object);
        verdict.require(claim.blocker != ROLLBACK_BLOCKER, || {
            let found = "its leg in production is proven by nothing in this ledger";
            reason(Code::ScopeLift).values("OPEN", found)
        });
        let moved =
            |(action, part): &(BlockerAction, &str)| self.moved(&claim.blocker, *action, part).is_none();
        let open: Vec<&str> = parts(shape).filter(moved).map(|(_, part)| part).collect();
        verdict.require(open.is_empty(), || {
            reason(Code::BlockersInvalid).values("every leg proven, every need met", open.join(", "))
        });
        if let Some(before) = self.closed(&claim.blocker) {
            let found = format_args!("closed by entry {}", before.seq).to_string();
            verdict.push(reason(Code::BlockersInvalid).values("OPEN", found));
        }
    }

    /// The dump of the operator: a rehearsal on one, which is evidence now.
    fn is_dump_evidence(&self, leaf: &Digest, object: &str, verdict: &mut Verdict) {
        match self.rehearsal(leaf) {
            Err(error) => verdict.push(error.into()),
            Ok(record) => {
                let shown = record.is_some_and(|record| record.dump && self.is_evidence(&record));
                verdict.require(shown, || {
                    let expected = "the leaf of a rehearsal on an operator's dump that counts as evidence";
                    Reason::new(Code::BlockersInvalid, format_args!("{object}: evidence"))
                        .values(expected, leaf)
                });
            }
        }
    }

    /// The evidence of a decision is no entry of this ledger, no grant, and nothing that another decision rests on.
    fn rests_on_its_own(&self, claim: &BlockerDecision, object: &str, verdict: &mut Verdict) {
        let evidence = &claim.evidence;
        let (entry, grant) = (self.records.record(evidence), self.records.used(&Once::document(evidence)));
        let again = self.decisions().iter().find(|d| self.is_standing(d) && d.claim.evidence == *evidence);
        let found = match (entry, grant, again) {
            (Err(error), ..) | (_, Err(error), _) => return verdict.push(error.into()),
            (_, _, Some(before)) => format!("what entry {} rests on", before.seq),
            (Ok(Some(record)), ..) => format!("entry {}", record.seq()),
            (_, Ok(true), _) => "the statement of a grant for a rehearsal".to_owned(),
            _ => return,
        };
        let reason = Reason::new(Code::BlockersInvalid, format_args!("{object}: evidence"));
        verdict.push(reason.values("a document of its own", found));
    }

    /// Whether an operator signed who is not needed to reach the number of owners: nobody counts twice.
    fn operator_beside_owners(&self, signers: &[Fingerprint]) -> bool {
        let has = |key: &Fingerprint, role| {
            self.summary.keys.get(key).is_some_and(|record| record.roles.contains(&role))
        };
        let operators = signers.iter().filter(|key| has(key, Role::Operator));
        operators.map(|key| self.person(key)).any(|operator| {
            let owners = signers.iter().filter(|key| has(key, Role::Owner)).map(|key| self.person(key));
            let others: BTreeSet<_> = owners.filter(|owner| *owner != operator).collect();
            others.len() >= self.owner_threshold()
        })
    }
}

/// What a packet proves by itself.
fn is_derived(blocker: &str, leg: &str) -> bool {
    blocker == ROLLBACK_BLOCKER && [CLONE_LEG, DUMP_LEG].contains(&leg)
}

/// Everything that has to move before a blocker closes.
fn parts(shape: &BlockerShape) -> impl Iterator<Item = (BlockerAction, &str)> {
    let legs = shape.legs.iter().map(|leg| (BlockerAction::Prove, leg.as_str()));
    legs.chain(shape.needs.iter().map(|need| (BlockerAction::Meet, need.as_str())))
}
