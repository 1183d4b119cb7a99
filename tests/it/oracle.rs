//! The C2SP formats against two implementations by others, `signed_note` and `tlog_tiles`: theirs read by us, ours by
//! them. They are a program of their own, `tests/oracle`, built here. Cosignatures, which neither has, against Python's
//! `cryptography`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use base64ct::{Base64, Encoding};
use fix7_ledger::digest::Digest;
use fix7_ledger::keys::{SecretKey, Signer};
use fix7_ledger::merkle;
use fix7_ledger::time::Timestamp;
use fix7_ledger::tlog::checkpoint::{self, Checkpoint};
use fix7_ledger::tlog::note::{NoteSignature, Role, VerifierKey};
use fix7_ledger::tlog::tile;

use crate::harness::{Ran, Scratch};

const ORIGIN: &str = "example.com/ledger";

fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/oracle");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root.join("tests/oracle/Cargo.toml"));
        let built = cargo.arg("--target-dir").arg(&target).status().expect("cargo starts");
        assert!(built.success(), "tests/oracle does not build");
        target.join("debug/oracle")
    })
}

fn oracle(scratch: &Scratch, arguments: &[&str]) -> Ran {
    scratch.program(".", program().to_str().expect("UTF-8"), arguments)
}

fn signer(seed: u8) -> Signer<'static> {
    SecretKey::from_seed(&[seed; 32]).into()
}

fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|n| merkle::leaf_hash(format!("leaf {n}").as_bytes())).collect()
}

fn text(digests: &[Digest]) -> String {
    digests.iter().map(|digest| format!(" {}", Base64::encode_string(digest.as_bytes()))).collect()
}

#[test]
fn they_open_our_checkpoint_and_we_open_theirs() {
    let scratch = Scratch::new();
    let head = Checkpoint::new(ORIGIN, 7, merkle::root(&leaves(7))).expect("a head");
    let key = |seed| VerifierKey::new(ORIGIN, Role::Log, signer(seed).public()).expect("a key");
    let ours = checkpoint::sign(&head, &signer(9)).expect("signed").to_text();
    scratch.write("ours", &ours);
    let opened = oracle(&scratch, &["note", &key(9).to_string(), "ours"]).ok().stdout;
    assert_eq!(opened.trim_end(), format!("{ORIGIN} 7{}", text(&[head.root()])));
    assert_ne!(oracle(&scratch, &["note", &key(8).to_string(), "ours"]).exit, 0);
    scratch.write("changed", ours.replace("\n7\n", "\n8\n"));
    assert_ne!(oracle(&scratch, &["note", &key(9).to_string(), "changed"]).exit, 0);

    // PRIVATE+KEY+<name>+<id>+base64(type ‖ seed)
    let seed = Base64::encode_string(&[&[1u8][..], &[9; 32]].concat());
    let secret = format!("PRIVATE+KEY+{ORIGIN}+{}+{seed}", data_encoding::HEXLOWER.encode(&key(9).id()));
    scratch.write("text", head.to_text());
    let theirs = oracle(&scratch, &["sign", &secret, "text"]).ok().stdout;
    assert_eq!(theirs, ours, "ed25519 is deterministic: there is one note");
    assert_eq!(checkpoint::open(&theirs, &key(9)).expect("opens").0, head);
    assert!(checkpoint::open(&theirs, &key(8)).is_err());
}

