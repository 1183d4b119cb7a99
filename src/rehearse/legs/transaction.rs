//! `transaction`: BEGIN, the change, a look from inside, ROLLBACK.

use super::{Legs, Outcome, RehearseError, outcome_of, stop_unless_the_changes_own, unexpected, unreadable};
use crate::evidence::entry::TransactionFacts;
use crate::evidence::{Hashes, Leg};
use crate::rehearse::child::{Answer, Question};

impl Legs<'_, '_> {
    pub(super) fn transaction(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Transaction;
        if !self.plan.settings.transaction {
            let mut entry = self.entry(LEG, Outcome::NotApplicable);
            entry.error = Some("the plan says that the change brings its own transactions".to_owned());
            self.entries.push(entry);
            return Ok(());
        }
        let question = Question::Inside(self.script(&self.plan.change));
        let inside = match self.room.ask(&question)? {
            Answer::Inside(inside) => inside,
            other => return Err(unexpected(other)),
        };
        self.journal.step(LEG, "begin", &[]);
        self.journal.script(LEG, "apply", &inside.report);
        self.journal.changed(LEG, "look", inside.rows.as_slice());
        stop_unless_the_changes_own(&inside.report.failure)?;
        stop_unless_the_changes_own(&inside.unreadable)?;
        self.journal.step(LEG, "rollback", &[]);
        let after = self.state(LEG)?;

        let outcome = match (&inside.report.failure, &inside.unreadable) {
            (Some(failure), _) => outcome_of(failure),
            (None, Some(failure)) => unreadable(failure),
            (None, None) if after == self.base => Outcome::Exact,
            (None, None) => Outcome::RowsDiffer,
        };
        let mut entry = self.entry(LEG, outcome);
        entry.before_hash = Some(self.base);
        entry.after_apply_hash = inside.rows.map(|rows| Hashes { rows, bytes: None });
        entry.after_rollback_hash = Some(after);
        entry.rows_changed = inside.report.rows_changed;
        entry.error = inside.report.failure.as_ref().or(inside.unreadable.as_ref()).map(ToString::to_string);
        entry.transaction = Some(TransactionFacts {
            stayed_open: inside.report.stayed_open,
            statements: inside.report.statements,
            commit_attempts: inside.commit_attempts,
            closed: inside.closed,
        });
        self.applied.extend(inside.rows.map(|rows| (rows, inside.report.rows_changed)));
        self.entries.push(entry);
        Ok(())
    }
}
