//! Many writers at once, and writers that are killed: every entry once, in order, and nothing lost.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::killed::traced;
use crate::stage::{REF, Stage};

fn start(stage: &Stage, arguments: &[&str]) -> Child {
    let mut command = stage.scratch.binary(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
}

fn answer(child: Child) -> Value {
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {words}"))
}

/// The names of the entries, oldest first.
pub fn names(stage: &Stage, repo: &str) -> Vec<String> {
    let log = stage.git(repo, &["log", "--reverse", "--format=%s", REF]).ok().stdout;
    log.lines().map(|line| line.split(' ').nth(3).expect("a name").to_owned()).collect()
}

#[test]
fn eight_processes_append_once_each() {
    let stage = Stage::new();
    let ids: Vec<String> = (0..7).map(|n| format!("race-{n}")).collect();
    let mut writers: Vec<Child> = ids
        .iter()
        .map(|id| {
            let issue = ["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"];
            start(&stage, &[&issue[..], &["--id", id, "--json"]].concat())
        })
        .collect();
    let record = ["record", "--repo", "work", "--packet", "packet", "--key", "keys/anna", "--json"];
    writers.push(start(&stage, &[&record[..], &["--run-id", "race-7"]].concat()));
    let mut done = 0;
    for (n, writer) in writers.into_iter().enumerate() {
        let said = answer(writer);
        // Waiting has an end: whoever gave up says so and has written nothing.
        match said["exit"].as_u64() {
            Some(0) => done += 1,
            Some(75) => assert!(!names(&stage, "work").contains(&format!("race-{n}")), "{said}"),
            _ => panic!("{said}"),
        }
    }
    let mut found = names(&stage, "work").split_off(4);
    assert_eq!(found.len(), done);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), done, "each once");
    assert!(done > 1, "{done}");
    let report = stage.verify("work").ok().json();
    assert_eq!(report["report"]["verified"], 4 + done as u64);
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
    stage.git("server.git", &["fsck", "--full", "--strict"]).ok();
}

#[test]
fn two_clones_that_push_at_once_both_end_up_on_the_server() {
    let stage = Stage::new();
    stage.git(".", &["clone", "-q", "--template=", "-b", "fix7-ledger/main", "server.git", "second"]).ok();
    stage.git("second", &["checkout", "-q", "--detach"]).ok();
    for (repo, id) in [("work", "first"), ("second", "second")] {
        let issue =
            ["grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga", "--id", id];
        stage.us(&issue).ok();
    }
    let pushes = ["work", "second"].map(|repo| {
        (repo, start(&stage, &["push", "--repo", repo, "origin", "--key", "keys/olga", "--json"]))
    });
    for (repo, push) in pushes {
        let said = answer(push);
        match said["exit"].as_u64() {
            Some(0) => {}
            Some(75) => drop(stage.us(&["push", "--repo", repo, "origin", "--key", "keys/olga"]).ok()),
            _ => panic!("{repo}: {said}"),
        }
    }
    let mut found = names(&stage, "server.git").split_off(4);
    found.sort();
    assert_eq!(found, ["first", "second"]);
    stage.verify("server.git").ok();
    for repo in ["work", "second"] {
        let outbox = stage.scratch.path(repo).join(".git/fix7-ledger/outbox");
        let left = std::fs::read_dir(outbox).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{repo}: what is on the ledger is kept nowhere else");
    }
}

#[test]
fn a_killed_writer_leaves_a_ledger_that_holds_and_its_packet() {
    let stage = Stage::new();
    let packet = stage.scratch.listing("packet");
    for n in 0..10u64 {
        let before = names(&stage, "work");
        let issue = ["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"];
        let mut child = start(&stage, &issue);
        // Not a wait for anything: the moment of the blow, spread over the time that an append takes.
        std::thread::sleep(Duration::from_millis(n * n * 2));
        child.kill().expect("killed");
        child.wait().expect("it ends");
        let after = names(&stage, "work");
        assert!(after == before || after[..after.len() - 1] == before, "{after:?}");
    }
    let record = ["record", "--repo", "work", "--packet", "packet", "--key", "keys/anna"];
    for n in [50, 400] {
        let mut child = start(&stage, &record);
        std::thread::sleep(Duration::from_millis(n));
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }
    stage.verify("work").ok();
    assert_eq!(stage.scratch.listing("packet"), packet);
    stage.grant("work").ok();
    stage.record("work").ok();
    stage.verify("work").ok();
    stage.git("work", &["fsck", "--full", "--strict"]).ok();
}

