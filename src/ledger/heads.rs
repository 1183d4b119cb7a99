//! The heads that this host has seen: what tells a rollback or a fork from an ordinary ledger.
//!
//! Owns: `fix7-ledger/heads.json` and `fix7-ledger/forks/` in the common directory. Must not: judge;
//! `verify` compares a remembered head with what is there.
//!
//! ```text
//! heads.json     {"awaited":{"refs/heads/fix7-ledger/main":[{"by":"kim","note":"<signed note>","root":…,"size":42}]},
//!                 "heads":{"refs/heads/fix7-ledger/main":{"head":{…},"oid":…}},"version":1}
//! forks/main-41-<leaf>-<leaf>.json     {"found":{…},"ledger":…,"seen":{…}}     never overwritten
//! forks/main-42-<root>-<note>.json     {"found":"<root>","ledger":…,"note":"<signed note>","size":42}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durable::{create_directories, replace};
use super::error::{At as _, Error, Result};
use super::lock::HostLock;
use super::repository::{LedgerRef, Repository, read_text};
use crate::canon;
use crate::digest::Digest;
use crate::verdict::Code;
use crate::verify::Head;

/// A head that this host verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenHead {
    /// The position, its leaf and the root.
    pub head: Head,
    /// The commit's git object id: a place to look, never an identity.
    pub oid: String,
}

/// A head that another auditor signed and that this copy has not reached: what comes must contain it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwaitedHead {
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// The name of the key that signed it.
    pub by: String,
    /// The signed note.
    pub note: String,
}

/// Most awaited heads of a ledger: the newest of as many auditors as anybody has.
const MAX_AWAITED: usize = 64;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    awaited: BTreeMap<String, BTreeSet<AwaitedHead>>,
    heads: BTreeMap<String, SeenHead>,
    version: u8,
}

/// Two heads that contradict each other, kept as proof.
#[derive(Debug, Serialize)]
struct Fork<'a> {
    found: &'a Head,
    ledger: &'a str,
    seen: &'a Head,
}

/// Somebody else's signed head beside the root that is here.
#[derive(Debug, Serialize)]
struct Split<'a> {
    found: &'a Digest,
    ledger: &'a str,
    note: &'a str,
    size: u64,
}

impl Repository {
    /// The last head of a ledger that this host verified. `None`: it has seen none.
    ///
    /// # Errors
    /// `MALFORMED` where the file is not one that this program writes: what was remembered is unknown then.
    pub fn remembered_head(&self, ledger: &LedgerRef) -> Result<Option<SeenHead>> {
        Ok(self.remembered()?.heads.remove(ledger.as_str()))
    }

    /// Remembers a verified head, durably. A head that is behind the remembered one changes nothing.
    ///
    /// # Errors
    /// As [`Repository::remembered_head`], and where the file cannot be written.
    pub fn remember_head(&self, _lock: &HostLock, ledger: &LedgerRef, head: &SeenHead) -> Result<()> {
        let mut remembered = self.remembered()?;
        if remembered.heads.get(ledger.as_str()).is_some_and(|known| known.head.seq >= head.head.seq) {
            return Ok(());
        }
        remembered.heads.insert(ledger.to_string(), head.clone());
        remembered.version = 1;
        self.write_note(&self.heads_file(), &remembered)
    }

    /// The heads of others that this copy has not reached yet, the nearest first.
    ///
    /// # Errors
    /// As [`Repository::remembered_head`].
    pub fn awaited_heads(&self, ledger: &LedgerRef) -> Result<Vec<AwaitedHead>> {
        let awaited = self.remembered()?.awaited.remove(ledger.as_str());
        Ok(awaited.unwrap_or_default().into_iter().collect())
    }

    /// Remembers the head of another auditor until this copy reaches it, durably.
    ///
    /// # Errors
    /// As [`Repository::remember_head`]; `LIMIT_EXCEEDED` where too many are awaited already.
    pub fn await_head(&self, _lock: &HostLock, ledger: &LedgerRef, head: AwaitedHead) -> Result<()> {
        let mut remembered = self.remembered()?;
        let awaited = remembered.awaited.entry(ledger.to_string()).or_default();
        if awaited.len() >= MAX_AWAITED && !awaited.contains(&head) {
            let most = format_args!("at most {MAX_AWAITED} awaited heads");
            return Err(Error::expected(Code::LimitExceeded, self.heads_file().display(), most, "more"));
        }
        awaited.insert(head);
        remembered.version = 1;
        self.write_note(&self.heads_file(), &remembered)
    }

    /// Forgets awaited heads that this copy has reached: the remembered head is behind them now.
    ///
    /// # Errors
    /// As [`Repository::remember_head`].
    pub fn reach_heads(&self, _lock: &HostLock, ledger: &LedgerRef, reached: &[AwaitedHead]) -> Result<()> {
        let mut remembered = self.remembered()?;
        if let Some(awaited) = remembered.awaited.get_mut(ledger.as_str()) {
            awaited.retain(|head| !reached.contains(head));
        }
        remembered.awaited.retain(|_, awaited| !awaited.is_empty());
        remembered.version = 1;
        self.write_note(&self.heads_file(), &remembered)
    }

