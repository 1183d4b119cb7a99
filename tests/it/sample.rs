//! The sample ledger that stands in `ledger/`: it verifies at once, with stock git and this program.

use std::path::Path;

use crate::harness::Scratch;

pub fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger").join(name).to_string_lossy().into_owned()
}

pub fn fetched() -> Scratch {
    let s = Scratch::new();
    s.git("", &["init", "-q", "--bare", "sample.git"]).ok();
    let refs = "refs/heads/*:refs/heads/*";
    s.git("sample.git", &["fetch", "-q", &shipped("sample.bundle"), refs]).ok();
    s
}

#[test]
fn the_sample_ledger_verifies_at_once() {
    let s = fetched();
    let id = std::fs::read_to_string(shipped("sample.id")).expect("the id");
    let report = s.run(&["verify", "--repo", "sample.git", "--pin", id.trim(), "--json"]).ok().json();
    assert_eq!(report["report"]["verified"], 4);
    let signers = s.run(&["export", "allowed-signers", "--repo", "sample.git"]).ok().stdout;
    s.write("signers", signers);
    let config = format!("gpg.ssh.allowedSignersFile={}", s.path("signers").display());
    s.git("sample.git", &["-c", &config, "verify-commit", "refs/heads/fix7-ledger/main"]).ok();
}

#[test]
fn another_id_is_not_this_ledger() {
    let s = fetched();
    let other = "0".repeat(64);
    let refused = s.run(&["verify", "--repo", "sample.git", "--pin", &other, "--json"]).exits(4);
    assert_eq!(refused.codes(), ["WRONG_LEDGER"]);
}

#[test]
fn sample_keys_are_refused_outside_of_a_demonstration() {
    let s = Scratch::new();
    s.git("", &["init", "-q", "repo"]).ok();
    let key = |name: &str| {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys.example");
        for file in [name.to_owned(), format!("{name}.pub")] {
            std::fs::copy(from.join(&file), s.path(&file)).expect("a sample key");
        }
        format!("{name}={name}")
    };
    let (owner, operator) = (key("owner"), key("operator"));
    let arguments =
        ["init", "--repo", "repo", "--owner", &owner, "--operator", &operator, "--key", "owner", "--json"];
    let refused = s.run(&arguments).exits(4);
    assert_eq!(refused.codes(), ["SAMPLE_KEY"]);
    s.run(&[&arguments[..], &["--demo"]].concat()).ok();
}
