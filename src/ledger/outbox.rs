//! The outbox: entries that stand on no ledger while a lost race is run again, kept until they stand on one.
//!
//! Owns: `fix7-ledger/outbox/` in the common directory, durable before the ledger's tip is moved away from an
//! entry. Must not: sign or place entries; what is kept is a statement with its signatures and files, without a
//! position.
//!
//! ```text
//! outbox/000000041-<commit id>/statement.json  statement.sig  packet/…      whole, or not there
//! outbox/tmp-…/                    being written or removed; a writer was killed: made anew, or removed by the next
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::durable::{create_directories, replace, sync_directory};
use super::error::{At as _, Error, Result};
use super::limits::{MAX_ENTRY_BYTES, MAX_FILE_BYTES, MAX_FILES_PER_ENTRY, MAX_TREE_DEPTH};
use super::lock::HostLock;
use super::repository::Repository;
use super::tree;
use crate::verdict::Code;

/// How the directory of an entry that is being written is called.
const UNFINISHED: &str = "tmp-";

/// One kept entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its directory.
    pub path: PathBuf,
    /// The files of its tree, by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Repository {
    /// Keeps an entry's files. `seq`: the position that it has now, for the order of what is kept.
    ///
    /// # Errors
    /// Where a file cannot be written; nothing with the final name is there then.
    pub fn keep(
        &self,
        _lock: &HostLock,
        seq: u64,
        oid: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<PathBuf> {
        let outbox = self.outbox();
        let (unfinished, path) =
            (outbox.join(format!("{UNFINISHED}{oid}")), outbox.join(format!("{seq:09}-{oid}")));
        if path.is_dir() {
            return Ok(path);
        }
        if unfinished.is_dir() {
            // Of a writer that was killed: it may hold halves of files.
            fs::remove_dir_all(&unfinished).at("remove", &unfinished)?;
        }
        for (name, bytes) in files {
            let place = unfinished.join(name);
            create_directories(place.parent().unwrap_or(&unfinished))?;
            replace(&place, 0o644, bytes)?;
        }
        fs::rename(&unfinished, &path).at("keep the entry as", &path)?;
        sync_directory(&outbox)?;
        Ok(path)
    }

    /// Everything that is kept, in the order that it had on its ledger.
    ///
    /// # Errors
    /// Where a file cannot be read, `PATH_FORBIDDEN`, `LIMIT_EXCEEDED`.
    pub fn kept(&self) -> Result<Vec<Kept>> {
        let outbox = self.outbox();
        if !outbox.is_dir() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for name in names(&outbox)? {
            let path = outbox.join(&name);
            if !name.starts_with(UNFINISHED) && path.is_dir() {
                let (mut files, mut left) = (BTreeMap::new(), MAX_ENTRY_BYTES);
                collect(&path, "", 1, &mut files, &mut left)?;
                found.push(Kept { path, files });
            }
        }
        Ok(found)
    }

    /// Takes an entry out of the outbox: it stands on a ledger.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn let_go(&self, _lock: &HostLock, kept: &Path) -> Result<()> {
        // Renamed first: a writer that is killed while it removes leaves no half of an entry under the entry's name.
        let outbox = self.outbox();
        let name = kept.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let going = outbox.join(format!("{UNFINISHED}{name}"));
        if going.is_dir() {
            fs::remove_dir_all(&going).at("remove", &going)?;
        }
        fs::rename(kept, &going).at("take out", kept)?;
        sync_directory(&outbox)?;
        // Whatever else is unfinished is of a writer that was killed: the lock is held here.
        for name in names(&outbox)?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            let left = outbox.join(name);
            fs::remove_dir_all(&left).at("remove", &left)?;
        }
        Ok(())
    }

    /// Where entries are kept.
    pub fn outbox(&self) -> PathBuf {
        self.notes_dir().join("outbox")
    }
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).at("list", directory)? {
        let name = entry.at("list", directory)?.file_name();
        let name = name.into_string().map_err(|name| {
            Error::found(Code::PathForbidden, directory.display(), name.to_string_lossy().escape_default())
        })?;
        found.push(name);
    }
    found.sort();
    Ok(found)
}

fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, Vec<u8>>,
    left: &mut u64,
) -> Result<()> {
    for name in names(directory)? {
        let path = directory.join(&name);
        let facts = path.symlink_metadata().at("look at", &path)?;
        if !tree::name_is_allowed(&name) || !(facts.is_dir() || facts.is_file()) || depth > MAX_TREE_DEPTH {
            return Err(Error::found(Code::PathForbidden, path.display(), "no file of an entry"));
        }
        let below = format!("{prefix}{name}");
        if facts.is_dir() {
            collect(&path, &format!("{below}/"), depth + 1, files, left)?;
            continue;
        }
        let limit = MAX_FILE_BYTES.min(*left);
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).at("read", &path)?;
        file.take(limit + 1).read_to_end(&mut bytes).at("read", &path)?;
        if bytes.len() as u64 > limit || files.len() == MAX_FILES_PER_ENTRY {
            let most = format_args!("{MAX_FILES_PER_ENTRY} files, {MAX_FILE_BYTES} bytes each");
            return Err(Error::expected(Code::LimitExceeded, path.display(), most, "more"));
        }
        *left -= bytes.len() as u64;
        files.insert(below, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_as_they_went_in_and_in_their_order() {
        let directory = tempfile::tempdir().expect("a directory");
        gix::init_bare(directory.path()).expect("a repository");
        let repository = Repository::open(directory.path()).expect("opens");
        let lock = repository.lock(std::time::Duration::ZERO).expect("free");
        assert_eq!(repository.kept().expect("none"), []);
        let files = |text: &str| {
            BTreeMap::from([
                ("statement.json".to_owned(), text.as_bytes().to_vec()),
                ("packet/plan/up.sql".to_owned(), b"select 1;\n".to_vec()),
            ])
        };
        for (seq, oid) in [(10, "bb"), (9, "cc"), (100, "aa")] {
            repository.keep(&lock, seq, oid, &files(oid)).expect("kept");
        }
        repository.keep(&lock, 9, "cc", &files("cc")).expect("kept twice is kept once");
        // What a killed writer left counts for nothing, and is in nobody's way.
        fs::create_dir_all(repository.outbox().join("tmp-dd/packet/half")).expect("made");
        let found = repository.kept().expect("reads");
        assert_eq!(found.iter().map(|k| k.files.clone()).collect::<Vec<_>>(), ["cc", "bb", "aa"].map(files));
        repository.keep(&lock, 101, "dd", &files("dd")).expect("kept");
        assert_eq!(repository.kept().expect("reads")[3].files, files("dd"));
        repository.let_go(&lock, &found[0].path).expect("removed");
        assert_eq!(repository.kept().expect("reads").len(), 3);
        std::os::unix::fs::symlink("/etc/passwd", found[1].path.join("link")).expect("a link");
        assert_eq!(repository.kept().err().map(|e| e.code()), Some(Code::PathForbidden));
    }
}
