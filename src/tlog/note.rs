//! Signed notes and verifier keys (c2sp.org/signed-note).
//!
//! ```text
//! note   <text, its last line end included> LF
//!        — <key name> base64(key id, 4 bytes ‖ signature) LF        one line for each signature
//! vkey   <key name>+<key id, 8 digits>+base64(type ‖ public key)
//! id     SHA-256(key name ‖ LF ‖ type ‖ public key), its first 4 bytes
//! ```
//!
//! A note says nothing until a known key's signature was checked, so the text is given out with the check:
//! [`Note::open`]. Signatures of unknown keys are kept and ignored, whatever their type: that is how a log's note
//! carries signatures of tomorrow's algorithms.
//!
//! ```
//! use fix7_ledger::tlog::note::{Note, VerifierKey};
//! let key: VerifierKey =
//!     "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().unwrap();
//! let text = "This is an example message.\n\n— example.com/foo \
//!     Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
//! let note = Note::parse(text).unwrap();
//! assert_eq!(note.open(&key).unwrap(), "This is an example message.\n");
//! assert!(Note::parse(&text.replace("example m", "evil m")).unwrap().open(&key).is_err());
//! ```

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};

use super::{TlogError, demand_length};
use crate::digest::Digest;
use crate::keys::{PublicKey, Signature, Signer};

/// Most signatures in one note. Stops a note that is nothing but signatures to check.
pub const MAX_SIGNATURES: usize = 100;
/// Longest key name or origin in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// What a signature line begins with: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// What a key signs; its byte is part of the key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// 0x01: the note's text, as a log does.
    Log,
    /// 0x04: a time and the note's text, as a witness does (`cosignature/v1`).
    Witness,
}

impl Role {
    fn byte(self) -> u8 {
        match self {
            Role::Log => 1,
            Role::Witness => 4,
        }
    }
}

/// A name and a public key that may have signed a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    role: Role,
    public: PublicKey,
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// A name that no signature line can hold.
    pub fn new(name: &str, role: Role, public: &PublicKey) -> Result<VerifierKey, TlogError> {
        demand_name(name)?;
        Ok(VerifierKey { name: name.to_owned(), role, public: public.clone() })
    }

    /// The name in signature lines: a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The id in signature lines: no fingerprint, four bytes that anybody can find another key for.
    pub fn id(&self) -> [u8; 4] {
        let head = [self.name.as_bytes(), b"\n", &[self.role.byte()], self.public.as_bytes()].concat();
        let digest = Digest::of(&head);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    fn is_of(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.id == self.id()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.role.byte()], &self.public.as_bytes()[..]].concat();
        let id = data_encoding::HEXLOWER.encode(&self.id());
        write!(f, "{}+{id}+{}", self.name, Base64::encode_string(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = TlogError;
    fn from_str(text: &str) -> Result<VerifierKey, TlogError> {
        let refused = || TlogError::malformed("verifier key", "<name>+<8 digits>+<base64>", text);
        demand_length(text)?;
        let mut parts = text.splitn(3, '+');
        let (name, id, encoded) = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(id), Some(encoded)) => (name, id, encoded),
            _ => return Err(refused()),
        };
        let bytes = Base64::decode_vec(encoded).map_err(|_| refused())?;
        let (kind, key) = bytes.split_first().ok_or_else(refused)?;
        let role = match kind {
            1 => Role::Log,
            4 => Role::Witness,
            other => return Err(TlogError::KeyType(*other)),
        };
        let public = PublicKey::from_bytes(key.try_into().map_err(|_| refused())?)?;
        let key = VerifierKey::new(name, role, &public)?;
        match data_encoding::HEXLOWER.encode(&key.id()) == id {
            true => Ok(key),
            false => Err(TlogError::malformed("verifier key", "the id of its name and key", id)),
        }
    }
}

/// One signature line, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl NoteSignature {
    pub(super) fn new(key: &VerifierKey, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature { name: key.name.clone(), id: key.id(), bytes }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows the key's id.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The line with its line end.
    pub fn to_line(&self) -> String {
        let encoded = Base64::encode_string(&[&self.id[..], &self.bytes].concat());
        format!("{MARK}{} {encoded}\n", self.name)
    }

    /// Reads one line, with or without its line end.
    ///
    /// # Errors
    /// Everything but the one form.
    pub fn parse(line: &str) -> Result<NoteSignature, TlogError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let refused = || TlogError::malformed("signature line", "`— <name> <base64>`", line);
        let (name, encoded) = line.strip_prefix(MARK).and_then(|l| l.split_once(' ')).ok_or_else(refused)?;
        demand_name(name)?;
        let bytes = Base64::decode_vec(encoded).map_err(|_| refused())?;
        match bytes.split_first_chunk::<4>() {
            Some((id, rest)) if !rest.is_empty() => {
                Ok(NoteSignature { name: name.to_owned(), id: *id, bytes: rest.to_vec() })
            }
            _ => Err(refused()),
        }
    }
}

