//! The clone: a private copy in a fresh directory, and the facts that show it.
//!
//! Owns: the checks of R16 (mode, links, owner, local file system, space) and bringing the copy to rest.
//! Must not: touch the source.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::RehearseError;
use super::child::{Answer, Question, Settled};
use super::legs::unexpected;
use super::room::Room;
use super::source::{Copied, JOURNAL_MAGIC, Source, remove, with_suffix};
use crate::digest::Digest;
use crate::evidence::lock::CloneFacts;
use crate::verdict::{Code, Reason};

/// Free space asked for, as a multiple of the source: the clone, its snapshot and what the change writes.
const SPACE_FACTOR: u64 = 3;
/// Free space asked for besides, in bytes: journals and side files of small databases.
const SPACE_FLOOR: u64 = 4 << 20;
/// `f_type` of file systems on this machine's own disks and memory (statfs(2)). A network file system has
/// other machines writing beside it, and its locks and flushes are promises.
#[cfg(target_os = "linux")]
const LOCAL: &[i64] = &[
    0xEF53,      // ext2, ext3, ext4
    0x9123_683E, // btrfs
    0x5846_5342, // xfs
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0x794C_7630, // overlayfs
    0x2FC1_2FC1, // zfs
    0xF2F5_2010, // f2fs
    0xCA45_1A4E, // bcachefs
    0x3153_464A, // jfs
];

/// Refuses where the source would not fit three times.
///
/// # Errors
/// `OUT_OF_SPACE`, or the directory cannot be looked at.
pub fn demand_space(directory: &Path, size: u64) -> Result<(), RehearseError> {
    let found = rustix::fs::statvfs(directory).map_err(|errno| {
        RehearseError::file(directory, "no free space can be read", &io::Error::from(errno))
    })?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = size.saturating_mul(SPACE_FACTOR).saturating_add(SPACE_FLOOR);
    if free >= needed {
        return Ok(());
    }
    let reason = Reason::new(Code::OutOfSpace, directory.display());
    Err(RehearseError::new(reason.values(format_args!("{needed} bytes free"), free)))
}

/// The copy, at rest.
#[derive(Debug)]
pub struct Clone {
    /// How it came about.
    pub copied: Copied,
    /// What the engine said of it.
    pub settled: Settled,
    /// The facts for the lock.
    pub facts: CloneFacts,
    /// `st_dev` and `st_ino` of its main file.
    pub identity: (u64, u64),
    /// `f_type` of its file system.
    pub file_system: String,
}

/// Copies the source into the room and brings the copy to rest: journals played back, WAL moved into the
/// main file, no side file left.
///
/// # Errors
/// The source changes or cannot be read, the directory is not private, the copy is no sound database.
pub fn make(source: &Source, room: &mut Room<'_>) -> Result<Clone, RehearseError> {
    let path = room.clone_path();
    let copied = source.copy_to(&path)?;
    let settled = match room.ask(&Question::Settle { path: path.clone() })? {
        Answer::Settled(settled) => settled,
        other => return Err(unexpected(other)),
    };
    drop_spent_journal(&path)?;
    let base = room.bytes()?;
    let (facts, identity, file_system) = facts(&room.directory, &path, copied.set.set, base)?;
    Ok(Clone { copied, settled, facts, identity, file_system })
}

/// A journal that is not hot (PERSIST leaves one, its header zeroed) belongs to no state of the database:
/// the next transaction would delete it and seem to change the file set.
fn drop_spent_journal(path: &Path) -> Result<(), RehearseError> {
    let journal = with_suffix(path, "-journal");
    match fs::read(&journal) {
        Ok(bytes) if bytes.starts_with(&JOURNAL_MAGIC) => {
            Err(RehearseError::refused(Code::Unreadable, "the clone", "its journal could not be played back"))
        }
        Ok(_) => remove(&journal),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RehearseError::file(&journal, "cannot be read", &error)),
    }
}

pub(super) fn facts(
    directory: &Path,
    path: &Path,
    set: Digest,
    base: Digest,
) -> Result<(CloneFacts, (u64, u64), String), RehearseError> {
    let failed = |e: io::Error| RehearseError::file(path, "the clone", &e);
    let holder = fs::symlink_metadata(directory).map_err(failed)?;
    let main = fs::symlink_metadata(path).map_err(failed)?;
    let mode = holder.permissions().mode() & 0o7777;
    let facts = CloneFacts {
        set,
        base,
        directory_mode: format!("{mode:04o}"),
        symlink_free: main.is_file() && directory.canonicalize().map_err(failed)? == directory,
        hard_links: main.nlink(),
        local_file_system: local(path)?.0,
        owned_by_operator: [&holder, &main].iter().all(|m| m.uid() == rustix::process::geteuid().as_raw()),
    };
    let object = Reason::new(Code::PathForbidden, "the clone's directory");
    let demand = |holds: bool, reason: Reason| if holds { Ok(()) } else { Err(RehearseError::new(reason)) };
    demand(mode == 0o700, object.clone().values("mode 0700", &facts.directory_mode))?;
    demand(facts.symlink_free, object.clone().found("a symbolic link on the way"))?;
    demand(facts.hard_links == 1, object.clone().values("1 hard link", facts.hard_links))?;
    demand(facts.owned_by_operator, object.clone().found("another user owns it"))?;
    let (is_local, name) = local(path)?;
    demand(
        is_local,
        object.found(format_args!("file system {name} is not known to be local to this machine")),
    )?;
    Ok((facts, (main.dev(), main.ino()), name))
}

#[cfg(target_os = "linux")]
fn local(path: &Path) -> Result<(bool, String), RehearseError> {
    let found = rustix::fs::statfs(path).map_err(|errno| {
        RehearseError::file(path, "its file system cannot be read", &io::Error::from(errno))
    })?;
    // The field's width differs from one architecture to the next.
    #[allow(clippy::unnecessary_cast)]
    let kind = found.f_type as i64 & 0xFFFF_FFFF;
    Ok((LOCAL.contains(&kind), format!("{kind:#x}")))
}

#[cfg(not(target_os = "linux"))]
fn local(_: &Path) -> Result<(bool, String), RehearseError> {
    Ok((false, "unknown".to_owned()))
}
