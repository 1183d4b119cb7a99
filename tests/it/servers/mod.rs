//! Every attack against every real server, each with the push beside it that is taken. A new server or attack is one row.
//!
//! The client leaves its own hooks out (`--no-verify`, `core.hooksPath=/dev/null`): the server alone decides.

mod kinds;

use std::fs;

use fix7_ledger::ledger::limits::MAX_REFS_PER_PUSH;

use crate::harness::Ran;
use crate::stage::{REF, Stage};
use kinds::{Kind, Server, start};

/// A stage, a server, and an ordinary branch beside the ledger on it.
struct Hosted {
    stage: Stage,
    server: Server,
}

/// One attack: it prepares the clone and gives the arguments of two pushes, the bad one and its good twin.
struct Attack {
    name: &'static str,
    /// What the server says.
    words: &'static str,
    bad: fn(&Hosted) -> Vec<String>,
    /// Empty: the twin is the good entry that is pushed at the end.
    good: fn(&Hosted) -> Vec<String>,
}

const ATTACKS: [Attack; 14] = [
    Attack {
        name: "a claim in a branch's name",
        words: "CLAIM_FOUND",
        bad: |_| refspec("main:refs/heads/production-pass"),
        good: |_| refspec("main:refs/heads/rehearsal-pass"),
    },
    Attack {
        name: "a claim in a file",
        words: "CLAIM_FOUND",
        bad: |h| h.commit("file", "The state is PRODUCTION_PASS.\n", "Tell"),
        good: |h| h.commit("file", "The state is HOLD_PRODUCTION.\n", "Tell"),
    },
    Attack {
        name: "a claim in a commit's message",
        words: "CLAIM_FOUND",
        bad: |h| h.commit("message", "text\n", "PRODUCTION\u{200b}_PASS"),
        good: |h| h.commit("message", "text\n", "Write a text"),
    },
    Attack {
        name: "a claim in an author's name",
        words: "CLAIM_FOUND",
        bad: |h| h.amend("identity", "production pass <a@example.invalid>"),
        good: |h| h.amend("identity", "a person <a@example.invalid>"),
    },
    Attack {
        name: "a tag that claims",
        words: "CLAIM_FOUND",
        bad: |h| h.tag("v1", "production: passed"),
        good: |h| h.tag("v2", "a rehearsal"),
    },
    Attack {
        name: "a note that claims",
        words: "CLAIM_FOUND",
        bad: |h| h.note("PRODUCTION_PASS"),
        good: |h| h.note("Looked at"),
    },
    Attack {
        name: "a push option that claims",
        words: "CLAIM_FOUND",
        bad: |_| ["-o", "production pass", "main:refs/heads/option"].map(str::to_owned).into(),
        good: |_| ["-o", "hello", "main:refs/heads/option"].map(str::to_owned).into(),
    },
    Attack {
        name: "a replace ref",
        words: "REF_FORBIDDEN",
        bad: |h| refspec(&format!("main:refs/replace/{}", h.stage.tip("work"))),
        good: |_| refspec("main:refs/heads/replace"),
    },
    Attack {
        name: "a ledger's deletion",
        words: "LEDGER_DELETED",
        bad: |_| refspec(&format!(":{REF}")),
        good: |_| Vec::new(),
    },
    Attack {
        name: "a ledger's rewriting",
        words: "LEDGER_REWRITTEN",
        bad: |h| refspec(&format!("+{}~1:{REF}", h.stage.tip("work"))),
        good: |_| Vec::new(),
    },
    Attack {
        name: "an entry on another branch",
        words: "LEDGER_ELSEWHERE",
        bad: |h| refspec(&format!("{}:refs/heads/copy", h.unsent())),
        good: |_| Vec::new(),
    },
    Attack {
        name: "a commit on the ledger that is no entry, beside a good branch",
        words: "LEDGER_REWRITTEN",
        bad: |_| ["main:refs/heads/beside".to_owned(), format!("+main:{REF}")].into(),
        good: |_| refspec("main:refs/heads/beside"),
    },
    Attack {
        name: "more refs than are looked at",
        words: "LIMIT_EXCEEDED",
        bad: |_| (0..=MAX_REFS_PER_PUSH).map(|n| format!("main:refs/heads/many-{n}")).collect(),
        good: |_| (0..3).map(|n| format!("main:refs/heads/many-{n}")).collect(),
    },
    Attack {
        name: "directories deeper than are looked at",
        words: "LIMIT_EXCEEDED",
        bad: |h| h.deep("deep", 70),
        good: |h| h.deep("shallow", 10),
    },
];

