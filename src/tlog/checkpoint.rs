//! Checkpoints and their cosignatures (c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature).
//!
//! ```text
//! <origin>                            which log; the name of its key as well
//! <size>                              how many leaves, decimal
//! <root>                              RFC 6962 root over them, base64
//!
//! — <origin> base64(id ‖ ed25519 over the three lines)
//! — <witness> base64(id ‖ time, u64 big-endian ‖ ed25519 over "cosignature/v1\ntime <time>\n" and the three lines)
//! ```
//!
//! A checkpoint with extension lines is refused: nobody could audit them.
//!
//! ```
//! use fix7_ledger::{digest::Digest, tlog::checkpoint::Checkpoint};
//! let head = Checkpoint::new("example.com/ledger", 3, Digest::of(b"root")).unwrap();
//! assert_eq!(Checkpoint::parse(&head.to_text()), Ok(head.clone()));
//! assert!(Checkpoint::parse(&head.to_text().replace("\n3\n", "\n03\n")).is_err());
//! ```

use super::note::{MAX_NAME_BYTES, Note, NoteSignature, Role, VerifierKey};
use super::{TlogError, base64, demand_length, hash, number};
use crate::digest::Digest;
use crate::keys::{Signature, Signer};
use crate::time::Timestamp;

/// A log's claim about its size and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest,
}

impl Checkpoint {
    /// The head of a log.
    ///
    /// # Errors
    /// An origin that is empty, too long or more than one line; an empty log with another root than that of nothing.
    pub fn new(origin: &str, size: u64, root: Digest) -> Result<Checkpoint, TlogError> {
        let plain = (1..=MAX_NAME_BYTES).contains(&origin.len()) && !origin.chars().any(char::is_control);
        if !plain {
            return Err(TlogError::malformed("origin", "one line", origin));
        }
        if size == 0 && root != Digest::of(b"") {
            return Err(TlogError::malformed("root", "that of an empty log", &root.to_string()));
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }

    /// Which log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64(&self.root))
    }

    /// Reads the three lines.
    ///
    /// # Errors
    /// Everything but the one form.
    pub fn parse(text: &str) -> Result<Checkpoint, TlogError> {
        demand_length(text)?;
        let mut lines = text.split('\n');
        let parts = (lines.next(), lines.next(), lines.next(), lines.next(), lines.next());
        let (Some(origin), Some(size), Some(root), Some(""), None) = parts else {
            return Err(TlogError::malformed("checkpoint", "three lines: origin, size, root", text));
        };
        Checkpoint::new(origin, number("tree size", size)?, hash("root", root)?)
    }
}

/// Signs a checkpoint as its log; the key's name is the origin.
///
/// # Errors
/// An origin that cannot be a key's name, or the signer's refusal.
pub fn sign(checkpoint: &Checkpoint, signer: &Signer<'_>) -> Result<Note, TlogError> {
    Note::sign(&checkpoint.to_text(), checkpoint.origin(), signer)
}

/// The checkpoint in a note that this log key signed, and the note. The key's name is the log's origin.
///
/// # Errors
/// No or a broken signature, another log, another form.
pub fn open(text: &str, log: &VerifierKey) -> Result<(Checkpoint, Note), TlogError> {
    let note = Note::parse(text)?;
    let found = Checkpoint::parse(note.unverified_text())?;
    if found.origin() != log.name() {
        return Err(TlogError::OtherLog {
            expected: log.name().to_owned(),
            found: found.origin().to_owned(),
        });
    }
    let checkpoint = Checkpoint::parse(note.open(log)?)?;
    Ok((checkpoint, note))
}

/// Cosigns the checkpoint of a note as a witness: *as of `time`, this is the largest consistent head that I saw*.
/// Whoever calls this has checked that.
///
/// # Errors
/// A name that no line can hold, or the signer's refusal.
pub fn cosign(
    checkpoint: &Checkpoint,
    name: &str,
    signer: &Signer<'_>,
    time: Timestamp,
) -> Result<NoteSignature, TlogError> {
    let key = VerifierKey::new(name, Role::Witness, signer.public())?;
    let seconds = time.unix_seconds().unsigned_abs();
    let signature = signer.sign(cosigned(&checkpoint.to_text(), seconds).as_bytes())?;
    Ok(NoteSignature::new(&key, [&seconds.to_be_bytes()[..], &signature.0].concat()))
}

