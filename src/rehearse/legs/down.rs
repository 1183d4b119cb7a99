//! `down` and `reapply`: the plan's own rollback script, and the change once more.

use super::{
    Applied, Legs, Outcome, RehearseError, RowDigest, rows_of, stop_unless_the_changes_own, unexpected,
};
use crate::digest::Digest;
use crate::evidence::difference::Differences;
use crate::evidence::{Hashes, Leg};
use crate::rehearse::child::{Answer, Question};
use crate::rehearse::engine::FailureKind;
use crate::rehearse::source::remove;

/// How many differences are listed in an entry: enough to find the fault, few enough to read.
pub const DIFFERENCES_LISTED: usize = 64;

impl Legs<'_, '_> {
    pub(super) fn down(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Down;
        let mut entry = self.entry(LEG, Outcome::NoDown);
        let plan = self.plan;
        let Some(rollback) = &plan.rollback else {
            // A leg that is not run has no digests.
            self.entries.push(entry);
            return Ok(());
        };
        entry.before_hash = Some(self.base);
        let (applied, rows_changed) = match self.apply(LEG)? {
            Applied::In { rows, rows_changed } => (rows, rows_changed),
            Applied::Not { outcome, error, rows_changed } => {
                entry.outcome = outcome;
                entry.error = Some(error);
                entry.rows_changed = rows_changed;
                self.entries.push(entry);
                return self.restore(LEG);
            }
        };
        entry.after_apply_hash = Some(Hashes { rows: applied, bytes: None });
        entry.rows_changed = rows_changed;
        let report = self.commit(LEG, "down", rollback)?.report;
        let after = match report.failure {
            None => match self.digest_rows()? {
                Answer::Unreadable(failure) => Err(failure),
                answer => Ok(rows_of(answer)?),
            },
            Some(failure) => Err(failure),
        };
        let after = match after {
            Ok(after) => after,
            Err(failure) => {
                stop_unless_the_changes_own(&Some(failure.clone()))?;
                entry.outcome = match failure.kind {
                    FailureKind::Lacks => Outcome::CouldNotEstablish,
                    _ => Outcome::DownFails,
                };
                entry.error = Some(failure.to_string());
                self.entries.push(entry);
                return self.restore(LEG);
            }
        };
        self.journal.changed(LEG, "digest", &[after.root]);
        entry.after_rollback_hash = Some(Hashes { rows: after.root, bytes: None });
        entry.outcome = Outcome::Exact;
        if after.root != self.base.rows {
            let differences = self.compare(after)?;
            entry.outcome = Outcome::of_difference(differences.equality);
            entry.differences = Some(differences);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// What differs between the snapshot and the clone.
    fn compare(&mut self, after: RowDigest) -> Result<Differences, RehearseError> {
        let before = self.room.directory.join("before.db");
        self.room.snapshot_beside(&before)?;
        let question = Question::Compare {
            before: (before.clone(), self.base_rows.clone()),
            after: (self.room.clone_path(), after),
            limit: DIFFERENCES_LISTED,
        };
        let answer = self.room.ask(&question)?;
        remove(&before)?;
        match answer {
            Answer::Compared(differences) => Ok(differences),
            other => Err(unexpected(other)),
        }
    }

    /// The change once more, after the plan's own rollback, or where there is none after the restore.
    pub(super) fn reapply(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Reapply;
        let first = self.applied.first().map(|(rows, _)| *rows);
        let mut entry = self.entry(LEG, Outcome::NotHeld);
        let only_rows = |rows: Digest| Hashes { rows, bytes: None };
        entry.before_hash = first.map(only_rows);
        match self.apply(LEG)? {
            Applied::In { rows, rows_changed } => {
                entry.exit_hash = Some(only_rows(rows));
                entry.rows_changed = rows_changed;
                if first == Some(rows) {
                    entry.outcome = Outcome::Held;
                }
            }
            Applied::Not { outcome, error, rows_changed } => {
                // Where the change worked once, that it does not work again is the finding.
                if first.is_none() {
                    entry.outcome = outcome;
                }
                entry.error = Some(error);
                entry.rows_changed = rows_changed;
            }
        }
        self.entries.push(entry);
        self.restore(LEG)
    }
}
