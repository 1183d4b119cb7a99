//! A packet's files in memory: checked paths, bounded sizes, no links by construction.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::OnceLock;

use super::PLAN_FOLDER;
use crate::digest::Digest;
use crate::verdict::{Code, Reason, Verdict};

/// Files in a packet: 15 and a plan's 8, with room; more exist only to exhaust whoever reads.
pub const MAX_FILES: usize = 64;
/// Bytes in one file: what [`crate::canon`] would read.
pub const MAX_FILE_BYTES: usize = crate::canon::MAX_BYTES;
/// Bytes in all files: a packet is evidence, not data.
pub const MAX_TOTAL_BYTES: usize = 32 << 20;
/// Bytes in a path: what every file system and archive holds.
pub const MAX_PATH: usize = 100;

/// Names that some systems open as devices, in any case and before any extension.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Path to bytes, in the order of the paths' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Content>);

/// A file's bytes, and their digest once it was asked for.
#[derive(Clone, Debug, Eq)]
struct Content {
    bytes: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.bytes == other.bytes
    }
}

impl Files {
    /// Takes files from anywhere; what breaks the grammar or a limit is left out and named.
    ///
    /// ```
    /// use fix7_ledger::packet::Files;
    /// let (files, verdict) = Files::collect([("README.md", vec![b'x']), ("../x", vec![])]);
    /// assert_eq!(files.len(), 1);
    /// assert_eq!(verdict.reasons()[0].to_string(), "PATH_FORBIDDEN: ../x: a segment of dots");
    /// ```
    pub fn collect<P: Into<String>>(entries: impl IntoIterator<Item = (P, Vec<u8>)>) -> (Files, Verdict) {
        Files::collect_digested(entries.into_iter().map(|(path, bytes)| (path, bytes, None)))
    }

    /// As [`Files::collect`], of files whose digest is known: made of these very bytes, by whoever gives it.
    pub fn collect_digested<P: Into<String>>(
        entries: impl IntoIterator<Item = (P, Vec<u8>, Option<Digest>)>,
    ) -> (Files, Verdict) {
        let mut files = Files::default();
        let mut verdict = Verdict::default();
        for (path, bytes, digest) in entries {
            let digest = digest.map_or_else(OnceLock::new, OnceLock::from);
            if let Err(reason) = files.insert(path.into(), Content { bytes, digest }) {
                verdict.push(reason);
                if files.len() >= MAX_FILES {
                    break;
                }
            }
        }
        (files, verdict)
    }

    /// Adds a file; refuses a path outside the grammar or used before (in any case), and what is over a limit.
    fn insert(&mut self, path: String, content: Content) -> Result<(), Reason> {
        let size = content.bytes.len();
        if let Some(fault) = path_fault(&path) {
            return Err(Reason::new(Code::PathForbidden, cut(&path)).found(fault));
        }
        let twin = self.0.keys().find(|known| known.eq_ignore_ascii_case(&path));
        if let Some(twin) = twin {
            let fault = format!("the same name as {twin} where case does not count");
            return Err(Reason::new(Code::PathForbidden, cut(&path)).found(fault));
        }
        limit(self.len() < MAX_FILES, "packet: files", MAX_FILES, self.len() + 1)?;
        // A path that is none is refused above, so this one names itself.
        limit(size <= MAX_FILE_BYTES, &path, MAX_FILE_BYTES, size)?;
        let total = self.total_bytes() + size;
        limit(total <= MAX_TOTAL_BYTES, "packet: bytes", MAX_TOTAL_BYTES, total)?;
        self.0.insert(path, content);
        Ok(())
    }

    /// The digest of a file.
    pub fn digest(&self, path: &str) -> Option<Digest> {
        self.0.get(path).map(|content| *content.digest.get_or_init(|| Digest::of(&content.bytes)))
    }

    /// A file's bytes.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(|content| content.bytes.as_slice())
    }

    /// Every file, in the order of the paths' bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.bytes.as_slice()))
    }

    /// The files under `plan/`, by the name they have there.
    pub fn plan(&self) -> BTreeMap<String, Vec<u8>> {
        let named =
            |(path, bytes): (&str, &[u8])| Some((path.strip_prefix(PLAN_FOLDER)?.to_owned(), bytes.to_vec()));
        self.iter().filter_map(named).collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> usize {
        self.0.values().map(|content| content.bytes.len()).sum()
    }

    /// The files as they are.
    pub fn into_map(self) -> BTreeMap<String, Vec<u8>> {
        self.0.into_iter().map(|(path, content)| (path, content.bytes)).collect()
    }
}

