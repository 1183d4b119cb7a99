//! The parent's side: one run's confinement, from the first probe to the last.
//!
//! Owns: the order of control, opening probes, children, closing probes. Must not: send a child anything before
//! its proof held.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::confined_child::{ConfinedChild, finish};
use super::filter::Filter;
use super::ground::{Ground, control_attempts, new_nonce};
use super::listeners::Listeners;
use super::scratch::Scratch;
use super::session::{STEP, Session};
use super::starter::Starter;
use super::wire::ToChild;
use super::{IsolationClosing, IsolationError, Walls, Wanted};
use crate::digest::Digest;
use crate::evidence::isolation::{IsolationProof, IsolationRun, Layer, Level};
use crate::verdict::{Code, Reason};

/// One run's confinement: its directory, its listeners, its level.
/// Children end with it, if they have not ended before.
pub struct Confinement {
    // Dropped in this order: children die with the thread that started them, then their directory is removed, and
    // the control child, which would remove it too, ends last.
    starter: Starter,
    scratch: Scratch,
    executable: PathBuf,
    level: Level,
    nonce: String,
    walls: Walls,
    filter: Digest,
    /// Behind a lock only so that threads may share the confinement: it is used at the beginning and the end.
    control: Mutex<Session>,
    reached: Vec<String>,
    listeners: Listeners,
    opening: IsolationProof,
    run: IsolationRun,
    children: AtomicU32,
    clone: PathBuf,
    step: Duration,
}

/// Where the listeners of a confinement wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// TCP, on the loopback.
    pub tcp: std::net::SocketAddr,
    /// UDP, on the loopback.
    pub udp: std::net::SocketAddr,
    /// A unix socket's path.
    pub unix_path: PathBuf,
    /// An abstract unix socket's name.
    pub unix_abstract: String,
}

impl Confinement {
    /// Opens the listeners, runs the control child, finds the level, and probes it in a confined child.
    ///
    /// `executable` is this program, whose `main` calls [`super::child::serve`] on [`super::child::VERB`].
    ///
    /// # Errors
    /// [`IsolationError::NotProven`] where something was not refused as it must be; otherwise the level is not
    /// available here, or something could not be done at all. Nothing is left behind.
    pub fn establish(
        executable: &Path,
        scratch_parent: &Path,
        wanted: Wanted,
    ) -> Result<Confinement, IsolationError> {
        Confinement::establish_within(executable, scratch_parent, wanted, STEP)
    }

    /// As [`Confinement::establish`], with `step` as the time that a child has for starting, probing or ending.
    ///
    /// # Errors
    /// As [`Confinement::establish`].
    pub fn establish_within(
        executable: &Path,
        scratch_parent: &Path,
        wanted: Wanted,
        step: Duration,
    ) -> Result<Confinement, IsolationError> {
        Confinement::establish_walls(executable, scratch_parent, wanted, Walls::sqlite(), step)
    }

    /// As [`Confinement::establish`], with room for the engine that `walls` names.
    ///
    /// # Errors
    /// As [`Confinement::establish`].
    pub fn establish_for(
        executable: &Path,
        scratch_parent: &Path,
        wanted: Wanted,
        walls: Walls,
    ) -> Result<Confinement, IsolationError> {
        Confinement::establish_walls(executable, scratch_parent, wanted, walls, STEP)
    }

