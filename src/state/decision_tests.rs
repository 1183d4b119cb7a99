//! What owners, operators and auditors decide, each refusal with its accepting twin.

use super::fixture::*;
use super::*;
use crate::statement::{
    Begin, Claim, Genesis, KeyChange, KeyEnd, KeyEntry, KeyRevocation, Note, POLICY_FILE, PolicyChange, Void,
};

type Files = BTreeMap<String, Vec<u8>>;
/// Makes the files of an entry that these sign.
type Make<'a> = &'a dyn Fn(&[u8]) -> Files;

pub(super) fn bare(book: &Book, n: u8, claim: Claim, by: &[u8]) -> Files {
    let statement = Statement::bare(book.id(), nonce(n), claim).expect("a statement");
    signed(&statement, by, BTreeMap::new())
}

pub(super) fn policy_files(book: &Book, n: u8, policy: &Policy, by: &[u8]) -> Files {
    let change = PolicyChange { id: "policy-1".parse().expect("a label") };
    let statement = Statement::policy(book.id(), nonce(n), change, policy.digest()).expect("a statement");
    signed(&statement, by, BTreeMap::from([(POLICY_FILE.to_owned(), policy.bytes().to_vec())]))
}

pub(super) fn codes(book: &Book, files: &Files, by: u8) -> Vec<Code> {
    let admission = book.state.admit(&verified(&book.next(files.clone(), by, 100)), Some(&facts()));
    admission.into_verdict().reasons().iter().map(|r| r.code).collect()
}

pub(super) fn add(who: u8, roles: &[Role]) -> Claim {
    Claim::Key(KeyChange::Add(Box::new(key(who, roles))))
}

pub(super) fn retire(who: u8) -> Claim {
    Claim::Key(KeyChange::Retire(KeyEnd { key: print(who), name: name(who) }))
}

pub(super) fn revoke(who: u8, last_valid_seq: u64) -> Claim {
    Claim::Key(KeyChange::Revoke(KeyRevocation { key: print(who), last_valid_seq, name: name(who) }))
}

pub(super) fn begin(grant: Digest) -> Claim {
    Claim::Begin(Begin { grant, id: "begin-1".parse().expect("a label"), number: None })
}

pub(super) fn void(of: Digest) -> Claim {
    Claim::Void(Void {
        id: "void-1".parse().expect("a label"),
        numbers: None,
        of: Some(of),
        reason: "a mistake".to_owned(),
    })
}

pub(super) fn note(of: Digest, confirms: bool) -> Claim {
    let (id, text) = ("note-1".parse().expect("a label"), "seen".to_owned());
    Claim::Note(Note { confirms, id, of, text })
}

pub(super) fn with_rules(rules: &str) -> Policy {
    let text = String::from_utf8(Policy::DEFAULT.to_vec()).expect("UTF-8");
    Policy::parse(text.replacen("[validator]", &format!("[ledger]\n{rules}\n\n[validator]"), 1).as_bytes())
        .expect("a policy")
}

/// A ledger whose decisions need two owners.
fn two_owners() -> Book {
    let mut book = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
    let files = book.genesis_files(Genesis { owner_threshold: 2, ..genesis() }, &[ANN]);
    book.append(files, ANN);
    book
}

#[test]
fn keys_policy_and_grants_need_enough_distinct_owners() {
    let book = two_owners();
    let tighter = with_rules("require_begin = true");
    let makers: [Make<'_>; 3] = [
        &|by| bare(&book, 1, add(MAL, &[Role::Operator]), by),
        &|by| policy_files(&book, 1, &tighter, by),
        &|by| book.grant_files(1, grant("grant-1", BOB), by),
    ];
    for make in makers {
        assert_eq!(codes(&book, &make(&[ANN]), ANN), [Code::RoleMissing]);
        assert_eq!(codes(&book, &make(&[ANN, ABE]), ABE), []);
        assert_eq!(codes(&book, &make(&[ANN, BOB]), ANN), [Code::RoleMissing, Code::RoleMissing]);
        assert_eq!(codes(&book, &make(&[ANN, MAL]), ANN), [Code::KeyUnknown, Code::RoleMissing]);
    }
}

