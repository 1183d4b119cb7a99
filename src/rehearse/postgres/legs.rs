//! The legs on PostgreSQL, in order, each from the snapshot's state.
//!
//! Owns: what is done in which order, and what is written down of it. Must not: start a server (a confined process
//! does), judge what was found.
//!
//! ```text
//! base ─read-only─ base ─transaction─ restored ─snapshot─ restored ─down─ rolled back ─reapply─ applied ─ restored
//! ```
//!
//! Rows are compared in every leg, the files of the stopped cluster in `snapshot` alone: a server that was merely
//! started has changed some. Sequences and roles stand apart: a ROLLBACK takes neither back.

use std::collections::BTreeMap;

use super::child::{Answer, Committed, Run, What};
use super::files;
use super::locks::LockSeen;
use super::look::State;
use super::room::{Room, another};
use crate::digest::Digest;
use crate::evidence::entry::{DirectoryFacts, Entry, SnapshotFacts, TransactionFacts, cluster_state};
use crate::evidence::plan::postgresql::outside_transaction;
use crate::evidence::{Hashes, Leg, Outcome, Plan};
use crate::rehearse::RehearseError;
use crate::rehearse::child::Checked;
use crate::rehearse::engine::{Failure, FailureKind};
use crate::rehearse::legs::{Executor, Found, Journal};

/// How many differences are listed in an entry.
const LISTED: usize = 64;
/// Everything that the legs need.
pub(super) struct Legs<'r, 'c> {
    room: &'r Room<'c>,
    plan: &'r Plan,
    clone_id: String,
    base: State,
    /// Manifests met, in order: their places are what the evidence names.
    pub(super) manifests: Vec<Digest>,
    journal: Journal,
    entries: Vec<Entry>,
    applied: Vec<(State, u64)>,
    /// The change leaves other rows at another moment.
    by_the_clock: bool,
    /// Per leg, what the lock watch saw.
    pub(super) locks: BTreeMap<&'static str, Vec<LockSeen>>,
}

impl<'r, 'c> Legs<'r, 'c> {
    /// Legs over a cluster at rest whose state is `base` and whose snapshot is taken.
    pub(super) fn new(
        room: &'r Room<'c>,
        plan: &'r Plan,
        clone_id: &str,
        base: State,
        taken: Digest,
    ) -> Legs<'r, 'c> {
        Legs {
            room,
            plan,
            clone_id: clone_id.to_owned(),
            base,
            manifests: vec![taken],
            journal: Journal::new(clone_id),
            entries: Vec::new(),
            applied: Vec::new(),
            by_the_clock: false,
            locks: BTreeMap::new(),
        }
    }

    /// Runs every leg but `executor`.
    pub(super) fn run(&mut self, now: &mut dyn FnMut(Leg)) -> Result<(), RehearseError> {
        now(Leg::ReadOnly);
        self.read_only()?;
        now(Leg::Transaction);
        self.transaction()?;
        now(Leg::Snapshot);
        self.snapshot()?;
        now(Leg::Down);
        self.down()?;
        now(Leg::Reapply);
        self.reapply()
    }

    /// The name of a manifest.
    fn bytes(&mut self, manifest: Digest) -> Digest {
        let known = self.manifests.iter().position(|met| *met == manifest);
        let n = known.unwrap_or_else(|| {
            self.manifests.push(manifest);
            self.manifests.len() - 1
        });
        cluster_state(&self.clone_id, n as u64)
    }

    fn entry(&self, leg: Leg, outcome: Outcome) -> Entry {
        Entry::begun(leg, &self.clone_id, outcome)
    }

    fn script(&self, sql: &str) -> Run {
        // One statement that cannot be wrapped unwraps the whole script, as migration runners do.
        let transaction = self.plan.settings.transaction && outside_transaction(sql).is_none();
        Run {
            sql: sql.to_owned(),
            transaction,
            limit_ms: u64::from(self.plan.settings.timeout_seconds) * 1000,
        }
    }

