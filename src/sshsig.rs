//! SSHSIG (OpenSSH's PROTOCOL.sshsig), in the one form that an entry's commit carries.
//!
//! Owns: what is signed, the blob and its armor. Must not: accept a second spelling: stock git calls a
//! commit good whose armor was re-wrapped or has text behind it, so the armor is read, written again and
//! compared byte for byte.
//!
//! ```text
//! signed     "SSHSIG" ‖ string namespace ‖ string "" ‖ string "sha512" ‖ string SHA-512(message)
//! blob       "SSHSIG" ‖ u32 1 ‖ string key ‖ string namespace ‖ string "" ‖ string "sha512" ‖ string signature
//! armor      -----BEGIN SSH SIGNATURE-----
//!            base64 of the blob, 70 columns
//!            -----END SSH SIGNATURE-----        no final newline
//! ```
//!
//! ```
//! use fix7_ledger::{keys::SecretKey, sshsig::{self, SshSig}};
//! let signer = SecretKey::from_seed(&[7; 32]).into();
//! let armor = sshsig::sign(&signer, sshsig::GIT, b"a commit").unwrap().to_armor();
//! let read = SshSig::from_armor(&armor, sshsig::GIT).unwrap();
//! assert!(read.verify(b"a commit").is_ok());
//! assert!(SshSig::from_armor(&armor, "file").is_err(), "made for another purpose");
//! ```

use base64ct::{Base64, Encoding};
use sha2::Digest as _;

use crate::keys::{ALGORITHM, KeyError, PublicKey, Signature, Signer};

/// The namespace of commit signatures.
pub const GIT: &str = "git";
/// The only message digest.
const HASH: &str = "sha512";
const MAGIC: &[u8; 6] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters in a line of armor, as ssh-keygen writes them.
pub const COLUMNS: usize = 70;
/// Largest armor in bytes: an ed25519 signature has under 400; more only feeds the decoder.
pub const MAX_ARMOR_BYTES: usize = 4096;

/// Why a text is not a signature, or does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshSigError {
    /// Over [`MAX_ARMOR_BYTES`].
    #[error("an armored signature of {found} bytes is over the limit of {MAX_ARMOR_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The armor is not the one form: begin line, 70 columns, end line, nothing else.
    #[error("the armor is not in its one form: {0}")]
    Armor(&'static str),
    /// The blob does not have the format.
    #[error("the signature blob is malformed at its {0}")]
    Blob(&'static str),
    /// A field of the blob has another value than the one that is used here.
    #[error("the signature's {field} is `{found}`, expected `{expected}`")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The key in the blob, or the signature under it.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A signature with the key that claims to have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSig {
    key: PublicKey,
    namespace: &'static str,
    signature: Signature,
}

/// Signs `message` for a purpose.
///
/// # Errors
/// The agent's refusal.
pub fn sign(signer: &Signer<'_>, namespace: &'static str, message: &[u8]) -> Result<SshSig, KeyError> {
    let signature = signer.sign(&signed_data(namespace, message))?;
    Ok(SshSig { key: signer.public().clone(), namespace, signature })
}

/// The bytes that are signed for `message`: what an agent gets.
pub fn signed_data(namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    data.extend_from_slice(MAGIC);
    for part in [namespace.as_bytes(), b"", HASH.as_bytes(), &sha2::Sha512::digest(message)] {
        push_string(&mut data, part);
    }
    data
}

impl SshSig {
    /// The key that claims to have signed.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Checks the signature strictly.
    ///
    /// # Errors
    /// [`SshSigError::Key`].
    pub fn verify(&self, message: &[u8]) -> Result<(), SshSigError> {
        Ok(self.key.verify(&signed_data(self.namespace, message), &self.signature)?)
    }

    /// The one armored form, without a final newline.
    pub fn to_armor(&self) -> String {
        let mut blob = Vec::with_capacity(256);
        blob.extend_from_slice(MAGIC);
        blob.extend_from_slice(&1u32.to_be_bytes());
        let mut signature = Vec::with_capacity(96);
        push_string(&mut signature, ALGORITHM.as_bytes());
        push_string(&mut signature, &self.signature.0);
        let key = self.key.to_wire();
        for part in [&key[..], self.namespace.as_bytes(), b"", HASH.as_bytes(), &signature] {
            push_string(&mut blob, part);
        }
        let encoded = Base64::encode_string(&blob);
        let mut armor = String::with_capacity(encoded.len() + 72);
        armor.push_str(BEGIN);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(COLUMNS));
            armor.push_str(line);
            armor.push('\n');
            rest = after;
        }
        armor.push_str(END);
        armor
    }

    /// Reads an armored signature that was made for `namespace`. It is not yet checked.
    ///
    /// # Errors
    /// Everything but the one form, the one key type, the one digest and this namespace.
    pub fn from_armor(armor: &str, namespace: &'static str) -> Result<SshSig, SshSigError> {
        if armor.len() > MAX_ARMOR_BYTES {
            return Err(SshSigError::TooLarge { found: armor.len() });
        }
        let body = armor.strip_prefix(BEGIN).ok_or(SshSigError::Armor("it has no begin line"))?;
        let body = body.strip_suffix(END).ok_or(SshSigError::Armor("it does not end with the end line"))?;
        let encoded: String = body.split('\n').collect();
        let blob = Base64::decode_vec(&encoded)
            .map_err(|_| SshSigError::Armor("its lines are not canonical base64"))?;
        let read = SshSig::from_blob(&blob, namespace)?;
        match read.to_armor() == armor {
            true => Ok(read),
            false => Err(SshSigError::Armor("its lines are not wrapped at 70 columns")),
        }
    }

    fn from_blob(blob: &[u8], namespace: &'static str) -> Result<SshSig, SshSigError> {
        let rest = blob.strip_prefix(MAGIC).ok_or(SshSigError::Blob("magic"))?;
        let (version, mut rest) = rest.split_first_chunk::<4>().ok_or(SshSigError::Blob("version"))?;
        demand("version", "1", &u32::from_be_bytes(*version).to_string())?;
        let key = take_string(&mut rest, "key")?;
        let found_namespace = take_string(&mut rest, "namespace")?;
        let reserved = take_string(&mut rest, "reserved field")?;
        let hash = take_string(&mut rest, "hash name")?;
        let mut signature = take_string(&mut rest, "signature")?;
        if !rest.is_empty() {
            return Err(SshSigError::Blob("end: more bytes follow"));
        }
        demand("namespace", namespace, &String::from_utf8_lossy(found_namespace))?;
        demand("reserved field", "", &String::from_utf8_lossy(reserved))?;
        demand("hash name", HASH, &String::from_utf8_lossy(hash))?;
        let key = PublicKey::from_wire(key)?;
        let algorithm = take_string(&mut signature, "signature type")?;
        demand("signature type", ALGORITHM, &String::from_utf8_lossy(algorithm))?;
        let bytes = take_string(&mut signature, "signature bytes")?;
        match (<[u8; 64]>::try_from(bytes), signature) {
            (Ok(bytes), []) => Ok(SshSig { key, namespace, signature: Signature(bytes) }),
            _ => Err(SshSigError::Blob("signature bytes")),
        }
    }
}

fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("what is framed here has at most a few hundred bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take_string<'a>(rest: &mut &'a [u8], field: &'static str) -> Result<&'a [u8], SshSigError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(SshSigError::Blob(field))?;
    let length = u32::from_be_bytes(*length) as usize;
    let (string, after) = after.split_at_checked(length).ok_or(SshSigError::Blob(field))?;
    *rest = after;
    Ok(string)
}

fn demand(field: &'static str, expected: &str, found: &str) -> Result<(), SshSigError> {
    if expected == found {
        return Ok(());
    }
    let found = found.chars().take(80).flat_map(char::escape_default).collect();
    Err(SshSigError::Field { field, expected: expected.to_owned(), found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn good() -> String {
        sign(&SecretKey::from_seed(&[7; 32]).into(), GIT, b"message").expect("a key here signs").to_armor()
    }

    fn holds(armor: &str) -> bool {
        SshSig::from_armor(armor, GIT).is_ok_and(|s| s.verify(b"message").is_ok())
    }

    #[test]
    fn every_changed_byte_every_prefix_and_every_dropped_line_is_refused() {
        let good = good();
        assert!(holds(&good));
        for i in 0..good.len() {
            assert!(!holds(&good[..i]), "prefix {i}");
            for c in [b'A', b'B', b'=', b'\n', b'\r', b' ', 0, b'/'] {
                let mut bytes = good.clone().into_bytes();
                if std::mem::replace(&mut bytes[i], c) != c {
                    assert!(!holds(&String::from_utf8(bytes).expect("ASCII")), "byte {i} to {c}");
                }
            }
        }
        let lines: Vec<&str> = good.split('\n').collect();
        for skip in 0..lines.len() {
            let mut fewer = lines.clone();
            fewer.remove(skip);
            assert!(!holds(&fewer.join("\n")), "line {skip}");
        }
    }

    #[test]
    fn what_stock_git_lets_pass_around_the_armor_is_refused() {
        let good = good();
        let lines: Vec<&str> = good.split('\n').collect();
        let body: String = lines[1..lines.len() - 1].concat();
        let wrapped = |columns: usize| {
            let chunks: Vec<&str> =
                body.as_bytes().chunks(columns).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
            format!("{BEGIN}{}\n{END}", chunks.join("\n"))
        };
        assert_eq!(wrapped(COLUMNS), good);
        for bad in [
            wrapped(60),
            wrapped(76),
            wrapped(1000),
            format!("{good}\n"),
            format!("{good}\nPRODUCTION"),
            format!("hello\n{good}"),
            good.replace('\n', "\r\n"),
            good.replace('\n', "\n\n"),
        ] {
            assert!(matches!(SshSig::from_armor(&bad, GIT), Err(SshSigError::Armor(_))), "{bad}");
        }
        let huge = format!("{BEGIN}{}\n{END}", "A".repeat(MAX_ARMOR_BYTES));
        assert!(matches!(SshSig::from_armor(&huge, GIT), Err(SshSigError::TooLarge { .. })));
    }

    #[test]
    fn a_signature_for_another_purpose_or_message_is_refused() {
        let secret = SecretKey::from_seed(&[7; 32]);
        let file = sign(&secret.into(), "file", b"message").expect("signed");
        assert!(SshSig::from_armor(&file.to_armor(), "file").is_ok_and(|s| s.verify(b"message").is_ok()));
        let refused = SshSig::from_armor(&file.to_armor(), GIT);
        assert!(matches!(refused, Err(SshSigError::Field { field: "namespace", .. })), "{refused:?}");
        assert!(file.verify(b"other").is_err());
    }
}
