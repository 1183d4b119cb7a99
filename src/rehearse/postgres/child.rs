//! What the confined process is asked about the cluster, and how it answers: the only place where a server runs.
//!
//! Owns: the questions, the answers, and the work behind them. Every question starts the server and stops it before it
//! is answered, so the data directory is at rest whenever the parent looks at its files. Must not: know legs.
//!
//! ```text
//! Begin      initdb, the owner and the clone, the dump restored
//! Look       the state of the clone, by a server that has just been started
//! Inside     BEGIN, the change, SET CONSTRAINTS ALL IMMEDIATE, the state from inside, ROLLBACK
//! Commit     a script to its end and COMMIT, the state by another connection
//! Down       the change, the way back on another connection, and what differs from the state before
//! Moment     whether the change leaves other rows at another moment
//! Survey     a whole history on an empty clone
//! Check      pg_checksums over the stopped cluster, constraints that are not validated
//! ```

use std::path::PathBuf;
use std::time::Duration;

use postgres::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{BEFORE, CLONE, OWNER, Place, SUPERUSER, run};
use super::dump::Format;
use super::failure::{self, outside};
use super::locks::{LockSeen, Watch};
use super::look::{self, State};
use super::survey::{self, Trial};
use super::{moment, restore, script};
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::Differences;
use crate::rehearse::child::Checked;
use crate::rehearse::engine::{Failure, Report};
use crate::rehearse::survey::Row;

/// One question, and where the cluster lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Where.
    pub place: Place,
    /// What.
    pub what: What,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum What {
    /// Make the cluster and restore the dump.
    Begin {
        /// The copy of the dump.
        dump: PathBuf,
        /// How it is written.
        format: Format,
    },
    /// Look at the clone.
    Look,
    /// Run a script inside a transaction that is rolled back.
    Inside(Run),
    /// Run a script and commit it.
    Commit(Run),
    /// Run the change and the plan's way back.
    Down {
        /// The change.
        up: Run,
        /// The way back.
        down: Run,
        /// How many differences are listed.
        listed: usize,
    },
    /// Apply the change at another moment than when it left these tables.
    Moment {
        /// The change.
        up: Run,
        /// What it left: the digest of the tables alone.
        tables: Digest,
    },
    /// Make a cluster with an empty clone, and try a whole history on it.
    Survey(Vec<Trial>),
    /// Run PostgreSQL's own checks.
    Check,
}

/// A script and how to run it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The script.
    pub sql: String,
    /// Inside a transaction of the rehearsal's own.
    pub transaction: bool,
    /// Longest time, in milliseconds.
    pub limit_ms: u64,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`What::Begin`].
    Began(Identity),
    /// To [`What::Look`].
    State(State),
    /// To [`What::Inside`].
    Inside(Inside),
    /// To [`What::Commit`].
    Committed(Committed),
    /// To [`What::Down`].
    Down(Box<Down>),
    /// To [`What::Moment`]: the clock matters.
    Moment(bool),
    /// To [`What::Survey`]: each row with its milliseconds.
    Surveyed(Vec<(Row, u64)>),
    /// To [`What::Check`].
    Checked(Checked),
    /// The cluster cannot be made, started or read, to any question.
    Unreadable(Failure),
}

/// What the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `15.18`.
    pub version: String,
    /// What `version()` says.
    pub source_id: String,
    /// SHA-256 over the preset settings, a line each.
    pub presets: Digest,
}

/// What was seen inside a transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inside {
    /// How the script ran.
    pub report: Report,
    /// The state with the change in it, unless the script failed.
    pub state: Option<State>,
    /// No transaction was open after ROLLBACK.
    pub closed: bool,
    /// The locks that the change took.
    pub locks: Vec<LockSeen>,
}

/// A script committed, or rolled back because it failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Committed {
    /// How the script ran, the COMMIT included.
    pub report: Report,
    /// The state that another connection then sees.
    pub state: Option<State>,
    /// The locks that the script took.
    pub locks: Vec<LockSeen>,
}

