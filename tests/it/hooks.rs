//! Installing hooks beside those that are there, and what stock git makes of them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use fix7_ledger::ledger::{HookKind, HookState, HookStatus, Repository, Surroundings};
use fix7_ledger::verdict::Code;

use crate::harness::{Ran, Scratch};
use crate::ledger::code;

/// A stand-in for the program: writes down how it was called and with what input, and ends as told.
const PROGRAM: &str = "#!/bin/sh\n{ echo \"program $*\"; cat; } >> \"$(dirname \"$0\")/called\"; exit $(cat \"$(dirname \"$0\")/exit\")\n";
/// Somebody else's hook: the same under another name.
const THEIRS: &str = "#!/bin/sh\n{ echo \"theirs $*\"; cat; } >> ../called; exit $(cat ../theirs-exit)\n";

struct Place {
    scratch: Scratch,
}

impl Place {
    /// A client called `work` with one commit and a bare `server.git` beside it; the program's path has blanks and a quote.
    fn new() -> Place {
        let place = Place { scratch: Scratch::new() };
        place.executable("it's here/program", &PROGRAM.replace("$(dirname \"$0\")/", "../"));
        place.scratch.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]).ok();
        place.scratch.git(".", &["init", "-q", "-b", "main", "work"]).ok();
        place.scratch.git("work", &["commit", "-q", "--allow-empty", "-m", "x"]).ok();
        place.scratch.git("work", &["remote", "add", "origin", "../server.git"]).ok();
        place.scratch.write("exit", "0");
        place.scratch.write("theirs-exit", "0");
        place
    }

    fn executable(&self, name: &str, text: &str) -> PathBuf {
        let path = self.scratch.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        path
    }

    fn surroundings(&self) -> Surroundings {
        let path = std::env::var_os("PATH").expect("a PATH");
        let set = |name: &str, value: OsString| (name.into(), value);
        let variables = vec![
            set("PATH", path),
            set("HOME", self.scratch.path("home").into_os_string()),
            set("GIT_CONFIG_NOSYSTEM", "1".into()),
        ];
        Surroundings { variables }
    }

    fn repository(&self, name: &str) -> Repository {
        Repository::open(&self.scratch.path(name)).expect("opens")
    }

    fn install(&self, name: &str, kind: HookKind) -> HookStatus {
        let program = self.scratch.path("it's here/program");
        self.repository(name).install_hook(kind, &program, &self.surroundings()).expect("installs")
    }

    fn uninstall(&self, name: &str, kind: HookKind) -> HookState {
        self.repository(name).uninstall_hook(kind, &self.surroundings()).expect("uninstalls").state
    }

    fn state(&self, name: &str, kind: HookKind) -> HookState {
        self.repository(name).hook_status(kind, &self.surroundings()).expect("looks").state
    }

    fn called(&self) -> String {
        let text = fs::read_to_string(self.scratch.path("called")).unwrap_or_default();
        let _ = fs::remove_file(self.scratch.path("called"));
        text
    }

    fn push(&self) -> Ran {
        self.scratch.git("work", &["commit", "-q", "--allow-empty", "--no-verify", "-m", "y"]).ok();
        self.scratch.git("work", &["push", "-q", "origin", "main"])
    }
}

#[test]
fn both_push_hooks_run_the_program_with_gits_arguments_and_input() {
    let place = Place::new();
    for (name, kind, arguments) in [
        ("work", HookKind::PrePush, "pre-push origin ../server.git"),
        ("server.git", HookKind::PreReceive, "pre-receive\n"),
    ] {
        assert_eq!(place.state(name, kind), HookState::Missing);
        assert_eq!(place.install(name, kind).state, HookState::Live);
        place.push().ok();
        let called = place.called();
        assert!(called.starts_with(&format!("program hook {arguments}")), "{called}");
        assert!(called.contains("refs/heads/main"), "its input: {called}");
        place.scratch.write("exit", "4");
        assert_ne!(place.push().exit, 0, "{}: the program's no holds", kind.name());
        place.scratch.write("exit", "0");
        place.called();
        assert_eq!(place.uninstall(name, kind), HookState::Missing);
    }
}

