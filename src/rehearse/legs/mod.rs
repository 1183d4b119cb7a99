//! The legs: the ways back that are rehearsed, in order, each from the state that the one before left.
//!
//! Owns: what is done in which order, and what is written down of it. Must not: open the clone (a confined
//! process does), judge what was found (`judge::validator`).
//!
//! ```text
//! base ─read-only─ base ─transaction─ base ─snapshot─ applied ─restore─ base ─down─ applied ─ rolled back
//!                                                                              ─reapply─ applied ─restore─ base
//! ```
//!
//! Each state is digested once, rows by a confined process and bytes by the parent side by side.

mod down;
mod journal;
mod snapshot;
mod transaction;

use std::path::Path;

pub use journal::Journal;

use super::RehearseError;
use super::child::{Answer, Checked, Committed, Question, Run};
use super::engine::{Failure, FailureKind};
use super::room::{Room, digest_of};
use super::rows::RowDigest;
use crate::digest::Digest;
use crate::evidence::entry::{DirectoryFacts, Entry, ExecutorFacts};
use crate::evidence::{Hashes, Leg, Outcome, Plan};

/// Everything that the legs need.
pub struct Legs<'r, 'a> {
    room: &'r mut Room<'a>,
    plan: &'r Plan,
    clone_id: String,
    threads: usize,
    /// A reader of a WAL database makes side files, so bytes and rows are then taken one after the other.
    wal: bool,
    base: Hashes,
    /// The base's rows, table by table.
    base_rows: RowDigest,
    journal: Journal,
    entries: Vec<Entry>,
    /// Row digests of the changed state, and rows changed, one a time that the change succeeded.
    applied: Vec<(Digest, u64)>,
}

/// What the legs found.
#[derive(Clone, Debug)]
pub struct Found {
    /// One entry a leg.
    pub entries: Vec<Entry>,
    /// The steps.
    pub steps: Vec<crate::evidence::execution::Step>,
    /// The change gave two states from one.
    pub nondeterministic: bool,
}

impl Found {
    /// What was found, without what a second rehearsal of a change that is not deterministic would not reach again.
    pub(super) fn of(mut entries: Vec<Entry>, journal: Journal, nondeterministic: bool) -> Found {
        if nondeterministic {
            entries.iter_mut().for_each(leave_out_unrepeatable);
        }
        // By chance a script may fail once and work once: what it led to is left out whole.
        let by_chance = |entry: &&Entry| entry.outcome == Outcome::CouldNotEstablish;
        let left_out: Vec<Leg> = entries.iter().filter(by_chance).map(|entry| entry.leg).collect();
        let steps = journal.finish(nondeterministic, &left_out);
        Found { entries, steps, nondeterministic }
    }
}

/// The executable that the confined processes are started from.
#[derive(Clone, Copy, Debug)]
pub struct Executor {
    /// Its digest before the first leg.
    pub before: Digest,
    /// Its digest after the last leg.
    pub after: Digest,
    /// A confined process could write to it, or put another in its place.
    pub writable: bool,
}

impl Executor {
    /// Whether it stayed what it was, out of reach, with a clone that is as sound as at entry.
    pub(super) fn held(&self, at_entry: &Checked, at_exit: &Checked) -> bool {
        let sound = at_exit == at_entry && at_exit.integrity == "ok";
        self.before == self.after && !self.writable && sound
    }

    pub(super) fn facts(&self, at_entry: &Checked, at_exit: Checked) -> ExecutorFacts {
        ExecutorFacts {
            before: self.before,
            after: self.after,
            integrity_at_entry: at_entry.integrity.clone(),
            integrity_at_exit: at_exit.integrity,
            foreign_key_violations_at_entry: at_entry.foreign_key_violations,
            foreign_key_violations_at_exit: at_exit.foreign_key_violations,
            writable: Some(self.writable),
        }
    }
}

/// What became of the clone when the change was committed.
enum Applied {
    /// It is in.
    In { rows: Digest, rows_changed: u64 },
    /// It failed, or left what cannot be read.
    Not { outcome: Outcome, error: String, rows_changed: u64 },
}

impl<'r, 'a> Legs<'r, 'a> {
    /// Legs over a clone at rest whose state is `base`.
    pub fn new(
        room: &'r mut Room<'a>,
        plan: &'r Plan,
        clone_id: &str,
        threads: usize,
        wal: bool,
        base: (Hashes, RowDigest),
    ) -> Legs<'r, 'a> {
        Legs {
            room,
            plan,
            clone_id: clone_id.to_owned(),
            threads,
            wal,
            base: base.0,
            base_rows: base.1,
            journal: Journal::new(clone_id),
            entries: Vec::new(),
            applied: Vec::new(),
        }
    }

