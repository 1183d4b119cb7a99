//! The rehearsal: from a request to its facts.
//!
//! Owns: the order of everything (refuse, confine, clone, lock, legs, source again, isolation again) and
//! what is volatile. Must not: judge. No clock is read but the monotonic one, for durations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::RehearseError;
use super::child::{Answer, Question};
use super::clone::{self, Clone};
use super::isolation::{Confinement, IsolationError, Wanted};
use super::legs::{self, Executor, Legs};
use super::progress;
use super::room::{Asks, Room, kept_beside};
use super::rows::Progress;
use super::source::Source;
use crate::canon;
use crate::digest::Digest;
use crate::evidence::entry::{Algorithms, ROLLBACK_SCHEMA};
use crate::evidence::execution::EXECUTION_SCHEMA;
use crate::evidence::isolation::{IsolationProof, Level};
use crate::evidence::lock::{Engine, LOCK_SCHEMA, PACKET_FORMAT, SourceFacts};
use crate::evidence::{EngineName, ExecutionEvidence, Facts, Leg, Plan, RollbackEvidence, TargetLock};

/// What is rehearsed, and with what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The database, as given.
    pub source: PathBuf,
    /// The change and its rollback.
    pub plan: Plan,
    /// Digest of the policy document.
    pub policy: Digest,
    /// The executable that confined processes are started from.
    pub executable: PathBuf,
    /// Where the run's scratch directory is made.
    pub scratch: PathBuf,
    /// Readers for the row digests.
    pub threads: usize,
    /// The level asked for.
    pub wanted: Wanted,
    /// The lowest level that the policy accepts.
    pub minimum: Level,
}

/// What a rehearsal gives.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The facts: a function of source, plan, policy and executable alone.
    pub facts: Facts,
    /// What differs from run to run and from machine to machine; it stands in the statement, under `run`.
    pub run: BTreeMap<String, Value>,
    /// Where the time went, in order.
    pub timings: Vec<(Part, Duration)>,
}

/// A part of a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The executable's digest, the walls, the probes.
    Isolation,
    /// The copy, brought to rest and digested.
    Clone,
    /// One leg.
    Leg(Leg),
    /// The source and the isolation looked at again.
    Closing,
}

impl Part {
    /// Every part, in order.
    pub const ALL: [Part; 9] = [
        Part::Isolation,
        Part::Clone,
        Part::Leg(Leg::ReadOnly),
        Part::Leg(Leg::Transaction),
        Part::Leg(Leg::Snapshot),
        Part::Leg(Leg::Down),
        Part::Leg(Leg::Reapply),
        Part::Leg(Leg::Executor),
        Part::Closing,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Isolation => "isolation",
            Part::Clone => "clone",
            Part::Leg(leg) => leg.name(),
            Part::Closing => "closing",
        }
    }
}

/// What happens while it happens, for a progress bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part begins.
    Started(Part),
    /// A part ended.
    Finished(Part, Duration),
    /// Rows of the part that runs are being read: so many so far.
    Reading(Progress),
}

/// Rehearses `request.plan` on a clone of `request.source`, and tells `events` what happens.
///
/// # Errors
/// The rehearsal was refused, or nothing could be found out; nothing is left behind.
pub fn run(request: &Request, events: &mut dyn FnMut(Event)) -> Result<Rehearsal, RehearseError> {
    let events = RefCell::new(events);
    let tell = |event| (events.borrow_mut())(event);
    let mut clock = Clockwork::new(&tell);
    clock.begin(Part::Isolation);
    let source = Source::find(&request.source)?;
    let executable = executable_digest(&request.executable)?;
    let confinement = Confinement::establish(&request.executable, &request.scratch, request.wanted)?;
    let opening = confinement.opening().clone();
    let faults = opening.faults(request.minimum);
    if !faults.is_empty() {
        return Err(IsolationError::NotProven(faults).into());
    }
    let clone_directory = confinement.clone_directory().to_owned();
    let walls =
        Walls { asks: &mut Confined(&confinement, &tell), opening, clone_directory: clone_directory.clone() };
    let rehearsed = between_the_walls(request, &source, executable, walls, &mut clock)?;
    let closing = confinement.close()?;
    clock.end();
    let timings = clock.timings;
    let mut run = run_of(&source, &rehearsed.clone, &clone_directory, &timings);
    run.insert("isolation".to_owned(), serde_json::to_value(&closing.run).unwrap_or_default());
    let facts = facts_of(&request.plan, &rehearsed, closing.proof);
    Ok(Rehearsal { facts, run, timings })
}

