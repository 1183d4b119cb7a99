//! Writers that are killed at every system call that changes a file, and the order in which an append reaches the disk.
//!
//! strace delivers the blow to the real binary, before the call is made: the program itself has no code for it.

use std::path::Path;
use std::process::Command;

use crate::harness::{BINARY, Ran};
use crate::race::names;
use crate::stage::Stage;

/// The calls that an append changes files by, of every architecture, each with how often at least one append makes them
/// where it makes them at all.
const CALLS: [(&str, usize); 12] = [
    ("?openat", 3),
    ("?write", 4),
    ("?pwrite64", 6),
    ("?ftruncate", 1),
    ("?fsync", 5),
    ("?fdatasync", 1),
    ("?rename", 1),
    ("?renameat", 3),
    ("?renameat2", 1),
    ("?linkat", 1),
    ("?unlink", 1),
    ("?unlinkat", 1),
];
const ISSUE: [&str; 8] = ["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"];

/// The binary under strace, with the stage's clean environment.
pub fn traced(stage: &Stage, strace: &[&str], arguments: &[&str]) -> Ran {
    let trace = stage.scratch.path("trace");
    let front = ["-f", "-qq", "-o", trace.to_str().expect("UTF-8")];
    let all = [&front[..], strace, &["--", BINARY], arguments].concat();
    stage.scratch.program(".", "strace", &all)
}

#[test]
fn a_writer_killed_at_any_call_loses_nothing_and_the_next_one_goes_on() {
    let stage = Stage::new();
    let mut all = 0;
    for (calls, least) in CALLS {
        let mut blows = 0;
        for number in 1.. {
            // Opening files happens often, and mostly for reading: every seventh of them.
            let when = if calls == "?openat" { number * 7 } else { number };
            let before = names(&stage, "work");
            let inject = format!("inject={calls}:signal=SIGKILL:when={when}");
            let ran = traced(&stage, &["-e", &format!("trace={calls}"), "-e", &inject], &ISSUE);
            let after = names(&stage, "work");
            let grown = after.len() - before.len();
            assert!(after[..before.len()] == before && grown <= 1, "{inject}: {after:?}");
            if ran.exit == 0 {
                assert_eq!(grown, 1, "{inject}: what is acknowledged is there");
                break;
            }
            assert_ne!(ran.exit, 75, "{inject}: no lock is left behind\n{}", ran.stderr);
            assert!(ran.stderr.is_empty(), "{inject}: a killed process says nothing\n{}", ran.stderr);
            blows += 1;
        }
        assert!(blows >= least || blows == 0, "{calls}: {blows} blows");
        all += blows;
    }
    assert!(all >= 18, "{all} blows");
    stage.us(&ISSUE).ok();
    stage.record("work").ok();
    stage.verify("work").ok();
    stage.git("work", &["fsck", "--full", "--strict"]).ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
}

#[test]
fn a_lock_of_a_killed_writer_goes_and_anybody_elses_stays() {
    let stage = Stage::new();
    let lock = stage.scratch.path("work/.git/refs/heads/fix7-ledger/main.lock");
    // Before the rename that moves the ref, its lock stands.
    let held = ["?rename", "?renameat", "?renameat2"].iter().any(|call| {
        (1..8).any(|when| {
            let inject = format!("inject={call}:signal=SIGKILL:when={when}");
            traced(&stage, &["-e", &format!("trace={call}"), "-e", &inject], &ISSUE);
            lock.exists()
        })
    });
    assert!(held, "some blow falls while the ref is locked");
    stage.us(&ISSUE).ok();
    assert!(!lock.exists());
    let issue = [&ISSUE[..], &["--json"]].concat();
    for content in [String::new(), format!("{}\n", stage.tip("work"))] {
        std::fs::write(&lock, content).expect("somebody's lock");
        let before = names(&stage, "work");
        let told = stage.us(&issue).exits(75);
        assert_eq!(told.codes(), ["LOCK_HELD"]);
        assert!(told.stdout.contains("main.lock") && told.stdout.contains("rm "), "{}", told.stdout);
        assert!(lock.exists() && names(&stage, "work") == before);
        std::fs::remove_file(&lock).expect("removed by hand, as told");
        stage.us(&issue).ok();
    }
    stage.verify("work").ok();
}

#[test]
fn a_file_system_without_second_names_is_written_to_as_well() {
    let stage = Stage::new();
    let before = names(&stage, "work").len();
    let inject = ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"];
    traced(&stage, &inject, &ISSUE).ok();
    assert!(!stage.scratch.path("work/.git/refs/heads/fix7-ledger/main.lock").exists());
    assert_eq!(names(&stage, "work").len(), before + 1);
    stage.verify("work").ok();
}

/// One line of a trace: the call, and the line whole, with the paths of descriptors.
fn calls(stage: &Stage, arguments: &[&str]) -> Vec<(String, String)> {
    let set = "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat,write";
    traced(stage, &["-y", "-e", set], arguments).ok();
    let trace = std::fs::read_to_string(stage.scratch.path("trace")).expect("a trace");
    let lines = trace.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        Some((call.split_once('(')?.0.to_owned(), call.to_owned()))
    });
    lines.collect()
}

#[test]
fn everything_is_on_the_disk_before_what_names_it_and_the_answer_comes_last() {
    let stage = Stage::new();
    let packet = ["record", "--repo", "work", "--packet", "packet", "--key", "keys/anna"];
    for arguments in [&ISSUE[..], &packet] {
        let calls = calls(&stage, arguments);
        let find = |what: &str, kinds: &[&str], parts: &[&str]| {
            let fits = |(call, line): &(String, String)| {
                kinds.iter().any(|k| call.starts_with(k)) && parts.iter().all(|part| line.contains(part))
            };
            let found = calls.iter().position(fits);
            (what.to_owned(), found.unwrap_or_else(|| panic!("{what} is not in {calls:#?}")))
        };
        let sync = ["fsync", "fdatasync"];
        let order = [
            find("pack flushed", &sync, &["tmp_pack_"]),
            find("index flushed", &sync, &["tmp_idx_"]),
            find("pack named", &["rename"], &["tmp_pack_"]),
            find("index named", &["rename"], &["tmp_idx_"]),
            find("their directory flushed", &sync, &["/objects/pack>"]),
            find("new tip flushed", &sync, &["fix7-ledger/tmp_"]),
            find("ref locked", &["link"], &["main.lock"]),
            find("ref moved", &["rename"], &["main.lock"]),
            find("its directory flushed", &sync, &["/refs/heads/fix7-ledger>"]),
            find("acknowledged", &["write"], &["write(1<"]),
        ];
        let ordered = order.windows(2).all(|two| two[0].1 < two[1].1);
        assert!(ordered, "{order:#?}\n{calls:#?}");
    }
}

/// strace is what these tests see with; without it they cannot run, and say so.
#[test]
fn strace_is_there() {
    let there = Command::new("strace").arg("-V").output().is_ok_and(|o| o.status.success());
    assert!(there && Path::new(BINARY).exists(), "install strace: ./test does");
}
