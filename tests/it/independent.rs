//! What other people's programs say about what this one writes; each also says no to one changed byte.

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::harness::Ran;
use crate::stage::{REF, Stage};

/// The entries of the stage's ledger.
const ENTRIES: usize = 4;

/// Runs a script with the Python that has the independent libraries.
#[track_caller]
fn python(stage: &Stage, script: &str, arguments: &[&str]) -> Ran {
    let Ok(interpreter) = std::env::var("FIX7_TEST_PYTHON") else {
        panic!("run the tests with ./test (FIX7_TEST_PYTHON is not set)");
    };
    let file = stage.scratch.write("script.py", script).display().to_string();
    stage.scratch.program(".", &interpreter, &[&[file.as_str()][..], arguments].concat())
}

/// One entry's commit taken apart as SSHSIG wants it: the signed bytes and the armored signature.
fn payload_and_signature(commit: &str) -> (String, String) {
    let (head, message) = commit.split_once("\n\n").expect("headers and a message");
    let (mut signed, mut armor, mut in_armor) = (String::new(), String::new(), false);
    for line in head.lines() {
        in_armor = line.starts_with("gpgsig ") || (in_armor && line.starts_with(' '));
        let text = line.strip_prefix("gpgsig ").or(line.strip_prefix(' ')).unwrap_or(line);
        let into = if in_armor { &mut armor } else { &mut signed };
        into.push_str(text);
        into.push('\n');
    }
    (format!("{signed}\n{message}"), armor)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("ASCII")
}

/// One character of a text changed into another that is as good as it.
fn changed(text: &str) -> String {
    let (at, old) = text.char_indices().rev().find(|(_, c)| c.is_ascii_hexdigit()).expect("one to change");
    let new = if old == '0' { '1' } else { '0' };
    format!("{}{new}{}", &text[..at], &text[at + 1..])
}

#[test]
fn git_calls_every_entry_good_and_none_that_was_changed() {
    let stage = Stage::new();
    let signers = stage.signers();
    for n in 0..ENTRIES {
        let id = format!("{REF}~{n}");
        stage.stock_says_good("server.git", &id);
        let commit = changed(&text(stage.commit("server.git", &id)));
        let forged = stage.store("server.git", commit.as_bytes());
        let said = stage.stock("server.git", &forged);
        assert_ne!(said.exit, 0, "{}", said.stderr);
    }
    let log = |end: &str| {
        let ran =
            stage.git("server.git", &["-c", &signers, "log", "--show-signature", "--format=%G? %GS", end]);
        ran.ok().stdout
    };
    let grades =
        |log: &str| log.lines().filter(|l| l.starts_with("G ")).map(str::to_owned).collect::<Vec<_>>();
    let good = log(REF);
    assert_eq!(grades(&good), ["G olga", "G anna", "G olga", "G olga"]);
    assert_eq!(good.matches("Good \"git\" signature for ").count(), ENTRIES);
    let forged = changed(&text(stage.commit("server.git", REF)));
    let forged = log(&stage.store("server.git", forged.as_bytes()));
    assert_eq!(grades(&forged), ["G anna", "G olga", "G olga"], "the changed one is not among them");
    assert!(forged.contains("\nB ") || forged.starts_with("B "), "{forged}");
}

