//! Opening a repository so that nothing but its own bytes decides what is read.
//!
//! Owns: the isolated way of opening (no environment, no user or system configuration, no replace refs,
//! no commit-graph), the ledger's ref names, and the report of what would make stock git show something
//! else than is stored. Must not: write.
//!
//! ```text
//! refs/heads/fix7-ledger/<name>      one ledger; <name> = [a-z0-9][a-z0-9-]{0,39}, `main` where none is named
//! <common dir>/fix7-ledger/          the host's own notes: lock, heads.json, forks/, outbox/, moving-<name>
//! ```

use std::path::{Path, PathBuf};

use gix::refs::Target;

use super::error::{At as _, Error, Result};
use super::limits::MAX_TEXT_FILE_BYTES;
use super::objects::{Oid, Reader, Stores};
use crate::verdict::{Code, Reason, Verdict};

/// Where ledgers stand. A branch, because hosts protect branches only.
pub const LEDGER_PREFIX: &str = "refs/heads/fix7-ledger/";

/// The full name of a ledger's ref.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerRef(String);

impl LedgerRef {
    /// The ref of the ledger called `name`.
    ///
    /// # Errors
    /// `REF_FORBIDDEN` for a name outside of the grammar.
    pub fn named(name: &str) -> Result<LedgerRef> {
        let lower = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=40).contains(&name.len())
            && name.bytes().all(|b| lower(&b) || b == b'-')
            && name.bytes().next().is_some_and(|b| lower(&b));
        match fits {
            true => Ok(LedgerRef(format!("{LEDGER_PREFIX}{name}"))),
            false => Err(Error::expected(
                Code::RefForbidden,
                format_args!("{LEDGER_PREFIX}{}", name.escape_default()),
                "lower-case letters, digits and `-`, 1 to 40 of them",
                name.escape_default(),
            )),
        }
    }

    /// Reads a full ref name. `None`: it is not the ref of a ledger.
    pub fn from_full_name(name: &str) -> Option<LedgerRef> {
        LedgerRef::named(name.strip_prefix(LEDGER_PREFIX)?).ok()
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.0[LEDGER_PREFIX.len()..]
    }
}

impl std::fmt::Display for LedgerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An opened repository.
pub struct Repository {
    pub(crate) git: gix::ThreadSafeRepository,
    pub(crate) stores: Stores,
    common_dir: PathBuf,
}

impl Repository {
    /// Opens the repository at `path`: a work tree, a bare repository or a linked work tree.
    ///
    /// # Errors
    /// `UNREADABLE` where there is none or it belongs to somebody else, `REPOSITORY_UNSUPPORTED` for
    /// reftable and SHA-256 repositories.
    pub fn open(path: &Path) -> Result<Repository> {
        Repository::open_with(path, &[])
    }

