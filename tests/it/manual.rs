//! Manual pages and completions, judged by the programs that read them.

use std::fs;
use std::path::Path;

use crate::harness::{Ran, Scratch};

/// Whether a program is here; a line names what is not run where it is not.
fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        eprintln!("not run: {program} is not installed");
    }
    found
}

/// What a formatter says against a page.
#[track_caller]
fn complaints(s: &Scratch, formatter: &[&str], page: &Path) -> Ran {
    let page = page.to_str().expect("UTF-8");
    s.program("", formatter[0], &[&formatter[1..], &[page]].concat())
}

/// Formatters that are here, each with what makes it look for faults and print nothing else.
fn formatters() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 2] =
        [&["groff", "-k", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=0", "-z"], &["mandoc", "-Tlint", "-Werror"]];
    all.into_iter().filter(|formatter| is_here(formatter[0])).collect()
}

#[test]
fn every_verb_has_a_manual_page_that_no_formatter_complains_about() {
    let s = Scratch::new();
    s.run(&["man", "--out", "man1"]).ok();
    let pages: Vec<_> =
        fs::read_dir(s.path("man1")).expect("pages").map(|entry| entry.expect("a page").path()).collect();
    for verb in ["", "-verify", "-log", "-export-bundle", "-witness-serve"] {
        assert!(s.path(&format!("man1/fix7-ledger{verb}.1")).is_file(), "{verb}: {pages:?}");
    }
    assert!(!s.path("man1/fix7-ledger-hook.1").exists(), "what hooks call is for nobody to type");
    assert!(pages.len() > 50, "{}", pages.len());
    for formatter in formatters() {
        for page in &pages {
            let ran = complaints(&s, formatter, page);
            assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{page:?}");
        }
        let broken =
            s.write("broken.1", ".TH broken 1\n.SH NAME\n\\fZbroken\\fR \\[nosuchletter]\n.nosuchmacro\n");
        let ran = complaints(&s, formatter, &broken);
        assert!(ran.exit != 0 || !ran.stderr.is_empty(), "{}: this test could fail", formatter[0]);
    }
    s.run(&["man"]).ok().says("fix7\\-ledger\\-verify(1)");
    if is_here("man") {
        let read = s.program("", "man", &["-l", "man1/fix7-ledger-log.1"]).ok();
        assert!(read.stdout.contains("--jsonl") && read.stderr.is_empty(), "{}{}", read.stdout, read.stderr);
    }
}

#[test]
fn completions_are_read_by_the_shells_that_are_here() {
    let s = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = s.run(&["completions", shell]).ok().stdout;
        s.write(&format!("completions.{shell}"), script);
    }
    // What the shell itself offers behind `fix7-ledger wit`, and behind `fix7-ledger log --jso`.
    let bash = "source ./completions.bash
with=$(complete -p fix7-ledger | sed 's/.*-F \\([^ ]*\\).*/\\1/')
offered() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); $with fix7-ledger \"${!#}\" \"\"; echo \"${COMPREPLY[@]}\"; }
offered fix7-ledger wit; offered fix7-ledger log --jso; offered fix7-ledger nonsense-";
    let zsh = "autoload -U compinit; compinit -D -u; source ./completions.zsh; whence -w _fix7-ledger";
    let fish = "source completions.fish; complete -C 'fix7-ledger wit'; complete -C 'fix7-ledger log --jso'";
    if is_here("bash") {
        let ran = s.program("", "bash", &["--norc", "-c", bash]).ok();
        assert_eq!(ran.stdout, "witness\n--jsonl --json\n\n", "{}", ran.stderr);
    }
    if is_here("zsh") {
        s.program("", "zsh", &["-f", "-c", zsh]).ok().says("_fix7-ledger: function");
    }
    if is_here("fish") {
        let ran = s.program("", "fish", &["--no-config", "-c", fish]).ok();
        let offered: Vec<&str> =
            ran.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(offered, ["witness", "--json", "--jsonl"], "{}", ran.stdout);
    }
}
