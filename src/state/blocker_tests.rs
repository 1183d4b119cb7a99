//! What owners decide about blockers, and the operators' numbers, each refusal with its accepting twin.

use super::decision_tests::{add, bare, begin, codes, policy_files, revoke, void, with_rules};
use super::fixture::*;
use super::*;
use crate::evidence::blockers::{CI_BLOCKER, CLONE_LEG, ROLLBACK_BLOCKER, ROLLBACK_NEEDS};
use crate::statement::{BlockerAction, BlockerDecision, Claim, Grant, KeyEntry, Numbers, Rehearsal, Void};

use BlockerAction::{Close, Meet, Prove};

/// A blocker of owners alone.
const OWN: &str = "EXAMPLE-1";

fn shape(legs: &[&str], needs: &[&str], operator: bool) -> BlockerShape {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    BlockerShape { legs: set(legs), needs: set(needs), operator }
}

fn map(shapes: &[(&str, BlockerShape)], claims: Vec<BlockerClaim>) -> BlockerFacts {
    BlockerFacts {
        map: Digest::of(format!("{shapes:?}").as_bytes()),
        previous: Some(Digest::of(b"map 0")),
        bare: Digest::of(format!("bare {shapes:?}").as_bytes()),
        open: shapes.iter().map(|(id, _)| (*id).to_owned()).collect(),
        shapes: shapes.iter().map(|(id, shape)| ((*id).to_owned(), shape.clone())).collect(),
        claims,
    }
}