#[test]
fn an_earlier_hook_is_kept_run_with_the_same_input_and_given_back() {
    let place = Place::new();
    for (name, file, kind) in [
        ("work", "work/.git/hooks/pre-push", HookKind::PrePush),
        ("server.git", "server.git/hooks/pre-receive", HookKind::PreReceive),
    ] {
        let theirs = place.executable(file, THEIRS);
        let before = fs::metadata(&theirs).expect("there").modified().expect("a time");
        assert_eq!(place.state(name, kind), HookState::Foreign);
        let status = place.install(name, kind);
        assert!(status.chained && status.state == HookState::Live);
        let listing = place.scratch.listing(name);
        assert_eq!(place.install(name, kind), status, "installing twice");
        assert_eq!(place.scratch.listing(name), listing, "changes nothing");

        place.push().ok();
        let called = place.called();
        let (ours, after) = called.split_at(called.find("theirs ").expect("theirs runs"));
        let input = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert!(ours.starts_with("program ") && !input(ours).is_empty());
        assert_eq!(input(ours), input(after), "the same input");
        assert_eq!(
            ours.lines()
                .next()
                .expect("a line")
                .trim_start_matches("program hook ")
                .trim_start_matches(kind.name())
                .trim(),
            after.lines().next().expect("a line").trim_start_matches("theirs").trim(),
            "the same arguments"
        );
        place.scratch.write("theirs-exit", "7");
        assert_ne!(place.push().exit, 0, "their no holds");
        place.scratch.write("theirs-exit", "0");
        place.scratch.write("exit", "4");
        place.called();
        assert_ne!(place.push().exit, 0, "our no holds");
        assert!(!place.called().contains("theirs"), "and theirs is not run after it");
        place.scratch.write("exit", "0");

        assert_eq!(place.uninstall(name, kind), HookState::Foreign);
        assert_eq!(fs::read_to_string(&theirs).expect("there"), THEIRS);
        assert_eq!(
            fs::metadata(&theirs).expect("there").modified().expect("a time"),
            before,
            "the very file"
        );
        assert_eq!(place.uninstall(name, kind), HookState::Foreign, "uninstalling twice leaves theirs alone");
        fs::remove_file(&theirs).expect("removed");
    }
}

#[test]
fn a_commit_hook_refuses_a_commit() {
    let place = Place::new();
    place.install("work", HookKind::PreCommit);
    place.scratch.git("work", &["commit", "-q", "--allow-empty", "-m", "y"]).ok();
    assert_eq!(place.called(), "program hook pre-commit\n");
    place.scratch.write("exit", "4");
    place.scratch.git("work", &["commit", "-q", "--allow-empty", "-m", "y"]).exits(1);
}

#[test]
fn a_missing_program_refuses_and_says_so() {
    let place = Place::new();
    place.install("server.git", HookKind::PreReceive);
    fs::remove_file(place.scratch.path("it's here/program")).expect("removed");
    place.push().exits(1).says("the program is missing");
    assert_eq!(place.state("server.git", HookKind::PreReceive), HookState::ProgramMissing);
}

#[test]
fn a_shim_that_git_would_not_run_is_told_and_mended() {
    let place = Place::new();
    let path = place.install("work", HookKind::PrePush).path;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    assert_eq!(place.state("work", HookKind::PrePush), HookState::NotExecutable);
    assert_eq!(place.install("work", HookKind::PrePush).state, HookState::Live);
}

#[test]
fn the_configured_directory_is_honoured_inside_of_the_repository_only() {
    let place = Place::new();
    let outside = place.scratch.path("shared-hooks").display().to_string();
    place.scratch.git("work", &["config", "core.hooksPath", ".husky/_"]).ok();
    let status = place.install("work", HookKind::PrePush);
    assert!(status.path.ends_with("work/.husky/_/pre-push"), "{}", status.path.display());
    place.push().ok();
    assert!(place.called().starts_with("program hook pre-push"));
    place.scratch.git(".", &["config", "--global", "core.hooksPath", &outside]).ok();
    assert_eq!(place.state("work", HookKind::PrePush), HookState::Live, "the nearer setting holds");
    place.scratch.git("work", &["config", "--unset", "core.hooksPath"]).ok();
    let program = place.scratch.path("it's here/program");
    let refused = place.repository("work").install_hook(HookKind::PrePush, &program, &place.surroundings());
    assert_eq!(code(refused), Code::PathForbidden, "a directory of all repositories is not ours to fill");
    assert!(!place.scratch.path("shared-hooks").exists());
}

#[test]
fn a_second_earlier_hook_is_not_written_over_the_first() {
    let place = Place::new();
    place.executable("work/.git/hooks/pre-push", THEIRS);
    place.install("work", HookKind::PrePush);
    place.executable("work/.git/hooks/pre-push", "#!/bin/sh\n# a tool wrote its own hook over ours\n");
    assert_eq!(place.state("work", HookKind::PrePush), HookState::Foreign);
    let before = place.scratch.listing("work");
    let program = place.scratch.path("it's here/program");
    let refused = place.repository("work").install_hook(HookKind::PrePush, &program, &place.surroundings());
    assert_eq!(code(refused), Code::AlreadyExists);
    assert_eq!(place.scratch.listing("work"), before);
}

#[test]
fn a_program_named_by_a_relative_path_is_refused() {
    let place = Place::new();
    let refused =
        place.repository("work").install_hook(HookKind::PrePush, "program".as_ref(), &place.surroundings());
    assert_eq!(code(refused), Code::PathForbidden);
    assert_eq!(place.state("work", HookKind::PrePush), HookState::Missing);
}

#[test]
fn a_hardened_server_refuses_deletions_by_itself() {
    let place = Place::new();
    place.push().ok();
    let server = place.repository("server.git");
    assert_eq!(server.soft_settings(&place.surroundings()).expect("asks").len(), 5);
    server.harden_server(&place.surroundings()).expect("hardens");
    assert!(server.soft_settings(&place.surroundings()).expect("asks").is_empty());
    place.scratch.git("work", &["push", "-q", "origin", ":main"]).exits(1);
    place.push().ok();
}
