use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::keys::{SecretKey, sample_secret};

fn key(seed: u8) -> crate::keys::PublicKey {
    SecretKey::from_seed(&[seed; 32]).public().clone()
}

fn entry(name: &str, seed: u8, roles: &[Role]) -> KeyEntry {
    KeyEntry {
        name: name.parse().expect("a label"),
        person: None,
        public: key(seed),
        roles: roles.iter().copied().collect(),
    }
}

fn genesis() -> Genesis {
    Genesis {
        name: "orders".parse().expect("a label"),
        demo: false,
        owner_threshold: 1,
        keys: vec![entry("ann", 1, &[Role::Owner]), entry("bob", 2, &[Role::Operator, Role::Auditor])],
    }
}

fn rehearsal(of: Option<Digest>) -> Statement {
    let claim = Rehearsal {
        begin: None,
        run_id: "run-1".parse().expect("a label"),
        grant: Digest::of(b"grant"),
        number: Some(7),
        of,
        result: Outcome::RollbackExact,
        packet_tree: Digest::of(b"manifest"),
        date: "2026-11-23".into(),
        mentions: vec![Mention {
            file: "README.md".into(),
            line: 3,
            token: "x".into(),
            reason: "quoted".into(),
        }],
        run: Run::new(BTreeMap::from([("host_os".into(), "linux".into())])).expect("bounded"),
    };
    let subjects = Subjects::from([("packet/HASH_MANIFEST.txt".into(), Digest::of(b"manifest"))]);
    Statement::rehearsal(Digest::of(b"g"), Nonce::from_bytes([1; 16]), claim, subjects).expect("a statement")
}

fn label(text: &str) -> Label {
    text.parse().expect("a label")
}

fn bare(claim: Claim) -> Statement {
    Statement::bare(Digest::of(b"g"), Nonce::from_bytes([2; 16]), claim).expect("a statement")
}

fn void(of: Option<Digest>, numbers: Option<Numbers>) -> Void {
    Void { id: label("void-1"), numbers, of, reason: "a mistake".into() }
}

fn decision(action: BlockerAction, part: Option<&str>) -> BlockerDecision {
    BlockerDecision {
        action,
        after: Some(Digest::of(b"before")),
        blocker: "FIX7-P0-PROD-CI-SCOPE-1".into(),
        evidence: Digest::of(b"document"),
        id: label("blockers-9"),
        part: part.map(str::to_owned),
        text: "as agreed".into(),
    }
}

#[test]
fn a_void_is_of_an_entry_or_of_numbers_and_a_decision_has_the_part_that_it_moves() {
    let write = |claim| Statement::bare(Digest::of(b"g"), Nonce::from_bytes([2; 16]), claim).is_ok();
    let numbers = |first, last| Some(Numbers { first, key: key(2).fingerprint(), last });
    let leaf = Some(Digest::of(b"leaf"));
    for (of, numbers, fits) in [
        (leaf, None, true),
        (None, numbers(1, 1), true),
        (None, numbers(3, 9), true),
        (None, None, false),
        (leaf, numbers(1, 1), false),
        (None, numbers(0, 1), false),
        (None, numbers(2, 1), false),
        (None, numbers(1, canon::MAX_INTEGER + 1), false),
    ] {
        assert_eq!(write(Claim::Void(void(of, numbers))), fits, "{of:?} {numbers:?}");
    }
    let begin =
        |number| write(Claim::Begin(Begin { grant: Digest::of(b"grant"), id: label("begin-1"), number }));
    assert!(begin(None) && begin(Some(1)) && !begin(Some(0)) && !begin(Some(canon::MAX_INTEGER + 1)));
    for (action, part, fits) in [
        (BlockerAction::Close, None, true),
        (BlockerAction::Close, Some("x"), false),
        (BlockerAction::Meet, Some("PRODUCTION_OPT_4"), true),
        (BlockerAction::Meet, None, false),
        (BlockerAction::Prove, Some("runbook"), true),
        (BlockerAction::Prove, Some(""), false),
        (BlockerAction::Prove, Some("a b"), false),
    ] {
        assert_eq!(write(Claim::Blockers(decision(action, part))), fits, "{action:?} {part:?}");
    }
    let odd = BlockerDecision { blocker: "fix7".into(), ..decision(BlockerAction::Close, None) };
    assert!(!write(Claim::Blockers(odd)));
}

