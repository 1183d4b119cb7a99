use std::collections::BTreeMap;

use super::*;
use crate::digest::Digest;
use crate::evidence::Plan;
use crate::judge::specimen;
use crate::packet::{BLOCKERS, CI, DECISION, LOCK, PROBES, README, SURFACES, VALIDATOR};
use crate::statement::{Claim, Nonce, Outcome, Rehearsal, Run, Statement};

type Map = BTreeMap<String, Vec<u8>>;

fn good() -> Map {
    derive::packet(&specimen::facts(), &specimen::policy()).expect("the specimen can be written")
}

fn judged(map: Map) -> Verdict {
    let (files, mut verdict) = Files::collect(map);
    verdict.merge(judge(&specimen::policy(), None, None, &files));
    verdict
}

/// The manifest and the tree file made anew, as whoever forges a file would.
fn sealed(mut map: Map) -> Map {
    let text = manifest::render(map.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    map.insert(TREE.into(), manifest::render_tree(&text));
    map.insert(MANIFEST.into(), text);
    map
}

/// The good packet with one text of one file replaced, its manifest made anew.
fn forged(path: &str, from: &str, to: &str) -> Verdict {
    let mut map = good();
    let text = String::from_utf8(map[path].clone()).expect("text");
    assert!(text.contains(from), "{path} has no `{from}`");
    map.insert(path.into(), text.replacen(from, to, 1).into_bytes());
    judged(sealed(map))
}

#[track_caller]
fn refused(verdict: &Verdict, code: Code) {
    assert!(verdict.has(code), "expected {code}: {verdict:#?}");
    assert_eq!(verdict.exit_code(), 4);
}

#[test]
fn a_packet_that_this_program_made_is_accepted() {
    let verdict = judged(good());
    assert_eq!(verdict.reasons(), []);
}

#[test]
fn a_packet_of_an_unknown_format_is_refused_for_its_format() {
    let mut map = good();
    let lock = String::from_utf8(map[LOCK].clone()).expect("text");
    let newer = lock.replacen("\"format\":1,", "\"format\":2,\"further\":1,", 1);
    assert_ne!(newer, lock);
    map.insert(LOCK.into(), newer.into_bytes());
    let (files, _) = Files::collect(sealed(map));
    let refused = facts(&files).expect_err("another format");
    assert_eq!(refused.reasons()[0].object, "rehearsal-target-lock.json#/format");
    assert_eq!((refused.reasons().len(), refused.reasons()[0].code), (1, Code::Malformed));
    assert!(packet_facts(&files).is_err());
    assert!(facts(&Files::collect(good()).0).is_ok());
}

#[test]
fn one_judge_serves_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Judge::new(&specimen::policy()));
}

#[test]
fn nothing_can_be_typed_by_hand() {
    for (path, from, to, code) in [
        (VALIDATOR, "\"entry_count\":6", "\"entry_count\":7", Code::NotDerived),
        (VALIDATOR, "\"misjudged\":[]", "\"misjudged\":[\"x\"]", Code::SelftestBroken),
        (DECISION, "\"authorizes\":[]", "\"authorizes\":[\"x\"]", Code::NotOnHold),
        (DECISION, "\"decision\":\"HOLD_PRODUCTION\"", "\"decision\":\"GO\"", Code::NotOnHold),
        (DECISION, "\"default\":true", "\"default\":false", Code::NotOnHold),
        (DECISION, "ROLLBACK_READY", "ROLLBACK_DONE", Code::ScopeLift),
        (DECISION, "REHEARSAL_ONLY\"}", "PRODUCTION\"}", Code::ScopeLift),
        (DECISION, "permit, ", "", Code::BoundaryBroken),
        (DECISION, "\"permit\",", "", Code::BoundaryBroken),
        (SURFACES, "\"not-requested\"", "\"untouched\"", Code::SurfaceNotProven),
        (CI, "\"unknown_count_before\":1", "\"unknown_count_before\":0", Code::CiUnknownInvalid),
        (CI, "FIX7-P0-PROD-CI-SCOPE-1", "FIX7-P0-PROD-CI-SCOPE-2", Code::CiUnknownInvalid),
        (BLOCKERS, "\"open_count\":7", "\"open_count\":6", Code::BlockersInvalid),
        (BLOCKERS, "EXAMPLE-3", "EXAMPLE-9", Code::BlockersInvalid),
        (PROBES, "\"refused\":10", "\"refused\":9", Code::ProbesIncomplete),
        (README, "Final status: FIX7", "Final status: X", Code::ScopeLift),
        (README, "production remains HOLD", "production is free", Code::NotOnHold),
        (README, "does not authorize", "does authorize", Code::BoundaryBroken),
        (README, "7 OPEN", "0 OPEN", Code::NotDerived),
        ("commands.sh", "steps_expected=5", "steps_expected=0", Code::NotDerived),
        ("RERUN.sh", "set -u", "set -e", Code::NotDerived),
    ] {
        refused(&forged(path, from, to), code);
    }
}