/// The change and the way back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Down {
    /// The change.
    pub up: Committed,
    /// The way back, where the change worked.
    pub down: Option<Committed>,
    /// What differs from the state before, where something does.
    pub differences: Option<Differences>,
}

/// Answers one question; a long look tells how far it has come. Whatever the server refuses is an answer.
pub fn answer(question: Question, tell: &mut dyn FnMut(Value)) -> Answer {
    let place = &question.place;
    let done = match question.what {
        What::Begin { dump, format } => begin(place, &dump, format).map(Answer::Began),
        What::Look => with_server(place, || look::of_database(place, CLONE, tell)).map(Answer::State),
        What::Inside(run) => with_server(place, || inside(place, &run)).map(Answer::Inside),
        What::Commit(run) => with_server(place, || commit(place, &run)).map(Answer::Committed),
        What::Down { up, down, listed } => with_server(place, || there_and_back(place, &up, &down, listed))
            .map(|done| Answer::Down(Box::new(done))),
        What::Moment { up, tables } => {
            with_server(place, || moment::matters(place, &up, tables)).map(Answer::Moment)
        }
        What::Survey(trials) => survey::perform(place, &trials).map(Answer::Surveyed),
        What::Check => check(place).map(Answer::Checked),
    };
    done.unwrap_or_else(Answer::Unreadable)
}

pub(super) fn with_server<T>(place: &Place, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let running = place.start()?;
    let done = work()?;
    running.stop()?;
    Ok(done)
}

pub(super) fn connect(place: &Place, role: &str, database: &str) -> Result<Client, Failure> {
    place.database(role, database).connect().map_err(|e| failure::of(&e, 0))
}

pub(super) fn own(client: &mut Client, sql: &str) -> Result<(), Failure> {
    client.batch_execute(sql).map_err(|e| failure::of(&e, 0))
}

fn begin(place: &Place, dump: &std::path::Path, format: Format) -> Result<Identity, Failure> {
    prepare(place)?;
    with_server(place, || {
        restore::restore(place, dump, format)?;
        identity(&mut connect(place, SUPERUSER, "postgres")?)
    })
}

/// Makes the cluster, the owner and an empty clone.
pub(super) fn prepare(place: &Place) -> Result<(), Failure> {
    place.initialise()?;
    with_server(place, || {
        let mut client = connect(place, SUPERUSER, "postgres")?;
        let role = format!(
            "CREATE ROLE {OWNER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        );
        own(&mut client, &role)?;
        own(&mut client, &format!("CREATE DATABASE {CLONE} OWNER {OWNER}"))
    })
}

fn identity(client: &mut Client) -> Result<Identity, Failure> {
    let failed = |e: postgres::Error| failure::of(&e, 0);
    let version: String = client.query_one("SHOW server_version", &[]).map_err(failed)?.get(0);
    let source_id = client.query_one("SELECT version()", &[]).map_err(failed)?.get(0);
    let sql = "SELECT name || '=' || setting FROM pg_settings WHERE context = 'internal' ORDER BY name COLLATE \"C\"";
    let mut presets = Hasher::new();
    for row in client.query(sql, &[]).map_err(failed)? {
        presets.update(row.get::<_, String>(0).as_bytes());
        presets.update(b"\n");
    }
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Identity { version, source_id, presets: presets.finish() })
}

fn state(place: &Place) -> Result<State, Failure> {
    look::of_database(place, CLONE, &mut |_| {})
}

fn limited(place: &Place, database: &str, run: &Run) -> Result<Client, Failure> {
    let mut client = connect(place, OWNER, database)?;
    script::limit(&mut client, Duration::from_millis(run.limit_ms))?;
    Ok(client)
}

