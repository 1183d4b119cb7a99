//! Evidence: the facts that a rehearsal saw, without any opinion.
//!
//! Owns: the types of the three fact files and of the plan. Everything else in a packet is derived
//! from them (`judge::derive`). Must not: judge, read files, know a clock. Nothing volatile stands here:
//! no time, host, path, process id or duration, so that a second rehearsal of the same source, plan,
//! policy and executable gives the same bytes (DESIGN section 3).
//!
//! ```text
//! rehearsal-target-lock.json         TargetLock          what was cloned, why it is not production, isolation
//! rehearsal-execution-evidence.json  ExecutionEvidence   each step, quoting the lock's digest
//! clone-rollback-evidence.json       RollbackEvidence    the entries: before, after_apply, after_rollback
//! plan/…                             Plan                the operator's own files, byte for byte
//! ```

pub mod apart;
pub mod blockers;
pub mod ci;
pub mod decision;
pub mod difference;
pub mod engine;
pub mod entry;
pub mod execution;
pub mod isolation;
pub mod lock;
pub mod plan;
mod shared;

pub use blockers::BlockerMap;
pub use engine::EngineName;
pub use entry::{Hashes, Kind, Leg, Outcome, RollbackEvidence};
pub use execution::ExecutionEvidence;
pub use lock::TargetLock;
pub use plan::Plan;
pub use shared::Shared;

use crate::canon;
use crate::digest::Digest;

/// The facts of one rehearsal, and the plan that it followed. Clones share what none of them changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What was cloned.
    pub lock: Shared<TargetLock>,
    /// What was done.
    pub execution: Shared<ExecutionEvidence>,
    /// What was found before, between and after.
    pub rollback: Shared<RollbackEvidence>,
    /// The operator's files.
    pub plan: Shared<Plan>,
}

impl Facts {
    /// The facts of these parts.
    pub fn new(
        lock: TargetLock,
        execution: ExecutionEvidence,
        rollback: RollbackEvidence,
        plan: Plan,
    ) -> Facts {
        Facts { lock: lock.into(), execution: execution.into(), rollback: rollback.into(), plan: plan.into() }
    }

    /// The digest by which evidence quotes its lock. One that cannot be written is quoted by nothing.
    pub fn lock_digest(&self) -> Digest {
        self.lock.digest(|lock| canon::to_vec(lock).map_or(Digest::ZERO, |bytes| Digest::of(&bytes)))
    }

    /// The plan's digest ([`Plan::digest`]).
    pub fn plan_digest(&self) -> Digest {
        self.plan.digest(Plan::digest)
    }

    /// A copy that shares nothing: what is changed behind the back of one is not changed in the other.
    pub fn apart(&self) -> Facts {
        let Facts { lock, execution, rollback, plan } = self;
        Facts::new(
            TargetLock::clone(lock),
            ExecutionEvidence::clone(execution),
            RollbackEvidence::clone(rollback),
            Plan::clone(plan),
        )
    }
}
