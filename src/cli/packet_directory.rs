//! Reading a packet's directory, and writing one whole or not at all.
//!
//! Owns: which files are taken: plain files two levels deep, no links, within the limits. Must not: judge them.

use std::fs;
use std::path::{Path, PathBuf};

use super::answer::Failure;

use crate::packet::{Files, LOCK, MANIFEST, MAX_FILE_BYTES, MAX_FILES, ROLLBACK};
use crate::verdict::{Code, Reason, Verdict};

/// Reads the packet in `directory`.
pub(super) fn read(directory: &Path) -> Result<Files, Failure> {
    // Of another directory every file would be a fault of its own. A packet that lacks some of these is judged as one.
    if directory.is_dir() && ![MANIFEST, LOCK, ROLLBACK].iter().any(|name| directory.join(name).is_file()) {
        let found = "it is not there: a packet is a directory that `fix7-ledger rehearse --out` wrote";
        return Err(Failure::because(Code::FileMissing, directory.join(MANIFEST).display(), found));
    }
    let mut entries = Vec::new();
    let mut verdict = Verdict::default();
    collect(directory, "", &mut entries, &mut verdict)?;
    let (files, faults) = Files::collect(entries);
    verdict.merge(faults);
    match verdict.accepted() {
        true => Ok(files),
        false => Err(verdict.into()),
    }
}

fn collect(
    directory: &Path,
    prefix: &str,
    into: &mut Vec<(String, Vec<u8>)>,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let failed = |path: &Path, e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    for entry in fs::read_dir(directory).map_err(|e| failed(directory, e))? {
        let path = entry.map_err(|e| failed(directory, e))?.path();
        let shown = path.display().to_string();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = path.symlink_metadata().map_err(|e| failed(&path, e))?.file_type();
        if into.len() > MAX_FILES {
            return Err(Reason::new(Code::LimitExceeded, directory.display())
                .values(format!("at most {MAX_FILES} files"), "more")
                .into());
        }
        match (kind.is_file(), kind.is_dir(), prefix.is_empty()) {
            (true, _, _) => into
                .push((format!("{prefix}{name}"), super::surroundings::read(&path, MAX_FILE_BYTES as u64)?)),
            (_, true, true) => collect(&path, &format!("{name}/"), into, verdict)?,
            _ => verdict.push(
                Reason::new(Code::PathForbidden, shown)
                    .found("a packet holds plain files, one directory deep"),
            ),
        }
    }
    Ok(())
}

/// Writes a packet into `directory`, which must not exist: first beside it, then renamed, so that nobody
/// ever sees half of one.
pub(super) fn write(directory: &Path, files: &Files) -> Result<(), Failure> {
    vacant(directory)?;
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, directory.display(), e);
    let parent =
        directory.parent().filter(|p| !p.as_os_str().is_empty()).map_or(PathBuf::from("."), Path::to_owned);
    let beside = tempfile::Builder::new().prefix(".fix7-packet-").tempdir_in(parent).map_err(failed)?;
    for (path, bytes) in files.iter() {
        let place = beside.path().join(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = fs::File::create_new(&place).map_err(failed)?;
        std::io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    #[cfg(unix)]
    {
        // The scratch directory is private; the packet is for everybody to read.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    fs::rename(beside.path(), directory).map_err(failed)?;
    // What is renamed away need not be removed.
    let _ = beside.keep();
    Ok(())
}

/// Demands that nothing stands at `directory` yet: asked before any work is done.
pub(super) fn vacant(directory: &Path) -> Result<(), Failure> {
    match directory.symlink_metadata() {
        Ok(_) => {
            Err(Failure::because(Code::AlreadyExists, directory.display(), "a packet is never written over"))
        }
        Err(_) => Ok(()),
    }
}
