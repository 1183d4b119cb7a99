//! The specimen: facts made up to be good, for the validator's selftest, examples and tests.
//!
//! Owns: one small rehearsal that never happened. Must not: reach a packet as evidence: its executable's
//! digest is that of a word, which no ledger pins.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::digest::Digest;
use crate::evidence::entry::{
    Algorithms, DirectoryFacts, Entry, ExecutorFacts, ROLLBACK_SCHEMA, RollbackEvidence, SnapshotFacts,
    TransactionFacts,
};
use crate::evidence::execution::{EXECUTION_SCHEMA, ExecutionEvidence, Step};
use crate::evidence::isolation::{IsolationProof, Level};
use crate::evidence::lock::{
    CloneFacts, Engine, FileFacts, LOCK_SCHEMA, PACKET_FORMAT, SourceFacts, TargetLock,
};
use crate::evidence::{EngineName, Facts, Hashes, Kind, Leg, Outcome, Plan};
use crate::policy::Policy;

/// The default policy with the specimen's executable pinned.
pub fn policy() -> Policy {
    static READ: LazyLock<Policy> = LazyLock::new(|| {
        let bytes = Policy::default_policy().with_executable(executable(), "specimen");
        Policy::parse(&bytes).expect("the default policy stays one with a pin more")
    });
    READ.clone()
}

/// Good facts of the template plan, at isolation level 3.
pub fn facts() -> Facts {
    facts_of(&policy(), template_plan(), Level::Three)
}

/// The template plan.
pub fn template_plan() -> Plan {
    static READ: LazyLock<Plan> = LazyLock::new(|| {
        let files = Plan::template().into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        Plan::parse(files).expect("a test holds the template valid")
    });
    READ.clone()
}

/// Good facts of a plan under a policy: every leg that the plan has, each with its one step.
pub fn facts_of(policy: &Policy, plan: Plan, level: Level) -> Facts {
    let isolation = IsolationProof::held(level, made("filter"));
    let clone_id = TargetLock::clone_id_of(&made("source"), &plan.digest());
    let lock = TargetLock {
        schema: LOCK_SCHEMA.into(),
        format: PACKET_FORMAT,
        clone_id: clone_id.clone(),
        plan: plan.digest(),
        policy: policy.digest(),
        executable: executable(),
        engine: Engine {
            name: EngineName::Sqlite,
            version: "3.0.0".into(),
            source_id: "specimen".into(),
            compile_options: made("options"),
            foreign_keys: Some(plan.settings.foreign_keys),
            transaction: plan.settings.transaction,
            settings: None,
        },
        source: SourceFacts {
            set: made("source"),
            files: BTreeMap::from([("main".into(), FileFacts { sha256: made("main"), size: 8192 })]),
            journal_mode: Some("delete".into()),
            recovered: false,
            dump: None,
        },
        clone: CloneFacts {
            set: made("source"),
            base: made("bytes before"),
            directory_mode: "0700".into(),
            symlink_free: true,
            hard_links: 1,
            local_file_system: true,
            owned_by_operator: true,
        },
        isolation: isolation.clone(),
    };
    let legs: Vec<Leg> =
        Leg::ALL.into_iter().filter(|leg| *leg != Leg::Down || plan.rollback.is_some()).collect();
    let steps = legs.iter().zip(1..).map(|(leg, n)| step(*leg, n, &clone_id)).collect();
    let entries = legs.iter().map(|leg| entry(*leg, &clone_id)).collect();
    let execution = ExecutionEvidence {
        schema: EXECUTION_SCHEMA.into(),
        clone_id: clone_id.clone(),
        lock: Digest::ZERO,
        steps,
        isolation_at_end: isolation,
        source_at_end: made("source"),
        source_directory_unchanged: true,
    };
    let rollback = RollbackEvidence {
        schema: ROLLBACK_SCHEMA.into(),
        clone_id,
        lock: Digest::ZERO,
        algorithms: Algorithms::of(EngineName::Sqlite),
        nondeterministic: false,
        entries,
    };
    quoted(Facts::new(lock, execution, rollback, plan))
}

/// Lets the evidence quote the lock as it now is: what a forger of the lock would do too.
pub fn quoted(mut facts: Facts) -> Facts {
    quote(&mut facts);
    facts
}

/// As [`quoted`], in place.
pub fn quote(facts: &mut Facts) {
    let digest = facts.lock_digest();
    facts.execution.lock = digest;
    facts.rollback.lock = digest;
}

fn executable() -> Digest {
    made("executable")
}

fn made(word: &str) -> Digest {
    Digest::of(format!("specimen: {word}").as_bytes())
}

fn step(leg: Leg, n: u32, clone_id: &str) -> Step {
    Step {
        n,
        leg,
        action: "digest".into(),
        target_id: clone_id.into(),
        statements: 1,
        statements_sha256: made("statements"),
        rows_changed: 1,
        exit: 0,
        output_sha256: made(leg.name()),
    }
}

fn entry(leg: Leg, clone_id: &str) -> Entry {
    let rows = |word: &str| Some(Hashes { rows: made(word), bytes: None });
    let both = |word: &str| Some(Hashes { rows: made(word), bytes: Some(made(&format!("bytes {word}"))) });
    let kind = leg.kind();
    let names = || DirectoryFacts { before: vec!["clone.db".into()], after: vec!["clone.db".into()] };
    let rollback = kind == Kind::Rollback;
    Entry {
        leg,
        kind,
        clone_id: clone_id.into(),
        outcome: if rollback { Outcome::Exact } else { Outcome::Held },
        before_hash: if leg == Leg::Reapply { rows("after") } else { both("before") },
        after_apply_hash: match leg {
            Leg::Snapshot => both("after"),
            Leg::Transaction | Leg::Down => rows("after"),
            _ => None,
        },
        after_rollback_hash: match leg {
            Leg::Transaction | Leg::Snapshot => both("before"),
            Leg::Down => rows("before"),
            _ => None,
        },
        exit_hash: match leg {
            Leg::ReadOnly | Leg::Executor => both("before"),
            Leg::Reapply => rows("after"),
            _ => None,
        },
        rows_changed: u64::from(rollback),
        differences: None,
        error: None,
        transaction: (leg == Leg::Transaction).then_some(TransactionFacts {
            stayed_open: true,
            statements: 2,
            commit_attempts: 0,
            closed: true,
        }),
        snapshot: (leg == Leg::Snapshot).then(|| SnapshotFacts {
            taken: made("bytes before"),
            restored_from: made("bytes before"),
            seen_by_new_process: true,
            restored_seen_by_new_process: true,
            sidecars_left: Vec::new(),
        }),
        executor: (leg == Leg::Executor).then(|| ExecutorFacts {
            before: executable(),
            after: executable(),
            integrity_at_entry: "ok".into(),
            integrity_at_exit: "ok".into(),
            foreign_key_violations_at_entry: 0,
            foreign_key_violations_at_exit: 0,
            writable: None,
        }),
        directory: (leg == Leg::ReadOnly).then(names),
        apart: None,
        schema: None,
    }
}