    fn establish_walls(
        executable: &Path,
        scratch_parent: &Path,
        wanted: Wanted,
        walls: Walls,
        step: Duration,
    ) -> Result<Confinement, IsolationError> {
        let nonce = new_nonce()?;
        let scratch = Scratch::new(scratch_parent, &nonce)?;
        let clone = scratch.path().join("clone");
        let listeners = Listeners::open(&scratch.path().join("outside"), &nonce)?;
        let filter = Filter::compile(walls.engine).map(|filter| filter.digest()).map_err(|errno| {
            let (level, layer) = (Level::Two, Layer::Seccomp);
            IsolationError::Unavailable { level, layer, step: "compiling the filter".to_owned(), errno }
        })?;
        let starter = Starter::new().map_err(|error| {
            let what = "starting a thread".to_owned();
            IsolationError::Io { what, error }
        })?;
        let mut ground = Ground {
            starter: &starter,
            executable,
            listeners: &listeners,
            scratch: &scratch,
            walls: &walls,
            reached: &[],
            filter,
            step,
        };
        let mut control = ground.start_control(&nonce)?;
        let reached = control_attempts(&mut control, &listeners, &nonce)?;
        ground.reached = &reached;
        let attempt = |level| {
            let (child, proof, run) = ground.confine(level)?;
            child.finish().map(|()| (proof, run))
        };
        let (opening, run) = match wanted {
            Wanted::Exactly(level) => attempt(level)?,
            Wanted::Best => match attempt(Level::Three) {
                Ok(reached) => reached,
                // A contact is never explained away by trying something else.
                Err(three) if listeners.counters().total() > 0 => return Err(three),
                Err(three) => match attempt(Level::Two) {
                    Ok((proof, run)) => (proof, IsolationRun { not_reached: Some(three.to_string()), ..run }),
                    Err(two) => {
                        return Err(IsolationError::NoLevel { three: Box::new(three), two: Box::new(two) });
                    }
                },
            },
        };
        let (executable, level) = (executable.to_owned(), opening.level);
        let children = AtomicU32::new(run.children);
        Ok(Confinement {
            executable,
            level,
            nonce,
            walls,
            filter,
            control: Mutex::new(control),
            reached,
            listeners,
            opening,
            run,
            children,
            clone,
            scratch,
            starter,
            step,
        })
    }

    /// The only place that a confined child can touch; at the same path inside and outside.
    pub fn clone_directory(&self) -> &Path {
        &self.clone
    }

    /// The level reached.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The proof, as it was before the first leg.
    pub fn opening(&self) -> &IsolationProof {
        &self.opening
    }

    /// Where the listeners wait: whoever contacts them makes the isolation unproven.
    pub fn listening(&self) -> Listening {
        let targets = self.listeners.targets();
        Listening {
            tcp: targets.tcp,
            udp: targets.udp,
            unix_path: targets.unix_path.clone(),
            unix_abstract: targets.unix_abstract.clone(),
        }
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            starter: &self.starter,
            executable: &self.executable,
            listeners: &self.listeners,
            scratch: &self.scratch,
            walls: &self.walls,
            reached: &self.reached,
            filter: self.filter,
            step: self.step,
        }
    }

    /// Starts a confined child that answers requests. It has answered every probe before this returns.
    ///
    /// # Errors
    /// As [`Confinement::establish`].
    pub fn spawn(&self) -> Result<ConfinedChild, IsolationError> {
        let (child, _, _) = self.ground().confine(self.level)?;
        self.children.fetch_add(1, Ordering::Relaxed);
        Ok(child)
    }

    /// Probes again, with the control after it: the listeners were live to the end, and nobody came.
    ///
    /// # Errors
    /// As [`Confinement::establish`]. Nothing is left behind.
    pub fn close(self) -> Result<IsolationClosing, IsolationError> {
        let (child, proof, run) = self.ground().confine(self.level)?;
        child.finish()?;
        let children = self.children.load(Ordering::Relaxed).saturating_add(1);
        let late = self.listeners.counters();
        if late.total() > 0 {
            let late = IsolationProof { counters: late, ..proof };
            return Err(IsolationError::NotProven(late.faults(self.level)));
        }
        let mut control = self.control.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reached = control_attempts(&mut control, &self.listeners, &self.nonce)?;
        if reached != self.reached {
            let reason = Reason::new(Code::IsolationNotProven, "isolation/control");
            let reason = reason.values(self.reached.join(" "), reached.join(" "));
            return Err(IsolationError::NotProven(vec![reason]));
        }
        self.scratch.remove()?;
        finish(control, Some(ToChild::Finish))?;
        let run = IsolationRun { children, not_reached: self.run.not_reached, ..run };
        Ok(IsolationClosing { proof, run })
    }
}
