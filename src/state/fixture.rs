//! A small ledger in memory, for tests: ann and abe own it, bob and eve operate, kim audits.

use std::collections::BTreeMap;

use super::{PacketFacts, State};
use crate::digest::Digest;
use crate::dsse::{self, Signatures};
use crate::entry::{Entry, GitId, StoredEntry, Unsigned, VerifiedEntry, check, content_digest, file_digests};
use crate::keys::{Fingerprint, SecretKey, Signer};
use crate::policy::Policy;
use crate::statement::{
    Genesis, Grant, KeyEntry, Label, Nonce, Outcome, Rehearsal, Role, Run, SIGNATURE_FILE, STATEMENT_FILE,
    Scope, Statement, Subjects,
};
use crate::time::Timestamp;

pub(crate) const ANN: u8 = 1;
pub(crate) const ABE: u8 = 2;
pub(crate) const BOB: u8 = 3;
pub(crate) const EVE: u8 = 4;
/// Owner and operator at once.
pub(crate) const ZOE: u8 = 5;
/// Not registered.
pub(crate) const MAL: u8 = 6;
/// Auditor.
pub(crate) const KIM: u8 = 7;

pub(crate) fn signer(who: u8) -> Signer<'static> {
    SecretKey::from_seed(&[who; 32]).into()
}

pub(crate) fn print(who: u8) -> Fingerprint {
    signer(who).public().fingerprint()
}

pub(crate) fn name(who: u8) -> Label {
    let text = ["nobody", "ann", "abe", "bob", "eve", "zoe", "mal", "kim"][who as usize];
    text.parse().expect("a label")
}

pub(crate) fn key(who: u8, roles: &[Role]) -> KeyEntry {
    KeyEntry {
        name: name(who),
        person: None,
        public: signer(who).public().clone(),
        roles: roles.iter().copied().collect(),
    }
}

pub(crate) fn nonce(n: u8) -> Nonce {
    Nonce::from_bytes([n; 16])
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_795_392_000 + seconds).expect("in range")
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        name: "orders".parse().expect("a label"),
        demo: false,
        owner_threshold: 1,
        keys: vec![
            key(ANN, &[Role::Owner]),
            key(ABE, &[Role::Owner]),
            key(BOB, &[Role::Operator]),
            key(EVE, &[Role::Operator]),
            key(ZOE, &[Role::Owner, Role::Operator]),
            key(KIM, &[Role::Auditor]),
        ],
    }
}

/// A ledger that grows: what each entry is made from can be bent before it is appended.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) state: State,
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) leaves: Vec<Digest>,
}

impl Book {
    pub(crate) fn new() -> Book {
        let mut book = Book { state: State::default(), entries: Vec::new(), leaves: Vec::new() };
        book.append(book.genesis_files(genesis(), &[ANN]), ANN);
        book
    }

    pub(crate) fn id(&self) -> Digest {
        self.state.ledger().expect("begun").id
    }

    pub(crate) fn genesis_files(&self, genesis: Genesis, by: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let policy = Policy::DEFAULT.to_vec();
        let statement = Statement::genesis(nonce(0), genesis, Digest::of(&policy)).expect("a statement");
        signed(&statement, by, BTreeMap::from([("policy.toml".into(), policy)]))
    }

    pub(crate) fn grant_files(&self, n: u8, grant: Grant, by: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let statement = Statement::grant(self.id(), nonce(n), grant).expect("a statement");
        signed(&statement, by, BTreeMap::new())
    }

    pub(crate) fn run_files(&self, n: u8, claim: Rehearsal, by: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let packet = packet();
        let subjects: Subjects = packet.iter().map(|(p, b)| (p.clone(), Digest::of(b))).collect();
        let statement = Statement::rehearsal(self.id(), nonce(n), claim, subjects).expect("a statement");
        signed(&statement, by, packet)
    }

