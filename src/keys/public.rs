//! The public key: parsing, its text forms, and the strict check of a signature.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use ed25519_dalek::VerifyingKey;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::shown;
use super::{ALGORITHM, Fingerprint, KeyError, Signature};
use crate::digest::Digest;

/// `string "ssh-ed25519"`, then the length of `string <32 bytes>` (RFC 8709).
const WIRE_PREFIX: &[u8; 19] = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20";
/// DER of SubjectPublicKeyInfo up to the 32 bytes (RFC 8410).
const SPKI_PREFIX: &[u8; 12] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// The length of a key's wire form in bytes.
pub(crate) const WIRE_BYTES: usize = WIRE_PREFIX.len() + 32;

/// An ed25519 public key whose point is on the curve, canonically encoded and not of small order.
#[derive(Clone)]
pub struct PublicKey {
    key: VerifyingKey,
    fingerprint: Fingerprint,
}

impl PublicKey {
    /// From the 32 bytes.
    ///
    /// # Errors
    /// Bytes that are no point, a second spelling of a point, and points of small order: under such a
    /// key one signature is good for every message.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        // y of p = 2^255 - 19 and above has a smaller twin, and a decoder that reduces accepts both.
        let at_least_p =
            bytes[31] & 0x7f == 0x7f && bytes[1..31].iter().all(|b| *b == 0xff) && bytes[0] >= 0xed;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if at_least_p {
            return Err(KeyError::NotAPoint);
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(PublicKey::from_verifying(key))
    }

    pub(super) fn from_verifying(key: VerifyingKey) -> PublicKey {
        let mut wire = [0u8; WIRE_BYTES];
        wire[..WIRE_PREFIX.len()].copy_from_slice(WIRE_PREFIX);
        wire[WIRE_PREFIX.len()..].copy_from_slice(key.as_bytes());
        PublicKey { key, fingerprint: Fingerprint::from_bytes(*Digest::of(&wire).as_bytes()) }
    }

    /// From the wire form (RFC 4253 section 6.6), as it stands in an SSHSIG or comes from an agent.
    ///
    /// # Errors
    /// Another key type, another length, or what [`PublicKey::from_bytes`] refuses.
    pub fn from_wire(wire: &[u8]) -> Result<PublicKey, KeyError> {
        match wire.strip_prefix(WIRE_PREFIX).map(<[u8; 32]>::try_from) {
            Some(Ok(bytes)) => PublicKey::from_bytes(&bytes),
            _ => Err(KeyError::OtherType(type_name(wire))),
        }
    }

    /// The wire form, 51 bytes.
    pub fn to_wire(&self) -> Vec<u8> {
        [&WIRE_PREFIX[..], self.key.as_bytes()].concat()
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The OpenSSH fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Refuses a key of mixed order as well: about one in eight signatures under it is judged
    /// differently by different checkers. It costs as much as a signature, so it is asked once, where
    /// a key is registered.
    ///
    /// # Errors
    /// [`KeyError::Weak`].
    pub fn demand_prime_order(&self) -> Result<(), KeyError> {
        match self.key.to_edwards().is_torsion_free() {
            true => Ok(()),
            false => Err(KeyError::Weak),
        }
    }

    /// Checks a signature strictly: S below the group's order, R canonical and not of small order.
    ///
    /// # Errors
    /// [`KeyError::BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        let parsed = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.key.verify_strict(message, &parsed).map_err(|_| KeyError::BadSignature(self.fingerprint))
    }

    /// One line, `ssh-ed25519 <base64>`, no comment, no line end.
    pub fn to_openssh(&self) -> String {
        format!("{ALGORITHM} {}", Base64::encode_string(&self.to_wire()))
    }

    /// Reads a `.pub` file: one line with an optional comment, which is dropped.
    ///
    /// # Errors
    /// As the strict parse; more than one line.
    pub fn from_pub_file(text: &str) -> Result<PublicKey, KeyError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut words = line.splitn(3, ' ');
        let (kind, encoded) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if line.contains(['\n', '\r']) {
            return Err(KeyError::PublicText(shown(text)));
        }
        format!("{kind} {encoded}").parse()
    }

    /// A PEM SubjectPublicKeyInfo (RFC 8410), for `openssl pkeyutl -verify -pubin -rawin`.
    pub fn to_spki_pem(&self) -> String {
        let der = [&SPKI_PREFIX[..], self.key.as_bytes()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64::encode_string(&der))
    }
}

