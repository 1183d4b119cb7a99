//! `doctor --self-test`: a gate, a judge and a hook that work, and a hook that lets everything through.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{BINARY, Ran};
use crate::stage::Stage;

fn state(ran: &Ran, what: &str) -> Value {
    let json = ran.json();
    let findings = json["findings"].as_array().cloned().unwrap_or_default();
    findings.into_iter().find(|f| f["what"] == what).map(|f| f["state"].clone()).unwrap_or_default()
}

#[test]
fn the_selftest_pushes_bad_packets_through_the_hook_and_tells_what_got_through() {
    let stage = Stage::new();
    let server = ["doctor", "--repo", "server.git", "--json"];
    let refs = stage.git("server.git", &["for-each-ref"]).ok().stdout;
    let ran = stage.us(&[&server[..], &["--self-test"]].concat());
    for what in ["self-test: gate", "self-test: judge", "self-test: pre-receive"] {
        assert_eq!(state(&ran, what), "fine", "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("SELFTEST_BROKEN"), "{}", ran.stdout);
    assert_eq!(state(&stage.us(&server), "self-test: gate"), Value::Null, "only where it is asked for");

    // A hook whose program lets everything through is live for git, and found out by its answers.
    let blind = stage.scratch.write("blind", "#!/bin/sh\ncat >/dev/null\nexit 0\n");
    fs::set_permissions(&blind, fs::Permissions::from_mode(0o755)).expect("executable");
    let hook = stage.scratch.path("server.git/hooks/pre-receive");
    let shim = fs::read_to_string(&hook).expect("a hook");
    let blinded = shim.replace(BINARY, blind.to_str().expect("UTF-8"));
    assert_ne!(blinded, shim);
    fs::write(&hook, blinded).expect("written");
    assert_eq!(state(&stage.us(&server), "pre-receive"), "fine", "it is there and can be run");
    let ran = stage.us(&[&server[..], &["--self-test"]].concat());
    assert_eq!(state(&ran, "self-test: pre-receive"), "missing", "{}", ran.stdout);
    assert!(ran.exit != 0 && ran.codes().contains(&"SELFTEST_BROKEN".to_owned()), "{}", ran.stdout);
    assert_eq!(stage.git("server.git", &["for-each-ref"]).ok().stdout, refs, "no ref moved");
}

#[test]
fn the_selftest_asks_a_clients_hook_as_well() {
    let stage = Stage::new();
    let client = ["doctor", "--repo", "work", "--self-test", "--json"];
    assert_eq!(state(&stage.us(&client), "self-test: pre-push"), "missing", "there is no hook yet");
    stage.us(&["hooks", "install", "--repo", "work"]).ok();
    let ran = stage.us(&client);
    assert_eq!(state(&ran, "self-test: pre-push"), "fine", "{}", ran.stdout);
}
