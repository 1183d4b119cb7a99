//! The few fields of a commit object that walking needs. What a commit *says* is `entry`'s to judge.

use super::error::{Error, Result};
use super::objects::{Oid, parse_oid};
use crate::verdict::Code;

/// Tree and parents of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) tree: Oid,
    pub(crate) parents: Vec<Oid>,
}

/// Reads the `tree` and `parent` lines, which stand first in every commit object.
pub(crate) fn links(id: &Oid, bytes: &[u8]) -> Result<Links> {
    let bad = |what: &str| Error::found(Code::ObjectCorrupt, format_args!("git commit {id}"), what);
    let (tree, mut rest) = header(bytes, b"tree ").ok_or_else(|| bad("no tree line"))?;
    let tree = parse_oid(tree).ok_or_else(|| bad("a tree line without an id"))?;
    let mut parents = Vec::new();
    while let Some((parent, after)) = header(rest, b"parent ") {
        parents.push(parse_oid(parent).ok_or_else(|| bad("a parent line without an id"))?);
        rest = after;
    }
    Ok(Links { tree, parents })
}

/// Seconds since 1970 in the committer line; 0 where there is none that can be read. It orders walks, it decides nothing.
pub(crate) fn committer_seconds(bytes: &[u8]) -> i64 {
    headers(bytes)
        .find_map(|line| line.strip_prefix(b"committer "))
        .and_then(|line| std::str::from_utf8(line.rsplit(|b| *b == b' ').nth(1)?).ok()?.parse().ok())
        .unwrap_or(0)
}

/// The lines before the first empty one.
pub(crate) fn headers(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').take_while(|line| !line.is_empty())
}

/// The message: what follows the first empty line.
pub(crate) fn message(bytes: &[u8]) -> &[u8] {
    memchr::memmem::find(bytes, b"\n\n").map_or(&[][..], |at| &bytes[at + 2..])
}

fn header<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = bytes.strip_prefix(name)?;
    let end = memchr::memchr(b'\n', rest)?;
    Some((&rest[..end], &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\nauthor A <a@x> 7 +0000\ncommitter B <b c> 1795392000 -0330\n\nsubject\n\nbody\n";

    #[test]
    fn links_date_and_message_are_found() {
        let id = parse_oid(b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391").expect("an id");
        let found = links(&id, COMMIT.as_bytes()).expect("links");
        assert_eq!(
            (found.tree.to_string().as_str(), found.parents),
            ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", vec![id])
        );
        assert_eq!(committer_seconds(COMMIT.as_bytes()), 1_795_392_000);
        assert_eq!(message(COMMIT.as_bytes()), b"subject\n\nbody\n");
        assert_eq!(headers(COMMIT.as_bytes()).count(), 4);
    }

    #[test]
    fn a_commit_without_a_tree_or_with_half_an_id_is_refused() {
        let id = parse_oid(b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391").expect("an id");
        for bad in
            ["", "parent x\n", "tree 4b825d\n", &COMMIT.replace("parent e69", "parent E69"), &COMMIT[..44]]
        {
            assert_eq!(
                links(&id, bad.as_bytes()).err().map(|e| e.code()),
                Some(Code::ObjectCorrupt),
                "{bad}"
            );
        }
    }
}
