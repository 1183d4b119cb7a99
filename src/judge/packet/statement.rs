//! What an entry's statement says of its packet: which files, with which mentions.
//!
//! Owns: the comparison of the statement with the files. Must not: judge the files themselves ([`super`]).

use crate::digest::{Digest, Hasher};
use crate::packet::{Files, MANIFEST, manifest};
use crate::statement::{Claim, Mention, PACKET_DIR, Statement};
use crate::verdict::{Code, Reason, Verdict};

/// The statement is about exactly these files.
pub(super) fn subjects(statement: &Statement, files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    let (Claim::Rehearsal(rehearsal) | Claim::Rerun(rehearsal)) = statement.claim() else {
        return Reason::new(Code::StatementInvalid, "statement: kind")
            .values("rehearsal or rerun", "another")
            .into();
    };
    let mismatch = |path: &str| Reason::new(Code::ContentMismatch, format_args!("statement: subject {path}"));
    for (path, _) in files.iter() {
        let found = files.digest(path).unwrap_or(Digest::ZERO);
        match statement.subjects().get(&format!("{PACKET_DIR}{path}")) {
            Some(digest) => verdict.require(*digest == found, || mismatch(path).values(digest, found)),
            None => verdict.push(mismatch(path).values("a subject", "none")),
        }
    }
    for name in statement.subjects().keys() {
        let path = name.strip_prefix(PACKET_DIR).unwrap_or(name);
        verdict.require(files.get(path).is_some(), || {
            mismatch(&path.escape_default().to_string()).values("a file", "none")
        });
    }
    let tree = files.get(MANIFEST).map(manifest::tree_digest);
    verdict.require(tree == Some(rehearsal.packet_tree), || {
        let found = tree.map_or("none".to_owned(), |tree| tree.to_string());
        Reason::new(Code::TreeDigestMismatch, "statement: packet_tree").values(rehearsal.packet_tree, found)
    });
    verdict
}

/// The places where the statement lets a token stand.
pub(super) fn mentions(statement: Option<&Statement>) -> &[Mention] {
    match statement.map(Statement::claim) {
        Some(Claim::Rehearsal(rehearsal) | Claim::Rerun(rehearsal)) => &rehearsal.mentions,
        _ => &[],
    }
}

/// Everything that the judgement of a packet's files depends on, beside the policy.
pub(super) fn input<'f>(
    files: impl IntoIterator<Item = (&'f str, Option<Digest>)>,
    mentions: &[Mention],
) -> Digest {
    let mut hasher = Hasher::labelled("fix7.judge.input/v1");
    for (path, digest) in files {
        hasher.framed(path.as_bytes());
        hasher.framed(digest.unwrap_or(Digest::ZERO).as_bytes());
    }
    for mention in mentions {
        for text in [&mention.file, &mention.line.to_string(), &mention.token, &mention.reason] {
            hasher.framed(text.as_bytes());
        }
    }
    hasher.finish()
}
