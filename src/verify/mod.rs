//! Verification: eight numbered steps over the entries of a ledger, oldest first.
//!
//! Owns: the order of the steps, and the report that says of each whether it is held, broken or not established. Must
//! not: read git, judge packets itself (the caller supplies [`Packets`]), count as held what was not checked.
//!
//! | step | name | asks |
//! |---|---|---|
//! | 1 | object | is every commit the one byte string of its fields? |
//! | 2 | chain | does every entry continue the one before, and sign the root over all before? |
//! | 3 | content | are the files those that the leaf and the statement name? |
//! | 4 | signatures | do commit and statement signatures hold, strictly? |
//! | 5 | authority | by replay: may these keys say this, at this position? |
//! | 6 | packet | manifest, tree digest, validator and claim gate, under the policy in force |
//! | 7 | grants | one grant for one rehearsal; reruns reach the same packet; no blocker vanishes |
//! | 8 | completeness | is this all, from the pinned genesis to the head that was seen? |
//!
//! A valid chain whose tail was cut off is a valid chain. So step 8 is held only where a remembered head was met again,
//! or a checkpoint that a quorum of witnesses cosigned; otherwise it is not established, and where nothing else is
//! wrong the exit code stays 0.
//!
//! Steps 1, 3 and 4 need one entry alone: [`check`] does them, and the caller runs it in parallel. Steps 2, 5, 6 and 7
//! need the state before the entry: [`Verifier::push`] does them in order, and stops at the first entry that does not
//! hold, for nothing after it has an authority. Later entries still go through steps 1, 3 and 4.
//!
//! ```
//! use fix7_ledger::verify::{Options, Outcome, Verifier};
//! let (report, _) = Verifier::new(Options::default()).finish();
//! assert_eq!(report.exit_code, 3, "an absent ledger establishes nothing");
//! assert!(report.checks.iter().all(|check| check.outcome != Outcome::Held));
//! ```

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::entry::{Checked, GitId, StoredEntry, VerifiedEntry};
use crate::state::{PacketFacts, State};
use crate::statement::{Kind, Statement};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason, Verdict};

mod checkpoint;
mod earlier;
mod report;

pub use crate::entry::check;
pub use checkpoint::Signed;
pub use report::{Check, Gap, GapKind, Head, LedgerName, MAX_REASONS, Outcome, REPORT_SCHEMA, Report, Step};

/// The files of an entry's tree: path to bytes.
pub type EntryFiles = BTreeMap<String, Vec<u8>>;

/// What the verifier is told from outside of the ledger.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The digest of the genesis statement, from a place that the ledger's host does not control.
    pub genesis: Option<Digest>,
    /// The last head that this verifier saw.
    pub remembered: Option<Head>,
    /// The repository holds only a part of the history.
    pub shallow: bool,
    /// The size of a checkpoint that the history is to be compared with ([`Verifier::witness`]).
    pub checkpoint_size: Option<u64>,
}

/// Judges what an entry claims, under the policy in force.
pub type Judge<'a> = &'a dyn Fn(&State, &Statement, &EntryFiles) -> Verdict;

/// How packets are read and judged; both are other modules' work. Paths begin with `packet/`.
#[derive(Clone, Copy)]
pub struct Packets<'a> {
    /// Reads the facts that grants and blockers are compared with.
    pub facts: &'a dyn Fn(&EntryFiles) -> Result<PacketFacts, Verdict>,
    /// Judges an entry's claims and packet under the policy in force: the state is the one before the entry, for a
    /// genesis the one after. `None`: not judged, and step 6 is then not established.
    pub judge: Option<Judge<'a>>,
}

/// A verification under way.
#[derive(Debug)]
pub struct Verifier {
    options: Options,
    state: State,
    found: report::Found,
    last_oid: Option<GitId>,
    head_oid: Option<String>,
    seen: u64,
    announced: u64,
    stopped: Option<u64>,
    remembered_met: bool,
    root_at_checkpoint: Option<Digest>,
    witnessed: Option<Signed>,
    unjudged: bool,
    before: Option<(u64, Timestamp)>,
}

impl Verifier {
    /// Begins before the genesis.
    pub fn new(options: Options) -> Verifier {
        Verifier::resume(State::default(), options)
    }

