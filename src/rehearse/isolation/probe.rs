//! The attempts behind the table of probes, the same code for the confined child and for the control.
//!
//! Owns: carrying out `evidence::isolation::table`, line by line. Must not: judge. An attempt that gets through
//! touches the run's own scratch directory and listeners alone, and takes back what it did there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use rustix::process::Pid;

use super::kernel::Call;
use super::namespaces::CANARY;
use super::wire::{Answer, Setup};
use super::{errno, kernel};
use crate::evidence::isolation::table::{self, Rule};
use crate::evidence::isolation::{Control, Layer, Level, REACHED};

/// Longest wait for a connection: a network that swallows packets must not hold up a rehearsal.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the probes of one level, layer by layer.
pub(super) struct Prober<'a> {
    level: Level,
    setup: &'a Setup,
    answers: Vec<Answer>,
    before: Vec<(String, bool)>,
}

impl<'a> Prober<'a> {
    pub(super) fn new(level: Level, setup: &'a Setup) -> Prober<'a> {
        Prober { level, setup, answers: Vec::new(), before: Vec::new() }
    }

    fn of(&self, layer: Layer) -> impl Iterator<Item = &'static Rule> + use<> {
        table::required(self.setup.walls.engine, self.level).filter(move |rule| rule.layer == layer)
    }

    /// Just before `layer` is put on: the attempts that must still get through.
    pub(super) fn before(&mut self, layer: Layer) {
        for rule in self.of(layer).filter(|rule| rule.control == Control::Before) {
            let reached = attempt(rule.attempt, self.setup).is_ok();
            self.before.push((rule.probe(), reached));
        }
    }

    /// Just after `layer` was put on.
    pub(super) fn ask(&mut self, layer: Layer) {
        for rule in self.of(layer) {
            let probe = rule.probe();
            let before = self.before.iter().any(|(name, reached)| *name == probe && *reached);
            let outcome = outcome(attempt(rule.attempt, self.setup));
            self.answers.push(Answer { probe, outcome, before });
        }
    }

    pub(super) fn finish(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}

/// Makes every attempt that has a control, without any layer.
pub(super) fn control(setup: &Setup) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for rule in table::PROBES.iter().filter(|rule| rule.control == Control::Outside) {
        // The same attempt stands in the table for several layers: one control serves them all.
        if !answers.iter().any(|answer| answer.probe == rule.attempt) {
            let outcome = outcome(attempt(rule.attempt, setup));
            answers.push(Answer { probe: rule.attempt.to_owned(), outcome, before: false });
        }
    }
    answers
}

fn outcome(result: io::Result<()>) -> String {
    result.map_or_else(|error| errno::of(&error), |()| REACHED.to_owned())
}

fn attempt(name: &str, setup: &Setup) -> io::Result<()> {
    let nonce = setup.nonce.as_bytes();
    let outside = setup.outside();
    let secret = outside.join("secret");
    let (mine, theirs) = (setup.made(&setup.clone_directory()), setup.made(&outside));
    let targets = &setup.targets;
    match name {
        "tcp-connect" => TcpStream::connect_timeout(&targets.tcp, CONNECT_TIMEOUT)?.write_all(nonce),
        "udp-send" => {
            UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?.send_to(nonce, targets.udp).map(drop)
        }
        "unix-path-connect" => UnixStream::connect(&targets.unix_path)?.write_all(nonce),
        "unix-abstract-connect" => {
            let address = SocketAddr::from_abstract_name(targets.unix_abstract.as_bytes())?;
            UnixStream::connect_addr(&address)?.write_all(nonce)
        }
        "read-secret" => fs::read(secret).map(drop),
        // A file of the system that is there and readable on every machine.
        "read-proc" => fs::read("/proc/self/status").map(drop),
        "read-canary" => fs::read(CANARY).map(drop),
        "list-outside" => fs::read_dir(outside).map(drop),
        "list-root" => fs::read_dir("/").map(drop),
        "write-outside" => made(&theirs, |path| fs::write(path, nonce)),
        "write-root" => made(&setup.made(Path::new("/")), |path| fs::write(path, nonce)),
        "overwrite-outside" => OpenOptions::new().write(true).open(secret).map(drop),
        "write-system" => made(&setup.made(Path::new("/usr")), |path| fs::write(path, nonce)),
        // The file is one that the system would run, were it not for the place where it lies.
        "execute-written" => made(&mine, |path| {
            fs::write(path, "#!/bin/sh\n")?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
            Err(Command::new(path).exec())
        }),
        "make-directory-outside" => fs::create_dir(&theirs).and_then(|()| fs::remove_dir(&theirs)),
        "remove-outside" => {
            let victim = outside.join("victim");
            fs::remove_file(&victim).and_then(|()| fs::write(&victim, ""))
        }
        "rename-out" => {
            made(&mine, |mine| fs::write(mine, "").and_then(|()| made(&theirs, |to| fs::rename(mine, to))))
        }
        "symlink" => made(&if_confined(setup, mine, theirs), |path| symlink("/etc/passwd", path)),
        "hard-link" => made(&if_confined(setup, mine, theirs), |path| fs::hard_link(&secret, path)),
        "change-mode" => fs::set_permissions(secret, fs::Permissions::from_mode(0o600)),
        "change-owner" => {
            let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
            chown(secret, Some(uid.as_raw()), Some(gid.as_raw()))
        }
        "change-times" => {
            let moment = Timespec { tv_sec: 0, tv_nsec: 0 };
            let times = Timestamps { last_access: moment, last_modification: moment };
            Ok(rustix::fs::utimensat(CWD, secret, &times, AtFlags::empty())?)
        }
        // In a mount namespace of the child's own, at level 3 alone: makes private what is private.
        "change-mounts" => kernel::mount(None, Path::new("/"), None, libc::MS_PRIVATE, None),
        // Signal 0: only asks whether the process could be sent one.
        "signal-outside" => match i32::try_from(setup.parent).ok().and_then(Pid::from_raw) {
            Some(pid) => Ok(rustix::process::test_kill_process(pid)?),
            None => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        },
        "execute" | "execute-outside" => Err(Command::new(&setup.executable).arg("--version").exec()),
        "process-create" => Command::new(&setup.executable)
            .arg("--version")
            .spawn()
            .and_then(|mut child| child.wait())
            .map(drop),
        bare => match Call::of(bare, setup.parent) {
            Some(call) => call.ask(),
            None => Err(io::Error::from(io::ErrorKind::Unsupported)),
        },
    }
}

/// Makes something at `path`, and takes it away again.
fn made(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let result = make(path);
    match fs::remove_file(path) {
        Err(error) if result.is_ok() && error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => result,
    }
}

/// A confined child would make a link inside that leads out; the control makes one outside.
fn if_confined(setup: &Setup, mine: PathBuf, theirs: PathBuf) -> PathBuf {
    match setup.role {
        super::wire::Role::Confined(_) => mine,
        super::wire::Role::Control => theirs,
    }
}
