//! `rehearsal-target-lock.json`: what was cloned, written before anything else is done (R15 to R17).
//!
//! Owns: the facts about source, clone, engine and isolation at the start. Must not: hold paths, inode
//! numbers or user names: those differ from machine to machine and stand in the statement, under `run`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::EngineName;
use super::isolation::IsolationProof;
use crate::canon::{self, CanonError};
use crate::digest::{Digest, Hasher};
use crate::dsse::Signatures;

/// The schema name of `rehearsal-target-lock.json`.
pub const LOCK_SCHEMA: &str = "fix7.rehearsal-target-lock/v1";
/// The format of packets that this program makes: the rules of derivation, the validator's vectors, the extended
/// probes and the table of isolation probes. What one number names never changes, since whoever verifies an old
/// ledger derives its packets again and must reach the same bytes: other rules get the next number, and a reader
/// keeps the old ones. A number that is not known is refused.
pub const PACKET_FORMAT: u64 = 1;

/// `rehearsal-target-lock.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetLock {
    /// [`LOCK_SCHEMA`].
    pub schema: String,
    /// [`PACKET_FORMAT`].
    pub format: u64,
    /// [`TargetLock::clone_id_of`] the source's set digest and the plan's digest.
    pub clone_id: String,
    /// Digest over the plan's files ([`super::Plan::digest`]).
    pub plan: Digest,
    /// Digest of the policy document.
    pub policy: Digest,
    /// SHA-256 of the executable that rehearses.
    pub executable: Digest,
    /// What runs the SQL.
    pub engine: Engine,
    /// The database as given.
    pub source: SourceFacts,
    /// The copy.
    pub clone: CloneFacts,
    /// The kernel's wall around the clone.
    pub isolation: IsolationProof,
}

impl TargetLock {
    /// The name of a clone: `clone-` and 16 digits of a digest over source and plan, so that evidence of one
    /// rehearsal cannot stand for another's.
    pub fn clone_id_of(source_set: &Digest, plan: &Digest) -> String {
        let mut hasher = Hasher::labelled("fix7.clone/v1");
        hasher.update(source_set.as_bytes());
        hasher.update(plan.as_bytes());
        format!("clone-{}", &hasher.finish().to_string()[..16])
    }
}

/// What runs the SQL, and with which settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// `sqlite` or `postgresql`.
    pub name: EngineName,
    /// `3.54.1`, `15.18`.
    pub version: String,
    /// `sqlite3_sourceid()`, or what PostgreSQL's `version()` says.
    pub source_id: String,
    /// SHA-256 over the sorted compile options, a line each; of PostgreSQL over its preset settings.
    pub compile_options: Digest,
    /// `PRAGMA foreign_keys` while the change runs: stock SQLite's default is off. PostgreSQL has no such
    /// switch, and the field is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_keys: Option<bool>,
    /// Whether each script runs inside one transaction of the rehearsal's.
    pub transaction: bool,
    /// PostgreSQL: how the server was set while it rehearsed. Durability is off, since a cluster that was interrupted
    /// is thrown away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settings: Option<BTreeMap<String, String>>,
}

/// The database as given. It is never opened: only its files are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceFacts {
    /// Digest over the file set as found.
    pub set: Digest,
    /// `main`, `wal`, `journal`, or the files of a dump: SHA-256 and bytes of each file found.
    pub files: BTreeMap<String, FileFacts>,
    /// SQLite: `delete`, `wal`, … of the clone once opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub journal_mode: Option<String>,
    /// A hot journal or a WAL with content was played into the clone.
    pub recovered: bool,
    /// PostgreSQL: the dump that the clone was restored from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dump: Option<DumpFacts>,
}

/// A dump that a clone was restored from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DumpFacts {
    /// How it is written.
    pub format: DumpFormat,
    /// The operator's signed word on where it comes from.
    pub attestation: AttestedDump,
}

/// What an operator says of a dump, and the signature over it (DSSE over the canonical bytes of `statement`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestedDump {
    /// What is said.
    pub statement: DumpStatement,
    /// Who says it.
    pub signatures: Signatures,
}

