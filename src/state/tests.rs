use std::collections::BTreeSet;

use super::fixture::*;
use super::*;
use crate::keys::sample_secret;
use crate::statement::{Genesis, Grant};
use crate::verdict::Code;

/// The codes that speak against an entry made of these files.
fn codes(book: &Book, files: BTreeMap<String, Vec<u8>>, by: u8, facts: &PacketFacts) -> Vec<Code> {
    let entry = book.next(files, by, 100);
    let admission = book.state.admit(&verified(&entry), Some(facts));
    admission.into_verdict().reasons().iter().map(|r| r.code).collect()
}

fn granted() -> (Book, Digest) {
    let mut book = Book::new();
    let leaf = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    (book, leaf)
}

#[test]
fn a_ledger_grows_and_its_state_says_so() {
    let book = Book::full();
    assert_eq!(book.state.next_seq(), 4);
    assert_eq!(book.state.root(), crate::merkle::root(&book.leaves));
    assert_eq!(book.state.last_leaf(), book.leaves[3]);
    assert_eq!(book.state.ledger().map(|l| l.name.as_str()), Some("orders"));
    let (_, spent) = book.state.grants().expect("read").pop().expect("a grant");
    assert_eq!(spent.spent_by, Some(2));
    let (_, run) = book.state.rehearsals().expect("read").pop().expect("a rehearsal");
    assert_eq!((book.state.independent_reruns(&run), run.operator), (1, print(BOB)));
    assert!(book.state.summary().is_consistent());
}

#[test]
fn a_stored_state_is_read_back() {
    let book = Book::full();
    let bytes = serde_json::to_vec(&(book.state.summary(), book.state.records().added())).expect("JSON");
    let (summary, added): (Summary, Added) = serde_json::from_slice(&bytes).expect("reads");
    assert!(summary.is_consistent());
    assert_eq!(&added, book.state.records().added());
    let mut again = State::resume(summary, Records::of(added));
    assert_eq!(again.root(), book.state.root());
    let files = book.grant_files(9, grant("grant-9", BOB), &[ANN]);
    assert!(again.apply(&verified(&book.next(files, ANN, 100)), None).accepted());
}

#[test]
fn the_exported_signers_are_those_who_may_sign_entries() {
    let text = Book::new().state.allowed_signers();
    assert_eq!(text.lines().count(), 6);
    assert!(text.starts_with("abe namespaces=\"git\" ssh-ed25519 AAAA"), "{text}");
}

#[test]
fn only_an_owner_of_the_genesis_can_begin() {
    let empty = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
    let begin =
        |genesis, by: &[u8], committer| codes(&empty, empty.genesis_files(genesis, by), committer, &facts());
    assert_eq!(begin(genesis(), &[ANN], ANN), []);
    assert_eq!(begin(genesis(), &[ANN, ABE], ABE), []);
    assert_eq!(begin(genesis(), &[BOB], BOB), [Code::RoleMissing]);
    assert_eq!(begin(genesis(), &[MAL], MAL), [Code::KeyUnknown]);
    assert_eq!(begin(genesis(), &[ANN, MAL], ANN), [Code::KeyUnknown]);
}

#[test]
fn sample_keys_are_for_demo_ledgers() {
    let empty = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
    let mut with_sample = genesis();
    with_sample.keys[2].public = sample_secret("operator").expect("a sample").public().clone();
    let files = empty.genesis_files(with_sample.clone(), &[ANN]);
    assert_eq!(codes(&empty, files, ANN, &facts()), [Code::SampleKey]);
    with_sample.demo = true;
    assert_eq!(codes(&empty, empty.genesis_files(with_sample, &[ANN]), ANN, &facts()), []);
}

#[test]
fn a_second_genesis_is_refused() {
    let book = Book::new();
    let mut other = genesis();
    other.name = "other".parse().expect("a label");
    let found = codes(&book, book.genesis_files(other, &[ANN]), ANN, &facts());
    assert!(found.contains(&Code::ChainBroken) && found.contains(&Code::WrongLedger), "{found:?}");
}

