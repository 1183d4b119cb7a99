//! The report of a ledger whose people change: doubt, confirmation, several keys of one person, and decisions.

use crate::desk::Desk;
use crate::stage::Stage;

fn on(stage: &Stage, words: &[&str]) {
    stage.us(&[words, &["--repo", "work"]].concat()).ok();
}

/// How many rehearsals the page calls reproduced by somebody else.
fn reproduced(desk: &mut Desk) -> String {
    let find = "[...document.querySelectorAll('.fact')].find(f => f.innerText.includes('reproduced')).querySelector('dd').innerText";
    desk.browser.value(find).as_str().expect("a text").to_owned()
}

#[test]
fn doubt_and_decisions_are_told_as_the_program_tells_them() {
    let stage = Stage::new();
    stage.us(&["key", "new", "eva", "--dir", "keys", "--no-passphrase"]).ok();
    stage.us(&["key", "new", "anna-2", "--dir", "keys", "--no-passphrase"]).ok();
    let id = stage.us(&["status", "--repo", "work", "--json"]).ok().json()["ledger"].clone();
    let id = id.as_str().expect("an id").to_owned();
    let mut desk = Desk::new();
    on(&stage, &["key", "add", "kim=keys/mallory", "--role", "auditor", "--key", "keys/olga"]);
    on(&stage, &["key", "add", "eva=keys/eva", "--role", "operator", "--key", "keys/olga"]);
    let second = ["key", "add", "anna-2=keys/anna-2", "--role", "operator", "--person", "anna"];
    on(&stage, &[&second[..], &["--key", "keys/olga"]].concat());
    let rerun = ["record", "--packet", "packet", "--rerun-of", "2", "--key"];
    on(&stage, &[&rerun[..], &["keys/anna-2"]].concat());
    let found = desk.finding(&stage.entries("work"), &id, "");
    assert_eq!((found.outcome.as_str(), reproduced(&mut desk).as_str()), ("held", "0"), "{found:?}");
    on(&stage, &[&rerun[..], &["keys/eva", "--run-id", "evas"]].concat());
    let found = desk.finding(&stage.entries("work"), &id, "");
    assert_eq!((found.outcome.as_str(), reproduced(&mut desk).as_str()), ("held", "1"), "{found:?}");
    // Eva's rerun #8 falls into doubt, and is confirmed.
    on(&stage, &["key", "revoke", "eva", "--last-valid-seq", "7", "--key", "keys/olga"]);
    let found = desk.finding(&stage.entries("work"), &id, "");
    assert_eq!(reproduced(&mut desk), "0");
    assert!(found.outcome == "not-established" && found.text.contains("suspect"), "{found:?}");
    on(&stage, &["note", "8", "--confirm", "--text", "asked eva", "--key", "keys/mallory"]);
    let found = desk.finding(&stage.entries("work"), &id, "");
    assert_eq!((found.outcome.as_str(), reproduced(&mut desk).as_str()), ("held", "1"), "{found:?}");
    // Numbers that came to nothing, a decision, more owners: none of it is red.
    on(
        &stage,
        &[
            "void",
            "--number",
            "2",
            "--reason",
            "the disk was full",
            "--key",
            "keys/anna-2",
            "--operator",
            "anna-2",
        ],
    );
    stage.scratch.write("paper", "Looked into.\n");
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "paper", "--text", "as agreed"];
    on(&stage, &[&close[..], &["--key", "keys/olga"]].concat());
    stage.us(&["key", "new", "otto", "--dir", "keys", "--no-passphrase"]).ok();
    on(&stage, &["key", "add", "otto=keys/otto", "--role", "owner", "--key", "keys/olga"]);
    let text = stage.us(&["policy", "show", "--repo", "work", "--json"]).ok().json();
    let text = text["content"].as_str().expect("a text").replacen(
        "[validator]",
        "[ledger]\nowner_threshold = 2\n\n[validator]",
        1,
    );
    stage.scratch.write("two.toml", text);
    on(&stage, &["policy", "propose", "two.toml", "--key", "keys/olga"]);
    on(&stage, &["void", "12", "--reason", "too early", "--key", "keys/olga", "--co-signer", "keys/otto"]);
    let found = desk.finding(&stage.entries("work"), &id, "");
    assert_eq!(found.outcome, "held", "{found:?}");
    stage.verify("work").ok();
}
