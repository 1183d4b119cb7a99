//! Where stock git says "Good": each hole shown to be one with the git of this machine, and closed here.

use std::fs;

use base64ct::{Base64, Encoding as _};

use crate::forge::{apart, time, with_signature};
use crate::stage::{REF, Stage};

/// The tip's commit as text.
fn tip(stage: &Stage) -> String {
    String::from_utf8(stage.commit("server.git", REF)).expect("ASCII")
}

/// Puts a commit in the tip's place; stock git calls it good, `verify` ends with this exit and code, and nothing is
/// pushed past the hook that has it.
#[track_caller]
fn good_for_git_only(stage: &Stage, commit: &[u8], exit: i32, code: &str) {
    let id = stage.replace_tip("server.git", commit);
    stage.stock_says_good("server.git", &id);
    stage.verify_says("server.git", exit, code);
}

const END: &str = " -----END SSH SIGNATURE-----\n";

#[test]
fn headers_added_after_signing() {
    let stage = Stage::new();
    let good = tip(&stage);
    for header in ["gpgsig-sha256 PRODUCTION_PASS", "gpgsig2 PRODUCTION_PASS", "gpgsigX PRODUCTION_PASS"] {
        let commit = good.replacen(END, &format!("{END}{header}\n"), 1);
        good_for_git_only(&stage, commit.as_bytes(), 1, "ENTRY_MALFORMED");
    }
    stage.replace_tip("server.git", good.as_bytes());
    stage.verify("server.git").ok();
}

#[test]
fn text_behind_the_armor() {
    let stage = Stage::new();
    let commit = tip(&stage).replacen(END, &format!("{END} PRODUCTION_PASS\n"), 1);
    good_for_git_only(&stage, commit.as_bytes(), 1, "ENTRY_MALFORMED");
}

#[test]
fn the_armor_wrapped_at_another_column() {
    let stage = Stage::new();
    let (payload, armor) = apart(tip(&stage).as_bytes());
    let lines: Vec<&str> = armor.lines().collect();
    let body: String = lines[1..lines.len() - 1].concat();
    let wrapped: Vec<String> =
        body.as_bytes().chunks(60).map(|c| String::from_utf8_lossy(c).into()).collect();
    let armor = format!("{}\n{}\n{}", lines[0], wrapped.join("\n"), lines[lines.len() - 1]);
    good_for_git_only(&stage, &with_signature(&payload, &armor), 1, "ENTRY_MALFORMED");
}

/// The order of the group of ed25519, least byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_second_signature_made_without_the_key() {
    let stage = Stage::new();
    let (payload, armor) = apart(tip(&stage).as_bytes());
    let lines: Vec<&str> = armor.lines().collect();
    let mut blob = Base64::decode_vec(&lines[1..lines.len() - 1].concat()).expect("base64");
    // The blob ends with R and S; S + L is the same number to whoever does not ask that S is below L.
    let s = blob.len() - 32;
    let mut carry = 0u16;
    for (byte, l) in blob[s..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(l);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    let encoded = Base64::encode_string(&blob);
    let body: Vec<String> =
        encoded.as_bytes().chunks(70).map(|c| String::from_utf8_lossy(c).into()).collect();
    let armor = format!("{}\n{}\n{}", lines[0], body.join("\n"), lines[lines.len() - 1]);
    good_for_git_only(&stage, &with_signature(&payload, &armor), 1, "SIGNATURE_INVALID");
}

#[test]
fn text_behind_a_nul_that_the_log_does_not_show() {
    let stage = Stage::new();
    let (mut payload, _) = apart(tip(&stage).as_bytes());
    payload.extend_from_slice(b"\0PRODUCTION_PASS\n");
    let commit = stage.signed("olga", &payload);
    good_for_git_only(&stage, &commit, 1, "ENTRY_MALFORMED");
    let log = stage.git("server.git", &["log", "-1", REF]).ok();
    assert!(log.stdout.contains("Fix7-Time") && !log.stdout.contains("PRODUCTION_PASS"));
}

