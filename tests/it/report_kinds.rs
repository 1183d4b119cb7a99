//! Every kind of entry in the report that verifies itself: a ledger that has them all turns green; each that was touched,
//! or that was signed by whoever may not, turns red and is named.

use std::collections::BTreeMap;

use fix7_ledger::entry::{Entry, StoredEntry};
use fix7_ledger::report::html;
use fix7_ledger::statement::{Claim, Kind, Nonce, STATEMENT_FILE, Statement};
use serde_json::json;

use crate::desk::{Desk, forged, replaced};
use crate::harness::Ran;
use crate::stage::Stage;

/// A verb on the ledger in `work`.
#[track_caller]
fn on(stage: &Stage, words: &[&str]) -> Ran {
    stage.us(&[words, &["--repo", "work"]].concat()).ok()
}

/// A ledger with every kind.
///
/// ```text
/// #0 genesis · #1 grant · #2 rehearsal · #3 grant · #4 kim audits · #5 eva operates · #6 eva's rerun · #7 kim's note
/// #8 begin with #3 · #9 it is void · #10 grant · #11 it is revoked · #12 wim retires · #13 eva is revoked from #6 on
/// #14 kim confirms #6 · #15 a tighter policy · #16 a blocker is closed · #17 grant · #18 begin with #17
/// ```
fn every_kind() -> Stage {
    let stage = Stage::new();
    for name in ["kim", "eva"] {
        stage.us(&["key", "new", name, "--dir", "keys", "--no-passphrase"]).ok();
    }
    let olga = ["--key", "keys/olga"];
    on(&stage, &[&["key", "add", "kim=keys/kim", "--role", "auditor"][..], &olga].concat());
    on(&stage, &[&["key", "add", "eva=keys/eva", "--role", "operator"][..], &olga].concat());
    on(
        &stage,
        &["record", "--packet", "packet", "--rerun-of", "2", "--run-id", "again", "--key", "keys/eva"],
    );
    on(&stage, &["note", "2", "--text", "I watched it", "--key", "keys/kim"]);
    on(&stage, &["begin", "--grant", "grant-3", "--key", "keys/anna"]);
    on(&stage, &["void", "8", "--reason", "the clone was too old", "--key", "keys/anna"]);
    on(&stage, &[&["grant", "issue", "--operator", "anna", "--id", "taken-back"][..], &olga].concat());
    on(&stage, &[&["grant", "revoke", "taken-back", "--reason", "not needed"][..], &olga].concat());
    on(&stage, &[&["key", "retire", "wim"][..], &olga].concat());
    on(&stage, &[&["key", "revoke", "eva", "--last-valid-seq", "5"][..], &olga].concat());
    on(&stage, &["note", "6", "--confirm", "--text", "I asked eva", "--key", "keys/kim"]);
    let old = stage.us(&["policy", "show", "--repo", "work", "--json"]).ok().json();
    let old = old["content"].as_str().expect("a text").to_owned();
    let new = old.replacen("[validator]", "[ledger]\nrequire_begin = true\n\n[validator]", 1);
    stage.scratch.write("new.toml", new);
    on(&stage, &[&["policy", "propose", "new.toml"][..], &olga].concat());
    stage.scratch.write("example.txt", "Looked into.\n");
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "example.txt", "--text", "as agreed"];
    on(&stage, &[&close[..], &olga].concat());
    on(&stage, &[&["grant", "issue", "--operator", "anna", "--id", "last"][..], &olga].concat());
    on(&stage, &["begin", "--grant", "last", "--key", "keys/anna"]);
    stage
}

fn id(entries: &[StoredEntry]) -> String {
    Entry::parse(&entries[0].commit).expect("an entry").leaf().ledger.to_string()
}

fn kind(entry: &StoredEntry) -> Kind {
    Entry::parse(&entry.commit).expect("an entry").leaf().kind
}

/// The ledger without its last begin, which nothing has ended: the page calls that not established.
fn settled(stage: &Stage) -> Vec<StoredEntry> {
    let mut entries = stage.entries("work");
    entries.truncate(18);
    entries
}