    fn restore(&mut self, leg: Leg) -> Result<Digest, RehearseError> {
        let restored = self.room.restore()?;
        let named = self.bytes(restored);
        self.journal.step(leg, "restore", &[named]);
        Ok(named)
    }

    fn read_only(&mut self) -> Result<(), RehearseError> {
        let before = self.room.names()?;
        let exit = self.room.look()?;
        let after = self.room.names()?;
        self.journal.step(Leg::ReadOnly, "read", &[exit.rows]);
        let held = exit == self.base && before == after;
        let mut entry = self.entry(Leg::ReadOnly, if held { Outcome::Held } else { Outcome::NotHeld });
        entry.before_hash = only_rows(&self.base);
        entry.exit_hash = only_rows(&exit);
        told_apart(&mut entry, &self.base, &exit);
        entry.directory = Some(DirectoryFacts { before, after });
        self.entries.push(entry);
        Ok(())
    }

    fn transaction(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Transaction;
        let reason = match outside_transaction(&self.plan.change) {
            _ if !self.plan.settings.transaction => {
                Some("the plan says that the change brings its own transactions".to_owned())
            }
            Some((n, name)) => Some(format!("statement {n}: {name} cannot run inside a transaction")),
            None => None,
        };
        if reason.is_some() {
            let mut entry = self.entry(LEG, Outcome::NotApplicable);
            entry.error = reason;
            told_apart(&mut entry, &self.base, &self.base);
            self.entries.push(entry);
            return Ok(());
        }
        let inside = match self.room.ask(What::Inside(self.script(&self.plan.change)))? {
            Answer::Inside(inside) => inside,
            _ => return Err(another()),
        };
        stop_unless_the_changes_own(&inside.report.failure)?;
        self.locks.insert(LEG.name(), inside.locks);
        let rows = inside.state.as_ref().map(|state| state.rows);
        self.journal.step(LEG, "begin", &[]);
        self.journal.script(LEG, "apply", &inside.report);
        self.journal.changed(LEG, "look", rows.as_slice());
        self.journal.step(LEG, "rollback", &[]);
        let after = self.room.look()?;
        self.journal.step(LEG, "digest", &[after.rows]);
        let outcome = match &inside.report.failure {
            Some(failure) => outcome_of(failure),
            None if restored(&after, &self.base) => Outcome::Exact,
            None => Outcome::RowsDiffer,
        };
        let mut entry = self.entry(LEG, outcome);
        entry.before_hash = only_rows(&self.base);
        entry.after_apply_hash = inside.state.as_ref().and_then(only_rows);
        entry.after_rollback_hash = only_rows(&after);
        entry.rows_changed = inside.report.rows_changed;
        entry.error = inside.report.failure.as_ref().map(ToString::to_string);
        entry.transaction = Some(TransactionFacts {
            stayed_open: inside.report.stayed_open,
            statements: inside.report.statements,
            commit_attempts: 0,
            closed: inside.closed,
        });
        told_apart(&mut entry, &self.base, &after);
        self.applied.extend(inside.state.map(|state| (state, inside.report.rows_changed)));
        self.entries.push(entry);
        self.restore(LEG).map(drop)
    }

    /// Commits the change; another connection looks.
    fn apply(&mut self, leg: Leg) -> Result<Committed, RehearseError> {
        let committed = match self.room.ask(What::Commit(self.script(&self.plan.change)))? {
            Answer::Committed(committed) => committed,
            _ => return Err(another()),
        };
        self.met(leg, "apply", &committed)?;
        Ok(committed)
    }

