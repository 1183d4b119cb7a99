//! The legs without walls: questions are answered in the test's own process.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use super::RehearseError;
use super::child::{Answer, Question, answer};
use super::isolation::Wanted;
use super::room::Asks;
use super::run::{Clockwork, Request, Walls, between_the_walls, executable_digest, facts_of};
use super::source::Source;
use crate::digest::Digest;
use crate::evidence::isolation::{IsolationProof, Level};
use crate::evidence::{Facts, Leg, Outcome, Plan};

struct Here;

impl Asks for Here {
    fn ask(&mut self, question: &Question, _: Duration) -> Result<Answer, RehearseError> {
        Ok(answer(question.clone()))
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
    let mut ignore = |_| {};
    let mut clock = Clockwork::new(&mut ignore);
    let walls = Walls { asks: &mut Here, opening: proof.clone(), clone_directory };
    let executable = executable_digest(&request.executable)?;
    let rehearsed = between_the_walls(&request, &found, executable, walls, &mut clock)?;
    Ok(facts_of(&request.plan, &rehearsed, proof))
}

fn database(directory: &Path, sql: &str) -> std::path::PathBuf {
    let path = directory.join("source.db");
    let connection = rusqlite::Connection::open(&path).expect("a new database");
    connection.execute_batch(sql).expect("the fixture's SQL");
    connection.close().expect("closes");
    path
}

fn outcomes(facts: &Facts) -> Vec<(Leg, Outcome)> {
    facts.rollback.entries.iter().map(|entry| (entry.leg, entry.outcome)).collect()
}

const ROWS: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES('x'),('y'),('z');";

#[test]
fn an_exact_rollback_goes_through_all_six_legs() {
    let place = tempfile::tempdir().expect("a scratch directory");
    let source = database(place.path(), ROWS);
    let up = "CREATE TABLE u(c); INSERT INTO u VALUES(1); UPDATE t SET b = b || '!';";
    let down = "DROP TABLE u; UPDATE t SET b = substr(b, 1, 1);";
    let facts = rehearse(&source, plan(up, Some(down), "")).expect("rehearsed");
    assert_eq!(
        outcomes(&facts),
        [
            (Leg::ReadOnly, Outcome::Held),
            (Leg::Transaction, Outcome::Exact),
            (Leg::Snapshot, Outcome::Exact),
            (Leg::Down, Outcome::Exact),
            (Leg::Reapply, Outcome::Held),
            (Leg::Executor, Outcome::Held),
        ]
    );
    let again = rehearse(&source, plan(up, Some(down), "")).expect("rehearsed");
    assert_eq!(facts, again);
}
