//! The control child: unconfined, it shows that whatever is refused inside can be reached outside.
//!
//! Owns: the control's attempts, and the removal of the scratch directory when the parent was killed: it holds a copy of
//! somebody's database, and must not lie about. Must not: touch anything but the run's own listeners and directory.

use std::fs;
use std::io::{self, BufRead};
use std::os::unix::fs::MetadataExt;

use super::confine::{self, Out};
use super::probe;
use super::scratch;
use super::wire::{Setup, ToChild, ToParent};

pub(super) fn run(setup: &Setup, input: &mut impl BufRead, out: &mut Out) -> io::Result<()> {
    out.send(&ToParent::Started { pid: std::process::id() })?;
    loop {
        match confine::receive(input) {
            Ok(Some(ToChild::Attempt)) => out.send(&ToParent::Attempted(probe::control(setup)))?,
            Ok(Some(ToChild::Finish)) => return out.send(&ToParent::Ended),
            Ok(Some(_)) => return Err(io::Error::other("a message that is not for the control child")),
            Ok(None) | Err(_) => return remove(setup),
        }
    }
}

/// The parent ended without a word.
fn remove(setup: &Setup) -> io::Result<()> {
    let directory = &setup.scratch;
    let owned = fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw());
    if !owned || !scratch::is_scratch_name(directory) {
        return Ok(());
    }
    scratch::remove(directory)
}