#[test]
fn git_finds_the_repository_whole_and_a_flipped_byte_in_it() {
    let stage = Stage::new();
    for repo in ["work", "server.git"] {
        let checked = stage.git(repo, &["fsck", "--full", "--strict", "--unreachable"]).ok();
        // The ledger is no branch to stand on: nothing else is there to be said.
        let said = checked.stderr.replace("notice: HEAD points to an unborn branch (main)\n", "");
        assert_eq!((checked.stdout.as_str(), said.as_str()), ("", ""), "{repo}");
    }
    let packs = std::fs::read_dir(stage.scratch.path("work/.git/objects/pack")).expect("packs");
    let pack = packs.map(|e| e.expect("a pack").path()).find(|p| p.extension().is_some_and(|e| e == "pack"));
    let pack = pack.expect("a pack");
    let mut bytes = std::fs::read(&pack).expect("its bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&pack).expect("removed");
    std::fs::write(&pack, bytes).expect("written");
    assert_ne!(stage.git("work", &["fsck", "--full", "--strict"]).exit, 0);
}

#[test]
fn ssh_keygen_verifies_the_position_and_refuses_another_text_name_or_purpose() {
    let stage = Stage::new();
    stage.signers();
    for n in 0..ENTRIES {
        let commit = text(stage.commit("server.git", &format!("{REF}~{n}")));
        let (payload, armor) = payload_and_signature(&commit);
        let author = commit.split("\nauthor ").nth(1).and_then(|l| l.split(' ').next()).expect("an author");
        stage.scratch.write("payload", &payload);
        stage.scratch.write("other", changed(&payload));
        stage.scratch.write("armor", &armor);
        let verify = |who: &str, purpose: &str, file: &str| {
            let line = format!("ssh-keygen -Y verify -f signers -I {who} -n {purpose} -s armor < {file}");
            stage.sh(".", &line)
        };
        verify(author, "git", "payload").ok().says("Good \"git\" signature");
        let other = if author == "anna" { "olga" } else { "anna" };
        for (who, purpose, file) in [
            (author, "git", "other"),
            (other, "git", "payload"),
            (author, "file", "payload"),
            ("eve", "git", "payload"),
        ] {
            assert_ne!(verify(who, purpose, file).exit, 0, "{who} {purpose} {file}");
        }
        let alone =
            |file: &str| stage.sh(".", &format!("ssh-keygen -Y check-novalidate -n git -s armor < {file}"));
        alone("payload").ok().says("Good \"git\" signature with ED25519 key SHA256:");
        assert_ne!(alone("other").exit, 0);
    }
}

#[test]
fn sha256sum_checks_the_manifest_and_the_tree_and_names_a_changed_file() {
    let stage = Stage::new();
    stage.us(&["show", "--repo", "server.git", "#2", "--extract", "out"]).ok();
    let check = |list: &str| stage.scratch.program("out", "sha256sum", &["--strict", "-c", list]);
    assert_eq!(stage.scratch.listing("out"), stage.scratch.listing("packet"), "what was recorded comes out");
    let listed = check("HASH_MANIFEST.txt").ok();
    check("packet_tree.sha256").ok();
    let count = stage.scratch.listing("out").iter().filter(|(name, _)| !name.ends_with('/')).count();
    assert_eq!(listed.stdout.lines().count(), count - 2, "every file but the manifest and the tree");
    for (name, _) in stage.scratch.listing("out").iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = stage.scratch.path("out").join(name);
        let good = std::fs::read(&path).expect("there");
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, bad).expect("written");
        let (manifest, tree) = (check("HASH_MANIFEST.txt"), check("packet_tree.sha256"));
        assert!(manifest.exit != 0 || tree.exit != 0, "{name}");
        if !["HASH_MANIFEST.txt", "packet_tree.sha256"].contains(&name.as_str()) {
            manifest.exits(1).says(&format!("{name}: FAILED"));
        }
        std::fs::write(&path, good).expect("written");
    }
    check("HASH_MANIFEST.txt").ok();
}

/// A statement's signature as OpenSSL wants it: the key, the raw signature and the signed bytes.
fn for_openssl(stage: &Stage, n: usize) -> String {
    let show = |path: &str| stage.git("server.git", &["show", &format!("{REF}~{n}:{path}")]).ok().stdout;
    let (statement, signatures) = (show("statement.json"), show("statement.sig"));
    let signatures: Value = serde_json::from_str(&signatures).expect("JSON");
    let kind = signatures["payloadType"].as_str().expect("a type");
    let signature = Base64::decode_vec(signatures["signatures"][0]["sig"].as_str().expect("a signature"));
    stage.scratch.write("sig", signature.expect("base64"));
    stage.scratch.write("pae", format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len()));
    let author = stage.git("server.git", &["log", "-1", "--format=%an", &format!("{REF}~{n}")]).ok().stdout;
    let pem = stage.us(&["export", "pem", "--repo", "server.git", author.trim()]).ok().stdout;
    stage.scratch.write("key.pem", pem);
    statement
}

