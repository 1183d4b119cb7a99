//! Recording a packet: judge it, sign its statement, append the entry; with a remote, send it.
//!
//! Owns: the one way from a packet to an entry, for `record` and for `rerun --record`. Must not: hold a rule; what may be
//! recorded, the judge and the state say.

use std::collections::BTreeMap;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::writing::{self, Contents};
use super::{numbering, push, replay, surroundings};
use crate::digest::Digest;
use crate::dsse;
use crate::evidence::Plan;
use crate::judge;
use crate::keys::{Fingerprint, Signer};
use crate::ledger::Repository;
use crate::packet::Files;
use crate::policy::Policy;
use crate::state::{PacketFacts, RehearsalRecord, State};
use crate::statement::{self, Label, Mention, Outcome, PACKET_DIR, Rehearsal, Run, Statement};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason, Verdict};

/// A packet on its way into the ledger.
pub(super) struct Recording<'a> {
    /// Which ledger.
    pub(super) place: &'a Place,
    /// Who signs.
    pub(super) signer: &'a Signer<'a>,
    /// The packet.
    pub(super) files: Files,
    /// The volatile facts of its rehearsal.
    pub(super) run: Run,
    /// The grant to consume, by its name or leaf; without one, the oldest that fits.
    pub(super) grant: Option<&'a str>,
    /// The rehearsal that it repeats, by its number, leaf or name.
    pub(super) rerun_of: Option<&'a str>,
    /// It shows a rollback that did not restore the clone.
    pub(super) failed: bool,
    /// The entry's name.
    pub(super) run_id: Option<&'a str>,
    /// Places where a forbidden token is mentioned.
    pub(super) mentions: Vec<Mention>,
    /// Where the ledger is sent afterwards.
    pub(super) push: Option<&'a str>,
}

impl Recording<'_> {
    /// Judges, signs and appends the packet.
    pub(super) fn append(self, ui: &Ui) -> Result<Answer, Failure> {
        let facts = judge::packet_facts(&self.files)?;
        let (repo, ledger, _) = self.place.existing()?;
        let lock = repo.lock(writing::LOCK_PATIENCE)?;
        let (mut state, tip) = replay::trusted(self.place)?;
        let now = surroundings::now()?;

        let rehearsal = self.claim(&repo, &state, &facts, now)?;
        let (run_id, number, result) = (rehearsal.run_id.clone(), rehearsal.number, rehearsal.result);
        let statement = Statement::rehearsal(
            replay::ledger_id(&state)?,
            surroundings::statement_nonce()?,
            rehearsal,
            subjects(&self.files),
        )
        .map_err(|e| Failure::because(Code::StatementInvalid, "the statement", e))?;
        let policy = state.policy().cloned().unwrap_or_else(Policy::default_policy);
        let verdict = judge::judge(&policy, Some(&state), Some(&statement), &self.files);
        if !verdict.accepted() {
            return Err(verdict.into());
        }
        let signatures = dsse::sign(statement.bytes(), &[self.signer])
            .map_err(|e| Failure::because(Code::SignatureInvalid, "the statement", e))?;
        let contents = Contents {
            statement: &statement,
            signatures: &signatures,
            files: in_tree(self.files),
            facts: Some(&facts),
            time: now,
        };
        let appended = writing::append(&repo, &ledger, &lock, Some(tip), &mut state, contents, self.signer)?;
        let kind = statement.kind().name();
        let mut text = format!(
            "recorded {kind} `{run_id}`{} [HOLD_PRODUCTION]\n  entry  #{} {}\n  packet {}",
            if self.failed { ", FAILED: the clone was not restored" } else { "" },
            appended.seq,
            appended.leaf,
            facts.packet_tree
        );
        let mut answer = Answer::default();
        if let Some(remote) = self.push {
            let sent = push::send(&repo, &ledger, &lock, remote, Some(self.signer), ui)?;
            text.push_str(&format!(
                "\n  pushed to {remote}{}",
                if sent.repositioned > 0 { ", behind entries that came first" } else { "" }
            ));
            answer = answer.with("pushed", remote).with("repositioned", sent.repositioned);
        }
        Ok(answer
            .saying(text)
            .with("kind", kind)
            .with("run_id", run_id.as_str())
            .with("number", number)
            .with("seq", appended.seq)
            .with("leaf", appended.leaf)
            .with("commit", appended.oid.to_string())
            .with("result", result)
            .with("packet_tree", facts.packet_tree))
    }

    fn claim(
        &self,
        repo: &Repository,
        state: &State,
        facts: &PacketFacts,
        now: Timestamp,
    ) -> Result<Rehearsal, Failure> {
        let operator = self.signer.public().fingerprint();
        let plan = Plan::parse(self.files.plan()).map_err(Verdict::from_iter)?;
        let run_id =
            self.run_id.map_or_else(|| format!("{}-{}", plan.spec.name, state.next_seq()), str::to_owned);
        let run_id: Label = run_id.parse().map_err(|e| {
            Failure::because(Code::PathForbidden, format!("name `{}`", run_id.escape_default()), e)
        })?;
        let (grant, of) = match self.rerun_of {
            Some(wanted) => {
                let (leaf, record) = rehearsal(state, wanted)?;
                (record.grant, Some(leaf))
            }
            None => (grant(self.grant, state, facts, &operator)?, None),
        };
        let mut begins = state.open_begins().iter();
        let begin = match of {
            None => begins.find(|(_, open)| open.grant == grant).map(|(leaf, _)| *leaf),
            Some(_) => None,
        };
        Ok(Rehearsal {
            begin,
            date: now.date(),
            grant,
            mentions: self.mentions.clone(),
            number: Some(numbering::of_run(&self.run, repo, state, &operator)?),
            of,
            packet_tree: facts.packet_tree,
            result: if self.failed { Outcome::RollbackNotExact } else { Outcome::RollbackExact },
            run: self.run.clone(),
            run_id,
        })
    }
}