/// Even with the manifest made anew, as a forger would: a fact's change breaks what is derived from it, a plan's the
/// lock's digest of it, and a derived file is derived again.
#[test]
fn a_changed_byte_in_any_file_is_refused_also_where_the_manifest_is_made_anew() {
    for (path, bytes) in good().into_iter().filter(|(path, _)| ![MANIFEST, TREE].contains(&path.as_str())) {
        for at in [bytes.len() / 3, bytes.len() - 1] {
            let mut map = good();
            map.get_mut(&path).expect("there")[at] ^= 1;
            assert!(!judged(map.clone()).accepted(), "{path} byte {at}, manifest as it was");
            assert!(!judged(sealed(map)).accepted(), "{path} byte {at}, manifest made anew");
        }
    }
}

#[test]
fn missing_and_unknown_files_are_named() {
    let mut fewer = good();
    fewer.remove(README);
    refused(&judged(sealed(fewer)), Code::FileMissing);
    let mut more = good();
    more.insert("notes.md".into(), b"x".to_vec());
    refused(&judged(sealed(more)), Code::FileUnexpected);
}

#[test]
fn r48_a_need_that_is_met_without_an_entry_is_refused() {
    let mut files = crate::evidence::Plan::template();
    let met = format!("\"PRODUCTION_OPT_4\", \"state\": \"MET\", \"met_by\": \"{}\"", Digest::of(b"x"));
    let map = files["blockers.json"].replace("\"PRODUCTION_OPT_4\", \"state\": \"OPEN\"", &met);
    assert_ne!(map, files["blockers.json"]);
    files.insert("blockers.json".into(), map);
    let plan =
        Plan::parse(files.into_iter().map(|(n, t)| (n, t.into_bytes())).collect()).expect("well formed");
    let policy = specimen::policy();
    let facts = specimen::facts_of(&policy, plan, crate::evidence::isolation::Level::Three);
    refused(&judged(derive::packet(&facts, &policy).expect("it can be written")), Code::BlockersInvalid);
}

#[test]
fn a_judge_that_knows_packets_says_of_each_what_a_new_one_says() {
    let old = Judge::new(&specimen::policy());
    let known = |map: Map| old.packet(None, &Files::collect(map).0);
    for (number, (path, bytes)) in good().into_iter().enumerate() {
        // The good packet before each bad one: what is known of its files must not speak for theirs.
        assert!(known(good()).accepted());
        let mut changed = bytes;
        match number % 2 {
            0 => changed.extend_from_slice(b"PRODUCTION_PASS"),
            _ => {
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
            }
        }
        let mut map = good();
        map.insert(path.clone(), changed);
        let map = if number % 3 == 0 { map } else { sealed(map) };
        let verdict = known(map.clone());
        assert_eq!(verdict, judge(&specimen::policy(), None, None, &Files::collect(map).0), "{path}");
        // The two that are made anew from the others are good again.
        let sealed_again = number % 3 != 0 && [MANIFEST, TREE].contains(&path.as_str());
        assert_eq!(verdict.accepted(), sealed_again, "{path}");
    }
}

/// A statement that claims this result of a packet.
fn claiming(map: &Map, result: Outcome) -> Statement {
    let claim = Rehearsal {
        number: None,
        begin: None,
        run_id: "run-1".parse().expect("a label"),
        grant: Digest::of(b"grant"),
        of: None,
        result,
        packet_tree: Digest::of(&map[MANIFEST]),
        date: "2026-11-23".into(),
        mentions: Vec::new(),
        run: Run::new(BTreeMap::new()).expect("bounded"),
    };
    let subjects = map.iter().map(|(path, bytes)| (format!("packet/{path}"), Digest::of(bytes))).collect();
    Statement::rehearsal(Digest::of(b"g"), Nonce::from_bytes([1; 16]), claim, subjects).expect("a statement")
}

