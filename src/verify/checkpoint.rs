//! Step 8 with a checkpoint: the history here against what the ledger's log signed, and a quorum cosigned.

use super::{Step, Verifier};
use crate::digest::Digest;
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

/// A checkpoint that the ledger's log signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// How many entries it is over.
    pub size: u64,
    /// Their root.
    pub root: Digest,
    /// The moment that a quorum of witnesses vouches for; `None` where there is no quorum.
    pub quorum: Option<Timestamp>,
}

impl Verifier {
    /// Compares the history with a signed checkpoint of the size that the options named. With a quorum of witnesses it
    /// also establishes that nothing was cut off up to there.
    pub fn witness(&mut self, signed: Signed) {
        let object = format!("checkpoint of size {}", signed.size);
        match self.root_at_checkpoint {
            Some(root) if root == signed.root => self.witnessed = signed.quorum.map(|_| signed),
            Some(root) => {
                let reason = Reason::new(Code::Forked, object).values(signed.root, root);
                self.found.merge(Step::Completeness, reason.into());
            }
            None if self.stopped.is_none() && self.announced <= self.seen => {
                let found = format!("{} entries", self.state.next_seq());
                let reason = Reason::new(Code::RolledBack, object)
                    .values(format_args!("{} entries", signed.size), found);
                self.found.merge(Step::Completeness, reason.into());
            }
            // The replay did not come so far: what is wrong was said.
            None => {}
        }
    }
}
