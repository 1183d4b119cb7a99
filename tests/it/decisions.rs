//! What owners and operators say over time, through the binary: blockers, numbers, reruns, and how many must agree.

use serde_json::Value;

use crate::harness::{Ran, Scratch};
use crate::stage::Stage;

const ROLLBACK: &str = "FIX7-P0-DRYRUN-PROD-ROLLBACK-1";

/// A verb on the ledger in `work`, as JSON.
fn on(stage: &Stage, words: &[&str]) -> Ran {
    stage.us(&[words, &["--repo", "work", "--json"]].concat())
}

/// A second operator, eva.
fn eva(stage: &Stage) {
    stage.us(&["key", "new", "eva", "--dir", "keys", "--no-passphrase"]).ok();
    on(stage, &["key", "add", "eva=keys/eva", "--role", "operator", "--key", "keys/olga"]).ok();
}

/// The policy in force with these lines in `[ledger]`.
fn with_rules(stage: &Stage, rules: &str) -> Ran {
    let old = on(stage, &["policy", "show"]).ok().json()["content"].as_str().expect("a text").to_owned();
    let own = ["[ledger]", "min_independent_reruns", "owner_threshold", "require_"];
    let old: Vec<&str> =
        old.lines().filter(|line| !own.iter().any(|start| line.starts_with(start))).collect();
    let new = old.join("\n").replacen("[validator]", &format!("[ledger]\n{rules}\n\n[validator]"), 1);
    stage.scratch.write("new.toml", new + "\n");
    on(stage, &["policy", "propose", "new.toml", "--key", "keys/olga"])
}

fn rehearse(stage: &Stage, out: &str, more: &[&str]) -> Ran {
    let front = ["rehearse", "--source", "small.db", "--plan", "plan", "--out", out];
    on(stage, &[&front[..], more].concat())
}

fn rerun(stage: &Stage, key: &str, more: &[&str]) -> Ran {
    let front = ["rerun", "--packet", "packet", "--source", "small.db", "--record", "--key", key];
    on(stage, &[&front[..], more].concat())
}

fn blocker(stage: &Stage, id: &str) -> Value {
    let shown = on(stage, &["blockers"]).ok().json();
    assert_eq!(shown["hold"], "HOLD_PRODUCTION");
    let all = shown["blockers"].as_array().expect("blockers").clone();
    let open = all.iter().filter(|blocker| blocker["state"] == "OPEN").count();
    assert_eq!(shown["open"], open, "the count is derived");
    all.into_iter().find(|blocker| blocker["id"] == id).expect("the blocker")
}

fn part<'a>(blocker: &'a Value, kind: &str, name: &str) -> &'a str {
    let parts = blocker[kind].as_array().expect("parts");
    let found = parts.iter().find(|part| part["name"] == name || part["id"] == name);
    found.expect("the part")["state"].as_str().expect("a word")
}