#[test]
fn openssl_verifies_every_statement_and_no_other() {
    let stage = Stage::new();
    let verify = "openssl pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile sig -in pae";
    for n in 0..ENTRIES {
        let statement = for_openssl(&stage, n);
        stage.sh(".", verify).ok().says("Signature Verified Successfully");
        // Without the envelope's frame nothing is signed.
        stage.scratch.write("pae", &statement);
        assert_ne!(stage.sh(".", verify).exit, 0);
        for_openssl(&stage, n);
        let pae = std::fs::read_to_string(stage.scratch.path("pae")).expect("there");
        stage.scratch.write("pae", changed(&pae));
        assert_ne!(stage.sh(".", verify).exit, 0);
    }
}

/// Verifies an envelope with a key and reads the statement in it.
const DSSE: &str = r#"
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

envelope, pem = (open(name, "rb").read() for name in sys.argv[1:3])
envelope = json.loads(envelope)
key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid=envelope["signatures"][0]["keyid"])
envelope = Envelope.from_dict(envelope)
envelope.verify([key], 1)
statement = Statement.copy_from_pb(json_format.Parse(envelope.payload, statement_pb2.Statement()))
statement.validate()
for subject in statement.pb.subject:
    print(subject.digest["sha256"], subject.name)
"#;

#[test]
fn securesystemslib_verifies_the_envelope_and_in_toto_reads_the_statement() {
    let stage = Stage::new();
    stage.us(&["show", "--repo", "server.git", "#2", "--extract", "out"]).ok();
    for n in 0..ENTRIES {
        for_openssl(&stage, ENTRIES - 1 - n);
        let dsse = stage.us(&["export", "dsse", "--repo", "server.git", &format!("#{n}")]).ok().stdout;
        stage.scratch.write("envelope", &dsse);
        let subjects = python(&stage, DSSE, &["envelope", "key.pem"]).ok().stdout;
        if n == 2 {
            // What is claimed is what is there, by a reader that knows nothing of packets.
            let list = subjects.replace(" packet/", "  ");
            stage.scratch.write("out/subjects", &list);
            stage.scratch.program("out", "sha256sum", &["--strict", "--quiet", "-c", "subjects"]).ok();
            let files =
                stage.scratch.listing("packet").iter().filter(|(name, _)| !name.ends_with('/')).count();
            assert_eq!(list.lines().count(), files);
        }
        let envelope: Value = serde_json::from_str(&dsse).expect("JSON");
        let payload = Base64::decode_vec(envelope["payload"].as_str().expect("a payload")).expect("base64");
        let mut other = envelope.clone();
        other["payload"] = Base64::encode_string(changed(&text(payload)).as_bytes()).into();
        stage.scratch.write("other", other.to_string());
        let refused = python(&stage, DSSE, &["other", "key.pem"]).exits(1);
        refused.says("VerificationError");
        let mallory = stage.signer("mallory").public().to_spki_pem();
        stage.scratch.write("mallory.pem", mallory);
        python(&stage, DSSE, &["envelope", "mallory.pem"]).exits(1).says("VerificationError");
    }
}

/// The README's steps 2 and 3 with nothing but a SHA-256: chain, root and content of every entry.
const CHAIN: &str = r#"
import hashlib, subprocess, sys

def git(*arguments):
    command = ["git", "--no-replace-objects", "-C", sys.argv[1], *arguments]
    return subprocess.run(command, check=True, capture_output=True, env={"GIT_GRAFT_FILE": "/dev/null", "PATH": sys.argv[2]}).stdout

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root(leaves[:half]), root(leaves[half:]))

