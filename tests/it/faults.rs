//! Disks that are full or broken, repositories that cannot be written to, and files that are torn: everything works,
//! or says precisely what is broken, and what was acknowledged is still there.

use std::fs;
use std::path::PathBuf;

use crate::killed::traced;
use crate::race::names;
use crate::stage::{REF, Stage};

const ISSUE: [&str; 9] =
    ["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga", "--json"];

#[test]
fn a_full_or_broken_disk_at_any_call_is_told_and_nothing_is_lost() {
    let stage = Stage::new();
    for (calls, error, code) in [
        ("write", "ENOSPC", "OUT_OF_SPACE"),
        ("fsync", "EIO", "UNREADABLE"),
        ("renameat", "ENOSPC", "OUT_OF_SPACE"),
    ] {
        let mut told = 0;
        for when in 1.. {
            let before = names(&stage, "work");
            let inject = format!("inject={calls}:error={error}:when={when}");
            let ran = traced(&stage, &["-e", &format!("trace={calls}"), "-e", &inject], &ISSUE);
            let after = names(&stage, "work");
            let grown = after.len() - before.len();
            assert!(after[..before.len()] == before && grown <= 1, "{inject}: {after:?}");
            assert!(![101, 134, -1].contains(&ran.exit), "{inject}: no panic\n{}", ran.stderr);
            if !fs::read_to_string(stage.scratch.path("trace")).expect("a trace").contains("INJECTED") {
                assert_eq!(ran.exit, 0, "{}", ran.stdout);
                break;
            }
            if ran.exit == 0 {
                assert_eq!(grown, 1, "{inject}: what is acknowledged is there");
            } else if ran.stdout.starts_with('{') {
                told += usize::from(ran.codes().iter().any(|found| found == code));
            }
        }
        assert!(told > 0, "{calls}: {error} is told as {code}");
    }
    stage.us(&ISSUE).ok();
    stage.verify("work").ok();
    stage.git("work", &["fsck", "--full", "--strict"]).ok();
}

#[test]
fn a_disk_that_is_really_full_takes_nothing_and_goes_on_when_there_is_room() {
    let stage = Stage::new();
    let script = r#"
        set -e
        mkdir full && mount -t tmpfs -o size=12m tmpfs full && cp -r work keys full/
        cd full && head -c 64m /dev/zero >filler 2>/dev/null || true
        before=$(git -C work rev-parse "$1")
        code=0; "$2" grant issue --repo work --operator anna --key keys/olga --json >../said || code=$?
        [ $code -ne 0 ] && [ "$(git -C work rev-parse "$1")" = "$before" ]
        grep -q OUT_OF_SPACE ../said
        rm filler
        "$2" grant issue --repo work --operator anna --key keys/olga
        "$2" verify --repo work >/dev/null
        git -C work fsck --full --strict
    "#;
    let inside = ["-Urm", "sh", "-c", script, "sh", REF, crate::harness::BINARY];
    stage.scratch.program(".", "unshare", &inside).ok();
}

#[test]
fn a_repository_that_cannot_be_written_to_is_verified_and_refuses_entries() {
    let stage = Stage::new();
    let script = r#"
        set -e
        mount --bind work work && mount -o remount,bind,ro work
        "$1" verify --repo work >verified && grep -q . verified
        code=0; "$1" grant issue --repo work --operator anna --key keys/olga >said 2>&1 || code=$?
        [ $code -eq 3 ] && grep -q 'Read-only file system' said && grep -q work/.git said
    "#;
    let before = names(&stage, "work");
    let inside = ["-Urm", "sh", "-c", script, "sh", crate::harness::BINARY];
    stage.scratch.program(".", "unshare", &inside).ok();
    assert_eq!(names(&stage, "work"), before);
    stage.us(&ISSUE).ok();
}

/// Files that a crash of the machine may leave torn, and who mends them: nobody has to, a person as told, or a fetch.
#[test]
fn torn_and_nul_tailed_files_are_made_again_or_named() {
    let stage = Stage::new();
    stage.us(&["verify", "--repo", "work"]).ok();
    stage.git("work", &["pack-refs", "--all"]).ok();
    stage.us(&ISSUE).ok();
    let git = stage.scratch.path("work/.git");
    let newest = |extension: &str| -> PathBuf {
        let packs = stage.packs("work/.git");
        let of = packs.iter().map(|pack| pack.with_extension(extension));
        of.max_by_key(|p| fs::metadata(p).and_then(|m| m.modified()).expect("there")).expect("a pack")
    };
    // (file, whether everything goes on without a person)
    let files = [
        (git.join("refs/heads/fix7-ledger/main"), false),
        (git.join("packed-refs"), false),
        (newest("pack"), false),
        (newest("idx"), false),
        (stage.index("work/.git"), true),
        (git.join("fix7-ledger/heads.json"), false),
    ];
    let mut acknowledged = names(&stage, "work");
    for (file, heals) in files {
        let good = fs::read(&file).expect("there");
        let mode = fs::metadata(&file).expect("there").permissions();
        let half = good.len() / 2;
        let nul = [&good[..half], &vec![0; good.len() - half][..]].concat();
        for (how, bytes) in [("torn", good[..half].to_vec()), ("NUL-tailed", nul), ("empty", Vec::new())] {
            // The index that was made anew is another file.
            let file = if heals { stage.index("work/.git") } else { file.clone() };
            fs::remove_file(&file).expect("removed");
            fs::write(&file, bytes).expect("written");
            let what = format!("{}, {how}", file.display());
            let before = acknowledged.clone();
            let ran = stage.us(&["verify", "--repo", "work", "--json"]);
            let issued = stage.us(&ISSUE);
            for ran in [&ran, &issued] {
                assert!(![101, 134, -1].contains(&ran.exit), "{what}: no panic\n{}", ran.stderr);
                // What is broken is told with a code, an object and what to do.
                let json = ran.json();
                let reasons = json["reasons"].as_array().expect("a list");
                assert!(ran.exit == 0 || !reasons.is_empty(), "{what}: {json}");
                assert!(reasons.iter().all(|r| r["advice"].as_str().is_some_and(|a| !a.is_empty())));
            }
            if heals {
                assert_eq!((ran.exit, issued.exit), (0, 0), "{what}: {}{}", ran.stdout, issued.stdout);
            } else {
                // As a person would, from a copy.
                fs::remove_file(&file).expect("removed");
                fs::write(&file, &good).expect("mended");
                fs::set_permissions(&file, mode.clone()).expect("its mode");
            }
            acknowledged = names(&stage, "work");
            let grown = usize::from(issued.exit == 0);
            assert!(
                acknowledged.len() == before.len() + grown && acknowledged.starts_with(&before),
                "{what}"
            );
            stage.us(&["verify", "--repo", "work", "--json"]).ok();
        }
    }
    stage.us(&ISSUE).ok();
    stage.verify("work").ok();
}
