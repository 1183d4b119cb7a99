//! `key new | import | list`, with OpenSSH as the judge of the files.

use crate::harness::Scratch;

#[test]
fn a_new_key_is_one_that_openssh_reads_and_nobody_else_can() {
    let s = Scratch::new();
    let made = s.run(&["key", "new", "anna", "--no-passphrase", "--json"]).ok().json();
    let file = made["file"].as_str().expect("a path").to_owned();
    let read = s.program("", "ssh-keygen", &["-l", "-f", &file]).ok();
    assert!(read.stdout.contains(made["fingerprint"].as_str().expect("a fingerprint")), "{}", read.stdout);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    s.run(&["key", "list"]).ok().says("anna").says("SHA256:");
}

#[test]
fn a_key_is_never_overwritten() {
    let s = Scratch::new();
    s.run(&["key", "new", "anna", "--no-passphrase"]).ok();
    let before = s.listing("home");
    let again = s.run(&["key", "new", "anna", "--no-passphrase", "--json"]).exits(4);
    assert_eq!(again.codes(), ["ALREADY_EXISTS"]);
    assert_eq!(s.listing("home"), before);
    s.run(&["key", "new", "berta", "--no-passphrase"]).ok();
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    let s = Scratch::new();
    for name in ["../x", "a/b", ".hidden", "Anna", "x.pub", "", "con\nfig"] {
        let refused = s.run(&["key", "new", name, "--no-passphrase", "--json"]).exits(4);
        assert_eq!(refused.codes(), ["PATH_FORBIDDEN"], "{name:?}");
    }
    assert!(s.listing("home").is_empty());
}

#[test]
fn an_encrypted_key_needs_its_passphrase() {
    let s = Scratch::new();
    let (right, wrong) = (s.write("right", "correct horse\n"), s.write("wrong", "battery\n"));
    s.program("", "ssh-keygen", &["-q", "-t", "ed25519", "-N", "correct horse", "-C", "x", "-f", "theirs"])
        .ok();
    let import = |file: &std::path::Path| {
        s.run(&["key", "import", "theirs", "ours", "--passphrase-file", &file.to_string_lossy(), "--json"])
    };
    assert_eq!(import(&wrong).exits(3).codes(), ["PASSPHRASE_WRONG"]);
    assert!(s.listing("home").is_empty());
    import(&right).ok();
    let listed = s.run(&["key", "list", "--json"]).ok().json();
    assert_eq!(listed["keys"][0]["protected"], true);
    // and one that we encrypt, OpenSSH opens with that passphrase only
    let made =
        s.run(&["key", "new", "own", "--passphrase-file", &right.to_string_lossy(), "--json"]).ok().json();
    let file = made["file"].as_str().expect("a path");
    s.program("", "ssh-keygen", &["-y", "-P", "correct horse", "-f", file]).ok();
    assert_ne!(s.program("", "ssh-keygen", &["-y", "-P", "battery", "-f", file]).exit, 0);
}

#[test]
fn other_key_types_and_rubbish_are_refused() {
    let s = Scratch::new();
    s.program("", "ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa"]).ok();
    s.program("", "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "good"]).ok();
    s.write("rubbish", "not a key");
    for file in ["ecdsa", "rubbish", "missing"] {
        let refused = s.run(&["key", "import", file, "ours", "--json"]).exits(3);
        assert_eq!(refused.codes(), ["KEY_UNREADABLE"], "{file}");
    }
    s.run(&["key", "import", "good", "ours"]).ok();
}

/// A real ssh-agent of its own, ended when dropped.
struct Agent(std::process::Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_in_ssh_agent_begins_a_ledger_that_stock_git_verifies() {
    let s = Scratch::new();
    s.run(&["key", "new", "olga", "--dir", "keys", "--no-passphrase"]).ok();
    s.run(&["key", "new", "anna", "--dir", "keys", "--no-passphrase"]).ok();
    s.git("", &["init", "-q", "repo"]).ok();
    let socket = s.path("agent");
    let with = |mut command: std::process::Command| {
        command.env("SSH_AUTH_SOCK", &socket);
        let output = command.output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let mut agent = std::process::Command::new("ssh-agent");
    let agent = Agent(
        agent
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("ssh-agent"),
    );
    for _ in 0..500 {
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let mut add = std::process::Command::new("ssh-add");
    add.arg("-q").arg(s.path("keys/olga"));
    assert_eq!(with(add).0, Some(0));
    let listed = with(s.binary(&["key", "list", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed.1).expect("JSON");
    let fingerprint = listed["keys"][0]["fingerprint"].as_str().expect("the agent's key").to_owned();
    let init = |key: &str| {
        let people = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", key];
        with(s.binary(&[&["init", "--repo", "repo"][..], &people].concat()))
    };
    let anna = s.run(&["key", "list", "--dir", "keys", "--json"]).ok().json();
    let absent = anna["keys"][0]["fingerprint"].as_str().expect("anna's key");
    let refused = init(absent);
    assert!(refused.0 == Some(3) && refused.1.contains("KEY_UNREADABLE"), "{refused:?}");
    let began = init(&fingerprint);
    assert_eq!(began.0, Some(0), "{}", began.1);
    drop(agent);
    let signers = s.run(&["export", "allowed-signers", "--repo", "repo"]).ok().stdout;
    s.write("signers", signers);
    let config = format!("gpg.ssh.allowedSignersFile={}", s.path("signers").display());
    s.git("repo", &["-c", &config, "verify-commit", "refs/heads/fix7-ledger/main"]).ok();
}