#[test]
fn r45_to_r49_blockers_move_by_signed_decisions_and_production_stays_on_hold() {
    let stage = Stage::new();
    stage.scratch.write("opt4.txt", "OPT-4 is agreed.\n");
    stage.scratch.write("grant.txt", "A grant of its own for the rollback.\n");
    let decide = |words: &[&str], signers: &[&str]| {
        let mut all = words.to_vec();
        all.extend(["--text", "as agreed", "--key", signers[0]]);
        signers[1..].iter().for_each(|key| all.extend(["--co-signer", key]));
        on(&stage, &all)
    };
    let both = ["keys/olga", "keys/anna"];
    let opt4 = ["blockers", "meet", ROLLBACK, "PRODUCTION_OPT_4", "--document", "opt4.txt"];
    // The map says that owner and operator must act.
    assert_eq!(decide(&opt4, &both[..1]).exits(4).codes(), ["ROLE_MISSING"]);
    assert_eq!(decide(&opt4, &["keys/anna"]).exits(4).codes(), ["ROLE_MISSING", "ROLE_MISSING"]);
    decide(&opt4, &both).ok();
    assert!(decide(&opt4, &both).exits(4).codes().contains(&"BLOCKERS_INVALID".to_owned()), "once");
    let own = ["blockers", "meet", ROLLBACK, "DISTINCT_PRODUCTION_ROLLBACK_GRANT"];
    let refused = |evidence: &[&str]| decide(&[&own[..], evidence].concat(), &both).exits(4).codes();
    assert_eq!(refused(&["--entry", "grant-1"]), ["BLOCKERS_INVALID"], "the rehearsal's own grant");
    assert_eq!(refused(&["--document", "opt4.txt"]), ["BLOCKERS_INVALID"], "another need's document");
    decide(&[&own[..], &["--document", "grant.txt"]].concat(), &both).ok();
    let dump = ["blockers", "meet", ROLLBACK, "OPERATOR_DUMP_CLONE", "--entry", "2"];
    assert_eq!(decide(&dump, &both).exits(4).codes(), ["BLOCKERS_INVALID"], "no dump was rehearsed on");
    let production = ["blockers", "prove", ROLLBACK, "production", "--document", "opt4.txt"];
    assert!(decide(&production, &both).exits(4).codes().contains(&"SCOPE_LIFT".to_owned()));
    let close = ["blockers", "close", ROLLBACK, "--document", "opt4.txt"];
    assert!(decide(&close, &both).exits(4).codes().contains(&"SCOPE_LIFT".to_owned()));
    let rollback = blocker(&stage, ROLLBACK);
    assert_eq!(rollback["state"], "OPEN", "in part is not whole");
    assert_eq!(part(&rollback, "legs", "clone_rehearsal"), "PROVEN");
    assert_eq!(part(&rollback, "legs", "production"), "OPEN");
    assert_eq!(part(&rollback, "needs", "PRODUCTION_OPT_4"), "MET");
    assert_eq!(part(&rollback, "needs", "OPERATOR_DUMP_CLONE"), "OPEN");
    // A blocker of the owners alone closes; nothing is lifted by it.
    stage.scratch.write("example.txt", "Looked into.\n");
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "example.txt"];
    let closed = decide(&close, &both[..1]).ok().json();
    assert_eq!(blocker(&stage, "EXAMPLE-1")["state"], "CLOSED");
    let status = on(&stage, &["status"]).ok().json();
    assert_eq!(status["open_blockers"].as_array().map(Vec::len), Some(6));
    assert_eq!(status["hold"]["state"], "HOLD_PRODUCTION");
    let history = on(&stage, &["blockers", "--history"]).ok().json()["history"].clone();
    let kinds: Vec<&str> =
        history.as_array().expect("moves").iter().map(|m| m["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["rehearsal", "blockers", "blockers", "blockers"]);
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
    // Taken back, it blocks again.
    let leaf = closed["leaf"].as_str().expect("a leaf").to_owned();
    let void = ["void", &leaf, "--reason", "too early"];
    assert!(
        on(&stage, &[&void[..], &["--key", "keys/anna"]].concat())
            .exits(4)
            .codes()
            .contains(&"ROLE_MISSING".to_owned())
    );
    on(&stage, &[&void[..], &["--key", "keys/olga"]].concat()).ok();
    assert_eq!(blocker(&stage, "EXAMPLE-1")["state"], "OPEN");
}

#[test]
fn r45_r48_a_packets_map_shows_what_the_ledger_decided_and_no_more() {
    let stage = Stage::new();
    stage.scratch.write("opt4.txt", "OPT-4 is agreed.\n");
    let meet =
        ["blockers", "meet", ROLLBACK, "PRODUCTION_OPT_4", "--document", "opt4.txt", "--text", "as agreed"];
    on(&stage, &[&meet[..], &["--key", "keys/olga", "--co-signer", "keys/anna"]].concat()).ok();
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "opt4.txt", "--text", "as agreed"];
    assert_eq!(
        on(&stage, &[&close[..], &["--key", "keys/olga"]].concat()).exits(4).codes(),
        ["BLOCKERS_INVALID"]
    );
    stage.scratch.write("example.txt", "Looked into.\n");
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "example.txt", "--text", "as agreed"];
    on(&stage, &[&close[..], &["--key", "keys/olga"]].concat()).ok();
    let map = stage.scratch.path("plan/blockers.json");
    std::fs::remove_file(&map).expect("the old map");
    assert_eq!(on(&stage, &["blockers", "map", "--out", "plan/blockers.json"]).ok().json()["open"], 6);
    assert_eq!(
        on(&stage, &["blockers", "map", "--out", "plan/blockers.json"]).exits(4).codes(),
        ["ALREADY_EXISTS"]
    );
    let text = std::fs::read_to_string(&map).expect("a map");
    // What the ledger shows: rehearsed, recorded, verified on the server.
    rehearse(&stage, "decided", &[]).ok();
    let record =
        |packet| on(&stage, &["record", "--packet", packet, "--key", "keys/anna", "--run-id", packet]);
    record("decided").ok();
    let written = std::fs::read_to_string(stage.scratch.path("decided/updated-production-blocker-map.json"));
    let written: Value = serde_json::from_str(&written.expect("a map")).expect("JSON");
    assert_eq!(written["open_count"], 6);
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    // Where no ledger is, nothing was decided.
    stage.us(&["validate", "--packet", "decided", "--repo", "work"]).ok();
    stage.scratch.git(".", &["init", "-q", "empty"]).ok();
    let show = on(&stage, &["policy", "show"]).ok().json()["content"].as_str().expect("a text").to_owned();
    stage.scratch.write("in-force.toml", show);
    let elsewhere =
        ["validate", "--packet", "decided", "--repo", "empty", "--policy", "in-force.toml", "--json"];
    assert_eq!(stage.us(&elsewhere).exits(4).codes(), ["BLOCKERS_INVALID", "BLOCKERS_INVALID"]);
    // A need that nobody met, another quotation.
    let need = "\"id\":\"DISTINCT_PRODUCTION_ROLLBACK_GRANT\",";
    let zeros = "0".repeat(64);
    let state = |state: &str, more: &str| format!("{need}{more}\"state\":\"{state}\"");
    let claimed = text.replace(&state("OPEN", ""), &state("MET", &format!("\"met_by\":\"{zeros}\",")));
    assert_ne!(claimed, text);
    let digest = |text: &str| text.split("\"met_by\":\"").nth(1).expect("a quotation")[..64].to_owned();
    let misquoted = text.replace(&digest(&text), &zeros);
    stage.grant("work").ok();
    for (packet, bad) in [("claimed", claimed), ("misquoted", misquoted)] {
        std::fs::write(&map, bad).expect("written");
        assert_eq!(rehearse(&stage, packet, &[]).exits(4).codes(), ["BLOCKERS_INVALID"], "{packet}");
        assert_eq!(record(packet).exits(4).codes(), ["BLOCKERS_INVALID"], "{packet}");
    }
    std::fs::write(&map, text).expect("written");
    rehearse(&stage, "again", &[]).ok();
    record("again").ok();
    stage.verify("work").ok();
}

