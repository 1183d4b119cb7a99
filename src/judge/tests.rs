//! The rules that need a ledger's state, held against the small ledger of the state's own tests.

use super::*;
use crate::digest::Digest;
use crate::dsse;
use crate::evidence::isolation::Level;
use crate::evidence::lock::{AttestedDump, DumpFacts, DumpFormat, DumpStatement};
use crate::packet::Files;
use crate::policy::Policy;
use crate::state::fixture::{ANN, BOB, Book, nonce, print, run, signer};
use crate::state::{Records, State, Summary};
use crate::statement::{Claim, Note, Statement, Subjects, Void};
use crate::verdict::Code;

/// The specimen's packet under a policy, from a dump that this person attests, if one does.
fn packet_of(policy: &Policy, attests: Option<u8>) -> Files {
    let mut facts = specimen::facts_of(policy, specimen::template_plan(), Level::Three);
    if let Some(who) = attests {
        let set = facts.lock.source.set;
        let statement =
            DumpStatement::of(set, "staging", "7301234567890123457", "15.18", "2026-01-01T00:00:00Z");
        let bytes = crate::canon::to_vec(&statement).expect("a statement");
        let signatures = dsse::sign(&bytes, &[&signer(who)]).expect("a signature");
        let attestation = AttestedDump { statement, signatures };
        facts.lock.source.dump = Some(DumpFacts { format: DumpFormat::Custom, attestation });
    }
    Files::collect(derive::packet(&facts, policy).expect("it can be written")).0
}

fn subjects() -> Subjects {
    Subjects::from([("packet/README.md".to_owned(), Digest::of(b"text"))])
}

fn rehearsal(ledger: Digest) -> Statement {
    let claim = run("run-1", Digest::of(b"grant"), None);
    Statement::rehearsal(ledger, nonce(1), claim, subjects()).expect("a statement")
}

#[test]
fn a_packet_continues_the_ledger_that_its_statement_and_its_policy_name() {
    let (book, policy) = (Book::new(), Policy::default_policy());
    let files = packet_of(&policy, None);
    assert_eq!(continuity(&book.state, None, &files).reasons(), []);
    assert_eq!(continuity(&book.state, Some(&rehearsal(book.id())), &files).reasons(), []);
    let stranger = continuity(&book.state, Some(&rehearsal(Digest::of(b"another"))), &files);
    assert!(stranger.has(Code::WrongLedger), "{stranger:?}");
    let other = continuity(&book.state, None, &packet_of(&specimen::policy(), None));
    assert!(other.has(Code::PolicyMismatch), "{other:?}");
}

#[test]
fn a_judge_of_another_policy_than_the_one_in_force_says_so() {
    let (book, policy) = (Book::new(), Policy::default_policy());
    let files = packet_of(&policy, None);
    assert_eq!(Judge::new(&policy).continuity(&book.state, None, &files).reasons(), []);
    let other = Judge::new(&specimen::policy()).continuity(&book.state, None, &files);
    assert!(other.has(Code::PolicyMismatch), "{other:?}");
    let stranger = Judge::new(&policy).continuity(&book.state, Some(&rehearsal(Digest::of(b"x"))), &files);
    assert!(stranger.has(Code::WrongLedger), "{stranger:?}");
}

/// The state with one field of a key's record changed.
fn with_key(state: &State, who: u8, field: &str, value: u64) -> State {
    let mut summary = serde_json::to_value(state.summary()).expect("JSON");
    summary["keys"][print(who).to_string()][field] = value.into();
    let summary: Summary = serde_json::from_value(summary).expect("a summary");
    State::resume(summary, Records::of(state.records().added().clone()))
}

#[test]
fn a_dump_is_attested_by_an_operator_whose_key_counts_at_the_next_position() {
    let (state, policy) = (Book::new().state, Policy::default_policy());
    let next = state.next_seq();
    let attested = packet_of(&policy, Some(BOB));
    let unknown = |state: &State, files: &Files| continuity(state, None, files).has(Code::KeyUnknown);
    assert!(!unknown(&state, &attested));
    assert!(unknown(&state, &packet_of(&policy, Some(ANN))), "an owner is no operator");
    for (field, value, refused) in [
        ("from_seq", next, false),
        ("from_seq", next + 1, true),
        ("last_valid_seq", next, false),
        ("last_valid_seq", next - 1, true),
    ] {
        assert_eq!(unknown(&with_key(&state, BOB, field, value), &attested), refused, "{field} {value}");
    }
}

fn bare(ledger: Digest, claim: Claim) -> Statement {
    Statement::bare(ledger, nonce(9), claim).expect("a statement")
}

fn note(of: Digest, text: &str) -> Claim {
    Claim::Note(Note { confirms: false, id: "note-9".parse().expect("a label"), of, text: text.into() })
}

fn void(of: Digest, reason: &str) -> Claim {
    Claim::Void(Void {
        id: "void-9".parse().expect("a label"),
        numbers: None,
        of: Some(of),
        reason: reason.into(),
    })
}

#[test]
fn what_names_another_entry_is_read_beside_that_entrys_name() {
    let mut book = Book::new();
    let grant = book.append(book.grant_files(1, crate::state::fixture::grant("grant-1", BOB), &[ANN]), ANN);
    let loud = book.append(book.run_files(2, run("orders-production", grant, None), &[BOB]), BOB);
    let judge = Judge::new(&Policy::default_policy());
    let says = |claim| judge.beside(&book.state, &bare(book.id(), claim));
    assert!(says(note(loud, "PASS")).has(Code::ClaimFound));
    assert!(says(void(loud, "PASS")).has(Code::ClaimFound));
    assert_eq!(says(note(grant, "PASS")).reasons(), [], "the twin: another entry's name");
    assert_eq!(says(note(loud, "seen")).reasons(), [], "the twin: other words");
    let joined = |id: &str, of, begin| {
        let mut claim = run(id, grant, of);
        claim.begin = begin;
        let statement = Statement::rehearsal(book.id(), nonce(3), claim, subjects()).expect("a statement");
        (beside::names_another(&statement), judge.beside(&book.state, &statement).has(Code::ClaimFound))
    };
    assert_eq!(joined("pass", Some(loud), None), (true, true), "a rerun");
    assert_eq!(joined("pass", None, Some(loud)), (true, true), "a run that was announced");
    assert_eq!(joined("again", Some(loud), None), (true, false));
    assert_eq!(joined("pass", None, None), (false, false));
}