/// The type that a wire form names, for the refusal.
fn type_name(wire: &[u8]) -> String {
    let length = wire.first_chunk::<4>().map_or(0, |l| u32::from_be_bytes(*l) as usize);
    let name = wire.get(4..4usize.saturating_add(length.min(64))).unwrap_or_default();
    shown(&String::from_utf8_lossy(name))
}

impl FromStr for PublicKey {
    type Err = KeyError;
    /// The one-line form without a comment; weak keys of every sort are refused here.
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let refused = || KeyError::PublicText(shown(text));
        let (kind, encoded) = text.split_once(' ').ok_or_else(refused)?;
        if kind != ALGORITHM {
            return Err(KeyError::OtherType(shown(kind)));
        }
        let mut wire = [0u8; WIRE_BYTES];
        match Base64::decode(encoded, &mut wire) {
            Ok(decoded) if decoded.len() == WIRE_BYTES => {}
            _ => return Err(refused()),
        }
        let key = PublicKey::from_wire(&wire)?;
        key.demand_prime_order()?;
        Ok(key)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_openssh())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PublicKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicKey".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^ssh-ed25519 [A-Za-z0-9+/]{68}$",
            "description": "OpenSSH public key, one line without a comment"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    const SMALL_ORDER: [&str; 4] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ];

    fn hex32(text: &str) -> [u8; 32] {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex");
        bytes.try_into().expect("32 bytes")
    }

    #[test]
    fn keys_of_small_order_and_second_spellings_are_refused() {
        for text in SMALL_ORDER {
            assert_eq!(PublicKey::from_bytes(&hex32(text)), Err(KeyError::Weak), "{text}");
        }
        // y = p, p + 1: the second spellings of y = 0 and y = 1; y = 2 is no point.
        for text in [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(PublicKey::from_bytes(&hex32(text)), Err(KeyError::NotAPoint), "{text}");
        }
        let good = SecretKey::from_seed(&[9; 32]).public().clone();
        assert_eq!(PublicKey::from_bytes(good.as_bytes()), Ok(good));
    }

    #[test]
    fn a_key_of_mixed_order_cannot_be_registered() {
        // A good point plus the point of order 2 (0, -1): (x, y) becomes (-x, -y).
        let good = SecretKey::from_seed(&[9; 32]).public().clone();
        let mut p = [0xffu8; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        let (mut y, sign) = (*good.as_bytes(), good.as_bytes()[31] & 0x80);
        y[31] &= 0x7f;
        let (mut negated, mut borrow) = ([0u8; 32], 0i16);
        for i in 0..32 {
            let d = i16::from(p[i]) - i16::from(y[i]) - borrow;
            borrow = i16::from(d < 0);
            negated[i] = d.rem_euclid(256) as u8;
        }
        negated[31] |= sign ^ 0x80;
        let mixed = PublicKey::from_bytes(&negated).expect("a point of the curve");
        assert_eq!(mixed.demand_prime_order(), Err(KeyError::Weak));
        assert_eq!(mixed.to_openssh().parse::<PublicKey>(), Err(KeyError::Weak));
        assert_eq!(good.demand_prime_order(), Ok(()));
        assert_eq!(good.to_openssh().parse::<PublicKey>(), Ok(good));
    }

    #[test]
    fn one_text_stands_for_one_key() {
        let key = SecretKey::from_seed(&[3; 32]).public().clone();
        let text = key.to_openssh();
        assert_eq!(text.len(), 80);
        for bad in [
            format!("{text} comment"),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace("ssh-ed25519 ", "ssh-ed25519  "),
            text.replace("ssh-ed25519", "ssh-rsa"),
            text[..79].to_owned(),
            String::new(),
        ] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
        assert_eq!(PublicKey::from_pub_file(&format!("{text} me@here too\n")), Ok(key.clone()));
        assert_eq!(PublicKey::from_pub_file(&text), Ok(key));
        assert!(PublicKey::from_pub_file(&format!("{text}\n{text}\n")).is_err());
    }

    #[test]
    fn a_signature_with_the_groups_order_added_is_refused() {
        let order = hex32("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let secret = SecretKey::from_seed(&[4; 32]);
        let good = secret.sign(b"evidence");
        let (mut malleated, mut carry) = (good, 0u16);
        for (byte, add) in malleated.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(secret.public().verify(b"evidence", &malleated).is_err());
        assert!(secret.public().verify(b"evidence", &good).is_ok());
    }
}
