//! Doubt that spreads: what a stolen key let others do, and who may take the doubt away.

use super::decision_tests::{add, bare, codes, note, retire, revoke};
use super::fixture::*;
use super::*;
use crate::statement::{Claim, KeyChange, KeyEntry, Role};

fn suspects(book: &Book) -> Vec<u64> {
    book.state.suspects().keys().copied().collect()
}

#[test]
fn a_confirmation_by_a_stolen_auditors_key_confirms_nothing() {
    let mut book = Book::new();
    let stolen = book.append(book.grant_files(1, grant("grant-1", BOB), &[ZOE]), ZOE);
    book.append(bare(&book, 2, revoke(ZOE, 0), &[ANN]), ANN);
    assert_eq!(suspects(&book), [1]);
    let confirmed = book.append(bare(&book, 3, note(stolen, true), &[KIM]), KIM);
    assert_eq!(suspects(&book), Vec::<u64>::new());
    // The auditor's key was stolen as well: the note is in doubt, and so is what it confirmed.
    book.append(bare(&book, 4, add(MAL, &[Role::Auditor]), &[ANN]), ANN);
    let mut again = book.clone();
    book.append(bare(&book, 5, revoke(KIM, 2), &[ANN]), ANN);
    assert_eq!(suspects(&book), [1, 3]);
    assert_eq!(codes(&book, &bare(&book, 6, note(stolen, true), &[KIM]), KIM), [Code::KeyEnded]);
    // Another auditor confirms the note, and with it what it says.
    book.append(bare(&book, 6, note(confirmed, true), &[MAL]), MAL);
    assert_eq!(suspects(&book), Vec::<u64>::new());
    // Or the entry itself.
    again.append(bare(&again, 5, revoke(KIM, 2), &[ANN]), ANN);
    again.append(bare(&again, 6, note(stolen, true), &[MAL]), MAL);
    assert_eq!(suspects(&again), [3]);
}

#[test]
fn a_key_that_a_stolen_key_registered_is_in_doubt_with_everything_that_it_did() {
    let mut book = Book::new();
    let added = book.append(bare(&book, 1, add(MAL, &[Role::Owner, Role::Operator]), &[ZOE]), ZOE);
    book.append(book.grant_files(2, grant("grant-1", BOB), &[MAL]), MAL);
    let issue = |book: &Book, n: u8| codes(book, &book.grant_files(n, grant("grant-2", BOB), &[MAL]), MAL);
    assert_eq!(issue(&book, 3), []);
    book.append(bare(&book, 3, revoke(ZOE, 0), &[ANN]), ANN);
    assert_eq!(suspects(&book), [1, 2], "the key's registration, and the grant by that key");
    assert_eq!(issue(&book, 4), [Code::EntrySuspect], "and it signs nothing more");
    book.append(bare(&book, 4, note(added, true), &[KIM]), KIM);
    assert_eq!(suspects(&book), [2], "each is confirmed by itself");
    assert_eq!(issue(&book, 5), []);
}

#[test]
fn a_key_or_a_name_that_ended_is_never_registered_again() {
    let mut book = Book::new();
    book.append(bare(&book, 1, retire(BOB), &[ANN]), ANN);
    let with = |entry: KeyEntry| {
        codes(&book, &bare(&book, 2, Claim::Key(KeyChange::Add(Box::new(entry))), &[ANN]), ANN)
    };
    let renamed = KeyEntry { name: "robert".parse().expect("a label"), ..key(BOB, &[Role::Operator]) };
    let taken = KeyEntry { name: name(BOB), ..key(MAL, &[Role::Operator]) };
    assert_eq!(with(renamed), [Code::KeyChangeInvalid], "the key");
    assert_eq!(with(taken), [Code::KeyChangeInvalid], "the name");
    // A new key of the same person has a name of its own.
    assert_eq!(with(KeyEntry { person: Some(name(BOB)), ..key(MAL, &[Role::Operator]) }), []);
}
