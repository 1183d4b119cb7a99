//! The product's own words pass, plain claims do not.

use super::*;
use crate::digest::Digest;

/// Every name and sentence that the product must be able to write.
const VOCABULARY: &[&str] = &[
    "HOLD_PRODUCTION",
    "AUTHORIZE_PRODUCTION_REHEARSAL_ONLY",
    "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY",
    "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_AND_CI_RESOLUTION_LANE_MACRO_2026_06_12",
    "FIX7-P0-DRYRUN-PROD-ROLLBACK-1",
    "FIX7-P0-PROD-CI-SCOPE-1",
    "production-rehearsal-only",
    "OVERALL PASS",
    "production-decision-packet.json",
    "updated-production-blocker-map.json",
    "production remains HOLD",
    "production-target",
    "PASS-without-isolation",
    "ROLLBACK_EXACT",
    "fix7-ledger #41 rehearsal orders-2026-11-23-7 [HOLD_PRODUCTION]",
    "It authorizes nothing in production; production remains HOLD.",
    "proves the production-documented rollback PATTERN byte/row-exact on an isolated local clone (never production)",
    "Production mutation: NO · REAL_RUN/QT001/cutover: NO · production CI/deploy trigger: NO · secrets change: NO.",
    "clone-rehearsal leg proven; production leg still OPEN",
    "an operator-provided production-shaped DB dump clone + production OPT-4 + distinct production-rollback grant",
    "10/10 fail closed (production target, REAL_RUN, QT001/apply, cutover, CI deploy, secrets), control allowed",
    "a rehearsal is never a production pass, and production stays on HOLD",
    "PRODUCTION_PASSWORD",
    "reproduction passed",
];

const CLAIMS: &[&str] = &[
    "PRODUCTION_PASS",
    "production pass",
    "Real-Run: PASSED",
    "cutover\npass",
    "prod is green",
    "production status: approved",
    "Production has now been certified",
    "ready for production",
    "passed in the production environment",
    "cleared for prod",
    "HOLD_PRODUCTION_PASS",
    "HOLD_PRODUCTION_RELEASED",
    "the hold is lifted",
    "go-live: ok to deploy",
    "SEAL_OF_APPROVAL",
    "P.R.O.D.U.C.T.I.O.N...P.A.S.S",
    "PR0DUCT10N-P@55",
    "pr0duction 9 pass",
    "SSAP_NOITCUDORP",
    "CEBQHPGVBA_CNFF",
    "PRODUCTION_PASS WORD",
    "PRODUCTION_PASSword",
    "QT001/apply PASS QT001 passed",
];

fn gate() -> Gate {
    Gate::new(&Policy::default_policy())
}

