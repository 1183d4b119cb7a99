//! Pushing a ledger, losing the race, and what is done about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fix7_ledger::ledger::{Pushed, Repository, Surroundings};
use fix7_ledger::verdict::Code;

use crate::harness::Scratch;
use crate::ledger::{PATIENCE, REF, append, append_many, code, main_ledger};

fn surroundings(scratch: &Scratch) -> Surroundings {
    let path = std::env::var_os("PATH").expect("a PATH");
    let home = scratch.path("home").into_os_string();
    let variables = [("PATH", path), ("HOME", home), ("GIT_CONFIG_NOSYSTEM", "1".into())];
    Surroundings { variables: variables.map(|(name, value)| (name.into(), value)).into() }
}

/// A server with three entries, and two clones of it with a remote called `origin`.
fn three() -> Scratch {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]).ok();
    append_many(&scratch.path("server.git"), 3);
    for name in ["ann.git", "bob.git"] {
        scratch.git(".", &["clone", "-q", "--bare", "server.git", name]).ok();
    }
    scratch
}

fn open(scratch: &Scratch, name: &str) -> Repository {
    Repository::open(&scratch.path(name)).expect("opens")
}

#[test]
fn a_lost_race_is_told_and_mended_and_nothing_is_lost() {
    let scratch = three();
    let (ann, bob) = (open(&scratch, "ann.git"), open(&scratch, "bob.git"));
    let (ledger, around) = (main_ledger(), surroundings(&scratch));
    let head = ann.ledger_tip(&ledger).expect("reads");
    let from_ann = append(&ann, 3, head).expect("appends");
    let from_bob = append(&bob, 4, head).expect("appends");
    let push = |who: &Repository, tip| who.push("origin", &ledger, tip, &around, PATIENCE).expect("runs");
    assert_eq!(push(&ann, &from_ann), Pushed::Done);
    assert!(matches!(push(&bob, &from_bob), Pushed::LostRace(_)));

    let incoming =
        bob.fetch_incoming("origin", &ledger, "0123456789abcdef", &around, PATIENCE).expect("runs");
    let incoming = incoming.expect("the remote has the ledger");
    assert_eq!(incoming.tip, from_ann);
    let news = bob.reader().read_chain_since(&incoming.tip, &head.expect("a head"), 10).expect("reads");
    assert_eq!(news, Some(vec![from_ann]), "what came can be verified before anything moves");
    let lock = bob.lock(PATIENCE).expect("free");
    assert_eq!(code(bob.move_tip(&lock, &ledger, head, incoming.tip)), Code::HeadMoved);
    bob.move_tip(&lock, &ledger, Some(from_bob), incoming.tip).expect("moves");
    drop((incoming, lock));
    let again = append(&bob, 4, Some(from_ann)).expect("appends");
    assert_eq!(push(&bob, &again), Pushed::Done);
    let refs = scratch.git("bob.git", &["for-each-ref", "--format=%(refname)"]).ok();
    assert_eq!(refs.stdout, format!("{REF}\n"), "the scratch ref is gone");
    scratch.git("bob.git", &["cat-file", "-e", &from_bob.to_string()]).ok();
    assert_eq!(scratch.git("server.git", &["rev-list", "--count", REF]).ok().stdout, "5\n");
    scratch.git("server.git", &["fsck", "--full", "--strict"]).ok();
}

#[test]
fn a_hooks_refusal_keeps_its_words_on_either_side() {
    let scratch = three();
    let ann = open(&scratch, "ann.git");
    let (ledger, around) = (main_ledger(), surroundings(&scratch));
    let tip = append(&ann, 3, ann.ledger_tip(&ledger).expect("reads")).expect("appends");
    for (hook, words) in [
        ("server.git/hooks/pre-receive", "NO_MUTATION: entry 3"),
        ("ann.git/hooks/pre-push", "CLAIM_FOUND: x"),
    ] {
        let hook = scratch.write(hook, format!("#!/bin/sh\necho '{words}' >&2; exit 4\n"));
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("executable");
        match ann.push("origin", &ledger, &tip, &around, PATIENCE).expect("runs") {
            Pushed::Refused(said) => assert!(said.contains(words), "{said}"),
            other => panic!("{other:?}"),
        }
        fs::remove_file(&hook).expect("removed");
    }
    assert_eq!(ann.push("origin", &ledger, &tip, &around, PATIENCE).expect("runs"), Pushed::Done);
}

#[test]
fn a_remote_that_is_not_there_hangs_or_has_no_ledger_is_told() {
    let scratch = three();
    scratch.git(".", &["init", "-q", "--bare", "empty.git"]).ok();
    let ann = open(&scratch, "ann.git");
    let (ledger, around) = (main_ledger(), surroundings(&scratch));
    let tip = ann.ledger_tip(&ledger).expect("reads").expect("a tip");
    assert!(matches!(
        ann.push("nowhere", &ledger, &tip, &around, PATIENCE).expect("runs"),
        Pushed::Failed(_)
    ));
    let fetch = |remote: &str| ann.fetch_incoming(remote, &ledger, "0", &around, PATIENCE);
    assert_eq!(code(fetch("nowhere")), Code::Unreadable);
    assert!(fetch("../empty.git").expect("runs").is_none());
    assert!(fetch("origin").expect("runs").is_some());
    let hangs = ["config", "remote.hangs.url", "ext::sleep 30"];
    scratch.git("ann.git", &hangs).ok();
    scratch.git("ann.git", &["config", "protocol.ext.allow", "always"]).ok();
    let short = Duration::from_millis(300);
    assert_eq!(code(ann.push("hangs", &ledger, &tip, &around, short)), Code::TimedOut);
    // A remote's name cannot smuggle an option in.
    let smuggled = ann.push("--receive-pack=touch smuggled", &ledger, &tip, &around, PATIENCE);
    assert!(matches!(smuggled.expect("runs"), Pushed::Failed(_)));
    assert!(!scratch.path("ann.git/smuggled").exists());
}
