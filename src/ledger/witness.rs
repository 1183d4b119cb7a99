//! A witness' memory: which checkpoint of each log it cosigned last.
//!
//! Owns: the witness' directory, and comparing and storing in one step. Must not: decide (`tlog::witness` does), sign.
//!
//! ```text
//! witness.json                     {"key":"ssh-ed25519 …","logs":["<vkey>",…],"name":…,"version":1}
//! lock                             one step at a time, whichever process takes it
//! <sha256 of origin>               the last checkpoint: its log's signature and the witness' own
//! forks/<sha256 of the note>       a signed checkpoint that contradicts it; never overwritten
//! ```
//!
//! The new checkpoint is on the disk before its cosignature is given out: a crash in between costs a cosignature, never
//! the promise that it makes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::durable::{create_directories, replace};
use super::error::{At as _, Error, Result};
use super::lock::lock_file;
use super::repository::read_text;
use crate::canon;
use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::verdict::Code;

/// How long another step of the same witness is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who the witness is, and which logs it knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessIdentity {
    /// The key that cosigns.
    pub key: PublicKey,
    /// The verifier keys of the logs that it cosigns.
    pub logs: Vec<String>,
    /// The name in its cosignatures.
    pub name: String,
    /// 1.
    pub version: u8,
}

/// The directory.
#[derive(Clone, Debug)]
pub struct WitnessDirectory {
    path: PathBuf,
}

impl WitnessDirectory {
    /// Begins a witness.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` where one begins there already.
    pub fn create(path: &Path, identity: &WitnessIdentity) -> Result<WitnessDirectory> {
        let file = path.join("witness.json");
        if file.exists() {
            return Err(Error::found(Code::AlreadyExists, file.display(), "a witness begins there already"));
        }
        create_directories(path)?;
        let bytes = canon::to_vec(identity).map_err(std::io::Error::other).at("render", &file)?;
        replace(&file, 0o644, &bytes)?;
        Ok(WitnessDirectory { path: path.to_owned() })
    }

    /// Opens a witness.
    ///
    /// # Errors
    /// `UNREADABLE` where there is none, `MALFORMED` where its file is not one that this program writes.
    pub fn open(path: &Path) -> Result<(WitnessDirectory, WitnessIdentity)> {
        let file = path.join("witness.json");
        let text = read_text(&file)?;
        if text.is_empty() {
            let found = "no witness begins there (`fix7-ledger witness init` begins one)";
            return Err(Error::found(Code::Unreadable, file.display(), found));
        }
        let malformed = |found: &dyn std::fmt::Display| Error::found(Code::Malformed, file.display(), found);
        let identity: WitnessIdentity = canon::from_slice(text.as_bytes()).map_err(|e| malformed(&e))?;
        match identity.version {
            1 => Ok((WitnessDirectory { path: path.to_owned() }, identity)),
            other => Err(malformed(&format_args!("version {other}"))),
        }
    }

    /// The checkpoint of a log that was cosigned last.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last(&self, origin: &str) -> Result<Option<String>> {
        self.last_of(&Digest::of(origin.as_bytes()))
    }

    /// The same by the SHA-256 of the origin, as the protocol asks for it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_of(&self, origin: &Digest) -> Result<Option<String>> {
        Ok(Some(read_text(&self.path.join(origin.to_string()))?).filter(|text| !text.is_empty()))
    }

    /// One step: reads the last checkpoint of a log, lets `step` decide, and stores what it gives, all under one lock
    /// that every process of this witness takes. Where `step` fails nothing is stored.
    ///
    /// # Errors
    /// `LOCK_HELD`, reading and writing, and those of `step`.
    pub fn compare_and_store<R, E: From<Error>>(
        &self,
        origin: &str,
        step: impl FnOnce(Option<&str>) -> std::result::Result<(String, R), E>,
    ) -> std::result::Result<R, E> {
        let _lock = lock_file(&self.path.join("lock"), PATIENCE)?;
        let last = self.last(origin)?;
        let (next, answer) = step(last.as_deref())?;
        replace(&self.file(origin), 0o644, next.as_bytes())?;
        Ok(answer)
    }

    /// Keeps a signed checkpoint that contradicts what was cosigned. Gives the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_contradiction(&self, note: &str) -> Result<PathBuf> {
        let directory = self.path.join("forks");
        create_directories(&directory)?;
        let path = directory.join(Digest::of(note.as_bytes()).to_string());
        if !path.exists() {
            replace(&path, 0o644, note.as_bytes())?;
        }
        Ok(path)
    }

    fn file(&self, origin: &str) -> PathBuf {
        self.path.join(Digest::of(origin.as_bytes()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn steps_follow_one_another_and_a_failed_one_stores_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let key = SecretKey::from_seed(&[1; 32]).public().clone();
        let identity = WitnessIdentity { key, logs: vec![], name: "w".into(), version: 1 };
        WitnessDirectory::create(directory.path(), &identity).expect("begins");
        assert!(WitnessDirectory::create(directory.path(), &identity).is_err(), "only once");
        let (witness, read) = WitnessDirectory::open(directory.path()).expect("opens");
        assert_eq!(read, identity);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let step = |last: Option<&str>| {
                        let next = last.map_or(0, |text| text.parse::<u32>().expect("a number")) + 1;
                        Ok::<_, Error>((next.to_string(), ()))
                    };
                    (0..5).for_each(|_| witness.compare_and_store("log", step).expect("stored"));
                });
            }
        });
        assert_eq!(witness.last("log").expect("reads").as_deref(), Some("40"), "no step was lost");
        let failed = witness
            .compare_and_store::<(), _>("log", |_| Err(Error::found(Code::HeadMoved, "log", "another size")));
        assert!(failed.is_err());
        assert_eq!(witness.last("log").expect("reads").as_deref(), Some("40"));
        assert_eq!(witness.last("another").expect("reads"), None);
    }
}
