//! Rehearsals of real databases, behind the walls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fix7_ledger::digest::Digest;
use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::evidence::{Facts, Leg, Outcome, Plan};
use fix7_ledger::rehearse::RehearseError;
use fix7_ledger::rehearse::isolation::Wanted;
use fix7_ledger::rehearse::run::{Event, Part, Rehearsal, Request, run};
use fix7_ledger::verdict::Code;

use crate::harness::{BINARY, Scratch, corpora};

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

fn request(scratch: &Scratch, source: &Path, plan: Plan) -> Request {
    Request {
        source: source.to_owned(),
        plan,
        policy: Digest::of(b"policy"),
        executable: PathBuf::from(BINARY),
        scratch: scratch.root().to_owned(),
        threads: 2,
        wanted: Wanted::Best,
        minimum: Level::Two,
    }
}

pub fn rehearse(scratch: &Scratch, source: &Path, plan: Plan) -> Result<Rehearsal, RehearseError> {
    let request = request(scratch, source, plan);
    run(&request, &mut |_| {})
}

fn outcomes(facts: &Facts) -> Vec<(Leg, Outcome)> {
    facts.rollback.entries.iter().map(|entry| (entry.leg, entry.outcome)).collect()
}

#[test]
fn chinook_goes_through_all_six_legs() {
    let Some(corpora) = corpora("chinook") else { return };
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

#[test]
fn how_far_it_has_come_is_told_while_rows_are_read() {
    let scratch = Scratch::new();
    let source = scratch.database("live.db", "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3);");
    let mut told = Vec::new();
    let request = request(&scratch, &source, plan("DELETE FROM t WHERE a = 1;", None));
    let rehearsed = run(&request, &mut |event| {
        if let Event::Reading(progress) = event {
            told.push(progress.rows);
        }
    });
    rehearsed.expect("rehearsed");
    assert!(told.contains(&3), "{told:?}");
}

const MANY: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b);
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 500)
    INSERT INTO t SELECT x, zeroblob(2000) FROM n;";

/// The code that a rehearsal was refused with.
fn code(rehearsal: Result<Rehearsal, RehearseError>) -> Option<Code> {
    rehearsal.map(|_| ()).err().map(|error| error.code())
}

/// Rehearses, and does something to the source whenever a part begins.
fn disturbed(scratch: &Scratch, source: &Path, mut disturb: impl FnMut(Part)) -> Option<Code> {
    let request = request(scratch, source, plan("DELETE FROM t;", None));
    code(run(&request, &mut |event| {
        if let Event::Started(part) = event {
            disturb(part);
        }
    }))
}

/// Writes one byte into a page of the source, past the header.
fn scribble(source: &Path, byte: u8) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(source).expect("the source opens");
    file.write_all_at(&[byte], 9000).expect("written");
}

#[test]
fn a_source_that_is_written_while_it_is_cloned_is_refused() {
    let scratch = Scratch::new();
    let source = scratch.database("live.db", MANY);
    let stop = Arc::new(AtomicBool::new(false));
    let mut writer = None;
    let found = disturbed(&scratch, &source, |part| {
        if part == Part::Clone {
            let (stop, source) = (Arc::clone(&stop), source.clone());
            writer = Some(std::thread::spawn(move || {
                let mut byte = 0u8;
                while !stop.load(Ordering::SeqCst) {
                    byte = byte.wrapping_add(1);
                    scribble(&source, byte);
                }
            }));
        }
    });
    stop.store(true, Ordering::SeqCst);
    writer.expect("the clone began").join().expect("the writer ended");
    assert_eq!(found, Some(Code::SourceChanged));
    scribble(&source, 0);
    assert_eq!(disturbed(&scratch, &source, |_| {}), None, "quiet, it is accepted");
}

#[test]
fn a_source_that_changes_during_the_legs_is_refused() {
    let scratch = Scratch::new();
    let source = scratch.database("live.db", MANY);
    let found = disturbed(&scratch, &source, |part| {
        if part == Part::Leg(Leg::Snapshot) {
            scribble(&source, 7);
        }
    });
    assert_eq!(found, Some(Code::SourceChanged));
}

#[test]
fn a_disk_that_fills_up_is_told_and_nothing_is_left() {
    let scratch = Scratch::new();
    scratch.database("small.db", "CREATE TABLE t(a);");
    let plan = scratch.path("plan");
    scratch.run(&["plan", "new", "plan"]).ok();
    let inside = |megabytes: u32, up: &str| {
        std::fs::write(plan.join("up.sql"), up).expect("written");
        std::fs::write(plan.join("down.sql"), "DELETE FROM t;").expect("written");
        let script = format!(
            "mkdir -p tiny && mount -t tmpfs -o size={megabytes}m tmpfs tiny && TMPDIR=$PWD/tiny exec \
             {BINARY} rehearse --source small.db --plan plan --out packet --isolation 2"
        );
        scratch.program(".", "unshare", &["-Urm", "sh", "-c", &script])
    };
    if scratch.program(".", "unshare", &["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).exit != 0 {
        eprintln!("not run: a disk that fills up: no unprivileged mounts here");
        return;
    }
    let filling = "INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 30)
                   SELECT zeroblob(1000000) FROM n;";
    let refused = inside(16, filling);
    assert_eq!(refused.exit, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("OUT_OF_SPACE"), "{}", refused.stderr);
    assert!(!scratch.path("packet").exists());
    let before = inside(1, "INSERT INTO t VALUES(1);");
    assert!(before.stderr.contains("OUT_OF_SPACE"), "{}", before.stderr);
    let accepted = inside(64, "INSERT INTO t VALUES(1);");
    assert_eq!(accepted.exit, 0, "{}", accepted.stderr);
}