    /// Runs every leg but `executor`. `now` hears the name of each leg as it begins.
    ///
    /// # Errors
    /// The rehearsal cannot go on: the disk, the process, a refused statement.
    pub fn run(&mut self, now: &mut dyn FnMut(Leg)) -> Result<(), RehearseError> {
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

    /// Closes with the `executor` leg: the executable's digest before and after, and whether it is within reach.
    ///
    /// # Errors
    /// The clone cannot be read.
    pub fn finish(mut self, executor: Executor, at_entry: &Checked) -> Result<Found, RehearseError> {
        let at_exit = check(self.room)?;
        let exit = self.state(Leg::Executor)?;
        let held = exit == self.base && executor.held(at_entry, &at_exit);
        let mut entry = self.entry(Leg::Executor, if held { Outcome::Held } else { Outcome::NotHeld });
        entry.before_hash = Some(self.base);
        entry.exit_hash = Some(exit);
        entry.executor = Some(executor.facts(at_entry, at_exit));
        self.entries.push(entry);
        let nondeterministic = self.applied.windows(2).any(|two| two[0] != two[1]);
        Ok(Found::of(self.entries, self.journal, nondeterministic))
    }

    /// Tries whether a confined process could change the executable.
    ///
    /// # Errors
    /// No process can be started, or it does not answer.
    pub fn writable(&mut self, executable: &Path) -> Result<bool, RehearseError> {
        let question = Question::Writable { executable: executable.to_owned() };
        is_writable(self.room.ask(&question)?)
    }

    fn entry(&self, leg: Leg, outcome: Outcome) -> Entry {
        Entry::begun(leg, &self.clone_id, outcome)
    }

    /// Open, read everything, close.
    fn read_only(&mut self) -> Result<(), RehearseError> {
        let before = self.room.names()?;
        let question = Question::Read { path: self.room.clone_path() };
        let rows = rows_of(self.room.ask(&question)?)?.root;
        let exit = Hashes { rows, bytes: Some(self.room.bytes()?) };
        let after = self.room.names()?;
        self.journal.step(Leg::ReadOnly, "read", &digests(exit));
        let held = exit == self.base && before == after;
        let mut entry = self.entry(Leg::ReadOnly, if held { Outcome::Held } else { Outcome::NotHeld });
        entry.before_hash = Some(self.base);
        entry.exit_hash = Some(exit);
        entry.directory = Some(DirectoryFacts { before, after });
        self.entries.push(entry);
        Ok(())
    }

    /// Digests the clone at rest, rows and bytes.
    fn state(&mut self, leg: Leg) -> Result<Hashes, RehearseError> {
        let seen = look(self.room, self.threads, self.wal)?;
        let (state, _) = seen.map_err(|failure| RehearseError::of_failure("the clone", &failure))?;
        self.journal.step(leg, "digest", &digests(state));
        Ok(state)
    }

    /// Runs a script of the plan's on a new process and commits it.
    fn commit(&mut self, leg: Leg, action: &str, sql: &str) -> Result<Committed, RehearseError> {
        let question = Question::Commit(self.script(sql));
        match self.room.ask(&question)? {
            Answer::Committed(committed) => {
                self.journal.script(leg, action, &committed.report);
                stop_unless_the_changes_own(&committed.report.failure)?;
                Ok(committed)
            }
            other => Err(unexpected(other)),
        }
    }

    fn script(&self, sql: &str) -> Run {
        Run {
            path: self.room.clone_path(),
            sql: sql.to_owned(),
            transaction: self.plan.settings.transaction,
            foreign_keys: self.plan.settings.foreign_keys,
            shifted: false,
            limit_ms: u64::try_from(self.room.limit.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Without a transaction of the rehearsal's own nothing has run at another moment yet: does the change,
    /// once, and throws it away.
    fn at_another_moment(&mut self, leg: Leg) -> Result<(), RehearseError> {
        let question = Question::Commit(Run { shifted: true, ..self.script(&self.plan.change) });
        let Answer::Committed(committed) = self.room.ask(&question)? else { return Ok(()) };
        if committed.report.failure.is_none() {
            let rows = rows_of(self.digest_rows()?)?.root;
            self.applied.push((rows, committed.report.rows_changed));
        }
        self.restore(leg)
    }

    fn digest_rows(&mut self) -> Result<Answer, RehearseError> {
        let question = Question::Digest { path: self.room.clone_path(), threads: self.threads };
        self.room.ask(&question)
    }

    /// Puts the snapshot back.
    fn restore(&mut self, leg: Leg) -> Result<(), RehearseError> {
        let restored = self.room.restore()?;
        self.journal.step(leg, "restore", &[restored]);
        Ok(())
    }

    /// Commits the change and digests the rows that another process then sees.
    fn apply(&mut self, leg: Leg) -> Result<Applied, RehearseError> {
        let plan = self.plan;
        let report = self.commit(leg, "apply", &plan.change)?.report;
        let rows_changed = report.rows_changed;
        if let Some(failure) = report.failure {
            return Ok(Applied::Not {
                outcome: outcome_of(&failure),
                error: failure.to_string(),
                rows_changed,
            });
        }
        match self.digest_rows()? {
            Answer::Rows(rows) => {
                let rows = rows.root;
                self.journal.changed(leg, "look", &[rows]);
                // The last application starts from what the rollback script left, which may differ from the base.
                if leg != Leg::Reapply {
                    self.applied.push((rows, rows_changed));
                }
                Ok(Applied::In { rows, rows_changed })
            }
            Answer::Unreadable(failure) => {
                stop_unless_the_changes_own(&Some(failure.clone()))?;
                let outcome = unreadable(&failure);
                Ok(Applied::Not { outcome, error: failure.to_string(), rows_changed })
            }
            other => Err(unexpected(other)),
        }
    }
}

/// A failure that is not the change's own stops the rehearsal: nothing was found out about the change.
pub(super) fn stop_unless_the_changes_own(failure: &Option<Failure>) -> Result<(), RehearseError> {
    match failure {
        Some(failure) => match failure.kind {
            FailureKind::Fails | FailureKind::Lacks | FailureKind::Corrupt => Ok(()),
            _ => Err(RehearseError::of_failure("the plan's SQL", failure)),
        },
        None => Ok(()),
    }
}

pub(super) fn outcome_of(failure: &Failure) -> Outcome {
    match failure.kind {
        FailureKind::Lacks => Outcome::CouldNotEstablish,
        _ => Outcome::UpFails,
    }
}

/// What it means that the changed state cannot be read.
fn unreadable(failure: &Failure) -> Outcome {
    match failure.kind {
        FailureKind::Lacks => Outcome::CouldNotEstablish,
        _ => Outcome::UnreadableAfterUp,
    }
}

fn digests(hashes: Hashes) -> Vec<Digest> {
    [Some(hashes.rows), hashes.bytes].into_iter().flatten().collect()
}

fn rows_of(answer: Answer) -> Result<RowDigest, RehearseError> {
    match answer {
        Answer::Rows(rows) => Ok(rows),
        other => Err(unexpected(other)),
    }
}

/// An answer that is the wrong one, or says that the clone cannot be read.
pub(super) fn unexpected(answer: Answer) -> RehearseError {
    match answer {
        Answer::Unreadable(failure) => RehearseError::of_failure("the clone", &failure),
        _ => RehearseError::refused(
            crate::verdict::Code::Unreadable,
            "the confined process",
            "it gave the answer to another question",
        ),
    }
}

/// What became of a look at the clone: its digests, or why it cannot be read.
type Seen = Result<(Hashes, RowDigest), Failure>;

/// Digests the clone at rest, rows by a confined process and bytes here, side by side. In WAL mode one after
/// the other, since a reader makes side files for as long as it reads.
pub(super) fn look(room: &mut Room<'_>, threads: usize, wal: bool) -> Result<Seen, RehearseError> {
    room.at_rest()?;
    let path = room.clone_path();
    let question = Question::Digest { path: path.clone(), threads };
    let (bytes, answer) = if wal {
        (room.bytes()?, room.ask(&question)?)
    } else {
        std::thread::scope(|scope| {
            let bytes = scope.spawn(|| digest_of(&path));
            let answer = room.ask(&question);
            let bytes = bytes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, RehearseError>((bytes?, answer?))
        })?
    };
    match answer {
        Answer::Rows(rows) => Ok(Ok((Hashes { rows: rows.root, bytes: Some(bytes) }, rows))),
        Answer::Unreadable(failure) => Ok(Err(failure)),
        other => Err(unexpected(other)),
    }
}

/// Whether a confined process could change the executable.
pub(super) fn is_writable(answer: Answer) -> Result<bool, RehearseError> {
    match answer {
        Answer::Writable(writable) => Ok(writable),
        other => Err(unexpected(other)),
    }
}

/// SQLite's own checks of the clone.
pub(super) fn check(room: &mut Room<'_>) -> Result<Checked, RehearseError> {
    match room.ask(&Question::Check { path: room.clone_path() })? {
        Answer::Checked(checked) => Ok(checked),
        other => Err(unexpected(other)),
    }
}

/// Leaves out what a second rehearsal of a change that is not deterministic would not reach again.
fn leave_out_unrepeatable(entry: &mut Entry) {
    entry.after_apply_hash = None;
    if !matches!(entry.leg, Leg::ReadOnly | Leg::Executor) {
        entry.rows_changed = 0;
        entry.differences = None;
        if entry.after_rollback_hash != entry.before_hash {
            entry.after_rollback_hash = None;
        }
    }
    let by_chance = entry.leg == Leg::Reapply
        || (entry.leg == Leg::Down && !matches!(entry.outcome, Outcome::Exact | Outcome::NoDown));
    if by_chance {
        (entry.before_hash, entry.after_rollback_hash, entry.exit_hash) = (None, None, None);
        entry.outcome = Outcome::CouldNotEstablish;
        entry.error = Some("the change is not deterministic".to_owned());
    }
}
