//! Notes, verifier keys, checkpoints and proofs of the C2SP formats: the specification's own, the Go implementation's,
//! and heads of a public log.

use base64ct::{Base64, Encoding};
use fix7_ledger::keys::{SecretKey, Signer};
use fix7_ledger::merkle;
use fix7_ledger::tlog::checkpoint::Checkpoint;
use fix7_ledger::tlog::note::{Note, Role, VerifierKey};
use fix7_ledger::tlog::proof::InclusionProof;
use serde_json::Value;

use super::{json, vectors};

fn c2sp(test: &str) -> Option<Value> {
    Some(json(&vectors(test)?.join("c2sp_notes.json")))
}

fn text(value: &Value) -> Option<String> {
    let bytes = Base64::decode_vec(value.as_str().expect("base64")).expect("base64");
    String::from_utf8(bytes).ok()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// How many of the keys signed; `Err` where the note or one of their signatures is refused.
fn verified(note: &Value) -> Result<usize, String> {
    let text = text(&note["note_b64"]).ok_or("not UTF-8")?;
    let read = Note::parse(&text).map_err(|e| e.to_string())?;
    let mut count = 0;
    for key in list(&note["vkeys"]) {
        let key: VerifierKey = key.as_str().expect("a key").parse().expect("a good key");
        match read.open(&key) {
            Ok(_) => count += 1,
            Err(fix7_ledger::tlog::TlogError::NotSigned { .. }) => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(count)
}

#[test]
fn notes() {
    let Some(c2sp) = c2sp("C2SP notes") else { return };
    let mut outcomes = [0; 3];
    for note in list(&c2sp["notes"]) {
        let name = note["name"].as_str().expect("a name");
        let found = verified(note);
        let wanted = note["want"].as_str().expect("an outcome");
        let at = match (wanted, &found) {
            ("ok", Ok(n)) if Some(*n as u64) == note["verified"].as_u64() => 0,
            ("unverified", Ok(0)) => 1,
            ("error", Err(_)) => 2,
            _ => panic!("{name}: wanted {wanted}, found {found:?}"),
        };
        outcomes[at] += 1;
    }
    assert_eq!(outcomes, [8, 1, 10]);
}

#[test]
fn verifier_keys() {
    let Some(c2sp) = c2sp("C2SP verifier keys") else { return };
    for vector in list(&c2sp["vkeys"]) {
        let text = vector["vkey"].as_str().expect("a text");
        let read = text.parse::<VerifierKey>();
        assert_eq!(read.is_ok(), vector["ok"].as_bool().expect("ok"), "{text}: {read:?}");
        if let Ok(key) = read {
            assert_eq!(key.to_string(), text);
        }
    }
}

#[test]
fn checkpoints() {
    let Some(c2sp) = c2sp("C2SP checkpoints") else { return };
    for vector in list(&c2sp["checkpoints"]) {
        let read = Checkpoint::parse(&text(&vector["b64"]).expect("UTF-8"));
        // `null`: the specification forbids it and a lenient parser takes it.
        let wanted = vector["ok_c2sp"].as_bool().unwrap_or(false);
        assert_eq!(read.is_ok(), wanted, "{}: {read:?}", vector["why"]);
    }
}

#[test]
fn inclusion_proofs() {
    let Some(c2sp) = c2sp("C2SP proofs") else { return };
    for vector in list(&c2sp["tlog_proofs"]) {
        let text = vector["proof"].as_str().expect("a text");
        let read = InclusionProof::parse(text);
        assert_eq!(read.is_ok(), vector["ok"].as_bool().expect("ok"), "{}: {read:?}", vector["why"]);
        if let Ok(proof) = read {
            assert_eq!(proof.to_text(), text);
        }
    }
}

#[test]
fn signing() {
    let Some(c2sp) = c2sp("C2SP signing") else { return };
    // PRIVATE+KEY+<name>+<id>+base64(type ‖ seed)
    let vector = &c2sp["sign"];
    let parts: Vec<&str> = vector["skey"].as_str().expect("a key").splitn(5, '+').collect();
    let bytes = Base64::decode_vec(parts[4]).expect("base64");
    let seed: [u8; 32] = bytes[1..].try_into().expect("a seed");
    let signer: Signer<'_> = SecretKey::from_seed(&seed).into();
    let note = Note::sign(vector["text"].as_str().expect("a text"), parts[2], &signer).expect("signed");
    assert_eq!(note.to_text(), vector["want"].as_str().expect("a note"));
    let key = VerifierKey::new(parts[2], Role::Log, signer.public()).expect("a key");
    assert_eq!(data_encoding::HEXLOWER.encode(&key.id()), parts[3]);
    let leaf = &c2sp["leaf_hash"];
    let hash = merkle::leaf_hash(leaf["text"].as_str().expect("a text").as_bytes());
    assert_eq!(Base64::encode_string(hash.as_bytes()), leaf["b64"].as_str().expect("a hash"));
}