#[test]
fn a_key_counts_from_the_entry_after_it_was_added() {
    let mut book = Book::new();
    let own = bare(&book, 1, add(MAL, &[Role::Owner]), &[MAL]);
    assert!(codes(&book, &own, MAL).contains(&Code::KeyUnknown), "nobody adds the own key");
    for taken in [
        add(BOB, &[Role::Auditor]),
        Claim::Key(KeyChange::Add(Box::new(KeyEntry { name: name(BOB), ..key(MAL, &[Role::Operator]) }))),
    ] {
        assert!(codes(&book, &bare(&book, 1, taken, &[ANN]), ANN).contains(&Code::KeyChangeInvalid));
    }
    let before = book.grant_files(2, grant("grant-1", MAL), &[ANN]);
    assert_eq!(codes(&book, &before, ANN), [Code::KeyUnknown]);
    book.append(bare(&book, 1, add(MAL, &[Role::Operator]), &[ANN]), ANN);
    assert_eq!(codes(&book, &book.grant_files(2, grant("grant-1", MAL), &[ANN]), ANN), []);
    let sample = KeyEntry {
        public: crate::keys::sample_secret("operator").expect("a sample").public().clone(),
        ..key(KIM, &[Role::Operator])
    };
    let sample = KeyEntry { name: "sam".parse().expect("a label"), ..sample };
    let files = bare(&book, 3, Claim::Key(KeyChange::Add(Box::new(sample))), &[ANN]);
    assert_eq!(codes(&book, &files, ANN), [Code::SampleKey]);
}

#[test]
fn owners_never_fall_below_the_threshold() {
    let mut book = two_owners();
    // Ann, abe and zoe own it, and two must agree.
    book.append(bare(&book, 1, retire(ZOE), &[ANN, ABE]), ANN);
    assert_eq!(codes(&book, &bare(&book, 2, retire(ABE), &[ANN, ABE]), ANN), [Code::KeyChangeInvalid]);
    assert_eq!(codes(&book, &bare(&book, 2, revoke(ABE, 1), &[ANN, ABE]), ANN), [Code::KeyChangeInvalid]);
    assert_eq!(codes(&book, &bare(&book, 2, retire(BOB), &[ANN, ABE]), ANN), []);
    book.append(bare(&book, 2, add(MAL, &[Role::Owner]), &[ANN, ABE]), ANN);
    assert_eq!(codes(&book, &bare(&book, 3, retire(ABE), &[ANN, ABE]), ANN), []);
}

#[test]
fn a_retired_key_counts_no_more_whatever_date_it_writes() {
    let mut book = Book::new();
    let leaf = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    book.append(bare(&book, 2, retire(BOB), &[ANN]), ANN);
    let late = book.run_files(3, run("run-1", leaf, None), &[BOB]);
    assert_eq!(codes(&book, &late, BOB), [Code::KeyEnded]);
    assert_eq!(codes(&book, &bare(&book, 3, retire(BOB), &[ANN]), ANN), [Code::KeyChangeInvalid]);
    assert!(book.state.suspects().is_empty(), "an orderly end makes nothing suspect");
}

#[test]
fn what_a_stolen_key_signed_is_suspect_until_an_auditor_confirms_it() {
    let mut book = Book::new();
    let leaf = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    let stolen = book.append(book.grant_files(2, grant("grant-2", BOB), &[ZOE]), ZOE);
    assert_eq!(codes(&book, &bare(&book, 3, revoke(ZOE, 3), &[ANN]), ANN), [Code::KeyChangeInvalid]);
    book.append(bare(&book, 3, revoke(ZOE, 1), &[ANN]), ANN);
    assert_eq!(book.state.suspects().keys().copied().collect::<Vec<_>>(), [2]);
    assert!(book.state.findings().has(Code::EntrySuspect));
    let rehearse =
        |book: &Book, grant| codes(book, &book.run_files(9, run("run-1", grant, None), &[BOB]), BOB);
    assert_eq!(rehearse(&book, stolen), [Code::EntrySuspect]);
    assert_eq!(rehearse(&book, leaf), []);
    let confirm = |book: &Book, of, by| codes(book, &bare(book, 4, note(of, true), &[by]), by);
    assert_eq!(confirm(&book, stolen, BOB), [Code::RoleMissing]);
    assert_eq!(confirm(&book, leaf, KIM), [Code::CorrectionInvalid], "it is not suspect");
    assert_eq!(confirm(&book, Digest::of(b"none"), KIM), [Code::CorrectionInvalid]);
    book.append(bare(&book, 4, note(stolen, false), &[KIM]), KIM);
    assert!(!book.state.suspects().is_empty(), "a note alone confirms nothing");
    book.append(bare(&book, 5, note(stolen, true), &[KIM]), KIM);
    assert!(book.state.suspects().is_empty() && book.state.findings().accepted());
    assert_eq!(rehearse(&book, stolen), []);
}

