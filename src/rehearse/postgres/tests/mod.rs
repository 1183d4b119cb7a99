//! A real server for the tests of this module: one for all of them, on a socket in a directory of its own.

mod pairs;
mod property;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::Client;

use super::Database;
use super::difference;
use super::rows::{self, State};
use crate::evidence::difference::Differences;

/// Where the system keeps the server's programs: the newest of Debian's or Fedora's versions, or the search path.
fn programs() -> String {
    let found = Command::new("sh")
        .args(["-c", "ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -V | tail -1; command -v initdb"])
        .output()
        .expect("a shell");
    let text = String::from_utf8(found.stdout).expect("UTF-8");
    let first = text.lines().next().expect("PostgreSQL's server programs: `./test` installs them");
    first.trim_end_matches("/initdb").to_owned()
}

struct Server {
    directory: PathBuf,
}

/// The server ends with this process: a shell that waits for the end of our pipe stops it and removes its files.
#[allow(clippy::zombie_processes)] // it outlives this process on purpose
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let directory = tempfile::Builder::new().prefix("f7pg").tempdir_in("/tmp").expect("a directory").keep();
        let (place, programs) = (directory.display(), programs());
        // initdb refuses root: then the server runs as nobody.
        let user = if rustix::process::geteuid().is_root() { "setpriv --reuid=nobody --regid=nogroup --clear-groups" } else { "" };
        if !user.is_empty() {
            let given = Command::new("chown").arg("nobody:nogroup").arg(&directory).status();
            assert!(given.expect("chown runs").success());
        }
        let script = format!(
            "cd {place} && {user} {programs}/initdb -D {place}/data -U postgres -A trust --locale=C.UTF-8 -E UTF8 -N >log 2>&1 \
             && {user} {programs}/pg_ctl -D {place}/data -w -l {place}/data/log -o \"-c listen_addresses='' -c unix_socket_directories={place} \
                -c fsync=off -c autovacuum=off -c max_connections=60 -c max_locks_per_transaction=512\" start >>log 2>&1 && echo ready; cat >/dev/null; \
             {user} {programs}/pg_ctl -D {place}/data -m immediate stop >/dev/null 2>&1; rm -rf {place}"
        );
        let mut keeper = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let out = keeper.stdout.take().expect("a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("the shell answers");
        assert_eq!(line, "ready\n", "PostgreSQL does not start: see {place}/log");
        std::mem::forget(keeper.stdin.take());
        Server { directory }
    })
}

fn database(name: &str) -> Database {
    let mut config = postgres::Config::new();
    config.host_path(&server().directory).user("postgres").dbname(name);
    Database::new(config)
}

fn admin(sql: &str) {
    // CREATE DATABASE copies template1, which nobody may use meanwhile.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    database("postgres").connect().expect("a connection").batch_execute(sql).expect(sql);
}

/// A new, empty database, and its name.
fn fresh() -> (String, Database) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("t{}", COUNT.fetch_add(1, Relaxed));
    admin(&format!("CREATE DATABASE {name} TEMPLATE template0"));
    let database = database(&name);
    (name, database)
}

/// A copy of a database that nobody is connected to.
fn twin(name: &str) -> (String, Database) {
    let copy = format!("{name}_twin");
    admin(&format!("CREATE DATABASE {copy} TEMPLATE {name}"));
    let database = database(&copy);
    (copy, database)
}

fn drop_databases(names: &[&str]) {
    names.iter().for_each(|name| admin(&format!("DROP DATABASE {name}")));
}

fn connect(database: &Database) -> Client {
    database.connect().expect("a connection")
}

fn run(database: &Database, sql: &str) {
    connect(database).batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

fn spill() -> PathBuf {
    std::env::temp_dir()
}

fn state(database: &Database) -> State {
    rows::of_database(database, 2, &spill(), &|_| {}).expect("a readable database")
}

/// Both states, and what differs. Digests that are known must change nothing but the time.
fn between(before: &Database, after: &Database) -> (State, State, Differences) {
    let (a, b) = (state(before), state(after));
    let found = difference::between(before, after, Some((&a, &b)), 100).expect("comparable");
    let whole = difference::between(before, after, None, 100).expect("comparable");
    assert_eq!(found, whole);
    (a, b, found)
}

/// The schema as `pg_dump` tells it: the second opinion.
fn dumped(name: &str) -> String {
    let out = Command::new(Path::new(&programs()).join("pg_dump"))
        .args(["--schema-only", "--restrict-key=fix7", "-U", "postgres", "-h"])
        .arg(&server().directory)
        .arg(name)
        .output()
        .expect("pg_dump runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}
