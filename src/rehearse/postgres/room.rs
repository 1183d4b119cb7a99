//! The room: where the cluster lies, who is asked about it, and the snapshot that is put back.
//!
//! Owns: one fresh confined process per question. Must not: start a server; that is for the confined process alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{Answer, Question, What};
use super::cluster::Place;
use super::files;
use super::look::State;
use crate::digest::Digest;
use crate::rehearse::RehearseError;
use crate::rehearse::child::{self, Checked};
use crate::rehearse::isolation::Confinement;
use crate::rehearse::legs::{is_writable, unexpected};
use crate::rehearse::run::{Event, reading};
use crate::verdict::Code;

/// What a confined process may take beyond its scripts' limit: starting and stopping a server, restoring, reading.
const GRACE: Duration = Duration::from_secs(180);
/// Bytes of a dump that are restored in a second on the slowest machine that counts.
const BYTES_A_SECOND: u64 = 1 << 18;

/// The cluster's place, and the walls around it.
pub(super) struct Room<'c> {
    pub(super) confinement: &'c Confinement,
    pub(super) place: Place,
    /// Where the snapshot lies: out of the confined process's reach.
    pub(super) kept: PathBuf,
    /// Bytes of the dump.
    pub(super) size: u64,
    /// Who hears how far a confined process has come.
    pub(super) tell: &'c dyn Fn(Event),
}

impl Room<'_> {
    /// Asks a fresh confined process.
    pub(super) fn ask(&self, what: What) -> Result<Answer, RehearseError> {
        let scripts = match &what {
            What::Inside(run) | What::Commit(run) | What::Moment { up: run, .. } => run.limit_ms,
            What::Down { up, down, .. } => up.limit_ms.saturating_add(down.limit_ms),
            _ => 0,
        };
        let reading = Duration::from_secs(self.size / BYTES_A_SECOND);
        let patience = GRACE + reading + Duration::from_millis(scripts);
        let question = child::Question::Postgres(Question { place: self.place.clone(), what });
        match self.put(&question, patience)? {
            child::Answer::Postgres(answer) => match *answer {
                Answer::Unreadable(failure) => Err(RehearseError::of_failure("the cluster", &failure)),
                answer => Ok(answer),
            },
            other => Err(unexpected(other)),
        }
    }

    fn put(&self, question: &child::Question, patience: Duration) -> Result<child::Answer, RehearseError> {
        let mut child = self.confinement.spawn()?;
        let answer =
            child.ask_and_hear(question, Some(patience), &mut |notice| reading(notice, self.tell))?;
        child.finish()?;
        Ok(answer)
    }

    /// Tries whether a confined process could change the executable.
    pub(super) fn writable(&self, executable: &Path) -> Result<bool, RehearseError> {
        let question = child::Question::Writable { executable: executable.to_owned() };
        is_writable(self.put(&question, GRACE)?)
    }

    pub(super) fn look(&self) -> Result<State, RehearseError> {
        match self.ask(What::Look)? {
            Answer::State(state) => Ok(state),
            _ => Err(another()),
        }
    }

    pub(super) fn check(&self) -> Result<Checked, RehearseError> {
        match self.ask(What::Check)? {
            Answer::Checked(checked) => Ok(checked),
            _ => Err(another()),
        }
    }

    /// The names in the clone's directory, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, RehearseError> {
        let directory = &self.place.directory;
        let failed = |e: std::io::Error| RehearseError::file(directory, "cannot be listed", &e);
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn snapshot(&self) -> PathBuf {
        self.kept.join("data")
    }

    /// Copies the stopped cluster away, and gives its manifest.
    pub(super) fn take_snapshot(&self) -> Result<Digest, RehearseError> {
        files::copy(&self.place.data(), &self.snapshot())?;
        let taken = files::manifest(&self.snapshot())?;
        let found = files::manifest(&self.place.data())?;
        match taken == found {
            true => Ok(taken),
            false => {
                Err(RehearseError::refused(Code::Unreadable, "the snapshot", "it is not what was copied"))
            }
        }
    }

    /// Puts the snapshot back, and gives the manifest of what was put back.
    pub(super) fn restore(&self) -> Result<Digest, RehearseError> {
        let taken = files::manifest(&self.snapshot())?;
        files::remove(&self.place.data())?;
        files::copy(&self.snapshot(), &self.place.data())?;
        Ok(taken)
    }
}

pub(super) fn another() -> RehearseError {
    RehearseError::refused(Code::Unreadable, "the confined process", "it gave the answer to another question")
}
