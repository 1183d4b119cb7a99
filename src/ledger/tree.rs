//! Tree objects: the strict form of an entry's tree, and the loose form of anybody's.
//!
//! ```text
//! tree    = { mode SP name NUL id(20 bytes) }      sorted, directories as if their name ended in "/"
//! entry   = modes 100644 and 40000 only, names of the grammar below, no two alike in lower case
//! ```

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::limits::{MAX_FILES_PER_ENTRY, MAX_NAME_BYTES, MAX_TREE_DEPTH};
use super::objects::{Kind, Oid, name_of};
use crate::verdict::Code;

/// One line of a tree object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) mode: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) id: Oid,
}

impl Line<'_> {
    pub(crate) fn is_directory(&self) -> bool {
        self.mode == b"40000" || self.mode == b"040000"
    }

    pub(crate) fn is_submodule(&self) -> bool {
        self.mode == b"160000"
    }

    /// The bytes by which git sorts: a directory's name counts as if it ended in a slash.
    fn sort_key(&self) -> impl Iterator<Item = u8> {
        self.name.iter().copied().chain(self.is_directory().then_some(b'/'))
    }
}

/// Reads a tree object: well-formed lines, in git's order, without two of the same name.
pub(crate) fn parse<'a>(id: &Oid, bytes: &'a [u8]) -> Result<Vec<Line<'a>>> {
    let bad = |what: &str| Error::found(Code::ObjectCorrupt, format_args!("git tree {id}"), what);
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = memchr::memchr(b' ', rest).ok_or_else(|| bad("a line without a mode"))?;
        let (mode, after) = (&rest[..space], &rest[space + 1..]);
        let end = memchr::memchr(0, after).ok_or_else(|| bad("a line without a name"))?;
        let (name, after) = (&after[..end], &after[end + 1..]);
        let (raw, after) = after.split_at_checked(20).ok_or_else(|| bad("a line without an id"))?;
        if !(5..=6).contains(&mode.len()) || !mode.iter().all(|b| (b'0'..=b'7').contains(b)) {
            return Err(bad("a mode that is none"));
        }
        if name.is_empty() || name.contains(&b'/') {
            return Err(bad("a name that is empty or has a slash"));
        }
        let line = Line { mode, name, id: Oid::from_bytes_or_panic(raw) };
        if let Some(before) = lines.last()
            && before.sort_key().cmp(line.sort_key()) != std::cmp::Ordering::Less
        {
            return Err(bad("lines out of order"));
        }
        lines.push(line);
        rest = after;
    }
    Ok(lines)
}

/// Whether an entry may have a file or directory of this name: the grammar of a packet's paths, part by part.
pub fn name_is_allowed(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && crate::packet::segment_fault(name).is_none()
}

/// Whether an entry may have a file at this path.
pub fn path_is_allowed(path: &str) -> bool {
    path.split('/').count() <= MAX_TREE_DEPTH && path.split('/').all(name_is_allowed)
}

/// A directory while it is being built.
#[derive(Default)]
struct Directory<'a> {
    files: BTreeMap<&'a str, Oid>,
    directories: BTreeMap<&'a str, Directory<'a>>,
}

/// The objects of an entry's tree: blobs and trees with their contents, and the root's id.
pub(crate) struct RenderedTree<'a> {
    pub(crate) root: Oid,
    pub(crate) trees: Vec<(Oid, Vec<u8>)>,
    pub(crate) blobs: Vec<(Oid, &'a [u8])>,
}