#[test]
fn what_was_accepted_as_one_result_is_not_known_as_the_other() {
    let mut facts = specimen::facts();
    let entry = &mut facts.rollback.entries[1];
    let changed = entry.after_apply_hash.expect("an applied change").rows;
    entry.after_rollback_hash.as_mut().expect("a rollback").rows = changed;
    let failing = derive::packet(&facts, &specimen::policy()).expect("it can be written");
    let judge = Judge::new(&specimen::policy());
    for (map, true_result, other) in [
        (failing, Outcome::RollbackNotExact, Outcome::RollbackExact),
        (good(), Outcome::RollbackExact, Outcome::RollbackNotExact),
    ] {
        let says = |result| judge.packet(Some(&claiming(&map, result)), &Files::collect(map.clone()).0);
        assert_eq!(says(true_result).reasons(), []);
        assert!(says(other).has(Code::ScopeLift), "{:?}", says(other));
        let fresh = Judge::new(&specimen::policy());
        let files = Files::collect(map.clone()).0;
        assert_eq!(says(other), fresh.packet(Some(&claiming(&map, other)), &files), "no reason fewer");
        assert_eq!(says(true_result).reasons(), [], "again");
    }
}

#[test]
fn a_packet_is_known_by_its_digests_once_it_was_accepted_and_its_statement_is_read_all_the_same() {
    let judge = Judge::new(&specimen::policy());
    let (map, files) = (good(), Files::collect(good()).0);
    let statement = claiming(&map, Outcome::RollbackExact);
    assert_eq!(judge.known_packet(&statement), None, "nothing was judged");
    let whole = judge.packet(Some(&statement), &files);
    assert!(whole.accepted(), "{whole:?}");
    assert_eq!(judge.known_packet(&statement), Some(whole));
    let mut other = map.clone();
    other.get_mut(README).expect("a file").push(b'\n');
    assert_eq!(judge.known_packet(&claiming(&other, Outcome::RollbackExact)), None, "another file");
    let failed = claiming(&map, Outcome::RollbackNotExact);
    assert_eq!(judge.known_packet(&failed), None);
    // The statement is looked at by itself, known packet or not.
    let Claim::Rehearsal(mut loud) = statement.claim().clone() else { unreachable!("a rehearsal") };
    loud.run_id = "production-pass".parse().expect("a label");
    let subjects = statement.subjects().clone();
    let loud =
        Statement::rehearsal(Digest::of(b"g"), statement.nonce(), loud, subjects).expect("a statement");
    assert!(judge.known_packet(&loud).expect("known").has(Code::ClaimFound));
    assert!(judge.packet(Some(&loud), &files).has(Code::ClaimFound));
}

/// Subjects are left out of the look at a statement only where they are the packet's files.
#[test]
fn a_subject_that_is_no_file_is_read() {
    let judge = Judge::new(&specimen::policy());
    let statement = claiming(&good(), Outcome::RollbackExact);
    let Claim::Rehearsal(claim) = statement.claim().clone() else { unreachable!("a rehearsal") };
    let mut subjects = statement.subjects().clone();
    subjects.insert("packet/production_pass.md".into(), Digest::of(b"x"));
    let loud =
        Statement::rehearsal(Digest::of(b"g"), statement.nonce(), claim, subjects).expect("a statement");
    let verdict = judge.packet(Some(&loud), &Files::collect(good()).0);
    assert!(verdict.has(Code::ContentMismatch) && verdict.has(Code::ClaimFound), "{verdict:?}");
}

/// Each missing file is told once: by the one reader that owns it.
#[test]
fn a_missing_file_is_told_once() {
    for path in good().into_keys().filter(|path| !path.starts_with(PLAN_FOLDER)) {
        let mut fewer = good();
        fewer.remove(&path);
        let fewer = if [MANIFEST, TREE].contains(&path.as_str()) { fewer } else { sealed(fewer) };
        let verdict = judged(fewer);
        let told = |r: &&Reason| r.code == Code::FileMissing && r.object == path;
        assert_eq!(verdict.reasons().iter().filter(told).count(), 1, "{path}: {verdict:#?}");
    }
}

