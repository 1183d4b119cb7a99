//! Where two histories of one ledger part: what is read for it lies behind that place, and nothing before it.

use std::path::Path;

use fix7_ledger::ledger::{Oid, Repository};
use fix7_ledger::verdict::Code;

use crate::harness::Scratch;
use crate::ledger::{REF, append, append_many, code};

struct Parted {
    scratch: Scratch,
    ours: Vec<Oid>,
    theirs: Vec<Oid>,
}

impl Parted {
    /// Two common entries, then three of ours, and `behind` of theirs.
    fn new(behind: usize) -> Parted {
        let scratch = Scratch::new();
        scratch.git(".", &["init", "-q", "--bare", "-b", "main", "repo.git"]).ok();
        let path = scratch.path("repo.git");
        let ours = append_many(&path, 5);
        scratch.git("repo.git", &["update-ref", REF, &ours[1].to_string()]).ok();
        let repository = Repository::open(&path).expect("opens");
        let mut theirs = ours[..2].to_vec();
        for number in 0..behind {
            theirs.push(append(&repository, 100 + number, theirs.last().copied()).expect("appends"));
        }
        Parted { scratch, ours, theirs }
    }

    fn repository(&self) -> Repository {
        Repository::open(&self.scratch.path("repo.git")).expect("opens")
    }
}

fn remove_first_pack(repository: &Path, genesis: &Oid) {
    let packs = std::fs::read_dir(repository.join("objects/pack")).expect("packs");
    let holds = |path: &Path| {
        let index = std::fs::read(path).expect("an index");
        index.windows(20).any(|bytes| bytes == genesis.as_slice())
    };
    for index in packs.map(|entry| entry.expect("a file").path()) {
        if index.extension().is_some_and(|e| e == "idx") && holds(&index) {
            std::fs::remove_file(index.with_extension("pack")).expect("removed");
            std::fs::remove_file(index).expect("removed");
        }
    }
}

#[test]
fn what_stands_apart_is_found_on_either_side_however_far_the_other_is() {
    for behind in [0, 1, 3, 9] {
        let parted = Parted::new(behind);
        let (ours, theirs) = (&parted.ours, &parted.theirs);
        let reader = parted.repository().reader();
        let apart = |a: &[Oid], b: &[Oid]| reader.read_chain_apart(&a[a.len() - 1], &b[b.len() - 1]);
        assert_eq!(apart(ours, theirs).expect("reads").as_deref(), Some(&ours[2..]), "{behind}");
        assert_eq!(apart(theirs, ours).expect("reads").as_deref(), Some(&theirs[2..]), "{behind}");
        assert_eq!(apart(ours, ours).expect("reads").as_deref(), Some(&[][..]));
        assert_eq!(apart(&ours[..1], ours).expect("reads").as_deref(), Some(&[][..]));
        assert_eq!(apart(ours, &ours[..1]).expect("reads").as_deref(), Some(&ours[1..]));
    }
}

#[test]
fn another_genesis_has_nothing_in_common() {
    let parted = Parted::new(1);
    parted.scratch.git("repo.git", &["update-ref", "-d", REF]).ok();
    let other = append(&parted.repository(), 500, None).expect("appends");
    let reader = parted.repository().reader();
    assert_eq!(reader.read_chain_apart(&parted.ours[4], &other).expect("reads"), None);
    assert_eq!(reader.read_chain_apart(&other, &parted.ours[4]).expect("reads"), None);
}

#[test]
fn nothing_before_the_parting_is_read() {
    let parted = Parted::new(3);
    remove_first_pack(&parted.scratch.path("repo.git"), &parted.ours[0]);
    let reader = parted.repository().reader();
    assert_eq!(code(reader.read_chain(&parted.ours[4])), Code::ObjectMissing, "the genesis is gone");
    let own = reader.read_chain_apart(&parted.ours[4], &parted.theirs[4]).expect("reads");
    assert_eq!(own.as_deref(), Some(&parted.ours[2..]));
}

#[test]
fn no_more_commits_are_read_than_may_be() {
    let parted = Parted::new(3);
    let reader = parted.repository().reader();
    let apart = |most| reader.read_chain_apart_up_to(&parted.ours[4], &parted.theirs[4], most);
    assert_eq!(code(apart(3)), Code::LimitExceeded, "three each, and where they part");
    assert_eq!(apart(4).expect("reads").as_deref(), Some(&parted.ours[2..]));
}
