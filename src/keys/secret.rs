//! The secret key: signing, and OpenSSH's private key file.
//!
//! No `Debug`, no `Display`, no `Clone`: a secret key is used and dropped, and its bytes are overwritten
//! then. The file is read with bounds, since a hostile file may ask for years of key stretching.

use ed25519_dalek::Signer as _;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Cipher, Kdf, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::text::shown;
use super::{KeyError, PublicKey, Signature};

/// Largest private key file in bytes: an OpenSSH ed25519 key has about 400; more only feeds the parser.
pub const MAX_FILE_BYTES: u64 = 16 << 10;
/// Most bcrypt rounds in a private key file (OpenSSH writes 16 to 24): stops a file that asks for 2^32.
pub const MAX_KDF_ROUNDS: u64 = 1024;
/// Rounds that are written.
const KDF_ROUNDS: u32 = 24;

/// An ed25519 secret key.
pub struct SecretKey {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

/// How a private key file is protected.
pub enum Protection<'a> {
    /// Whoever reads the file has the key.
    None,
    /// bcrypt and AES-256-CTR.
    Passphrase {
        /// The passphrase.
        passphrase: &'a str,
        /// 20 random bytes, fresh for each file: salt and check number.
        random: [u8; 20],
    },
}

impl SecretKey {
    /// The key that 32 random bytes make. The caller's copy is the caller's to overwrite.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = PublicKey::from_verifying(key.verifying_key());
        SecretKey { key, public }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `bytes` (RFC 8032, deterministic).
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.key.sign(bytes).to_bytes())
    }

    /// Whether the text is an encrypted private key file, so that a passphrase is worth asking for.
    ///
    /// # Errors
    /// Not a private key file, or over a limit.
    pub fn is_encrypted(text: &str) -> Result<bool, KeyError> {
        Ok(parse(text)?.is_encrypted())
    }

    /// Reads an OpenSSH private key file.
    ///
    /// # Errors
    /// Another format or key type, a limit, no or a wrong passphrase.
    pub fn from_openssh(text: &str, passphrase: Option<&str>) -> Result<SecretKey, KeyError> {
        let mut file = parse(text)?;
        if file.is_encrypted() {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            file = file.decrypt(passphrase).map_err(|_| KeyError::PassphraseWrong)?;
        }
        let KeypairData::Ed25519(pair) = file.key_data() else {
            return Err(KeyError::OtherType(shown(file.algorithm().as_str())));
        };
        let seed = Zeroizing::new(pair.private.to_bytes());
        let secret = SecretKey::from_seed(&seed);
        // The file holds the public key three times; a file that contradicts itself is refused, for
        // signing with a foreign public half gives the secret away.
        let outer = file.public_key().key_data().ed25519().map(|k| k.0);
        if pair.public.0 != *secret.public.as_bytes() || outer != Some(pair.public.0) {
            return Err(KeyError::SecretText("its public half belongs to another key".into()));
        }
        Ok(secret)
    }

    /// Writes an OpenSSH private key file.
    ///
    /// # Errors
    /// The comment is not printable ASCII, or the encoder fails.
    pub fn to_openssh(
        &self,
        comment: &str,
        protection: Protection<'_>,
    ) -> Result<Zeroizing<String>, KeyError> {
        if !comment.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(KeyError::SecretText("the comment is not printable ASCII".into()));
        }
        let failed = |e: ssh_key::Error| KeyError::SecretText(e.to_string());
        let seed = Zeroizing::new(self.key.to_bytes());
        let mut file = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), comment)
            .map_err(failed)?;
        if let Protection::Passphrase { passphrase, random } = protection {
            let [salt @ .., a, b, c, d] = random;
            let kdf = Kdf::Bcrypt { salt: salt.to_vec(), rounds: KDF_ROUNDS };
            let check = u32::from_be_bytes([a, b, c, d]);
            file = file.encrypt_with(Cipher::Aes256Ctr, kdf, check, passphrase).map_err(failed)?;
        }
        file.to_openssh(LineEnding::LF).map_err(failed)
    }
}

fn parse(text: &str) -> Result<PrivateKey, KeyError> {
    let over = |limit, unit, found| KeyError::OverLimit { limit, unit, found };
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(over(MAX_FILE_BYTES, "bytes", text.len() as u64));
    }
    let file = PrivateKey::from_openssh(text).map_err(|e| KeyError::SecretText(e.to_string()))?;
    if let Kdf::Bcrypt { rounds, .. } = file.kdf()
        && u64::from(*rounds) > MAX_KDF_ROUNDS
    {
        return Err(over(MAX_KDF_ROUNDS, "rounds", u64::from(*rounds)));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_plain_and_with_its_passphrase_only() {
        let secret = SecretKey::from_seed(&[5; 32]);
        let plain = secret.to_openssh("op@host", Protection::None).expect("written");
        let read = SecretKey::from_openssh(&plain, None).expect("read");
        assert_eq!(read.public(), secret.public());
        assert_eq!(SecretKey::is_encrypted(&plain), Ok(false));

        let protection = Protection::Passphrase { passphrase: "correct horse", random: [6; 20] };
        let locked = secret.to_openssh("op@host", protection).expect("written");
        assert_eq!(SecretKey::is_encrypted(&locked), Ok(true));
        let open = |p| SecretKey::from_openssh(&locked, p).map(|s| s.public().fingerprint());
        assert_eq!(open(Some("correct horse")), Ok(secret.public().fingerprint()));
        assert_eq!(open(Some("wrong horse")), Err(KeyError::PassphraseWrong));
        assert_eq!(open(None), Err(KeyError::PassphraseNeeded));
    }

    #[test]
    fn a_file_that_asks_for_years_of_key_stretching_is_refused() {
        let seed = ssh_key::private::Ed25519Keypair::from_seed(&[5; 32]);
        let file = PrivateKey::new(KeypairData::Ed25519(seed), "x").expect("a key");
        let kdf = Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 };
        let locked = file.encrypt_with(Cipher::Aes256Ctr, kdf, 7, "p").expect("locked");
        let text = locked.to_openssh(LineEnding::LF).expect("text");
        assert!(SecretKey::from_openssh(&text, Some("p")).is_ok());
        // The rounds stand behind the salt: 00000010 <16 × 01> 00000001.
        let body: String = text.lines().filter(|l| !l.starts_with('-')).collect();
        let mut bytes = data_encoding::BASE64.decode(body.as_bytes()).expect("base64");
        let at = bytes.windows(16).position(|w| w == [1; 16]).expect("the salt") + 16;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let encoded = data_encoding::BASE64.encode(&bytes);
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(70).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
        let hostile = format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
            lines.join("\n")
        );
        let refused = SecretKey::from_openssh(&hostile, Some("p")).map(|_| ());
        let expected = KeyError::OverLimit { limit: 1024, unit: "rounds", found: u32::MAX.into() };
        assert_eq!(refused, Err(expected));
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for text in ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(matches!(SecretKey::from_openssh(text, None), Err(KeyError::SecretText(_))), "{text}");
        }
        let huge = "x".repeat(MAX_FILE_BYTES as usize + 1);
        assert!(matches!(SecretKey::from_openssh(&huge, None), Err(KeyError::OverLimit { .. })));
    }
}
