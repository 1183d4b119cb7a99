//! Every verb that appends, killed before each call by which it makes a file durable, gives it a name or takes one away:
//! either its entry stands, whole and acknowledged or not, or nothing does and the same verb goes on.

use crate::killed::traced;
use crate::race::names;
use crate::stage::{REF, Stage};

/// The calls, of every architecture. What an append writes and opens besides, `killed` strikes at.
const CALLS: [&str; 7] = ["?fsync", "?rename", "?renameat", "?renameat2", "?linkat", "?unlink", "?unlinkat"];

/// Kills a verb at each of its calls, every time from the same beginning; `seen` holds the entries.
fn killed_everywhere(stage: &Stage, seen: &str, directories: &[&str], verb: &[&str]) {
    let each = |script: &str| directories.iter().map(|name| script.replace('%', name)).collect::<String>();
    stage.sh(".", &each("rm -rf %.base; cp -a % %.base;")).ok();
    let before = names(stage, seen);
    let mut all = 0;
    for call in CALLS {
        for number in 1.. {
            stage.sh(".", &each("rm -rf %; cp -a %.base %;")).ok();
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let ran = traced(stage, &["-e", &format!("trace={call}"), "-e", &inject], verb);
            let after = names(stage, seen);
            let grown = after.len() - before.len();
            let what = format!("{verb:?} {inject}");
            assert!(after[..before.len()] == before && grown <= 1, "{what}: {after:?}");
            if ran.exit == 0 {
                assert_eq!(grown, 1, "{what}: what is acknowledged is there");
                break;
            }
            // The blow may have fallen on a child, git or the server's hook: then the program says so.
            let told = [4, 75].contains(&ran.exit);
            assert!(told || ran.stderr.is_empty(), "{what}: a killed process says nothing\n{}", ran.stderr);
            if grown == 0 {
                stage.us(verb).ok();
            }
            assert_eq!(names(stage, seen).len(), before.len() + 1, "{what}");
            all += 1;
        }
    }
    assert!(all >= 8, "{verb:?}: {all} blows");
    stage.git(seen, &["fsck", "--full", "--strict"]).ok();
    // Begun, and missed: nothing else speaks against the ledger.
    let verified = stage.verify(seen);
    assert!(verified.codes().iter().all(|code| code == "RUN_OPEN"), "{}", verified.stdout);
}

fn on_work(stage: &Stage, verb: &[&str]) {
    killed_everywhere(stage, "work", &["work"], &[verb, &["--repo", "work"]].concat());
}

#[test]
fn what_owners_decide() {
    let stage = Stage::new();
    stage.us(&["key", "new", "zed", "--dir", "keys", "--no-passphrase"]).ok();
    let text = stage.us(&["policy", "show", "--repo", "work", "--json"]).ok().json();
    let text = text["content"].as_str().expect("a text").to_owned();
    stage
        .scratch
        .write("new.toml", text.replacen("[validator]", "[ledger]\nrequire_begin = true\n\n[validator]", 1));
    on_work(&stage, &["key", "add", "zed=keys/zed", "--role", "operator", "--key", "keys/olga"]);
    on_work(&stage, &["policy", "propose", "new.toml", "--key", "keys/olga"]);
    let close = ["blockers", "close", "EXAMPLE-1", "--document", "new.toml", "--text", "as agreed"];
    on_work(&stage, &[&close[..], &["--key", "keys/olga"]].concat());
    let issue = ["grant", "issue", "--operator", "anna", "--key", "keys/olga"];
    stage.us(&[&issue[..], &["--repo", "work", "--propose", "grant.json"]].concat()).ok();
    on_work(&stage, &["apply", "grant.json", "--key", "keys/olga"]);
}

#[test]
fn what_operators_and_auditors_say() {
    let stage = Stage::new();
    let add = ["key", "add", "kim=keys/mallory", "--role", "auditor", "--key", "keys/olga", "--repo", "work"];
    stage.us(&add).ok();
    on_work(&stage, &["note", "2", "--text", "seen", "--key", "keys/mallory"]);
    on_work(&stage, &["void", "2", "--reason", "a mistake", "--key", "keys/anna"]);
    on_work(&stage, &["begin", "--grant", "grant-3", "--key", "keys/anna"]);
}

#[test]
fn what_is_recorded_of_a_packet() {
    let stage = Stage::new();
    let record = ["record", "--packet", "packet", "--key", "keys/anna", "--run-id", "again"];
    on_work(&stage, &[&record[..], &["--rerun-of", "2"]].concat());
}

#[test]
fn what_waits_in_the_outbox() {
    let stage = Stage::new();
    stage.git(".", &["clone", "-q", "--template=", "--bare", "server.git", "second.git"]).ok();
    stage.git("second.git", &["remote", "set-url", "origin", "../server.git"]).ok();
    let issue = |repo: &str, id: &str| {
        let front = ["grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga"];
        stage.us(&[&front[..], &["--id", id]].concat()).ok();
    };
    issue("work", "first");
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    issue("second.git", "second");
    // A lost race, run again and killed while its entry stands on no ledger.
    stage.sh(".", "cp -a second.git second.before").ok();
    let waiting = (1..60).any(|blow| {
        stage.sh(".", "rm -rf second.git; cp -a second.before second.git").ok();
        let inject = format!("inject=?fsync:signal=SIGKILL:when={blow}");
        let push = ["push", "--repo", "second.git", "origin", "--key", "keys/olga"];
        traced(&stage, &["-e", "trace=?fsync", "-e", &inject], &push);
        let list = stage.us(&["outbox", "list", "--repo", "second.git", "--json"]).ok().json();
        let kept = list["kept"].as_array().map_or(0, Vec::len);
        kept == 1 && stage.tip("second.git") == stage.tip("server.git")
    });
    assert!(waiting, "some blow falls between the outbox and the ledger");
    let push = ["outbox", "push", "--repo", "second.git", "origin", "--key", "keys/olga"];
    killed_everywhere(&stage, "server.git", &["second.git", "server.git"], &push);
    stage.us(&["outbox", "list", "--repo", "second.git"]).ok().says("the outbox is empty");
    assert_eq!(stage.git("server.git", &["rev-list", "--merges", REF]).ok().stdout, "");
}
