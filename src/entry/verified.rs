//! What an entry shows by itself: the form of its commit, its content digests, its signatures under the keys that it
//! carries. Needs no other entry, so thousands are checked in parallel. Whether it continues a ledger, and whether
//! its keys may say what they say, is `state`'s to decide.

use std::collections::BTreeMap;

use super::{Entry, StoredEntry, content_digest, file_digests};
use crate::digest::Digest;
use crate::dsse::{DsseError, Signatures};
use crate::policy::{Policy, PolicyError};
use crate::statement::{
    Kind, PACKET_DIR, POLICY_FILE, SIGNATURE_FILE, STATEMENT_FILE, Statement, StatementError,
};
use crate::verdict::{Code, Reason, Verdict};

/// Longest path in bytes, from the tree's root: longer ones cannot be checked out everywhere.
pub const MAX_PATH_BYTES: usize = 240;

/// An entry whose form, content and own signatures hold. Made by [`check`] alone.
#[derive(Clone, Debug)]
pub struct VerifiedEntry {
    entry: Entry,
    leaf_hash: Digest,
    statement: Statement,
    signatures: Signatures,
    policy: Option<Policy>,
}

/// What was found about one entry by itself, by the steps of verification.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Step 1: the commit is the one form of its fields.
    pub object: Verdict,
    /// Step 3: the files are those that the leaf and the statement name.
    pub content: Verdict,
    /// Step 4: the commit's and the statement's signatures hold under the committer's key.
    pub signatures: Verdict,
    /// The entry, where all three hold.
    pub verified: Option<VerifiedEntry>,
}

impl VerifiedEntry {
    /// The commit's fields.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The identity of the entry.
    pub fn leaf_hash(&self) -> Digest {
        self.leaf_hash
    }

    /// What it claims.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The signatures over the statement; only the committer's is checked so far.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// The policy that a genesis or a change of the policy brings.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }
}

/// Checks one entry by itself.
pub fn check(stored: &StoredEntry) -> Checked {
    let mut checked = Checked {
        object: Verdict::default(),
        content: Verdict::default(),
        signatures: Verdict::default(),
        verified: None,
    };
    let digests = file_digests(&stored.files);
    let entry = match Entry::parse(&stored.commit) {
        Ok(entry) => entry,
        Err(e) => {
            let reason = Reason::new(e.code(), format_args!("commit {}", stored.oid)).found(e);
            // A signature that cannot hold is a matter of step 4, whatever else is good.
            let place = if reason.code == Code::SignatureInvalid {
                &mut checked.signatures
            } else {
                &mut checked.object
            };
            place.push(reason);
            return checked;
        }
    };
    let place = Place { seq: entry.leaf().seq };
    let statement = content(&place, &entry, stored, &digests, &mut checked.content);
    let signatures = signed(&place, &entry, stored, &mut checked.signatures);
    let policy = match entry.leaf().kind {
        kind if kind.has_policy() => policy(&place, stored, &mut checked.content),
        _ => None,
    };
    if let (Some(statement), Some(signatures), true) =
        (statement, signatures, checked.content.accepted() && checked.signatures.accepted())
    {
        let leaf_hash = entry.leaf_hash();
        checked.verified = Some(VerifiedEntry { entry, leaf_hash, statement, signatures, policy });
    }
    checked
}

/// Names the objects of one entry.
struct Place {
    seq: u64,
}

impl Place {
    fn reason(&self, code: Code, what: &str) -> Reason {
        Reason::new(code, format_args!("entry {}: {what}", self.seq))
    }
}

