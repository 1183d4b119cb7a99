//! RFC 6962 inclusion and consistency probes.

use base64ct::{Base64, Encoding};
use fix7_ledger::digest::Digest;
use fix7_ledger::merkle::{verify_consistency, verify_inclusion};
use serde_json::Value;

use super::{files, json, vectors};

/// 32 bytes; `None` for what is no digest at all.
fn digest(value: &Value) -> Option<Digest> {
    let bytes = Base64::decode_vec(value.as_str()?).ok()?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

fn proof(value: &Value) -> Option<Vec<Digest>> {
    match value {
        Value::Null => Some(Vec::new()),
        _ => value.as_array()?.iter().map(digest).collect(),
    }
}

fn run(folder: &str, expected: usize, holds: impl Fn(&Value) -> Option<bool>) {
    let Some(dir) = vectors(folder) else { return };
    let (mut good, mut bad) = (0, 0);
    for path in files(&dir.join("merkle").join(folder)) {
        let vector = json(&path);
        let wanted = !vector["wantErr"].as_bool().expect("wantErr");
        assert_eq!(holds(&vector).unwrap_or(false), wanted, "{}: {}", path.display(), vector["desc"]);
        if wanted { good += 1 } else { bad += 1 }
    }
    assert_eq!(good + bad, expected);
    assert!(good > 4 && bad > 50, "{good} good, {bad} bad");
}

#[test]
fn inclusion() {
    run("inclusion", 86, |v| {
        let (index, size) = (v["leafIdx"].as_u64()?, v["treeSize"].as_u64()?);
        let (leaf, root) = (digest(&v["leafHash"])?, digest(&v["root"])?);
        Some(verify_inclusion(index, size, &leaf, &proof(&v["proof"])?, &root).is_ok())
    });
}

#[test]
fn consistency() {
    run("consistency", 84, |v| {
        let (older, size) = (v["size1"].as_u64()?, v["size2"].as_u64()?);
        let (before, after) = (digest(&v["root1"])?, digest(&v["root2"])?);
        Some(verify_consistency(older, size, &proof(&v["proof"])?, &before, &after).is_ok())
    });
}
