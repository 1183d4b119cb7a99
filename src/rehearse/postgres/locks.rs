//! The lock watch: which locks a script takes on relations, and for how long, seen from inside the cluster.
//!
//! Owns: the look at `pg_locks`, every few milliseconds and before a transaction ends, on a connection of its own. Must not: reach the packet; what it
//! saw depends on the machine, so it stands in the statement's `run`, as secondary evidence.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
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
///
/// A transaction keeps its locks to its end, so whoever asks for a look just before it sees every one of them, however
/// short it was held; in between a look every few milliseconds shows since when.
pub(super) struct Watch {
    /// Asks for a look, or by its end for the end.
    asks: Sender<()>,
    /// Says that one was taken.
    looked: Receiver<()>,
    thread: JoinHandle<Vec<LockSeen>>,
}

impl Watch {
    /// Watches the process behind `client`.
    pub(super) fn begin(place: &Place, database: &str, client: &mut Client) -> Result<Watch, Failure> {
        let failed = |e: postgres::Error| failure::of(&e, 0);
        let watched: i32 =
            client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).map_err(failed)?.get(0);
        let mut eyes = place.database(SUPERUSER, database).connect().map_err(failed)?;
        let ((asks, asked), (tell, looked)) = (channel(), channel());
        let thread = std::thread::spawn(move || look(&mut eyes, watched, &asked, &tell));
        Ok(Watch { asks, looked, thread })
    }

    /// Looks now: whatever is held at this moment has been seen when this returns.
    pub(super) fn look(&self) {
        if self.asks.send(()).is_ok() {
            let _ = self.looked.recv(); // a watch that is blind sees nothing: it is no proof
        }
    }

    /// Ends the watch. What could not be seen is left out: this is no proof.
    pub(super) fn end(self) -> Vec<LockSeen> {
        drop(self.asks);
        self.thread.join().unwrap_or_default()
    }
}

fn look(eyes: &mut Client, watched: i32, asked: &Receiver<()>, tell: &Sender<()>) -> Vec<LockSeen> {
    // A relation that the script makes is not seen by name before it is committed, and blocks nobody.
    let sql = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), l.mode FROM pg_catalog.pg_locks l \
               JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE l.pid = $1 AND l.granted AND l.locktype = 'relation' AND n.nspname NOT IN ('pg_catalog', 'pg_toast')";
    let Ok(statement) = eyes.prepare(sql) else { return Vec::new() };
    let mut seen: BTreeMap<(String, usize), (Instant, Instant)> = BTreeMap::new();
    loop {
        let order = asked.recv_timeout(PAUSE);
        if order == Err(RecvTimeoutError::Disconnected) {
            break;
        }
        let now = Instant::now();
        for row in eyes.query(&statement, &[&watched]).unwrap_or_default() {
            let mode: String = row.get(1);
            let Some(rank) = MODES.iter().position(|known| *known == mode) else { continue };
            seen.entry((row.get(0), rank)).or_insert((now, now)).1 = now;
        }
        if order.is_ok() {
            let _ = tell.send(()); // whoever asked waits for it
        }
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