fn content(
    place: &Place,
    entry: &Entry,
    stored: &StoredEntry,
    digests: &BTreeMap<&str, Digest>,
    verdict: &mut Verdict,
) -> Option<Statement> {
    let leaf = entry.leaf();
    for path in stored.files.keys().filter(|p| !path_is_plain(p, leaf.kind)) {
        verdict.push(place.reason(Code::FileUnexpected, &path.escape_default().to_string()));
    }
    let mut equal = |what: &str, expected: &Digest, found: &Digest| {
        verdict
            .require(expected == found, || place.reason(Code::ContentMismatch, what).values(expected, found));
    };
    equal("Fix7-Content", &leaf.content, &content_digest(digests));
    let Some(statement_bytes) = stored.files.get(STATEMENT_FILE) else {
        verdict.push(place.reason(Code::FileMissing, STATEMENT_FILE));
        return None;
    };
    equal("Fix7-Statement", &leaf.statement, &digests[STATEMENT_FILE]);
    let statement = match Statement::parse(statement_bytes) {
        Ok(statement) => statement,
        Err(e) => {
            let code = match e {
                StatementError::KindUnknown(_) => Code::KindUnknown,
                _ => Code::StatementInvalid,
            };
            verdict.push(place.reason(code, STATEMENT_FILE).found(e));
            return None;
        }
    };
    let mut same = |what: &str, expected: &str, found: &str| {
        verdict.require(expected == found, || {
            place.reason(Code::StatementInvalid, what).values(expected, found)
        });
    };
    same("kind of statement.json", leaf.kind.name(), statement.kind().name());
    same("label in the subject", statement.claim().label().as_str(), entry.label().as_str());
    if leaf.kind == statement.kind() {
        subjects(place, &statement, digests, verdict);
    }
    // Which ledger: a genesis is its own.
    let own = statement.ledger().unwrap_or(&leaf.statement);
    verdict.require(leaf.ledger == *own, || {
        place.reason(Code::WrongLedger, "ledger of statement.json").values(leaf.ledger, own)
    });
    if let (Some(in_leaf), Some(claimed)) = (&leaf.packet_tree, statement.claim().packet_tree()) {
        const MANIFEST: &str = "packet/HASH_MANIFEST.txt";
        verdict.require(in_leaf == claimed, || {
            place.reason(Code::ContentMismatch, "Fix7-Packet-Tree").values(claimed, in_leaf)
        });
        match digests.get(MANIFEST) {
            Some(found) => verdict.require(in_leaf == found, || {
                place.reason(Code::ContentMismatch, MANIFEST).values(in_leaf, found)
            }),
            None => verdict.push(place.reason(Code::FileMissing, MANIFEST)),
        }
    }
    Some(statement)
}

/// The subjects are the other files, neither fewer nor more.
fn subjects(place: &Place, statement: &Statement, digests: &BTreeMap<&str, Digest>, verdict: &mut Verdict) {
    if statement.kind().is_bare() {
        return; // its one subject is the ledger, and was compared with it
    }
    let is_subject = |path: &str| !matches!(path, STATEMENT_FILE | SIGNATURE_FILE);
    for (path, found) in digests.iter().filter(|(path, _)| is_subject(path)) {
        match statement.subjects().get(*path) {
            Some(expected) => verdict.require(expected == found, || {
                place.reason(Code::ContentMismatch, path).values(expected, found)
            }),
            None => verdict.push(place.reason(Code::FileUnexpected, path)),
        }
    }
    let is_there = |path: &str| is_subject(path) && digests.contains_key(path);
    for path in statement.subjects().keys().filter(|path| !is_there(path)) {
        verdict.push(place.reason(Code::FileMissing, path));
    }
}

/// Whether a file may stand in the tree of an entry of this kind. The packet's own list is `packet`'s; here it only
/// must not be able to pass for two lines of a manifest, leave the tree, or depend on the file system.
fn path_is_plain(path: &str, kind: Kind) -> bool {
    match path {
        STATEMENT_FILE | SIGNATURE_FILE => true,
        POLICY_FILE => kind.has_policy(),
        _ => {
            let part = |part: &str| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                part.bytes().all(plain) && part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            };
            let within = path.strip_prefix(PACKET_DIR).is_some_and(|rest| rest.split('/').all(part));
            within && kind.has_packet() && path.len() <= MAX_PATH_BYTES
        }
    }
}

fn signed(place: &Place, entry: &Entry, stored: &StoredEntry, verdict: &mut Verdict) -> Option<Signatures> {
    if let Err(e) = entry.verify_signature() {
        verdict.push(place.reason(Code::SignatureInvalid, "commit signature").found(e));
    }
    let statement = stored.files.get(STATEMENT_FILE)?;
    let Some(bytes) = stored.files.get(SIGNATURE_FILE) else {
        verdict.push(place.reason(Code::FileMissing, SIGNATURE_FILE));
        return None;
    };
    let failed = |e: DsseError| place.reason(Code::SignatureInvalid, SIGNATURE_FILE).found(e);
    let signatures = match Signatures::parse(bytes) {
        Ok(signatures) => signatures,
        Err(e) => {
            verdict.push(failed(e));
            return None;
        }
    };
    // Whoever says where a statement stands also says what it says.
    if let Err(e) = signatures.verify_one(statement, entry.signature().key()) {
        verdict.push(failed(e));
    }
    Some(signatures)
}

fn policy(place: &Place, stored: &StoredEntry, verdict: &mut Verdict) -> Option<Policy> {
    match Policy::parse(stored.files.get(POLICY_FILE)?) {
        Ok(policy) => Some(policy),
        Err(e) => {
            let code = match e {
                PolicyError::BelowFloor { .. } => Code::PolicyLoosened,
                _ => Code::EntryMalformed,
            };
            verdict.push(place.reason(code, POLICY_FILE).found(e));
            None
        }
    }
}