#[test]
fn a_person_is_somebody_who_has_another_key() {
    let with = |person: Option<&str>, owners: u32| {
        let second = KeyEntry { person: person.map(label), ..entry("ann-2", 3, &[Role::Owner]) };
        let mut keys = genesis().keys;
        keys.push(second);
        let genesis = Genesis { keys, owner_threshold: owners, ..genesis() };
        Statement::genesis(Nonce::from_bytes([2; 16]), genesis, Digest::of(b"policy")).is_ok()
    };
    assert!(with(None, 2) && with(Some("ann"), 1));
    assert!(!with(Some("ann"), 2), "two keys of one person are one owner");
    assert!(!with(Some("zoe"), 1) && !with(Some("ann-2"), 1));
}

fn all() -> Vec<Statement> {
    let nonce = Nonce::from_bytes([2; 16]);
    let grant = Grant {
        id: "grant-1".parse().expect("a label"),
        operator: key(2).fingerprint(),
        scope: Scope { source: Some(Digest::of(b"s")), plan: None },
        expires_after_seq: None,
    };
    vec![
        Statement::genesis(nonce, genesis(), Digest::of(b"policy")).expect("a statement"),
        Statement::grant(Digest::of(b"g"), nonce, grant).expect("a statement"),
        rehearsal(None),
        rehearsal(Some(Digest::of(b"leaf"))),
        bare(Claim::Begin(Begin { grant: Digest::of(b"grant"), id: label("begin-1"), number: Some(1) })),
        bare(Claim::Void(void(Some(Digest::of(b"leaf")), None))),
        bare(Claim::Key(KeyChange::Add(Box::new(KeyEntry {
            person: Some(label("ann")),
            ..entry("ann-2", 3, &[Role::Owner])
        })))),
        Statement::policy(
            Digest::of(b"g"),
            nonce,
            PolicyChange { id: label("policy-1") },
            Digest::of(b"policy"),
        )
        .expect("a statement"),
        bare(Claim::Blockers(decision(BlockerAction::Meet, Some("PRODUCTION_OPT_4")))),
        bare(Claim::Note(Note {
            confirms: true,
            id: label("note-1"),
            of: Digest::of(b"leaf"),
            text: "seen".into(),
        })),
    ]
}

#[test]
fn each_kind_is_read_back_as_it_was_written() {
    for (statement, kind) in all().into_iter().zip(Kind::ALL) {
        assert_eq!(statement.kind(), kind);
        let bytes = statement.bytes().to_vec();
        assert_eq!(Statement::parse(&bytes).expect("reads"), statement);
        assert_eq!(Statement::parse(&bytes).expect("reads").bytes(), bytes);
        // Without its subjects it is the same document with an empty list.
        let mut document: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        document["subject"] = serde_json::json!([]);
        assert_eq!(statement.without_subjects(), canon::to_vec(&document).expect("canonical"));
    }
}

#[test]
fn every_prefix_is_refused_and_every_changed_byte_is_another_statement() {
    for statement in all() {
        let good = statement.bytes().to_vec();
        for i in 0..good.len() {
            assert!(Statement::parse(&good[..i]).is_err(), "prefix {i}");
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[i] ^= 1 << bit;
                if let Ok(other) = Statement::parse(&bytes) {
                    assert_ne!(other, statement, "byte {i} bit {bit}: two spellings of one statement");
                    assert_eq!(other.bytes().to_vec(), bytes);
                }
            }
        }
    }
}

/// A statement's document with one change, read again.
fn changed(
    statement: &Statement,
    pointer: &str,
    value: serde_json::Value,
) -> Result<Statement, StatementError> {
    let mut document: serde_json::Value = serde_json::from_slice(statement.bytes()).expect("JSON");
    match document.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            document.pointer_mut(parent).expect("a parent")[name] = value;
        }
    }
    Statement::parse(&canon::to_vec(&document).expect("canonical"))
}

