//! Reading a plan's directory, and writing the template.
//!
//! Owns: which files of a directory are taken: plain files, no links, within the limits. Must not: know
//! what is in them ([`Plan::parse`] does).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::error::RehearseError;
use crate::evidence::Plan;
use crate::evidence::plan::{MAX_FILE_BYTES, MAX_FILES};
use crate::verdict::{Code, Reason};

/// Why a directory is not a plan: every fault at once.
pub type Faults = Vec<Reason>;

/// Reads the plan in `directory`. Nothing in it may be a link, a directory or larger than the limits.
///
/// # Errors
/// The faults of the directory, or of what the files say.
pub fn read(directory: &Path) -> Result<Plan, Faults> {
    let files = files(directory).map_err(|error| error.reasons().to_vec())?;
    Plan::parse(files)
}

/// The files in `directory`, not looked into.
///
/// # Errors
/// A link, a directory, a name or a size that no plan has.
pub fn files(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, RehearseError> {
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(directory).map_err(|e| RehearseError::file(directory, "the plan", &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| RehearseError::file(directory, "the plan", &e))?;
        let path = entry.path();
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            return Err(RehearseError::refused(
                Code::PathForbidden,
                path.display(),
                "a name that is not UTF-8",
            ));
        };
        // One more than allowed is enough to be refused with the right reason.
        if files.len() > MAX_FILES {
            let reason = Reason::new(Code::LimitExceeded, directory.display());
            return Err(RehearseError::new(reason.values(format_args!("at most {MAX_FILES} files"), "more")));
        }
        let bytes = plain_file(&path, MAX_FILE_BYTES as u64)?;
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The bytes of a plain file that is no link and holds at most `limit` bytes.
pub(super) fn plain_file(path: &Path, limit: u64) -> Result<Vec<u8>, RehearseError> {
    // NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map(fs::File::from).map_err(|errno| {
        if errno == rustix::io::Errno::LOOP {
            return RehearseError::refused(Code::PathForbidden, path.display(), "a symbolic link");
        }
        RehearseError::file(path, "cannot be opened", &io::Error::from(errno))
    })?;
    let facts = file.metadata().map_err(|e| RehearseError::file(path, "cannot be looked at", &e))?;
    if !facts.is_file() {
        return Err(RehearseError::refused(Code::PathForbidden, path.display(), "not a plain file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| RehearseError::file(path, "cannot be read", &e))?;
    if bytes.len() as u64 > limit {
        let reason = Reason::new(Code::LimitExceeded, path.display());
        return Err(RehearseError::new(reason.values(format_args!("at most {limit} bytes"), "more")));
    }
    Ok(bytes)
}

/// Writes the template into `directory`, which is made, or is empty.
///
/// # Errors
/// The directory is not empty, or cannot be written.
pub fn write_template(directory: &Path) -> Result<Vec<String>, RehearseError> {
    let failed = |e: io::Error| RehearseError::file(directory, "cannot be written", &e);
    fs::create_dir_all(directory).map_err(failed)?;
    if fs::read_dir(directory).map_err(failed)?.next().is_some() {
        return Err(RehearseError::refused(
            Code::AlreadyExists,
            directory.display(),
            "the directory is not empty",
        ));
    }
    let template = Plan::template();
    for (name, text) in &template {
        let path = directory.join(name);
        let write =
            fs::File::create_new(&path).and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
        write.map_err(|e| RehearseError::file(&path, "cannot be written", &e))?;
    }
    Ok(template.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(faults: &Faults) -> Code {
        faults.first().expect("a fault").code
    }

    #[test]
    fn the_template_is_a_plan_and_is_never_written_over_one() {
        let place = tempfile::tempdir().expect("a scratch directory");
        let directory = place.path().join("plan");
        let names = write_template(&directory).expect("a new directory");
        assert!(names.contains(&"plan.toml".to_owned()));
        read(&directory).expect("the template is valid as it stands");
        let again = write_template(&directory).expect_err("refused");
        assert_eq!(again.code(), Code::AlreadyExists);
    }

    #[test]
    fn links_pipes_and_directories_are_refused() {
        let place = tempfile::tempdir().expect("a scratch directory");
        let directory = place.path().join("plan");
        write_template(&directory).expect("a new directory");
        let up = directory.join("up.sql");
        let elsewhere = place.path().join("elsewhere.sql");
        fs::rename(&up, &elsewhere).expect("moves");
        std::os::unix::fs::symlink(&elsewhere, &up).expect("links");
        assert_eq!(code(&read(&directory).expect_err("a link")), Code::PathForbidden);
        fs::remove_file(&up).expect("removes");
        fs::create_dir(&up).expect("makes");
        assert_eq!(code(&read(&directory).expect_err("a directory")), Code::PathForbidden);
        fs::remove_dir(&up).expect("removes");
        fs::rename(&elsewhere, &up).expect("moves back");
        read(&directory).expect("accepted again");
    }
}
