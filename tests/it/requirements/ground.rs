//! Builders: the specimen's evidence, plan and packet with one thing changed, as a forger would who also makes the
//! manifest anew. Every helper shows the good side first.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use fix7_ledger::canon;
use fix7_ledger::evidence::{Facts, Leg, Plan, entry::Entry};
use fix7_ledger::judge::{Judge, derive, specimen, validator};
use fix7_ledger::packet::{Files, MANIFEST, TREE, manifest};
use fix7_ledger::verdict::{Code, Verdict};
use serde_json::Value;

pub type Map = BTreeMap<String, Vec<u8>>;

/// The specimen's packet.
pub fn packet() -> Map {
    static MADE: OnceLock<Map> = OnceLock::new();
    MADE.get_or_init(|| derive::packet(&specimen::facts(), &specimen::policy()).expect("derived")).clone()
}

/// One JSON document of the specimen's packet.
pub fn document(path: &str) -> Value {
    serde_json::from_slice(&packet()[path]).expect("JSON")
}

fn judge() -> &'static Judge {
    static MADE: OnceLock<Judge> = OnceLock::new();
    MADE.get_or_init(|| {
        let judge = Judge::new(&specimen::policy());
        let verdict = judge.packet(None, &Files::collect(packet()).0);
        assert_eq!(verdict.reasons(), [], "the good packet is let through");
        judge
    })
}

/// The judgement of a packet whose manifest and tree are made anew.
pub fn judged(mut map: Map) -> Verdict {
    let text = manifest::render(map.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    map.insert(TREE.into(), manifest::render_tree(&text));
    map.insert(MANIFEST.into(), text);
    let (files, mut verdict) = Files::collect(map);
    verdict.merge(judge().packet(None, &files));
    verdict
}

#[track_caller]
pub fn refused(what: &str, verdict: &Verdict, code: Code) {
    assert!(verdict.has(code), "{what}: expected {code}: {verdict:#?}");
    assert_eq!(verdict.exit_code(), 4, "{what}: {verdict:#?}");
}

/// The packet with one value of one document replaced (none: removed) is refused for `code`.
#[track_caller]
pub fn typed(path: &str, pointer: &str, value: Option<Value>, code: Code) {
    let mut found = document(path);
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match found.pointer_mut(parent).unwrap_or_else(|| panic!("{path} has no {parent}")) {
        Value::Object(object) => match value {
            Some(value) => drop(object.insert(key.into(), value)),
            None => assert!(object.remove(key).is_some(), "{path} has no {pointer}"),
        },
        Value::Array(items) => match (value, key) {
            (Some(value), "-") => items.push(value),
            (Some(value), at) => items[at.parse::<usize>().expect("an index")] = value,
            (None, at) => drop(items.remove(at.parse().expect("an index"))),
        },
        other => panic!("{path}{pointer} stands in {other}"),
    }
    let bytes = canon::to_vec(&found).expect("canonical");
    assert_ne!(bytes, packet()[path], "{path}{pointer} is changed");
    let mut map = packet();
    map.insert(path.into(), bytes);
    refused(&format!("{path}{pointer}"), &judged(map), code);
}

/// The packet with one text of one file replaced is refused for `code`.
#[track_caller]
pub fn edited(path: &str, from: &str, to: &str, code: Code) {
    let mut map = packet();
    let text = String::from_utf8(map[path].clone()).expect("text");
    assert!(text.contains(from), "{path} has no `{from}`");
    map.insert(path.into(), text.replacen(from, to, 1).into_bytes());
    refused(&format!("{path}: {to}"), &judged(map), code);
}

/// The specimen's evidence, spoilt, is refused by the validator for `code`, and the packet made of it by the judge.
#[track_caller]
pub fn spoilt(what: &str, code: Code, spoil: impl Fn(&mut Facts)) {
    let (good, policy) = (specimen::facts(), specimen::policy());
    assert!(validator::judge(&good, &policy).accepted());
    let mut facts = good.clone();
    spoil(&mut facts);
    assert_ne!(facts, good, "{what}: something is spoilt");
    if facts.lock != good.lock && facts.execution.lock == good.execution.lock {
        facts = specimen::quoted(facts);
    }
    refused(what, &validator::judge(&facts, &policy).verdict(), code);
    let derived = derive::derive(&facts, &policy, None).expect("bad evidence can be written too");
    assert_ne!(derived.status.name(), policy.final_status(), "{what}: never ready");
}

/// The entry of a leg.
pub fn entry(facts: &mut Facts, leg: Leg) -> &mut Entry {
    facts.rollback.entries.iter_mut().find(|entry| entry.leg == leg).expect("the specimen has every leg")
}

/// The template plan with one text of one file replaced.
pub fn plan_files(name: &str, from: &str, to: &str) -> Map {
    let mut files: Map = Plan::template().into_iter().map(|(n, t)| (n, t.into_bytes())).collect();
    let text = String::from_utf8(files[name].clone()).expect("text");
    assert!(text.contains(from), "{name} has no `{from}`");
    files.insert(name.into(), text.replacen(from, to, 1).into_bytes());
    files
}

/// A plan with one text replaced is refused for `code`.
#[track_caller]
pub fn planned(name: &str, from: &str, to: &str, code: Code) {
    assert!(Plan::parse(plan_files(name, "\n", "\n")).is_ok(), "the template itself is a plan");
    let reasons = Plan::parse(plan_files(name, from, to)).expect_err(to);
    assert!(reasons.iter().any(|reason| reason.code == code), "{name}: {to}: {reasons:#?}");
}
