//! Isolation that the kernel proves (DESIGN section 5).
//!
//! Owns: the run's scratch directory, the live listeners, the control child, the confined children and the
//! pipes to them. Must not: know what a leg is; requests and answers are any serde types.
//!
//! The confined child is this same executable, started again with the hidden verb [`child::VERB`]. It puts the
//! layers on itself while it has a single thread, and probes each layer alone before it puts on the next.
//! The parent believes none of it: it reads the child's state from `/proc`, counts what the listeners got, and
//! judges the proof with `evidence::isolation` before it sends the first request.
//!
//! ```text
//! parent ──Setup──► child: unshare, fork, own root, give up capabilities, Landlock, filter, probing on the way
//!        ◄─Started─                       (the process id, which the parent checks against /proc)
//!        ──Go─────►
//!        ◄─Confined─                      (every probe's errno)
//!        reads /proc/<pid>, judges        not proven: killed, IsolationError
//!        ──Ask────►
//!        ◄─Notice*, Answer─
//! ```
//!
//! Level 3: user, network, mount, pid and ipc namespaces, no capabilities, Landlock, filter. Level 2: the last three.
//! PostgreSQL needs programs, processes and unix sockets, which the filter then leaves to the namespaces to bound.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::evidence::EngineName;
use crate::evidence::isolation::{Layer, Level};
use crate::verdict::{Code, Reason};

pub mod child;
#[cfg(target_os = "linux")]
mod confine;
#[cfg(target_os = "linux")]
mod confined_child;
#[cfg(target_os = "linux")]
mod confinement;
#[cfg(target_os = "linux")]
mod control;
mod doctor;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod errno;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod observe;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod scratch;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod starter;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
pub use confined_child::ConfinedChild;
#[cfg(target_os = "linux")]
pub use confinement::{Confinement, Listening};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{ConfinedChild, Confinement};

pub use doctor::{LevelReport, reachable};

use crate::evidence::isolation::{IsolationProof, IsolationRun};

/// What the walls leave room for: an engine, and the host's directories that it runs from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// The engine.
    pub engine: EngineName,
    /// Directories that may be read and run from, never written: empty for SQLite.
    pub runtime: Vec<PathBuf>,
}

impl Walls {
    /// Room for SQLite, which is a part of this program: nothing else is run.
    pub fn sqlite() -> Walls {
        Walls { engine: EngineName::Sqlite, runtime: Vec::new() }
    }
}

/// Which level to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The strongest that this system gives.
    Best,
    /// This one and no other: a rerun must use the level of the original.
    Exactly(Level),
}

/// What is known when a confinement is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct IsolationClosing {
    /// The probes again, after the last leg; the counters over the whole time.
    pub proof: IsolationProof,
    /// What is particular to this machine and run.
    pub run: IsolationRun,
}

/// Why an isolation could not be established, or is not proven.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// This system cannot put on a layer.
    #[error("isolation level {level} is not available: {layer}: {step}: {errno}")]
    Unavailable {
        /// The level wanted.
        level: Level,
        /// The layer that fails.
        layer: Layer,
        /// What was tried.
        step: String,
        /// The errno's name, or the library's words.
        errno: String,
    },
    /// Not on this operating system.
    #[error("isolation is not available on this system: Linux is needed")]
    NotLinux,
    /// The layers are on, but something was not refused, or was refused for another reason, or a control failed.
    #[error("the isolation is not proven: {}", list(.0))]
    NotProven(Vec<Reason>),
    /// No level could be reached.
    #[error("no isolation level could be reached: level 3: {three}; level 2: {two}")]
    NoLevel {
        /// Why not level 3.
        three: Box<IsolationError>,
        /// Why not level 2.
        two: Box<IsolationError>,
    },
    /// A child died, broke off, or said something else than was asked.
    #[error("the {child} failed while {doing}: {what}{}", words(.stderr))]
    Child {
        /// `control child` or `confined child`.
        child: &'static str,
        /// What it was asked.
        doing: &'static str,
        /// What happened.
        what: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// A child did not answer within the time it was given, and was killed.
    #[error("the {child} did not answer within {milliseconds} ms while {doing}, and was stopped")]
    TimedOut {
        /// `control child` or `confined child`.
        child: &'static str,
        /// What it was asked.
        doing: &'static str,
        /// The time it had.
        milliseconds: u128,
    },
    /// The scratch directory or a listener could not be made or read.
    #[error("{what}: {error}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A request or an answer that does not fit through the pipe.
    #[error("a message of {found} bytes is over the limit of {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The value cannot be written or read as the type asked for.
    #[error("the confined child's message does not have the expected form: {0}")]
    Form(String),
}

impl IsolationError {
    /// The reasons to report: not proven is bad input, everything else could not be established.
    pub fn reasons(&self) -> Vec<Reason> {
        match self {
            IsolationError::NotProven(reasons) => reasons.clone(),
            IsolationError::TimedOut { .. } => vec![Reason::new(Code::TimedOut, "isolation").found(self)],
            _ => vec![Reason::new(Code::IsolationUnavailable, "isolation").found(self)],
        }
    }
}

/// At most this many reasons in an error's text; all of them are in [`IsolationError::reasons`].
const REASONS_IN_TEXT: usize = 4;

fn list(reasons: &[Reason]) -> String {
    let mut text = reasons.iter().take(REASONS_IN_TEXT).map(Reason::to_string).collect::<Vec<_>>().join("; ");
    if reasons.len() > REASONS_IN_TEXT {
        text.push_str(&format!("; and {} more", reasons.len() - REASONS_IN_TEXT));
    }
    text
}

fn words(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!(" (it said: {text})"),
    }
}
