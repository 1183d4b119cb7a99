//! The index as it stood after so many entries: the answers that [`State`] asks for.
//!
//! Owns: reading records as of a position, however far the index has gone since; the summary to resume from. Must not:
//! write.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::Place;
use super::map::Map;
use super::{Fault, key};
use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::policy::Policy;
use crate::state::{GrantRecord, Index, IndexError, Once, Record, RehearsalRecord, State, Summary};
use crate::time::Timestamp;

/// How far the index goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// How many entries.
    pub(super) size: u64,
    /// The last one's commit.
    pub(super) commit: String,
    /// Where the last batches ended, oldest first: all but the first can be undone.
    pub(super) recent: Vec<u64>,
    /// The last summary that was kept though its batch cannot be undone.
    pub(super) kept: u64,
}

/// What stands under a summary's key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    pub(super) commit: String,
    pub(super) summary: Value,
    pub(super) verified: Timestamp,
}

/// Makes a sound index where this one turns out to be damaged.
pub type Mend = dyn Fn() -> Result<View, IndexError> + Send + Sync;

/// The index after `size` entries. It sees one moment of the file, whatever others write meanwhile.
#[derive(Clone)]
pub struct View {
    seen: Arc<Seen>,
    size: u64,
}

/// One moment of a file.
struct Seen {
    map: Mutex<Map>,
    place: Place,
    mend: Option<Box<Mend>>,
    mended: OnceLock<Result<View, IndexError>>,
    fault: OnceLock<Fault>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({} entries of {:?})", self.size, self.seen.place)
    }
}

impl View {
    /// The whole index at this moment. `mend` is asked for another one once this one is found damaged.
    pub(super) fn of(map: Map, place: Place, mend: Option<Box<Mend>>) -> Result<View, Fault> {
        map.run("BEGIN")?;
        let size = head(&map)?.size;
        let seen =
            Seen { map: Mutex::new(map), place, mend, mended: OnceLock::new(), fault: OnceLock::new() };
        Ok(View { seen: Arc::new(seen), size })
    }

    /// How many entries it knows of.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The same as of an earlier position.
    pub fn up_to(&self, size: u64) -> View {
        View { seen: self.seen.clone(), size: self.size.min(size) }
    }