#[test]
fn fields_that_contradict_the_kind_are_refused() {
    let mut all = all();
    all.truncate(4);
    let [genesis, grant, rehearsal, rerun] = <[Statement; 4]>::try_from(all).expect("four");
    let digest = || serde_json::json!(Digest::of(b"other"));
    for (statement, pointer, value) in [
        (&grant, "/predicate/policy", "GO".into()),
        (&grant, "/predicate/grant/decision", "AUTHORIZE_PRODUCTION".into()),
        (&grant, "/predicate/grant/single_use", false.into()),
        (&grant, "/predicate/grant/scope/every", true.into()),
        (&grant, "/predicate/grant/expires_after_seq", (-1).into()),
        (&grant, "/predicate/kind", "rehearsal".into()),
        (&grant, "/predicate/kind", "lift".into()),
        (&grant, "/subject/0/digest/sha256", digest()),
        (&grant, "/subject/0/name", "other".into()),
        (&grant, "/predicate/ledger", serde_json::Value::Null),
        (&genesis, "/predicate/ledger", digest()),
        (&genesis, "/subject/0/name", "packet/x".into()),
        (&genesis, "/predicate/genesis/owner_threshold", 2.into()),
        (&genesis, "/predicate/genesis/owner_threshold", 0.into()),
        (&genesis, "/predicate/genesis/keys/1/name", "ann".into()),
        (&genesis, "/predicate/genesis/keys/1/roles", serde_json::json!([])),
        (&genesis, "/predicate/genesis/keys/1/roles", serde_json::json!(["operator", "witness"])),
        (&genesis, "/predicate/genesis/keys/1/roles", serde_json::json!(["root"])),
        (&rehearsal, "/predicateType", rerun.kind().predicate_type().into()),
        (&rehearsal, "/_type", "https://in-toto.io/Statement/v0.1".into()),
        (&rehearsal, "/predicate/rehearsal/of", digest()),
        (&rehearsal, "/predicate/rehearsal/result", "PRODUCTION_PASS".into()),
        (&rehearsal, "/predicate/rehearsal/date", "2026-02-30".into()),
        (&rehearsal, "/predicate/rehearsal/run_id", "Run 1".into()),
        (&rehearsal, "/predicate/rehearsal/mentions/0/line", 0.into()),
        (&rehearsal, "/predicate/rehearsal/run/host_os", 1.5.into()),
        (&rehearsal, "/subject/0/name", "packet/".into()),
        (&rehearsal, "/subject", serde_json::json!([])),
        (&rehearsal, "/predicate/nonce", "00".into()),
        (&rerun, "/predicate/rerun/of", serde_json::Value::Null),
    ] {
        // A float never gets as far as canonical bytes.
        if value.as_f64().is_some() && !value.is_i64() {
            continue;
        }
        assert!(changed(statement, pointer, value.clone()).is_err(), "{pointer} = {value}");
    }
    // The accepted twins.
    assert!(changed(&grant, "/predicate/grant/expires_after_seq", 9.into()).is_ok());
    assert!(changed(&genesis, "/predicate/genesis/keys/1/roles", serde_json::json!(["witness"])).is_ok());
    assert!(changed(&rehearsal, "/predicate/rehearsal/date", "2026-02-28".into()).is_ok());
}

#[test]
fn an_unknown_kind_has_its_own_refusal() {
    let refused = changed(&rehearsal(None), "/predicate/kind", "lift".into());
    assert!(matches!(refused, Err(StatementError::KindUnknown(kind)) if kind == "lift"));
}

#[test]
fn subjects_have_one_order() {
    let document = |names: [&str; 2]| {
        let good = rehearsal(None).bytes().to_vec();
        let mut value: serde_json::Value = serde_json::from_slice(&good).expect("JSON");
        let one = |name: &str| serde_json::json!({"name": name, "digest": {"sha256": Digest::of(b"x")}});
        value["subject"] = names.map(one).into_iter().collect();
        Statement::parse(&canon::to_vec(&value).expect("canonical")).is_ok()
    };
    assert!(document(["packet/a", "packet/b"]));
    assert!(!document(["packet/b", "packet/a"]) && !document(["packet/a", "packet/a"]));
}

#[test]
fn a_weak_key_cannot_stand_in_a_genesis() {
    let small_order = [0u8; 32];
    let wire = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &small_order].concat();
    let line = format!("ssh-ed25519 {}", data_encoding::BASE64.encode(&wire));
    let genesis = all().remove(0);
    assert!(changed(&genesis, "/predicate/genesis/keys/1/public", line.into()).is_err());
    let other = sample_secret("owner").expect("a sample").public().to_openssh();
    assert!(changed(&genesis, "/predicate/genesis/keys/1/public", other.into()).is_ok());
}