leaves = []
for number, commit in enumerate(git("rev-list", "--reverse", "refs/heads/fix7-ledger/main").decode().split()):
    trailers = git("cat-file", "commit", commit).split(b"\n\n", 2)[2]
    fields = dict(line.split(": ", 1) for line in trailers.decode().splitlines())
    if number == 0:
        genesis = fields["Fix7-Statement"]
    prev = leaves[-1] if leaves else bytes(32)
    names = sorted(git("ls-tree", "-r", "-z", "--name-only", commit).split(b"\0")[:-1])
    files = {name: git("cat-file", "blob", commit.encode() + b":" + name) for name in names}
    content = b"".join(b"%s  %s\n" % (sha256(files[name]).hex().encode(), name) for name in names)
    expected = {
        "Fix7-Entry": "v1", "Fix7-Ledger": genesis, "Fix7-Seq": str(number),
        "Fix7-Prev": "sha256:" + prev.hex(), "Fix7-Root": "sha256:" + root(leaves).hex(),
        "Fix7-Content": "sha256:" + sha256(content).hex(),
        "Fix7-Statement": "sha256:" + sha256(files[b"statement.json"]).hex(),
    }
    for name, value in expected.items():
        if fields[name] != value:
            sys.exit("entry %d: %s is %s, and should be %s" % (number, name, fields[name], value))
    leaves.append(sha256(b"\x00", trailers))
print(len(leaves), root(leaves).hex())
"#;

#[test]
fn forty_lines_of_python_reach_the_same_root_and_find_a_changed_history() {
    let stage = Stage::new();
    let path = std::env::var("PATH").expect("a PATH");
    let chain = |repo: &str| stage.scratch.program(".", "python3", &["-c", CHAIN, repo, &path]);
    let report = stage.verify("server.git").ok().json();
    let root = report["report"]["head"]["root"].as_str().expect("a root").to_owned();
    assert_eq!(chain("server.git").ok().stdout, format!("{ENTRIES} {root}\n"));
    // A leaf is changed in the middle and everything after it put on top again: only digests can tell.
    let mut ids: Vec<String> = Vec::new();
    for n in (0..ENTRIES).rev() {
        let mut commit = text(stage.commit("server.git", &format!("{REF}~{n}")));
        if let Some(parent) = ids.last() {
            let old = stage.git("server.git", &["rev-parse", &format!("{REF}~{}", n + 1)]).ok().stdout;
            commit = commit.replacen(old.trim(), parent, 1);
        }
        if n == 2 {
            commit = changed(&commit);
        }
        ids.push(stage.store("server.git", commit.as_bytes()));
    }
    stage.point("server.git", &ids[ENTRIES - 1]);
    chain("server.git").exits(1).says("entry 2: Fix7-Prev");
}

/// Validates documents against the schemas with their names.
const SCHEMAS: &str = r#"
import json, sys
from jsonschema import Draft202012Validator

schemas, packet = sys.argv[1:3]
for name in sys.argv[3:]:
    schema = json.load(open(schemas + "/" + name + ".schema.json"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.load(open(packet + "/" + name + ".json")))
"#;

#[test]
fn jsonschema_accepts_every_document_and_refuses_an_unknown_field() {
    let stage = Stage::new();
    let statement = stage.git("server.git", &["show", &format!("{REF}~1:statement.json")]).ok().stdout;
    stage.scratch.write("packet/statement.json", statement);
    let schemas = format!("{}/ledger/schemas", env!("CARGO_MANIFEST_DIR"));
    let listing = stage.scratch.listing("packet");
    let json = listing.iter().filter(|(name, _)| !name.starts_with("plan/"));
    let names: Vec<&str> = json.filter_map(|(name, _)| name.strip_suffix(".json")).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    python(&stage, SCHEMAS, &[&[schemas.as_str(), "packet"][..], &names].concat()).ok();
    for name in names {
        let path = stage.scratch.path(&format!("packet/{name}.json"));
        let mut document: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("there")).expect("JSON");
        document["unheard_of"] = true.into();
        stage.scratch.write(&format!("bad/{name}.json"), document.to_string());
        python(&stage, SCHEMAS, &[&schemas, "bad", name]).exits(1).says("ValidationError");
    }
}
