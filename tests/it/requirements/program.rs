//! R30 to R35, R51, R52 and R56: what only the program and the packet's own scripts can show.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{BINARY, Ran, Scratch};

/// A source, the template plan and, where asked for, the packet of its rehearsal.
fn ground(rehearsed: bool) -> Scratch {
    let s = Scratch::new();
    s.database(
        "orders.db",
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT);
        INSERT INTO orders(item) VALUES ('pear'), ('plum');",
    );
    s.run(&["plan", "new", "plan"]).ok();
    if rehearsed {
        s.run(&["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "packet"]).ok();
    }
    s
}

/// Runs a script of the packet with this program as its tool.
fn script(s: &Scratch, tool: &str, script: &str) -> Ran {
    s.program("", "env", &[&format!("FIX7_LEDGER={tool}"), "sh", script, "orders.db"])
}

#[test]
fn r30_to_r35_what_is_asked_for_by_variable_option_or_plan_is_refused_before_anything_is_written() {
    let s = ground(false);
    let dsn = format!("postgres://u:{}@h/d", "pw9");
    let before = s.listing("");
    let rehearse = ["rehearse", "--source", "orders.db", "--plan", "plan", "--out", "out", "--json"];
    let refused = |ran: Ran, code: &str| {
        let ran = ran.exits(4);
        assert!(ran.codes().iter().any(|found| found == code), "{code}: {}", ran.stdout);
        assert!(!ran.stdout.contains("pw9") && !ran.stderr.contains("pw9"), "a secret is not repeated");
        assert_eq!(s.listing(""), before, "{code}: nothing is written");
    };
    let with = |name: &str, value: &str| {
        let variable = format!("{name}={value}");
        s.program("", "env", &[&[variable.as_str(), BINARY][..], &rehearse].concat())
    };
    for (name, value, code) in [
        ("REAL_RUN", "1", "REAL_RUN_FORBIDDEN"),
        ("FIX7_MODE", "Real-Run", "REAL_RUN_FORBIDDEN"),
        ("QT001", "1", "APPLY_FORBIDDEN"),
        ("FIX7_STEP", "QT001/apply", "APPLY_FORBIDDEN"),
        ("cutover", "1", "CUTOVER_FORBIDDEN"),
        ("DEPLOY", "1", "CI_DEPLOY_FORBIDDEN"),
        ("FIX7_ON", "[deploy]", "CI_DEPLOY_FORBIDDEN"),
        ("SECRETS", "1", "SECRETS_FORBIDDEN"),
        ("FIX7_DSN", dsn.as_str(), "SECRETS_FORBIDDEN"),
        ("FIX7_DSN", "postgres://u@db-prod/d", "PRODUCTION_TARGET"),
    ] {
        refused(with(name, value), code);
    }
    let password = format!("--password={}", "pw9");
    for (option, code) in [
        ("--real-run", "REAL_RUN_FORBIDDEN"),
        ("--mode=REAL_RUN", "REAL_RUN_FORBIDDEN"),
        ("QT001/apply", "APPLY_FORBIDDEN"),
        ("--CutOver", "CUTOVER_FORBIDDEN"),
        ("workflow_dispatch", "CI_DEPLOY_FORBIDDEN"),
        (password.as_str(), "SECRETS_FORBIDDEN"),
    ] {
        refused(s.run(&[&rehearse[..], &[option]].concat()), code);
    }
    for source in ["/srv/production/orders.db", "postgres://u@db-prod/d"] {
        let arguments = ["rehearse", "--source", source, "--plan", "plan", "--out", "out", "--json"];
        refused(s.run(&arguments), "PRODUCTION_TARGET");
    }
    with("DEPLOY_KEY", "1").ok();
    assert!(s.path("out/README.md").exists(), "the good case is written");
}

/// A tool whose every verb seems to hold at once: what the script makes of its children is looked at, not they.
const HOLDS: &str =
    "while [ $# -gt 0 ]; do if [ \"$1\" = --out ]; then mkdir \"$2\" && : >\"$2/packet_tree.sha256\"; fi
    shift; done; exit 0";

#[test]
fn r51_a_child_that_dies_or_speaks_for_the_whole_is_not_believed() {
    let s = Scratch::new();
    let packet = super::ground::packet();
    s.write("packet/commands.sh", &packet["commands.sh"]);
    let run = |name: &str, text: &str| {
        let path = s.write(name, format!("#!/bin/sh\n{text}\n{HOLDS}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        let ran = script(&s, &path.display().to_string(), "packet/commands.sh");
        (ran.exit == 0, ran.stdout.lines().any(|line| line.starts_with("OVERALL PASS")))
    };
    assert_eq!(run("plain", ""), (true, true));
    for (name, text) in [
        ("killed", "[ \"$1\" != probe ] || kill -9 $$"),
        ("kills", "[ \"$1\" != probe ] || kill -9 $PPID"),
        ("speaks", "[ \"$1\" != probe ] || { echo 'OVERALL PASS'; exit 3; }"),
        ("piped", "[ \"$1\" != validate ] || { echo 'OVERALL PASS' | false; exit; }"),
        ("silent", "echo 'OVERALL PASS'; exit 0"),
    ] {
        assert_eq!(run(name, text), (false, false), "{name}");
    }
}

#[test]
fn r52_a_packet_sealed_again_over_a_change_is_refused_and_only_read() {
    let s = ground(true);
    let seal = "find . -type f ! -name HASH_MANIFEST.txt ! -name packet_tree.sha256 | sed 's|^\\./||' \
        | LC_ALL=C sort | xargs sha256sum >../m; cp ../m HASH_MANIFEST.txt; \
        sha256sum HASH_MANIFEST.txt >packet_tree.sha256";
    let spoilt = |what: &str, spoil: &str| {
        s.program("", "sh", &["-c", "rm -rf given && cp -R packet given"]).ok();
        s.program("given", "sh", &["-c", spoil]).ok();
        let before = s.listing("given");
        let ran = script(&s, BINARY, "given/RERUN.sh");
        assert_eq!(s.listing("given"), before, "{what}: the packet is only read");
        (ran.exit, what.to_owned())
    };
    assert_eq!(spoilt("sealed again, nothing changed", seal).0, 0);
    for (what, spoil) in [
        ("missing", "rm README.md".to_owned()),
        ("changed", "echo >>README.md".to_owned()),
        ("a link to the same bytes", "mv README.md ../r && ln -s ../r README.md".to_owned()),
        ("path traversal", "sed -i 's|  README|  ../README|' HASH_MANIFEST.txt".to_owned()),
        ("CRLF in the tree file", "sed -i 's/$/\\r/' packet_tree.sha256".to_owned()),
        ("extra, sealed", format!("echo x >extra.md; {seal}")),
        ("CRLF, sealed", format!("sed -i 's/$/\\r/' README.md; {seal}")),
    ] {
        assert_eq!(spoilt(what, &spoil), (1, what.to_owned()));
    }
}

#[test]
fn r56_no_ledger_a_broken_one_and_no_variable_say_other_than_hold() {
    let s = Scratch::new();
    s.git("", &["init", "-q", "empty"]).ok();
    s.git("", &["init", "-q", "broken"]).ok();
    s.write("broken/.git/refs/heads/fix7-ledger/main", "garbage\n");
    s.git("", &["init", "-q", "emptied"]).ok();
    s.write("emptied/.git/refs/heads/fix7-ledger/main", "");
    s.git("", &["init", "-q", "foreign"]).ok();
    s.git("foreign", &["commit", "-q", "--allow-empty", "-m", "none of ours"]).ok();
    s.git("foreign", &["branch", "fix7-ledger/main"]).ok();
    for repo in ["missing", "empty", "broken", "emptied", "foreign"] {
        for variable in ["X=1", "HOLD=off", "FIX7_HOLD_PRODUCTION=false"] {
            let ran = s.program("", "env", &[variable, BINARY, "status", "--repo", repo, "--json"]);
            assert_ne!(ran.exit, 0, "{repo}: what could not be read is not established");
            assert_eq!(ran.json()["hold"]["state"], "HOLD_PRODUCTION", "{repo} {variable}");
            assert_eq!(ran.json()["hold"]["default"], true, "{repo} {variable}");
        }
    }
}
