//! Step 8 with what was seen before: the remembered head, and the entries that were verified before and are not read again.

use super::{Head, Step, Verifier};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

impl Verifier {
    /// Says that what the verifier resumed from ends with this commit, and when it was verified: the report names it as
    /// what was not read again.
    pub fn verified_before(&mut self, commit: &str, time: Timestamp) {
        self.before = Some((self.state.next_seq(), time));
        self.last_oid = commit.parse().ok();
        self.head_oid = Some(commit.to_owned());
    }

    /// Shows a head that this history had before what the verifier resumed from: it may be the remembered one, or where
    /// the checkpoint ends.
    pub fn earlier(&mut self, head: Head) {
        self.meet(head);
    }

    /// Compares with the remembered head where its position is reached, and notes the root where the checkpoint ends.
    pub(super) fn meet_remembered(&mut self) {
        match self.head() {
            Some(head) => self.meet(head),
            None if self.options.checkpoint_size == Some(0) => {
                self.root_at_checkpoint = Some(self.state.root())
            }
            None => {}
        }
    }

    fn meet(&mut self, head: Head) {
        if self.options.checkpoint_size == Some(head.seq + 1) {
            self.root_at_checkpoint = Some(head.root);
        }
        let Some(remembered) = self.options.remembered else { return };
        if head.seq == remembered.seq {
            self.remembered_met = true;
            if head != remembered {
                let object = format!("entry {}", head.seq);
                let reason = Reason::new(Code::Forked, object).values(remembered, head);
                self.found.merge(Step::Completeness, reason.into());
            }
        }
    }
}
