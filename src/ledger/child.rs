//! Running git as a child: for what only git can do (push, fetch, its own settings).
//!
//! Owns: the clean environment, the deadline and the bounded output of every child. Must not: use a
//! shell, or ask anybody anything.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use crate::verdict::Code;

/// Environment variables that a child may inherit, for the command line to pick. Everything that points
/// git at another repository, index, object directory or configuration is left out.
pub const INHERITED: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "https_proxy",
    "http_proxy",
    "NO_PROXY",
];
/// Set for every child: no prompts, no localised messages, no view of history but the stored one.
const FIXED: [(&str, &str); 7] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "true"),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GCM_INTERACTIVE", "never"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
];
/// Bytes kept of each of a child's outputs. Stops a remote that talks without end.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// How long an output may stay open after git has ended: a transport's background process may hold it for ever.
const LINGER: Duration = Duration::from_secs(2);
/// Time between two looks at a running child.
const POLL: Duration = Duration::from_millis(5);

/// What children run with, as the command line took it from its own environment.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Variables of [`INHERITED`] with their values; others are dropped.
    pub variables: Vec<(OsString, OsString)>,
}

/// What a child gave.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; `None` where a signal ended it.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs git in `directory` and waits up to `patience`.
pub(crate) fn git(
    directory: &Path,
    arguments: &[&str],
    surroundings: &Surroundings,
    patience: Duration,
) -> Result<Output> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory).env_clear().process_group(0);
    for (name, value) in &surroundings.variables {
        if INHERITED.iter().any(|known| name == known) {
            command.env(name, value);
        }
    }
    command.envs(FIXED).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |source| Error::Io { action: "run git in", path: directory.to_owned(), source };
    let mut child = command.spawn().map_err(failed)?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if started.elapsed() >= patience {
            // The whole group, so that a transport which hangs does not outlive git.
            let group = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
            let object = format!("git {}", arguments.first().unwrap_or(&""));
            return Err(Error::found(Code::TimedOut, object, format_args!("after {} s", patience.as_secs())));
        }
        std::thread::sleep(POLL);
    };
    Ok(Output { exit: status.code(), stdout: text_of(&stdout), stderr: text_of(&stderr) })
}

/// An output while it is read on a thread of its own.
struct Collected {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

/// Reads an output, keeps its beginning, and lets the rest go by.
fn collect(mut source: Option<impl Read + Send + 'static>) -> Collected {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (end, ended) = std::sync::mpsc::channel();
    let into = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut chunk = [0u8; 4096];
        while let Some(n) = source.as_mut().and_then(|s| s.read(&mut chunk).ok()).filter(|n| *n > 0) {
            let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..n.min(room)]);
        }
        let _ = end.send(());
    });
    Collected { kept, ended }
}

fn text_of(collected: &Collected) -> String {
    let _ = collected.ended.recv_timeout(LINGER);
    let kept = collected.kept.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        let path = std::env::var_os("PATH").expect("a PATH");
        Surroundings { variables: vec![("PATH".into(), path), ("GIT_DIR".into(), "/nowhere".into())] }
    }

    #[test]
    fn a_child_gets_only_what_is_listed() {
        let directory = tempfile::tempdir().expect("a directory");
        let alias = "alias.show-env=!env";
        let ran = git(directory.path(), &["-c", alias, "show-env"], &surroundings(), Duration::from_secs(60));
        let ran = ran.expect("runs");
        assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("GIT_TERMINAL_PROMPT=0"));
        assert!(!ran.stdout.contains("/nowhere"), "{}", ran.stdout);
    }

    #[test]
    fn a_child_that_hangs_is_ended_with_its_own_children() {
        let directory = tempfile::tempdir().expect("a directory");
        let hang = |patience| {
            git(directory.path(), &["-c", "alias.hang=!sleep 30", "hang"], &surroundings(), patience)
        };
        assert_eq!(hang(Duration::from_millis(50)).err().map(|e| e.code()), Some(Code::TimedOut));
    }
}