#[test]
fn a_grant_needs_owners_who_are_not_its_operator_alone() {
    let book = Book::new();
    let issue = |operator, by: &[u8], committer| {
        codes(&book, book.grant_files(1, grant("grant-1", operator), by), committer, &facts())
    };
    assert_eq!(issue(BOB, &[ANN], ANN), []);
    assert_eq!(issue(ZOE, &[ANN], ANN), []);
    assert_eq!(issue(ZOE, &[ANN, ZOE], ZOE), [], "another owner agreed");
    assert_eq!(issue(ZOE, &[ZOE], ZOE), [Code::SelfIssued]);
    assert_eq!(issue(BOB, &[BOB], BOB), [Code::RoleMissing, Code::RoleMissing, Code::SelfIssued]);
    assert_eq!(issue(BOB, &[ANN, EVE], ANN), [Code::RoleMissing], "who signs a grant must be an owner");
    assert_eq!(issue(BOB, &[ANN, MAL], ANN), [Code::KeyUnknown]);
    assert_eq!(issue(ANN, &[ABE], ABE), [Code::RoleMissing], "ann is no operator");
    assert_eq!(issue(MAL, &[ANN], ANN), [Code::KeyUnknown]);
}

#[test]
fn a_threshold_counts_distinct_owners() {
    let mut book = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
    let two = Genesis { owner_threshold: 2, ..genesis() };
    book.append(book.genesis_files(two, &[ANN]), ANN);
    let issue = |by: &[u8]| codes(&book, book.grant_files(1, grant("grant-1", BOB), by), by[0], &facts());
    assert_eq!(issue(&[ANN]), [Code::RoleMissing]);
    assert_eq!(issue(&[ANN, ABE]), []);
}

#[test]
fn a_cosigner_whose_signature_does_not_hold_is_refused() {
    let book = Book::new();
    let mut files = book.grant_files(1, grant("grant-1", BOB), &[ANN, ABE]);
    let other = book.grant_files(2, grant("grant-2", BOB), &[ABE]);
    let theirs = crate::dsse::Signatures::parse(&other["statement.sig"]).expect("signatures");
    let own = book.grant_files(1, grant("grant-1", BOB), &[ANN]);
    let own = crate::dsse::Signatures::parse(&own["statement.sig"]).expect("signatures");
    assert_eq!(codes(&book, files.clone(), ANN, &facts()), []);
    files.insert("statement.sig".into(), own.joined(theirs).expect("two keys").to_bytes());
    assert_eq!(codes(&book, files, ANN, &facts()), [Code::SignatureInvalid]);
}

#[test]
fn a_rehearsal_consumes_one_grant_that_fits() {
    let (mut book, leaf) = granted();
    let rehearse = |book: &Book, grant, by, facts: &PacketFacts| {
        codes(book, book.run_files(2, run("run-1", grant, None), &[by]), by, facts)
    };
    assert_eq!(rehearse(&book, leaf, BOB, &facts()), []);
    assert_eq!(rehearse(&book, leaf, EVE, &facts()), [Code::GrantMismatch], "bob's grant");
    assert_eq!(rehearse(&book, leaf, ANN, &facts()), [Code::RoleMissing, Code::GrantMismatch]);
    assert_eq!(rehearse(&book, Digest::of(b"none"), BOB, &facts()), [Code::GrantMissing]);
    let other_source = PacketFacts { source: Digest::of(b"other"), ..facts() };
    assert_eq!(rehearse(&book, leaf, BOB, &other_source), [Code::GrantMismatch]);
    let other_plan = PacketFacts { plan: Digest::of(b"other"), ..facts() };
    assert_eq!(rehearse(&book, leaf, BOB, &other_plan), [], "the grant leaves the plan open");
    let other_tree = PacketFacts { packet_tree: Digest::of(b"other"), ..facts() };
    assert_eq!(rehearse(&book, leaf, BOB, &other_tree), [Code::ContentMismatch]);
    let other_policy = PacketFacts { policy: Digest::of(b"other"), ..facts() };
    assert_eq!(rehearse(&book, leaf, BOB, &other_policy), [Code::PolicyMismatch]);
    book.append(book.run_files(2, run("run-1", leaf, None), &[BOB]), BOB);
    let again = codes(&book, book.run_files(3, run("run-2", leaf, None), &[BOB]), BOB, &facts());
    assert_eq!(again, [Code::GrantSpent]);
    let unread = book.next(book.run_files(3, run("run-2", leaf, None), &[BOB]), BOB, 100);
    assert!(
        !book.state.admit(&verified(&unread), None).accepted(),
        "facts that nobody read never count as held"
    );
}