    /// Keeps two heads that contradict each other. Gives the file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep_fork(&self, ledger: &LedgerRef, seen: &Head, found: &Head) -> Result<PathBuf> {
        let (old, new) = (seen.leaf.short(), found.leaf.short());
        let name = format!("{}-{}-{old}-{new}.json", ledger.name(), found.seq);
        let path = self.notes_dir().join("forks").join(name);
        if !path.exists() {
            self.write_note(&path, &Fork { found, ledger: ledger.as_str(), seen })?;
        }
        Ok(path)
    }

    /// Keeps another auditor's signed head that contradicts this copy, with the root that is here. Gives the file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep_split(&self, ledger: &LedgerRef, size: u64, root: &Digest, note: &str) -> Result<PathBuf> {
        let theirs = Digest::of(note.as_bytes());
        let name = format!("{}-{size}-{}-{}.json", ledger.name(), root.short(), theirs.short());
        let path = self.notes_dir().join("forks").join(name);
        if !path.exists() {
            self.write_note(&path, &Split { found: root, ledger: ledger.as_str(), note, size })?;
        }
        Ok(path)
    }

    fn heads_file(&self) -> PathBuf {
        self.notes_dir().join("heads.json")
    }

    fn remembered(&self) -> Result<Remembered> {
        let path = self.heads_file();
        let text = read_text(&path)?;
        if text.is_empty() && !path.exists() {
            return Ok(Remembered::default());
        }
        let malformed = |found: &dyn std::fmt::Display| Error::found(Code::Malformed, path.display(), found);
        let read: Remembered = canon::from_slice(text.as_bytes()).map_err(|e| malformed(&e))?;
        match read.version {
            1 => Ok(read),
            other => Err(malformed(&format_args!("version {other}"))),
        }
    }

    fn write_note<T: Serialize>(&self, path: &std::path::Path, value: &T) -> Result<()> {
        let bytes = canon::to_vec(value).map_err(std::io::Error::other).at("render", path)?;
        create_directories(path.parent().unwrap_or(path))?;
        replace(path, 0o644, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64, text: &str) -> SeenHead {
        let leaf = Digest::of(text.as_bytes());
        SeenHead { head: Head { seq, leaf, root: Digest::of(b"root") }, oid: "1".repeat(40) }
    }

    #[test]
    fn heads_only_go_forward_and_forks_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        gix::init_bare(directory.path()).expect("a repository");
        let repository = Repository::open(directory.path()).expect("opens");
        let (main, other) =
            (LedgerRef::named("main").expect("a name"), LedgerRef::named("other").expect("a name"));
        assert_eq!(repository.remembered_head(&main).expect("reads"), None);
        let lock = repository.lock(std::time::Duration::ZERO).expect("free");
        let remember =
            |ledger, head: &SeenHead| repository.remember_head(&lock, ledger, head).expect("written");
        remember(&main, &head(4, "a"));
        remember(&other, &head(1, "b"));
        remember(&main, &head(3, "c"));
        assert_eq!(repository.remembered_head(&main).expect("reads"), Some(head(4, "a")));
        remember(&main, &head(5, "d"));
        assert_eq!(repository.remembered_head(&main).expect("reads"), Some(head(5, "d")));
        assert_eq!(repository.remembered_head(&other).expect("reads"), Some(head(1, "b")));

        let kept = repository.keep_fork(&main, &head(5, "d").head, &head(5, "e").head).expect("kept");
        let proof = std::fs::read(&kept).expect("there");
        assert_eq!(repository.keep_fork(&main, &head(5, "d").head, &head(5, "e").head).expect("kept"), kept);
        assert_eq!(std::fs::read(&kept).expect("there"), proof);
        assert!(String::from_utf8_lossy(&proof).contains(&head(5, "e").head.leaf.to_string()));

        let awaited = |size| AwaitedHead {
            size,
            root: Digest::of(b"root"),
            by: "kim".to_owned(),
            note: "a note".to_owned(),
        };
        for size in [9, 7, 9] {
            repository.await_head(&lock, &main, awaited(size)).expect("written");
        }
        assert_eq!(repository.awaited_heads(&main).expect("reads"), [awaited(7), awaited(9)]);
        assert_eq!(repository.awaited_heads(&other).expect("reads"), []);
        repository.reach_heads(&lock, &main, &[awaited(7)]).expect("written");
        assert_eq!(repository.awaited_heads(&main).expect("reads"), [awaited(9)]);
        assert_eq!(repository.remembered_head(&main).expect("reads"), Some(head(5, "d")), "it stays");
        for size in 10.. {
            match repository.await_head(&lock, &main, awaited(size)) {
                Ok(()) => assert!(size < 9 + MAX_AWAITED as u64),
                Err(error) => {
                    assert_eq!(error.code(), Code::LimitExceeded);
                    break;
                }
            }
        }

        std::fs::write(repository.heads_file(), "{}").expect("written");
        assert_eq!(repository.remembered_head(&main).err().map(|e| e.code()), Some(Code::Malformed));
    }
}