/// The rehearsal with this number, leaf or name.
pub(super) fn rehearsal(state: &State, wanted: &str) -> Result<(Digest, RehearsalRecord), Failure> {
    let number = wanted.trim_start_matches('#').parse::<u64>().ok();
    let found = state.rehearsals().map_err(Reason::from)?.into_iter().find(|(leaf, record)| {
        Some(record.seq) == number || leaf.to_string() == wanted || record.run_id.as_str() == wanted
    });
    found.ok_or_else(|| {
        let object = format!("rehearsal `{}`", wanted.escape_default());
        Failure::because(Code::EntryAbsent, object, "the ledger has no such rehearsal")
    })
}

/// The grant that was asked for, or the oldest that this operator may use for this packet.
fn grant(
    wanted: Option<&str>,
    state: &State,
    facts: &PacketFacts,
    operator: &Fingerprint,
) -> Result<Digest, Failure> {
    if let Some(wanted) = wanted {
        let leaf = named_grant(state, wanted)?;
        let verdict = state.usable_grant(&leaf, operator, facts);
        return if verdict.accepted() { Ok(leaf) } else { Err(verdict.into()) };
    }
    let mut own = Verdict::default();
    let mut grants = state.open_grants(operator).map_err(Reason::from)?;
    // What was begun comes first: it is missed until it is recorded.
    grants.sort_by_key(|(leaf, _)| !state.open_begins().values().any(|open| open.grant == *leaf));
    for (leaf, _) in grants {
        let verdict = state.usable_grant(&leaf, operator, facts);
        if verdict.accepted() {
            return Ok(leaf);
        }
        own = verdict;
    }
    // The newest grant for this operator says best what is wrong.
    match own.accepted() {
        true => Err(Failure::because(
            Code::GrantMissing,
            format!("key {operator}"),
            "no unused grant names this operator",
        )),
        false => Err(own.into()),
    }
}

/// The grant with this name or leaf.
pub(super) fn named_grant(state: &State, wanted: &str) -> Result<Digest, Failure> {
    if let Ok(leaf) = wanted.parse::<Digest>() {
        return Ok(leaf);
    }
    let mut grants = state.grants().map_err(Reason::from)?.into_iter();
    let found = grants.find(|(_, record)| record.grant.id.as_str() == wanted);
    found.map(|(leaf, _)| leaf).ok_or_else(|| {
        let object = format!("grant `{}`", wanted.escape_default());
        Failure::because(Code::GrantMissing, object, "the ledger has no such grant")
    })
}

fn subjects(files: &Files) -> statement::Subjects {
    let digest = |path: &str| files.digest(path).unwrap_or(Digest::ZERO);
    files.iter().map(|(path, _)| (format!("{PACKET_DIR}{path}"), digest(path))).collect()
}

fn in_tree(files: Files) -> BTreeMap<String, Vec<u8>> {
    files.into_map().into_iter().map(|(path, bytes)| (format!("{PACKET_DIR}{path}"), bytes)).collect()
}
