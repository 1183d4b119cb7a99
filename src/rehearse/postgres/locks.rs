//! The lock watch: which locks a script takes on relations, and for how long, seen from inside the cluster.
//!
//! Owns: the look at `pg_locks`, every few milliseconds, on a connection of its own. Must not: reach the packet; what it
//! saw depends on the machine, so it stands in the statement's `run`, as secondary evidence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::cluster::{Place, SUPERUSER};
use super::failure;
use crate::rehearse::engine::Failure;

/// Time between two looks: a lock of 50 ms is seen several times.
const PAUSE: Duration = Duration::from_millis(5);
/// Relations told at most.
const MAX_TOLD: usize = 200;
/// The modes on relations, the weakest first.
const MODES: [&str; 8] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

/// The strongest lock on one relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockSeen {
    /// Schema and name.
    pub relation: String,
    /// The strongest mode.
    pub mode: String,
    /// Milliseconds between the first and the last look that saw it in this mode.
    pub held_ms: u64,
}

/// A watch under way.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<LockSeen>>,
}

impl Watch {
    /// Watches the process behind `client`.
    pub(super) fn begin(place: &Place, database: &str, client: &mut Client) -> Result<Watch, Failure> {
        let failed = |e: postgres::Error| failure::of(&e, 0);
        let watched: i32 =
            client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).map_err(failed)?.get(0);
        let mut eyes = place.database(SUPERUSER, database).connect().map_err(failed)?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || look(&mut eyes, watched, &told));
        Ok(Watch { over, thread })
    }

    /// Ends the watch. What could not be seen is left out: this is no proof.
    pub(super) fn end(self) -> Vec<LockSeen> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn look(eyes: &mut Client, watched: i32, over: &AtomicBool) -> Vec<LockSeen> {
    // A relation that the script makes is not seen by name before it is committed, and blocks nobody.
    let sql = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), l.mode FROM pg_catalog.pg_locks l \
               JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE l.pid = $1 AND l.granted AND l.locktype = 'relation' AND n.nspname NOT IN ('pg_catalog', 'pg_toast')";
    let Ok(statement) = eyes.prepare(sql) else { return Vec::new() };
    let mut seen: BTreeMap<(String, usize), (Instant, Instant)> = BTreeMap::new();
    while !over.load(Ordering::Relaxed) {
        let now = Instant::now();
        for row in eyes.query(&statement, &[&watched]).unwrap_or_default() {
            let mode: String = row.get(1);
            let Some(rank) = MODES.iter().position(|known| *known == mode) else { continue };
            seen.entry((row.get(0), rank)).or_insert((now, now)).1 = now;
        }
        std::thread::sleep(PAUSE);
    }
    let mut strongest: BTreeMap<String, LockSeen> = BTreeMap::new();
    // The stronger modes of a relation come later, and replace the weaker.
    for ((relation, rank), (first, last)) in seen {
        let held_ms = u64::try_from((last - first).as_millis()).unwrap_or(u64::MAX);
        let lock = LockSeen { relation: relation.clone(), mode: MODES[rank].to_owned(), held_ms };
        strongest.insert(relation, lock);
    }
    strongest.into_values().take(MAX_TOLD).collect()
}