#[test]
fn a_policy_change_tightens_or_is_refused_with_what_it_loosens() {
    let mut book = Book::new();
    let tighter = with_rules("require_begin = true\nmin_independent_reruns = 1");
    book.append(policy_files(&book, 1, &tighter, &[ANN]), ANN);
    assert_eq!(book.state.policy().map(Policy::digest), Some(tighter.digest()));
    // The old document again: a rollback of the policy.
    let back = policy_files(&book, 2, &Policy::default_policy(), &[ANN]);
    let admission = book.state.admit(&verified(&book.next(back, ANN, 100)), None).into_verdict();
    let loosened: Vec<&str> = admission.reasons().iter().map(|r| r.object.as_str()).collect();
    assert_eq!(loosened, ["policy.toml ledger.require_begin", "policy.toml ledger.min_independent_reruns"]);
}

#[test]
fn a_begun_rehearsal_is_missed_until_it_is_recorded_or_voided() {
    let mut book = Book::new();
    let leaf = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    let files = bare(&book, 2, begin(leaf), &[BOB]);
    assert_eq!(codes(&book, &bare(&book, 2, begin(leaf), &[EVE]), EVE), [Code::GrantMismatch]);
    assert_eq!(codes(&book, &bare(&book, 2, begin(Digest::of(b"none")), &[BOB]), BOB), [Code::GrantMissing]);
    let begun = book.append(files, BOB);
    assert!(book.state.findings().has(Code::RunOpen));
    assert_eq!(codes(&book, &bare(&book, 3, begin(leaf), &[BOB]), BOB), [Code::CorrectionInvalid]);
    let rehearsal = |begin| crate::statement::Rehearsal { begin, ..run("run-1", leaf, None) };
    let record = |book: &Book, begin| codes(book, &book.run_files(4, rehearsal(begin), &[BOB]), BOB);
    assert_eq!(record(&book, None), [Code::BeginMissing], "the begin is not left out");
    assert_eq!(record(&book, Some(leaf)), [Code::BeginMissing]);
    assert_eq!(record(&book, Some(begun)), []);
    let mut voided = book.clone();
    assert_eq!(codes(&book, &bare(&book, 3, void(begun), &[EVE]), EVE), [Code::RoleMissing]);
    voided.append(bare(&voided, 3, void(begun), &[BOB]), BOB);
    assert!(voided.state.findings().accepted());
    assert_eq!(record(&voided, Some(begun)), [Code::BeginMissing]);
    assert_eq!(record(&voided, None), []);
    book.append(book.run_files(4, rehearsal(Some(begun)), &[BOB]), BOB);
    assert!(book.state.findings().accepted());
}

#[test]
fn a_policy_may_require_a_begin() {
    let mut book = Book::new();
    let tighter = with_rules("require_begin = true");
    book.append(policy_files(&book, 1, &tighter, &[ANN]), ANN);
    let leaf = book.append(book.grant_files(2, grant("grant-1", BOB), &[ANN]), ANN);
    let under = PacketFacts { policy: tighter.digest(), ..facts() };
    let record = |book: &Book, begin| {
        let claim = crate::statement::Rehearsal { begin, ..run("run-1", leaf, None) };
        let entry = book.next(book.run_files(4, claim, &[BOB]), BOB, 100);
        let verdict = book.state.admit(&verified(&entry), Some(&under)).into_verdict();
        verdict.reasons().iter().map(|r| r.code).collect::<Vec<_>>()
    };
    assert_eq!(record(&book, None), [Code::BeginMissing]);
    let begun = book.append(bare(&book, 3, begin(leaf), &[BOB]), BOB);
    assert_eq!(record(&book, Some(begun)), []);
}

#[test]
fn what_is_void_counts_no_more_and_its_grant_stays_spent() {
    let mut book = Book::full();
    let (grant_leaf, run_leaf, rerun_leaf) = (book.leaves[1], book.leaves[2], book.leaves[3]);
    let refused = |book: &Book, of, by: u8| codes(book, &bare(book, 9, void(of), &[by]), by);
    assert_eq!(refused(&book, grant_leaf, ANN), [Code::CorrectionInvalid], "a used grant");
    assert_eq!(refused(&book, book.leaves[0], ANN), [Code::CorrectionInvalid], "a genesis");
    assert_eq!(refused(&book, run_leaf, EVE), [Code::RoleMissing], "somebody else's rehearsal");
    assert_eq!(refused(&book, run_leaf, BOB), []);
    book.append(bare(&book, 9, void(rerun_leaf), &[EVE]), EVE);
    assert_eq!(book.state.counts().independent_reruns, 0);
    assert_eq!(refused(&book, rerun_leaf, EVE), [Code::CorrectionInvalid, Code::Replayed]);
    book.append(bare(&book, 10, void(run_leaf), &[ANN]), ANN);
    let record = book.state.rehearsal(&run_leaf).expect("read").expect("there");
    assert_eq!(record.void, Some(5));
    let rerun = book.run_files(11, run("run-9", grant_leaf, Some(run_leaf)), &[EVE]);
    assert_eq!(codes(&book, &rerun, EVE), [Code::CorrectionInvalid]);
    let again = book.run_files(11, run("run-9", grant_leaf, None), &[BOB]);
    assert_eq!(codes(&book, &again, BOB), [Code::GrantSpent]);
}

