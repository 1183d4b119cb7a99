//! A small ledger made through the binary, once a test process; every test gets a copy of its own.
//!
//! ```text
//! keys/olga (owner)  keys/anna (operator)  keys/lola (log)  keys/wanda, keys/wim (witnesses)  keys/mallory (nobody)
//! small.db  plan/  packet/  packet.run.json
//! work ── origin ──► server.git (pre-receive)        #0 genesis · #1 grant · #2 rehearsal · #3 grant, unspent
//! ```
//!
//! The copy is held in memory, so that nothing is left on the disk when the process ends.
#![allow(dead_code)] // not every topic needs every builder

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fix7_ledger::entry::StoredEntry;
use fix7_ledger::keys::{SecretKey, Signer};
use fix7_ledger::ledger::{LedgerRef, Repository};

use crate::harness::{Ran, Scratch};

/// The ref of the ledger.
pub const REF: &str = "refs/heads/fix7-ledger/main";
/// The database: enough for every leg to have something to change.
pub const SCHEMA: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL);
     INSERT INTO item(name, price) VALUES ('a', 1.5), ('b', NULL), ('c', 3);
     CREATE INDEX item_name ON item(name);";

/// A file (bytes and mode) or a directory.
enum Node {
    File(Vec<u8>, u32),
    Directory,
}

static MADE: OnceLock<Vec<(String, Node)>> = OnceLock::new();

/// One test's copy.
pub struct Stage {
    pub scratch: Scratch,
}

impl Stage {
    /// A copy of the ledger with its clone, server and packet.
    pub fn new() -> Stage {
        let scratch = Scratch::new();
        for (path, node) in MADE.get_or_init(make) {
            let path = scratch.path(path);
            match node {
                Node::Directory => fs::create_dir_all(&path).expect("a directory"),
                Node::File(bytes, mode) => {
                    fs::write(&path, bytes).expect("a file");
                    fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("its mode");
                }
            }
        }
        Stage { scratch }
    }

    /// Runs the binary.
    #[track_caller]
    pub fn us(&self, arguments: &[&str]) -> Ran {
        self.scratch.run(arguments)
    }

    /// Runs git in a directory of the stage.
    #[track_caller]
    pub fn git(&self, directory: &str, arguments: &[&str]) -> Ran {
        self.scratch.git(directory, arguments)
    }

    /// Runs a line of shell in a directory of the stage.
    #[track_caller]
    pub fn sh(&self, directory: &str, script: &str) -> Ran {
        self.scratch.program(directory, "sh", &["-c", script])
    }

    /// What `verify` says of a repository that nobody verified before.
    #[track_caller]
    pub fn verify(&self, repo: &str) -> Ran {
        self.us(&["verify", "--repo", repo, "--forget", "--json"])
    }

    /// Demands that `verify` ends with this exit and has this code among its reasons.
    #[track_caller]
    pub fn verify_says(&self, repo: &str, exit: i32, code: &str) {
        let ran = self.verify(repo).exits(exit);
        assert!(ran.codes().iter().any(|found| found == code), "{code} is not in {}", ran.stdout);
    }

    /// What a ref names.
    #[track_caller]
    pub fn tip(&self, repo: &str) -> String {
        self.git(repo, &["rev-parse", REF]).ok().stdout.trim().to_owned()
    }

    /// The tip's commit object, as stored.
    #[track_caller]
    pub fn commit(&self, repo: &str, name: &str) -> Vec<u8> {
        self.git(repo, &["cat-file", "commit", name]).ok().stdout.into_bytes()
    }

    /// Stores bytes as a commit object, whatever they are.
    #[track_caller]
    pub fn store(&self, repo: &str, commit: &[u8]) -> String {
        self.store_as(repo, "commit", commit)
    }

    /// Stores bytes as an object of some type, whatever they are.
    #[track_caller]
    pub fn store_as(&self, repo: &str, kind: &str, bytes: &[u8]) -> String {
        let file = self.scratch.write("hostile-object", bytes);
        let file = file.to_str().expect("UTF-8").to_owned();
        let arguments = ["hash-object", "-t", kind, "-w", "--literally", &file];
        self.git(repo, &arguments).ok().stdout.trim().to_owned()
    }

    /// Points the ledger's ref at an object, as an attacker with the repository in hand would.
    #[track_caller]
    pub fn point(&self, repo: &str, id: &str) {
        self.git(repo, &["update-ref", REF, id]).ok();
    }

    /// Puts a hostile commit in the place of the tip.
    #[track_caller]
    pub fn replace_tip(&self, repo: &str, commit: &[u8]) -> String {
        let id = self.store(repo, commit);
        self.point(repo, &id);
        id
    }