#[test]
fn headers_twice_and_headers_of_other_kinds() {
    let stage = Stage::new();
    let (payload, _) = apart(tip(&stage).as_bytes());
    let payload = String::from_utf8(payload).expect("ASCII");
    let line =
        |name: &str| payload.lines().find(|l| l.starts_with(name)).expect("a header").to_owned() + "\n";
    let (tree, author, committer) = (line("tree "), line("author "), line("committer "));
    for (after, more) in [
        (&tree, &tree),
        (&author, &author),
        (&committer, &committer),
        (&committer, &"encoding ISO-8859-1\n".to_owned()),
        (&committer, &"mergetag object 1\n".to_owned()),
        (&committer, &"anything at all\n".to_owned()),
    ] {
        let commit = stage.signed("olga", payload.replacen(after, &format!("{after}{more}"), 1).as_bytes());
        let id = stage.replace_tip("server.git", &commit);
        stage.stock_says_good("server.git", &id);
        let refused = stage.verify("server.git").exits(1);
        assert_ne!(refused.codes(), Vec::<String>::new(), "{more}");
    }
    stage.replace_tip("server.git", &stage.signed("olga", payload.as_bytes()));
    stage.verify("server.git").ok();
}

#[test]
fn a_key_that_expired_and_an_old_date() {
    let stage = Stage::new();
    let old = stage.grant_by("server.git", "olga", time("2019-06-01T00:00:00Z"));
    let new = stage.grant_by("server.git", "olga", time("2031-06-01T00:00:00Z"));
    let line = format!("olga valid-before=\"20200101\" {}\n", stage.signer("olga").public());
    let file = stage.scratch.write("expired", line);
    let signers = format!("gpg.ssh.allowedSignersFile={}", file.display());
    let stock = |id: &str| stage.git("server.git", &["-c", &signers, "verify-commit", id]);
    // Git believes the date that the signer wrote. Here a key ends by position, and time never goes back.
    let id = stage.replace_tip("server.git", &old);
    stock(&id).ok().says("Good \"git\" signature for olga");
    stage.verify_says("server.git", 1, "CHAIN_BROKEN");
    let id = stage.replace_tip("server.git", &new);
    assert_ne!(stock(&id).exit, 0);
    stage.verify("server.git").ok();
}

#[test]
fn a_revocation_file_that_is_missing() {
    let stage = Stage::new();
    let commit = stage.grant_by("server.git", "mallory", time("2031-06-01T00:00:00Z"));
    let id = stage.replace_tip("server.git", &commit);
    let line = format!("mallory {}\n", stage.signer("mallory").public());
    let signers = format!("gpg.ssh.allowedSignersFile={}", stage.scratch.write("all", line).display());
    let revoked = stage.scratch.path("revoked");
    let revocation = format!("gpg.ssh.revocationFile={}", revoked.display());
    let stock = || stage.git("server.git", &["-c", &signers, "-c", &revocation, "verify-commit", &id]);
    fs::write(&revoked, format!("{}\n", stage.signer("mallory").public())).expect("written");
    assert_ne!(stock().exit, 0, "revoked");
    fs::remove_file(&revoked).expect("removed");
    stock().ok().says("Good \"git\" signature for mallory");
    // Here who may sign stands in the ledger: there is no file beside it that could be lost. A grant without an owner
    // is refused as well as unknown, and the graver of both decides.
    stage.verify_says("server.git", 4, "KEY_UNKNOWN");
}

#[test]
fn an_unknown_key_that_does_not_spoil_the_exit() {
    let stage = Stage::new();
    let commit = stage.grant_by("server.git", "mallory", time("2031-06-01T00:00:00Z"));
    stage.replace_tip("server.git", &commit);
    let signers = stage.signers();
    let log = stage.git("server.git", &["-c", &signers, "log", "-1", "--format=%G?", REF]).ok();
    assert_eq!(log.stdout, "U\n");
    stage.verify_says("server.git", 4, "KEY_UNKNOWN");
    let report = stage.verify("server.git").json();
    assert_eq!(report["report"]["verified"], 4, "what came before holds");
}

#[test]
fn a_replace_ref_that_shows_a_signed_decoy() {
    let stage = Stage::new();
    let good = stage.tip("server.git");
    let (payload, _) = apart(tip(&stage).as_bytes());
    let evil = stage.replace_tip("server.git", &payload);
    assert_ne!(stage.stock("server.git", &evil).exit, 0, "unsigned");
    stage.git("server.git", &["replace", &evil, &good]).ok();
    stage.stock_says_good("server.git", &evil);
    stage.verify_says("server.git", 1, "ENTRY_MALFORMED");
    stage.verify_says("server.git", 1, "REPLACE_REFS");
    // The true history with a replace ref beside it holds, but what stock git shows is not established.
    stage.point("server.git", &good);
    stage.verify_says("server.git", 3, "REPLACE_REFS");
    stage.git("server.git", &["replace", "-d", &evil]).ok();
    stage.verify("server.git").ok();
}

