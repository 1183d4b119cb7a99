//! The state of a ledger here: from the index as far as it goes, and verified from there to the tip.
//!
//! Owns: bringing the index up to a tip, and going on without one where it cannot be had. It only spares repeated work
//! in the copy of whoever runs the verb; a full `verify` never reads it. Must not: let an entry count that does not hold.
//!
//! ```text
//! tip ─► back to a commit that the index knows ─► undo what left the line ─► verify the rest, batch by batch ─► index
//! ```

use super::answer::Failure;
use super::place::Place;
use super::replay::fold;
use super::surroundings;
use crate::index::{Batch, Fault, Index, Listed, Mend, Resumed, View, Written};
use crate::ledger::{LedgerRef, Oid, Repository, parse_oid};
use crate::state::{IndexError, State};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

/// Entries that are verified and written at a time: bounds the memory.
const BATCH: usize = 4096;
/// How often other programs that move the index at the same moment are met again.
const ATTEMPTS: u32 = 8;

/// A ledger up to some tip.
pub(super) struct Known {
    /// The state there.
    pub(super) state: State,
    /// The index as of there.
    pub(super) view: View,
}

/// The ledger that a verb is about, up to its tip.
pub(super) struct Here {
    /// The repository.
    pub(super) repo: Repository,
    /// The ledger's ref.
    pub(super) ledger: LedgerRef,
    /// Where it points.
    pub(super) tip: Oid,
    /// The state there.
    pub(super) state: State,
    /// The index as of there.
    pub(super) view: View,
}

/// The ledger at its tip. Every entry that was not verified here before is verified now.
pub(super) fn here(place: &Place) -> Result<Here, Failure> {
    let (repo, ledger, tip) = place.existing()?;
    let Known { state, view } = known(&repo, &ledger, &tip)?;
    Ok(Here { repo, ledger, tip, state, view })
}

/// As [`here`], the state and the tip alone.
pub(super) fn trusted(place: &Place) -> Result<(State, Oid), Failure> {
    let here = here(place)?;
    Ok((here.state, here.tip))
}

/// The state at `tip`.
pub(super) fn at(repo: &Repository, ledger: &LedgerRef, tip: &Oid) -> Result<State, Failure> {
    Ok(known(repo, ledger, tip)?.state)
}

/// The ledger up to `tip`.
pub(super) fn known(repo: &Repository, ledger: &LedgerRef, tip: &Oid) -> Result<Known, Failure> {
    for _ in 0..ATTEMPTS {
        let Ok(mut index) = Index::open(&repo.notes_dir(), ledger.name()) else { break };
        match climb(repo, ledger, tip, &mut index, Some(mend(repo, ledger, *tip))) {
            Ok(known) => return Ok(known),
            Err(Trouble::Ledger(failure)) => return Err(failure),
            Err(Trouble::Index(Fault::Busy)) => {}
            Err(Trouble::Index(_)) => index.remove(),
        }
    }
    scratch(repo, ledger, tip)
}

/// The ledger up to `tip`, from the genesis, in an index that nobody keeps.
fn scratch(repo: &Repository, ledger: &LedgerRef, tip: &Oid) -> Result<Known, Failure> {
    let unusable = |e: Fault| Failure::because(Code::Unreadable, "the index", e);
    let mut index = Index::scratch(&surroundings::scratch_parent(), ledger.name()).map_err(unusable)?;
    climb(repo, ledger, tip, &mut index, None).map_err(|trouble| match trouble {
        Trouble::Index(fault) => unusable(fault),
        Trouble::Ledger(failure) => failure,
    })
}

/// What makes a sound index where one turns out to be damaged in the middle of a verb.
fn mend(repo: &Repository, ledger: &LedgerRef, tip: Oid) -> Box<Mend> {
    let (directory, ledger) = (repo.common_dir().to_owned(), ledger.clone());
    Box::new(move || {
        let failed = |e: &dyn std::fmt::Debug| IndexError(format!("made anew: {e:?}"));
        let repo = Repository::open(&directory).map_err(|e| failed(&e))?;
        Ok(scratch(&repo, &ledger, &tip).map_err(|e| failed(&e))?.view)
    })
}

impl Here {
    /// The commit of the entry at a position; `None` behind the last.
    pub(super) fn commit(&self, seq: u64) -> Result<Option<Oid>, Failure> {
        let line = self.view.line(seq).map_err(Reason::from)?;
        Ok(line.and_then(|line| parse_oid(line.commit.as_bytes())))
    }
}

/// Why there is no answer.
enum Trouble {
    Index(Fault),
    Ledger(Failure),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Index(fault)
    }
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Ledger(error.into())
    }
}

/// Brings the index up to `tip`.
fn climb(
    repo: &Repository,
    ledger: &LedgerRef,
    tip: &Oid,
    index: &mut Index,
    mend: Option<Box<Mend>>,
) -> Result<Known, Trouble> {
    let (met, chain) = approach(repo, ledger, tip, index)?;
    match chain.is_empty() {
        true => within(repo, index.view(mend)?, met),
        false => grow(repo, index, &chain, mend),
    }
}

/// How many of the entries up to `tip` the index knows, and the commits that it does not: they follow its last one.
fn approach(
    repo: &Repository,
    ledger: &LedgerRef,
    tip: &Oid,
    index: &mut Index,
) -> Result<(u64, Vec<Oid>), Trouble> {
    let reader = repo.reader();
    for _ in 0..3 {
        let view = index.view(None)?;
        let (mut met, mut fault) = (0, None);
        let chain = reader.read_chain_until(tip, &mut |oid| match view.position(&oid.to_string()) {
            Ok(found) => {
                met = found.unwrap_or(0);
                found.is_some()
            }
            Err(error) => {
                fault = Some(error);
                true
            }
        })?;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        if chain.is_empty() || met == view.size() {
            return Ok((met, chain));
        }
        drop(view);
        // The index followed entries that this tip does not have.
        if !index.rewind(met)? {
            *index = Index::begin(&repo.notes_dir(), ledger.name())?;
        }
    }
    Err(Fault::Busy.into())
}