/// A fresh confined process per question, and whoever hears how far it has come.
struct Confined<'c>(&'c Confinement, &'c dyn Fn(Event));

impl Asks for Confined<'_> {
    fn ask(&mut self, question: &Question, patience: Duration) -> Result<Answer, RehearseError> {
        let mut child = self.0.spawn()?;
        let answer = child.ask_and_hear(question, Some(patience), &mut |notice| reading(notice, self.1))?;
        child.finish()?;
        Ok(answer)
    }
}

/// Passes on how far a confined process has come.
pub(super) fn reading(notice: Value, tell: &dyn Fn(Event)) {
    if let Some(progress) = progress::read(notice) {
        tell(Event::Reading(progress));
    }
}

/// Measures the parts, and tells of them.
pub(super) struct Clockwork<'e> {
    events: &'e dyn Fn(Event),
    current: Option<(Part, Instant)>,
    pub(super) timings: Vec<(Part, Duration)>,
}

impl<'e> Clockwork<'e> {
    pub(super) fn new(events: &'e dyn Fn(Event)) -> Clockwork<'e> {
        Clockwork { events, current: None, timings: Vec::new() }
    }

    /// Ends the part that runs, and begins another.
    pub(super) fn begin(&mut self, part: Part) {
        self.end();
        (self.events)(Event::Started(part));
        self.current = Some((part, Instant::now()));
    }

    pub(super) fn end(&mut self) {
        if let Some((part, since)) = self.current.take() {
            let took = since.elapsed();
            self.timings.push((part, took));
            (self.events)(Event::Finished(part, took));
        }
    }
}

/// What the walls are made of: the proof at the start, and whoever answers questions behind them.
pub(super) struct Walls<'w> {
    pub(super) asks: &'w mut dyn Asks,
    pub(super) opening: IsolationProof,
    pub(super) clone_directory: PathBuf,
}

/// Facts but for the isolation at the end.
pub(super) struct Rehearsed {
    pub(super) lock: TargetLock,
    pub(super) found: legs::Found,
    pub(super) source_at_end: Digest,
    pub(super) source_directory_unchanged: bool,
    pub(super) clone: Clone,
}

/// The digest of an executable.
pub(super) fn executable_digest(path: &Path) -> Result<Digest, RehearseError> {
    let read = File::open(path).and_then(Digest::of_reader);
    Ok(read.map_err(|e| RehearseError::file(path, "the executable", &e))?.0)
}

/// Everything between the two looks at the isolation.
pub(super) fn between_the_walls(
    request: &Request,
    source: &Source,
    executable: Digest,
    walls: Walls<'_>,
    clock: &mut Clockwork<'_>,
) -> Result<Rehearsed, RehearseError> {
    clock.begin(Part::Clone);
    let plan = &request.plan;
    let kept = kept_beside(&walls.clone_directory)?;
    let limit = Duration::from_secs(plan.settings.timeout_seconds.into());
    let mut room = Room::new(walls.asks, &walls.clone_directory, &kept, limit);
    clone::demand_space(&room.directory, source.size()?)?;
    let names = source.listing()?;
    let clone = clone::make(source, &mut room)?;
    let wal = clone.settled.journal_mode == "wal";
    let at_entry = legs::check(&mut room)?;
    let base = legs::look(&mut room, request.threads, wal)?
        .map_err(|failure| RehearseError::of_failure("the clone", &failure))?;

    let lock = lock_of(request, executable, &clone, walls.opening);
    let mut legs = Legs::new(&mut room, plan, &lock.clone_id, request.threads, wal, base);
    legs.run(&mut |leg| clock.begin(Part::Leg(leg)))?;
    clock.begin(Part::Leg(Leg::Executor));
    let after = executable_digest(&request.executable)?;
    let writable = legs.writable(&request.executable)?;
    let found = legs.finish(Executor { before: executable, after, writable }, &at_entry)?;

    clock.begin(Part::Closing);
    let at_end = source.digest()?;
    if at_end != clone.copied.set {
        return Err(source.changed(clone.copied.set.set, at_end.set));
    }
    let source_directory_unchanged = source.listing()? == names;
    Ok(Rehearsed { lock, found, source_at_end: at_end.set, source_directory_unchanged, clone })
}

