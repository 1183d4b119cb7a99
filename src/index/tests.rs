//! The state through the index is the state by replay in memory, whatever the entries, and whatever befalls the file.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::merkle;
use crate::state::fixture::*;
use crate::state::{BlockerFacts, BlockerShape, Index as _, Once, PacketFacts, State};
use crate::statement::{Begin, Claim, KeyChange, KeyRevocation, Note, Statement, Void};
use crate::time::Timestamp;

type Files = BTreeMap<String, Vec<u8>>;

/// A ledger in memory and the same one in an index.
pub(super) struct Twins {
    pub(super) directory: tempfile::TempDir,
    pub(super) index: Index,
    pub(super) book: Book,
    /// The ledger after each number of entries.
    pub(super) past: Vec<Book>,
    pending: Vec<Listed>,
    pub(super) state: State,
    commit: String,
    serial: u8,
}

fn start() -> Timestamp {
    at(0)
}

impl Twins {
    fn new() -> Twins {
        let directory = tempfile::tempdir().expect("a directory");
        let index = Index::open(directory.path(), "main").expect("opens");
        let book = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
        let (past, state) = (vec![book.clone()], State::default());
        let mut twins = Twins {
            directory,
            index,
            book,
            past,
            pending: Vec::new(),
            state,
            commit: String::new(),
            serial: 0,
        };
        let files = twins.book.genesis_files(genesis(), &[ANN]);
        assert!(twins.append(files, ANN, None));
        twins
    }

    /// Appends to both, where the rules allow it; both say the same.
    fn append(&mut self, files: Files, by: u8, facts: Option<PacketFacts>) -> bool {
        let entry = self.book.next(files, by, self.book.entries.len() as i64);
        let verified = verified(&entry);
        let admitted = self.book.state.apply(&verified, facts.as_ref()).accepted();
        assert_eq!(self.state.apply(&verified, facts.as_ref()).accepted(), admitted);
        if admitted {
            self.pending.push(Listed::of(&entry.oid, &verified, &entry.files));
            self.book.entries.push(entry);
            self.book.leaves.push(verified.leaf_hash());
            self.past.push(self.book.clone());
        }
        admitted
    }

    /// Writes what is new, and goes on from the file.
    fn write(&mut self) {
        let after = (self.book.entries.len() - self.pending.len()) as u64;
        let batch =
            Batch { after: (after, &self.commit), entries: &self.pending, state: &self.state, now: start() };
        assert_eq!(self.index.append(&batch).expect("written"), Written::Done);
        self.pending.clear();
        self.resume();
    }

    pub(super) fn resume(&mut self) {
        let resumed = self.index.view(None).expect("opens").resume(u64::MAX).expect("a state");
        (self.state, self.commit) = (resumed.state, resumed.commit);
    }

    /// Takes the last entries back on both sides.
    fn rewind(&mut self, size: usize) -> bool {
        if !self.pending.is_empty() {
            self.write();
        }
        if !self.index.rewind(size as u64).expect("undone") {
            return false;
        }
        self.resume();
        let left = self.state.next_seq() as usize;
        assert!(left <= size);
        self.book = self.past[left].clone();
        self.past.truncate(left + 1);
        true
    }

    /// One entry of some kind about some earlier one.
    fn step(&mut self, kind: u8, pick: usize) {
        self.serial += 1;
        let (n, book) = (self.serial, &self.book);
        let of = book.leaves[pick % book.leaves.len()];
        let label = |what: &str| format!("{what}-{n}").parse().expect("a label");
        let bare = |claim, by| {
            let statement = Statement::bare(book.id(), nonce(n), claim).expect("a statement");
            signed(&statement, &[by], BTreeMap::new())
        };
        let operator = if pick.is_multiple_of(2) { BOB } else { EVE };
        let grants = book.state.open_grants(&print(operator)).expect("read");
        let granted = grants.get(pick % grants.len().max(1)).map(|(leaf, _)| *leaf);
        let blockers = BlockerFacts {
            map: Digest::of(&[n]),
            bare: Digest::of(&[n, n]),
            previous: Some(Digest::of(&[n.saturating_sub(1 + pick as u8 % 3)])),
            open: BTreeSet::from(["A".to_owned()]),
            shapes: BTreeMap::from([("A".to_owned(), BlockerShape::default())]),
            claims: Vec::new(),
        };
        let ran = Some(PacketFacts { blockers: (!pick.is_multiple_of(3)).then_some(blockers), ..facts() });
        let (files, by, facts) = match kind {
            0..=3 => (book.grant_files(n, grant(&format!("grant-{n}"), operator), &[ANN]), ANN, None),
            4..=6 => {
                let files =
                    book.run_files(n, run(&format!("run-{n}"), granted.unwrap_or(of), None), &[operator]);
                (files, operator, ran)
            }
            7 => {
                let rehearsed = book.state.rehearsals().expect("read");
                let Some((leaf, record)) = rehearsed.get(pick % rehearsed.len().max(1)) else { return };
                let claim = run(&format!("run-{n}"), record.grant, Some(*leaf));
                (book.run_files(n, claim, &[operator]), operator, ran)
            }
            8 => {
                let claim =
                    Claim::Begin(Begin { grant: granted.unwrap_or(of), id: label("begin"), number: None });
                (bare(claim, operator), operator, None)
            }
            9 => {
                let reason = "a mistake".to_owned();
                (
                    bare(Claim::Void(Void { id: label("void"), numbers: None, of: Some(of), reason }), ANN),
                    ANN,
                    None,
                )
            }
            10 => {
                let claim = Claim::Note(Note {
                    confirms: !pick.is_multiple_of(2),
                    id: label("note"),
                    of,
                    text: "seen".into(),
                });
                (bare(claim, KIM), KIM, None)
            }
            _ => {
                let end = KeyRevocation { key: print(EVE), last_valid_seq: pick as u64 % 9, name: name(EVE) };
                (bare(Claim::Key(KeyChange::Revoke(end)), ANN), ANN, None)
            }
        };
        self.append(files, by, facts);
    }

