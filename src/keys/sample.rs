//! The sample keys of `keys.example/`: public on purpose, refused outside demo ledgers.
//!
//! A secret that stands in a public repository protects nothing, and people do copy examples into
//! production. So the fingerprints are compiled in, and `state` refuses them by name (SAMPLE_KEY).

use super::{Fingerprint, SecretKey};
use crate::digest::Digest;

/// Name and fingerprint of every sample key.
pub const SAMPLES: [(&str, &str); 3] = [
    ("owner", "SHA256:6lbu4NTZPmIAkupukjKNXu+MDJGKj2gpQZtBPJVO2mY"),
    ("operator", "SHA256:Yx02yNtIglfoSfg48zu3/zZ/L50C+Io3hwCKu7Y+TYY"),
    ("auditor", "SHA256:QO9swJXie7GxEFaprqTLteUBlyome58IeF7KHZ7K3/o"),
];

/// Whether a key is one of the samples.
pub fn is_sample(key: &Fingerprint) -> bool {
    let text = key.to_string();
    SAMPLES.iter().any(|(_, sample)| *sample == text)
}

/// The sample key of that name, made from public text. `None` for a name that is not in [`SAMPLES`].
pub fn sample_secret(name: &str) -> Option<SecretKey> {
    let (name, _) = SAMPLES.iter().find(|(sample, _)| *sample == name)?;
    let seed = Digest::of(format!("fix7-ledger sample key, public: {name}").as_bytes());
    Some(SecretKey::from_seed(seed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::keys::{Protection, PublicKey};

    fn file(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys.example").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    #[test]
    fn the_table_the_files_and_the_seeds_are_the_same_keys() {
        for (name, fingerprint) in SAMPLES {
            let secret = sample_secret(name).expect("a sample");
            assert_eq!(secret.public().fingerprint().to_string(), fingerprint, "{name}");
            assert!(is_sample(&secret.public().fingerprint()));
            let comment = format!("{name}@fix7-ledger-sample");
            assert_eq!(file(&format!("{name}.pub")), format!("{} {comment}\n", secret.public()), "{name}");
            let text = secret.to_openssh(&comment, Protection::None).expect("written");
            assert_eq!(file(name), *text, "{name}");
            assert_eq!(PublicKey::from_pub_file(&file(&format!("{name}.pub"))).as_ref(), Ok(secret.public()));
        }
    }

    #[test]
    fn another_key_is_no_sample() {
        assert!(!is_sample(&SecretKey::from_seed(&[1; 32]).public().fingerprint()));
        assert!(sample_secret("nobody").is_none());
    }
}
