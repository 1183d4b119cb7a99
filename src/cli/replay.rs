//! The state of a ledger here: replayed from the last head that this clone verified.
//!
//! Owns: the note of the last verified state, beside the repository. It only spares repeated work in the
//! clone of whoever runs the verb; `verify` never reads it. Must not: let an entry count that does not hold.

use std::fs;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::place::Place;
use super::surroundings;
use crate::digest::Digest;
use crate::entry::{Checked, StoredEntry, check};
use crate::judge::{self, Judge};
use crate::ledger::{LedgerRef, Oid, Reader, Repository, parse_oid};
use crate::packet::Files;
use crate::policy::Policy;
use crate::state::{Added, PacketFacts, Records, State, Summary};
use crate::statement::{PACKET_DIR, Statement};
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::{EntryFiles, Options, Packets, Step, Verifier};

/// Entries read and checked at a time: bounds the memory, keeps every core busy.
const BATCH: usize = 256;
/// Largest note in bytes: it holds every grant and name of the ledger.
const MAX_NOTE_BYTES: u64 = 256 << 20;

/// The note.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    commit: String,
    summary: Summary,
    records: Added,
}

/// The state at the ledger's tip. Every entry that was not verified here before is verified now.
pub(super) fn trusted(place: &Place) -> Result<(State, Oid), Failure> {
    let (repo, ledger, tip) = place.existing()?;
    let state = at(&repo, &ledger, &tip)?;
    Ok((state, tip))
}

/// The state at `tip`.
pub(super) fn at(repo: &Repository, ledger: &LedgerRef, tip: &Oid) -> Result<State, Failure> {
    let (mut state, known) = recalled(repo, ledger).unwrap_or_default();
    if known == Some(*tip) {
        return Ok(state);
    }
    let reader = repo.reader();
    let since = match known {
        Some(known) => reader.read_chain_since(tip, &known, usize::MAX)?,
        None => None,
    };
    let fresh = match since {
        Some(fresh) => fresh,
        None => {
            state = State::default();
            reader.read_chain(tip)?
        }
    };
    let verdict = fold(repo, &mut state, &fresh)?;
    if !verdict.accepted() {
        return Err(verdict.into());
    }
    remember(repo, ledger, &state, *tip)?;
    Ok(state)
}

/// Folds entries into the state, oldest first; stops at the first that does not hold.
pub(super) fn fold(repo: &Repository, state: &mut State, entries: &[Oid]) -> Result<Verdict, Failure> {
    let mut verifier = Verifier::resume(std::mem::take(state), Options::default());
    feed(repo, &mut verifier, entries, true, &mut |_| {});
    let held = !verifier.stopped();
    let (report, after) = verifier.finish();
    *state = after;
    // That nothing was pinned or remembered is said by `verify`; here only what the entries show counts.
    let steps = report.checks.iter().filter(|check| check.name != Step::Completeness);
    let verdict: Verdict = steps.flat_map(|check| check.reasons.iter().cloned()).collect();
    match held || !verdict.accepted() {
        true => Ok(verdict),
        false => Err(Failure::because(Code::EntryMalformed, "an entry", "it does not hold")),
    }
}

