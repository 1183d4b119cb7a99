//! The report that verifies itself, in a real browser: what is good turns green, whatever was touched turns red and
//! says where, and what the browser cannot know is never green.

use std::collections::BTreeMap;
use std::path::Path;

use fix7_ledger::entry::{Entry, StoredEntry};
use fix7_ledger::keys::{SecretKey, Signer};
use fix7_ledger::ledger::{LedgerRef, Repository};
use fix7_ledger::report::html;
use fix7_ledger::statement::{Claim, Nonce, SIGNATURE_FILE, STATEMENT_FILE, Statement};
use serde_json::{Value, json};

use crate::desk::{Desk, change, forged, replaced};
use crate::forge;
use crate::sample::{fetched, shipped};

/// The sample ledger's entries: genesis, grant, rehearsal, rerun.
fn sample() -> Vec<StoredEntry> {
    let scratch = fetched();
    let repository = Repository::open(&scratch.path("sample.git")).expect("opens");
    let tip =
        repository.ledger_tip(&LedgerRef::named("main").expect("a name")).expect("reads").expect("a tip");
    let reader = repository.reader();
    reader
        .read_chain(&tip)
        .expect("a chain")
        .iter()
        .map(|oid| reader.read_entry(oid).expect("reads"))
        .collect()
}

fn id() -> String {
    std::fs::read_to_string(shipped("sample.id")).expect("the id").trim().to_owned()
}

fn leaf(entry: &StoredEntry) -> String {
    Entry::parse(&entry.commit).expect("an entry").leaf_hash().to_string()
}

#[test]
fn a_good_report_turns_green_under_the_id_or_a_key_and_never_without() {
    let mut desk = Desk::new();
    let entries = sample();
    let scratch = fetched();
    let out = scratch.path("report.html");
    let wrote =
        scratch.run(&["report", "--repo", "sample.git", "--out", "report.html", "--json"]).ok().json();
    assert_eq!(wrote["entries"], 4);
    assert_eq!(
        std::fs::read_to_string(&out).expect("written"),
        html(&entries),
        "a pure function of the entries"
    );
    desk.browser.open(&out);
    let before = desk.browser.value(
        "document.querySelectorAll('.held').length + document.body.innerHTML.includes('not verified yet')",
    );
    assert_eq!(
        before,
        json!(
            desk.browser
                .value("document.querySelectorAll('.probes .held').length")
                .as_u64()
                .expect("a number")
                + 1
        )
    );

    let operator =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("keys.example/operator.pub"));
    let operator = operator.expect("a key");
    let print = Entry::parse(&entries[2].commit).expect("an entry").leaf().key.to_string();
    for pin in [id(), format!(" sha256:{} ", id()), operator, print] {
        let found = desk.press(&pin, "");
        assert_eq!(found.outcome, "held", "{found:?}");
        assert_eq!(desk.browser.value("document.querySelectorAll('#entries .seal.held').length"), 4);
        for line in ["4 signatures: held", "6 packet: held in part", "8 completeness: not established"] {
            assert!(found.text.contains(line), "{line}: {}", found.text);
        }
    }
    for head in [&entries[3], &entries[0]] {
        let found = desk.press(&id(), &leaf(head));
        assert!(found.outcome == "held" && found.text.contains("8 completeness: held"), "{found:?}");
    }
    // Without anything from outside, the file speaks for itself only.
    let found = desk.press("", "");
    assert!(
        found.outcome == "not-established" && found.text.contains("no ledger id and no key"),
        "{found:?}"
    );
    let stranger = SecretKey::from_seed(&[9; 32]).public().to_openssh();
    for pin in ["0".repeat(64), stranger, "ssh-ed25519 AAAA".into(), "nonsense".into()] {
        assert_eq!(desk.press(&pin, "").outcome, "broken", "{pin}");
    }
    assert_eq!(desk.press(&id(), &"0".repeat(64)).outcome, "broken");
    assert_eq!(desk.browser.complaints, Vec::<Value>::new(), "nothing was asked for, refused or thrown");

    let refused = scratch.run(&["report", "--repo", "sample.git", "--out", "report.html", "--json"]).exits(4);
    assert_eq!(refused.codes(), ["ALREADY_EXISTS"]);
    scratch.run(&["report", "--repo", "sample.git", "--out", "report.html", "--force"]).ok();
}

type Tampering = (&'static str, fn(&mut Vec<StoredEntry>), u64, &'static str);