    /// Continues after entries that were verified before; the state is as trustworthy as where it was kept.
    pub fn resume(state: State, options: Options) -> Verifier {
        let mut verifier = Verifier {
            options,
            state,
            found: report::Found::default(),
            last_oid: None,
            head_oid: None,
            seen: 0,
            announced: 0,
            stopped: None,
            remembered_met: false,
            root_at_checkpoint: None,
            witnessed: None,
            unjudged: false,
            before: None,
        };
        verifier.meet_remembered();
        verifier
    }

    /// The state after what was pushed and holds.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether an entry did not hold, so that nothing after it can be established.
    pub fn stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Says that so many entries more are to come: those that are then not pushed, since reading them failed or the
    /// caller gave up, are not established in any step. Without this the entries that were pushed count as all.
    pub fn announce(&mut self, entries: u64) {
        self.announced += entries;
    }

    /// Adds what was found outside: an object that cannot be read (step 1), grafts or replace refs (step 8). A reason
    /// at steps 1 to 7 ends the replay.
    pub fn note(&mut self, step: Step, verdict: Verdict) {
        if !verdict.accepted() && step != Step::Completeness {
            self.stop();
        }
        self.found.merge(step, verdict);
    }

    /// Takes the next entry, with what [`check`] found about it.
    pub fn push(&mut self, stored: &StoredEntry, checked: Checked, packets: Packets<'_>) {
        self.seen += 1;
        let Checked { object, content, signatures, verified } = checked;
        self.found.merge(Step::Object, object);
        self.found.merge(Step::Content, content);
        self.found.merge(Step::Signatures, signatures);
        let Some(verified) = verified else {
            return self.stop();
        };
        if self.stopped.is_some() {
            return;
        }
        let seq = verified.entry().leaf().seq;
        if self.options.shallow && self.state.next_seq() == 0 && seq > 0 {
            // Not an attack on the chain: its beginning is not here.
            return self.stop();
        }
        let mut chain = Verdict::default();
        let parent = verified.entry().parent();
        chain.require(self.last_oid.is_none() || parent == self.last_oid, || {
            let shown = |id: Option<GitId>| id.map_or("none".to_owned(), |id| id.to_string());
            Reason::new(Code::ChainBroken, format_args!("entry {seq}: parent"))
                .values(shown(self.last_oid), shown(parent))
        });
        let (facts, mut packet) = facts(&verified, stored, packets);
        let genesis = verified.statement().kind() == Kind::Genesis;
        if !genesis {
            packet.merge(self.judged(&verified, stored, packets));
        }
        let admission = self.state.admit(&verified, facts.as_ref());
        chain.merge(admission.chain.clone());
        // Nothing is folded in unless every step before holds as well.
        let mut holds = admission.accepted() && chain.accepted() && packet.accepted();
        if holds {
            if let Err(error) = self.state.fold(&verified, facts.as_ref()) {
                chain.push(error.into());
                holds = false;
            }
            if holds && genesis {
                packet.merge(self.judged(&verified, stored, packets));
                holds = packet.accepted();
                if !holds {
                    self.state = State::default();
                }
            }
        }
        self.found.merge(Step::Chain, chain);
        self.found.merge(Step::Authority, admission.authority);
        self.found.merge(Step::Packet, packet);
        self.found.merge(Step::Grants, admission.grants);
        if !holds {
            return self.stop();
        }
        self.last_oid = stored.oid.parse().ok();
        self.head_oid = Some(stored.oid.clone());
        self.meet_remembered();
    }

    /// Ends the verification.
    pub fn finish(mut self) -> (Report, State) {
        self.completeness();
        let gaps = self.gaps();
        let head = self.head();
        let report = report::assemble(report::Ending {
            found: self.found,
            ledger: self.state.ledger(),
            head,
            head_oid: self.head_oid,
            seen: self.seen,
            verified: self.state.next_seq(),
            stopped: self.stopped.is_some(),
            unread: self.announced > self.seen,
            end_seen: self.remembered_met || self.witnessed.is_some(),
            unjudged: self.unjudged,
            gaps,
        });
        (report, self.state)
    }

    fn stop(&mut self) {
        self.stopped.get_or_insert(self.state.next_seq());
    }

    fn judged(&mut self, verified: &VerifiedEntry, stored: &StoredEntry, packets: Packets<'_>) -> Verdict {
        match packets.judge {
            Some(judge) => judge(&self.state, verified.statement(), &stored.files),
            None => {
                self.unjudged = true;
                Verdict::default()
            }
        }
    }