#[test]
fn a_graft_that_cuts_the_history_off_or_adds_to_it() {
    let stage = Stage::new();
    let good = stage.tip("server.git");
    fs::create_dir_all(stage.scratch.path("server.git/info")).expect("info");
    let grafts = stage.scratch.path("server.git/info/grafts");
    let count = || {
        let ran = stage.git("server.git", &["--no-replace-objects", "rev-list", "--count", REF]);
        ran.ok().stdout.trim().to_owned()
    };
    fs::write(&grafts, format!("{good}\n")).expect("written");
    assert_eq!(count(), "1", "git shows a history that never was");
    let report = stage.verify("server.git").exits(3);
    assert_eq!(
        (report.codes(), &report.json()["report"]["verified"]),
        (vec!["GRAFTS".to_owned()], &4.into())
    );
    // A commit without a parent, signed by an owner, made to look like the successor of the tip.
    let (payload, _) = apart(&stage.grant_by("server.git", "olga", time("2031-06-01T00:00:00Z")));
    let orphan = String::from_utf8(payload).expect("ASCII").replacen(&format!("parent {good}\n"), "", 1);
    let orphan = stage.replace_tip("server.git", &stage.signed("olga", orphan.as_bytes()));
    fs::write(&grafts, format!("{orphan} {good}\n")).expect("written");
    assert_eq!(count(), "5");
    stage.stock_says_good("server.git", &orphan);
    stage.verify_says("server.git", 1, "ENTRY_MALFORMED");
}

#[test]
fn a_shallow_clone() {
    let stage = Stage::new();
    let url = format!("file://{}", stage.scratch.path("server.git").display());
    let clone = ["clone", "-q", "--bare", "--depth=1", "-b", "fix7-ledger/main", &url, "shallow.git"];
    stage.git(".", &clone).ok();
    stage.stock_says_good("shallow.git", REF);
    stage.verify_says("shallow.git", 3, "SHALLOW");
    let report = stage.verify("shallow.git").json();
    assert_eq!(report["report"]["verified"], 0, "without its beginning no entry has an authority");
    let all = ["fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/heads/*"];
    stage.git("shallow.git", &all).ok();
    stage.verify("shallow.git").ok();
}

#[test]
fn a_merge_and_a_second_beginning() {
    let stage = Stage::new();
    let good = stage.tip("server.git");
    let (payload, _) = apart(&stage.grant_by("server.git", "olga", time("2031-06-01T00:00:00Z")));
    let payload = String::from_utf8(payload).expect("ASCII");
    let first = stage.git("server.git", &["rev-parse", &format!("{REF}~3")]).ok().stdout;
    let parent = format!("parent {good}\n");
    let merge = payload.replacen(&parent, &format!("{parent}parent {}\n", first.trim()), 1);
    good_for_git_only(&stage, &stage.signed("olga", merge.as_bytes()), 1, "CHAIN_BROKEN");
    // Another ledger, begun with the same keys: it holds by itself, and whoever knows the right one sees it.
    stage.point("server.git", &good);
    let id =
        stage.verify("server.git").ok().json()["report"]["ledger"]["id"].as_str().expect("an id").to_owned();
    stage.us(&["verify", "--repo", "server.git", "--pin", &id]).ok();
    stage.git(".", &["init", "-q", "--template=", "other"]).ok();
    let ids = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
    stage.us(&[&["init", "--repo", "other", "--name", "small"][..], &ids].concat()).ok();
    let push = ["push", "-q", "--force", "../server.git", &format!("{REF}:{REF}")];
    stage.git("other", &push).exits(1).says("LEDGER_REWRITTEN");
    stage.git("server.git", &["fetch", "-q", "--update-head-ok", "../other", &format!("+{REF}:{REF}")]).ok();
    stage.stock_says_good("server.git", REF);
    let report = stage.verify("server.git").ok().json();
    let gaps = report["report"]["not_established"].to_string();
    assert!(gaps.contains("GENESIS_NOT_PINNED") && gaps.contains("NO_REMEMBERED_HEAD"), "{gaps}");
    let pinned = stage.us(&["verify", "--repo", "server.git", "--forget", "--pin", &id, "--json"]).exits(4);
    assert_eq!(pinned.codes(), ["WRONG_LEDGER"]);
    let remembered = stage.us(&["verify", "--repo", "server.git", "--json"]).exits(5);
    assert_eq!(remembered.codes(), ["ROLLED_BACK"]);
}