#[test]
fn a_grant_ends_by_position() {
    let mut book = Book::new();
    let ending = |last| Grant { expires_after_seq: Some(last), ..grant("grant-1", BOB) };
    let leaf = book.append(book.grant_files(1, ending(2), &[ANN]), ANN);
    let files = |book: &Book| book.run_files(9, run("run-1", leaf, None), &[BOB]);
    assert_eq!(codes(&book, files(&book), BOB, &facts()), []);
    book.append(book.grant_files(2, grant("grant-2", EVE), &[ANN]), ANN);
    assert_eq!(codes(&book, files(&book), BOB, &facts()), [Code::GrantMismatch]);
}

#[test]
fn a_rerun_names_a_rehearsal_its_grant_and_its_packet() {
    let book = Book::full();
    let (grant, of) = (book.leaves[1], book.leaves[2]);
    let rerun = |claim| codes(&book, book.run_files(9, claim, &[EVE]), EVE, &facts());
    assert_eq!(rerun(run("run-9", grant, Some(of))), []);
    assert_eq!(rerun(run("run-9", grant, Some(grant))), [Code::ChainBroken]);
    assert_eq!(rerun(run("run-9", of, Some(of))), [Code::GrantMismatch]);
}

#[test]
fn nothing_counts_twice() {
    let book = Book::full();
    let claim = |id| run(id, book.leaves[1], Some(book.leaves[2]));
    let found = |n, id| codes(&book, book.run_files(n, claim(id), &[EVE]), EVE, &facts());
    assert_eq!(found(3, "run-9"), [Code::Replayed], "a nonce");
    assert_eq!(found(9, "run-1"), [Code::Replayed], "a run's name");
    assert_eq!(found(9, "grant-1"), [], "a grant's name is free for a run");
    let again = codes(&book, book.grant_files(9, grant("grant-1", BOB), &[ANN]), ANN, &facts());
    assert_eq!(again, [Code::Replayed], "a grant's name");
}

#[test]
fn a_key_counts_between_its_positions() {
    let (mut book, leaf) = granted();
    let files = book.run_files(2, run("run-1", leaf, None), &[BOB]);
    let end = |book: &mut Book, last| {
        book.state.summary.keys.get_mut(&print(BOB)).expect("bob").last_valid_seq = Some(last);
    };
    end(&mut book, 2);
    assert_eq!(codes(&book, files.clone(), BOB, &facts()), []);
    assert!(book.state.may(&print(BOB), Role::Operator).accepted());
    end(&mut book, 1);
    assert_eq!(codes(&book, files, BOB, &facts()), [Code::KeyEnded]);
    assert!(book.state.may(&print(BOB), Role::Operator).has(Code::KeyEnded));
    assert!(book.state.may(&print(ANN), Role::Operator).has(Code::RoleMissing));
    assert!(book.state.may(&print(MAL), Role::Operator).has(Code::KeyUnknown));
}

