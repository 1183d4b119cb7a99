//! OpenSSH's own SSHSIG test data, and real signed commits.

use base64ct::{Base64, Encoding};
use fix7_ledger::entry::Entry;
use fix7_ledger::keys::{KeyError, PublicKey};
use fix7_ledger::sshsig::{GIT, SshSig, SshSigError};
use fix7_ledger::verdict::Code;

use super::{text, vectors};

const UNITTEST: &str = "unittest";

#[test]
fn openssh_test_data() {
    let Some(dir) = vectors("openssh_test_data").map(|d| d.join("openssh_sshsig")) else { return };
    assert_eq!(text(&dir.join("namespace")), UNITTEST);
    let signed = text(&dir.join("signed-data"));
    let armor = text(&dir.join("ed25519.sig"));
    let armor = armor.trim_end_matches('\n');
    let signature = SshSig::from_armor(armor, UNITTEST).expect("an ed25519 signature");
    let key = PublicKey::from_pub_file(&text(&dir.join("ed25519.pub"))).expect("a key");
    assert_eq!(*signature.key(), key);
    signature.verify(signed.as_bytes()).expect("good");
    assert_eq!(signature.to_armor(), armor);
    // The bad twins.
    assert!(signature.verify(format!("{signed}.").as_bytes()).is_err());
    assert!(matches!(SshSig::from_armor(armor, GIT), Err(SshSigError::Field { field: "namespace", .. })));
    for (name, kind) in [
        ("rsa", "ssh-rsa"),
        ("ecdsa", "ecdsa-sha2-nistp256"),
        ("ecdsa_sk", "sk-ecdsa-sha2-nistp256@openssh.com"),
        ("ecdsa_sk_webauthn", "sk-ecdsa-sha2-nistp256@openssh.com"),
        ("ed25519_sk", "sk-ssh-ed25519@openssh.com"),
    ] {
        let armor = text(&dir.join(format!("{name}.sig")));
        let refused = SshSig::from_armor(armor.trim_end_matches('\n'), UNITTEST);
        assert_eq!(refused, Err(SshSigError::Key(KeyError::OtherType(kind.into()))), "{name}");
        let public = PublicKey::from_pub_file(&text(&dir.join(format!("{name}.pub"))));
        assert_eq!(public, Err(KeyError::OtherType(kind.into())), "{name}");
    }
}

/// The payload of a commit or tag: the object without its signature.
fn split(raw: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(raw).into_owned();
    if let Some(at) = text.find("\n-----BEGIN SSH SIGNATURE-----\n").filter(|_| text.starts_with("object ")) {
        return Some((text[at + 1..].trim_end_matches('\n').to_owned(), raw[..at + 1].to_vec()));
    }
    let (mut armor, mut payload, mut inside, mut head) = (None::<String>, String::new(), false, true);
    for line in text.split_inclusive('\n') {
        head &= line != "\n";
        let first = line.strip_prefix("gpgsig ").filter(|_| head);
        inside = first.is_some() || (inside && head && line.starts_with(' '));
        match (inside, first) {
            (true, Some(first)) => armor = Some(first.to_owned()),
            (true, None) => armor.as_mut().expect("begun").push_str(&line[1..]),
            (false, _) => payload.push_str(line),
        }
    }
    Some((armor?.trim_end_matches('\n').to_owned(), payload.into_bytes()))
}

#[test]
fn real_commits_and_tags() {
    let Some(dir) = vectors("real_commits_and_tags") else { return };
    let (mut good, mut other_type, mut wide, mut unsigned) = (0, 0, 0, 0);
    for line in text(&dir.join("sshsig_real_commits.jsonl")).lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let oid = object["oid"].as_str().expect("an id");
        let raw = Base64::decode_vec(object["raw_b64"].as_str().expect("base64")).expect("base64");
        let kind = object["key_type"].as_str().expect("a type");
        let Some((armor, payload)) = split(&raw) else {
            // The only signature stands in a merged tag: the commit itself is not signed.
            assert_eq!(kind, "unparsed", "{oid}");
            unsigned += 1;
            continue;
        };
        assert_eq!(object["ssh_keygen"], 0, "{oid}: OpenSSH calls it good");
        match (SshSig::from_armor(&armor, GIT), kind) {
            (Ok(signature), "ssh-ed25519") => {
                signature.verify(&payload).unwrap_or_else(|e| panic!("{oid}: {e}"));
                assert_eq!(
                    signature.key().fingerprint().to_string(),
                    object["key_fp"].as_str().expect("one")
                );
                assert!(signature.verify(&[&payload[..], b"."].concat()).is_err(), "{oid}");
                good += 1;
            }
            // Stricter than OpenSSH: these were wrapped at 76 columns by another program.
            (Err(SshSigError::Armor(_)), "ssh-ed25519") => {
                assert_eq!(armor.lines().nth(1).map(str::len), Some(76), "{oid}");
                let body: String = armor.lines().filter(|l| !l.starts_with('-')).collect();
                let lines: Vec<&str> =
                    body.as_bytes().chunks(70).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
                let again = format!(
                    "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----",
                    lines.join("\n")
                );
                let signature = SshSig::from_armor(&again, GIT).expect("the columns were all");
                signature.verify(&payload).expect("good");
                wide += 1;
            }
            (refused, _) => {
                assert_eq!(refused, Err(SshSigError::Key(KeyError::OtherType(kind.into()))), "{oid}");
                other_type += 1;
            }
        }
        // However well signed: no entry of a ledger.
        assert_eq!(Entry::parse(&raw).map_err(|e| e.code()), Err(Code::EntryMalformed), "{oid}");
    }
    assert_eq!((good, wide, other_type, unsigned), (25, 3, 30, 2));
}