    /// The number of entries up to and with this commit; `None` where it is not known.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn position(&self, commit: &str) -> Result<Option<u64>, Fault> {
        let seq = self.map().get(&key::commit(commit))?.and_then(|value| key::number(&value));
        Ok(seq.map(|seq| seq + 1).filter(|size| *size <= self.size))
    }

    /// The nearest state at or before a position.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn resume(&self, size: u64) -> Result<Resumed, Fault> {
        let found = self.map().floor(key::SUMMARIES, &key::summary(size.min(self.size)))?;
        let Some((at, value)) = found else { return Ok(Resumed::default()) };
        let size = key::number(&at).ok_or(Fault::Damaged("a summary without a position"))?;
        let Moment { commit, summary, verified } = parse(&value)?;
        let summary = self.summary(summary)?;
        let state = State::resume(summary, Default::default()).over(Arc::new(self.up_to(size)));
        match state.next_seq() == size && state.summary().is_consistent() {
            true => Ok(Resumed { state, size, commit, verified: Some(verified) }),
            false => Err(Fault::Damaged("a summary of another position")),
        }
    }

    /// Whether every question so far had an answer.
    ///
    /// # Errors
    /// The first that had none.
    pub fn sound(&self) -> Result<(), Fault> {
        self.seen.fault.get().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Puts the policy's text, which is kept once, where it was taken out.
    fn summary(&self, mut summary: Value) -> Result<Summary, Fault> {
        if let Some(digest) = summary["policy"].as_str() {
            let digest: Digest = digest.parse().map_err(|_| Fault::Damaged("a policy's name"))?;
            let text = self.map().get(&key::policy(&digest))?.ok_or(Fault::Damaged("a policy is missing"))?;
            summary["policy"] = Value::String(String::from_utf8_lossy(&text).into_owned());
        }
        serde_json::from_value(summary).map_err(|_| Fault::Damaged("a summary cannot be read"))
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.seen.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks this index, or a sound one where this one is damaged.
    pub(super) fn ask<T>(&self, question: &dyn Fn(&Map, u64) -> Result<T, Fault>) -> Result<T, IndexError> {
        let answer = match self.seen.mended.get() {
            None => question(&self.map(), self.size),
            Some(_) => Err(Fault::Damaged("it was found before")),
        };
        match (answer, &self.seen.mend) {
            (Ok(answer), _) => Ok(answer),
            (Err(fault), None) => Err(self.seen.fault.get_or_init(|| fault).clone().into()),
            (Err(_), Some(mend)) => {
                self.seen.place.remove();
                let sound = self.seen.mended.get_or_init(mend).as_ref().map_err(Clone::clone)?;
                sound.up_to(self.size).ask(question)
            }
        }
    }
}

/// A state to go on from.
#[derive(Debug, Default)]
pub struct Resumed {
    /// The state; its records are the index's.
    pub state: State,
    /// After how many entries.
    pub size: u64,
    /// The last one's commit; empty before the first.
    pub commit: String,
    /// When those entries were verified; `None` before the first.
    pub verified: Option<Timestamp>,
}

pub(super) fn head(map: &Map) -> Result<Head, Fault> {
    map.get(key::HEAD)?.map_or(Ok(Head::default()), |value| parse(&value))
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(value: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(value).map_err(|_| Fault::Damaged("a value cannot be read"))
}

/// A record as it stood after `size` entries.
pub(super) fn record_of(map: &Map, leaf: &Digest, size: u64) -> Result<Option<Record>, Fault> {
    let found = map.floor(&key::records(leaf), &key::record(leaf, size))?;
    found.map(|(_, value)| parse(&value)).transpose()
}

fn grant_of(map: &Map, leaf: Digest, size: u64) -> Result<(Digest, GrantRecord), Fault> {
    match record_of(map, &leaf, size)? {
        Some(Record::Grant(record)) => Ok((leaf, *record)),
        _ => Err(Fault::Damaged("a grant is missing")),
    }
}

fn rehearsal_of(map: &Map, leaf: Digest, size: u64) -> Result<(Digest, RehearsalRecord), Fault> {
    match record_of(map, &leaf, size)? {
        Some(Record::Rehearsal(record)) => Ok((leaf, *record)),
        _ => Err(Fault::Damaged("a rehearsal is missing")),
    }
}

/// The leaves under keys that begin with a letter, of the first `size` entries.
fn leaves(map: &Map, of: fn(u64) -> Vec<u8>, size: u64) -> Result<Vec<Digest>, Fault> {
    let first = of(0);
    let mut found = Vec::new();
    map.up(&first[..1], &first, &mut |at, value| {
        if key::number(at).is_none_or(|seq| seq >= size) {
            return Ok(ControlFlow::Break(()));
        }
        found.push(key::digest(value).ok_or(Fault::Damaged("a leaf cannot be read"))?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

impl Index for View {
    fn record(&self, leaf: &Digest) -> Result<Option<Record>, IndexError> {
        self.ask(&|map, size| record_of(map, leaf, size))
    }

    fn used(&self, once: &Once) -> Result<bool, IndexError> {
        self.ask(&|map, size| {
            let since = map.get(&key::used(once))?.and_then(|value| key::number(&value));
            Ok(since.is_some_and(|since| since <= size))
        })
    }

    fn open_grants(&self, operator: &Fingerprint) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        self.ask(&|map, size| {
            let mut found = Vec::new();
            let unread = Fault::Damaged("a leaf cannot be read");
            let open = key::open_of(operator);
            map.up(&open, &open, &mut |at, since| {
                if key::number(since).is_some_and(|since| since <= size) {
                    found.push(key::digest(at).ok_or(unread.clone())?);
                }
                Ok(ControlFlow::Continue(()))
            })?;
            map.up(b"c", &key::closed_after(size), &mut |at, since| {
                let (who, leaf) = key::closed_parts(at).ok_or(unread.clone())?;
                if who == operator.as_bytes() && key::number(since).is_some_and(|since| since <= size) {
                    found.push(leaf);
                }
                Ok(ControlFlow::Continue(()))
            })?;
            found.into_iter().map(|leaf| grant_of(map, leaf, size)).collect()
        })
    }

    fn signed(&self, signer: &Fingerprint, first: u64) -> Result<Vec<u64>, IndexError> {
        self.ask(&|map, size| {
            let mut found = Vec::new();
            map.up(&key::signed_by(signer), &key::signed(signer, first), &mut |at, _| {
                found.extend(key::number(at).filter(|seq| *seq < size));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(found)
        })
    }

    fn grants(&self) -> Result<Vec<(Digest, GrantRecord)>, IndexError> {
        self.ask(&|map, size| {
            leaves(map, key::grant, size)?.into_iter().map(|leaf| grant_of(map, leaf, size)).collect()
        })
    }

    fn rehearsals(&self) -> Result<Vec<(Digest, RehearsalRecord)>, IndexError> {
        self.ask(&|map, size| {
            let leaves = leaves(map, key::rehearsal, size)?;
            leaves.into_iter().map(|leaf| rehearsal_of(map, leaf, size)).collect()
        })
    }

    fn last_rehearsal(&self) -> Result<Option<(Digest, RehearsalRecord)>, IndexError> {
        self.ask(&|map, size| {
            let Some(last) = size.checked_sub(1).map(key::rehearsal) else { return Ok(None) };
            let found = map.floor(&last[..1], &last)?;
            let leaf = |value: Vec<u8>| key::digest(&value).ok_or(Fault::Damaged("a leaf cannot be read"));
            found.map(|(_, value)| rehearsal_of(map, leaf(value)?, size)).transpose()
        })
    }
}

/// A summary without the policy's text, and that text under its digest.
pub(super) type Stored = (Value, Option<(Digest, Vec<u8>)>);

/// A summary as it is stored, and the policy's text that was taken out of it.
pub(super) fn stored(summary: &Summary, policy: Option<&Policy>) -> Result<Stored, Fault> {
    let mut value = serde_json::to_value(summary).map_err(|e| Fault::Unusable(e.to_string()))?;
    let policy = policy.map(|policy| (policy.digest(), policy.bytes().to_vec()));
    if let Some((digest, _)) = &policy {
        value["policy"] = Value::String(digest.to_string());
    }
    Ok((value, policy))
}
