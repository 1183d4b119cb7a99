//! `snapshot`: a copy of the clone at rest, the change committed and seen by a new process, the copy put back.

use super::{Applied, Legs, Outcome, RehearseError};
use crate::evidence::entry::SnapshotFacts;
use crate::evidence::{Hashes, Leg};

impl Legs<'_, '_> {
    pub(super) fn snapshot(&mut self) -> Result<(), RehearseError> {
        const LEG: Leg = Leg::Snapshot;
        let taken = self.room.take_snapshot()?;
        self.journal.step(LEG, "snapshot", &[taken]);
        let applied = self.apply(LEG)?;
        let mut entry = self.entry(LEG, Outcome::Exact);
        let mut seen_by_new_process = false;
        match applied {
            Applied::In { rows, rows_changed } => {
                let bytes = self.room.bytes()?;
                self.journal.changed(LEG, "digest", &[bytes]);
                entry.after_apply_hash = Some(Hashes { rows, bytes: Some(bytes) });
                entry.rows_changed = rows_changed;
                seen_by_new_process = rows != self.base.rows;
            }
            Applied::Not { outcome, error, rows_changed } => {
                entry.outcome = outcome;
                entry.error = Some(error);
                entry.rows_changed = rows_changed;
            }
        }
        let restored_from = self.room.restore()?;
        self.journal.step(LEG, "restore", &[restored_from]);
        let after = self.state(LEG)?;
        if entry.outcome == Outcome::Exact && after != self.base {
            entry.outcome = Outcome::RowsDiffer;
        }
        entry.before_hash = Some(self.base);
        entry.after_rollback_hash = Some(after);
        entry.snapshot = Some(SnapshotFacts {
            taken,
            restored_from,
            seen_by_new_process,
            restored_seen_by_new_process: after.rows == self.base.rows,
            sidecars_left: self.room.sidecars(),
        });
        let worked = entry.after_apply_hash.is_some();
        self.entries.push(entry);
        if worked && !self.plan.settings.transaction {
            self.at_another_moment(LEG)?;
        }
        Ok(())
    }
}