    fn head(&self) -> Option<Head> {
        let seq = self.state.next_seq().checked_sub(1)?;
        Some(Head { leaf: self.state.last_leaf(), root: self.state.root(), seq })
    }

    fn completeness(&mut self) {
        let mut verdict = Verdict::default();
        if self.options.shallow {
            verdict.push(Reason::new(Code::Shallow, "repository").found("a part of the history"));
        }
        match self.state.ledger() {
            None if self.seen == 0 => {
                verdict.push(Reason::new(Code::LedgerAbsent, "ledger").found("no entry"))
            }
            None => {}
            Some(ledger) => {
                if let Some(pinned) = &self.options.genesis {
                    verdict.require(*pinned == ledger.id, || {
                        Reason::new(Code::WrongLedger, "genesis").values(pinned, ledger.id)
                    });
                }
            }
        }
        // What every entry holding does not settle: a rehearsal that nobody recorded, entries of a stolen key.
        verdict.merge(self.state.findings());
        // Where the replay stopped, the rest of the ledger may still lead to the remembered head.
        if let (Some(remembered), false) = (self.options.remembered, self.remembered_met) {
            let before = self.head().is_none_or(|head| head.seq < remembered.seq);
            if before && self.stopped.is_none() {
                let found = self.head().map_or("no entry".to_owned(), |head| head.to_string());
                verdict.push(Reason::new(Code::RolledBack, "head").values(remembered, found));
            }
        }
        self.found.merge(Step::Completeness, verdict);
    }

    /// What nobody can know from what was given. It stands in the report whatever the outcome is.
    fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut gap = |kind: GapKind, text: String| gaps.push(Gap { kind, text });
        if let Some(at) = self.stopped {
            let text = format!("entry {at} and all after it: chain, authority, packets and grants");
            gap(GapKind::ReplayStopped, text);
        }
        if let Some((size, time)) = self.before {
            let text = format!(
                "the {size} entries that this copy verified before, the last of them at {time}: they were not read again"
            );
            gap(GapKind::VerifiedBefore, text);
        }
        if self.announced > self.seen {
            let text =
                format!("{} of {} entries: they were not read", self.announced - self.seen, self.announced);
            gap(GapKind::NotRead, text);
        }
        if self.unjudged {
            gap(GapKind::NotJudged, "packets and claims: they were not judged, as asked".into());
        }
        if self.options.shallow {
            gap(GapKind::Shallow, "the history before the first entry that is here".into());
        }
        if self.options.genesis.is_none() {
            let text = "that this is the right ledger: no genesis digest was given";
            gap(GapKind::GenesisNotPinned, text.into());
        }
        if !self.remembered_met && self.witnessed.is_none() {
            let text = match self.options.remembered {
                None => "that no entry was cut off at the end: no head was remembered",
                Some(_) => "that the remembered head is part of this history",
            };
            gap(GapKind::NoRememberedHead, text.into());
        }
        match self.witnessed {
            None => gap(
                GapKind::NoWitness,
                "that everybody sees this history: no witness cosigned its head".into(),
            ),
            Some(signed) if signed.size < self.state.next_seq() => {
                let text = format!(
                    "that everybody sees the entries from #{} on: the cosigned checkpoint ends before",
                    signed.size
                );
                gap(GapKind::NoWitness, text);
            }
            Some(_) => {}
        }
        gap(GapKind::TimesAreClaims, "the times: each is what the signer wrote".into());
        gaps
    }
}

fn facts(
    verified: &VerifiedEntry,
    stored: &StoredEntry,
    packets: Packets<'_>,
) -> (Option<PacketFacts>, Verdict) {
    if !verified.statement().kind().has_packet() {
        return (None, Verdict::default());
    }
    match (packets.facts)(&stored.files) {
        Ok(facts) => (Some(facts), Verdict::default()),
        Err(verdict) if verdict.accepted() => {
            let object = format!("entry {}: packet", verified.entry().leaf().seq);
            (None, Reason::new(Code::Unreadable, object).into())
        }
        Err(verdict) => (None, verdict),
    }
}

/// Verifies entries, oldest first, on one thread.
pub fn verify(
    entries: impl IntoIterator<Item = StoredEntry>,
    options: Options,
    packets: Packets<'_>,
) -> (Report, State) {
    let mut verifier = Verifier::new(options);
    for stored in entries {
        let checked = check(&stored);
        verifier.push(&stored, checked, packets);
    }
    verifier.finish()
}

#[cfg(test)]
mod tests;