fn inside(place: &Place, run: &Run) -> Result<Inside, Failure> {
    let mut client = limited(place, CLONE, run)?;
    let watch = Watch::begin(place, CLONE, &mut client)?;
    own(&mut client, "BEGIN; SELECT pg_catalog.pg_current_xact_id()")?;
    let mut report = script::run(&mut client, &run.sql, true, &mut || {});
    if report.failure.is_none() {
        // What is deferred to COMMIT would never be seen here.
        if let Err(error) = client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE") {
            report.failure = Some(failure::of(&error, report.statements));
        }
    }
    watch.look();
    let locks = watch.end();
    let state = match report.failure {
        None => Some(look::of_transaction(&mut client, &place.data())?),
        Some(_) => None,
    };
    own(&mut client, "ROLLBACK")?;
    let closed = !script::is_open(&mut client);
    Ok(Inside { report, state, closed, locks })
}

fn commit(place: &Place, run: &Run) -> Result<Committed, Failure> {
    commit_in(place, CLONE, run)
}

/// Runs a script in one database of the cluster and makes it last, or leaves nothing of a wrapped one that failed.
pub(super) fn commit_in(place: &Place, database: &str, run: &Run) -> Result<Committed, Failure> {
    let mut client = limited(place, database, run)?;
    let watch = Watch::begin(place, database, &mut client)?;
    if run.transaction {
        own(&mut client, "BEGIN; SELECT pg_catalog.pg_current_xact_id()")?;
    }
    let mut report = script::run(&mut client, &run.sql, run.transaction, &mut || watch.look());
    if run.transaction {
        watch.look();
        let end = if report.failure.is_none() { "COMMIT" } else { "ROLLBACK" };
        if let Err(error) = client.batch_execute(end) {
            report.failure.get_or_insert_with(|| failure::of(&error, report.statements + 1));
        }
    }
    let locks = watch.end();
    drop(client);
    let state = match report.failure {
        None => Some(look::of_database(place, database, &mut |_| {})?),
        Some(_) => None,
    };
    Ok(Committed { report, state, locks })
}

fn there_and_back(place: &Place, up: &Run, down: &Run, listed: usize) -> Result<Down, Failure> {
    let before = state(place)?;
    let mut client = connect(place, SUPERUSER, "postgres")?;
    own(&mut client, &format!("CREATE DATABASE {BEFORE} OWNER {OWNER} TEMPLATE {CLONE}"))?;
    let up = commit(place, up)?;
    let (mut back, mut differences) = (None, None);
    if up.report.failure.is_none() {
        let done = commit(place, down)?;
        if let Some(after) = done.state.as_ref().filter(|after| !same_database(after, &before)) {
            differences = Some(look::differences(place, (BEFORE, &before), (CLONE, after), listed)?);
        }
        back = Some(done);
    }
    own(&mut client, &format!("DROP DATABASE {BEFORE}"))?;
    Ok(Down { up, down: back, differences })
}

/// Whether two states are the same but for the cluster's roles.
fn same_database(a: &State, b: &State) -> bool {
    let of = |state: &State| State { roles: Digest::ZERO, ..state.clone() };
    of(a) == of(b)
}

fn check(place: &Place) -> Result<Checked, Failure> {
    let mut command = place.program("pg_checksums");
    command.args(["--check", "--pgdata"]).arg(place.data());
    let integrity = match run(command, "pg_checksums") {
        Ok(()) => "ok",
        Err(_) => "pages whose checksum does not hold",
    };
    let foreign_key_violations = with_server(place, || {
        let sql = "SELECT count(*) FROM pg_catalog.pg_constraint WHERE NOT convalidated";
        let row = connect(place, SUPERUSER, CLONE)?.query_one(sql, &[]).map_err(|e| failure::of(&e, 0))?;
        u64::try_from(row.get::<_, i64>(0)).map_err(|_| outside("a count below zero"))
    })?;
    Ok(Checked { integrity: integrity.to_owned(), foreign_key_violations })
}
