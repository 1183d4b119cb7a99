//! Attacks on the history that need a server's own disk, or the moment between two readings of a file.

use crate::killed::traced;
use crate::stage::{REF, Stage};

/// A ledger that begins anew under the name of the one that stood on the server, in a clone of its own.
fn begin_anew(stage: &Stage) {
    stage.git(".", &["init", "-q", "--template=", "-b", "main", "anew"]).ok();
    stage.git("anew", &["remote", "add", "origin", "../server.git"]).ok();
    let ids = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
    stage.us(&[&["init", "--repo", "anew", "--name", "small"][..], &ids].concat()).ok();
}

/// Past every hook that a client has: the server alone decides.
fn push(stage: &Stage, repo: &str, refspec: &str) -> crate::harness::Ran {
    stage.git(repo, &["-c", "core.hooksPath=/dev/null", "push", "--no-verify", "origin", refspec])
}

#[test]
fn attack_9_a_ledger_that_was_deleted_on_the_servers_disk_is_not_begun_anew() {
    let stage = Stage::new();
    begin_anew(&stage);
    // The server notes what stands on it when the next push comes.
    stage.grant("work").ok();
    push(&stage, "work", REF).ok();
    push(&stage, "anew", &format!("+{REF}:{REF}")).exits(1).says("LEDGER_REWRITTEN");
    let stood = stage.tip("server.git");
    stage.git("server.git", &["update-ref", "-d", REF]).ok();
    push(&stage, "anew", REF).exits(1).says("a history with entry 3");
    assert_eq!(stage.git("server.git", &["for-each-ref"]).ok().stdout, "");
    // Under a name that the server has not seen it is another ledger, and the one that stood comes back.
    push(&stage, "anew", &format!("{REF}:refs/heads/fix7-ledger/other")).ok();
    push(&stage, "work", REF).ok();
    assert_eq!(stage.tip("server.git"), stood);
}

#[test]
fn attack_11_a_server_restored_from_an_old_backup_takes_what_it_had_and_nothing_instead() {
    let stage = Stage::new();
    stage.git(".", &["clone", "-q", "--template=", "--bare", "server.git", "old.git"]).ok();
    stage.git("old.git", &["remote", "set-url", "origin", "../server.git"]).ok();
    let old = stage.tip("server.git");
    for _ in 0..2 {
        stage.grant("work").ok();
        push(&stage, "work", REF).ok();
    }
    // The backup lacks the last two entries, and somebody goes on from it.
    stage.git("server.git", &["update-ref", REF, &old]).ok();
    stage
        .us(&[
            "grant",
            "issue",
            "--repo",
            "old.git",
            "--operator",
            "anna",
            "--id",
            "else",
            "--key",
            "keys/olga",
        ])
        .ok();
    push(&stage, "old.git", REF).exits(1).says("LEDGER_REWRITTEN");
    push(&stage, "work", REF).ok();
    assert_eq!(stage.tip("server.git"), stage.tip("work"));
}

#[test]
fn attack_37_every_file_of_a_packet_is_opened_once_so_nothing_changes_between_two_readings() {
    let stage = Stage::new();
    let record = ["record", "--repo", "work", "--packet", "packet", "--key", "keys/anna"];
    traced(&stage, &["-e", "trace=open,openat,openat2"], &record).ok();
    let trace = std::fs::read_to_string(stage.scratch.path("trace")).expect("a trace");
    for (path, _) in stage.scratch.listing("packet") {
        if path.ends_with('/') {
            continue;
        }
        let name = path.rsplit('/').next().expect("a name");
        let opened = trace.lines().filter(|line| {
            let named = line.split('"').nth(1).unwrap_or_default();
            named == name || named == format!("packet/{path}") || named.ends_with(&format!("/packet/{path}"))
        });
        assert_eq!(opened.count(), 1, "{path}\n{trace}");
    }
    // What was read is what was hashed, signed and stored, whatever stands in the directory now.
    stage.scratch.write("packet/README.md", "PRODUCTION_PASS");
    stage.verify("work").ok();
}