/// An in-toto Statement about a dump: its subject is the dump's set digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DumpStatement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The dump, and nothing else.
    pub subject: Vec<DumpSubject>,
    /// [`DUMP_PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of it.
    pub predicate: DumpPredicate,
}

/// The subject of a dump's attestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DumpSubject {
    /// `dump`.
    pub name: String,
    /// `sha256`: the digest over the dump's files.
    pub digest: BTreeMap<String, Digest>,
}

/// Where a dump comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DumpPredicate {
    /// Where it was taken, in a name that the policy's production lists are held against.
    pub origin: String,
    /// `pg_control_system().system_identifier` of the cluster that it was taken from.
    pub system_identifier: String,
    /// `server_version` of that cluster.
    pub server_version: String,
    /// What is volatile: the time of the attestation.
    pub run: BTreeMap<String, String>,
}

/// The type of in-toto statements.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate type of a dump's attestation.
pub const DUMP_PREDICATE: &str = "https://fix7-ledger.dev/dump-attestation/v1";

impl DumpStatement {
    /// The statement about a dump with this digest.
    pub fn of(
        set: Digest,
        origin: &str,
        system_identifier: &str,
        server_version: &str,
        time: &str,
    ) -> DumpStatement {
        let digest = BTreeMap::from([("sha256".to_owned(), set)]);
        DumpStatement {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![DumpSubject { name: "dump".to_owned(), digest }],
            predicate_type: DUMP_PREDICATE.to_owned(),
            predicate: DumpPredicate {
                origin: origin.to_owned(),
                system_identifier: system_identifier.to_owned(),
                server_version: server_version.to_owned(),
                run: BTreeMap::from([("time".to_owned(), time.to_owned())]),
            },
        }
    }
}

impl AttestedDump {
    /// What is wrong with the attestation as such, for a dump with this digest: whose key it is, only the ledger knows.
    pub fn faults(&self, set: &Digest) -> Vec<String> {
        let statement = &self.statement;
        let mut faults = Vec::new();
        let mut require = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        let subject = BTreeMap::from([("sha256".to_owned(), *set)]);
        require(statement.statement_type == STATEMENT_TYPE, "_type: another kind of document");
        require(statement.predicate_type == DUMP_PREDICATE, "predicateType: another kind of statement");
        let about = statement.subject.len() == 1
            && statement.subject[0].name == "dump"
            && statement.subject[0].digest == subject;
        require(about, "subject: it is about another dump");
        let DumpPredicate { origin, system_identifier, server_version, run } = &statement.predicate;
        let line = |text: &str| {
            !text.trim().is_empty()
                && text.len() <= 200
                && text.is_ascii()
                && !text.contains(|c: char| c.is_control())
        };
        require(line(origin) && line(server_version), "origin and server_version: one line each");
        let number =
            system_identifier.parse::<u64>().is_ok_and(|n| n > 0 && n.to_string() == *system_identifier);
        require(number, "system_identifier: the number that pg_controldata prints");
        require(run.keys().all(|key| key == "time"), "run: time alone");
        faults
    }

    /// The bytes that are signed.
    ///
    /// # Errors
    /// Text that canonical JSON refuses.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, CanonError> {
        canon::to_vec(&self.statement)
    }
}

/// How a dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DumpFormat {
    /// `pg_dump -Fc`: one file, restored by `pg_restore`.
    Custom,
    /// `pg_dump -Fd`: a directory, restored by `pg_restore`.
    Directory,
    /// `pg_dump -Fp`: SQL and data, sent to the server without `psql`.
    Plain,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// SHA-256 of the file's bytes.
    pub sha256: Digest,
    /// Length in bytes.
    pub size: u64,
}

/// The copy, and why it is private and not production (R16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneFacts {
    /// Digest over the copied set: equal to the source's.
    pub set: Digest,
    /// Digest over the file set after recovery, checkpoint and close: the state that the legs start from.
    pub base: Digest,
    /// Mode of the fresh directory: `0700`.
    pub directory_mode: String,
    /// No component of its path is a symbolic link.
    pub symlink_free: bool,
    /// Hard links of the main file: 1.
    pub hard_links: u64,
    /// The file system is a local one.
    pub local_file_system: bool,
    /// Owned by the user who rehearses.
    pub owned_by_operator: bool,
}