    /// Writes the `allowed_signers` of the ledger in `work` and gives git's option that names it.
    #[track_caller]
    pub fn signers(&self) -> String {
        let text = self.us(&["export", "allowed-signers", "--repo", "work"]).ok().stdout;
        format!("gpg.ssh.allowedSignersFile={}", self.scratch.write("signers", text).display())
    }

    /// What `git verify-commit` says under the ledger's own signers.
    #[track_caller]
    pub fn stock(&self, repo: &str, id: &str) -> Ran {
        let signers = self.signers();
        self.git(repo, &["-c", &signers, "verify-commit", id])
    }

    /// Demands that stock git calls a commit good.
    #[track_caller]
    pub fn stock_says_good(&self, repo: &str, id: &str) {
        self.stock(repo, id).ok().says("Good \"git\" signature for ");
    }

    /// The entries of a ledger, read in this process.
    pub fn entries(&self, repo: &str) -> Vec<StoredEntry> {
        let repository = Repository::open(&self.scratch.path(repo)).expect("opens");
        let ledger = LedgerRef::named("main").expect("a name");
        let tip = repository.ledger_tip(&ledger).expect("reads").expect("a tip");
        let reader = repository.reader();
        let chain = reader.read_chain(&tip).expect("a chain");
        chain.iter().map(|oid| reader.read_entry(oid).expect("an entry")).collect()
    }

    /// The file of the index in a git directory: the newest one.
    pub fn index(&self, git: &str) -> PathBuf {
        let notes = self.scratch.path(git).join("fix7-ledger");
        let below = |directory: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(directory).into_iter().flatten();
            entries.map(|entry| entry.expect("an entry").path()).collect()
        };
        let own = |path: &PathBuf| {
            path.is_dir() && path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("index-"))
        };
        let files = below(&notes).into_iter().filter(own).flat_map(|directory| below(&directory));
        files.filter(|path| path.extension().is_some_and(|e| e == "sqlite")).max().expect("an index")
    }

    /// The secret half of a key of the stage.
    pub fn signer(&self, name: &str) -> Signer<'static> {
        let text = fs::read_to_string(self.scratch.path(&format!("keys/{name}"))).expect("a key");
        SecretKey::from_openssh(&text, None).expect("reads").into()
    }

    /// Issues a grant for anna in a clone.
    #[track_caller]
    pub fn grant(&self, repo: &str) -> Ran {
        self.us(&["grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga", "--json"])
    }

    /// Records the packet in a clone.
    #[track_caller]
    pub fn record(&self, repo: &str) -> Ran {
        self.us(&["record", "--repo", repo, "--packet", "packet", "--key", "keys/anna", "--json"])
    }
}

/// A database, a plan for it, keys, a clone with its server, and a ledger with one rehearsal.
fn make() -> Vec<(String, Node)> {
    let scratch = Scratch::new();
    scratch.database("small.db", SCHEMA);
    scratch.run(&["plan", "new", "plan"]).ok();
    for name in ["olga", "anna", "mallory", "lola", "wanda", "wim"] {
        scratch.run(&["key", "new", name, "--dir", "keys", "--no-passphrase"]).ok();
    }
    scratch.git(".", &["init", "-q", "--template=", "--bare", "-b", "main", "server.git"]).ok();
    scratch.git(".", &["init", "-q", "--template=", "-b", "main", "work"]).ok();
    scratch.git("work", &["remote", "add", "origin", "../server.git"]).ok();
    scratch.run(&["hooks", "install", "--repo", "server.git", "--server"]).ok();
    let ids = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
    let log = ["--log", "lola=keys/lola", "--witness", "wanda=keys/wanda", "--witness", "wim=keys/wim"];
    scratch.run(&[&["init", "--repo", "work", "--name", "small"][..], &ids, &log].concat()).ok();
    let what = ["--source", "small.db", "--plan", "plan", "--out", "packet"];
    scratch.run(&[&["rehearse", "--repo", "work"][..], &what].concat()).ok();
    let stage = Stage { scratch };
    stage.grant("work").ok();
    stage.record("work").ok();
    stage.grant("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
    stage.verify("server.git").ok();
    let mut nodes = Vec::new();
    collect(stage.scratch.root(), "", &mut nodes);
    nodes
}

fn collect(directory: &Path, prefix: &str, into: &mut Vec<(String, Node)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{prefix}{name}");
        let facts = entry.metadata().expect("its facts");
        if facts.is_dir() {
            into.push((path.clone(), Node::Directory));
            collect(&entry.path(), &format!("{path}/"), into);
        } else {
            let bytes = fs::read(entry.path()).expect("its bytes");
            into.push((path, Node::File(bytes, facts.permissions().mode() & 0o7777)));
        }
    }
}