#[test]
fn attack_40_objects_that_no_ref_reaches_are_no_entries_and_are_looked_at_when_one_does() {
    let stage = Stage::new();
    let git = |arguments: &[&str]| stage.git("work", arguments).ok().stdout.trim().to_owned();
    let commit = |branch: &str, text: &str| {
        git(&["checkout", "-q", "--orphan", branch]);
        git(&["rm", "-rfq", "--ignore-unmatch", "."]);
        stage.scratch.write(&format!("work/{branch}.txt"), text);
        git(&["add", &format!("{branch}.txt")]);
        git(&["commit", "-q", "--no-verify", "-m", "Tell"]);
        git(&["rev-parse", "HEAD"])
    };
    git(&["checkout", "-q", "-b", "main"]);
    let (bad, good) = (commit("bad", "PRODUCTION_PASS\n"), commit("good", "HOLD_PRODUCTION\n"));
    // An entry that nobody pushed, too.
    stage.grant("work").ok();
    let entry = stage.tip("work");
    let all = format!("{bad}\n{good}\n{entry}\n");
    stage.scratch.write("wanted", all);
    stage
        .sh("work", "git pack-objects --revs --stdout < ../wanted | git -C ../server.git unpack-objects -q")
        .ok();
    let unreachable = stage.git("server.git", &["fsck", "--unreachable"]).ok();
    for id in [&bad, &good, &entry] {
        assert!(unreachable.stdout.contains(id.as_str()), "{}", unreachable.stdout);
    }
    let report = stage.verify("server.git").ok().json();
    assert_eq!(report["report"]["verified"], 4, "what no ref reaches is no entry");
    // The objects are there already: a ref that would reach them is judged all the same.
    push(&stage, "work", &format!("{bad}:refs/heads/bad")).exits(1).says("CLAIM_FOUND");
    push(&stage, "work", &format!("{entry}:refs/heads/copy")).exits(1).says("LEDGER_ELSEWHERE");
    push(&stage, "work", &format!("{good}:refs/heads/good")).ok();
    push(&stage, "work", REF).ok();
    assert_eq!(stage.verify("server.git").ok().json()["report"]["verified"], 5);
}

#[test]
fn attack_53_a_claim_cut_over_the_entries_of_one_run_is_put_together() {
    let stage = Stage::new();
    let begin = |id: &str| {
        let words =
            ["begin", "--repo", "work", "--grant", "grant-3", "--key", "keys/anna", "--json", "--id", id];
        stage.us(&words)
    };
    let record = |id: &str| {
        let words = [
            "record",
            "--repo",
            "work",
            "--packet",
            "packet",
            "--key",
            "keys/anna",
            "--json",
            "--run-id",
            id,
        ];
        stage.us(&words)
    };
    let about = |verb: &str, of: &str, option: &str, text: &str, key: &str| {
        stage.us(&[verb, of, option, text, "--repo", "work", "--key", key, "--json"])
    };
    let add = ["key", "add", "kim=keys/mallory", "--role", "auditor", "--key", "keys/olga", "--repo", "work"];
    stage.us(&add).ok();
    // Each half alone is a word like any other.
    begin("production").ok();
    assert!(record("pass").exits(4).codes().contains(&"CLAIM_FOUND".to_owned()));
    record("orders").ok();
    assert_eq!(about("note", "2", "--text", "PASS", "keys/mallory").ok().exit, 0, "about another run");
    stage.grant("work").ok();
    record("production").ok();
    assert!(
        about("note", "production", "--text", "PASS", "keys/mallory")
            .exits(4)
            .codes()
            .contains(&"CLAIM_FOUND".to_owned())
    );
    assert!(
        about("void", "production", "--reason", "passed", "keys/anna")
            .exits(4)
            .codes()
            .contains(&"CLAIM_FOUND".to_owned())
    );
    about("note", "production", "--text", "the file is named badly", "keys/mallory").ok();
    stage.verify("work").ok();
}