#[test]
fn a_push_killed_while_it_runs_a_lost_race_again_loses_nothing() {
    let stage = Stage::new();
    stage.git(".", &["clone", "-q", "--template=", "-b", "fix7-ledger/main", "server.git", "second"]).ok();
    stage.git("second", &["checkout", "-q", "--detach"]).ok();
    let issue = |repo: &str, id: &str| {
        let front = ["grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga"];
        stage.us(&[&front[..], &["--id", id]].concat()).ok();
    };
    let (mut sent, mut from_outbox) = (Vec::new(), 0);
    for blow in 1.. {
        let ids = [format!("first-{blow}"), format!("second-{blow}")];
        issue("work", &ids[0]);
        stage.us(&["push", "--repo", "work", "origin", "--key", "keys/olga"]).ok();
        issue("second", &ids[1]);
        let inject = format!("inject=?renameat:signal=SIGKILL:when={blow}");
        let push = ["push", "--repo", "second", "origin", "--key", "keys/olga"];
        let ran = traced(&stage, &["-e", "trace=?renameat", "-e", &inject], &push);
        from_outbox += stage.us(&["outbox", "list", "--repo", "second", "--json"]).ok().json()["kept"]
            .as_array()
            .map_or(0, Vec::len);
        stage.us(&["outbox", "push", "--repo", "second", "origin", "--key", "keys/olga"]).ok();
        sent.extend(ids);
        assert_eq!(names(&stage, "server.git")[4..], sent, "blow {blow}: each once, in one line");
        stage.us(&["outbox", "list", "--repo", "second"]).ok().says("the outbox is empty");
        if ran.exit == 0 {
            break;
        }
    }
    assert!(from_outbox > 0 && sent.len() > 10, "{from_outbox} of {}", sent.len());
    for repo in ["server.git", "second"] {
        stage.verify(repo).ok();
        stage.git(repo, &["fsck", "--full", "--strict"]).ok();
    }
}

#[test]
fn four_operators_in_clones_of_their_own_all_end_up_in_one_line() {
    const EACH: usize = 3;
    let stage = Stage::new();
    let clones = ["work", "b", "c", "d"];
    for clone in &clones[1..] {
        stage.git(".", &["clone", "-q", "--bare", "server.git", clone]).ok();
    }
    let operator = |clone: &str| {
        for number in 0..EACH {
            let id = format!("{clone}-{number}");
            let front = ["grant", "issue", "--repo", clone, "--operator", "anna", "--key", "keys/olga"];
            stage.us(&[&front[..], &["--id", &id]].concat()).ok();
            let push = ["push", "--repo", clone, "origin", "--key", "keys/olga", "--json"];
            // 75: every attempt met somebody else's; the entry waits in the clone.
            while stage.us(&push).exits_with(&[0, 75]) != 0 {}
        }
    };
    std::thread::scope(|scope| {
        let operator = &operator;
        for clone in clones {
            scope.spawn(move || operator(clone));
        }
    });
    let mut found = names(&stage, "server.git").split_off(4);
    assert_eq!(stage.git("server.git", &["rev-list", "--merges", REF]).ok().stdout, "");
    found.sort();
    let mut wanted: Vec<String> =
        clones.iter().flat_map(|clone| (0..EACH).map(move |n| format!("{clone}-{n}"))).collect();
    wanted.sort();
    assert_eq!(found, wanted, "each once");
    stage.verify("server.git").ok();
    stage.git("server.git", &["fsck", "--full", "--strict"]).ok();
    for clone in clones {
        stage.us(&["outbox", "list", "--repo", clone]).ok().says("the outbox is empty");
    }
}
