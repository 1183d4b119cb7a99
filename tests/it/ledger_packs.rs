//! Merging packs: nothing is lost, readers are not disturbed, other people's packs stay.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use fix7_ledger::ledger::Repository;

use crate::harness::Scratch;
use crate::ledger::{PATIENCE, REF, append, append_many, files, main_ledger};

fn packs(repository: &Path) -> Vec<String> {
    let names = fs::read_dir(repository.join("objects/pack")).expect("packs");
    let mut names: Vec<_> =
        names.map(|n| n.expect("a name").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|n| n.ends_with(".pack"));
    names.sort();
    names
}

fn read_all(repository: &Repository) -> usize {
    let tip = repository.ledger_tip(&main_ledger()).expect("reads").expect("a tip");
    let reader = repository.reader();
    let chain = reader.read_chain(&tip).expect("a chain");
    for (number, id) in chain.iter().enumerate() {
        assert_eq!(reader.read_entry(id).expect("an entry").files, files(number));
    }
    chain.len()
}

#[test]
fn many_small_packs_become_one_while_others_read_and_append() {
    const ENTRIES: usize = 300;
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
    let path = scratch.path("repo.git");
    let mut tip = append_many(&path, 1).pop();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // One handle all along: what it has open is taken away under its hands.
            let repository = Repository::open(&path).expect("opens");
            let mut rounds = 0;
            while !ended.load(Ordering::Relaxed) {
                rounds += usize::from(read_all(&repository) > 0);
            }
            rounds
        });
        let repository = Repository::open(&path).expect("opens");
        for number in 1..ENTRIES {
            tip = Some(append(&repository, number, tip).expect("appends"));
        }
        ended.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("the reader") > 1);
    });
    let repository = Repository::open(&path).expect("opens");
    repository.consolidate(&repository.lock(PATIENCE).expect("free")).expect("merges");
    assert!(packs(&path).len() < 256, "{} packs", packs(&path).len());
    assert_eq!(read_all(&repository), ENTRIES);
    scratch.git("repo.git", &["fsck", "--full", "--strict"]).ok();
    assert_eq!(scratch.git("repo.git", &["rev-list", "--count", REF]).ok().stdout, format!("{ENTRIES}\n"));
}

#[test]
fn packs_that_are_kept_damaged_or_have_deltas_stay() {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
    let path = scratch.path("repo.git");
    let chain = append_many(&path, 8);
    scratch.git("repo.git", &["repack", "-adfq", "--depth=50"]).ok();
    let deltas = packs(&path);
    let repository = Repository::open(&path).expect("opens");
    let mut tip = chain.last().copied();
    let mut appended = Vec::new();
    for number in 8..12 {
        let before = packs(&path);
        tip = Some(append(&repository, number, tip).expect("appends"));
        appended.extend(packs(&path).into_iter().filter(|p| !before.contains(p)));
    }
    let pack = |name: &str| path.join("objects/pack").join(name);
    fs::write(pack(&appended[0]).with_extension("keep"), "").expect("written");
    let damaged = pack(&appended[1]);
    let mut bytes = fs::read(&damaged).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&damaged).expect("removed");
    fs::write(&damaged, bytes).expect("written");
    let lock = repository.lock(PATIENCE).expect("free");
    assert_eq!(repository.consolidate(&lock).expect("looks"), 0, "too few to be worth it");
    let merged = repository.merge_packs_from(&lock, 2).expect("merges");
    assert_eq!(merged, 2, "the two that are whole and nobody keeps");
    let left = packs(&path);
    for stays in [&deltas[0], &appended[0], &appended[1]] {
        assert!(left.contains(stays), "{stays}");
    }
    assert_eq!(left.len(), 4, "{left:?}");

    scratch.git("repo.git", &["multi-pack-index", "write"]).says("");
    fs::write(path.join("objects/pack/multi-pack-index"), "x").expect("written");
    assert_eq!(repository.merge_packs_from(&lock, 2).expect("looks"), 0, "an index names the packs");
}