#[test]
fn a_rerun_is_recorded_in_one_step_and_counts_for_others_alone() {
    let stage = Stage::new();
    eva(&stage);
    let own = rerun(&stage, "keys/anna", &["--run-id", "own"]).ok().json();
    assert_eq!((own["kind"].as_str(), own["independent"].as_bool()), (Some("rerun"), Some(false)));
    let count = |seq| on(&stage, &["show", seq]).ok().json()["independent_reruns"].as_u64();
    assert_eq!(count("2"), Some(0));
    let evas = rerun(&stage, "keys/eva", &["--push", "origin"]).ok().json();
    assert_eq!((evas["independent"].as_bool(), evas["tree_equal"].as_bool()), (Some(true), Some(true)));
    assert_eq!(
        (count("2"), on(&stage, &["status"]).ok().json()["independent_reruns"].as_u64()),
        (Some(1), Some(1))
    );
    stage.verify("server.git").ok();
    // Eva's other key is eva.
    stage.us(&["key", "new", "eva-2", "--dir", "keys", "--no-passphrase"]).ok();
    let add =
        ["key", "add", "eva-2=keys/eva-2", "--role", "operator", "--person", "eva", "--key", "keys/olga"];
    on(&stage, &add).ok();
    rerun(&stage, "keys/eva-2", &["--run-id", "second"]).ok();
    assert_eq!(count("2"), Some(1));
    // Her reruns fall into doubt with her keys.
    on(&stage, &["key", "revoke", "eva-2", "--last-valid-seq", "4", "--key", "keys/olga"]).ok();
    assert_eq!(count("2"), Some(1), "the other key's rerun stands");
    on(&stage, &["key", "revoke", "eva", "--last-valid-seq", "4", "--key", "keys/olga"]).ok();
    assert_eq!(count("2"), Some(0));
    assert_eq!(on(&stage, &["status"]).exits(3).json()["independent_reruns"], 0);
    assert_eq!(rerun(&stage, "keys/olga", &[]).exits(4).codes(), ["ROLE_MISSING"]);
    assert_eq!(rerun(&stage, "keys/mallory", &[]).exits(3).codes(), ["KEY_UNKNOWN"]);
}