fn reasons(channel: Channel<'_>, text: &str) -> String {
    let verdict = gate().scan("x", channel, text.as_bytes());
    verdict.reasons().iter().map(|r| r.to_string()).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_products_own_words_pass_everywhere() {
    let boundary = Policy::default_policy().boundary().text();
    for text in VOCABULARY.iter().copied().chain([boundary.as_str()]) {
        for channel in [
            Channel::PacketFile { path: "x.md" },
            Channel::TagMessage,
            Channel::CommitMessage,
            Channel::File { path: "x" },
        ] {
            // The one sentence that names a claim is a claim where everything is looked for.
            if text.contains("never a production pass") {
                continue;
            }
            assert_eq!(reasons(channel, text), "", "{text}");
        }
    }
    let all = VOCABULARY.iter().filter(|t| !t.contains("never a production pass"));
    let json = format!("{{\"a\":[{}]}}", all.map(|t| format!("\"{t}\"")).collect::<Vec<_>>().join(","));
    assert_eq!(reasons(Channel::PacketFile { path: "x.json" }, &json), "");
}

#[test]
fn plain_claims_are_refused_where_the_ledger_speaks() {
    for text in CLAIMS {
        assert!(reasons(Channel::PacketFile { path: "x.md" }, text).contains("CLAIM_FOUND"), "{text}");
        assert!(reasons(Channel::TagMessage, text).contains("CLAIM_FOUND"), "{text}");
    }
}

#[test]
fn programs_and_prose_on_ordinary_refs_pass_and_written_tokens_do_not() {
    for (good, bad) in [
        ("if env == \"production\":\n    pass\n", "PRODUCTION\n    PASS\n"),
        ("In production, pass `--fast`.", "In production-pass."),
        ("a production-ready server", "a production_pass server"),
        ("prod_pass = os.environ['PROD_PASSWORD']", "x = os.environ['PRODUCTION_PASS']"),
        ("the cutover passed", "the cutover_passed"),
    ] {
        assert_eq!(reasons(Channel::File { path: "a.py" }, good), "", "{good}");
        assert!(reasons(Channel::File { path: "a.py" }, bad).contains("CLAIM_FOUND"), "{bad}");
    }
}

#[test]
fn the_source_documents_readme_passes_as_readme_and_only_there() {
    let readme = "• Bad-input probes (rehearsal-bad-input-probes.json): 10/10 fail closed (production target, REAL_RUN, \
        QT001/apply, cutover, CI deploy, secrets, missing rollback proof, fake no-mutation rollback, \
        PASS-without-isolation, production-PASS-from-rehearsal), control allowed, no PRODUCTION_PASS / REAL_RUN_PASS / \
        CUTOVER_PASS / seal-like token leaked.\n";
    assert_eq!(reasons(Channel::PacketFile { path: "README.md" }, readme), "");
    assert!(reasons(Channel::PacketFile { path: "other.md" }, readme).contains("CLAIM_FOUND"));
    let more = format!("{readme}PRODUCTION_PASS");
    assert!(reasons(Channel::PacketFile { path: "README.md" }, &more).contains("line 2"));
}

#[test]
fn the_reason_says_where_and_never_what() {
    let said = reasons(Channel::PacketFile { path: "x.md" }, "one\ntwo PRODUCTION_PASS\n");
    assert_eq!(said, "CLAIM_FOUND: x: claims.subjects[0], claims.verdicts[0], line 2");
}

#[test]
fn a_packet_is_read_with_its_neighbours() {
    let scan = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec()));
        let (files, verdict) = Files::collect(files);
        assert!(verdict.accepted());
        gate().scan_packet(&files, &[])
    };
    for (bad, good) in [
        (
            vec![("e-prod.md", "a"), ("uction-pass.md", "b")],
            vec![("e-prod.md", "a"), ("uction-fail.md", "b")],
        ),
        (
            vec![("a.md", "the PRODUCTION"), ("b.md", "_PASS")],
            vec![("a.md", "the PRODUCTION"), ("b.md", "_FAIL")],
        ),
        (vec![("production.md", "pass")], vec![("production.md", "hold")]),
        (vec![("production/pass.md", "")], vec![("production/plan.md", "")]),
        (vec![("a.json", r#"["PRODUC","TION_PASS"]"#)], vec![("a.json", r#"["PRODUC","TION_PLAN"]"#)]),
        (
            vec![("a.json", r#"{"b":"CUT","c":"OVER","d":"PASS"}"#)],
            vec![("a.json", r#"{"b":"CUT","d":"PASS"}"#)],
        ),
        (
            vec![("a.json", r#"{"cut":"a","over":"b","pass":"c"}"#)],
            vec![("a.json", r#"{"cut":"a","pass":"c"}"#)],
        ),
        (
            vec![("a.json", r#"["UFJPRFV","DVElPTl9","QQVNT"]"#)],
            vec![("a.json", r#"["UFJPRFV","DVElPTl9"]"#)],
        ),
    ] {
        assert!(scan(&bad).has(Code::ClaimFound), "{bad:?}");
        assert!(scan(&good).accepted(), "{good:?}: {:?}", scan(&good));
    }
    assert!(scan(&[("a.exe", "x")]).has(Code::FileUnexpected));
}

#[test]
fn a_declared_mention_lets_its_own_line_through() {
    let (files, _) = Files::collect([("plan/up.sql", b"-- a\n-- PRODUCTION_PASS is a column\n".to_vec())]);
    let mention = |line| Mention {
        file: "plan/up.sql".to_owned(),
        line,
        token: "PRODUCTION_PASS".to_owned(),
        reason: "a column of this name exists".to_owned(),
    };
    assert!(gate().scan_packet(&files, &[]).has(Code::ClaimFound));
    assert!(gate().scan_packet(&files, &[mention(2)]).accepted());
    assert!(gate().scan_packet(&files, &[mention(1)]).has(Code::Malformed));
    assert!(gate().scan_packet(&files, &vec![mention(2); 33]).has(Code::LimitExceeded));
    let elsewhere = Mention { file: "plan/down.sql".to_owned(), ..mention(2) };
    assert!(gate().scan_packet(&files, &[elsewhere]).has(Code::FileMissing));
}

#[test]
fn what_the_ledger_says_is_text() {
    let scan = |channel, bytes: &[u8]| gate().scan("x", channel, bytes);
    for (bad, good) in [(&b"a\0b"[..], &b"a b"[..]), (b"a\x1b[0m", b"a[0m"), (b"\xff", b"x")] {
        assert!(scan(Channel::PacketFile { path: "x.md" }, bad).has(Code::Undecidable));
        assert!(scan(Channel::PacketFile { path: "x.md" }, good).accepted());
        assert!(scan(Channel::File { path: "x.bin" }, bad).accepted());
    }
    assert!(scan(Channel::EntryMessage, "é".as_bytes()).has(Code::Undecidable));
    assert!(scan(Channel::EntryIdentity, b"a\nb").has(Code::Undecidable));
    assert!(scan(Channel::PacketFile { path: "x.md" }, "é\n".as_bytes()).accepted());
    assert!(scan(Channel::CommitMessage, &vec![b'a'; 65537]).has(Code::LimitExceeded));
    assert!(scan(Channel::CommitMessage, &vec![b'a'; 65536]).accepted());
}

#[test]
fn what_stands_in_a_packets_file_does_not_depend_on_its_path() {
    for text in [
        "the clone was restored",
        "production: PASS",
        "\u{1}",
        "p\u{200b}roduction_pass UFJPRFVDVElPTl9QQVNT",
    ] {
        let reasons = |path: &str| {
            // A gate of its own: nothing is known from another path.
            let channel = Channel::PacketFile { path };
            let scanned = gate().scan_blanked(path, channel, text.as_bytes(), text.as_bytes());
            scanned.reasons().iter().map(|r| (r.code, r.found.clone())).collect::<Vec<_>>()
        };
        let (names, first) =
            (["README.md", "policy.toml", "rehearsal-bad-input-probes.json", "plan/up.sql"], reasons("a"));
        names.iter().for_each(|path| assert_eq!(reasons(path), first, "{path}: {text}"));
    }
    let clean = |text: &str| {
        gate()
            .scan_blanked("a", Channel::PacketFile { path: "a" }, text.as_bytes(), text.as_bytes())
            .accepted()
    };
    assert!(clean("the clone was restored") && !clean("production: PASS"));
}

/// Texts that differ in nothing but digests are looked at once; what the digests of one hide is found all the same.
#[test]
fn only_digests_that_say_nothing_are_left_out() {
    let one = gate();
    let scan = |gate: &Gate, text: String| {
        let (files, _) =
            Files::collect([("a.json".to_owned(), text.into_bytes()), ("b.md".into(), b"b".to_vec())]);
        gate.scan_packet(&files, &[])
    };
    let evidence = |sum: &str, nonce: &str, clone: &str| {
        format!(r#"{{"after":"{sum}","before":"{sum}","clone":"clone-{clone}","nonce":"{nonce}","rows":12}}"#)
    };
    let sum = |n: u32| Digest::of(&n.to_be_bytes()).to_string();
    let plain = |n: u32| evidence(&sum(n), &sum(n + 1)[..32], &sum(n + 2)[..16]);
    let looked_at = |gate: &Gate, text: String| {
        let before = gate.clean.len();
        assert!(scan(gate, text).accepted());
        gate.clean.len() - before
    };
    assert!(looked_at(&one, plain(0)) > 3);
    // By chance a nonce or a clone's name reads as some letters, and is looked at.
    let again = (1..200).filter(|n| looked_at(&one, plain(3 * n)) > 0).count();
    assert!(again < 20, "{again} of 199");
    assert_eq!(looked_at(&one, plain(0).replace("12", "13")), 3, "the file, its beginning and its end");
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let claim = hex("PRODUCTION_PASS");
    for (hidden, length) in [(format!("{claim}{}", &sum(0)[..34]), 64), (format!("{claim}00"), 32)] {
        assert_eq!(hidden.len(), length);
        let text = plain(0).replace(&sum(0), &hidden);
        assert!(scan(&one, text).has(Code::ClaimFound), "{hidden}");
    }
    for glued in ["UFJPRFVDVElPTl9QQVNT", "/UFJPRFVDVElPTl9QQVNT"] {
        let text = evidence(&sum(0), &sum(1)[..32], &format!("{}{glued}", &sum(2)[..16]));
        assert!(scan(&one, text).has(Code::ClaimFound), "{glued}");
    }
}