/// Renders the tree of an entry.
///
/// # Errors
/// `PATH_FORBIDDEN`, `LIMIT_EXCEEDED`.
pub(crate) fn render(files: &BTreeMap<String, Vec<u8>>) -> Result<RenderedTree<'_>> {
    if files.len() > MAX_FILES_PER_ENTRY {
        let most = format_args!("at most {MAX_FILES_PER_ENTRY} files");
        return Err(Error::expected(Code::LimitExceeded, "entry", most, files.len()));
    }
    let mut root = Directory::default();
    let mut blobs: Vec<(Oid, &[u8])> = Vec::with_capacity(files.len());
    let mut folded = std::collections::BTreeSet::new();
    for (path, content) in files {
        if !path_is_allowed(path) || !folded.insert(path.to_ascii_lowercase()) {
            return Err(Error::found(Code::PathForbidden, "entry", path.escape_default()));
        }
        let id = name_of(Kind::Blob, content)?;
        let (parents, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(p, n)| (p, n));
        let mut directory = &mut root;
        for part in parents.split('/').filter(|p| !p.is_empty()) {
            directory = directory.directories.entry(part).or_default();
        }
        directory.files.insert(name, id);
        if !blobs.iter().any(|(known, _)| *known == id) {
            blobs.push((id, content));
        }
    }
    let mut trees = Vec::new();
    let root = render_directory(&root, &mut trees)?;
    Ok(RenderedTree { root, trees, blobs })
}

fn render_directory(directory: &Directory<'_>, trees: &mut Vec<(Oid, Vec<u8>)>) -> Result<Oid> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (name, id) in &directory.files {
        if directory.directories.contains_key(name) {
            let found = format_args!("{name} is a file and a directory");
            return Err(Error::found(Code::PathForbidden, "entry", found));
        }
        lines.push(Line { mode: b"100644", name: name.as_bytes(), id: *id });
    }
    for (name, inner) in &directory.directories {
        let id = render_directory(inner, trees)?;
        lines.push(Line { mode: b"40000", name: name.as_bytes(), id });
    }
    lines.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
    let mut bytes = Vec::new();
    for line in &lines {
        bytes.extend_from_slice(line.mode);
        bytes.push(b' ');
        bytes.extend_from_slice(line.name);
        bytes.push(0);
        bytes.extend_from_slice(line.id.as_slice());
    }
    let id = name_of(Kind::Tree, &bytes)?;
    if !trees.iter().any(|(known, _)| *known == id) {
        trees.push((id, bytes));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> BTreeMap<String, Vec<u8>> {
        paths.iter().map(|p| (p.to_string(), p.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_rendered_tree_reads_back_in_gits_order() {
        // `a-b` sorts before the directory `a/`, `a0` after it: as files they would sort otherwise.
        let files = files(&["a/x", "a-b", "a0", "statement.json"]);
        let tree = render(&files).expect("a tree");
        let root = tree.trees.iter().find(|(id, _)| *id == tree.root).expect("the root");
        let names: Vec<_> =
            parse(&root.0, &root.1).expect("parses").iter().map(|l| l.name.to_vec()).collect();
        assert_eq!(names, [&b"a-b"[..], b"a", b"a0", b"statement.json"]);
        assert_eq!((tree.trees.len(), tree.blobs.len()), (2, 4));
    }

    #[test]
    fn names_that_other_systems_misread_are_refused() {
        for good in ["README.md", "packet_tree.sha256", "console.txt", "com10", "x"] {
            assert!(name_is_allowed(good), "{good}");
        }
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        let bad = [
            "", ".", "..", ".git", "-x", "x.", "a b", "a\\b", "con", "CON.txt", "lpt1", "nul.json", "é",
            "a\nb", &long,
        ];
        for bad in bad {
            assert!(!name_is_allowed(bad), "{bad:?}");
            assert_eq!(render(&files(&[bad])).err().map(|e| e.code()), Some(Code::PathForbidden), "{bad:?}");
        }
        assert!(render(&files(&["plan/up.sql", "plan/down.sql"])).is_ok());
        for bad in [&["a", "A"][..], &["a", "a/b"], &["a/b/c/d/e/f/g"], &["a//b"], &["/a"], &["a/"]] {
            assert!(render(&files(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_tree_out_of_order_or_with_twins_is_refused() {
        let id = name_of(Kind::Blob, b"").expect("an id");
        let line = |name: &str| [b"100644 ", name.as_bytes(), b"\0", id.as_slice()].concat();
        assert_eq!(parse(&id, &[line("a"), line("b")].concat()).expect("sorted").len(), 2);
        for bad in [
            [line("b"), line("a")].concat(),
            [line("a"), line("a")].concat(),
            line("a/b"),
            line(""),
            line("a")[..20].to_vec(),
        ] {
            assert!(parse(&id, &bad).is_err());
        }
    }
}
