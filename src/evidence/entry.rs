//! The entries of `clone-rollback-evidence.json`: what each leg found.
//!
//! Owns: legs, hashes, outcomes. Must not: decide whether they are good enough (`judge::validator`).
//!
//! ```text
//! leg          kind       before_hash  after_apply_hash      after_rollback_hash     exit_hash
//! read-only    invariant  rows bytes   -                     -                       rows bytes
//! transaction  rollback   rows bytes   rows (in the txn)     rows bytes              -
//! snapshot     rollback   rows bytes   rows bytes            rows bytes              -
//! down         rollback   rows bytes   rows                  rows                    -
//! reapply      invariant  rows (the state after the first apply)                     rows (after the second)
//! executor     invariant  rows bytes   -                     -                       rows bytes
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::apart::{ApartFacts, SchemaFacts};
use super::difference::{Differences, Equality};
use super::engine::EngineName;
use crate::digest::{Digest, Hasher};

/// The schema name of `clone-rollback-evidence.json`.
pub const ROLLBACK_SCHEMA: &str = "fix7.clone-rollback-evidence/v1";
/// The row digest's name (`rehearse::rows`).
pub const ROWS_ALGORITHM: &str = "fix7.rows.v1";
/// The byte digest's name (`rehearse::bytes`).
pub const BYTES_ALGORITHM: &str = "fix7.bytes.v1";
/// The row digest's name for PostgreSQL (`rehearse::postgres`).
pub const POSTGRESQL_ROWS_ALGORITHM: &str = "fix7.rows.postgresql.v1";
/// What stands for the bytes of a stopped cluster. Two clusters made from one dump share no bytes (identifiers, times),
/// so that a digest of them could never be reached again: here stands which of the rehearsal's own manifests the files
/// are equal to ([`cluster_state`]). The manifests' digests stand in the statement, under `run`.
pub const CLUSTER_BYTES_ALGORITHM: &str = "fix7.bytes.pgcluster.v1";

/// The name of the `n`-th manifest that a rehearsal met, counted from 0: equal manifests have one name.
pub fn cluster_state(clone_id: &str, n: u64) -> Digest {
    let mut hasher = Hasher::labelled(CLUSTER_BYTES_ALGORITHM);
    hasher.framed(clone_id.as_bytes());
    hasher.update(&n.to_be_bytes());
    hasher.finish()
}

/// `clone-rollback-evidence.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackEvidence {
    /// [`ROLLBACK_SCHEMA`].
    pub schema: String,
    /// The clone that the entries are about.
    pub clone_id: String,
    /// SHA-256 of `rehearsal-target-lock.json`.
    pub lock: Digest,
    /// The digests' definitions.
    pub algorithms: Algorithms,
    /// Whether applying the change twice gave two states: then `after_apply` is left out.
    pub nondeterministic: bool,
    /// One entry a leg, in the order run.
    pub entries: Vec<Entry>,
}

/// Which digests are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Algorithms {
    /// [`ROWS_ALGORITHM`] or [`POSTGRESQL_ROWS_ALGORITHM`].
    pub rows: String,
    /// [`BYTES_ALGORITHM`] or [`CLUSTER_BYTES_ALGORITHM`].
    pub bytes: String,
}

impl Algorithms {
    /// The digests that evidence about an engine holds.
    pub fn of(engine: EngineName) -> Algorithms {
        let (rows, bytes) = match engine {
            EngineName::Sqlite => (ROWS_ALGORITHM, BYTES_ALGORITHM),
            EngineName::Postgresql => (POSTGRESQL_ROWS_ALGORITHM, CLUSTER_BYTES_ALGORITHM),
        };
        Algorithms { rows: rows.to_owned(), bytes: bytes.to_owned() }
    }
}

/// Whether an entry proves a rollback or an invariant (requirements, reading 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The state changes, then is restored.
    Rollback,
    /// The state does not change.
    Invariant,
}

/// One rehearsed way back, or one invariant around it (DESIGN section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// Open, read everything, close.
    ReadOnly,
    /// BEGIN, the change, look from inside, ROLLBACK.
    Transaction,
    /// The change committed, then the snapshot's file set put back.
    Snapshot,
    /// The change committed, then the plan's rollback script.
    Down,
    /// The change once more after the rollback.
    Reapply,
    /// The executable is the pinned one and the clone passes SQLite's checks.
    Executor,
}

impl Leg {
    /// Every leg, in the order run.
    pub const ALL: [Leg; 6] =
        [Leg::ReadOnly, Leg::Transaction, Leg::Snapshot, Leg::Down, Leg::Reapply, Leg::Executor];

    /// The name in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Leg::ReadOnly => "read-only",
            Leg::Transaction => "transaction",
            Leg::Snapshot => "snapshot",
            Leg::Down => "down",
            Leg::Reapply => "reapply",
            Leg::Executor => "executor",
        }
    }

    /// What the leg proves.
    pub fn kind(self) -> Kind {
        match self {
            Leg::Transaction | Leg::Snapshot | Leg::Down => Kind::Rollback,
            Leg::ReadOnly | Leg::Reapply | Leg::Executor => Kind::Invariant,
        }
    }
}

/// The digests of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// Root of the row digest.
    pub rows: Digest,
    /// Digest over the file set; absent where a leg cannot have it (inside a transaction).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<Digest>,
}