    /// Writes down what a script did.
    fn met(&mut self, leg: Leg, action: &str, committed: &Committed) -> Result<(), RehearseError> {
        stop_unless_the_changes_own(&committed.report.failure)?;
        self.journal.script(leg, action, &committed.report);
        self.locks.entry(leg.name()).or_default().extend(committed.locks.iter().cloned());
        if let Some(state) = &committed.state {
            self.journal.changed(leg, "look", &[state.rows]);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Snapshot;
        let taken = cluster_state(&self.clone_id, 0);
        self.journal.step(LEG, "snapshot", &[taken]);
        let committed = self.apply(LEG)?;
        let mut entry = self.entry(LEG, Outcome::Exact);
        entry.rows_changed = committed.report.rows_changed;
        if let Some(failure) = &committed.report.failure {
            entry.outcome = outcome_of(failure);
            entry.error = Some(failure.to_string());
        }
        if let Some(state) = &committed.state {
            let manifest = files::manifest(&self.room.place.data())?;
            let bytes = self.bytes(manifest);
            entry.after_apply_hash = Some(Hashes { rows: state.rows, bytes: Some(bytes) });
        }
        let seen_by_new_process = committed.state.as_ref().is_some_and(|state| state.rows != self.base.rows);
        let restored_from = self.restore(LEG)?;
        let manifest = files::manifest(&self.room.place.data())?;
        let bytes = self.bytes(manifest);
        let after = self.room.look()?;
        self.journal.step(LEG, "digest", &[after.rows, bytes]);
        if entry.outcome == Outcome::Exact && (after != self.base || bytes != taken) {
            entry.outcome = Outcome::RowsDiffer;
        }
        entry.before_hash = Some(Hashes { rows: self.base.rows, bytes: Some(taken) });
        entry.after_rollback_hash = Some(Hashes { rows: after.rows, bytes: Some(bytes) });
        entry.snapshot = Some(SnapshotFacts {
            taken,
            restored_from,
            seen_by_new_process,
            restored_seen_by_new_process: after.rows == self.base.rows,
            sidecars_left: Vec::new(),
        });
        told_apart(&mut entry, &self.base, &after);
        self.applied.extend(committed.state.map(|state| (state, committed.report.rows_changed)));
        self.entries.push(entry);
        Ok(())
    }

    fn down(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Down;
        let mut entry = self.entry(LEG, Outcome::NoDown);
        told_apart(&mut entry, &self.base, &self.base);
        let Some(rollback) = &self.plan.rollback else {
            self.entries.push(entry);
            return Ok(());
        };
        let (up, down) = (self.script(&self.plan.change), self.script(rollback));
        let done = match self.room.ask(What::Down { up, down, listed: LISTED })? {
            Answer::Down(done) => *done,
            _ => return Err(another()),
        };
        self.met(LEG, "apply", &done.up)?;
        entry.before_hash = only_rows(&self.base);
        entry.after_apply_hash = done.up.state.as_ref().and_then(only_rows);
        entry.rows_changed = done.up.report.rows_changed;
        if let Some(failure) = &done.up.report.failure {
            entry.outcome = outcome_of(failure);
            entry.error = Some(failure.to_string());
        }
        self.applied.extend(done.up.state.map(|state| (state, done.up.report.rows_changed)));
        if let Some(back) = &done.down {
            self.met(LEG, "down", back)?;
            entry.outcome = Outcome::Exact;
            if let Some(failure) = &back.report.failure {
                entry.outcome = match failure.kind {
                    FailureKind::Lacks => Outcome::CouldNotEstablish,
                    _ => Outcome::DownFails,
                };
                entry.error = Some(failure.to_string());
            }
            if let Some(after) = &back.state {
                entry.after_rollback_hash = only_rows(after);
                told_apart(&mut entry, &self.base, after);
            }
            if let Some(differences) = done.differences {
                entry.outcome = Outcome::of_difference(differences.equality);
                entry.differences = Some(differences);
            }
        }
        let failed = entry.after_rollback_hash.is_none();
        self.entries.push(entry);
        // A way back that failed leaves the change half undone: what comes then starts from the snapshot.
        if failed { self.restore(LEG).map(drop) } else { Ok(()) }
    }

    fn reapply(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Reapply;
        if self.plan.rollback.is_none() {
            self.restore(LEG)?;
        }
        let first = self.applied.iter().map(|(state, _)| state).next_back().cloned();
        let mut entry = self.entry(LEG, Outcome::NotHeld);
        entry.before_hash = first.as_ref().and_then(only_rows);
        told_apart(&mut entry, &self.base, &self.base);
        let committed = self.apply(LEG)?;
        entry.rows_changed = committed.report.rows_changed;
        match (&committed.state, &committed.report.failure) {
            (Some(state), _) => {
                entry.exit_hash = only_rows(state);
                if let Some(first) = &first {
                    told_apart(&mut entry, first, state);
                    if first == state {
                        entry.outcome = Outcome::Held;
                    }
                }
            }
            (None, failure) => {
                if let (None, Some(failure)) = (&first, failure) {
                    entry.outcome = outcome_of(failure);
                }
                entry.error = failure.as_ref().map(ToString::to_string);
            }
        }
        self.entries.push(entry);
        self.restore(LEG)?;
        self.at_another_moment()
    }

    /// Applies the change once more as if it were another day, and throws that away.
    fn at_another_moment(&mut self) -> Result<(), RehearseError> {
        let Some((state, _)) = self.applied.last().filter(|_| !self.differs_by_itself()) else {
            return Ok(());
        };
        let (up, tables) = (self.script(&self.plan.change), state.tables);
        match self.room.ask(What::Moment { up, tables })? {
            Answer::Moment(matters) => self.by_the_clock = matters,
            _ => return Err(another()),
        }
        // What a change does to the cluster's roles is not thrown away with a database.
        self.restore(Leg::Reapply).map(drop)
    }

    /// Whether two applications to one state gave two.
    fn differs_by_itself(&self) -> bool {
        let seen = |(state, rows): &(State, u64)| (state.rows, *rows);
        self.applied.windows(2).any(|two| seen(&two[0]) != seen(&two[1]))
    }

    /// Closes with the `executor` leg.
    pub(super) fn finish(
        mut self,
        executor: Executor,
        at_entry: &Checked,
    ) -> Result<(Found, Volatile), RehearseError> {
        let at_exit = self.room.check()?;
        let exit = self.room.look()?;
        self.journal.step(Leg::Executor, "digest", &[exit.rows]);
        let held = exit == self.base && executor.held(at_entry, &at_exit);
        let mut entry = self.entry(Leg::Executor, if held { Outcome::Held } else { Outcome::NotHeld });
        entry.before_hash = only_rows(&self.base);
        entry.exit_hash = only_rows(&exit);
        told_apart(&mut entry, &self.base, &exit);
        entry.executor = Some(executor.facts(at_entry, at_exit));
        self.entries.push(entry);
        let nondeterministic = self.by_the_clock || self.differs_by_itself();
        let found = Found::of(self.entries, self.journal, nondeterministic);
        Ok((found, Volatile { manifests: self.manifests, locks: self.locks }))
    }
}

/// What differs from run to run.
pub(super) struct Volatile {
    /// The manifests that the evidence numbers.
    pub(super) manifests: Vec<Digest>,
    /// Per leg, what the lock watch saw.
    pub(super) locks: BTreeMap<&'static str, Vec<LockSeen>>,
}

fn only_rows(state: &State) -> Option<Hashes> {
    Some(Hashes { rows: state.rows, bytes: None })
}

/// Writes down what stands apart of two states, and the opinions on their schemas.
fn told_apart(entry: &mut Entry, before: &State, after: &State) {
    entry.apart = Some(after.apart_since(before));
    entry.schema = after.schema_since(before);
}

/// Whether everything is as before that a ROLLBACK takes back.
fn restored(after: &State, before: &State) -> bool {
    let of = |state: &State| State { sequences: BTreeMap::new(), ..state.clone() };
    of(after) == of(before)
}

/// A failure that is not the change's own stops the rehearsal: nothing was found out about the change.
fn stop_unless_the_changes_own(failure: &Option<Failure>) -> Result<(), RehearseError> {
    crate::rehearse::legs::stop_unless_the_changes_own(failure)
}

fn outcome_of(failure: &Failure) -> Outcome {
    crate::rehearse::legs::outcome_of(failure)
}
