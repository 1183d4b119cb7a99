use super::*;
use crate::digest::Digest;
use crate::keys::{SecretKey, Signer};
use crate::statement::Kind;

const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const PARENT: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

fn signer() -> Signer<'static> {
    SecretKey::from_seed(&[7; 32]).into()
}

fn leaf(seq: u64, kind: Kind) -> Leaf {
    Leaf {
        ledger: Digest::of(b"ledger"),
        seq,
        prev: Digest::of(b"prev"),
        root: Digest::of(b"root"),
        kind,
        statement: Digest::of(b"statement"),
        content: Digest::of(b"content"),
        packet_tree: kind.has_packet().then(|| Digest::of(b"packet")),
        policy: Digest::of(b"policy"),
        key: signer().public().fingerprint(),
        time: "2026-11-23T00:00:00Z".parse().expect("a time"),
    }
}

fn unsigned(seq: u64, kind: Kind) -> Unsigned {
    let parent = (seq > 0).then(|| PARENT.parse().expect("an id"));
    let label = |text: &str| text.parse().expect("a label");
    Unsigned::new(TREE.parse().expect("an id"), parent, label("bob"), label("run-7"), leaf(seq, kind))
        .expect("fields that agree")
}

fn good() -> String {
    let entry = unsigned(41, Kind::Rehearsal).sign(&signer()).expect("a key here signs");
    String::from_utf8(entry.to_bytes()).expect("ASCII")
}

fn holds(commit: &[u8]) -> bool {
    Entry::parse(commit).is_ok_and(|e| e.verify_signature().is_ok())
}

/// Signs a commit whose text differs from the one form, as an attacker who holds the key would.
fn signed_by_hand(payload: &str) -> String {
    let armor =
        crate::sshsig::sign(&signer(), crate::sshsig::GIT, payload.as_bytes()).expect("signed").to_armor();
    let (head, message) = payload.split_once("\n\n").expect("an empty line");
    format!("{head}\ngpgsig {}\n\n{message}", armor.replace('\n', "\n "))
}

fn payload() -> String {
    let good = good();
    let (head, rest) = good.split_once("gpgsig ").expect("a signature");
    format!("{head}\n{}", rest.split_once("\n\n").expect("an empty line").1)
}

#[test]
fn each_kind_is_read_back_as_it_was_written() {
    for (seq, kind) in [(0, Kind::Genesis), (1, Kind::Grant), (2, Kind::Rehearsal), (3, Kind::Rerun)] {
        let entry = unsigned(seq, kind).sign(&signer()).expect("signed");
        let bytes = entry.to_bytes();
        assert_eq!(Entry::parse(&bytes).expect("reads"), entry);
        assert!(holds(&bytes));
        assert_eq!(Entry::stored_leaf_hash(&bytes), Some(entry.leaf_hash()));
        assert_eq!(Leaf::parse(&entry.leaf().to_text()).expect("reads"), *entry.leaf());
    }
}

#[test]
fn the_commit_looks_as_the_format_says() {
    let good = good();
    let lines: Vec<&str> = good.lines().collect();
    assert_eq!(lines[0], format!("tree {TREE}"));
    assert_eq!(lines[1], format!("parent {PARENT}"));
    assert_eq!(lines[2], "author bob <bob@fix7-ledger> 1795392000 +0000");
    assert_eq!(lines[3], "committer bob <bob@fix7-ledger> 1795392000 +0000");
    assert_eq!(lines[4], "gpgsig -----BEGIN SSH SIGNATURE-----");
    assert!(good.contains("\n\nfix7-ledger #41 rehearsal run-7 [HOLD_PRODUCTION]\n\nFix7-Entry: v1\n"));
    assert!(good.ends_with("\nFix7-Time: 2026-11-23T00:00:00Z\n"));
    assert_eq!(signed_by_hand(&payload()), good, "the forger of the tests below writes good commits too");
}