/// When this witness cosigned the note; the latest time where it did so more than once. `None`: it did not.
///
/// # Errors
/// One of the witness' lines does not hold.
pub fn cosigned_at(note: &Note, witness: &VerifierKey) -> Result<Option<Timestamp>, TlogError> {
    let mut latest = None;
    if witness.role() != Role::Witness {
        return Ok(latest);
    }
    for line in note.of(witness) {
        let broken = || TlogError::Signature { name: witness.name().to_owned() };
        let (seconds, signature) = line.bytes().split_first_chunk::<8>().ok_or_else(broken)?;
        let seconds = u64::from_be_bytes(*seconds);
        let signature = <[u8; 64]>::try_from(signature).map_err(|_| broken())?;
        let message = cosigned(note.unverified_text(), seconds);
        witness.public().verify(message.as_bytes(), &Signature(signature)).map_err(|_| broken())?;
        // A time of 0 says nothing about when, and a checkpoint's cosignature must say it.
        let time = i64::try_from(seconds).ok().filter(|s| *s > 0).and_then(Timestamp::from_unix_seconds);
        latest = latest.max(Some(time.ok_or_else(broken)?));
    }
    Ok(latest)
}

fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn signer(seed: u8) -> Signer<'static> {
        SecretKey::from_seed(&[seed; 32]).into()
    }

    fn head() -> Checkpoint {
        Checkpoint::new("log.example", 7, Digest::of(b"seven")).expect("a head")
    }

    fn time() -> Timestamp {
        "2026-11-23T00:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_cosignature_holds_for_its_witness_its_time_and_its_checkpoint() {
        let mut note = sign(&head(), &signer(1)).expect("signed");
        let witness = VerifierKey::new("w.example", Role::Witness, signer(2).public()).expect("a key");
        assert_eq!(cosigned_at(&note, &witness), Ok(None));
        note.add(cosign(&head(), "w.example", &signer(2), time()).expect("cosigned")).expect("room");
        assert_eq!(cosigned_at(&note, &witness), Ok(Some(time())));
        let text = note.to_text();
        let line = note.signatures()[1].to_line();
        let bytes = data_encoding::BASE64
            .decode(&line.trim_end().as_bytes()["— w.example ".len()..])
            .expect("base64");
        for at in 4..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = format!("— w.example {}\n", data_encoding::BASE64.encode(&changed));
            let note = Note::parse(&text.replace(&line, &changed)).expect("a note");
            assert!(cosigned_at(&note, &witness).is_err(), "byte {at}");
        }
        let other = Checkpoint::new("log.example", 8, Digest::of(b"seven")).expect("a head");
        let mut moved = sign(&other, &signer(1)).expect("signed");
        moved.add(note.signatures()[1].clone()).expect("room");
        assert!(cosigned_at(&moved, &witness).is_err());
    }

    #[test]
    fn a_log_key_is_no_witness_and_a_witness_is_no_log() {
        let witness = VerifierKey::new("log.example", Role::Witness, signer(1).public()).expect("a key");
        let log = VerifierKey::new("log.example", Role::Log, signer(1).public()).expect("a key");
        let note = sign(&head(), &signer(1)).expect("signed");
        assert!(open(&note.to_text(), &log).is_ok());
        assert_eq!(cosigned_at(&note, &witness), Ok(None));
        assert!(open(&note.to_text(), &witness).is_err());
        let line = cosign(&head(), "log.example", &signer(1), time()).expect("cosigned");
        let lone = format!("{}\n{}", head().to_text(), line.to_line());
        assert!(open(&lone, &log).is_err(), "a cosignature is no log's signature");
        let relabelled = NoteSignature::new(&log, line.bytes().to_vec()).to_line();
        assert!(open(&format!("{}\n{relabelled}", head().to_text()), &log).is_err());
    }

    #[test]
    fn only_the_three_lines_are_a_checkpoint() {
        let good = head().to_text();
        for bad in
            ["", "\n\n\n", &format!("{good}extension\n"), &good[..good.len() - 1], &format!("\n{good}")]
        {
            assert!(Checkpoint::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Checkpoint::new("x", 0, Digest::of(b"something")).is_err());
        assert!(Checkpoint::new("x", 0, Digest::of(b"")).is_ok());
    }
}
