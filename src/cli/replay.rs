//! Replaying entries: read, checked and judged on every core, and folded into the state in order.
//!
//! Must not: let an entry count that does not hold. Where a replay begins, `recall` knows.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::answer::Failure;
pub(super) use super::recall::{at, trusted};
use crate::digest::Digest;
use crate::entry::{Checked, StoredEntry, check};
use crate::index::Listed;
use crate::judge::{self, Judge, Maps};
use crate::ledger::{Oid, Reader, Repository};
use crate::packet::Files;
use crate::policy::Policy;
use crate::state::{PacketFacts, State};
use crate::statement::{PACKET_DIR, Statement};
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::{EntryFiles, Options, Packets, Step, Verifier};

/// Entries read and checked at a time: bounds the memory, keeps every core busy.
const BATCH: usize = 256;
/// Entries that a core takes at once: few, so that none waits long for the others at the end of a batch.
const SHARE: usize = 4;

/// Folds entries into the state, oldest first; stops at the first that does not hold.
/// What the index keeps of each goes to `listed`.
pub(super) fn fold(
    repo: &Repository,
    state: &mut State,
    entries: &[Oid],
    listed: Option<&mut Vec<Listed>>,
) -> Result<Verdict, Failure> {
    let mut verifier = Verifier::resume(std::mem::take(state), Options::default());
    feed(repo, &mut verifier, entries, true, listed, &mut |_| {});
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
    mut listed: Option<&mut Vec<Listed>>,
    progress: &mut dyn FnMut(usize),
) {
    verifier.announce(entries.len() as u64);
    let mut rest = entries;
    let mut judge: Option<Judge> = None;
    let readers = Readers::of(repo);
    let mut read: Vec<Result<Looked, Reason>> = Vec::new();
    while !read.is_empty() || !rest.is_empty() && !verifier.stopped() {
        let policy = verifier.state().policy().filter(|_| judged);
        if judge.as_ref().map(|judge| judge.policy().digest()) != policy.map(Policy::digest) {
            judge = policy.map(Judge::new);
        }
        // The first entry alone: it brings the policy that the others are judged under.
        let first = verifier.state().policy().is_none();
        let size = match (first, read.is_empty()) {
            (true, true) => 1,
            (true, false) => 0,
            (false, _) => BATCH,
        };
        let (batch, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let folded = read.len();
        // While one batch is folded in, which is one core's work, the next one is read.
        let judge = judge.as_ref();
        let (_, ahead) = rayon::join(
            || fold_in(verifier, read, judge, judged, listed.as_deref_mut()),
            || look_at(&readers, batch, judge),
        );
        read = ahead;
        progress(folded);
    }
}

fn look_at(readers: &Readers, batch: &[Oid], judge: Option<&Judge>) -> Vec<Result<Looked, Reason>> {
    let look = |oid: &Oid| Ok(Looked::of(readers.read_entry(oid)?, judge, &readers.maps));
    batch.par_iter().with_max_len(SHARE).map(look).collect()
}

/// A reader for each core, made once: each opens what it needs of the packs. And what all of them have read.
struct Readers {
    by_core: Vec<Mutex<Reader>>,
    maps: Maps,
}

impl Readers {
    fn of(repo: &Repository) -> Readers {
        let by_core = (0..rayon::current_num_threads()).map(|_| Mutex::new(repo.reader())).collect();
        Readers { by_core, maps: Maps::default() }
    }

    /// Reads with the core's own reader, held for no longer: what judges an entry may take up another one meanwhile.
    fn read_entry(&self, oid: &Oid) -> Result<StoredEntry, Reason> {
        let core = rayon::current_thread_index().unwrap_or(0) % self.by_core.len();
        let reader = self.by_core[core].lock().unwrap_or_else(PoisonError::into_inner);
        reader.read_entry(oid).map_err(|error| error.reason())
    }
}

fn fold_in(
    verifier: &mut Verifier,
    read: Vec<Result<Looked, Reason>>,
    judge: Option<&Judge>,
    judged: bool,
    mut listed: Option<&mut Vec<Listed>>,
) {
    for looked in read {
        match looked {
            Ok(looked) => looked.hand_to(verifier, judge, judged, listed.as_deref_mut()),
            Err(reason) => verifier.note(Step::Object, reason.into()),
        }
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
    let maps = Maps::default();
    let looked: Vec<Looked> =
        entries.into_par_iter().map(|stored| Looked::of(stored, judge.as_ref(), &maps)).collect();
    looked.into_iter().for_each(|looked| looked.hand_to(verifier, judge.as_ref(), judged, None));
}

impl Looked {
    fn of(stored: StoredEntry, judge: Option<&Judge>, maps: &Maps) -> Looked {
        let checked = check(&stored);
        let Some(statement) = checked.verified.as_ref().map(|verified| verified.statement()) else {
            return Looked { stored, checked, facts: None, judged: None };
        };
        let has_packet = statement.kind().has_packet();
        let judged = judge.map(|judge| {
            let verdict = match has_packet {
                true => judge.known_packet(statement).unwrap_or_else(|| {
                    judged_packet(judge, statement, verified_packet(statement, &stored.files, |_| true))
                }),
                false => judge.statement(statement, &stored.files),
            };
            (judge.policy().digest(), verdict)
        });
        let facts = has_packet.then(|| {
            let needed = |path: &str| judge::FACT_FILES.contains(&path);
            judge::packet_facts_among(&verified_packet(statement, &stored.files, needed).0, maps)
        });
        Looked { stored, checked, facts, judged }
    }

    fn hand_to(
        self,
        verifier: &mut Verifier,
        ready: Option<&Judge>,
        judged: bool,
        listed: Option<&mut Vec<Listed>>,
    ) {
        let Looked { stored, checked, facts, judged: before } = self;
        let judge = |state: &State, statement: &Statement, files: &EntryFiles| {
            let Some(policy) = state.policy() else { return Verdict::default() };
            let made;
            let judge = match ready {
                Some(ready) if ready.policy().digest() == policy.digest() => ready,
                _ => {
                    made = Judge::new(policy);
                    &made
                }
            };
            let mut verdict = match &before {
                Some((digest, verdict)) if *digest == policy.digest() => verdict.clone(),
                _ => alone(judge, statement, files),
            };
            verdict.merge(judge.beside(state, statement));
            verdict
        };
        let facts = |files: &EntryFiles| match &facts {
            Some(found) => found.clone(),
            None => judge::packet_facts(&packet(files).0),
        };
        let line = match (&listed, &checked.verified) {
            (Some(_), Some(verified)) => Some(Listed::of(&stored.oid, verified, &stored.files)),
            _ => None,
        };
        let before = verifier.state().next_seq();
        verifier.push(&stored, checked, Packets { facts: &facts, judge: judged.then_some(&judge) });
        if let (Some(listed), true) = (listed, verifier.state().next_seq() > before) {
            listed.extend(line);
        }
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

/// The files of the packet of an entry whose content holds: the statement's subjects are then their digests.
fn verified_packet(
    statement: &Statement,
    files: &EntryFiles,
    needed: impl Fn(&str) -> bool,
) -> (Files, Verdict) {
    let digest = |path: &str| statement.subjects().get(path).copied();
    Files::collect_digested(files.iter().filter_map(|(path, bytes)| {
        let inner = path.strip_prefix(PACKET_DIR).filter(|inner| needed(inner))?;
        Some((inner, bytes.clone(), digest(path)))
    }))
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
