//! What stock tools say about our keys and signatures: git, ssh-keygen, openssl.

use std::process::Command;

use base64ct::{Base64, Encoding};
use fix7_ledger::digest::Digest;
use fix7_ledger::dsse;
use fix7_ledger::entry::{Entry, Leaf, Unsigned};
use fix7_ledger::keys::{Protection, SecretKey, Signer};
use fix7_ledger::sshsig::{self, SshSig};
use fix7_ledger::statement::Kind;

use crate::harness::Scratch;

const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

fn run(scratch: &Scratch, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(scratch.root())
        .env("HOME", scratch.path("home"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn entry(signer: &Signer<'_>) -> Entry {
    let leaf = Leaf {
        ledger: Digest::of(b"statement"),
        seq: 0,
        prev: Digest::ZERO,
        root: Digest::of(b""),
        kind: Kind::Genesis,
        statement: Digest::of(b"statement"),
        content: Digest::of(b"content"),
        packet_tree: None,
        policy: Digest::ZERO,
        key: signer.public().fingerprint(),
        time: "2026-11-23T00:00:00Z".parse().expect("a time"),
    };
    let label = |text: &str| text.parse().expect("a label");
    Unsigned::new(EMPTY_TREE.parse().expect("an id"), None, label("ann"), label("orders"), leaf)
        .and_then(|unsigned| unsigned.sign(signer))
        .expect("signed")
}

#[test]
fn git_calls_an_entry_good_and_a_changed_one_not() {
    let scratch = Scratch::new();
    let signer: Signer<'_> = SecretKey::from_seed(&[1; 32]).into();
    scratch.write("signers", format!("ann namespaces=\"git\" {}\n", signer.public()));
    assert!(run(&scratch, "git", &["init", "-q", "repo"]).0);
    let good = entry(&signer).to_bytes();
    let text = String::from_utf8(good.clone()).expect("ASCII");
    let changed = text.replacen("orders", "others", 1).into_bytes();
    for (name, bytes, expected) in [("good", good, true), ("changed", changed, false)] {
        scratch.write(name, &bytes);
        let path = format!("../{name}");
        let (ok, id) = run(&scratch, "git", &["-C", "repo", "hash-object", "-t", "commit", "-w", &path]);
        assert!(ok, "{id}");
        let signers = format!("gpg.ssh.allowedSignersFile={}", scratch.path("signers").display());
        let arguments = ["-C", "repo", "-c", &signers, "verify-commit", id.trim()];
        let (held, told) = run(&scratch, "git", &arguments);
        assert_eq!(held, expected, "{name}: {told}");
        assert_eq!(told.contains("Good \"git\" signature for ann"), expected, "{told}");
    }
}

#[test]
fn git_calls_a_smuggled_header_good_and_we_do_not() {
    let scratch = Scratch::new();
    let signer: Signer<'_> = SecretKey::from_seed(&[1; 32]).into();
    scratch.write("signers", format!("ann namespaces=\"git\" {}\n", signer.public()));
    assert!(run(&scratch, "git", &["init", "-q", "repo"]).0);
    let good = String::from_utf8(entry(&signer).to_bytes()).expect("ASCII");
    let end = " -----END SSH SIGNATURE-----\n";
    let smuggled = good.replacen(end, &format!("{end}gpgsig-sha256 PRODUCTION\n"), 1);
    scratch.write("smuggled", &smuggled);
    let store = ["-C", "repo", "hash-object", "--literally", "-t", "commit", "-w", "../smuggled"];
    let (ok, id) = run(&scratch, "git", &store);
    assert!(ok, "{id}");
    let signers = format!("gpg.ssh.allowedSignersFile={}", scratch.path("signers").display());
    let (held, told) = run(&scratch, "git", &["-C", "repo", "-c", &signers, "verify-commit", id.trim()]);
    assert!(held, "the attack that the one form stops: {told}");
    assert!(Entry::parse(smuggled.as_bytes()).is_err());
    assert!(Entry::parse(good.as_bytes()).is_ok());
}

#[test]
fn ssh_keygen_reads_our_keys_and_we_read_its_own() {
    let scratch = Scratch::new();
    let secret = SecretKey::from_seed(&[2; 32]);
    let private = scratch.write("ours", &*secret.to_openssh("x", Protection::None).expect("written"));
    only_mine(&private);
    let (ok, line) = run(&scratch, "ssh-keygen", &["-y", "-f", "ours"]);
    assert!(ok && line.starts_with(&secret.public().to_openssh()), "{line}");
    let lock = Protection::Passphrase { passphrase: "pass word", random: [9; 20] };
    let private = scratch.write("locked", &*secret.to_openssh("x", lock).expect("written"));
    only_mine(&private);
    assert!(run(&scratch, "ssh-keygen", &["-y", "-f", "locked", "-P", "pass word"]).0);
    assert!(!run(&scratch, "ssh-keygen", &["-y", "-f", "locked", "-P", "password"]).0);
    for (name, passphrase) in [("theirs", ""), ("theirs-locked", "secret")] {
        let made = ["-q", "-t", "ed25519", "-N", passphrase, "-C", "a comment", "-f", name];
        assert!(run(&scratch, "ssh-keygen", &made).0);
        let text = std::fs::read_to_string(scratch.path(name)).expect("written");
        let read = SecretKey::from_openssh(&text, Some(passphrase)).expect("reads");
        let (_, listed) = run(&scratch, "ssh-keygen", &["-l", "-f", &format!("{name}.pub")]);
        assert!(listed.contains(&read.public().fingerprint().to_string()), "{listed}");
    }
}

#[test]
fn ssh_keygen_verifies_ours_and_we_verify_its_own() {
    let scratch = Scratch::new();
    let secret = SecretKey::from_seed(&[3; 32]);
    scratch.write("signers", format!("ann {}\n", secret.public()));
    only_mine(&scratch.write("key", &*secret.to_openssh("x", Protection::None).expect("written")));
    scratch.write("message", "a message");
    let signer: Signer<'_> = secret.into();
    let ours = sshsig::sign(&signer, "file", b"a message").expect("signed").to_armor();
    scratch.write("ours.sig", format!("{ours}\n"));
    let check = "ssh-keygen -Y verify -f signers -I ann -n file -s ours.sig < message";
    let (ok, told) = run(&scratch, "sh", &["-c", check]);
    assert!(ok && told.contains("Good \"file\" signature"), "{told}");
    assert!(run(&scratch, "ssh-keygen", &["-q", "-Y", "sign", "-f", "key", "-n", "file", "message"]).0);
    let theirs = std::fs::read_to_string(scratch.path("message.sig")).expect("written");
    let theirs = theirs.trim_end_matches('\n');
    assert_eq!(theirs, ours, "ed25519 is deterministic, and the form is the same");
    SshSig::from_armor(theirs, "file").expect("reads").verify(b"a message").expect("good");
}

#[test]
fn openssl_verifies_the_dsse_signature() {
    let scratch = Scratch::new();
    let signer: Signer<'_> = SecretKey::from_seed(&[4; 32]).into();
    let statement = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
    let envelope = dsse::sign(statement, &[&signer]).expect("signed").to_envelope(statement);
    let envelope: serde_json::Value = serde_json::from_slice(&envelope).expect("JSON");
    let signature = envelope["signatures"][0]["sig"].as_str().expect("a signature");
    scratch.write("key.pem", signer.public().to_spki_pem());
    scratch.write("sig", Base64::decode_vec(signature).expect("base64"));
    scratch.write("pae", dsse::pae(statement));
    scratch.write("other", dsse::pae(b"{}"));
    let verify = |file| {
        let arguments =
            ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", file, "-sigfile", "sig"];
        run(&scratch, "openssl", &arguments)
    };
    assert!(verify("pae").0, "{}", verify("pae").1);
    assert!(!verify("other").0);
}

fn only_mine(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
}
