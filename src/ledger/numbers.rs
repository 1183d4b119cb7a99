//! The last running number that this clone gave out to an operator, by ledger and key.
//!
//! Owns: `fix7-ledger/numbers/` in the common directory, durable before a number is used, so that a number that a
//! killed rehearsal took is never given out again. Must not: know which numbers the ledger has.
//!
//! ```text
//! numbers/<ledger id>-<64 digits of the key's fingerprint>       7
//! ```

use std::path::PathBuf;

use super::durable::{create_directories, replace};
use super::error::{Error, Result};
use super::lock::HostLock;
use super::repository::{Repository, read_text};
use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::verdict::Code;

impl Repository {
    /// The last number that was given out here; 0 before the first.
    ///
    /// # Errors
    /// `MALFORMED` where the file is not one that this program writes: what was given out is unknown then.
    pub fn given_number(&self, ledger: &Digest, key: &Fingerprint) -> Result<u64> {
        let path = self.number_file(ledger, key);
        let text = read_text(&path)?;
        if text.is_empty() && !path.exists() {
            return Ok(0);
        }
        let malformed = || Error::found(Code::Malformed, path.display(), "not a number and a line end");
        text.strip_suffix('\n').and_then(|digits| digits.parse().ok()).ok_or_else(malformed)
    }

    /// Notes that a number was given out, durably.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn give_number(
        &self,
        _lock: &HostLock,
        ledger: &Digest,
        key: &Fingerprint,
        number: u64,
    ) -> Result<()> {
        let path = self.number_file(ledger, key);
        create_directories(path.parent().unwrap_or(&path))?;
        replace(&path, 0o644, format!("{number}\n").as_bytes())
    }

    fn number_file(&self, ledger: &Digest, key: &Fingerprint) -> PathBuf {
        let key = data_encoding::HEXLOWER.encode(key.as_bytes());
        self.notes_dir().join("numbers").join(format!("{ledger}-{key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn what_was_given_out_is_read_back_and_rubbish_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        gix::init_bare(directory.path()).expect("a repository");
        let repository = Repository::open(directory.path()).expect("opens");
        let (ledger, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let key = SecretKey::from_seed(&[7; 32]).public().fingerprint();
        let lock = repository.lock(std::time::Duration::ZERO).expect("free");
        assert_eq!(repository.given_number(&ledger, &key).expect("reads"), 0);
        repository.give_number(&lock, &ledger, &key, 7).expect("written");
        assert_eq!(repository.given_number(&ledger, &key).expect("reads"), 7);
        assert_eq!(repository.given_number(&other, &key).expect("reads"), 0);
        for rubbish in ["", "7", "x\n"] {
            std::fs::write(repository.number_file(&ledger, &key), rubbish).expect("written");
            let found = repository.given_number(&ledger, &key).err().map(|e| e.code());
            assert_eq!(found, Some(Code::Malformed), "{rubbish:?}");
        }
    }
}
