//! Rehearsals of real databases, behind the walls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fix7_ledger::digest::Digest;
use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::evidence::{Facts, Leg, Outcome, Plan};
use fix7_ledger::rehearse::RehearseError;
use fix7_ledger::rehearse::isolation::Wanted;
use fix7_ledger::rehearse::run::{Event, Rehearsal, Request, run};

use crate::harness::{BINARY, Scratch};

/// A plan with these scripts, the template for the rest.
pub fn plan(up: &str, down: Option<&str>) -> Plan {
    let mut files: BTreeMap<String, Vec<u8>> =
        Plan::template().into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    files.insert("up.sql".to_owned(), up.as_bytes().to_vec());
    match down {
        Some(down) => {
            files.insert("down.sql".to_owned(), down.as_bytes().to_vec());
        }
        None => {
            files.remove("down.sql");
            let spec = String::from_utf8(files["plan.toml"].clone()).expect("text");
            files.insert(
                "plan.toml".to_owned(),
                spec.replace("[rollback]\nfile = \"down.sql\"\n", "").into_bytes(),
            );
        }
    }
    Plan::parse(files).expect("a valid plan")
}

pub fn rehearse(scratch: &Scratch, source: &Path, plan: Plan) -> Result<Rehearsal, RehearseError> {
    let request = Request {
        source: source.to_owned(),
        plan,
        policy: Digest::of(b"policy"),
        executable: PathBuf::from(BINARY),
        scratch: scratch.root().to_owned(),
        threads: 2,
        wanted: Wanted::Best,
        minimum: Level::Two,
    };
    run(&request, &mut |event| {
        if let Event::Finished(part, took) = event {
            eprintln!("{:>12} {:?}", part.name(), took);
        }
    })
}

pub fn corpora() -> Option<PathBuf> {
    match std::env::var_os("FIX7_CORPORA") {
        Some(path) => Some(PathBuf::from(path)),
        None => {
            eprintln!("not run: FIX7_CORPORA is not set");
            None
        }
    }
}

fn outcomes(facts: &Facts) -> Vec<(Leg, Outcome)> {
    facts.rollback.entries.iter().map(|entry| (entry.leg, entry.outcome)).collect()
}

#[test]
fn chinook_goes_through_all_six_legs() {
    let Some(corpora) = corpora() else { return };
    let scratch = Scratch::new();
    let source = corpora.join("databases/Chinook_Sqlite.sqlite");
    let up =
        "CREATE TABLE fix7_note(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO fix7_note VALUES(1, 'x');
              UPDATE Track SET Milliseconds = Milliseconds + 1;";
    let down = "DROP TABLE fix7_note; UPDATE Track SET Milliseconds = Milliseconds - 1;";
    let rehearsal = rehearse(&scratch, &source, plan(up, Some(down))).expect("rehearsed");
    assert_eq!(
        outcomes(&rehearsal.facts),
        [
            (Leg::ReadOnly, Outcome::Held),
            (Leg::Transaction, Outcome::Exact),
            (Leg::Snapshot, Outcome::Exact),
            (Leg::Down, Outcome::Exact),
            (Leg::Reapply, Outcome::Held),
            (Leg::Executor, Outcome::Held),
        ]
    );
    let again = rehearse(&scratch, &source, plan(up, Some(down))).expect("rehearsed");
    assert_eq!(rehearsal.facts, again.facts, "a function of source, plan, policy and executable");
}