#[test]
fn an_unused_grant_is_revoked_by_owners() {
    let mut book = Book::new();
    let leaf = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    assert!(codes(&book, &bare(&book, 2, void(leaf), &[BOB]), BOB).contains(&Code::RoleMissing));
    let files = book.run_files(3, run("run-1", leaf, None), &[BOB]);
    assert_eq!(codes(&book, &files, BOB), []);
    book.append(bare(&book, 2, void(leaf), &[ANN]), ANN);
    assert_eq!(codes(&book, &files, BOB), [Code::GrantMissing]);
    assert!(book.state.open_grants(&print(BOB)).expect("read").is_empty());
}

/// What of a state is stored.
fn stored_form(state: &State) -> String {
    serde_json::to_string(&(state.summary(), state.records().added())).expect("JSON")
}

mod replay {
    use super::*;
    use proptest::prelude::*;

    /// One attempt to append: what, by whom; most of them do not hold.
    fn attempt(book: &Book, n: u8, what: u8, who: u8, target: usize) -> Files {
        let leaf = book.leaves[target % book.leaves.len()];
        let label = format!("run-{n}");
        let claim = match what {
            0 | 1 => return book.grant_files(n, grant(&format!("grant-{}", n % 20), BOB), &[who]),
            2 => return book.run_files(n, run(&label, leaf, None), &[who]),
            3 => {
                let begin = book.state.open_begins().keys().next().copied();
                return book.run_files(
                    n,
                    crate::statement::Rehearsal { begin, ..run(&label, leaf, None) },
                    &[who],
                );
            }
            4 => return book.run_files(n, run(&label, book.leaves[1], Some(leaf)), &[who]),
            5 => begin(leaf),
            6 => void(leaf),
            7 => note(leaf, n.is_multiple_of(2)),
            8 => add(MAL, &[Role::Operator]),
            9 => retire(if n.is_multiple_of(2) { EVE } else { ZOE }),
            10 => revoke(if n.is_multiple_of(2) { BOB } else { ZOE }, target as u64),
            _ => return policy_files(book, n, &with_rules("min_independent_reruns = 0"), &[who]),
        };
        bare(book, n, claim, &[who])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn an_inadmissible_entry_changes_nothing_and_the_rest_replays(
            attempts in proptest::collection::vec((0u8..12, 1u8..8, 0usize..12), 1..24)
        ) {
            let mut book = Book::new();
            book.append(book.grant_files(200, grant("grant-200", BOB), &[ANN]), ANN);
            for (n, (what, who, target)) in attempts.into_iter().enumerate() {
                let files = attempt(&book, n as u8 + 1, what, who, target);
                let entry = verified(&book.next(files.clone(), who, 100));
                let before = (stored_form(&book.state), book.state.next_seq());
                let packet = PacketFacts { policy: book.state.policy_digest(), ..facts() };
                let facts = entry.statement().kind().has_packet().then_some(&packet);
                if book.state.apply(&entry, facts).accepted() {
                    prop_assert_eq!(book.state.next_seq(), before.1 + 1);
                    prop_assert!(book.state.summary().is_consistent());
                    book.entries.push(book_entry(&entry, files));
                    book.leaves.push(entry.leaf_hash());
                } else {
                    prop_assert_eq!(stored_form(&book.state), before.0);
                }
            }
            let mut again = State::default();
            for stored in &book.entries {
                let entry = verified(stored);
                let packet = PacketFacts { policy: again.policy_digest(), ..facts() };
                let facts = entry.statement().kind().has_packet().then_some(&packet);
                prop_assert!(again.apply(&entry, facts).accepted());
            }
            prop_assert_eq!(stored_form(&again), stored_form(&book.state));
        }
    }

    fn book_entry(entry: &crate::entry::VerifiedEntry, files: Files) -> crate::entry::StoredEntry {
        stored(entry.entry().clone(), files)
    }
}