/// What, how, the first entry that must turn red, and what must be said.
const TAMPERINGS: [Tampering; 18] = [
    (
        "a commit's time",
        |e| e[2].commit = replaced(&e[2].commit, "Fix7-Time: 2026", "Fix7-Time: 2025"),
        2,
        "another one",
    ),
    (
        "a commit's message",
        |e| e[2].commit = replaced(&e[2].commit, "[HOLD_PRODUCTION]", "[FREE_PRODUCTION]"),
        2,
        "another one",
    ),
    (
        "text behind the trailers",
        |e| e[3].commit.extend_from_slice(b"Fix7-Note: more\n"),
        3,
        "1 object: broken",
    ),
    (
        "a second signature header",
        |e| e[1].commit = replaced(&e[1].commit, "\n\nfix7", "\ngpgsig-sha256 x\n\nfix7"),
        1,
        "form of an entry",
    ),
    ("a NUL", |e| e[1].commit.push(0), 1, "printable ASCII"),
    ("a commit signature", |e| e[2].commit = other_signature(&e[2].commit), 2, "the commit's signature: "),
    (
        "a statement",
        |e| change(e, 2, STATEMENT_FILE, "ROLLBACK_EXACT", "ROLLBACK_EXACt"),
        2,
        "Fix7-Statement",
    ),
    (
        "a statement's signature",
        |e| *e[2].files.get_mut(SIGNATURE_FILE).expect("there") = e[1].files[SIGNATURE_FILE].clone(),
        2,
        "lacks the signature of the committer",
    ),
    (
        "a digest in the evidence",
        |e| change(e, 2, "packet/clone-rollback-evidence.json", "\"rows\":\"e", "\"rows\":\"f"),
        2,
        "packet/clone-rollback-evidence.json",
    ),
    ("a plan's SQL", |e| change(e, 2, "packet/plan/up.sql", "e", "E"), 2, "packet/plan/up.sql"),
    ("the manifest", |e| change(e, 3, "packet/HASH_MANIFEST.txt", "0", "1"), 3, "HASH_MANIFEST.txt"),
    ("the policy", |e| e[0].files.get_mut("policy.toml").expect("there").push(b'\n'), 0, "policy.toml"),
    ("a file left out", |e| drop(e[2].files.remove("packet/README.md")), 2, "packet/README.md"),
    (
        "a file more",
        |e| drop(e[2].files.insert("packet/more.txt".into(), b"more".to_vec())),
        2,
        "packet/more.txt",
    ),
    (
        "a file outside of the packet",
        |e| drop(e[2].files.insert("more.txt".into(), b"more".to_vec())),
        2,
        "may not stand",
    ),
    ("the order", |e| e.swap(2, 3), 2, "missing or out of order"),
    ("an entry left out in the middle", |e| drop(e.remove(1)), 1, "missing or out of order"),
    ("the beginning left out", |e| drop(e.remove(0)), 0, "missing or out of order"),
];

/// The same commit with another signature in the right form.
fn other_signature(commit: &[u8]) -> Vec<u8> {
    let (payload, armor) = forge::apart(commit);
    let line = armor.lines().nth(4).expect("the signature's last line");
    let other = if line.starts_with('A') { 'B' } else { 'A' };
    let mut changed = String::from(other);
    changed.push_str(&line[1..]);
    forge::with_signature(&payload, &armor.replace(line, &changed))
}

#[test]
fn whatever_was_touched_turns_red_and_says_which_entry() {
    let mut desk = Desk::new();
    let good = sample();
    assert_eq!(desk.finding(&good, &id(), "").outcome, "held");
    for (what, tamper, seq, words) in TAMPERINGS {
        let mut entries = good.clone();
        tamper(&mut entries);
        let found = desk.finding(&entries, &id(), "");
        assert_eq!(found.outcome, "broken", "{what}: {found:?}");
        assert_eq!(found.broken.first(), Some(&seq), "{what}: {found:?}");
        assert!(found.text.contains(words), "{what}: `{words}` is not in {}", found.text);
    }
    // A tail that was cut off is a valid ledger: only who noted an entry can tell.
    let cut = &good[..3];
    let found = desk.finding(cut, &id(), "");
    assert!(found.outcome == "held" && found.text.contains("8 completeness: not established"), "{found:?}");
    let found = desk.press(&id(), &leaf(&good[3]));
    assert!(found.outcome == "broken" && found.text.contains("cut off or rewritten"), "{found:?}");
}

#[test]
fn a_damaged_archive_is_red_at_once_and_shows_nothing() {
    let mut desk = Desk::new();
    let good = html(&sample());
    let (head, archive) = good.split_once("id=\"archive\">\n").expect("an archive");
    for (from, to) in [(&archive[400..404], "!!!!"), (&archive[400..520], ""), (&archive[..4], "AAAA")] {
        desk.open(&format!("{head}id=\"archive\">\n{}", archive.replacen(from, to, 1)));
        assert_eq!(desk.browser.value("document.getElementById('outcome').className"), "broken");
        assert_eq!(desk.browser.value("document.querySelectorAll('.card').length"), 0);
        assert_eq!(desk.press(&id(), "").outcome, "broken");
    }
}

fn sample_key(name: &str) -> Signer<'static> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys.example").join(name);
    let text = std::fs::read_to_string(path).expect("a sample key");
    SecretKey::from_openssh(&text, None).expect("reads").into()
}

