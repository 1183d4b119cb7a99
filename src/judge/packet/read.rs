//! Reading a packet's own documents: all that the judgement needs, and the little that the ledger's rules need.
//!
//! Owns: the strict parse, and the reasons of its failure. Must not: judge what was read ([`super`]).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::canon;
use crate::digest::Digest;
use crate::evidence::blockers::BlockerMap;
use crate::evidence::lock::{DumpFacts, PACKET_FORMAT};
use crate::evidence::{Facts, Plan, TargetLock};
use crate::judge::blockers;
use crate::packet::{BLOCKERS, EXECUTION, Files, LOCK, MANIFEST, ROLLBACK, manifest};
use crate::state::{BlockerFacts, PacketFacts};
use crate::verdict::{Code, Reason, Verdict};

/// The facts that a packet holds.
///
/// # Errors
/// The reasons: a file that is missing or not what its type says, a fault of the plan.
pub fn facts(files: &Files) -> Result<Facts, Verdict> {
    let lock: Result<TargetLock, Reason> = read(files, LOCK);
    known_format(files, lock.as_ref().ok().map(|lock| lock.format))?;
    let (execution, rollback) = (read(files, EXECUTION), read(files, ROLLBACK));
    let plan = Plan::parse(files.plan());
    match (lock, execution, rollback, plan) {
        (Ok(lock), Ok(execution), Ok(rollback), Ok(plan)) => Ok(Facts::new(lock, execution, rollback, plan)),
        (lock, execution, rollback, plan) => {
            let mut verdict = Verdict::default();
            let files = [lock.err(), execution.err(), rollback.err()].into_iter().flatten();
            files.chain(plan.err().into_iter().flatten()).for_each(|reason| verdict.push(reason));
            Err(verdict)
        }
    }
}

/// A packet of another format is refused for that, and not for the fields that it has more or less. `read` is the
/// format, where the lock could be read.
fn known_format(files: &Files, read: Option<u64>) -> Result<(), Verdict> {
    if read == Some(PACKET_FORMAT) {
        return Ok(());
    }
    let lock = files.get(LOCK).and_then(|bytes| canon::from_slice::<serde_json::Value>(bytes).ok());
    match lock.as_ref().and_then(|lock| lock.get("format")) {
        Some(format) if format.as_u64() != Some(PACKET_FORMAT) => {
            let found: String = format.to_string().chars().take(40).flat_map(char::escape_default).collect();
            Err(Reason::new(Code::Malformed, format_args!("{LOCK}#/format"))
                .values(PACKET_FORMAT, found)
                .into())
        }
        // None is a missing field, which the strict reader names.
        _ => Ok(()),
    }
}

/// The files of a packet that [`packet_facts`] reads.
pub const FACT_FILES: [&str; 3] = [LOCK, BLOCKERS, MANIFEST];

/// What the ledger's own rules need of a lock. Whether the rest of it is what it must be, the judgement says.
#[derive(Deserialize)]
struct Locked {
    format: u64,
    plan: Digest,
    policy: Digest,
    executable: Digest,
    source: LockedSource,
}

#[derive(Deserialize)]
struct LockedSource {
    set: Digest,
    #[serde(default)]
    dump: Option<DumpFacts>,
}

/// What the ledger's own rules need to know of a packet, from [`FACT_FILES`].
///
/// # Errors
/// The reasons: a file that is missing or not what its type says.
pub fn packet_facts(files: &Files) -> Result<PacketFacts, Verdict> {
    Ok(packet_facts_and_dump(files)?.0)
}

/// As [`packet_facts`], where many packets are read one after the other: a blocker map that was read before is not read
/// again.
///
/// # Errors
/// As [`packet_facts`].
pub fn packet_facts_among(files: &Files, maps: &Maps) -> Result<PacketFacts, Verdict> {
    Ok(facts_and_dump(files, Some(maps))?.0)
}

/// What blocker maps say, by the digest of their bytes: most packets of a ledger bring the map of the one before. Holds
/// what could be read alone, and forgets all where it is full, so that no ledger can make it grow.
#[derive(Debug, Default)]
pub struct Maps(Mutex<HashMap<Digest, BlockerFacts>>);

/// Most maps that are held: some of each operator's, a few KiB each.
const MOST_MAPS: usize = 64;

impl Maps {
    fn get_or_read(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<BlockerFacts, Reason>,
    ) -> Result<BlockerFacts, Reason> {
        // A map is whole after every call, so a thread that died in one leaves nothing half done.
        let held = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held().get(&digest) {
            return Ok(known.clone());
        }
        let facts = read()?;
        let mut held = held();
        if held.len() >= MOST_MAPS {
            held.clear();
        }
        held.insert(digest, facts.clone());
        Ok(facts)
    }
}

/// As [`packet_facts`], and where the source comes from if it is a dump.
pub(in crate::judge) fn packet_facts_and_dump(
    files: &Files,
) -> Result<(PacketFacts, Option<DumpFacts>), Verdict> {
    facts_and_dump(files, None)
}

fn facts_and_dump(files: &Files, maps: Option<&Maps>) -> Result<(PacketFacts, Option<DumpFacts>), Verdict> {
    let lock: Result<Locked, Reason> = read(files, LOCK);
    known_format(files, lock.as_ref().ok().map(|lock| lock.format))?;
    let lock = lock?;
    let digest = files.digest(BLOCKERS).unwrap_or(Digest::ZERO);
    let read_map = || read::<BlockerMap>(files, BLOCKERS).map(|map| blockers::facts(&map, digest));
    let blockers = match maps {
        Some(maps) => maps.get_or_read(digest, read_map)?,
        None => read_map()?,
    };
    let manifest = files.get(MANIFEST).ok_or_else(|| Reason::new(Code::FileMissing, MANIFEST))?;
    let facts = PacketFacts {
        source: lock.source.set,
        plan: lock.plan,
        executable: lock.executable,
        packet_tree: manifest::tree_digest(manifest),
        policy: lock.policy,
        dump: lock.source.dump.is_some(),
        blockers: Some(blockers),
    };
    Ok((facts, lock.source.dump))
}

fn read<T: DeserializeOwned>(files: &Files, path: &str) -> Result<T, Reason> {
    let bytes = files.get(path).ok_or_else(|| Reason::new(Code::FileMissing, path))?;
    canon::from_slice(bytes).map_err(|e| {
        let found: String = e.to_string().chars().take(200).flat_map(char::escape_default).collect();
        Reason::new(Code::Malformed, path).found(found)
    })
}
