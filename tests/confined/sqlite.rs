//! SQLite at work inside: everything that a rehearsal needs of it.

use std::path::Path;
use std::time::Duration;

use fix7_ledger::evidence::isolation::Level;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{establish, nothing_left};
use crate::{Test, scratch};

pub(crate) const TESTS: &[Test] = &[("sqlite_works_inside", sqlite_works_inside)];

const ROWS: i64 = 60_000;

/// In the child: rollback journal and WAL, checkpoints, sorting on disk, VACUUM, a backup, threads, mapped memory.
pub(crate) fn work(directory: &str) -> Value {
    json!(in_database(Path::new(directory)).map_err(|error| error.to_string()))
}

fn in_database(directory: &Path) -> Result<Vec<i64>, rusqlite::Error> {
    let path = directory.join("orders.db");
    let mut seen = Vec::new();
    let number =
        |connection: &Connection, sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut connection = Connection::open(&path)?;
    for mode in ["delete", "truncate", "persist", "wal"] {
        connection.pragma_update(None, "journal_mode", mode)?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v TEXT, w BLOB)")?;
        let transaction = connection.transaction()?;
        transaction.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT OR REPLACE INTO t SELECT i, printf('%08d', (i * 7919) % 1000003), randomblob(40) FROM n",
            [ROWS],
        )?;
        transaction.commit()?;
        seen.push(number(&connection, "SELECT count(*) FROM t")?);
    }
    connection.pragma_update(None, "mmap_size", 1 << 28)?;
    // Sorted on disk: more than the cache, in a file.
    connection.execute_batch(
        "PRAGMA temp_store = FILE; PRAGMA cache_size = 20; PRAGMA cache_spill = 1;
         CREATE TEMP TABLE sorted AS SELECT v, w FROM t ORDER BY w, v;
         CREATE INDEX i ON t(v);",
    )?;
    seen.push(number(&connection, "SELECT count(DISTINCT v) FROM (SELECT v FROM t ORDER BY w)")?);
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?;
    // Readers beside a writer, each a thread with a connection of its own.
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                let connection = Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(20))?;
                number_of(&connection)
            })
        })
        .collect();
    connection.busy_timeout(Duration::from_secs(20))?;
    connection.execute("DELETE FROM t WHERE k > ?1", [ROWS])?;
    for reader in readers {
        seen.push(reader.join().map_err(|_| rusqlite::Error::InvalidQuery)??);
    }
    connection.execute_batch("VACUUM")?;
    let copy = directory.join("copy.db");
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    let mut backup = Connection::open_in_memory()?;
    rusqlite::backup::Backup::new(&connection, &mut backup)?.run_to_completion(1000, Duration::ZERO, None)?;
    seen.push(number_of(&backup)?);
    seen.push(number_of(&Connection::open(copy)?)?);
    let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    seen.push(i64::from(whole == "ok"));
    // Time zones are the same everywhere: none is read from the machine.
    seen.push(number(
        &connection,
        "SELECT datetime(0, 'unixepoch') = datetime(0, 'unixepoch', 'localtime')",
    )?);
    Ok(seen)
}

fn number_of(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
}

fn sqlite_works_inside() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish(scratch.path(), level);
        let mut child = confinement.spawn().expect("a child");
        let question = json!({"do": "sqlite", "path": confinement.clone_directory()});
        let answer: Value = child.ask(&question, Some(Duration::from_secs(120))).expect("an answer");
        let distinct =
            (1..=ROWS).map(|i| (i * 7919) % 1_000_003).collect::<std::collections::BTreeSet<_>>().len();
        let mut expected = vec![ROWS; 4];
        expected.push(distinct as i64);
        expected.extend([ROWS; 5]);
        expected.extend([1, 1]);
        assert_eq!(answer, json!({ "Ok": expected }), "level {level}");
        child.finish().expect("it ends");
        confinement.close().expect("nobody came");
    }
    nothing_left(scratch.path());
}