    /// Opens the repository that `path` stands in: itself, or the nearest directory above it.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn discover(path: &Path) -> Result<Repository> {
        let (found, _) = gix::discover::upwards(path)
            .map_err(|e| Error::found(Code::Unreadable, path.display(), chain_of(&e)))?;
        let (git_dir, work_tree) = found.into_repository_and_work_tree_directories();
        Repository::open(&work_tree.unwrap_or(git_dir))
    }

    /// Opens the repository with the objects of a push that is not accepted yet in front: the values of
    /// `GIT_QUARANTINE_PATH` or `GIT_OBJECT_DIRECTORY`, and of `GIT_ALTERNATE_OBJECT_DIRECTORIES`, as the
    /// hook got them. The repository's own object directory always follows.
    ///
    /// # Errors
    /// As [`Repository::open`], and where a named directory cannot be opened.
    pub fn open_quarantined(path: &Path, object_directories: &[PathBuf]) -> Result<Repository> {
        Repository::open_with(path, object_directories)
    }

    fn open_with(path: &Path, in_front: &[PathBuf]) -> Result<Repository> {
        let options = gix::open::Options::isolated().bail_if_untrusted(true).config_overrides([
            "core.useReplaceRefs=false",
            "core.commitGraph=false",
            "core.logAllRefUpdates=false",
        ]);
        let git = gix::ThreadSafeRepository::open_opts(path, options)
            .map_err(|e| Error::found(code_of_open(&e), path.display(), chain_of(&e)))?;
        let common_dir = git.common_dir.clone().unwrap_or_else(|| git.refs.git_dir().to_owned());
        let common_dir = common_dir.canonicalize().at("resolve", &common_dir)?;
        refuse_unsupported(&git, &common_dir)?;
        let own = common_dir.join("objects").canonicalize().at("resolve", &common_dir.join("objects"))?;
        let mut directories = Vec::new();
        for directory in in_front {
            let directory = directory.canonicalize().at("resolve", directory)?;
            if directory != own && !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        directories.push(own);
        let stores = Stores::open(&directories)?;
        Ok(Repository { git, stores, common_dir })
    }

    /// The directory that all work trees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where this program keeps its own notes about the repository. Made by whoever writes first.
    pub fn notes_dir(&self) -> PathBuf {
        self.common_dir.join("fix7-ledger")
    }

    /// A reader of objects for one thread.
    pub fn reader(&self) -> Reader {
        self.stores.reader()
    }

    /// Where a ref points, without following another ref. `None`: there is no such ref.
    ///
    /// # Errors
    /// `REF_FORBIDDEN` for a symbolic ref, `UNREADABLE` for one that cannot be read.
    pub fn tip(&self, name: &str) -> Result<Option<Oid>> {
        let unreadable = |e: &dyn std::fmt::Display| Error::found(Code::Unreadable, name.escape_default(), e);
        let full: &gix::refs::FullNameRef = name.try_into().map_err(|e| unreadable(&e))?;
        // `find` would also try prefixes: what it found must be what was asked for.
        let found = self.git.refs.try_find(full).map_err(|e| unreadable(&chain_of(&e)))?;
        match found {
            Some(found) if found.name.as_ref() == full => match found.target {
                Target::Object(id) => Ok(Some(id)),
                Target::Symbolic(other) => Err(Error::expected(
                    Code::RefForbidden,
                    name,
                    "a ref to a commit",
                    format_args!("a ref to {other}"),
                )),
            },
            _ => Ok(None),
        }
    }

    /// The tip of a ledger.
    ///
    /// # Errors
    /// As [`Repository::tip`].
    pub fn ledger_tip(&self, ledger: &LedgerRef) -> Result<Option<Oid>> {
        self.tip(ledger.as_str())
    }

    /// Every ref with the object it points to, symbolic ones left out.
    ///
    /// # Errors
    /// `UNREADABLE` where a ref cannot be read: no ref is ever skipped.
    pub fn refs(&self) -> Result<Vec<(String, Oid)>> {
        let local = self.git.to_thread_local();
        let unreadable = |e: gix::Error| Error::found(Code::Unreadable, "refs", chain_of(&e));
        let mut found = Vec::new();
        for reference in local.references().map_err(unreadable)?.all().map_err(unreadable)? {
            let reference = reference.map_err(unreadable)?;
            if let Target::Object(id) = &reference.inner.target {
                found.push((reference.inner.name.to_string(), *id));
            }
        }
        Ok(found)
    }

    /// The ledgers that are here, by name.
    ///
    /// # Errors
    /// As [`Repository::refs`].
    pub fn ledgers(&self) -> Result<Vec<(LedgerRef, Oid)>> {
        let refs = self.refs()?;
        Ok(refs.into_iter().filter_map(|(name, id)| Some((LedgerRef::from_full_name(&name)?, id))).collect())
    }

    /// The remotes' ledgers as they were fetched last, by name.
    ///
    /// # Errors
    /// As [`Repository::refs`].
    pub fn remote_ledgers(&self) -> Result<Vec<(LedgerRef, Oid)>> {
        let branch = |name: &str| {
            let (_remote, branch) = name.strip_prefix("refs/remotes/")?.split_once('/')?;
            LedgerRef::from_full_name(&format!("refs/heads/{branch}"))
        };
        Ok(self.refs()?.into_iter().filter_map(|(name, id)| Some((branch(&name)?, id))).collect())
    }

    /// What makes stock git show another history than the stored one, or leaves part of it out: a
    /// shallow clone, grafts, replace refs. None of them changes what this program reads.
    ///
    /// # Errors
    /// Where a ref cannot be read.
    pub fn conditions(&self) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        let shallow = read_text(&self.common_dir.join("shallow"))?;
        if shallow.lines().next().is_some() {
            let found = format_args!("{} commits without their parents", shallow.lines().count());
            verdict.push(Reason::new(Code::Shallow, "shallow").found(found));
        }
        let grafts = read_text(&self.common_dir.join("info/grafts"))?;
        let lines = grafts.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).count();
        if lines > 0 {
            verdict.push(Reason::new(Code::Grafts, "info/grafts").found(format_args!("{lines} lines")));
        }
        for (name, _) in self.refs()?.iter().filter(|(name, _)| name.starts_with("refs/replace/")) {
            verdict.push(Reason::new(Code::ReplaceRefs, name));
        }
        Ok(verdict)
    }
}

fn code_of_open(error: &gix::Error) -> Code {
    match error.is_unsupported() {
        true => Code::RepositoryUnsupported,
        false => Code::Unreadable,
    }
}

fn refuse_unsupported(git: &gix::ThreadSafeRepository, common_dir: &Path) -> Result<()> {
    let local = git.to_thread_local();
    let config = local.config_snapshot();
    let refused = |what: &str, value: &dyn std::fmt::Display| {
        Err(Error::expected(Code::RepositoryUnsupported, common_dir.display(), what, value))
    };
    match config.string("extensions.refStorage") {
        Some(storage) if !storage.eq_ignore_ascii_case(b"files") => {
            return refused("ref storage `files`", &storage);
        }
        _ if common_dir.join("reftable").is_dir() => return refused("ref storage `files`", &"reftable"),
        _ => {}
    }
    match config.string("extensions.objectFormat") {
        Some(format) if !format.eq_ignore_ascii_case(b"sha1") => refused("object format `sha1`", &format),
        _ => Ok(()),
    }
}

/// A text file of git's own that may be absent.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(e).at("read", path),
    };
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_TEXT_FILE_BYTES + 1), &mut text)
        .at("read", path)?;
    if text.len() as u64 > MAX_TEXT_FILE_BYTES {
        let most = format_args!("at most {MAX_TEXT_FILE_BYTES} bytes");
        return Err(Error::expected(Code::LimitExceeded, path.display(), most, "more"));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// An error and what caused it, in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