#[test]
fn the_quick_writer_and_the_canonical_one_agree() {
    let run = serde_json::json!({"z": {"b": "\u{1}\u{7f}\"\\/\u{e9}\u{1f600}\n", "a": [1, -2, null, true]}, "a": 0});
    let facts: BTreeMap<String, serde_json::Value> = serde_json::from_value(run).expect("an object");
    let mut with_run = rehearsal(Some(Digest::of(b"leaf")));
    let Claim::Rerun(claim) = &mut with_run.claim else { panic!("a rerun") };
    claim.run = Run::new(facts).expect("bounded");
    for statement in all().into_iter().chain([with_run.with_text()]) {
        let canonical = canon::to_vec(&Document::from_statement(&statement)).expect("canonical");
        assert_eq!(String::from_utf8(statement.bytes().to_vec()), String::from_utf8(canonical.clone()));
        assert_eq!(Statement::parse(&canonical).expect("reads"), statement);
    }
}

#[test]
fn what_serde_would_forgive_is_refused() {
    let text = String::from_utf8(rehearsal(None).bytes().to_vec()).expect("UTF-8");
    assert!(Statement::parse(text.as_bytes()).is_ok());
    for (from, to) in [
        ("\"host_os\":\"linux\"", "\"host_os\":\"linux\",\"host_os\":\"linux\""),
        ("\"host_os\":\"linux\"", "\"host_os\":{\"b\":1,\"a\":1}"),
        ("\"host_os\":\"linux\"", "\"host_os\":1.0"),
        ("\"host_os\":\"linux\"", "\"host_os\":-0"),
        ("\"host_os\":\"linux\"", "\"host_os\":\"e\u{301}\""),
        ("linux", "\\u006cinux"),
        ("\"mentions\":", "\"of\":null,\"mentions\":"),
        ("\"packet_tree\":", "\"of\":null,\"packet_tree\":"),
        ("{\"_type\"", "{ \"_type\""),
        ("\"run_id\":\"run-1\"", "\"run_id\":\"run-1\",\"unknown\":1"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        assert!(Statement::parse(bad.as_bytes()).is_err(), "{to}");
    }
    let genesis = String::from_utf8(all().remove(0).bytes().to_vec()).expect("UTF-8");
    for bad in ["[\"auditor\",\"operator\"]", "[\"operator\",\"operator\"]"] {
        assert!(
            Statement::parse(genesis.replace("[\"operator\",\"auditor\"]", bad).as_bytes()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn roles_are_a_set() {
    let roles: BTreeSet<Role> = [Role::Witness, Role::Owner].into();
    assert_eq!(roles.iter().map(|r| r.name()).collect::<Vec<_>>(), ["owner", "witness"]);
}

mod round_trips {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[\\x00-\\x1f\\x7f\"\\\\/]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ -~]{0,8}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_can_be_stated_is_read_back(facts in proptest::collection::btree_map("[a-z0-9_]{1,8}", value(), 0..5), text in "\\PC{1,20}", n in any::<[u8; 16]>()) {
            let Claim::Rehearsal(mut claim) = rehearsal(None).claim else { unreachable!("a rehearsal") };
            claim.mentions[0].reason = text;
            claim.run = Run::new(facts).expect("bounded");
            let subjects = Subjects::from([("packet/x".to_owned(), Digest::of(&n))]);
            let (ledger, nonce, claim) = (Some(Digest::of(b"g")), Nonce::from_bytes(n), Claim::Rehearsal(claim));
            let plain = Statement { subjects, ledger, nonce, claim, text: Vec::new() };
            let canonical = canon::to_vec(&Document::from_statement(&plain)).ok();
            match Statement::written(plain.subjects.clone(), plain.ledger, plain.nonce, plain.claim.clone()) {
                Ok(statement) => {
                    prop_assert_eq!(Some(statement.bytes().to_vec()), canonical);
                    prop_assert_eq!(statement, plain.with_text());
                }
                // Text that is not NFC is refused by both doors.
                Err(_) => prop_assert!(canonical.is_none()),
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(insert in proptest::collection::vec(any::<u8>(), 0..40), at in 0usize..1200) {
            let mut bytes = rehearsal(None).bytes().to_vec();
            let at = at.min(bytes.len());
            bytes.splice(at..at, insert.iter().copied());
            if let Ok(read) = Statement::parse(&bytes) {
                prop_assert_eq!(read.bytes().to_vec(), bytes);
            }
            prop_assert!(Statement::parse(&insert).is_err());
        }
    }
}