    /// The entry that these files would make next.
    pub(crate) fn next(&self, files: BTreeMap<String, Vec<u8>>, by: u8, time: i64) -> StoredEntry {
        let statement = Statement::parse(&files[STATEMENT_FILE]).expect("a statement");
        let content = content_digest(&file_digests(&files));
        let leaf = self.state.next_leaf(&statement, content, print(by), at(time));
        let parent = self.entries.last().map(|e| e.oid.parse().expect("an id"));
        let unsigned =
            Unsigned::new(git_id(leaf.seq + 1000), parent, name(by), statement.claim().label().clone(), leaf);
        stored(unsigned.expect("fields that agree").sign(&signer(by)).expect("signed"), files)
    }

    /// Appends, and expects nothing to speak against it.
    pub(crate) fn append(&mut self, files: BTreeMap<String, Vec<u8>>, by: u8) -> Digest {
        let entry = self.next(files, by, self.entries.len() as i64);
        let verified = verified(&entry);
        let facts = verified.statement().kind().has_packet().then(facts);
        let admission = self.state.apply(&verified, facts.as_ref());
        assert!(admission.accepted(), "{:?}", admission.into_verdict());
        self.entries.push(entry);
        self.leaves.push(verified.leaf_hash());
        verified.leaf_hash()
    }

    /// A ledger with a grant, its rehearsal by bob, and eve's rerun.
    pub(crate) fn full() -> Book {
        let mut book = Book::new();
        let grant = book.append(book.grant_files(1, grant("grant-1", BOB), &[ANN]), ANN);
        let run = book.append(book.run_files(2, run("run-1", grant, None), &[BOB]), BOB);
        book.append(book.run_files(3, self::run("run-2", grant, Some(run)), &[EVE]), EVE);
        book
    }
}

pub(crate) fn git_id(n: u64) -> GitId {
    format!("{n:040x}").parse().expect("an id")
}

pub(crate) fn stored(entry: Entry, files: BTreeMap<String, Vec<u8>>) -> StoredEntry {
    StoredEntry { oid: git_id(entry.leaf().seq + 1).to_string(), commit: entry.to_bytes(), files }
}

pub(crate) fn verified(entry: &StoredEntry) -> VerifiedEntry {
    let checked = check(entry);
    let reasons = [&checked.object, &checked.content, &checked.signatures].map(|v| v.reasons().to_vec());
    checked.verified.unwrap_or_else(|| panic!("{reasons:?}"))
}

pub(crate) fn signed(
    statement: &Statement,
    by: &[u8],
    mut files: BTreeMap<String, Vec<u8>>,
) -> BTreeMap<String, Vec<u8>> {
    let signers: Vec<Signer<'_>> = by.iter().map(|who| signer(*who)).collect();
    let refs: Vec<&Signer<'_>> = signers.iter().collect();
    let signatures: Signatures = dsse::sign(statement.bytes(), &refs).expect("signed");
    files.insert(STATEMENT_FILE.into(), statement.bytes().to_vec());
    files.insert(SIGNATURE_FILE.into(), signatures.to_bytes());
    files
}

pub(crate) fn grant(id: &str, operator: u8) -> Grant {
    Grant {
        id: id.parse().expect("a label"),
        operator: print(operator),
        scope: Scope { source: Some(facts().source), plan: None },
        expires_after_seq: None,
    }
}

pub(crate) fn run(id: &str, grant: Digest, of: Option<Digest>) -> Rehearsal {
    Rehearsal {
        begin: None,
        date: "2026-11-23".into(),
        grant,
        mentions: Vec::new(),
        number: None,
        of,
        packet_tree: facts().packet_tree,
        result: Outcome::RollbackExact,
        run: Run::default(),
        run_id: id.parse().expect("a label"),
    }
}

pub(crate) fn packet() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("packet/HASH_MANIFEST.txt".into(), b"manifest".to_vec()),
        ("packet/README.md".into(), b"text".to_vec()),
    ])
}

pub(crate) fn facts() -> PacketFacts {
    PacketFacts {
        source: Digest::of(b"source"),
        plan: Digest::of(b"plan"),
        executable: Digest::of(b"executable"),
        packet_tree: Digest::of(b"manifest"),
        policy: Policy::default_policy().digest(),
        dump: false,
        blockers: None,
    }
}