/// How a leg ended, in the vocabulary of real migration histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An invariant held.
    Held,
    /// An invariant did not hold.
    NotHeld,
    /// Restored exactly.
    Exact,
    /// Restored but for the spelling of CREATE texts.
    ExactNormalised,
    /// Restored but for the order of columns (PostgreSQL).
    ExactButColumnOrder,
    /// Restored but for the positions of sequences (PostgreSQL).
    ExactButSequence,
    /// Rows restored, schema not.
    SchemaDiffersOnly,
    /// Rows not restored.
    RowsDiffer,
    /// The rollback script fails.
    DownFails,
    /// The plan has no rollback script.
    NoDown,
    /// The change fails.
    UpFails,
    /// The change succeeds and leaves a database that cannot be read.
    UnreadableAfterUp,
    /// The leg cannot be run for this change: the plan says that it is not wrapped in a transaction, or it holds a
    /// statement that PostgreSQL refuses in one.
    NotApplicable,
    /// The engine lacks an application function, collation or module.
    CouldNotEstablish,
}

impl Outcome {
    /// The outcome of a rollback that left another state than the one before: where no difference has a name, the
    /// digests still differ, and that counts as rows.
    pub fn of_difference(equality: Equality) -> Outcome {
        match equality {
            Equality::ExactNormalised => Outcome::ExactNormalised,
            Equality::ExactButColumnOrder => Outcome::ExactButColumnOrder,
            Equality::ExactButSequence => Outcome::ExactButSequence,
            Equality::SchemaDiffersOnly => Outcome::SchemaDiffersOnly,
            Equality::Exact | Equality::RowsDiffer => Outcome::RowsDiffer,
        }
    }
}

/// What one leg found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The leg.
    pub leg: Leg,
    /// What it proves.
    pub kind: Kind,
    /// The clone.
    pub clone_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The state before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before_hash: Option<Hashes>,
    /// The state with the change in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_apply_hash: Option<Hashes>,
    /// The state after the rollback.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_rollback_hash: Option<Hashes>,
    /// The state at exit, for invariants.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_hash: Option<Hashes>,
    /// Rows that SQLite says were inserted, updated or deleted by the change.
    pub rows_changed: u64,
    /// What differs between before and after, where something does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub differences: Option<Differences>,
    /// Why it failed, in the engine's words without row values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// `transaction`: what was seen of the transaction's state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transaction: Option<TransactionFacts>,
    /// `snapshot`: the snapshot that was put back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot: Option<SnapshotFacts>,
    /// `executor`: the executable and SQLite's own checks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub executor: Option<ExecutorFacts>,
    /// The names in the clone's directory before and after, where a leg compares them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub directory: Option<DirectoryFacts>,
    /// PostgreSQL: what no ROLLBACK takes back, digested apart from the rows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub apart: Option<ApartFacts>,
    /// PostgreSQL: the schema by the catalogue and by pg_dump.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schema: Option<SchemaFacts>,
}

impl Entry {
    /// An entry without any finding yet.
    pub fn begun(leg: Leg, clone_id: &str, outcome: Outcome) -> Entry {
        Entry {
            leg,
            kind: leg.kind(),
            clone_id: clone_id.to_owned(),
            outcome,
            before_hash: None,
            after_apply_hash: None,
            after_rollback_hash: None,
            exit_hash: None,
            rows_changed: 0,
            differences: None,
            error: None,
            transaction: None,
            snapshot: None,
            executor: None,
            directory: None,
            apart: None,
            schema: None,
        }
    }
}

/// What was seen of the transaction's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransactionFacts {
    /// Autocommit was off after BEGIN and after every statement.
    pub stayed_open: bool,
    /// Statements after which autocommit was looked at.
    pub statements: u64,
    /// The commit hook was asked to commit (and refused).
    pub commit_attempts: u64,
    /// Autocommit was on again after ROLLBACK.
    pub closed: bool,
}

/// The snapshot that was put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotFacts {
    /// Digest over the snapshot's file set, taken before the change.
    pub taken: Digest,
    /// The same, taken again just before it was put back.
    pub restored_from: Digest,
    /// A process started after the commit saw the change.
    pub seen_by_new_process: bool,
    /// A process started after the restore saw the state before.
    pub restored_seen_by_new_process: bool,
    /// `-wal`, `-shm` and `-journal` files left beside the restored database.
    pub sidecars_left: Vec<String>,
}

/// The executable and SQLite's own checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutorFacts {
    /// SHA-256 of the executable before the first leg.
    pub before: Digest,
    /// SHA-256 of the executable after the last leg.
    pub after: Digest,
    /// `PRAGMA integrity_check` at entry: `ok`, or its first line.
    pub integrity_at_entry: String,
    /// `PRAGMA integrity_check` at exit.
    pub integrity_at_exit: String,
    /// Rows of `PRAGMA foreign_key_check` at entry.
    pub foreign_key_violations_at_entry: u64,
    /// Rows of `PRAGMA foreign_key_check` at exit.
    pub foreign_key_violations_at_exit: u64,
    /// A confined process could write to the executable, or put another file in its place (R22). Not told by evidence
    /// that was made before it was tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub writable: Option<bool>,
}

/// The names in the clone's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryFacts {
    /// Sorted names before.
    pub before: Vec<String>,
    /// Sorted names after.
    pub after: Vec<String>,
}