#[test]
fn a_ledger_of_every_kind_turns_green_and_what_is_open_in_it_is_not_established() {
    let stage = every_kind();
    let mut desk = Desk::new();
    let all = stage.entries("work");
    let kinds: std::collections::BTreeSet<Kind> = all.iter().map(kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "every kind is in it: {kinds:?}");
    let id = id(&all);
    let found = desk.finding(&settled(&stage), &id, "");
    assert_eq!(found.outcome, "held", "{found:?}");
    assert_eq!(desk.browser.value("document.querySelectorAll('#entries .seal.held').length"), 18);
    // What the entries after a rehearsal say of it is shown with it.
    let card = desk.browser.value("document.querySelector('.card').innerText");
    let card = card.as_str().expect("a text");
    for words in ["eva reproduced it (#6)", "Note by kim (#7): I watched it"] {
        assert!(card.contains(words), "{words}: {card}");
    }
    assert_eq!(desk.browser.complaints, Vec::<serde_json::Value>::new());
    for (upto, words) in [(19, "never recorded"), (14, "it is suspect"), (9, "never recorded")] {
        let found = desk.finding(&all[..upto], &id, "");
        assert!(found.outcome == "not-established" && found.text.contains(words), "{upto}: {found:?}");
        assert!(found.broken.is_empty());
    }
    assert_eq!(desk.finding(&all[..8], &id, "").outcome, "held", "before the begin");
}

#[test]
fn each_kind_that_was_touched_turns_red_and_is_named() {
    let stage = every_kind();
    let mut desk = Desk::new();
    let good = settled(&stage);
    let id = id(&good);
    // What, in which entry, which word of its statement.
    let touched = [
        ("a key's role", 4, "auditor", "witness"),
        ("a key's holder", 5, "\"eva\"", "\"eve\""),
        ("a rerun's result", 6, "ROLLBACK_EXACT", "ROLLBACK_EXACt"),
        ("a note's text", 7, "I watched it", "I watched if"),
        ("a begin's grant", 8, "\"grant\":\"", "\"grant\":\"0"),
        ("a reason", 9, "too old", "too new"),
        ("a revoked grant's reason", 11, "not needed", "not wanted"),
        ("a retired key", 12, "\"wim\"", "\"wam\""),
        ("where a key ended", 13, "\"last_valid_seq\":5", "\"last_valid_seq\":6"),
        ("a confirmation", 14, "\"confirms\":true", "\"confirms\":false"),
        ("a policy's name", 15, "policy-15", "policy-51"),
        ("a blocker", 16, "EXAMPLE-1", "EXAMPLE-2"),
        ("a grant's name", 17, "\"last\"", "\"lost\""),
    ];
    for (what, seq, from, to) in touched {
        let mut entries = good.clone();
        let file = entries[seq].files.get_mut(STATEMENT_FILE).expect("a statement");
        *file = replaced(file, from, to);
        let found = desk.finding(&entries, &id, "");
        assert_eq!(
            (found.outcome.as_str(), found.broken.first()),
            ("broken", Some(&(seq as u64))),
            "{what}: {found:?}"
        );
    }
    let mut entries = good.clone();
    entries[15].files.get_mut("policy.toml").expect("a policy").push(b'\n');
    let found = desk.finding(&entries, &id, "");
    assert!(found.broken.first() == Some(&15) && found.text.contains("policy.toml"), "{found:?}");
}

