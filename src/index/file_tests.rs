//! Damaged files, and files that are not this repository's own.

use std::path::Path;

use super::tests::{Twins, same, usual};
use super::*;
use crate::state::fixture::*;
use crate::state::{Index as _, IndexError, State};

fn file(notes: &Path) -> std::path::PathBuf {
    let own = std::fs::read_dir(notes).expect("read").next().expect("a directory").expect("read").path();
    let files = std::fs::read_dir(own).expect("read").map(|entry| entry.expect("read").path());
    files.filter(|path| path.extension().is_some_and(|e| e == "sqlite")).max().expect("a file")
}

/// The same with nothing open, so that the file holds all of it.
fn at_rest() -> Twins {
    let mut twins = usual();
    twins.state = State::default();
    settle(&twins);
    twins
}

/// Moves the log into the file, which otherwise happens every few appends.
fn settle(twins: &Twins) {
    let db = rusqlite::Connection::open(file(twins.directory.path())).expect("opens");
    let moved = db.query_row("PRAGMA wal_checkpoint", [], |row| row.get::<_, i64>(0));
    assert_eq!(moved, Ok(0), "nobody writes");
}

#[test]
fn the_log_is_left_where_it_is_and_read_from_there() {
    let mut twins = usual();
    twins.state = State::default();
    let log = file(twins.directory.path()).with_extension("sqlite-wal");
    assert!(log.metadata().expect("a log").len() > 0);
    let size = twins.index.view(None).expect("opens").size();
    assert_eq!(size, twins.book.entries.len() as u64);
}

#[test]
fn a_long_log_is_moved_once_nobody_reads_it() {
    let twins = at_rest();
    let path = file(twins.directory.path());
    let log = || path.with_extension("sqlite-wal").metadata().map_or(0, |log| log.len());
    let size = twins.book.entries.len() as u64;
    // As a first index is written: while the writer reads.
    let reader = twins.index.view(None).expect("opens");
    let db = rusqlite::Connection::open(&path).expect("opens");
    while log() < 2 << 20 {
        db.execute_batch("PRAGMA user_version = 9; PRAGMA user_version = 1").expect("written");
    }
    drop(db);
    let long = log();
    assert_eq!(twins.index.view(None).expect("opens").size(), size);
    assert_eq!(log(), long, "somebody reads an earlier moment");
    drop(reader);
    assert_eq!(twins.index.view(None).expect("opens").size(), size);
    assert_eq!(log(), 0);
}

/// Asks everything that a verb asks; any answer must be the right one.
fn ask(twins: &Twins, view: &View) -> Result<usize, IndexError> {
    let mut right = 0;
    let Ok(resumed) = view.resume(u64::MAX) else { return Ok(right) };
    if resumed.size > 0 {
        same_or_unread(&resumed.state, &twins.past[resumed.size as usize])?;
    }
    for (seq, leaf) in twins.book.leaves.iter().enumerate() {
        let line = view.line(seq as u64)?;
        right += usize::from(line.is_some());
        assert!(line.is_none_or(|line| line.leaf == *leaf));
    }
    let found = view.search(&Wanted::default(), u64::MAX, 1000)?;
    assert!(found.len() as u64 == view.size());
    Ok(right)
}

fn same_or_unread(state: &State, book: &Book) -> Result<(), IndexError> {
    let (one, other) = (state.records(), book.state.records());
    for leaf in &book.leaves {
        assert_eq!(one.record(leaf)?, other.record(leaf)?);
    }
    for once in &other.added().used {
        assert!(one.used(once)?, "what was used is used");
    }
    for who in [ANN, BOB, EVE] {
        assert_eq!(state.open_grants(&print(who))?, book.state.open_grants(&print(who))?);
        assert_eq!(one.signed(&print(who), 0)?, other.signed(&print(who), 0)?);
    }
    assert_eq!(state.rehearsals()?, book.state.rehearsals()?);
    Ok(())
}

#[test]
fn a_damaged_byte_gives_no_wrong_answer() {
    let twins = at_rest();
    let path = file(twins.directory.path());
    let good = std::fs::read(&path).expect("read");
    // Written over in place: the file stays the one that was born here.
    let write = |bytes: &[u8]| {
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
        let file = std::fs::File::options().write(true).open(&path).expect("opens");
        file.set_len(bytes.len() as u64).expect("cut");
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0).expect("written");
    };
    let (mut noticed, mut sound) = (0, 0);
    for blow in 0..250usize {
        let mut bytes = good.clone();
        let at = blow.wrapping_mul(2_654_435_761) % bytes.len();
        bytes[at] ^= 1 << (blow % 8);
        write(&bytes);
        let view = twins.index.view(None);
        match view.map_err(IndexError::from).and_then(|view| ask(&twins, &view)) {
            Ok(right) if right == twins.book.leaves.len() => sound += 1,
            _ => noticed += 1,
        }
    }
    assert!(noticed > 20 && sound > 20, "{noticed} noticed, {sound} without consequence");
    for length in [0, 1, 100, 4096, good.len() / 2] {
        write(&good[..length]);
        let view = twins.index.view(None);
        assert!(view.map_err(IndexError::from).and_then(|view| ask(&twins, &view)).is_err(), "{length}");
    }
    write(&good);
    let mut twins = twins;
    twins.resume();
    twins.compare();
}

#[test]
fn only_a_file_that_was_born_here_counts() {
    use std::os::unix::fs::PermissionsExt as _;
    let twins = at_rest();
    let notes = twins.directory.path();
    let size = |ledger: &str| Index::open(notes, ledger).expect("opens").view(None).expect("opens").size();
    let whole = twins.book.entries.len() as u64;
    assert_eq!(size("main"), whole);
    // A copy in the place of the original, and one under another ledger's name.
    let path = file(notes);
    std::fs::copy(&path, path.with_file_name("other.1.sqlite")).expect("copied");
    assert_eq!(size("other"), 0);
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).expect("moved");
    assert_eq!(size("main"), 0);
    // The original under the next number counts again, until others may write to it or to its directory.
    let next = path.with_file_name("main.9.sqlite");
    std::fs::rename(&aside, &next).expect("moved");
    assert_eq!(size("main"), whole);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode")
    };
    let directory = next.parent().expect("a directory").to_owned();
    mode(&directory, 0o770);
    assert_eq!(size("main"), 0, "a directory that others write to is made anew");
    assert!(!next.exists());
    let twins = at_rest();
    let path = file(twins.directory.path());
    mode(&path, 0o644);
    let size = |twins: &Twins| {
        Index::open(twins.directory.path(), "main").expect("opens").view(None).expect("opens").size()
    };
    assert_eq!(size(&twins), whole, "reading harms nobody");
    mode(&path, 0o664);
    assert_eq!(size(&twins), 0);
}

#[test]
fn one_that_is_found_damaged_is_mended_in_the_middle() {
    let (twins, sound) = (usual(), usual());
    settle(&twins);
    let path = file(twins.directory.path());
    let view = sound.index.view(None).expect("opens");
    let mended = twins.index.view(Some(Box::new(move || Ok(view.clone())))).expect("opens");
    let state = mended.resume(u64::MAX).expect("a state").state;
    // Every page but the first is gone; what SQLite holds in memory may still answer, and rightly.
    let file = std::fs::File::options().write(true).open(&path).expect("opens");
    let length = file.metadata().expect("its length").len();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; length as usize - 4096], 4096).expect("written");
    same(&state, &twins.book);
    assert!(!path.exists(), "the damaged one is taken away");
}