#[test]
fn roots_proofs_and_tiles_are_the_same() {
    let scratch = Scratch::new();
    for size in [1u64, 2, 3, 7, 8, 9, 33, 64, 65, 255, 256, 257, 300] {
        let all = leaves(size);
        let root = merkle::root(&all);
        let mut ours = format!("root {size}{}\n", text(&[root]));
        let mut to_check = String::new();
        for n in 0..all.len() {
            let record = merkle::inclusion_proof(&all, n).expect("within");
            let grown = merkle::consistency_proof(&all, n + 1).expect("within");
            ours += &format!("record {n} {}\n", text(&record).trim_start());
            ours += &format!("tree {} {}\n", n + 1, text(&grown).trim_start());
            let top = text(&[root]);
            to_check += &format!("record {size}{top} {n}{}{}\n", text(&all[n..=n]), text(&record));
            let before = merkle::root(&all[..=n]);
            to_check += &format!("tree {size}{top} {}{}{}\n", n + 1, text(&[before]), text(&grown));
        }
        let theirs = oracle(&scratch, &["tree", &size.to_string()]).ok().stdout;
        let proofs: String =
            theirs.lines().filter(|l| !l.starts_with("tile")).map(|l| format!("{l}\n")).collect();
        assert_eq!(proofs, ours, "size {size}");
        scratch.write("proofs", &to_check);
        assert_eq!(oracle(&scratch, &["check", "proofs"]).ok().stdout, format!("{}\n", 2 * size));
        if size > 2 {
            scratch.write("proofs", to_check.replacen(&text(&[root]), &text(&all[..1]), 1));
            assert_ne!(oracle(&scratch, &["check", "proofs"]).exit, 0, "another root");
        }
        for (tile, bytes) in tile::build(&all) {
            let hashes: Vec<String> = bytes.chunks(32).map(Base64::encode_string).collect();
            let line = format!("tile/{}/{} {} {}", tile.level, tile.width, tile.index, hashes.join(" "));
            assert!(theirs.lines().any(|theirs| theirs == line), "size {size}: {}", tile.path());
        }
    }
}

#[test]
fn they_verify_our_cosignatures_and_we_verify_theirs() {
    let Some(python) = std::env::var_os("FIX7_TEST_PYTHON") else {
        panic!("run the tests with ./test (FIX7_TEST_PYTHON is not set)");
    };
    let scratch = Scratch::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cosignature.py");
    let (python, script) = (python.to_str().expect("UTF-8"), script.to_str().expect("UTF-8"));
    let other = |arguments: &[&str]| scratch.program(".", python, &[&[script], arguments].concat());
    let head = Checkpoint::new(ORIGIN, 7, merkle::root(&leaves(7))).expect("a head");
    let time = "2026-11-23T08:00:00Z".parse::<Timestamp>().expect("a time");
    let witness = "witness.example/w";
    let key = |seed| VerifierKey::new(witness, Role::Witness, signer(seed).public()).expect("a key");
    let signed = checkpoint::sign(&head, &signer(9)).expect("signed");
    let mut ours = signed.clone();
    ours.add(checkpoint::cosign(&head, witness, &signer(5), time).expect("cosigned")).expect("room");
    scratch.write("ours", ours.to_text());
    let verify = |key: &VerifierKey, file: &str| other(&["verify", &key.to_string(), file]);
    assert_eq!(verify(&key(5), "ours").ok().stdout.trim(), time.unix_seconds().to_string());
    assert_ne!(verify(&key(6), "ours").exit, 0, "another witness' key");
    scratch.write("changed", ours.to_text().replace("\n7\n", "\n8\n"));
    assert_ne!(verify(&key(5), "changed").exit, 0, "another size");

    scratch.write("text", head.to_text());
    let seed = "05".repeat(32);
    let made = other(&["sign", witness, &seed, &time.unix_seconds().to_string(), "text"]).ok().stdout;
    let (their_key, line) = made.trim_end().split_once('\n').expect("a key and a line");
    assert_eq!(their_key, key(5).to_string());
    let mut theirs = signed.clone();
    theirs.add(NoteSignature::parse(line).expect("a line")).expect("room");
    assert_eq!(checkpoint::cosigned_at(&theirs, &key(5)).expect("reads"), Some(time));
    assert_eq!(theirs.to_text(), ours.to_text(), "ed25519 is deterministic: there is one note");
    assert_eq!(checkpoint::cosigned_at(&theirs, &key(6)).expect("reads"), None);
    // Their signature for another moment under our head.
    let later = other(&["sign", witness, &seed, "1", "text"]).ok().stdout;
    let (_, later) = later.trim_end().split_once('\n').expect("a line");
    let (stamp, body) = (&line[..line.len() - 88], &later[later.len() - 88..]);
    let mut mixed = signed;
    mixed.add(NoteSignature::parse(&format!("{stamp}{body}")).expect("a line")).expect("room");
    assert!(checkpoint::cosigned_at(&mixed, &key(5)).is_err(), "another time than the one that was signed");
}
