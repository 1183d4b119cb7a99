//! What a server with the hook takes from stock git, and what it does not, whatever the client leaves out.

use crate::forge::{apart, time};
use crate::harness::Ran;
use crate::stage::{REF, Stage};

/// A stage whose clone has an ordinary branch beside the ledger.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.scratch.write("work/README", "An ordinary project.\n");
    stage.git("work", &["checkout", "-q", "-b", "main"]).ok();
    stage.git("work", &["add", "README"]).ok();
    stage.git("work", &["commit", "-q", "-m", "Begin"]).ok();
    stage
}

/// Pushes past every client hook there could be.
fn push(stage: &Stage, arguments: &[&str]) -> Ran {
    let front = ["-c", "core.hooksPath=/dev/null", "push", "--no-verify", "origin"];
    stage.git("work", &[&front[..], arguments].concat())
}

fn refs(stage: &Stage) -> String {
    stage.git("server.git", &["for-each-ref"]).ok().stdout
}

/// Demands that a push is refused for this reason and changes nothing on the server.
#[track_caller]
fn refused(stage: &Stage, arguments: &[&str], code: &str) {
    let before = refs(stage);
    push(stage, arguments).exits(1).says(&format!("remote: error: {code}"));
    assert_eq!(refs(stage), before, "{arguments:?}");
}

/// The moment of the test: an entry's time may not lie behind the last one, nor far ahead of the server's clock.
fn now() -> fix7_ledger::time::Timestamp {
    let elapsed = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    fix7_ledger::time::Timestamp::from_unix_seconds(elapsed.as_secs() as i64).expect("within the years")
}

#[test]
fn ordinary_branches_tags_and_notes_pass() {
    let stage = stage();
    stage.git("work", &["tag", "v1"]).ok();
    stage.git("work", &["tag", "-a", "v2", "-m", "The second"]).ok();
    stage.git("work", &["notes", "add", "-m", "Looked at", "main"]).ok();
    push(&stage, &["main", "v1", "v2", "refs/notes/commits"]).ok();
    push(&stage, &["--delete", "v1"]).ok();
    push(&stage, &["--delete", "refs/notes/commits"]).ok();
    stage.git("work", &["commit", "-q", "--amend", "-m", "Begin again"]).ok();
    push(&stage, &["--force", "main"]).exits(1).says("denying non-fast-forward"); // by git: installing hardens
    assert_eq!(refs(&stage).lines().count(), 3, "the ledger, main and v2");
}

#[test]
fn a_ledger_is_neither_deleted_nor_rewritten() {
    let stage = stage();
    let ledger = stage.tip("work");
    refused(&stage, &["--delete", REF], "LEDGER_DELETED");
    for older in ["~1", "~2", "~3"] {
        refused(&stage, &["--force", &format!("{ledger}{older}:{REF}")], "LEDGER_REWRITTEN");
    }
    // Another entry in the place of the last: as good as that one, but it came second.
    let at = now();
    stage.point("work", &format!("{ledger}~1"));
    let other = stage.store("work", &stage.grant_by("work", "olga", at));
    refused(&stage, &["--force", &format!("{other}:{REF}")], "LEDGER_REWRITTEN");
    stage.point("work", &ledger);
    let next = stage.store("work", &stage.grant_by("work", "olga", at));
    push(&stage, &[&format!("{next}:{REF}")]).ok();
    stage.verify("server.git").ok();
}

