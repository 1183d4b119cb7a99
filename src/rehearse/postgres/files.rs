//! The files of a stopped cluster: their manifest, and the snapshot that is put back.
//!
//! Owns: which files count, and copying them. Must not: look at a cluster whose server runs.
//!
//! ```text
//! line       path, kind, mode, size, SHA-256     sorted by path; links are refused (a tablespace lies elsewhere)
//! left out   postmaster.opts, postmaster.pid     they name the last server, and are no state
//! manifest   H(lines…)
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hasher};
use crate::rehearse::RehearseError;
use crate::verdict::Code;

const LEFT_OUT: [&str; 2] = ["postmaster.opts", "postmaster.pid"];
/// Mode bits that count.
const MODE: u32 = 0o7777;

/// The manifest's digest.
pub(super) fn manifest(data: &Path) -> Result<Digest, RehearseError> {
    let mut hasher = Hasher::labelled("fix7/bytes/pgcluster/manifest/v1");
    walk(data, data, &mut |relative, path, facts| {
        hasher.framed(relative.as_os_str().as_encoded_bytes());
        hasher.update(&[u8::from(facts.is_dir())]);
        hasher.update(&(facts.mode() & MODE).to_be_bytes());
        if facts.is_file() {
            let (sha256, size) = Digest::of_reader(File::open(path)?)?;
            hasher.update(&size.to_be_bytes());
            hasher.update(sha256.as_bytes());
        }
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Copies a data directory, file by file, and shares blocks where the file system can.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), RehearseError> {
    let made = |path: &Path, mode: u32| fs::DirBuilder::new().mode(mode & MODE).create(path);
    let failed = |e: io::Error| RehearseError::file(from, "the cluster cannot be copied", &e);
    made(to, fs::symlink_metadata(from).map_err(failed)?.mode()).map_err(failed)?;
    walk(from, from, &mut |relative, path, facts| match facts.is_dir() {
        true => made(&to.join(relative), facts.mode()),
        false => fs::copy(path, to.join(relative)).map(drop),
    })
}

/// Removes a data directory.
pub(super) fn remove(data: &Path) -> Result<(), RehearseError> {
    fs::remove_dir_all(data).map_err(|e| RehearseError::file(data, "the cluster cannot be removed", &e))
}

type Visit<'v> = &'v mut dyn FnMut(&Path, &Path, &fs::Metadata) -> io::Result<()>;

/// Visits everything below `directory`, a directory before what is in it, names in the order of their bytes.
fn walk(top: &Path, directory: &Path, visit: Visit<'_>) -> Result<(), RehearseError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |e: io::Error| RehearseError::file(&path, "the cluster's file", &e)
    };
    let entries = fs::read_dir(directory).map_err(failed(directory))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(failed(directory))?;
    paths.sort();
    for path in paths {
        let facts = fs::symlink_metadata(&path).map_err(failed(&path))?;
        let relative = path.strip_prefix(top).unwrap_or(&path);
        if LEFT_OUT.iter().any(|name| relative == Path::new(name)) {
            continue;
        }
        if !facts.is_dir() && !facts.is_file() {
            let found =
                "a link or a special file in a data directory: tablespaces elsewhere cannot be rehearsed";
            return Err(RehearseError::refused(Code::PathForbidden, relative.display(), found));
        }
        visit(relative, &path, &facts).map_err(failed(&path))?;
        if facts.is_dir() {
            walk(top, &path, visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_same_manifest_and_any_change_another() {
        let top = tempfile::tempdir().expect("a directory");
        let (data, copied) = (top.path().join("data"), top.path().join("copied"));
        fs::create_dir_all(data.join("base/1")).expect("directories");
        fs::write(data.join("base/1/2"), "rows").expect("a file");
        fs::write(data.join("postmaster.opts"), "volatile").expect("a file that does not count");
        copy(&data, &copied).expect("a copy");
        let manifest = |path: &Path| manifest(path).expect("a manifest");
        assert_eq!(manifest(&data), manifest(&copied));
        fs::write(copied.join("base/1/2"), "rowz").expect("one byte");
        assert_ne!(manifest(&data), manifest(&copied));
        std::os::unix::fs::symlink("/etc", data.join("pg_tblspc")).expect("a link");
        assert_eq!(super::manifest(&data).expect_err("a link").code(), Code::PathForbidden);
    }
}
