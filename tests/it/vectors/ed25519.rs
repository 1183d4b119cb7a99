//! RFC 8032 (ref10's sign.input) and Wycheproof through `PublicKey::verify`.

use fix7_ledger::keys::{PublicKey, SecretKey, Signature};

use super::{hex, json, text, vectors};

/// Whether a signature of any length passes the door.
fn holds(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (<[u8; 32]>::try_from(key), <[u8; 64]>::try_from(signature)) else {
        return false;
    };
    PublicKey::from_bytes(&key).is_ok_and(|key| key.verify(message, &Signature(signature)).is_ok())
}

#[test]
fn ref10_signs_and_verifies_alike() {
    let Some(dir) = vectors("ref10_signs_and_verifies_alike") else { return };
    let mut count = 0;
    for line in text(&dir.join("ed25519_ref10_sign_input.txt")).lines() {
        let fields: Vec<Vec<u8>> = line.split(':').take(4).map(hex).collect();
        let [secret, public, message, signed] = &fields[..] else { panic!("four fields: {line}") };
        let seed: [u8; 32] = secret[..32].try_into().expect("32 bytes");
        let key = SecretKey::from_seed(&seed);
        assert_eq!(key.public().as_bytes().as_slice(), public, "{line}");
        assert_eq!(key.sign(message).0.as_slice(), &signed[..64], "{line}");
        assert!(holds(public, message, &signed[..64]), "{line}");
        let mut other = message.clone();
        other.push(0);
        assert!(!holds(public, &other, &signed[..64]), "{line}");
        key.public().demand_prime_order().expect("an honest key");
        count += 1;
    }
    assert_eq!(count, 128);
}

/// Valid in Wycheproof, refused here, by test case number. There is none: strictness costs nothing on honest signatures.
const STRICTER: [u64; 0] = [];

#[test]
fn wycheproof_is_judged_alike() {
    let Some(dir) = vectors("wycheproof_is_judged_alike") else { return };
    let corpus = json(&dir.join("wycheproof_ed25519_test.json"));
    let (mut count, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for group in corpus["testGroups"].as_array().expect("groups") {
        let key = hex(group["publicKey"]["pk"].as_str().expect("a key"));
        let pem = group["publicKeyPem"].as_str().expect("a PEM");
        if let Ok(public) = PublicKey::from_bytes(&key.clone().try_into().expect("32 bytes")) {
            assert_eq!(public.to_spki_pem().trim_end(), pem.trim_end());
        }
        for test in group["tests"].as_array().expect("tests") {
            let field = |name: &str| hex(test[name].as_str().expect("hex"));
            let id = test["tcId"].as_u64().expect("a number");
            match (test["result"].as_str().expect("a result"), holds(&key, &field("msg"), &field("sig"))) {
                ("valid", true) | ("invalid", false) => {}
                ("valid", false) => refused.push(id),
                _ => wrong.push(id),
            }
            count += 1;
        }
    }
    assert_eq!(count, 151);
    assert_eq!(wrong, [0u64; 0], "invalid, and accepted here");
    assert_eq!(refused, STRICTER);
}