#[test]
fn a_rerun_that_comes_to_something_else_records_nothing_and_its_number_is_missed() {
    let stage = Stage::new();
    eva(&stage);
    let before = stage.tip("work");
    stage
        .scratch
        .database("other.db", &format!("{} INSERT INTO item(name) VALUES ('d');", crate::stage::SCHEMA));
    let rerun = |source: &str| {
        let words = ["rerun", "--packet", "packet", "--source", source, "--record", "--key", "keys/eva"];
        on(&stage, &words)
    };
    let ran = rerun("other.db").exits(1);
    assert!(ran.codes().contains(&"RERUN_DIFFERS".to_owned()));
    assert_eq!(stage.tip("work"), before, "nothing was appended");
    let recorded = rerun("small.db").ok().json();
    assert_eq!(recorded["number"], 2);
    stage.verify_says("work", 3, "NUMBER_MISSING");
    let numbers = on(&stage, &["status"]).exits(3).json()["numbers"].clone();
    let of = |name: &str| numbers.as_array().expect("some").iter().find(|n| n["operator"] == name).cloned();
    assert_eq!(of("eva").expect("eva")["missing"], serde_json::json!([[1, 1]]));
    on(&stage, &["void", "--number", "1", "--reason", "the wrong copy", "--key", "keys/eva"]).ok();
    stage.verify("work").ok();
}

#[test]
fn k_reruns_prove_a_leg_and_what_was_made_under_an_earlier_policy_is_rehearsed_again() {
    let stage = Stage::new();
    eva(&stage);
    let leg = || part(&blocker(&stage, ROLLBACK), "legs", "clone_rehearsal").to_owned();
    assert_eq!(leg(), "PROVEN");
    with_rules(&stage, "min_independent_reruns = 1").ok();
    assert_eq!(leg(), "OPEN");
    let counts = || on(&stage, &["blockers", "--history"]).ok();
    stage.us(&["blockers", "--repo", "work", "--history"]).ok().says("rehearse again");
    // The old packet names the old policy: nobody can reach it under the one in force.
    assert!(rerun(&stage, "keys/eva", &[]).exits(4).codes().contains(&"POLICY_MISMATCH".to_owned()));
    rehearse(&stage, "second", &[]).ok();
    on(&stage, &["record", "--packet", "second", "--key", "keys/anna"]).ok();
    assert_eq!(leg(), "OPEN");
    stage.us(&["blockers", "--repo", "work", "--history"]).ok().says("not yet: 1 must repeat it, 0 did");
    let again = ["rerun", "--packet", "second", "--source", "small.db", "--record", "--key"];
    on(&stage, &[&again[..], &["keys/anna"]].concat()).ok();
    assert_eq!(leg(), "OPEN", "the operator again is nobody else");
    on(&stage, &[&again[..], &["keys/eva"]].concat()).ok();
    assert_eq!(leg(), "PROVEN");
    let moves = counts().json()["history"].clone();
    let counting: Vec<bool> = moves.as_array().expect("moves").iter().map(|m| m["counts"] == true).collect();
    assert_eq!(counting, [false, true]);
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    // What had its reruns before the policy changed again still counts.
    with_rules(&stage, "min_independent_reruns = 1\nrequire_begin = true").ok();
    assert_eq!(leg(), "PROVEN");
}

#[test]
fn a_withheld_rehearsal_leaves_a_gap_until_it_is_recorded() {
    let stage = Stage::new();
    let s = &stage.scratch;
    // The stage's own rehearsal was recorded without a number given out before: it got the first.
    let numbers = || {
        let all = on(&stage, &["status"]).json()["numbers"].clone();
        (all[0]["operator"].as_str().map(str::to_owned), all[0]["last"].as_u64(), all[0]["missing"].clone())
    };
    assert_eq!(numbers(), (Some("anna".to_owned()), Some(1), serde_json::json!([])));
    let unknown = rehearse(&stage, "x", &["--operator", "nobody"]);
    assert_eq!(unknown.exits(3).codes(), ["KEY_UNKNOWN"]);
    assert_eq!(rehearse(&stage, "x", &["--operator", "olga"]).exits(4).codes(), ["ROLE_MISSING"]);
    assert!(!s.path("x").exists());
    assert_eq!(rehearse(&stage, "second", &["--operator", "anna"]).ok().json()["number"], 2);
    assert_eq!(rehearse(&stage, "third", &["--operator", "anna"]).ok().json()["number"], 3);
    let record =
        |packet: &str| on(&stage, &["record", "--packet", packet, "--key", "keys/anna", "--run-id", packet]);
    assert_eq!(record("third").ok().json()["number"], 3);
    stage.verify_says("work", 3, "NUMBER_MISSING");
    on(&stage, &["status"]).exits(3);
    assert_eq!(numbers().2, serde_json::json!([[2, 2]]));
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify_says("server.git", 3, "NUMBER_MISSING");
    stage.grant("work").ok();
    assert_eq!(record("second").ok().json()["number"], 2);
    stage.verify("work").ok();
    // A begin has one too, and a statement keeps it through a lost race.
    let begun = on(&stage, &["begin", "--grant", "grant-3", "--key", "keys/anna"]);
    assert!(begun.exits(4).codes().contains(&"GRANT_SPENT".to_owned()), "a refused verb takes no number");
    for id in ["first", "second"] {
        on(&stage, &["grant", "issue", "--operator", "anna", "--id", id, "--key", "keys/olga"]).ok();
    }
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.git(".", &["clone", "-q", "--template=", "--bare", "server.git", "second.git"]).ok();
    on(&stage, &["begin", "--grant", "first", "--key", "keys/anna"]).ok();
    // Another clone of the same operator does not know of it, and gives out the same number.
    stage.us(&["begin", "--repo", "second.git", "--grant", "second", "--key", "keys/anna"]).ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    let pushed = stage.us(&["push", "--repo", "second.git", "origin", "--key", "keys/anna", "--json"]);
    assert_eq!(pushed.ok().json()["repositioned"], 1);
    let status = stage.us(&["status", "--repo", "second.git", "--json"]).exits(3);
    assert_eq!(status.json()["numbers"][0]["doubled"], 1);
    assert_eq!(status.codes(), ["RUN_OPEN", "RUN_OPEN"], "both stand, and no number is missing");
}