#[test]
fn what_is_well_signed_and_not_permitted_is_red() {
    let mut desk = Desk::new();
    let good = sample();
    let run = Statement::parse(&good[2].files[STATEMENT_FILE]).expect("a statement");
    let Claim::Rehearsal(claim) = run.claim().clone() else { panic!("a rehearsal") };
    let packet: BTreeMap<_, _> = good[2]
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("packet/"))
        .map(|(p, b)| (p.clone(), b.clone()))
        .collect();
    let ledger = *run.ledger().expect("a ledger");
    let again = |nonce: u8, name: &str| {
        let mut claim = claim.clone();
        claim.run_id = name.parse().expect("a label");
        Statement::rehearsal(ledger, Nonce::from_bytes([nonce; 16]), claim, run.subjects().clone())
            .expect("a statement")
    };
    let stranger: Signer<'static> = SecretKey::from_seed(&[9; 32]).into();
    type Case<'a> = (&'static str, &'a [StoredEntry], Statement, &'static str, Signer<'static>, &'static str);
    let cases: [Case<'_>; 5] = [
        ("the accepted twin", &good[..2], again(7, "once"), "operator", sample_key("operator"), ""),
        ("a grant spent twice", &good, again(7, "twice"), "operator", sample_key("operator"), "spent by #2"),
        ("an unknown key", &good[..2], again(7, "once"), "operator", stranger, "not registered"),
        (
            "an owner who rehearses",
            &good[..2],
            again(7, "once"),
            "owner",
            sample_key("owner"),
            "has not the role operator",
        ),
        (
            "a name used before",
            &good,
            again(7, "delivery-windows-2"),
            "operator",
            sample_key("operator"),
            "name was used before",
        ),
    ];
    for (what, before, statement, author, signer, words) in cases {
        let entry = forged(before, &statement, author, &signer, packet.clone());
        let entries = [before, &[entry]].concat();
        let found = desk.finding(&entries, &id(), "");
        let expected = if words.is_empty() { "held" } else { "broken" };
        assert_eq!(found.outcome, expected, "{what}: {found:?}");
        assert!(found.text.contains(words), "{what}: {}", found.text);
        assert_eq!(found.broken.is_empty(), words.is_empty(), "{what}");
    }
}

#[test]
fn a_browser_without_ed25519_establishes_nothing() {
    let mut desk = Desk::new();
    desk.open(&html(&sample()));
    desk.browser.value(
        "crypto.subtle.importKey = async () => { throw new DOMException('no', 'NotSupportedError') }; true",
    );
    let found = desk.press(&id(), "");
    assert!(found.outcome == "not-established" && found.text.contains("has no Ed25519"), "{found:?}");
    assert!(found.text.contains("4 signatures: not established") && found.broken.is_empty(), "{found:?}");
}

#[test]
fn text_of_others_stays_text() {
    let mut desk = Desk::new();
    let mut entries = sample();
    let hostile =
        "</script><img src=x onerror=document.title='owned'><script>document.title='owned'</script>";
    let path = "packet/updated-production-blocker-map.json";
    let bytes = &entries[3].files[path];
    let changed = replaced(bytes, "The FIX7 seal-vs-bytes CI gate is not yet designed", hostile);
    entries[3].files.insert(path.into(), changed);
    desk.open(&html(&entries));
    assert_eq!(desk.browser.value("document.querySelector('.blockers small').textContent"), hostile);
    assert_eq!(desk.browser.value("document.title"), "sample: rollback rehearsals");
    assert_eq!(desk.browser.value("document.images.length"), 0);
    // The page's policy stands behind it: markup from a text is refused by the browser itself.
    let refused = desk.browser.value(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'taken' } catch { return 'refused' } })()",
    );
    assert_eq!(refused, "refused");
}

#[test]
fn axe_finds_no_fault_at_a_desk_on_a_phone_and_in_the_dark() {
    let Ok(axe) = std::env::var("FIX7_TEST_AXE") else {
        panic!("run the tests with ./test (FIX7_TEST_AXE is not set)");
    };
    let axe = std::fs::read_to_string(axe).expect("axe-core");
    let mut desk = Desk::new();
    desk.open(&html(&sample()));
    desk.browser.value("document.querySelectorAll('details').forEach(part => part.open = true)");
    desk.browser.value(&format!("{axe}; true"));
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        desk.browser.call("Emulation.setDeviceMetricsOverride", size);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        desk.browser.call("Emulation.setEmulatedMedia", media);
        let faults = |desk: &mut Desk| {
            desk.browser.value(
                "axe.run().then(found => found.violations.map(v => \
                   v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; ')))",
            )
        };
        desk.press("", "");
        assert_eq!(faults(&mut desk), json!([]), "{width} {scheme}");
        assert_eq!(desk.press(&id(), "").outcome, "held");
        assert_eq!(faults(&mut desk), json!([]), "{width} {scheme}");
        let wide = desk.browser.value("document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, false, "nothing stands outside of a page {width} wide");
    }
    // The judge can find fault at all.
    desk.browser.value("document.querySelector('label').remove(); document.documentElement.lang = ''");
    let faults = desk.browser.value("axe.run().then(found => found.violations.map(v => v.id))");
    assert!(faults.as_array().is_some_and(|found| found.contains(&json!("label"))), "{faults}");
}