#[test]
fn every_changed_bit_every_prefix_and_every_dropped_line_is_refused() {
    let good = good();
    assert!(holds(good.as_bytes()));
    for i in 0..good.len() {
        assert!(!holds(&good.as_bytes()[..i]), "prefix {i}");
        for bit in 0..8 {
            let mut bytes = good.clone().into_bytes();
            bytes[i] ^= 1 << bit;
            assert!(!holds(&bytes), "byte {i} bit {bit}");
        }
    }
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    for i in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(i);
        assert!(!holds(fewer.concat().as_bytes()), "without line {i}");
        let mut twice = lines.clone();
        twice.insert(i, lines[i]);
        assert!(!holds(twice.concat().as_bytes()), "line {i} twice");
    }
    assert!(!holds(format!("{good}\n").as_bytes()));
}

/// What a commit is refused for: the line's name, or the variant's.
fn refusal(commit: &str) -> String {
    match Entry::parse(commit.as_bytes()) {
        Ok(_) => "accepted".into(),
        Err(EntryError::Line { line, .. } | EntryError::Label { line, .. }) => line.into(),
        Err(EntryError::Byte { .. }) => "byte".into(),
        Err(EntryError::Signature(_)) => "gpgsig".into(),
        Err(EntryError::NotTheOneForm { .. }) => "form".into(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn what_the_holder_of_a_key_may_not_sign_either() {
    let payload = payload();
    let author = "author bob <bob@fix7-ledger> 1795392000 +0000\n";
    let message_at = payload.find("\n\n").expect("a message");
    for (from, to, name) in [
        ("tree 4b", "tree 4B", "git object id"),
        ("tree 4b", "tree  4b", "git object id"),
        ("parent ", "Parent ", "author"),
        (&format!("parent {PARENT}\n"), "", "parent"),
        (&format!("parent {PARENT}\n"), &format!("parent {PARENT}\nparent {TREE}\n"), "author"),
        (&format!("tree {TREE}\n"), &format!("tree {TREE}\ntree {TREE}\n"), "author"),
        (author, "author eve <bob@fix7-ledger> 1795392000 +0000\n", "author"),
        (author, "author bob <bob@fix7-ledger> 1795392001 +0000\n", "author"),
        (author, "author bob <bob@fix7-ledger> 1795392000 +0100\n", "author"),
        (author, "author Bob Smith <bob@fix7-ledger> 1795392000 +0000\n", "author"),
        ("committer bob <bob@", "committer eve <eve@", "committer"),
        ("#41 rehearsal", "#42 rehearsal", "subject"),
        ("#41 rehearsal", "#41 rerun", "subject"),
        ("[HOLD_PRODUCTION]", "[GO_PRODUCTION]", "subject"),
        ("run-7 [", "Run-7 [", "subject"),
        ("[HOLD_PRODUCTION]\n\n", "[HOLD_PRODUCTION]\n\nAlso: more\n\n", "Fix7-Entry"),
        ("Fix7-Entry: v1", "Fix7-Entry: v2", "Fix7-Entry"),
        ("Fix7-Seq: 41", "Fix7-Seq: 041", "Fix7-Seq"),
        ("Fix7-Seq: 41", "Fix7-Seq: +41", "Fix7-Seq"),
        ("Fix7-Seq: 41", "Fix7-Seq: 9007199254740992", "Fix7-Seq"),
        ("Fix7-Prev: sha256:", "Fix7-Prev: SHA256:", "Fix7-Prev"),
        ("Fix7-Packet-Tree: ", "Fix7-Other: ", "Fix7-Packet-Tree"),
        ("Fix7-Time: 2026-11-23T00:00:00Z\n", "Fix7-Time: 2026-11-23T00:00:00+00:00\n", "Fix7-Time"),
        ("00:00:00Z\n", "00:00:00Z\nFix7-Note: more\n", "after Fix7-Time"),
        ("00:00:00Z\n", "00:00:00Z\n\n", "after Fix7-Time"),
        ("00:00:00Z\n", "00:00:00Z", "Fix7-Time"),
        ("00:00:00Z\n", "00:00:00Z\r\n", "byte"),
        ("00:00:00Z\n", "00:00:00Z\n\0PRODUCTION", "byte"),
        ("run-7", "run\u{2d}7\u{200b}", "byte"),
        ("run-7", "run-7\x1b[31m", "byte"),
    ] {
        let changed = payload.replacen(from, to, 1);
        assert_ne!(changed, payload, "{from}");
        assert_eq!(refusal(&signed_by_hand(&changed)), name, "{from:?} -> {to:?}");
    }
    for header in ["encoding UTF-8", "mergetag object", "gpgsig-sha256 x", "gpgsigX PRODUCTION_PASS"] {
        let more = format!("{}\n{header}{}", &payload[..message_at], &payload[message_at..]);
        assert_eq!(refusal(&signed_by_hand(&more)), "gpgsig", "{header}");
    }
    assert_eq!(refusal(&signed_by_hand(&payload)), "accepted");
}

#[test]
fn what_stock_git_leaves_unsigned_is_refused() {
    let good = good();
    let end = "\n -----END SSH SIGNATURE-----\n";
    for (from, to, name) in [
        (end, "\n -----END SSH SIGNATURE-----\ngpgsig-sha256 PRODUCTION_PASS\n", "after gpgsig"),
        (end, "\n -----END SSH SIGNATURE-----\ngpgsig2 PRODUCTION_PASS\n", "after gpgsig"),
        (end, "\n -----END SSH SIGNATURE-----\n PRODUCTION_PASS\n", "gpgsig"),
        (end, "\n -----END SSH SIGNATURE-----\n \n", "gpgsig"),
        ("gpgsig -----BEGIN", "gpgsig  -----BEGIN", "gpgsig"),
        ("gpgsig -----BEGIN", "gpgsig x\n -----BEGIN", "gpgsig"),
        ("gpgsig -----BEGIN", "gpgsig-sha256 -----BEGIN", "gpgsig"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        assert_eq!(refusal(&changed), name, "{to:?}");
    }
    assert_eq!(refusal(&good), "accepted");
}

#[test]
fn another_key_than_the_leaf_names_cannot_sign() {
    let other: Signer<'_> = SecretKey::from_seed(&[8; 32]).into();
    assert!(unsigned(1, Kind::Grant).sign(&other).is_err());
    let payload = payload();
    let armor =
        crate::sshsig::sign(&other, crate::sshsig::GIT, payload.as_bytes()).expect("signed").to_armor();
    let (head, message) = payload.split_once("\n\n").expect("an empty line");
    let commit = format!("{head}\ngpgsig {}\n\n{message}", armor.replace('\n', "\n "));
    assert_eq!(refusal(&commit), "gpgsig key");
}

#[test]
fn an_unknown_kind_and_a_huge_commit_have_their_own_refusals() {
    let unknown =
        signed_by_hand(&payload().replace(" rehearsal ", " lift ").replace("Kind: rehearsal", "Kind: lift"));
    assert_eq!(Entry::parse(unknown.as_bytes()).map_err(|e| e.code()), Err(Code::KindUnknown));
    let huge = good() + &"x".repeat(MAX_COMMIT_BYTES);
    assert!(matches!(Entry::parse(huge.as_bytes()), Err(EntryError::TooLarge { .. })));
    assert!(
        Unsigned::new(
            TREE.parse().expect("id"),
            None,
            "a".parse().expect("l"),
            "b".parse().expect("l"),
            leaf(1, Kind::Grant)
        )
        .is_err()
    );
}

#[test]
fn the_content_digest_is_over_sorted_lines() {
    let files = BTreeMap::from([("b/x".to_owned(), b"1".to_vec()), ("a".to_owned(), b"2".to_vec())]);
    let by_hand = format!("{}  a\n{}  b/x\n", Digest::of(b"2"), Digest::of(b"1"));
    assert_eq!(content_digest(&file_digests(&files)), Digest::of(by_hand.as_bytes()));
}

mod round_trips {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_leaf_is_read_back(seq in 0u64..1 << 53, bytes in any::<[u8; 32]>(), time in 0i64..253_402_300_800, kind in 0usize..4) {
            let kind = Kind::ALL[kind];
            let mut one = leaf(seq, kind);
            one.prev = Digest::from_bytes(bytes);
            one.time = crate::time::Timestamp::from_unix_seconds(time).expect("in range");
            prop_assert_eq!(Leaf::parse(&one.to_text()).expect("reads"), one);
        }

        #[test]
        fn no_text_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..1500) {
            let mut commit = good().into_bytes();
            let at = at.min(commit.len());
            commit.splice(at..at, bytes.iter().copied());
            prop_assert_eq!(holds(&commit), bytes.is_empty());
            prop_assert!(Entry::parse(&bytes).is_err());
        }
    }
}