#[test]
fn a_policy_that_requires_numbers_is_kept_by_every_verb() {
    let stage = Stage::new();
    with_rules(&stage, "require_numbers = true").ok();
    assert_eq!(rehearse(&stage, "second", &[]).exits(4).codes(), ["NUMBER_INVALID"]);
    assert!(!stage.scratch.path("second").exists());
    rehearse(&stage, "second", &["--operator", "anna"]).ok();
    on(&stage, &["begin", "--grant", "grant-3", "--key", "keys/anna"]).ok();
    let recorded = on(&stage, &["record", "--packet", "second", "--key", "keys/anna"]).ok().json();
    assert_eq!(recorded["number"], 2);
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
}

#[test]
fn more_owners_by_policy_decide_from_then_on_and_never_fewer_again() {
    let stage = Stage::new();
    stage.us(&["key", "new", "otto", "--dir", "keys", "--no-passphrase"]).ok();
    assert_eq!(
        with_rules(&stage, "owner_threshold = 2").exits(4).codes(),
        ["LIMIT_EXCEEDED"],
        "there is one"
    );
    on(&stage, &["key", "add", "otto=keys/otto", "--role", "owner", "--key", "keys/olga"]).ok();
    with_rules(&stage, "owner_threshold = 2").ok();
    assert_eq!(on(&stage, &["status"]).ok().json()["owner_threshold"], 2);
    assert_eq!(stage.grant("work").exits(4).codes(), ["ROLE_MISSING"]);
    let issue = ["grant", "issue", "--operator", "anna", "--key", "keys/olga", "--co-signer", "keys/otto"];
    on(&stage, &issue).ok();
    let lower = with_rules(&stage, "owner_threshold = 1");
    assert_eq!(lower.exits(4).codes(), ["POLICY_LOOSENED"]);
    let retire = ["key", "retire", "otto", "--key", "keys/olga", "--co-signer", "keys/otto"];
    assert_eq!(on(&stage, &retire).exits(4).codes(), ["KEY_CHANGE_INVALID"], "two must be left");
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    // One who begins with such a policy begins with as many owners.
    let text = on(&stage, &["policy", "show"]).ok().json()["content"].as_str().expect("a text").to_owned();
    stage.scratch.write("two.toml", text);
    let init = |owners: &[&str]| {
        let s = Scratch::new();
        for name in ["olga", "otto", "anna"] {
            let key = stage.scratch.path(&format!("keys/{name}.pub"));
            s.write(&format!("keys/{name}.pub"), std::fs::read(key).expect("a key"));
        }
        s.write("keys/olga", std::fs::read(stage.scratch.path("keys/olga")).expect("a key"));
        s.write("two.toml", std::fs::read(stage.scratch.path("two.toml")).expect("a policy"));
        s.git(".", &["init", "-q", "--template=", "work"]).ok();
        let front =
            ["init", "--repo", "work", "--policy", "two.toml", "--operator", "anna=keys/anna", "--json"];
        s.run(&[&front[..], owners, &["--key", "keys/olga"]].concat())
    };
    assert_eq!(init(&["--owner", "olga=keys/olga"]).exits(4).codes(), ["LIMIT_EXCEEDED"]);
    init(&["--owner", "olga=keys/olga", "--owner", "otto=keys/otto"]).ok();
}
