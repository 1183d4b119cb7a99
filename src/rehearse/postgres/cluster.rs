//! An ephemeral cluster: made, started and stopped by the confined process, in the clone's directory.
//!
//! Owns: `initdb`, the server's settings, its life. Must not: listen on anything but a socket in the clone's
//! directory; leave a server behind (its process namespace ends with the confined process).
//!
//! ```text
//! clone/data      the data directory, 0700: what the byte digest of the stopped cluster is about
//! clone/socket    the only socket, 0700
//! clone/log       what the server said: never kept
//! clone/dump      a copy of the dump
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::Database;
use super::failure::outside;
use crate::rehearse::engine::Failure;

/// The cluster's own superuser: no script of the plan's ever runs as it.
pub(super) const SUPERUSER: &str = "postgres";
/// Who owns the clone and runs the plan's scripts: no superuser, nothing but an owner.
pub(super) const OWNER: &str = "clone_owner";
/// The database that is rehearsed on.
pub(super) const CLONE: &str = "clone";
/// The copy of the clone that a `down` is compared with.
pub(super) const BEFORE: &str = "clone_before";
/// The longest path of a unix socket, in bytes (`sun_path`), less the socket's own name.
const MAX_SOCKET_DIRECTORY: usize = 107 - "/.s.PGSQL.5432".len();
/// How long a server may take to start, or to stop, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait between two looks at a server that is starting or stopping.
const PAUSE: Duration = Duration::from_millis(4);

/// How the server is set. Every value stands in the evidence: durability is off, since a cluster that was interrupted
/// is thrown away and never recovered.
pub const SETTINGS: &[(&str, &str)] = &[
    ("archive_mode", "off"),
    ("autovacuum", "off"),
    ("dynamic_shared_memory_type", "mmap"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("jit", "off"),
    ("listen_addresses", ""),
    ("max_connections", "24"),
    ("max_logical_replication_workers", "0"),
    ("max_prepared_transactions", "0"),
    ("max_wal_senders", "0"),
    ("shared_buffers", "64MB"),
    ("synchronous_commit", "off"),
    ("timezone", "UTC"),
    ("unix_socket_permissions", "0700"),
    ("wal_level", "minimal"),
];

/// Where a cluster lies, and which programs it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The clone's directory.
    pub directory: PathBuf,
    /// The directory of PostgreSQL's programs.
    pub programs: PathBuf,
}

impl Place {
    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    /// One of the programs, with nothing of an environment but what they need.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .env_clear()
            .envs([("LC_ALL", "C"), ("TZ", "UTC"), ("PATH", "/usr/bin:/bin")])
            .env("TMPDIR", &self.directory)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command
    }

    /// The environment by which a client program finds the socket.
    pub(super) fn client(&self, name: &str, role: &str, database: &str) -> Command {
        let mut command = self.program(name);
        command.arg("--host").arg(self.socket()).args([
            "--username",
            role,
            "--dbname",
            database,
            "--no-password",
        ]);
        command
    }

    /// Connections to one database of the running cluster.
    pub(super) fn database(&self, role: &str, database: &str) -> Database {
        let mut config = postgres::Config::new();
        config.host_path(self.socket()).user(role).dbname(database).application_name("fix7-ledger");
        Database::new(config)
    }

    /// Makes the cluster.
    ///
    /// # Errors
    /// What `initdb` says.
    pub(super) fn initialise(&self) -> Result<(), Failure> {
        let length = self.socket().as_os_str().len();
        if length > MAX_SOCKET_DIRECTORY {
            return Err(outside(format!(
                "the scratch directory's path is too long for a unix socket: {length} bytes, at most {MAX_SOCKET_DIRECTORY} (set TMPDIR to a shorter one)"
            )));
        }
        let made = fs::DirBuilder::new().mode(0o700).create(self.socket());
        made.map_err(|e| outside(format!("the socket's directory cannot be made: {e}")))?;
        let mut command = self.program("initdb");
        command.arg("--pgdata").arg(self.data()).args([
            "--username",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--wal-segsize=1",
            "--no-sync",
            "--no-instructions",
        ]);
        run(command, "initdb").map(drop)
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn start(&self) -> Result<Running<'_>, Failure> {
        let log = File::create(self.directory.join("log"));
        let log = log.map_err(|e| outside(format!("the server's log cannot be made: {e}")))?;
        let again = log.try_clone().map_err(|e| outside(e.to_string()))?;
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.socket());
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let process = command.stdout(log).stderr(again).spawn();
        let process = process.map_err(|e| outside(format!("the server cannot be started: {e}")))?;
        let mut running = Running { place: self, process };
        running.wait_until_it_answers()?;
        Ok(running)
    }
}

/// A server that runs. Dropping it kills it.
pub(super) struct Running<'p> {
    place: &'p Place,
    process: Child,
}

impl Running<'_> {
    fn wait_until_it_answers(&mut self) -> Result<(), Failure> {
        let (since, database) = (Instant::now(), self.place.database(SUPERUSER, "postgres"));
        loop {
            if database.connect().is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(outside(format!(
                    "the server ended while it was starting ({status}): {}",
                    self.said()
                )));
            }
            if since.elapsed() > PATIENCE {
                return Err(outside("the server does not answer"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The last line of the log: of a server that did not start, so without data.
    fn said(&self) -> String {
        let text = fs::read_to_string(self.place.directory.join("log")).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// Stops it: clients are sent away, everything is written, the data directory is at rest.
    ///
    /// # Errors
    /// It does not stop, or not cleanly.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        let number = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let Some(pid) = number else { return Err(outside("the server has no process id")) };
        rustix::process::kill_process(pid, Signal::INT)
            .map_err(|e| outside(format!("the server cannot be stopped: {e}")))?;
        let since = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(outside(format!("the server did not stop cleanly ({status})")));
                }
                Ok(None) if since.elapsed() > PATIENCE => return Err(outside("the server does not stop")),
                Ok(None) => std::thread::sleep(PAUSE),
                Err(e) => return Err(outside(format!("the server is lost: {e}"))),
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Runs a program to its end. What it said is given in an error alone, its last line. It has one pipe: reading two at once
/// takes a system call that the filter refuses.
pub(super) fn run(mut command: Command, name: &str) -> Result<(), Failure> {
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|e: io::Error| outside(format!("{name} cannot be started: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said
        .lines()
        .find(|line| line.contains("error") || line.contains("ERROR"))
        .or_else(|| said.lines().last());
    Err(outside(format!("{name}: {}", line.unwrap_or("it failed and said nothing"))))
}

/// Whether a path is a directory of its own, for `PG_VERSION` of a physical copy.
pub fn is_data_directory(path: &Path) -> bool {
    path.join("PG_VERSION").is_file() || path.join("global/pg_control").is_file()
}
