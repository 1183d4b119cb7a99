//! Starting a child and proving its isolation, before anybody asks it anything.
//!
//! Owns: the conversation up to the proof, for the control child and for confined children. Must not: give out
//! a child whose proof has a fault.

use std::path::Path;
use std::time::{Duration, Instant};

use super::confined_child::ConfinedChild;
use super::listeners::Listeners;
use super::observe::{self, Observed};
use super::scratch::Scratch;
use super::session::Session;
use super::starter::Starter;
use super::wire::{Answer, Report, Role, Setup, ToChild, ToParent};
use super::{IsolationError, Walls};
use crate::digest::Digest;
use crate::evidence::isolation::{Control, IsolationProof, IsolationRun, Level, REACHED, table};
use crate::verdict::{Code, Reason};

/// Random bytes in a nonce: nobody can guess the listeners' names or the secret.
const NONCE_BYTES: usize = 16;

/// What every child of a run is started with.
pub(super) struct Ground<'a> {
    pub(super) starter: &'a Starter,
    pub(super) executable: &'a Path,
    pub(super) listeners: &'a Listeners,
    pub(super) scratch: &'a Scratch,
    pub(super) walls: &'a Walls,
    pub(super) reached: &'a [String],
    pub(super) filter: Digest,
    pub(super) step: Duration,
}

impl Ground<'_> {
    fn setup(&self, role: Role, nonce: String) -> Setup {
        Setup {
            role,
            walls: self.walls.clone(),
            parent: std::process::id(),
            scratch: self.scratch.path().to_owned(),
            executable: self.executable.to_owned(),
            targets: self.listeners.targets().clone(),
            nonce,
        }
    }

    pub(super) fn start_control(&self, nonce: &str) -> Result<Session, IsolationError> {
        let mut child = Session::start(
            self.starter,
            "control child",
            "control",
            self.executable,
            self.scratch.path(),
            self.step,
        )?;
        let setup = self.setup(Role::Control, nonce.to_owned());
        child.send(&ToChild::Setup(setup), "starting")?;
        match child.receive_step("starting", Instant::now())? {
            ToParent::Started { .. } => Ok(child),
            _ => Err(child.failed("starting", "it did not say that it started")),
        }
    }

    /// Starts a child, has it confined, and judges its proof: only then is it given out.
    pub(super) fn confine(
        &self,
        level: Level,
    ) -> Result<(ConfinedChild, IsolationProof, IsolationRun), IsolationError> {
        let clone = self.scratch.path().join("clone");
        let mut child =
            Session::start(self.starter, "confined child", "leg", self.executable, &clone, self.step)?;
        let setup = self.setup(Role::Confined(level), new_nonce()?);
        let doing = "being confined";
        let since = Instant::now();
        child.send(&ToChild::Setup(setup), doing)?;
        let unavailable = |layer, step, errno| Err(IsolationError::Unavailable { level, layer, step, errno });
        let pid = match child.receive_step(doing, since)? {
            ToParent::Started { pid } => pid,
            ToParent::Unavailable { layer, step, errno } => return unavailable(layer, step, errno),
            _ => return Err(child.failed(doing, "it did not say that it started")),
        };
        let own = match level {
            Level::Two => pid == child.pid(),
            Level::Three => observe::parent_of(pid)? == child.pid(),
        };
        if !own {
            return Err(child.failed(doing, &format!("process {pid} is not the child that was started")));
        }
        child.send(&ToChild::Go, doing)?;
        let report = match child.receive_step(doing, since)? {
            ToParent::Confined(report) => report,
            ToParent::Unavailable { layer, step, errno } => return unavailable(layer, step, errno),
            _ => return Err(child.failed(doing, "it did not say that it is confined")),
        };
        let observed = observe::observe(pid, level, &clone)?;
        let (proof, run) = self.put_together(level, &report, observed);
        match proof.faults(level) {
            faults if faults.is_empty() => Ok((ConfinedChild::new(child), proof, run)),
            faults => Err(IsolationError::NotProven(faults)),
        }
    }

    fn put_together(
        &self,
        level: Level,
        report: &Report,
        observed: Observed,
    ) -> (IsolationProof, IsolationRun) {
        let rows = table::required(self.walls.engine, level).map(|rule| {
            let probe = rule.probe();
            let answer = report.answers.iter().find(|answer| answer.probe == probe);
            let reached = match rule.control {
                Control::Before => answer.is_some_and(|answer| answer.before),
                _ => self.reached.iter().any(|attempt| attempt == rule.attempt),
            };
            rule.answered(reached, answer.map_or("not asked", |answer| &answer.outcome))
        });
        let counters = self.listeners.counters();
        let proof = IsolationProof {
            engine: self.walls.engine,
            level,
            layers: level.layers().to_vec(),
            probes: rows.collect(),
            kernel: observed.kernel,
            counters,
            contacts: table::contacts(self.walls.engine, level, &counters),
            filter: self.filter,
        };
        let system = rustix::system::uname();
        let run = IsolationRun {
            kernel: system.release().to_string_lossy().into_owned(),
            machine: system.machine().to_string_lossy().into_owned(),
            landlock_abi: report.landlock_abi,
            landlock_status: report.landlock_status.clone(),
            namespaces: observed.namespaces,
            uid_map: observed.uid_map,
            pids: observed.pids,
            parent_pid: std::process::id(),
            seccomp_filters: observed.seccomp_filters,
            interfaces: observed.interfaces,
            children: 1,
            not_reached: None,
        };
        (proof, run)
    }
}

/// Has the control make its attempts, and gives those that got through. The listeners must have seen them.
pub(super) fn control_attempts(
    control: &mut Session,
    listeners: &Listeners,
    nonce: &str,
) -> Result<Vec<String>, IsolationError> {
    let doing = "making the control's attempts";
    control.send(&ToChild::Attempt, doing)?;
    let answers: Vec<Answer> = match control.receive_step(doing, Instant::now())? {
        ToParent::Attempted(answers) => answers,
        _ => return Err(control.failed(doing, "it gave another answer")),
    };
    let mut reasons = listeners.take_control(nonce);
    for rule in table::PROBES.iter().filter(|rule| rule.control == Control::Outside) {
        let found = answers.iter().find(|answer| answer.probe == rule.attempt);
        let found = found.map_or("not asked", |answer| &answer.outcome);
        let object = format!("isolation/control/{}", rule.attempt);
        if found != REACHED && !reasons.iter().any(|reason| reason.object == object) {
            reasons.push(Reason::new(Code::IsolationNotProven, object).values(REACHED, found));
        }
    }
    match reasons.is_empty() {
        true => Ok(answers.into_iter().map(|answer| answer.probe).collect()),
        false => Err(IsolationError::NotProven(reasons)),
    }
}

pub(super) fn new_nonce() -> Result<String, IsolationError> {
    let mut bytes = [0u8; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| IsolationError::Io {
        what: "asking the system for random bytes".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