    /// Everything that can be asked has one answer, now and as of every earlier moment that the index resumes from.
    pub(super) fn compare(&self) {
        let view = self.index.view(None).expect("opens");
        assert_eq!(view.size() as usize + self.pending.len(), self.book.entries.len());
        same(&self.state, &self.book);
        for size in (0..=view.size()).rev().step_by(3) {
            let then = view.resume(size).expect("a state");
            assert!(then.size <= size);
            same(&then.state, &self.past[then.size as usize]);
        }
        for (seq, entry) in self.book.entries.iter().enumerate().take(view.size() as usize) {
            let line = view.line(seq as u64).expect("read").expect("there");
            assert_eq!((line.commit.as_str(), line.leaf), (entry.oid.as_str(), self.book.leaves[seq]));
            assert_eq!(view.position(&entry.oid).expect("read"), Some(seq as u64 + 1));
            assert_eq!(view.up_to(seq as u64).position(&entry.oid).expect("read"), None);
        }
        let leaves = &self.book.leaves[..view.size() as usize];
        for level in 0..6u8 {
            for (index, part) in leaves.chunks_exact(1 << level).enumerate() {
                assert_eq!(view.node(level, index as u64).expect("read"), merkle::root(part));
            }
        }
    }
}

/// Two states that nobody can tell apart.
pub(super) fn same(state: &State, book: &Book) {
    let text = |state: &State| serde_json::to_value(state.summary()).expect("JSON");
    assert_eq!(text(state), text(&book.state));
    let (one, other) = (state.records(), book.state.records());
    for leaf in book.leaves.iter().chain([&Digest::ZERO]) {
        assert_eq!(one.record(leaf).expect("read"), other.record(leaf).expect("read"));
    }
    let some = (0..=u8::MAX).step_by(5).flat_map(|n| [Once::nonce(nonce(n)), Once::map(&Digest::of(&[n]))]);
    for once in some.chain(other.added().used.iter().copied()) {
        assert_eq!(one.used(&once).expect("read"), other.used(&once).expect("read"));
    }
    for who in [ANN, BOB, EVE, KIM, MAL] {
        let open = |state: &State| state.open_grants(&print(who)).expect("read");
        assert_eq!(open(state), open(&book.state));
        for first in [0, 1, 5] {
            let seqs = one.signed(&print(who), first).expect("read");
            assert_eq!(seqs, other.signed(&print(who), first).expect("read"));
        }
    }
    assert_eq!(state.grants().expect("read"), book.state.grants().expect("read"));
    assert_eq!(state.rehearsals().expect("read"), book.state.rehearsals().expect("read"));
    assert_eq!(state.last_rehearsal().expect("read"), book.state.last_rehearsal().expect("read"));
}

fn grown(steps: &[(u8, usize)]) -> Twins {
    let mut twins = Twins::new();
    twins.write();
    for (kind, pick) in steps {
        match kind {
            12 => twins.write(),
            13 => {
                let size = (*pick).min(twins.book.entries.len());
                twins.rewind(size.max(1));
            }
            _ => twins.step(*kind, *pick),
        }
    }
    twins
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn the_state_through_the_index_is_the_state_by_replay(
        steps in prop::collection::vec((0u8..14, 0usize..40), 1..40),
    ) {
        let mut twins = grown(&steps);
        twins.compare();
        twins.write();
        twins.compare();
    }
}

/// Grants, rehearsals, reruns, a void, in several batches.
pub(super) fn usual() -> Twins {
    let round = [(0, 0), (4, 0), (12, 0), (7, 1), (1, 1), (0, 0), (5, 1), (12, 0), (9, 5), (2, 2)];
    let steps: Vec<(u8, usize)> =
        (0..3).flat_map(|n| round.map(|(kind, pick)| (kind, pick + 6 * n))).collect();
    let mut twins = grown(&steps);
    twins.write();
    let counts = twins.state.counts();
    assert!(counts.rehearsals > 2 && counts.void_grants > 0 && counts.independent_reruns > 0, "{counts:?}");
    twins.compare();
    twins
}

#[test]
fn batches_are_undone_backwards_and_no_further_than_they_reach() {
    let mut twins = usual();
    let size = twins.book.entries.len();
    for back in [0, 1, 4, 9] {
        assert!(twins.rewind(size - back));
        twins.compare();
    }
    twins.step(0, 2);
    twins.write();
    twins.compare();
    assert!(!twins.rewind(0), "the first batch has none before it");
    twins.compare();
}

#[test]
fn a_batch_behind_another_entry_is_not_written() {
    let twins = usual();
    let entry = Listed { seq: 0, ..twins.pending.first().cloned().unwrap_or_else(|| listed(&twins)) };
    for after in [(0, ""), (twins.book.entries.len() as u64, ""), (1, twins.commit.as_str())] {
        let batch = Batch { after, entries: std::slice::from_ref(&entry), state: &twins.state, now: start() };
        assert_eq!(twins.index.append(&batch).expect("read"), Written::Elsewhere);
    }
    twins.compare();
}

fn listed(twins: &Twins) -> Listed {
    let entry = &twins.book.entries[0];
    Listed::of(&entry.oid, &verified(entry), &entry.files)
}