/// The specimen's policy with one text replaced.
fn policy_with(from: &str, to: &str) -> Policy {
    let text = String::from_utf8(specimen::policy().bytes().to_vec()).expect("text");
    assert!(text.contains(from), "{from}");
    Policy::parse(text.replacen(from, to, 1).as_bytes()).expect("a policy")
}

#[test]
fn a_policy_that_asks_for_more_than_the_selftest_has_accepts_nothing() {
    assert!(selftest(&specimen::policy()).accepted());
    for more in
        [("min_bad_vectors = 5", "min_bad_vectors = 500"), ("min_good_vectors = 1", "min_good_vectors = 50")]
    {
        assert!(selftest(&policy_with(more.0, more.1)).has(Code::SelftestBroken), "{more:?}");
    }
}

#[test]
fn what_is_not_ready_is_never_accepted() {
    assert!(ready(FinalStatus::Ready, true).accepted() && ready(FinalStatus::NotShown, false).accepted());
    assert!(ready(FinalStatus::NotShown, true).has(Code::RollbackProofMissing));
}

#[test]
fn a_lock_of_this_format_is_refused_for_what_is_wrong_with_it() {
    let mut map = good();
    let lock = String::from_utf8(map[LOCK].clone()).expect("text");
    map.insert(LOCK.into(), lock.replacen("\"format\":1,", "\"format\":1,\"further\":1,", 1).into_bytes());
    let refused = facts(&Files::collect(sealed(map)).0).expect_err("a field that nobody knows");
    assert_eq!((refused.reasons()[0].code, refused.reasons()[0].object.as_str()), (Code::Malformed, LOCK));
}

#[test]
fn a_statement_of_a_run_has_mentions_and_no_other_has() {
    let statement = claiming(&good(), Outcome::RollbackExact);
    let Claim::Rehearsal(mut claim) = statement.claim().clone() else { unreachable!("a rehearsal") };
    let (file, token, reason) = (README.into(), "PRODUCTION_PASS".into(), "a quotation".into());
    claim.mentions.push(crate::statement::Mention { file, line: 3, reason, token });
    let subjects = statement.subjects().clone();
    let with =
        Statement::rehearsal(Digest::of(b"g"), statement.nonce(), claim, subjects).expect("a statement");
    assert_eq!(mentions(Some(&with)).len(), 1);
    assert_eq!((mentions(Some(&statement)).len(), mentions(None).len()), (0, 0));
}

#[test]
fn of_a_genesis_the_statement_and_the_policys_names_are_read() {
    let judge = Judge::new(&specimen::policy());
    let quiet = claiming(&good(), Outcome::RollbackExact);
    let with = |policy: &Policy| BTreeMap::from([(POLICY_FILE.to_owned(), policy.bytes().to_vec())]);
    assert_eq!(judge.statement(&quiet, &with(&specimen::policy())).reasons(), []);
    let loud = policy_with("hosts = []", "hosts = [\"production-pass\"]");
    assert!(judge.statement(&quiet, &with(&loud)).has(Code::ClaimFound));
}

#[test]
fn a_map_that_was_read_before_speaks_for_its_own_bytes_alone() {
    let maps = Maps::default();
    let both = |map: Map| {
        let files = Files::collect(sealed(map)).0;
        (packet_facts_among(&files, &maps), packet_facts(&files))
    };
    let with = |from: &str, to: &str| {
        let text = String::from_utf8(good()[BLOCKERS].clone()).expect("text");
        assert!(text.contains(from), "{from}");
        let mut map = good();
        map.insert(BLOCKERS.into(), text.replacen(from, to, 1).into_bytes());
        map
    };
    let (first, alone) = both(good());
    assert_eq!(first, alone);
    let other = both(with("\"OPEN\"", "\"CLOSED\""));
    assert_eq!(other.0, other.1);
    assert_ne!(other.0, first, "another map");
    for _ in 0..2 {
        let (damaged, alone) = both(with("\"state\"", "\"further\""));
        assert!(damaged.is_err() && damaged == alone, "what cannot be read is not held");
        assert_eq!(both(good()).0, first, "again");
    }
}