fn refspec(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

impl Hosted {
    fn new(kind: Kind) -> Hosted {
        let stage = Stage::new();
        let server = start(kind, &stage);
        stage.git(&server.bare, &["config", "receive.advertisePushOptions", "true"]).ok();
        stage.git("work", &["remote", "add", "there", &server.url]).ok();
        if let Some(ssh) = &server.ssh {
            stage.git("work", &["config", "core.sshCommand", ssh]).ok();
        }
        stage.scratch.write("work/README", "An ordinary project.\n");
        stage.git("work", &["checkout", "-q", "-b", "main"]).ok();
        stage.git("work", &["add", "README"]).ok();
        stage.git("work", &["commit", "-q", "-m", "Begin"]).ok();
        let hosted = Hosted { stage, server };
        hosted.push(&["main".to_owned(), REF.to_owned()]).ok();
        hosted
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.stage.git("work", arguments).ok().stdout.trim().to_owned()
    }

    /// Pushes past every hook that a client could have.
    fn push(&self, arguments: &[String]) -> Ran {
        let front = ["-c", "core.hooksPath=/dev/null", "push", "--no-verify", "there"];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.stage.git("work", &[&front[..], &arguments].concat())
    }

    fn refs(&self) -> String {
        self.stage.git(&self.server.bare, &["for-each-ref"]).ok().stdout
    }

    /// A commit on a branch of its own, beside main.
    fn commit(&self, branch: &str, text: &str, message: &str) -> Vec<String> {
        self.git(&["checkout", "-q", "-B", branch, "main"]);
        self.stage.scratch.write(&format!("work/{branch}"), text);
        self.git(&["add", branch]);
        self.git(&["commit", "-q", "--no-verify", "-m", message]);
        self.git(&["checkout", "-q", "main"]);
        refspec(branch)
    }

    fn amend(&self, branch: &str, author: &str) -> Vec<String> {
        self.git(&["checkout", "-q", "-B", branch, "main"]);
        self.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "Go on", "--author", author]);
        self.git(&["checkout", "-q", "main"]);
        refspec(branch)
    }

    fn tag(&self, name: &str, message: &str) -> Vec<String> {
        self.git(&["tag", "-a", "-m", message, name, "main"]);
        refspec(&format!("refs/tags/{name}"))
    }

    fn note(&self, text: &str) -> Vec<String> {
        // A history of its own each time, so that the good one does not follow the bad one.
        let reference = format!("refs/notes/{}", text.len());
        self.git(&["notes", "--ref", &reference, "add", "-m", text, "main"]);
        refspec(&reference)
    }

    /// A branch with a file below so many directories.
    fn deep(&self, branch: &str, depth: usize) -> Vec<String> {
        self.git(&["checkout", "-q", "-B", branch, "main"]);
        self.stage.scratch.write(&format!("work/{}file", "d/".repeat(depth)), "text\n");
        self.git(&["add", "d"]);
        self.git(&["commit", "-q", "--no-verify", "-m", "Add a file"]);
        self.git(&["checkout", "-q", "main"]);
        refspec(branch)
    }

    /// An entry that the server does not have yet: made once, and sent at the end.
    fn unsent(&self) -> String {
        self.stage.grant("work").ok();
        self.stage.tip("work")
    }
}

/// Every attack, then what an honest operator does.
fn withstands(kind: Kind) {
    let hosted = Hosted::new(kind);
    for Attack { name, words, bad, good } in ATTACKS {
        let before = hosted.refs();
        let ran = hosted.push(&bad(&hosted));
        assert_eq!(ran.exit, 1, "{kind:?}: {name}\n{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{kind:?}: {name}: {words} is not in\n{}", ran.stderr);
        assert_eq!(hosted.refs(), before, "{kind:?}: {name}");
        let good = good(&hosted);
        if !good.is_empty() {
            hosted.push(&good).ok();
            assert_ne!(hosted.refs(), before, "{kind:?}: the twin of: {name}");
        }
    }
    unreadable_quarantine(&hosted);
    hosted.stage.us(&["push", "--repo", "work", "there"]).ok();
    assert_eq!(hosted.stage.tip(&hosted.server.bare), hosted.stage.tip("work"));
    hosted.stage.verify(&hosted.server.bare).ok();
    hosted.stage.git(&hosted.server.bare, &["fsck", "--full", "--strict"]).ok();
}

/// A hook that cannot see the pushed objects refuses them: what is not seen is not held for good.
fn unreadable_quarantine(hosted: &Hosted) {
    let hook = hosted.stage.scratch.path(&hosted.server.bare).join("hooks/pre-receive");
    let shim = fs::read(&hook).expect("a hook");
    hosted.stage.scratch.write("blind", &shim);
    let blind = hosted.stage.scratch.path("blind").display().to_string();
    let links = fs::read_link(&hook).ok();
    fs::remove_file(&hook).expect("removed");
    let text = format!(
        "#!/bin/sh\nGIT_QUARANTINE_PATH=/nonexistent GIT_OBJECT_DIRECTORY=/nonexistent exec sh {blind} \"$@\"\n"
    );
    fs::write(&hook, text).expect("written");
    hosted.stage.sh(&hosted.server.bare, "chmod +x hooks/pre-receive").ok();
    let push = hosted.commit("unseen", "text\n", "Nothing wrong");
    let before = hosted.refs();
    hosted.push(&push).exits(1).says("pre-receive hook declined");
    assert_eq!(hosted.refs(), before);
    fs::remove_file(&hook).expect("removed");
    match links {
        Some(target) => std::os::unix::fs::symlink(target, &hook).expect("linked again"),
        None => {
            fs::write(&hook, shim).expect("written");
            hosted.stage.sh(&hosted.server.bare, "chmod +x hooks/pre-receive").ok();
        }
    }
    hosted.push(&push).ok();
}

#[test]
fn a_bare_repository_over_a_path_withstands_every_attack() {
    withstands(Kind::Path);
}

#[test]
fn git_http_backend_behind_a_web_server_withstands_every_attack() {
    withstands(Kind::Http);
}

#[test]
fn git_daemon_withstands_every_attack() {
    withstands(Kind::Daemon);
}

#[test]
fn openssh_with_a_forced_command_withstands_every_attack() {
    withstands(Kind::Ssh);
}

#[test]
fn gitolite_withstands_every_attack() {
    withstands(Kind::Gitolite);
}