/// A note as read: nobody's word until a known key's signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Signs a text as a log does (0x01).
    ///
    /// # Errors
    /// A text that no note can hold, a name that no line can hold, or the signer's refusal.
    pub fn sign(text: &str, name: &str, signer: &Signer<'_>) -> Result<Note, TlogError> {
        demand_text(text)?;
        let key = VerifierKey::new(name, Role::Log, signer.public())?;
        let signature = signer.sign(text.as_bytes())?;
        Ok(Note { text: text.to_owned(), signatures: vec![NoteSignature::new(&key, signature.0.to_vec())] })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// Everything but the one form, and more than [`MAX_SIGNATURES`].
    pub fn parse(note: &str) -> Result<Note, TlogError> {
        demand_length(note)?;
        let split = note
            .rfind("\n\n")
            .ok_or_else(|| TlogError::malformed("note", "a text, an empty line, and signatures", note))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        demand_text(text)?;
        if lines.is_empty() || !lines.ends_with('\n') {
            return Err(TlogError::malformed("note", "signature lines, each with its line end", lines));
        }
        let signatures: Vec<NoteSignature> =
            lines.split_inclusive('\n').map(NoteSignature::parse).collect::<Result<_, _>>()?;
        match signatures.len() > MAX_SIGNATURES {
            true => Err(TlogError::OverLimit { limit: MAX_SIGNATURES, unit: "signatures" }),
            false => Ok(Note { text: text.to_owned(), signatures }),
        }
    }

    /// The whole note.
    pub fn to_text(&self) -> String {
        let lines = self.signatures.iter().map(NoteSignature::to_line);
        format!("{}\n{}", self.text, lines.collect::<String>())
    }

    /// The text, signed by nobody in particular: only for telling which key to look for.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, unless the same one is there.
    ///
    /// # Errors
    /// Over [`MAX_SIGNATURES`].
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), TlogError> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(TlogError::OverLimit { limit: MAX_SIGNATURES, unit: "signatures" });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Drops every signature but those under a key's name and id.
    pub(super) fn keep_of(&mut self, key: &VerifierKey) {
        self.signatures.retain(|line| key.is_of(line));
    }

    /// Drops every signature.
    pub fn clear(&mut self) {
        self.signatures.clear();
    }

    /// The text, where this log key signed it.
    ///
    /// # Errors
    /// `SIGNATURE_INVALID` where one of the key's lines does not hold, `KEY_UNKNOWN` where it has none.
    pub fn open(&self, key: &VerifierKey) -> Result<&str, TlogError> {
        let mut signed = false;
        for line in self.of(key) {
            let broken = || TlogError::Signature { name: key.name.clone() };
            let signature = <[u8; 64]>::try_from(&line.bytes[..]).map_err(|_| broken())?;
            key.public.verify(self.text.as_bytes(), &Signature(signature)).map_err(|_| broken())?;
            signed = true;
        }
        match signed && key.role == Role::Log {
            true => Ok(&self.text),
            false => Err(TlogError::NotSigned { name: key.name.clone(), key: key.public.fingerprint() }),
        }
    }

    /// The lines that bear a key's name and id.
    pub(super) fn of<'a>(&'a self, key: &'a VerifierKey) -> impl Iterator<Item = &'a NoteSignature> {
        self.signatures.iter().filter(|line| key.is_of(line))
    }
}

fn demand_name(name: &str) -> Result<(), TlogError> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
    match fits {
        true => Ok(()),
        false => Err(TlogError::malformed("key name", "a name without spaces and plus signs", name)),
    }
}

/// The text of a note: it ends with a line end, and nothing in it steers a terminal.
fn demand_text(text: &str) -> Result<(), TlogError> {
    demand_length(text)?;
    match text.ends_with('\n') && !text.chars().any(|c| c < ' ' && c != '\n') {
        true => Ok(()),
        false => Err(TlogError::malformed("note text", "lines without control characters", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn signer(seed: u8) -> Signer<'static> {
        SecretKey::from_seed(&[seed; 32]).into()
    }

    fn key(name: &str, seed: u8) -> VerifierKey {
        VerifierKey::new(name, Role::Log, signer(seed).public()).expect("a key")
    }

    #[test]
    fn every_changed_byte_of_a_note_is_refused() {
        let note = Note::sign("evidence\n\nmore\n", "log.example", &signer(1)).expect("signed").to_text();
        let key = key("log.example", 1);
        let open = |text: &str| Note::parse(text).and_then(|note| note.open(&key).map(str::to_owned));
        assert_eq!(open(&note).as_deref(), Ok("evidence\n\nmore\n"));
        let bytes = note.as_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(changed) else { continue };
                assert!(open(&text).is_err(), "byte {at}, bit {bit}: {text}");
            }
            if let Ok(cut) = std::str::from_utf8(&bytes[..at]) {
                assert!(open(cut).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn one_text_stands_for_one_verifier_key() {
        let text = key("log.example", 1).to_string();
        assert_eq!(text.parse(), Ok(key("log.example", 1)));
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).expect("ASCII stays UTF-8");
                assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
            }
            assert!(text[..at].parse::<VerifierKey>().is_err());
        }
        let unknown = "a+00000000+BgAA".parse::<VerifierKey>();
        assert_eq!(unknown, Err(TlogError::KeyType(6)), "an algorithm of another day is named");
    }

    #[test]
    fn a_stranger_is_ignored_and_a_known_key_never() {
        let mut note = Note::sign("x\n", "log.example", &signer(1)).expect("signed");
        let other = Note::sign("y\n", "other.example", &signer(2)).expect("signed");
        note.add(other.signatures()[0].clone()).expect("room");
        assert_eq!(note.open(&key("log.example", 1)), Ok("x\n"));
        assert!(matches!(note.open(&key("other.example", 2)), Err(TlogError::Signature { .. })));
        assert!(matches!(note.open(&key("third.example", 3)), Err(TlogError::NotSigned { .. })));
        assert!(matches!(note.open(&key("other.example", 1)), Err(TlogError::NotSigned { .. })));
    }
}