/// Where an incremental verification begins.
pub(super) struct Begun {
    /// The index, as of there.
    pub(super) view: View,
    /// The state there, and when it was verified.
    pub(super) from: Resumed,
    /// What is to be verified now, oldest first.
    pub(super) chain: Vec<Oid>,
    index: Index,
    grows: bool,
}

/// The end of what this copy verified before on the way to `tip`; at most one batch is left to verify. `None`: there is no
/// index to begin from.
pub(super) fn begin(repo: &Repository, ledger: &LedgerRef, tip: &Oid) -> Result<Option<Begun>, Failure> {
    let attempt = || -> Result<Begun, Trouble> {
        let mut index = Index::open(&repo.notes_dir(), ledger.name())?;
        let (mut met, mut chain) = approach(repo, ledger, tip, &mut index)?;
        if let Some(end) = chain.len().checked_sub(BATCH + 1) {
            known(repo, ledger, &chain[end])?;
            index = Index::open(&repo.notes_dir(), ledger.name())?;
            (met, chain) = approach(repo, ledger, tip, &mut index)?;
        }
        let grows = !chain.is_empty();
        let view = index.view(None)?.up_to(met);
        let from = view.resume(met)?;
        let left = commits(&view, from.size, met)?;
        let chain = left.into_iter().chain(chain).collect();
        Ok(Begun { view, from, chain, index, grows })
    };
    match attempt() {
        Ok(begun) => Ok(Some(begun)),
        Err(Trouble::Ledger(failure)) => Err(failure),
        Err(Trouble::Index(_)) => Ok(None),
    }
}

impl Begun {
    /// Keeps what was verified now. Where that fails it is verified again the next time.
    pub(super) fn keep(&self, entries: &[Listed], state: &State) {
        if let (true, Ok(now)) = (self.grows, surroundings::now()) {
            let after = (self.from.size, self.from.commit.as_str());
            let _ = self.index.append(&Batch { after, entries, state, now });
        }
    }
}

/// The commits of the entries from one position to another.
fn commits(view: &View, from: u64, to: u64) -> Result<Vec<Oid>, Trouble> {
    let mut commits = Vec::new();
    for seq in from..to {
        let line = view.line(seq).map_err(Reason::from)?.ok_or(Fault::Damaged("an entry is missing"))?;
        commits.push(parse_oid(line.commit.as_bytes()).ok_or(Fault::Damaged("a commit's name"))?);
    }
    Ok(commits)
}

/// A tip that the index knows.
fn within(repo: &Repository, view: View, size: u64) -> Result<Known, Trouble> {
    let view = view.up_to(size);
    let from = view.resume(size)?;
    let mut state = from.state;
    let left = commits(&view, from.size, size)?;
    held(repo, &mut state, &left, None)?;
    Ok(Known { state, view })
}

/// Verifies the commits behind the end of the index, and appends them to it.
fn grow(repo: &Repository, index: &Index, chain: &[Oid], mend: Option<Box<Mend>>) -> Result<Known, Trouble> {
    let mut seen = index.view(None)?;
    let mut from = seen.resume(u64::MAX)?;
    for batch in chain.chunks(BATCH) {
        let mut entries = Vec::new();
        let holds = held(repo, &mut from.state, batch, Some(&mut entries));
        seen.sound()?;
        holds?;
        let now = surroundings::now()?;
        let after = (from.size, from.commit.as_str());
        let written = index.append(&Batch { after, entries: &entries, state: &from.state, now })?;
        if written == Written::Elsewhere {
            return Err(Fault::Busy.into());
        }
        // Nobody may read the moment before when the next view is opened: it moves the log into the file then, and a log
        // that is never moved takes many times the file's size.
        drop((from, seen));
        seen = index.view(None)?;
        from = seen.resume(u64::MAX)?;
    }
    let size = from.size;
    drop((from, seen));
    let view = index.view(mend)?.up_to(size);
    let end = view.resume(size)?;
    match chain.last().map(Oid::to_string) == Some(end.commit) {
        true => Ok(Known { state: end.state, view }),
        // Another program moved it meanwhile.
        false => Err(Fault::Busy.into()),
    }
}

fn held(
    repo: &Repository,
    state: &mut State,
    entries: &[Oid],
    listed: Option<&mut Vec<Listed>>,
) -> Result<(), Failure> {
    let verdict = fold(repo, state, entries, listed)?;
    if verdict.accepted() { Ok(()) } else { Err(verdict.into()) }
}

/// Appends an entry that was appended to the ledger. Where that fails the next verb makes up for it: the entry stands on
/// the ledger, and is acknowledged.
pub(super) fn remember(
    repo: &Repository,
    ledger: &LedgerRef,
    before: Option<Oid>,
    entry: Listed,
    state: &State,
    now: Timestamp,
) {
    let commit = before.map_or(String::new(), |oid| oid.to_string());
    if let Ok(index) = Index::open(&repo.notes_dir(), ledger.name()) {
        let (after, entries) = ((entry.seq, commit.as_str()), [entry]);
        let _ = index.append(&Batch { after, entries: &entries, state, now });
    }
}
