//! The legs without walls: questions are answered in the test's own process. What the walls add is tested
//! through the binary (tests/it/rehearse.rs).

mod hostile;
mod outcomes;
mod sources;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::RehearseError;
use super::child::{Answer, Question, answer};
use super::isolation::Wanted;
use super::room::Asks;
use super::run::{Clockwork, Request, Walls, between_the_walls, executable_digest, facts_of};
use super::source::Source;
use crate::digest::Digest;
use crate::evidence::entry::Entry;
use crate::evidence::isolation::{IsolationProof, Level};
use crate::evidence::{Facts, Leg, Outcome, Plan};

/// Without walls the test's own executable is within reach: that alone is answered as the walls would have it.
struct Here;

impl Asks for Here {
    fn ask(&mut self, question: &Question, _: Duration) -> Result<Answer, RehearseError> {
        Ok(match question {
            Question::Writable { .. } => Answer::Writable(false),
            question => answer(question.clone()),
        })
    }
}

/// A plan with these scripts, the template for the rest.
fn plan(up: &str, down: Option<&str>, settings: &str) -> Plan {
    let mut files: std::collections::BTreeMap<String, Vec<u8>> =
        Plan::template().into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    files.insert("up.sql".to_owned(), up.as_bytes().to_vec());
    let mut spec = String::from_utf8(files["plan.toml"].clone()).expect("text");
    match down {
        Some(down) => {
            files.insert("down.sql".to_owned(), down.as_bytes().to_vec());
        }
        None => {
            files.remove("down.sql");
            spec = spec.replace("[rollback]\nfile = \"down.sql\"\n", "");
        }
    }
    for setting in settings.split(',').filter(|s| !s.is_empty()) {
        let (name, value) = setting.split_once('=').expect("name=value");
        let line =
            spec.lines().find(|line| line.starts_with(&format!("{name} = "))).expect("a setting").to_owned();
        spec = spec.replace(&line, &format!("{name} = {value}"));
    }
    files.insert("plan.toml".to_owned(), spec.into_bytes());
    Plan::parse(files).expect("a valid plan")
}

fn rehearse(source: &Path, plan: Plan) -> Result<Facts, RehearseError> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let scratch_path = scratch.path().canonicalize().expect("its real path");
    let clone_directory = scratch_path.join("clone");
    std::fs::DirBuilder::new().mode(0o700).create(&clone_directory).expect("a directory");
    let request = Request {
        source: source.to_owned(),
        plan,
        policy: Digest::of(b"policy"),
        executable: std::env::current_exe().expect("this test"),
        scratch: scratch_path,
        threads: 2,
        wanted: Wanted::Best,
        minimum: Level::Two,
    };
    let found = Source::find(&request.source)?;
    let proof = IsolationProof::held(Level::Three, Digest::of(b"the filter"));
    let mut clock = Clockwork::new(&|_| {});
    let walls = Walls { asks: &mut Here, opening: proof.clone(), clone_directory };
    let executable = executable_digest(&request.executable)?;
    let rehearsed = between_the_walls(&request, &found, executable, walls, &mut clock)?;
    Ok(facts_of(&request.plan, &rehearsed, proof))
}

fn outcome(facts: &Facts, leg: Leg) -> Outcome {
    entry(facts, leg).outcome
}

fn entry(facts: &Facts, leg: Leg) -> &Entry {
    facts.rollback.entries.iter().find(|entry| entry.leg == leg).expect("every leg has an entry")
}

/// A database in a directory of its own.
struct Fixture {
    place: tempfile::TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new(sql: &str) -> Fixture {
        let place = tempfile::tempdir().expect("a scratch directory");
        let path = place.path().join("source.db");
        let connection = rusqlite::Connection::open(&path).expect("a new database");
        connection.execute_batch(sql).expect("the fixture's SQL");
        connection.close().expect("closes");
        Fixture { place, path }
    }

    fn rehearse(&self, up: &str, down: Option<&str>) -> Result<Facts, RehearseError> {
        rehearse(&self.path, plan(up, down, ""))
    }

    fn refuses(&self, up: &str, down: Option<&str>) -> RehearseError {
        match self.rehearse(up, down) {
            Ok(facts) => panic!("{up}: not refused, but {:#?}", facts.rollback.entries),
            Err(error) => error,
        }
    }

    /// Every leg but `down` held or exact, and `down` too: the twin that is accepted.
    fn exact(&self, up: &str, down: &str) {
        let facts = self.rehearse(up, Some(down)).expect("rehearsed");
        all_exact(&facts);
    }
}

fn all_exact(facts: &Facts) {
    let outcomes: Vec<(Leg, Outcome)> = facts.rollback.entries.iter().map(|e| (e.leg, e.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            (Leg::ReadOnly, Outcome::Held),
            (Leg::Transaction, Outcome::Exact),
            (Leg::Snapshot, Outcome::Exact),
            (Leg::Down, Outcome::Exact),
            (Leg::Reapply, Outcome::Held),
            (Leg::Executor, Outcome::Held),
        ],
        "{:#?}",
        facts.rollback.entries
    );
}

const ROWS: &str =
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE); INSERT INTO t(b) VALUES('x'),('y'),('z');";
