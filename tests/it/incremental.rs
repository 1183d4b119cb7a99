//! Verification that begins behind what this copy verified before, and the heads that it waits for.

use serde_json::Value;

use crate::harness::Ran;
use crate::stage::Stage;

fn incremental(stage: &Stage, repo: &str) -> Ran {
    stage.us(&["verify", "--repo", repo, "--incremental", "--json"])
}

/// How many entries were verified now, and before.
fn counts(ran: &Ran) -> (u64, u64) {
    let facts = &ran.json()["incremental"];
    let count = |key: &str| facts[key].as_u64().unwrap_or_else(|| panic!("{key} in {facts}"));
    (count("now"), count("before"))
}

fn gaps(ran: &Ran) -> Vec<String> {
    let gaps = ran.json()["report"]["not_established"].as_array().cloned().unwrap_or_default();
    gaps.iter().map(|gap| gap["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

/// `work` fetches what the server has.
fn fetch(stage: &Stage, repo: &str) {
    let refspec = "+refs/heads/fix7-ledger/main:refs/heads/fix7-ledger/main";
    stage.git(repo, &["fetch", "-q", "--update-head-ok", "../server.git", refspec]).ok();
}

fn issue(stage: &Stage, repo: &str, id: &str) {
    let issue = ["grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga", "--id", id];
    stage.us(&issue).ok();
}

/// Another bare clone of the server, and the remote to push to.
fn other(stage: &Stage) {
    stage.git(".", &["clone", "-q", "--bare", "server.git", "other.git"]).ok();
}

#[test]
fn only_what_is_new_is_verified_and_the_report_says_so() {
    let stage = Stage::new();
    other(&stage);
    let first = incremental(&stage, "other.git").ok();
    assert_eq!(counts(&first), (4, 0), "a clone has verified nothing");
    assert!(!gaps(&first).contains(&"VERIFIED_BEFORE".to_owned()));
    let again = incremental(&stage, "other.git").ok();
    assert_eq!(counts(&again), (0, 4));
    assert!(gaps(&again).contains(&"VERIFIED_BEFORE".to_owned()));
    issue(&stage, "work", "one-more");
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    fetch(&stage, "other.git");
    let more = incremental(&stage, "other.git").ok();
    assert_eq!(counts(&more), (1, 4));
    let (all, part) = (stage.us(&["verify", "--repo", "other.git", "--json"]).ok().json(), more.json());
    for fact in ["head", "head_commit", "ledger", "verified"] {
        assert_eq!(all["report"][fact], part["report"][fact], "{fact}");
    }
    let outcomes = |json: &Value| -> Vec<Value> {
        json["report"]["checks"].as_array().expect("checks").iter().map(|c| c["outcome"].clone()).collect()
    };
    assert_eq!(outcomes(&all)[..7], outcomes(&part)[..7]);
    let told = stage.us(&["verify", "--repo", "other.git", "--incremental"]).ok();
    told.says("verified now: 0 entries; verified before by this copy: 5 entries, the last of them at 20");
    // Which ledger it is, is asked all the same.
    let pin = ["verify", "--repo", "other.git", "--incremental", "--json", "--pin"];
    let id = all["report"]["ledger"]["id"].as_str().expect("an id").to_owned();
    stage.us(&[&pin[..], &[&id]].concat()).ok();
    let wrong = stage.us(&[&pin[..], &["0".repeat(64).as_str()]].concat());
    assert!(wrong.codes().contains(&"WRONG_LEDGER".to_owned()), "{}", wrong.stdout);
    // A copy of the copy has verified nothing by itself.
    stage.sh(".", "cp -r other.git third.git").ok();
    assert_eq!(counts(&incremental(&stage, "third.git").ok()), (5, 0));
}

#[test]
fn a_new_entry_that_does_not_hold_is_found_and_not_kept() {
    let stage = Stage::new();
    let good = stage.tip("work");
    incremental(&stage, "work").ok();
    issue(&stage, "work", "one-more");
    let commit = String::from_utf8(stage.commit("work", "refs/heads/fix7-ledger/main")).expect("UTF-8");
    let next = stage.tip("work");
    stage.point("work", &good);
    incremental(&stage, "work").ok();
    stage.replace_tip("work", commit.replace("Fix7-Kind: grant", "Fix7-Kind: note").as_bytes());
    for _ in 0..2 {
        assert_eq!(counts(&incremental(&stage, "work").exits(1)), (1, 4));
    }
    stage.point("work", &next);
    assert_eq!(counts(&incremental(&stage, "work").ok()), (1, 4));
}

#[test]
fn a_ledger_rolled_back_or_forked_is_seen_as_before() {
    let stage = Stage::new();
    issue(&stage, "work", "fifth");
    issue(&stage, "work", "sixth");
    assert_eq!(counts(&incremental(&stage, "work").ok()), (0, 6), "what was appended here was judged here");
    let long = stage.tip("work");
    let short = stage.git("work", &["rev-parse", &format!("{long}~2")]).ok().stdout.trim().to_owned();
    stage.point("work", &short);
    assert!(incremental(&stage, "work").exits(5).codes().contains(&"ROLLED_BACK".to_owned()));
    for (id, more) in [("other-fifth", false), ("other-sixth", true), ("other-seventh", true)] {
        issue(&stage, "work", id);
        let seen = incremental(&stage, "work").exits(5);
        let code = if more { "FORKED" } else { "ROLLED_BACK" };
        assert!(seen.codes().contains(&code.to_owned()), "{id}: {}", seen.stdout);
        assert!(seen.json()["both_heads"].is_string(), "{id}");
    }
    stage.point("work", &long);
    incremental(&stage, "work").ok();
}

#[test]
fn a_head_that_is_ahead_is_waited_for_and_confirmed_or_contradicted() {
    for honest in [true, false] {
        for how in [&["--incremental"][..], &[]] {
            let stage = Stage::new();
            other(&stage);
            issue(&stage, "work", "fifth");
            stage.us(&["state", "export", "--repo", "work", "--key", "keys/olga", "--out", "late"]).ok();
            let import = ["state", "import", "late", "--repo", "other.git", "--json"];
            assert_eq!(stage.us(&import).exits(3).codes(), ["ENTRY_ABSENT"]);
            let verify = [&["verify", "--repo", "other.git", "--json"][..], how].concat();
            let waiting = stage.us(&verify).ok();
            assert_eq!(waiting.json()["awaited_heads"], serde_json::json!([["olga", 5]]));
            if honest {
                stage.us(&["push", "--repo", "work", "origin"]).ok();
                fetch(&stage, "other.git");
                let met = stage.us(&verify).ok().json();
                assert_eq!(met["confirmed_heads"], serde_json::json!([["olga", 5]]), "{met}");
                let settled = stage.us(&verify).ok().json();
                assert_eq!(settled["confirmed_heads"], serde_json::json!([]), "it is told once");
                assert_eq!(settled["awaited_heads"], serde_json::json!([]));
                continue;
            }
            // What comes instead has another entry at the fifth place.
            issue(&stage, "other.git", "another-fifth");
            let fork = stage.us(&verify).exits(5);
            assert!(fork.codes().contains(&"FORKED".to_owned()), "{}", fork.stdout);
            let proof = fork.json()["both_heads"].as_str().expect("a file").to_owned();
            let kept: Value =
                serde_json::from_slice(&std::fs::read(stage.scratch.path(&proof)).expect("kept"))
                    .expect("JSON");
            let note = std::fs::read_to_string(stage.scratch.path("late")).expect("a note");
            assert_eq!(kept["note"], note.as_str(), "the other's signed word is kept whole");
            assert_ne!(kept["found"], Value::Null);
            stage.us(&verify).exits(5);
        }
    }
}