#[test]
fn an_entry_of_another_ledger_or_place_is_refused() {
    let (book, _) = granted();
    let mut elsewhere = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
    let other = Genesis { name: "other".parse().expect("a label"), ..genesis() };
    elsewhere.append(elsewhere.genesis_files(other, &[ANN]), ANN);
    // The statement of one ledger at the same place of another.
    let entry = elsewhere.next(elsewhere.grant_files(7, grant("grant-7", BOB), &[ANN]), ANN, 100);
    let mut at_one = Book::new();
    let found = at_one.state.apply(&verified(&entry), None).into_verdict();
    assert!(found.has(Code::WrongLedger) && found.has(Code::ChainBroken) && found.has(Code::RootMismatch));
    assert_eq!(at_one.state.next_seq(), 1, "what is refused changes nothing");
    // The same entry twice.
    let again = book.entries[1].clone();
    let found = book.state.admit(&verified(&again), None).into_verdict();
    assert!(found.has(Code::ChainBroken) && found.has(Code::Replayed), "{found:?}");
    // Time goes forward.
    let files = book.grant_files(8, grant("grant-8", BOB), &[ANN]);
    let before = book.state.admit(&verified(&book.next(files.clone(), ANN, 0)), None).into_verdict();
    assert!(before.has(Code::ChainBroken));
    assert!(
        book.state.admit(&verified(&book.next(files, ANN, 1)), None).accepted(),
        "the same second is fine"
    );
}

#[test]
fn the_author_is_the_registered_name() {
    let book = Book::new();
    let files = book.grant_files(1, grant("grant-1", BOB), &[ANN]);
    let good = verified(&book.next(files.clone(), ANN, 100));
    let leaf = good.entry().leaf().clone();
    let parent = book.entries.last().map(|e| e.oid.parse().expect("an id"));
    let unsigned =
        crate::entry::Unsigned::new(git_id(7), parent, name(ABE), "grant-1".parse().expect("a label"), leaf);
    let forged = stored(unsigned.expect("fields").sign(&signer(ANN)).expect("signed"), files);
    assert!(book.state.admit(&verified(&forged), None).into_verdict().has(Code::EntryMalformed));
    assert!(book.state.admit(&good, None).accepted());
}

#[test]
fn a_blocker_map_continues_a_known_one_and_loses_no_blocker() {
    let (book, leaf) = granted();
    let map = |previous: Option<&[u8]>, open: &[&str]| PacketFacts {
        blockers: Some(BlockerFacts {
            map: Digest::of(b"map 1"),
            bare: Digest::of(previous.unwrap_or(b"none")),
            previous: previous.map(Digest::of),
            open: open.iter().map(|s| s.to_string()).collect::<BTreeSet<_>>(),
            shapes: BTreeMap::new(),
            claims: Vec::new(),
        }),
        ..facts()
    };
    let mut state = book.state.clone();
    let first = book.next(book.run_files(2, run("run-1", leaf, None), &[BOB]), BOB, 100);
    let first = verified(&first);
    assert!(state.apply(&first, Some(&map(Some(b"map 0"), &["A", "B"]))).accepted());
    assert_eq!(state.open_blockers().len(), 2);
    let after = Book { state, ..book };
    let files = after.run_files(3, run("run-2", leaf, Some(first.leaf_hash())), &[EVE]);
    let next = |facts| codes(&after, files.clone(), EVE, &facts);
    assert_eq!(next(map(Some(b"map 0"), &["A", "B"])), []);
    assert_eq!(next(map(Some(b"map 1"), &["A", "B", "C"])), []);
    assert_eq!(next(map(Some(b"other"), &["A", "B"])), [Code::BlockersInvalid]);
    assert_eq!(next(map(None, &["A", "B"])), [Code::BlockersInvalid]);
    assert_eq!(next(map(Some(b"map 1"), &["A"])), [Code::BlockersInvalid]);
}
