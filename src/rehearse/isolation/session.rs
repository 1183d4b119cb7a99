//! One child and the pipes to it. Whatever it does, the parent gets an answer or an error in time.
//!
//! Owns: starting with a clean environment, sending, receiving with a deadline, ending. Must not: know what is said.
//!
//! Three threads serve the pipes, so that neither a child that does not read nor one that does not write can hold
//! up the parent. Dropping a session kills the child with everything that it started.

use std::io::{BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::IsolationError;
use super::child::VERB;
use super::starter::Starter;
use super::wire::{self, ToChild, ToParent};

/// Time for whatever is no question (starting, probing, ending) where nobody said otherwise. A loaded machine
/// needs a fraction of it.
pub(super) const STEP: Duration = Duration::from_secs(20);
/// How long a child that closed its output may take to end by itself, so that the error can say how.
const LAST_BREATH: Duration = Duration::from_millis(200);
/// Exit codes above this one stand for a signal.
pub(super) const SIGNALLED: i32 = 128;
/// Messages that wait for the parent at most: a child that floods it is stopped by its own pipe.
const MAX_WAITING: usize = 16;
/// Bytes of standard error kept for the error message.
const MAX_STDERR: usize = 4096;

/// A running child.
pub(super) struct Session {
    name: &'static str,
    step: Duration,
    process: Child,
    to_child: Option<Sender<Vec<u8>>>,
    lines: Option<Receiver<Result<Vec<u8>, String>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Session {
    /// Starts `executable` as a child named `name`, in `directory`, as `kind`.
    pub(super) fn start(
        starter: &Starter,
        name: &'static str,
        kind: &'static str,
        executable: &Path,
        directory: &Path,
        step: Duration,
    ) -> Result<Session, IsolationError> {
        let mut command = Command::new(executable);
        command
            .args([VERB, kind])
            .env_clear()
            .envs([("LC_ALL", "C"), ("TZ", "UTC0"), ("RUST_BACKTRACE", "0")])
            .env("SQLITE_TMPDIR", directory)
            .env("TMPDIR", directory)
            .current_dir(directory)
            .process_group(0) // a Ctrl-C is for the parent: it ends the children itself
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = starter.start(command).map_err(|error| IsolationError::Io {
            what: format!("starting {}", executable.display()),
            error,
        })?;
        let (to_child, outgoing) = channel::<Vec<u8>>();
        let (incoming, lines) = sync_channel(MAX_WAITING);
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let mut threads = Vec::new();
        if let Some(mut pipe) = process.stdin.take() {
            threads.push(std::thread::spawn(move || {
                // Ends when the sender is dropped (the pipe is closed then) or when the child is gone.
                while let Ok(bytes) = outgoing.recv() {
                    if pipe.write_all(&bytes).is_err() {
                        break;
                    }
                }
            }));
        }
        if let Some(pipe) = process.stdout.take() {
            threads.push(std::thread::spawn(move || read_lines(pipe, &incoming)));
        }
        if let Some(pipe) = process.stderr.take() {
            let kept = Arc::clone(&stderr);
            threads.push(std::thread::spawn(move || keep_end(pipe, &kept)));
        }
        Ok(Session { name, step, process, to_child: Some(to_child), lines: Some(lines), stderr, threads })
    }

    /// The process that was started.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn send(&mut self, message: &ToChild, doing: &'static str) -> Result<(), IsolationError> {
        let line = wire::line(message).map_err(|e| IsolationError::Form(e.to_string()))?;
        if line.len() > wire::MAX_LINE {
            return Err(IsolationError::TooLong { found: line.len(), limit: wire::MAX_LINE });
        }
        match self.to_child.as_ref().map(|pipe| pipe.send(line)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failed(doing, "it does not listen any more")),
        }
    }

    /// The next message of a step that is no question.
    pub(super) fn receive_step(
        &mut self,
        doing: &'static str,
        since: Instant,
    ) -> Result<ToParent, IsolationError> {
        self.receive(doing, since, Some(self.step))
    }

    /// The next message. After an error the child is dead.
    pub(super) fn receive(
        &mut self,
        doing: &'static str,
        since: Instant,
        timeout: Option<Duration>,
    ) -> Result<ToParent, IsolationError> {
        let Some(lines) = &self.lines else {
            return Err(self.failed(doing, "it was stopped before"));
        };
        let next = match timeout {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => lines.recv_timeout(timeout.saturating_sub(since.elapsed())),
        };
        match next {
            Ok(Ok(line)) => serde_json::from_slice(&line).map_err(|e| {
                let found: String = String::from_utf8_lossy(&line).chars().take(60).collect();
                self.failed(doing, &format!("no message: {e}: {}", found.escape_default()))
            }),
            Ok(Err(what)) => Err(self.failed(doing, &what)),
            Err(RecvTimeoutError::Disconnected) => {
                let what = self.ended();
                Err(self.failed(doing, &what))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let milliseconds = timeout.unwrap_or_default().as_millis();
                Err(IsolationError::TimedOut { child: self.name, doing, milliseconds })
            }
        }
    }

    /// Kills the child, and makes the error that tells why.
    pub(super) fn failed(&mut self, doing: &'static str, what: &str) -> IsolationError {
        self.kill();
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        IsolationError::Child { child: self.name, doing, what: what.to_owned(), stderr }
    }

    /// Closes the pipe to the child: it ends when it has done what it was asked.
    pub(super) fn close_input(&mut self) {
        self.to_child = None;
    }

    /// How the child ended. It closed its output, so that it is ending by itself or is killed now.
    fn ended(&mut self) -> String {
        let begun = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return format!("it ended ({})", ending(status)),
                Ok(None) if begun.elapsed() < LAST_BREATH => std::thread::sleep(Duration::from_millis(1)),
                _ => return "it ended".to_owned(),
            }
        }
    }

    /// Kills the child with everything that it started, and waits until it is gone.
    pub(super) fn kill(&mut self) {
        if self.lines.take().is_none() && self.threads.is_empty() {
            return;
        }
        self.to_child = None;
        // Not waited for yet, so the number is still this child's, and its group's.
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A status in words. At level 3 the process that stayed behind repeats a signal as shells do.
fn ending(status: ExitStatus) -> String {
    match status.signal().or(status.code().and_then(|code| code.checked_sub(SIGNALLED)).filter(|n| *n > 0)) {
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}

fn read_lines(pipe: impl Read, incoming: &SyncSender<Result<Vec<u8>, String>>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let line = match wire::read_line(&mut pipe) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => return,
            Err(error) => Err(error.to_string()),
        };
        let last = line.is_err();
        if incoming.send(line).is_err() || last {
            return;
        }
    }
}

fn keep_end(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0u8; MAX_STDERR];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..length]);
        let surplus = kept.len().saturating_sub(MAX_STDERR);
        kept.drain(..surplus);
    }
}