#[test]
fn an_entry_that_is_not_one_is_refused_with_everything_beside_it() {
    let stage = stage();
    let good = stage.tip("work");
    let grant = stage.grant_by("work", "olga", now());
    let (payload, _) = apart(&grant);
    let payload = String::from_utf8(payload).expect("ASCII");
    let end = "-----END SSH SIGNATURE-----\n";
    let smuggled =
        String::from_utf8(grant.clone()).expect("ASCII").replacen(end, &format!("{end}gpgsig2 x\n"), 1);
    let merge = payload.replacen("\nauthor ", &format!("\nparent {good}\nauthor "), 1);
    let unsigned = payload.clone();
    let backwards = stage.grant_by("work", "olga", time("2019-06-01T00:00:00Z"));
    for (commit, code) in [
        (smuggled.into_bytes(), "ENTRY_MALFORMED"),
        (stage.signed("olga", merge.as_bytes()), "CHAIN_BROKEN"),
        (unsigned.into_bytes(), "ENTRY_MALFORMED"),
        (stage.signed("mallory", payload.as_bytes()), "ENTRY_MALFORMED"),
        (stage.grant_by("work", "mallory", now()), "KEY_UNKNOWN"),
        (stage.grant_by("work", "anna", now()), "ROLE_MISSING"),
        (backwards, "CHAIN_BROKEN"),
    ] {
        let id = stage.store("work", &commit);
        // One bad ref takes the good ones of the push with it.
        refused(&stage, &[&format!("{id}:{REF}"), "main"], code);
    }
    let id = stage.store("work", &grant);
    push(&stage, &[&format!("{id}:{REF}"), "main"]).ok();
    stage.verify("server.git").ok();
}

#[test]
fn entries_stand_nowhere_else() {
    let stage = stage();
    let entry = stage.store("work", &stage.grant_by("work", "olga", now()));
    for place in
        ["refs/heads/copy", "refs/custom/ledger", "refs/tags/entry", "refs/notes/entries", "refs/stash"]
    {
        refused(&stage, &[&format!("{entry}:{place}")], "LEDGER_ELSEWHERE");
    }
    stage.git("work", &["tag", "-a", "-m", "An entry", "annotated", &entry]).ok();
    refused(&stage, &["annotated"], "LEDGER_ELSEWHERE");
    for place in ["refs/heads/fix7-ledger/Main", "refs/heads/Fix7-Ledger/main", "refs/heads/fix7-ledger/a/b"]
    {
        refused(&stage, &[&format!("main:{place}")], "REF_FORBIDDEN");
    }
    refused(&stage, &[&format!("main:refs/replace/{entry}")], "REF_FORBIDDEN");
    push(&stage, &[&format!("{entry}:{REF}")]).ok();
}

#[test]
fn no_name_message_note_identity_or_option_carries_a_claim() {
    let stage = stage();
    stage.git("server.git", &["config", "receive.advertisePushOptions", "true"]).ok();
    let claims = |arguments: &[&str]| refused(&stage, arguments, "CLAIM_FOUND");
    claims(&["main:refs/heads/production-pass"]);
    claims(&["main:refs/tags/PRODUCTION_PASS"]);
    claims(&["main:refs/custom/production_pass"]);
    claims(&["-o", "production pass", "main"]);
    stage.git("work", &["tag", "-a", "v1", "-m", "production: passed"]).ok();
    claims(&["v1"]);
    stage.git("work", &["notes", "add", "-m", "PRODUCTION_PASS", "main"]).ok();
    claims(&["refs/notes/commits"]);
    let commit = |arguments: &[&str]| {
        let made = [&["commit", "-q", "--no-verify", "--allow-empty"][..], arguments].concat();
        stage.git("work", &made).ok();
    };
    commit(&["-m", "PRODUCTION\u{200b}_PASS"]);
    claims(&["main"]);
    commit(&["--amend", "-m", "Begin", "--author", "production pass <a@example.invalid>"]);
    claims(&["main"]);
    commit(&["--amend", "-m", "Begin", "--author", "a <a@example.invalid>"]);
    push(&stage, &["-o", "hello", "main"]).ok();
}

#[test]
fn a_server_whose_program_is_gone_takes_nothing() {
    let stage = stage();
    let hook = stage.scratch.path("server.git/hooks/pre-receive");
    let shim = std::fs::read_to_string(&hook).expect("a hook");
    let gone = shim.replace(crate::harness::BINARY, "/nonexistent/fix7-ledger");
    assert_ne!(gone, shim);
    std::fs::write(&hook, gone).expect("written");
    let before = refs(&stage);
    push(&stage, &["main"]).exits(1).says("the program is missing");
    assert_eq!(refs(&stage), before);
    std::fs::write(&hook, shim).expect("written");
    push(&stage, &["main"]).ok();
}