fn shapes() -> [(&'static str, BlockerShape); 3] {
    [
        (CI_BLOCKER, shape(&[], &[], true)),
        (ROLLBACK_BLOCKER, shape(&[CLONE_LEG, "production"], &ROLLBACK_NEEDS, true)),
        (OWN, shape(&["runbook"], &["REVIEW"], false)),
    ]
}

/// A ledger with a rehearsal, on a dump or not, whose map has these blockers.
fn mapped(dump: bool) -> Book {
    let mut book = Book::new();
    let grant = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    let files = book.run_files(2, run("run-1", grant, None), &[BOB]);
    append_with(
        &mut book,
        files,
        BOB,
        &PacketFacts { dump, blockers: Some(map(&shapes(), Vec::new())), ..facts() },
    );
    book
}

fn append_with(book: &mut Book, files: BTreeMap<String, Vec<u8>>, by: u8, facts: &PacketFacts) -> Digest {
    let entry = book.next(files, by, book.entries.len() as i64);
    let verified = verified(&entry);
    let admission = book.state.apply(&verified, Some(facts));
    assert!(admission.accepted(), "{:?}", admission.into_verdict());
    book.entries.push(entry);
    book.leaves.push(verified.leaf_hash());
    verified.leaf_hash()
}

/// A decision in view of the state, resting on a document of its own.
fn decide(book: &Book, action: BlockerAction, blocker: &str, part: Option<&str>) -> BlockerDecision {
    BlockerDecision {
        action,
        after: book.state.last_decision(blocker).map(|decision| decision.leaf),
        blocker: blocker.to_owned(),
        evidence: Digest::of(format!("{action:?} {blocker} {part:?}").as_bytes()),
        id: "decision".parse().expect("a label"),
        part: part.map(str::to_owned),
        text: "as agreed".to_owned(),
    }
}

fn said(book: &Book, n: u8, decision: BlockerDecision, by: &[u8]) -> Vec<Code> {
    codes(book, &bare(book, n, Claim::Blockers(decision), by), by[0])
}

fn append(book: &mut Book, n: u8, decision: BlockerDecision, by: &[u8]) -> Digest {
    let files = bare(book, n, Claim::Blockers(decision), by);
    book.append(files, by[0])
}

#[test]
fn a_blocker_moves_part_by_part_and_closes_when_everything_has() {
    let mut book = mapped(false);
    let leg = decide(&book, Prove, OWN, Some("runbook"));
    let need = |book: &Book| decide(book, Meet, OWN, Some("REVIEW"));
    let close = |book: &Book| decide(book, Close, OWN, None);
    assert_eq!(said(&book, 9, close(&book), &[ANN]), [Code::BlockersInvalid]);
    append(&mut book, 9, leg.clone(), &[ANN]);
    assert_eq!(
        said(&book, 10, leg, &[ANN]),
        [Code::BlockersInvalid, Code::BlockersInvalid, Code::BlockersInvalid]
    );
    assert_eq!(said(&book, 10, close(&book), &[ANN]), [Code::BlockersInvalid], "a part of it closes nothing");
    assert_eq!(book.state.open_blockers(), [OWN, ROLLBACK_BLOCKER, CI_BLOCKER]);
    assert_eq!(said(&book, 10, need(&book), &[BOB]), [Code::RoleMissing], "an operator alone");
    let review = need(&book);
    let met = append(&mut book, 10, review, &[ANN]);
    let first = close(&book);
    append(&mut book, 11, first, &[ANN]);
    assert_eq!(book.state.open_blockers(), [ROLLBACK_BLOCKER, CI_BLOCKER]);
    let shut = decide(&book, Close, OWN, None);
    assert!(said(&book, 12, shut, &[ANN]).contains(&Code::BlockersInvalid));
    // What it rested on is taken back: it blocks again, and needs a new closing.
    book.append(bare(&book, 12, void(met), &[ANN]), ANN);
    assert_eq!(book.state.open_blockers(), [OWN, ROLLBACK_BLOCKER, CI_BLOCKER]);
    assert_eq!(codes(&book, &bare(&book, 13, void(met), &[ANN]), ANN), [Code::CorrectionInvalid]);
    let again = need(&book);
    append(&mut book, 13, again, &[ANN]);
    assert_eq!(book.state.open_blockers(), [OWN, ROLLBACK_BLOCKER, CI_BLOCKER]);
    let second = BlockerDecision { evidence: Digest::of(b"second"), ..close(&book) };
    append(&mut book, 14, second, &[ANN]);
    assert_eq!(book.state.open_blockers(), [ROLLBACK_BLOCKER, CI_BLOCKER]);
}

#[test]
fn who_the_map_names_must_sign_and_nobody_counts_twice() {
    let mut book = mapped(false);
    let close = decide(&book, Close, CI_BLOCKER, None);
    assert_eq!(said(&book, 9, close.clone(), &[ANN]), [Code::RoleMissing]);
    assert_eq!(said(&book, 9, close.clone(), &[ZOE]), [Code::RoleMissing], "owner and operator in one");
    assert_eq!(said(&book, 9, close.clone(), &[ZOE, ANN]), []);
    assert_eq!(said(&book, 9, close.clone(), &[ANN, BOB]), []);
    assert_eq!(said(&book, 9, close.clone(), &[ANN, MAL]), [Code::KeyUnknown, Code::RoleMissing]);
    // Two owners are asked for: zoe is one of them, or the operator.
    let two = with_rules("owner_threshold = 2");
    book.append(policy_files(&book, 8, &two, &[ANN]), ANN);
    assert_eq!(said(&book, 9, close.clone(), &[ANN, BOB]), [Code::RoleMissing, Code::RoleMissing]);
    assert_eq!(said(&book, 9, close.clone(), &[ANN, ZOE]), [Code::RoleMissing]);
    assert_eq!(said(&book, 9, close.clone(), &[ANN, ABE, ZOE]), []);
    // Bob's second key is bob's.
    let second = KeyEntry { person: Some(name(BOB)), ..key(MAL, &[crate::statement::Role::Owner]) };
    let files = bare(&book, 10, Claim::Key(crate::statement::KeyChange::Add(Box::new(second))), &[ANN, ABE]);
    book.append(files, ANN);
    assert_eq!(said(&book, 11, close.clone(), &[ANN, MAL, BOB]), [Code::RoleMissing]);
    assert_eq!(said(&book, 11, close, &[ANN, ABE, MAL, BOB]), []);
}

#[test]
fn a_leg_in_production_is_proven_by_nothing_here_and_its_blocker_never_closes() {
    let mut book = mapped(false);
    let owners = [ANN, BOB];
    let leg = |book: &Book, leg| said(book, 9, decide(book, Prove, ROLLBACK_BLOCKER, Some(leg)), &owners);
    assert_eq!(leg(&book, "production"), [Code::ScopeLift]);
    assert_eq!(leg(&book, CLONE_LEG), [Code::BlockersInvalid], "only a packet says that");
    assert_eq!(leg(&book, "other"), [Code::BlockersInvalid]);
    let need = decide(&book, Meet, ROLLBACK_BLOCKER, Some(ROLLBACK_NEEDS[1]));
    append(&mut book, 9, need, &owners);
    let close = decide(&book, Close, ROLLBACK_BLOCKER, None);
    assert_eq!(said(&book, 10, close, &owners), [Code::ScopeLift, Code::BlockersInvalid]);
    assert_eq!(
        said(&book, 10, decide(&book, Close, "FIX7-P0-OTHER-1", None), &owners),
        [Code::BlockersInvalid]
    );
}

#[test]
fn the_needs_of_the_rollback_rest_on_what_they_name() {
    let (grant_leaf, run_leaf) = (mapped(true).leaves[1], mapped(true).leaves[2]);
    let meet = |book: &Book, need: usize, evidence| {
        let decision = decide(book, Meet, ROLLBACK_BLOCKER, Some(ROLLBACK_NEEDS[need]));
        said(book, 9, BlockerDecision { evidence, ..decision }, &[ANN, BOB])
    };
    // The dump is a rehearsal's on one; a document is not.
    assert_eq!(meet(&mapped(true), 0, run_leaf), []);
    assert_eq!(meet(&mapped(true), 0, Digest::of(b"a document")), [Code::BlockersInvalid]);
    assert_eq!(meet(&mapped(false), 0, mapped(false).leaves[2]), [Code::BlockersInvalid]);
    let mut voided = mapped(true);
    voided.append(bare(&voided, 8, void(run_leaf), &[ANN]), ANN);
    assert_eq!(meet(&voided, 0, run_leaf), [Code::BlockersInvalid]);
    // The production grant is a decision of its own: no entry, no grant of a rehearsal, no other need's document.
    let mut book = mapped(false);
    let statement = verified(&book.entries[1]).entry().leaf().statement;
    assert_eq!(meet(&book, 2, grant_leaf), [Code::BlockersInvalid]);
    assert_eq!(meet(&book, 2, statement), [Code::BlockersInvalid]);
    let opt4 = decide(&book, Meet, ROLLBACK_BLOCKER, Some(ROLLBACK_NEEDS[1]));
    append(&mut book, 9, opt4.clone(), &[ANN, BOB]);
    let again = |book: &Book, evidence| {
        let decision = decide(book, Meet, ROLLBACK_BLOCKER, Some(ROLLBACK_NEEDS[2]));
        said(book, 10, BlockerDecision { evidence, ..decision }, &[ANN, BOB])
    };
    assert_eq!(again(&book, opt4.evidence), [Code::BlockersInvalid]);
    assert_eq!(again(&book, Digest::of(b"the grant of its own")), []);
}

#[test]
fn a_decision_belongs_to_the_state_that_its_signers_saw() {
    let mut book = mapped(false);
    let seen = decide(&book, Prove, OWN, Some("runbook"));
    assert_eq!(said(&book, 9, seen.clone(), &[ANN]), []);
    let need = decide(&book, Meet, OWN, Some("REVIEW"));
    append(&mut book, 8, need, &[ANN]);
    assert_eq!(said(&book, 9, seen.clone(), &[ANN]), [Code::BlockersInvalid]);
    let now = decide(&book, Prove, OWN, Some("runbook"));
    append(&mut book, 9, now, &[ANN]);
    // What a stolen key decided does not count until an auditor confirms it.
    let mut stolen = mapped(false);
    append(&mut stolen, 9, seen, &[ZOE]);
    assert!(stolen.state.moved(OWN, Prove, "runbook").is_some());
    stolen.append(bare(&stolen, 10, revoke(ZOE, 2), &[ANN]), ANN);
    assert!(stolen.state.moved(OWN, Prove, "runbook").is_none());
}

#[test]
fn a_map_claims_what_was_decided_and_nothing_else() {
    let mut book = mapped(false);
    let holds = |book: &Book, claims: Vec<BlockerClaim>| {
        book.state.map_holds(&map(&shapes(), claims), "map: ").accepted()
    };
    let claim = |action, part: Option<&str>, quotes| BlockerClaim {
        blocker: OWN.to_owned(),
        action,
        part: part.map(str::to_owned),
        quotes: Some(quotes),
    };
    assert!(holds(&book, Vec::new()));
    let (leg, need) = (decide(&book, Prove, OWN, Some("runbook")), Digest::of(b"x"));
    assert!(!holds(&book, vec![claim(Prove, Some("runbook"), leg.evidence)]));
    append(&mut book, 9, leg.clone(), &[ANN]);
    assert!(holds(&book, vec![claim(Prove, Some("runbook"), leg.evidence)]));
    assert!(!holds(&book, vec![claim(Prove, Some("runbook"), need)]));
    assert!(!holds(&book, vec![claim(Meet, Some("REVIEW"), need)]));
    let met = decide(&book, Meet, OWN, Some("REVIEW"));
    append(&mut book, 10, met, &[ANN]);
    let met = book.state.decisions()[1].statement;
    assert!(holds(&book, vec![claim(Meet, Some("REVIEW"), met)]));
    assert!(!holds(&book, vec![claim(Close, None, met)]), "not closed yet");
    let close = decide(&book, Close, OWN, None);
    append(&mut book, 11, close, &[ANN]);
    let closing = book.state.decisions()[2].statement;
    let without = |claims| {
        let mut facts = map(&shapes(), claims);
        facts.open.remove(OWN);
        book.state.map_holds(&facts, "map: ").accepted()
    };
    assert!(without(vec![claim(Close, None, closing)]) && !without(vec![claim(Close, None, met)]));
    assert!(holds(&book, Vec::new()), "a map that knows less is not wrong");
    // Written anew with its claims it has another digest, and continues the ledger by what it is without them.
    let anew = |bare: Digest| BlockerFacts {
        previous: Some(Digest::of(b"anew")),
        bare,
        ..map(&shapes(), vec![claim(Meet, Some("REVIEW"), met)])
    };
    assert!(book.state.map_holds(&anew(map(&shapes(), Vec::new()).bare), "map: ").accepted());
    assert!(!book.state.map_holds(&anew(Digest::of(b"another")), "map: ").accepted());
}

#[test]
fn no_leg_need_or_duty_vanishes_from_a_map() {
    let book = mapped(false);
    let with = |own: BlockerShape| {
        let mut shapes = shapes();
        shapes[2].1 = own;
        book.state.map_holds(&map(&shapes, Vec::new()), "map: ").accepted()
    };
    assert!(with(shape(&["runbook"], &["REVIEW"], false)));
    assert!(with(shape(&["runbook", "more"], &["REVIEW", "MORE"], true)));
    assert!(!with(shape(&[], &["REVIEW"], false)));
    assert!(!with(shape(&["runbook"], &[], false)));
    let mut fewer = shapes();
    fewer[0].1.operator = false;
    assert!(!book.state.map_holds(&map(&fewer, Vec::new()), "map: ").accepted());
}

fn numbered(number: Option<u64>, n: u8, book: &Book) -> BTreeMap<String, Vec<u8>> {
    let claim = Rehearsal { number, ..run(&format!("run-{n}"), book.leaves[1], Some(book.leaves[2])) };
    book.run_files(n, claim, &[EVE])
}

fn void_numbers(who: u8, first: u64, last: u64) -> Claim {
    let (id, reason) = ("void-1".parse().expect("a label"), "the disk was full".to_owned());
    Claim::Void(Void { id, numbers: Some(Numbers { first, key: print(who), last }), of: None, reason })
}

#[test]
fn a_number_that_no_entry_has_is_missed_until_it_is_recorded_or_voided() {
    let mut book = Book::full();
    assert!(book.state.findings().accepted(), "statements without numbers are counted nowhere");
    book.append(numbered(Some(1), 10, &book), EVE);
    book.append(numbered(Some(4), 11, &book), EVE);
    assert!(book.state.findings().has(Code::NumberMissing));
    assert_eq!(book.state.counter(&print(EVE)).missing().collect::<Vec<_>>(), [(2, 3)]);
    let far = numbered(Some(5 + MAX_STEP), 12, &book);
    assert_eq!(codes(&book, &far, EVE), [Code::NumberInvalid]);
    assert_eq!(codes(&book, &numbered(Some(4 + MAX_STEP), 12, &book), EVE), []);
    // One is recorded late, the other is given up by who has it, or by owners; not by anybody else.
    book.append(numbered(Some(3), 12, &book), EVE);
    let voids = |book: &Book, who, first, last, by: u8| {
        codes(book, &bare(book, 13, void_numbers(who, first, last), &[by]), by)
    };
    assert_eq!(voids(&book, EVE, 2, 2, BOB), [Code::RoleMissing]);
    assert_eq!(voids(&book, EVE, 2, 3, EVE), [Code::CorrectionInvalid]);
    assert_eq!(voids(&book, MAL, 1, 1, ANN), [Code::CorrectionInvalid]);
    assert_eq!(voids(&book, EVE, 2, 2, ANN), []);
    book.append(bare(&book, 13, void_numbers(EVE, 2, 2), &[EVE]), EVE);
    assert!(book.state.findings().accepted());
    book.append(bare(&book, 14, void_numbers(EVE, 5, 6), &[EVE]), EVE);
    assert_eq!(book.state.counter(&print(EVE)).last(), 6);
    // Two clones that gave out the same: both stand, and that is told.
    book.append(numbered(Some(4), 15, &book), EVE);
    assert_eq!(book.state.counter(&print(EVE)).doubled(), 1);
    assert!(book.state.findings().accepted());
}

#[test]
fn a_policy_may_require_numbers() {
    let mut book = Book::new();
    let files = |book: &Book, number| {
        let Claim::Begin(claim) = begin(book.leaves[1]) else { panic!("a begin") };
        bare(book, 9, Claim::Begin(crate::statement::Begin { number, ..claim }), &[BOB])
    };
    book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
    assert_eq!(codes(&book, &files(&book, None), BOB), []);
    book.append(policy_files(&book, 2, &with_rules("require_numbers = true"), &[ANN]), ANN);
    assert_eq!(codes(&book, &files(&book, None), BOB), [Code::NumberInvalid]);
    assert_eq!(codes(&book, &files(&book, Some(1)), BOB), []);
}

#[test]
fn more_owners_may_be_asked_for_by_policy_never_more_than_there_are_and_never_fewer_again() {
    let mut book = Book::new();
    let policy = |n| with_rules(&format!("owner_threshold = {n}"));
    assert_eq!(codes(&book, &policy_files(&book, 1, &policy(4), &[ANN]), ANN), [Code::LimitExceeded]);
    book.append(policy_files(&book, 1, &policy(2), &[ANN]), ANN);
    let issue = |by: &[u8]| codes(&book, &book.grant_files(2, grant("grant-1", BOB), by), by[0]);
    assert_eq!(issue(&[ANN]), [Code::RoleMissing]);
    assert_eq!(issue(&[ANN, ABE]), []);
    let lower = policy_files(&book, 3, &policy(1), &[ANN, ABE]);
    assert_eq!(codes(&book, &lower, ANN), [Code::PolicyLoosened]);
    assert_eq!(codes(&book, &policy_files(&book, 3, &policy(3), &[ANN]), ANN), [Code::RoleMissing]);
    assert_eq!(codes(&book, &policy_files(&book, 3, &policy(3), &[ANN, ABE]), ANN), []);
}

#[test]
fn one_person_counts_once_with_however_many_keys() {
    use crate::statement::{KeyChange, Role};
    let mut book = Book::full();
    let second = |person: u8, roles: &[Role]| {
        let entry = KeyEntry { person: Some(name(person)), ..key(MAL, roles) };
        bare(&book, 20, Claim::Key(KeyChange::Add(Box::new(entry))), &[ANN])
    };
    assert_eq!(codes(&book, &second(0, &[Role::Operator]), ANN), [Code::KeyChangeInvalid], "nobody");
    let bobs = second(BOB, &[Role::Operator, Role::Owner]);
    book.append(bobs, ANN);
    // Bob's other key repeats bob's rehearsal: nobody else did. Eve's rerun counts.
    let (grant_leaf, of) = (book.leaves[1], book.leaves[2]);
    let files = book.run_files(21, run("run-9", grant_leaf, Some(of)), &[MAL]);
    book.append(files, MAL);
    let record = book.state.rehearsal(&of).expect("read").expect("there");
    assert_eq!((record.reruns.len(), book.state.independent_reruns(&record)), (2, 1));
    assert_eq!(book.state.counts().independent_reruns, 1);
    // He grants himself nothing with it.
    let own = Grant { scope: crate::statement::Scope { source: None, plan: None }, ..grant("grant-9", BOB) };
    assert_eq!(codes(&book, &book.grant_files(22, own.clone(), &[MAL]), MAL), [Code::SelfIssued]);
    assert_eq!(codes(&book, &book.grant_files(22, own, &[ANN]), ANN), []);
    assert_eq!(codes(&book, &bare(&book, 23, add(MAL, &[Role::Operator]), &[ANN]), ANN).len(), 2);
}
