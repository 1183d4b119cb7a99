//! The rehearsal on PostgreSQL: from a request to its facts.
//!
//! Owns: the order of everything (refuse, confine, copy the dump, cluster, lock, legs, dump again, isolation again) and
//! what is volatile. Must not: judge.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::child::{Answer, Identity, What};
use super::cluster::{Place, SETTINGS};
use super::dump::{Dump, DumpDigest};
use super::legs::{Legs, Volatile};
use super::programs::Programs;
use super::room::{Room, another};
use crate::digest::Digest;
use crate::evidence::entry::cluster_state;
use crate::evidence::isolation::{IsolationProof, Level};
use crate::evidence::lock::{
    AttestedDump, CloneFacts, DumpFacts, Engine, LOCK_SCHEMA, PACKET_FORMAT, SourceFacts,
};
use crate::evidence::{EngineName, Leg, Plan, TargetLock};
use crate::rehearse::RehearseError;
use crate::rehearse::clone;
use crate::rehearse::isolation::{Confinement, IsolationError, Wanted};
use crate::rehearse::legs::Executor;
use crate::rehearse::room::kept_beside;
use crate::rehearse::run::{Clockwork, Event, Part, Rehearsal, executable_digest, facts_from};

/// What is rehearsed, and with what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The dump, as given.
    pub dump: PathBuf,
    /// The operator's word on it.
    pub attestation: AttestedDump,
    /// The change and its rollback.
    pub plan: Plan,
    /// Digest of the policy document.
    pub policy: Digest,
    /// The executable that confined processes are started from.
    pub executable: PathBuf,
    /// Where the run's scratch directory is made.
    pub scratch: PathBuf,
    /// PostgreSQL's programs.
    pub programs: Programs,
    /// The lowest level that the policy accepts.
    pub minimum: Level,
}

/// What a dump takes when it is restored, at most, as a multiple of its size: compression and indexes.
const SPACE_FACTOR: u64 = 8;

/// Rehearses `request.plan` on a cluster restored from `request.dump`, and tells `events` what happens.
///
/// # Errors
/// The rehearsal was refused, or nothing could be found out; nothing is left behind.
pub fn run(request: &Request, events: &mut dyn FnMut(Event)) -> Result<Rehearsal, RehearseError> {
    let events = RefCell::new(events);
    let tell = |event| (events.borrow_mut())(event);
    let mut clock = Clockwork::new(&tell);
    clock.begin(Part::Isolation);
    let dump = Dump::find(&request.dump)?;
    let executable = executable_digest(&request.executable)?;
    let confinement = Confinement::establish_for(
        &request.executable,
        &request.scratch,
        Wanted::Exactly(Level::Three),
        request.programs.walls(),
    )?;
    let opening = confinement.opening().clone();
    let faults = opening.faults(request.minimum);
    if !faults.is_empty() {
        return Err(IsolationError::NotProven(faults).into());
    }

    clock.begin(Part::Clone);
    let directory = confinement.clone_directory().to_owned();
    let kept = kept_beside(&directory)?;
    let size = dump.size()?;
    clone::demand_space(&directory, size.saturating_mul(SPACE_FACTOR))?;
    let place = Place { directory: directory.clone(), programs: request.programs.directory.clone() };
    let copied = directory.join("dump");
    let source = dump.copy_to(&copied)?;
    let room = Room { confinement: &confinement, place, kept, size, tell: &tell };
    let identity = match room.ask(What::Begin { dump: copied.clone(), format: dump.format })? {
        Answer::Began(identity) => identity,
        _ => return Err(another()),
    };
    let at_entry = room.check()?;
    let base = room.look()?;
    let taken = room.take_snapshot()?;
    let lock = lock_of(request, &dump, &source, executable, &identity, opening, &directory)?;

    let mut legs = Legs::new(&room, &request.plan, &lock.clone_id, base, taken);
    legs.run(&mut |leg| clock.begin(Part::Leg(leg)))?;
    clock.begin(Part::Leg(Leg::Executor));
    let after = executable_digest(&request.executable)?;
    let writable = room.writable(&request.executable)?;
    let executor = Executor { before: executable, after, writable };
    let (found, volatile) = legs.finish(executor, &at_entry)?;

    clock.begin(Part::Closing);
    let at_end = dump.digest()?;
    if at_end != source {
        let reason = crate::verdict::Reason::new(crate::verdict::Code::SourceChanged, dump.path.display());
        return Err(RehearseError::new(reason.values(source.set.short(), at_end.set.short())));
    }
    let closing = confinement.close()?;
    clock.end();
    let timings = clock.timings;
    let mut run = run_of(&dump, &timings, &volatile);
    run.insert("isolation".to_owned(), serde_json::to_value(&closing.run).unwrap_or_default());
    let facts = facts_from(&request.plan, lock, found, at_end.set, true, closing.proof);
    Ok(Rehearsal { facts, run, timings })
}

fn lock_of(
    request: &Request,
    dump: &Dump,
    source: &DumpDigest,
    executable: Digest,
    identity: &Identity,
    isolation: IsolationProof,
    directory: &std::path::Path,
) -> Result<TargetLock, RehearseError> {
    let plan = request.plan.digest();
    let clone_id = TargetLock::clone_id_of(&source.set, &plan);
    let base = cluster_state(&clone_id, 0);
    let main = match dump.format {
        super::dump::Format::Directory => directory.join("dump/toc.dat"),
        _ => directory.join("dump"),
    };
    let clone: CloneFacts = clone::facts(directory, &main, source.set, base)?.0;
    let settings = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Ok(TargetLock {
        schema: LOCK_SCHEMA.to_owned(),
        format: PACKET_FORMAT,
        clone_id,
        plan,
        policy: request.policy,
        executable,
        engine: Engine {
            name: EngineName::Postgresql,
            version: identity.version.clone(),
            source_id: identity.source_id.clone(),
            compile_options: identity.presets,
            foreign_keys: None,
            transaction: request.plan.settings.transaction,
            settings: Some(settings.collect()),
        },
        source: SourceFacts {
            set: source.set,
            files: source.files.clone(),
            journal_mode: None,
            recovered: false,
            dump: Some(DumpFacts { format: dump.format, attestation: request.attestation.clone() }),
        },
        clone,
        isolation,
    })
}

/// What is volatile: where things lay, how long they took, the cluster's own bytes, the locks.
fn run_of(dump: &Dump, timings: &[(Part, Duration)], volatile: &Volatile) -> BTreeMap<String, Value> {
    let ms = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let durations: BTreeMap<&str, u64> = timings.iter().map(|(part, took)| (part.name(), ms(took))).collect();
    BTreeMap::from([
        ("source_path".to_owned(), json!(dump.path.display().to_string())),
        ("uid".to_owned(), json!(rustix::process::geteuid().as_raw())),
        ("durations_ms".to_owned(), json!(durations)),
        ("cluster_manifests".to_owned(), json!(volatile.manifests)),
        ("locks".to_owned(), json!(volatile.locks)),
    ])
}
