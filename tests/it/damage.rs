//! Damage of every kind to a good entry, to git's objects and to this program's own notes: refused or found, never a panic.

use std::fs;

use fix7_ledger::entry::{StoredEntry, check};
use rayon::prelude::*;

use crate::stage::Stage;

/// Up to this many bytes of a file each one is damaged; larger files are sampled, so that the test stays short.
const SMALL: usize = 600;

/// Every damaged form of some bytes: a byte changed, an end cut off, a line dropped, a byte added.
fn damaged(good: &[u8], small: usize) -> impl ParallelIterator<Item = (String, Vec<u8>)> {
    let step = if good.len() <= small { 1 } else { good.len() / 100 };
    let flips = (0..good.len()).into_par_iter().step_by(step).map(|at| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        (format!("byte {at}"), bytes)
    });
    let cuts = (0..good.len())
        .into_par_iter()
        .step_by(step)
        .map(|end| (format!("{end} bytes"), good[..end].to_vec()));
    let lines: Vec<&[u8]> = good.split_inclusive(|b| *b == b'\n').collect();
    let count = lines.len();
    let dropped = (0..count).into_par_iter().map(move |skip| {
        let left: Vec<&[u8]> =
            lines.iter().enumerate().filter(|(n, _)| *n != skip).map(|(_, l)| *l).collect();
        (format!("without line {skip}"), left.concat())
    });
    let longer = rayon::iter::once(("one byte more".to_owned(), [good, b"\n"].concat()));
    flips.chain(cuts).chain(dropped).chain(longer)
}

fn holds(entry: &StoredEntry) -> bool {
    check(entry).verified.is_some()
}

#[test]
fn no_byte_prefix_or_line_of_a_commit_is_irrelevant() {
    let stage = Stage::new();
    for entry in stage.entries("server.git") {
        assert!(holds(&entry));
        let accepted: Vec<String> = damaged(&entry.commit, usize::MAX)
            .filter(|(_, commit)| holds(&StoredEntry { commit: commit.clone(), ..entry.clone() }))
            .map(|(what, _)| what)
            .collect();
        assert_eq!(accepted, Vec::<String>::new(), "commit {}", entry.oid);
    }
}

#[test]
fn no_byte_prefix_or_line_of_a_file_is_irrelevant() {
    let stage = Stage::new();
    let entry = stage.entries("server.git").swap_remove(2);
    assert!(holds(&entry) && entry.files.len() > 20);
    for (path, good) in &entry.files {
        let accepted: Vec<String> = damaged(good, SMALL)
            .filter(|(_, bytes)| {
                let mut other = entry.clone();
                other.files.insert(path.clone(), bytes.clone());
                holds(&other)
            })
            .map(|(what, _)| what)
            .collect();
        assert_eq!(accepted, Vec::<String>::new(), "{path}");
        let mut without = entry.clone();
        without.files.remove(path);
        assert!(!holds(&without), "without {path}");
    }
    let mut more = entry.clone();
    more.files.insert("packet/more.json".to_owned(), b"{}".to_vec());
    assert!(!holds(&more));
}

#[test]
fn a_flipped_byte_of_a_pack_is_never_verified_and_never_a_panic() {
    let stage = Stage::new();
    let packs = stage.packs("work/.git");
    let pack = packs.iter().max_by_key(|p| fs::metadata(p).expect("there").len()).expect("a pack");
    let good = fs::read(pack).expect("its bytes");
    let head = stage.verify("work").ok().json()["report"]["head"].clone();
    // What frames a pack (its count of objects, its own checksum) adds nothing to the objects' digests: where such a
    // byte is flipped the very same head is verified. Everywhere else it is refused.
    let (content, mut refused) = (good.len() - 20, 0);
    for at in (0..4).chain(8..24).chain((24..content).step_by(content / 12)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::remove_file(pack).expect("removed");
        fs::write(pack, bytes).expect("written");
        let ran = stage.verify("work");
        assert!(
            [0, 1, 3, 4].contains(&ran.exit),
            "byte {at}: exit {}\n{}\n{}",
            ran.exit,
            ran.stdout,
            ran.stderr
        );
        match ran.exit {
            0 => assert_eq!(ran.json()["report"]["head"], head, "byte {at}"),
            _ => refused += 1,
        }
        assert!(ran.exit != 0 || at < 12, "byte {at} of an object");
    }
    assert!(refused >= 20, "{refused}");
    for length in [0, 11, good.len() / 2] {
        fs::write(pack, &good[..length]).expect("written");
        let ran = stage.verify("work");
        assert!([1, 3, 4].contains(&ran.exit), "{length} bytes: exit {}\n{}", ran.exit, ran.stdout);
    }
    fs::write(pack, good).expect("written");
    stage.verify("work").ok();
}

#[test]
fn a_truncated_memory_of_heads_is_told_and_not_taken_for_none() {
    let stage = Stage::new();
    let heads = stage.scratch.path("server.git/fix7-ledger/heads.json");
    stage.us(&["verify", "--repo", "server.git"]).ok();
    let good = fs::read(&heads).expect("there");
    for length in [0, 1, good.len() / 2, good.len() - 1] {
        fs::write(&heads, &good[..length]).expect("written");
        let refused = stage.us(&["verify", "--repo", "server.git", "--json"]);
        assert_eq!((refused.exit, refused.codes()), (4, vec!["MALFORMED".to_owned()]), "{length} bytes");
    }
    fs::write(&heads, &good).expect("written");
    stage.us(&["verify", "--repo", "server.git"]).ok();
}
