//! The index is made again by itself, and no verb's answer depends on it: the same with a good one, a damaged one, a
//! stale one, somebody else's, and none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::stage::Stage;
use crate::synthesised::synthesised;

/// What the verbs say of the ledger in `work`.
fn answers(stage: &Stage) -> Vec<String> {
    let verbs: [&[&str]; 9] = [
        &["status"],
        &["log"],
        &["log", "--kind", "grant", "-n", "1"],
        &["log", "--by", "anna"],
        &["log", "--table", "item"],
        &["show", "2"],
        &["show", "grant-1"],
        &["blockers", "--history"],
        &["grant", "list"],
    ];
    let said = |verb: &[&str]| stage.us(&[verb, &["--repo", "work", "--json"]].concat()).ok().stdout;
    verbs.into_iter().map(said).collect()
}

/// The hook's word about a push of everything in `work`, and that a grant can be appended.
fn goes_on(stage: &Stage) {
    stage.us(&["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"]).ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
}

fn damaged(stage: &Stage, how: &str, damage: impl Fn(&Path)) {
    let before = answers(stage);
    damage(&stage.index("work/.git"));
    assert_eq!(answers(stage), before, "{how}");
    damage(&stage.index("work/.git"));
    goes_on(stage);
}

#[test]
fn an_index_that_is_gone_damaged_or_cut_is_made_again() {
    let stage = Stage::new();
    damaged(&stage, "gone", |index| fs::remove_file(index).expect("removed"));
    damaged(&stage, "its directory gone", |index| {
        fs::remove_dir_all(index.parent().expect("a directory")).expect("removed");
    });
    for length in [0, 1, 4096, 10_000] {
        let cut = |index: &Path| {
            fs::File::options().write(true).open(index).expect("opens").set_len(length).expect("cut");
        };
        damaged(&stage, "cut", cut);
    }
    for blow in 0..12usize {
        let flip = |index: &Path| {
            let mut bytes = fs::read(index).expect("read");
            for at in (blow * 37..bytes.len()).step_by(997) {
                bytes[at] ^= 0x10;
            }
            let file = fs::File::options().write(true).open(index).expect("opens");
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).expect("written");
        };
        let before = answers(&stage);
        flip(&stage.index("work/.git"));
        assert_eq!(answers(&stage), before, "blow {blow}");
    }
    damaged(&stage, "no database", |index| fs::write(index, "text").expect("written"));
}

#[test]
fn somebody_elses_index_is_not_believed() {
    let (stage, other) = (Stage::new(), Stage::new());
    answers(&other);
    damaged(&stage, "another ledger's", |index| {
        fs::copy(other.index("work/.git"), index).map(drop).expect("copied");
    });
    damaged(&stage, "a copy of its own", |index| {
        let bytes = fs::read(index).expect("read");
        fs::remove_file(index).expect("removed");
        fs::write(index, bytes).expect("written");
    });
    damaged(&stage, "one that others may write to", |index| {
        fs::set_permissions(index, fs::Permissions::from_mode(0o666)).expect("its mode");
    });
    damaged(&stage, "a directory that others may write to", |index| {
        let directory = index.parent().expect("a directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("its mode");
    });
    damaged(&stage, "a link", |index| {
        let aside = index.with_extension("aside");
        fs::rename(index, &aside).expect("moved");
        std::os::unix::fs::symlink(&aside, index).expect("a link");
    });
}

#[test]
fn a_stale_index_follows_the_ledger_forwards_backwards_and_aside() {
    let stage = Stage::new();
    let start = (stage.tip("work"), answers(&stage));
    goes_on(&stage);
    let ahead = (stage.tip("work"), answers(&stage));
    assert_ne!(start.1, ahead.1);
    for (tip, said) in [&start, &ahead, &start] {
        stage.point("work", tip);
        assert_eq!(&answers(&stage), said);
    }
    // Another entry in the place of the last one, and back.
    stage
        .us(&[
            "grant",
            "issue",
            "--repo",
            "work",
            "--operator",
            "anna",
            "--key",
            "keys/olga",
            "--id",
            "aside",
        ])
        .ok();
    let aside = (stage.tip("work"), answers(&stage));
    for (tip, said) in [&ahead, &aside, &start, &aside, &ahead] {
        stage.point("work", tip);
        assert_eq!(&answers(&stage), said);
    }
    goes_on(&stage);
}

#[test]
fn a_repository_that_cannot_be_written_to_is_read_all_the_same() {
    let stage = Stage::new();
    let before = answers(&stage);
    let notes = stage.scratch.path("work/.git/fix7-ledger");
    let own = stage.index("work/.git").parent().expect("a directory").to_owned();
    fs::remove_dir_all(&own).expect("removed");
    // A file where the directory would stand cannot be told from a directory that nobody may make, for root either.
    let aside = stage.scratch.path("notes-aside");
    fs::rename(&notes, &aside).expect("moved");
    fs::write(&notes, "no directory").expect("a file");
    assert_eq!(answers(&stage), before);
    assert!(notes.is_file());
    fs::remove_file(&notes).expect("removed");
    fs::rename(&aside, &notes).expect("moved back");
    goes_on(&stage);
}

/// A log that is read while it is written is never moved into the file: it took fifteen times the file's size.
#[test]
fn an_index_that_was_made_leaves_no_long_log() {
    let (s, _) = synthesised(1200, 0);
    s.run(&["status", "--repo", "repo.git"]).ok();
    let sizes = |ending: &str| -> Vec<u64> {
        let directories = std::fs::read_dir(s.path("repo.git/fix7-ledger")).expect("notes").flatten();
        let own = directories.filter(|d| d.file_name().to_string_lossy().starts_with("index-"));
        let files = own.flat_map(|d| std::fs::read_dir(d.path()).expect("an index")).flatten();
        let named = files.filter(|f| f.file_name().to_string_lossy().ends_with(ending));
        named.map(|f| f.metadata().expect("its size").len()).collect()
    };
    let file = sizes(".sqlite")[0];
    assert!(file > 1 << 20, "{file} bytes: long enough to show it");
    assert!(sizes("-wal").iter().all(|log| *log < file / 4), "{:?} beside {file}", sizes("-wal"));
}
