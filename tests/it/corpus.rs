//! Real migration histories: our verdict of every migration must be the measured one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fix7_ledger::evidence::Outcome;
use fix7_ledger::rehearse::isolation::Wanted;
use fix7_ledger::rehearse::survey::{self, Redo, Row, Survey, Trial, Wrapping};
use serde_json::Value;

use crate::harness::{BINARY, Scratch, corpora};
use crate::rehearse::{plan, rehearse};

/// Cases whose measured verdict was reached from another database than the one that the archive holds. It has
/// one `before.db` per case, of the chain with foreign keys off. With foreign keys on, V0005 of authelia fails
/// half-way, so the measured chain came to V0010 with other rows in `oauth2_access_token_session`.
const OTHER_BEFORE: [(&str, &str); 1] = [("authelia/sqlite3.54.1_fk1", "V0010.FixConsentIDNotNull")];

const PROJECTS: [&str; 6] = ["authelia", "cfssl", "chirpstack", "fathom", "lnd", "openfga"];

/// One verdict as both sides spell it.
#[derive(Debug, PartialEq, Eq)]
struct Spelled {
    verdict: String,
    noop: bool,
    redo: Option<String>,
    schema_codes: Vec<String>,
    row_codes: Vec<String>,
    error: Option<String>,
}