/// Reads, checks and judges entries on every core, and hands them to the verifier in order.
pub(super) fn feed(
    repo: &Repository,
    verifier: &mut Verifier,
    entries: &[Oid],
    judged: bool,
    progress: &mut dyn FnMut(usize),
) {
    verifier.announce(entries.len() as u64);
    let mut rest = entries;
    let mut judge: Option<Judge> = None;
    while !rest.is_empty() && !verifier.stopped() {
        // The first entry alone: it brings the policy that the others are judged under.
        let size = if verifier.state().policy().is_none() { 1 } else { BATCH };
        let (batch, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let policy = verifier.state().policy().filter(|_| judged);
        if judge.as_ref().map(|judge| judge.policy().digest()) != policy.map(Policy::digest) {
            judge = policy.map(Judge::new);
        }
        let read: Vec<_> = batch
            .par_iter()
            .map_init(|| repo.reader(), |reader, oid| Looked::at(reader, oid, judge.as_ref()))
            .collect();
        for looked in read {
            match looked {
                Ok(looked) => looked.hand_to(verifier, judged),
                Err(reason) => verifier.note(Step::Object, reason.into()),
            }
        }
        progress(batch.len());
    }
}

/// An entry with everything that could be found out about it without the entries before.
struct Looked {
    stored: StoredEntry,
    checked: Checked,
    facts: Option<Result<PacketFacts, Verdict>>,
    /// The judgement, and the policy that it was made under.
    judged: Option<(Digest, Verdict)>,
}

/// Checks and judges entries that stand in no repository, and hands them to the verifier in order.
pub(super) fn feed_stored(verifier: &mut Verifier, entries: Vec<StoredEntry>, judged: bool) {
    let judge = verifier.state().policy().filter(|_| judged).map(Judge::new);
    let looked: Vec<Looked> =
        entries.into_par_iter().map(|stored| Looked::of(stored, judge.as_ref())).collect();
    looked.into_iter().for_each(|looked| looked.hand_to(verifier, judged));
}

impl Looked {
    fn at(reader: &Reader, oid: &Oid, judge: Option<&Judge>) -> Result<Looked, Reason> {
        Ok(Looked::of(reader.read_entry(oid).map_err(|error| error.reason())?, judge))
    }

    fn of(stored: StoredEntry, judge: Option<&Judge>) -> Looked {
        let checked = check(&stored);
        let statement = checked.verified.as_ref().map(|verified| verified.statement());
        let packet = statement.filter(|s| s.kind().has_packet()).map(|_| packet(&stored.files));
        let facts = packet.as_ref().map(|(packet, _)| judge::packet_facts(packet));
        let judged = match (judge, statement) {
            (Some(judge), Some(statement)) => {
                let verdict = match packet {
                    Some(packet) => judged_packet(judge, statement, packet),
                    None => judge.statement(statement, &stored.files),
                };
                Some((judge.policy().digest(), verdict))
            }
            _ => None,
        };
        Looked { stored, checked, facts, judged }
    }

    fn hand_to(self, verifier: &mut Verifier, judged: bool) {
        let Looked { stored, checked, facts, judged: before } = self;
        let judge = |state: &State, statement: &Statement, files: &EntryFiles| {
            let Some(policy) = state.policy() else { return Verdict::default() };
            match &before {
                Some((digest, verdict)) if *digest == policy.digest() => verdict.clone(),
                _ => alone(&Judge::new(policy), statement, files),
            }
        };
        let facts = |files: &EntryFiles| match &facts {
            Some(found) => found.clone(),
            None => judge::packet_facts(&packet(files).0),
        };
        verifier.push(&stored, checked, Packets { facts: &facts, judge: judged.then_some(&judge) });
    }
}

/// What can be judged of an entry without the entries before it; what needs them, `state` asks.
pub(super) fn alone(judge: &Judge, statement: &Statement, files: &EntryFiles) -> Verdict {
    match statement.kind().has_packet() {
        true => judged_packet(judge, statement, packet(files)),
        false => judge.statement(statement, files),
    }
}

fn judged_packet(judge: &Judge, statement: &Statement, packet: (Files, Verdict)) -> Verdict {
    let (packet, mut verdict) = packet;
    verdict.merge(judge.packet(Some(statement), &packet));
    verdict
}

/// The packet in an entry's tree.
pub(super) fn packet(files: &EntryFiles) -> (Files, Verdict) {
    Files::collect(
        files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(PACKET_DIR)?, bytes.clone()))),
    )
}

/// The ledger's id.
pub(super) fn ledger_id(state: &State) -> Result<Digest, Failure> {
    let absent = || Failure::because(Code::LedgerAbsent, "the ledger", "it has no genesis");
    state.ledger().map(|ledger| ledger.id).ok_or_else(absent)
}

fn note_path(repo: &Repository, ledger: &LedgerRef) -> PathBuf {
    repo.notes_dir().join(format!("state-{}.json", ledger.name()))
}

/// Notes the state, so that the next verb starts from it.
pub(super) fn remember(
    repo: &Repository,
    ledger: &LedgerRef,
    state: &State,
    tip: Oid,
) -> Result<(), Failure> {
    let records = state.records().added().clone();
    let note = Note { commit: tip.to_string(), summary: state.summary().clone(), records };
    let path = note_path(repo, ledger);
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    let bytes = serde_json::to_vec(&note).map_err(|e| failed(e.into()))?;
    fs::create_dir_all(repo.notes_dir()).map_err(failed)?;
    // Lost in a crash it is only made again, so it is renamed into place but not flushed.
    let mut file = tempfile::Builder::new().prefix("state-").tempfile_in(repo.notes_dir()).map_err(failed)?;
    std::io::Write::write_all(&mut file, &bytes).map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// The noted state, where the note is this user's own and can be one at all.
fn recalled(repo: &Repository, ledger: &LedgerRef) -> Option<(State, Option<Oid>)> {
    let path = note_path(repo, ledger);
    let facts = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = facts.uid() == rustix::process::geteuid().as_raw();
        if !own || facts.mode() & 0o022 != 0 {
            return None;
        }
    }
    let _ = &facts;
    let note: Note = serde_json::from_slice(&surroundings::read(&path, MAX_NOTE_BYTES).ok()?).ok()?;
    let tip = parse_oid(note.commit.as_bytes())?;
    let state = State::resume(note.summary, Records::of(note.records));
    state.summary().is_consistent().then_some((state, Some(tip)))
}