fn lock_of(request: &Request, executable: Digest, clone: &Clone, isolation: IsolationProof) -> TargetLock {
    let plan = request.plan.digest();
    let identity = &clone.settled.identity;
    TargetLock {
        schema: LOCK_SCHEMA.to_owned(),
        format: PACKET_FORMAT,
        clone_id: TargetLock::clone_id_of(&clone.copied.set.set, &plan),
        plan,
        policy: request.policy,
        executable,
        engine: Engine {
            name: EngineName::Sqlite,
            version: identity.version.clone(),
            source_id: identity.source_id.clone(),
            compile_options: identity.compile_options,
            foreign_keys: Some(request.plan.settings.foreign_keys),
            transaction: request.plan.settings.transaction,
            settings: None,
        },
        source: SourceFacts {
            set: clone.copied.set.set,
            files: clone.copied.set.files.clone(),
            journal_mode: Some(clone.settled.journal_mode.clone()),
            recovered: clone.copied.recovered,
            dump: None,
        },
        clone: clone.facts.clone(),
        isolation,
    }
}

/// Puts the facts together once the isolation was looked at again.
pub(super) fn facts_of(plan: &Plan, rehearsed: &Rehearsed, isolation_at_end: IsolationProof) -> Facts {
    let Rehearsed { lock, found, source_at_end, source_directory_unchanged, .. } = rehearsed;
    facts_from(
        plan,
        lock.clone(),
        found.clone(),
        *source_at_end,
        *source_directory_unchanged,
        isolation_at_end,
    )
}

/// The same for any engine.
pub(super) fn facts_from(
    plan: &Plan,
    lock: TargetLock,
    found: legs::Found,
    source_at_end: Digest,
    source_directory_unchanged: bool,
    isolation_at_end: IsolationProof,
) -> Facts {
    let quoted = Digest::of(&canon::to_vec(&lock).expect("a lock has string keys and no floats"));
    let execution = ExecutionEvidence {
        schema: EXECUTION_SCHEMA.to_owned(),
        clone_id: lock.clone_id.clone(),
        lock: quoted,
        steps: found.steps,
        isolation_at_end,
        source_at_end,
        source_directory_unchanged,
    };
    let rollback = RollbackEvidence {
        schema: ROLLBACK_SCHEMA.to_owned(),
        clone_id: lock.clone_id.clone(),
        lock: quoted,
        algorithms: Algorithms::of(lock.engine.name),
        nondeterministic: found.nondeterministic,
        entries: found.entries,
    };
    Facts::new(lock, execution, rollback, plan.clone())
}

/// What is volatile of a clone and of the time it took.
pub(super) fn run_of(
    source: &Source,
    clone: &Clone,
    directory: &Path,
    timings: &[(Part, Duration)],
) -> BTreeMap<String, Value> {
    let ms = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let durations: BTreeMap<&str, u64> = timings.iter().map(|(part, took)| (part.name(), ms(took))).collect();
    let (dev, ino) = clone.identity;
    BTreeMap::from([
        ("source_path".to_owned(), json!(source.path.display().to_string())),
        ("clone_directory".to_owned(), json!(directory.display().to_string())),
        // As text: canonical JSON has no integers above 2^53.
        ("clone_dev".to_owned(), json!(dev.to_string())),
        ("clone_ino".to_owned(), json!(ino.to_string())),
        ("clone_file_system".to_owned(), json!(clone.file_system)),
        ("uid".to_owned(), json!(rustix::process::geteuid().as_raw())),
        ("durations_ms".to_owned(), json!(durations)),
    ])
}