fn expected(measured: &Value) -> Spelled {
    let codes = |name: &str| -> Vec<String> {
        let list = measured[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut codes: Vec<String> =
            list.iter().flat_map(|code| code_of(code.as_str().expect("a text"))).collect();
        codes.sort_unstable();
        codes
    };
    // `SQLError: no such function: BIN2B64`: the class is the driver's own.
    let words = |text: &str| text.split_once("Error: ").map_or(text, |(_, words)| words).to_owned();
    let error = measured["error"].as_str().map(words);
    let verdict = match measured["verdict"].as_str().expect("a verdict") {
        "up_fails" if error.as_deref().is_some_and(|e| e.starts_with("no such function")) => {
            "could_not_establish"
        }
        verdict => verdict,
    };
    let redo = measured["redo"].as_str().map(|redo| match redo.strip_prefix("fails: ") {
        Some(error) => format!("fails: {}", words(error)),
        None => redo.to_owned(),
    });
    Spelled {
        verdict: verdict.to_owned(),
        noop: measured["up_noop"].as_bool().unwrap_or(false),
        redo,
        schema_codes: codes("schema_codes"),
        row_codes: codes("row_codes"),
        error,
    }
}

/// The measurement lists all AUTOINCREMENT counters in one code, as a Python dictionary.
fn code_of(code: &str) -> Vec<String> {
    let Some(dictionary) = code.strip_prefix("sqlite_sequence:{").and_then(|c| c.strip_suffix('}')) else {
        return vec![code.to_owned()];
    };
    let counters = dictionary.split("), ").map(|counter| {
        let (name, change) = counter.split_once(": (").expect("a name and a change");
        let change = change.trim_end_matches(')').replace("None", "none").replace(", ", "->");
        format!("sqlite_sequence:{}({change})", name.trim_matches('\''))
    });
    counters.collect()
}

fn found(row: &Row) -> Spelled {
    let name =
        |outcome: Outcome| serde_json::to_value(outcome).expect("a name").as_str().expect("text").to_owned();
    let words = |error: &str| match error.split_once(": ") {
        Some((statement, words)) if statement.starts_with("statement ") => words.to_owned(),
        _ => error.to_owned(),
    };
    Spelled {
        verdict: name(row.verdict),
        noop: row.noop,
        redo: row.redo.as_ref().map(|redo| match redo {
            Redo::Same => "same".to_owned(),
            Redo::Differs => "differs".to_owned(),
            Redo::Fails(error) => format!("fails: {}", words(error)),
        }),
        schema_codes: row.schema_codes.clone(),
        row_codes: row.row_codes.clone(),
        error: row.error.as_deref().map(words),
    }
}

/// The measured verdicts of one project, by migration: column, chain.
fn measured(project: &Path, column: &str, chain: &str) -> BTreeMap<String, Value> {
    let bytes = fs::read(project.join("expected.json")).expect("the measurement");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    let migrations = document["migrations"].as_array().expect("a list");
    let one =
        |m: &Value| (m["id"].as_str().expect("a name").to_owned(), m["expected"][column][chain].clone());
    migrations.iter().map(one).filter(|(_, value)| !value.is_null()).collect()
}

/// Compares, prints every difference, and gives how many verdicts are equal.
fn compare(what: &str, rows: &[Row], measured: &BTreeMap<String, Value>) -> (usize, Vec<String>) {
    let mut faults = Vec::new();
    let mut equal = 0;
    for row in rows {
        let Some(value) = measured.get(&row.id) else {
            faults.push(format!("{what} {}: not measured", row.id));
            continue;
        };
        let (mut expected, mut found) = (expected(value), found(row));
        if row.nondeterministic {
            // The change reads the clock: whether both of its runs fell into one second is all that was measured.
            (expected.redo, found.redo) = (None, None);
        }
        if expected == found {
            equal += 1;
        } else if OTHER_BEFORE.contains(&(what, row.id.as_str())) && row.verdict == Outcome::Exact {
            eprintln!("{what} {}: measured from another database, found {found:?}", row.id);
        } else {
            faults.push(format!("{what} {}:\n  expected {expected:?}\n  found    {found:?}", row.id));
        }
    }
    (equal, faults)
}

#[test]
fn every_history_from_an_empty_database_has_its_measured_verdicts() {
    let Some(corpora) = corpora("histories") else { return };
    let scratch = Scratch::new();
    let (mut equal, mut faults) = (0, Vec::new());
    for project in PROJECTS {
        let directory = corpora.join("migrations").join(project).join("sqlite");
        for (foreign_keys, column) in [(false, "sqlite3.54.1_fk0"), (true, "sqlite3.54.1_fk1")] {
            let history = survey::read(&directory).expect("a history");
            let measured = measured(&directory, column, "empty");
            assert_eq!(history.migrations.len(), measured.len(), "{project}: every migration is measured");
            let survey = Survey {
                history,
                source: None,
                foreign_keys,
                transaction: Wrapping::Auto,
                executable: PathBuf::from(BINARY),
                scratch: scratch.root().to_owned(),
                made_rows: false,
                wanted: Wanted::Best,
            };
            let since = std::time::Instant::now();
            let rows = survey::run(&survey, &mut |_, _| {}).expect("surveyed");
            eprintln!(
                "{project} fk{}: {} migrations in {:?}",
                u8::from(foreign_keys),
                rows.len(),
                since.elapsed()
            );
            let (right, wrong) = compare(&format!("{project}/{column}"), &rows, &measured);
            equal += right;
            faults.extend(wrong);
        }
    }
    eprintln!("verdicts equal to the measured ones: {equal}, and {} that differ", faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(equal, 172);
}

#[test]
fn every_migration_with_rows_has_its_measured_verdict() {
    let Some(corpora) = corpora("histories") else { return };
    let scratch = Scratch::new();
    let archive = corpora.join("migrations/sqlite_cases_with_rows.tar.xz");
    let untar = Command::new("tar").arg("xJf").arg(&archive).arg("-C").arg(scratch.root()).status();
    assert!(untar.expect("tar runs").success(), "{}", archive.display());
    let (mut equal, mut faults) = (0, Vec::new());
    for project in PROJECTS {
        let measurement = corpora.join("migrations").join(project).join("sqlite");
        for (foreign_keys, column) in [(false, "sqlite3.54.1_fk0"), (true, "sqlite3.54.1_fk1")] {
            let mut rows = Vec::new();
            for entry in fs::read_dir(scratch.path(project)).expect("the cases") {
                let case = entry.expect("a case").path();
                let place = scratch.path("trial");
                fs::create_dir_all(&place).expect("made");
                fs::copy(case.join("before.db"), place.join("clone.db")).expect("copied");
                let up = fs::read_to_string(case.join("up.sql")).expect("the change");
                let down = fs::read_to_string(case.join("down.sql")).ok();
                let wrapped = |sql: &str| !fix7_ledger::rehearse::engine::brings_its_own_transaction(sql);
                let trial = Trial {
                    directory: place.canonicalize().expect("its real path"),
                    n: 1,
                    id: case.file_name().expect("a name").to_string_lossy().into_owned(),
                    up_transaction: wrapped(&up),
                    down_transaction: wrapped(down.as_deref().unwrap_or_default()),
                    up,
                    down,
                    foreign_keys,
                    limit_ms: 60_000,
                };
                rows.push(survey::perform(&trial).expect("tried"));
                fs::remove_dir_all(&place).expect("removed");
            }
            let (right, wrong) =
                compare(&format!("{project}/{column}"), &rows, &measured(&measurement, column, "made"));
            equal += right;
            faults.extend(wrong);
        }
    }
    eprintln!("verdicts equal to the measured ones: {equal}, and {} that differ", faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(equal, 172 - OTHER_BEFORE.len());
}

/// A plan that fits any database: a new table with rows, a column on one of its own tables, and where it has
/// a plain whole-number column, an update of all its rows; and the way back.
fn generic_plan(copy: &Path) -> (String, String) {
    let c = rusqlite::Connection::open(copy).expect("the copy opens");
    let (mut up, mut down) = (
        "CREATE TABLE fix7_note(id INTEGER PRIMARY KEY, body TEXT);\nINSERT INTO fix7_note(body) VALUES('a'), ('b');\n"
            .to_owned(),
        "DROP TABLE fix7_note;\n".to_owned(),
    );
    let tables: Vec<String> = c
        .prepare(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'
             AND name NOT IN (SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger') ORDER BY name",
        )
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .expect("its tables");
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    if let Some(table) = tables.first() {
        up.push_str(&format!("ALTER TABLE {} ADD COLUMN fix7_mark TEXT DEFAULT 'x';\n", quoted(table)));
        down.push_str(&format!("ALTER TABLE {} DROP COLUMN fix7_mark;\n", quoted(table)));
    }
    for table in tables.iter().skip(1) {
        let column: Option<String> = c
            .query_row(
                "SELECT name FROM pragma_table_xinfo(?1) WHERE type LIKE '%INT%' AND pk = 0 AND hidden = 0
                 AND name NOT IN (SELECT coalesce(i.name, '') FROM pragma_index_list(?1) l, pragma_index_info(l.name) i)
                 AND name NOT IN (SELECT \"from\" FROM pragma_foreign_key_list(?1)) LIMIT 1",
                [table],
                |row| row.get(0),
            )
            .ok();
        let Some(column) = column else { continue };
        let (table, column) = (quoted(table), quoted(&column));
        let whole = format!("typeof({column}) = 'integer'");
        let few: bool = c
            .query_row(
                &format!("SELECT count(*) > 0 AND max(abs({column})) < 4e18 FROM {table} WHERE {whole}"),
                [],
                |r| r.get::<_, Option<bool>>(0),
            )
            .expect("counts")
            .unwrap_or(false);
        if few {
            up.push_str(&format!("UPDATE {table} SET {column} = {column} + 1 WHERE {whole};\n"));
            down.push_str(&format!("UPDATE {table} SET {column} = {column} - 1 WHERE {whole};\n"));
            break;
        }
    }
    (up, down)
}

#[test]
fn every_real_database_goes_through_the_legs_and_is_left_as_it_was() {
    let Some(corpora) = corpora("every real database") else { return };
    let mut sources: Vec<PathBuf> = ["databases", "directus"]
        .iter()
        .flat_map(|place| fs::read_dir(corpora.join(place)).expect("the corpora"))
        .map(|entry| entry.expect("a name").path())
        .filter(|path| {
            let name = path.to_string_lossy().into_owned();
            !["-wal", "-journal", ".sql"].iter().any(|end| name.ends_with(end))
        })
        .collect();
    sources.sort();
    assert!(sources.len() >= 17, "{sources:?}");
    let exact = [Outcome::Held, Outcome::Exact, Outcome::Exact, Outcome::Exact, Outcome::Held, Outcome::Held];
    let mut recovered = Vec::new();
    for source in &sources {
        let name = source.file_name().expect("a name").to_string_lossy().into_owned();
        let scratch = Scratch::new();
        let before = state_of(source.parent().expect("a directory"));
        let copy = scratch.path("copy.db");
        for suffix in ["", "-wal", "-journal"] {
            let (from, to) = (format!("{}{suffix}", source.display()), format!("{}{suffix}", copy.display()));
            if let Ok(bytes) = fs::read(&from) {
                fs::write(&to, bytes).expect("copied");
            }
        }
        let (up, down) = generic_plan(&copy);
        let rehearsal = rehearse(&scratch, source, plan(&up, Some(&down))).expect(&name);
        assert_eq!(state_of(source.parent().expect("a directory")), before, "{name}");
        let entries = &rehearsal.facts.rollback.entries;
        let outcomes: Vec<Outcome> = entries.iter().map(|entry| entry.outcome).collect();
        assert_eq!(outcomes, exact, "{name}\n{up}\n{entries:#?}");
        if rehearsal.facts.lock.source.recovered {
            recovered.push(name);
        }
    }
    eprintln!("databases rehearsed exactly: {} of {}", sources.len(), sources.len());
    assert_eq!(recovered, ["hot_journal.db", "wal_database.db", "wal_hot.db"]);
}

/// Names, sizes, times and digests of everything in a directory.
fn state_of(directory: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime, String)> {
    let mut state: Vec<_> = fs::read_dir(directory)
        .expect("lists")
        .map(|entry| {
            let path = entry.expect("a name").path();
            let facts = path.metadata().expect("facts");
            let digest = fix7_ledger::digest::Digest::of(&fs::read(&path).expect("reads")).to_string();
            (path, facts.len(), facts.modified().expect("a time"), digest)
        })
        .collect();
    state.sort();
    state
}