/// Why `path` is outside the grammar: ASCII letters, digits, `_`, `-` and inner dots, one folder at most.
pub fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > MAX_PATH {
        return Some("a path has 1 to 100 bytes");
    }
    if path.split('/').count() > 2 {
        return Some("deeper than one folder");
    }
    path.split('/').find_map(segment_fault)
}

/// Why one part of a path is outside the grammar.
pub fn segment_fault(segment: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let stem = segment.split('.').next().unwrap_or_default();
    match segment {
        "" => Some("an empty segment"),
        s if s.bytes().all(|b| b == b'.') => Some("a segment of dots"),
        s if !s.bytes().all(plain) => Some("other than ASCII letters, digits, `_`, `-`, `.`"),
        s if s.starts_with(['.', '-']) || s.ends_with('.') => Some("a dot or hyphen at an end"),
        _ if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) => Some("a device name"),
        _ => None,
    }
}

fn limit(holds: bool, object: &str, most: usize, found: usize) -> Result<(), Reason> {
    match holds {
        true => Ok(()),
        false => Err(Reason::new(Code::LimitExceeded, object).values(format_args!("at most {most}"), found)),
    }
}

/// A hostile path is named, escaped and cut.
fn cut(text: &dyn Display) -> String {
    text.to_string().chars().take(MAX_PATH).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn code(files: &[(&str, usize)]) -> Option<Code> {
        let (_, verdict) = Files::collect(files.iter().map(|(p, n)| (*p, vec![0u8; *n])));
        verdict.reasons().first().map(|r| r.code)
    }

    #[test]
    fn the_packets_own_names_are_paths() {
        let own = super::super::FACTS.iter().chain(&super::super::DERIVED);
        own.for_each(|name| assert_eq!(path_fault(name), None));
        assert_eq!(code(&[("plan/up.sql", 1), ("HASH_MANIFEST.txt", 1), ("packet_tree.sha256", 1)]), None);
    }

    #[test]
    fn hostile_paths_are_refused() {
        let long = "a".repeat(101);
        let hostile = [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "plan/../x",
            "plan/",
            "plan//x",
            "plan/a/b",
            ".git",
            "plan/.x",
            "-rf",
            "a b",
            "a\\b",
            "a:b",
            "a\nb",
            "é",
            "ｘ",
            "nul",
            "NUL.txt",
            "plan/Com1.sql",
            "x.",
            "a\u{202e}b",
            "a\0b",
            "~",
            "$x",
            "a*",
            &long,
        ];
        for path in hostile {
            assert_eq!(code(&[(path, 0)]), Some(Code::PathForbidden), "{path:?}");
        }
    }

    #[test]
    fn names_that_differ_by_case_only_are_one_name() {
        assert_eq!(code(&[("README.md", 0), ("readme.md", 0)]), Some(Code::PathForbidden));
        assert_eq!(code(&[("README.md", 0), ("README.md", 0)]), Some(Code::PathForbidden));
        assert_eq!(code(&[("README.md", 0), ("READYOU.md", 0)]), None);
    }

    #[test]
    fn limits_are_named() {
        assert_eq!(code(&[("a", MAX_FILE_BYTES)]), None);
        assert_eq!(code(&[("a", MAX_FILE_BYTES + 1)]), Some(Code::LimitExceeded));
        let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, usize)> = names.iter().map(|n| (n.as_str(), 0)).collect();
        assert_eq!(code(&many[..MAX_FILES]), None);
        assert_eq!(code(&many), Some(Code::LimitExceeded));
        let whole =
            [("a", MAX_FILE_BYTES), ("b", MAX_FILE_BYTES), ("c", MAX_FILE_BYTES), ("d", MAX_FILE_BYTES)];
        assert_eq!(code(&whole), None);
        assert_eq!(code(&[&whole[..], &[("e", 1)]].concat()), Some(Code::LimitExceeded));
    }
}