#[test]
fn each_kind_signed_by_whoever_may_not_turns_red_beside_its_permitted_twin() {
    let stage = every_kind();
    let mut desk = Desk::new();
    let good = stage.entries("work");
    let id = id(&good);
    // Where in the ledger, who may, who may not, and what is said of that.
    let cases = [
        (4, "olga", "anna", "has not the role owner"),
        (6, "eva", "olga", "has not the role operator"),
        (7, "kim", "olga", "has not the role auditor"),
        (7, "kim", "mallory", "not registered"),
        (8, "anna", "eva", "is for another operator"),
        (8, "anna", "kim", "has not the role operator"),
        (9, "anna", "eva", "neither the operator nor owners"),
        (11, "olga", "anna", "owners signed"),
        (12, "olga", "kim", "has not the role owner"),
        (15, "olga", "kim", "has not the role owner"),
        (16, "olga", "kim", "has not the role"),
        (17, "olga", "anna", "has not the role owner"),
        (18, "anna", "eva", "does not count here"),
    ];
    for (seq, may, may_not, words) in cases {
        let files: BTreeMap<String, Vec<u8>> = good[seq]
            .files
            .iter()
            .filter(|(path, _)| !path.starts_with("statement."))
            .map(|(p, b)| (p.clone(), b.clone()))
            .collect();
        let old = Statement::parse(&good[seq].files[STATEMENT_FILE]).expect("a statement");
        let statement = again(&old);
        let mut finding = |who: &str| {
            let entry = forged(&good[..seq], &statement, who, &stage.signer(who), files.clone());
            desk.finding(&[&good[..seq], &[entry]].concat(), &id, "")
        };
        let twin = finding(may);
        assert!(twin.broken.is_empty() && twin.outcome != "broken", "#{seq} by {may}: {twin:?}");
        let found = finding(may_not);
        assert_eq!(
            (found.outcome.as_str(), found.broken.first()),
            ("broken", Some(&(seq as u64))),
            "#{seq} by {may_not}: {found:?}"
        );
        assert!(found.text.contains(words), "#{seq} by {may_not}: `{words}` is not in {}", found.text);
    }
}

/// The same claim in another statement.
fn again(old: &Statement) -> Statement {
    let (ledger, nonce) = (*old.ledger().expect("a ledger"), Nonce::from_bytes([7; 16]));
    let made = match old.claim().clone() {
        Claim::Rehearsal(claim) | Claim::Rerun(claim) => {
            Statement::rehearsal(ledger, nonce, claim, old.subjects().clone())
        }
        Claim::Policy(change) => {
            let digest = *old.subjects().get("policy.toml").expect("a policy's digest");
            Statement::policy(ledger, nonce, change, digest)
        }
        claim => Statement::bare(ledger, nonce, claim),
    };
    made.expect("a statement")
}

#[test]
fn a_phone_a_keyboard_and_paper_get_every_kind() {
    let axe = std::env::var("FIX7_TEST_AXE").expect("run the tests with ./test (FIX7_TEST_AXE is not set)");
    let axe = std::fs::read_to_string(axe).expect("axe-core");
    let stage = every_kind();
    let entries = settled(&stage);
    let mut desk = Desk::new();
    desk.open(&html(&entries));
    let size = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
    desk.browser.call("Emulation.setDeviceMetricsOverride", size);
    assert_eq!(desk.press(&id(&entries), "").outcome, "held");
    desk.browser.value("document.querySelectorAll('details').forEach(part => part.open = true)");
    desk.browser.value(&format!("{axe}; true"));
    let faults = desk.browser.value("axe.run().then(found => found.violations.map(v => v.id))");
    assert_eq!(faults, json!([]));
    assert_eq!(desk.browser.value("document.documentElement.scrollWidth > innerWidth"), false);
    // By keyboard: Tab reaches the field, and Enter in it verifies.
    desk.open(&html(&entries));
    let key = |desk: &mut Desk, name: &str, code: u32, text: &str| {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code, "text": if kind == "keyDown" { text } else { "" }});
            desk.browser.call("Input.dispatchKeyEvent", event);
        }
    };
    let mut tabs = 0;
    while desk.browser.value("document.activeElement.id") != "pin" {
        key(&mut desk, "Tab", 9, "");
        tabs += 1;
        assert!(tabs < 10, "the field is far away");
    }
    desk.browser.call("Input.insertText", json!({"text": id(&entries)}));
    key(&mut desk, "Enter", 13, "\r");
    desk.browser.until(
        "!document.getElementById('verify').disabled && document.getElementById('outcome').className !== ''",
    );
    desk.browser.until("document.getElementById('outcome').className === 'held'");
    // On paper: everything is open, nothing is cut off at the side, and what is pressed is left out.
    desk.browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    desk.browser.value("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(
        desk.browser.value("[...document.querySelectorAll('details')].every(part => part.open)"),
        true
    );
    assert_eq!(desk.browser.value("getComputedStyle(document.getElementById('form')).display"), "none");
    let paper = desk.browser.call("Page.printToPDF", json!({"preferCSSPageSize": true}));
    let pdf = paper["data"].as_str().expect("a document");
    assert!(pdf.starts_with("JVBERi0"), "a PDF");
}
