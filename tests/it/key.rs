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
