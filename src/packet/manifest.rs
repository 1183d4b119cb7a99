//! `HASH_MANIFEST.txt` and `packet_tree.sha256` (R53).
//!
//! Owns: writing and strictly reading both. Must not: repair anything: one valid byte string per packet.
//!
//! ```text
//! HASH_MANIFEST.txt     <64 lower-case hex digits>␠␠<path>␊    a line a file, in the order of the paths' bytes;
//!                       every file but itself and packet_tree.sha256: `sha256sum -c HASH_MANIFEST.txt`
//! packet_tree.sha256    <SHA-256 of HASH_MANIFEST.txt>␠␠HASH_MANIFEST.txt␊    `sha256sum -c packet_tree.sha256`
//! ```
//!
//! ```
//! use fix7_ledger::packet::manifest;
//! let text = manifest::render([("README.md", &b"abc"[..])]);
//! let lines = manifest::parse(&text).unwrap();
//! assert_eq!(lines[0].0, "README.md");
//! assert!(manifest::parse(b"ABC  README.md\n").is_err());
//! ```

use super::{Files, MANIFEST, TREE};
use crate::digest::Digest;
use crate::verdict::{Code, Reason, Verdict};

/// Why bytes are not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ManifestError {
    /// 1, 2, 3, …
    pub line: usize,
    /// What is wrong there.
    pub fault: String,
}

/// Writes the manifest of `files`; itself and the tree file are left out.
pub fn render<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut lines: Vec<(&str, Digest)> = files
        .into_iter()
        .filter(|(path, _)| *path != MANIFEST && *path != TREE)
        .map(|(path, bytes)| (path, Digest::of(bytes)))
        .collect();
    lines.sort_unstable();
    lines.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect::<String>().into_bytes()
}

/// The packet's one digest: SHA-256 of the manifest's bytes.
pub fn tree_digest(manifest: &[u8]) -> Digest {
    Digest::of(manifest)
}

/// Writes the tree file.
pub fn render_tree(manifest: &[u8]) -> Vec<u8> {
    format!("{}  {MANIFEST}\n", tree_digest(manifest)).into_bytes()
}

/// Reads a manifest: path and digest of each line, strictly in order.
///
/// # Errors
/// The first line that is not of the one form: CRLF, another case, order, a path outside the grammar, …
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Digest)>, ManifestError> {
    let refuse = |line: usize, fault: &str| ManifestError { line: line + 1, fault: fault.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(0, &e.to_string()))?;
    let count = text.matches('\n').count();
    let Some(body) = text.strip_suffix('\n') else {
        return Err(refuse(count, "the last line has no newline"));
    };
    let mut lines: Vec<(String, Digest)> = Vec::new();
    for (n, line) in body.split('\n').enumerate() {
        let (hex, path) =
            line.split_once("  ").ok_or_else(|| refuse(n, "expected digest, two spaces, path"))?;
        let digest: Digest = hex.parse().map_err(|e| refuse(n, &format!("{e}")))?;
        if let Some(fault) = super::files::path_fault(path) {
            return Err(refuse(n, fault));
        }
        if [MANIFEST, TREE].contains(&path) {
            return Err(refuse(n, "a manifest lists neither itself nor the tree file"));
        }
        if lines.last().is_some_and(|(before, _)| before.as_str() >= path) {
            return Err(refuse(n, "paths must rise strictly, in the order of their bytes"));
        }
        lines.push((path.to_owned(), digest));
    }
    Ok(lines)
}

/// Everything that keeps the manifest and the tree file from being those of `files`.
pub fn check(files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    let missing = |name: &str| Reason::new(Code::FileMissing, name);
    let Some(manifest) = files.get(MANIFEST) else {
        verdict.push(missing(MANIFEST));
        verdict.require(files.get(TREE).is_some(), || missing(TREE));
        return verdict;
    };
    match files.get(TREE) {
        None => verdict.push(missing(TREE)),
        Some(found) if found != render_tree(manifest) => {
            let expected = tree_digest(manifest);
            let found: String =
                found.iter().take(80).map(|b| char::from(*b)).flat_map(char::escape_default).collect();
            verdict.push(Reason::new(Code::TreeDigestMismatch, TREE).values(expected, found));
        }
        Some(_) => {}
    }
    let lines = match parse(manifest) {
        Ok(lines) => lines,
        Err(e) => {
            verdict.push(Reason::new(Code::ManifestMismatch, MANIFEST).found(e));
            return verdict;
        }
    };
    let mismatch = |path: &str| Reason::new(Code::ManifestMismatch, format_args!("{MANIFEST}: {path}"));
    for (path, digest) in &lines {
        match files.digest(path) {
            None => verdict.push(mismatch(path).values("a file", "none")),
            Some(found) => {
                verdict.require(found == *digest, || mismatch(path).values(digest, found));
            }
        }
    }
    for (path, _) in files.iter().filter(|(path, _)| ![MANIFEST, TREE].contains(path)) {
        let listed = lines.iter().any(|(known, _)| known == path);
        verdict.require(listed, || mismatch(path).values("a line", "none"));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let mut entries = vec![
            ("README.md", b"a".to_vec()),
            ("commands.sh", b"b".to_vec()),
            ("plan/up.sql", b"c".to_vec()),
        ];
        let manifest = render(entries.iter().map(|(p, b)| (*p, b.as_slice())));
        entries.push((TREE, render_tree(&manifest)));
        entries.push((MANIFEST, manifest));
        Files::collect(entries).0
    }

    fn with(path: &str, bytes: &[u8]) -> Files {
        let mut map = files().into_map();
        map.insert(path.to_owned(), bytes.to_vec());
        Files::collect(map).0
    }

    #[track_caller]
    fn refused(files: &Files, code: Code) {
        let verdict = check(files);
        assert!(verdict.has(code), "expected {code}: {verdict:?}");
    }

    #[test]
    fn r53_a_packets_own_manifest_is_accepted() {
        assert!(check(&files()).accepted());
        let text = String::from_utf8(files().get(MANIFEST).expect("there").to_vec()).expect("text");
        assert!(text.lines().map(|l| &l[66..]).eq(["README.md", "commands.sh", "plan/up.sql"]));
    }

    #[test]
    fn r53_extra_missing_and_changed_files_are_refused() {
        refused(&with("extra.txt", b"x"), Code::ManifestMismatch);
        refused(&with("README.md", b"A"), Code::ManifestMismatch);
        for path in ["README.md", MANIFEST, TREE] {
            let mut map = files().into_map();
            map.remove(path);
            assert!(!check(&Files::collect(map).0).accepted(), "{path}");
        }
        refused(&with(TREE, &render_tree(b"other")), Code::TreeDigestMismatch);
        let bare = tree_digest(files().get(MANIFEST).expect("there")).to_string();
        refused(&with(TREE, bare.as_bytes()), Code::TreeDigestMismatch);
    }

    #[test]
    fn r52_r53_there_is_one_spelling_of_a_manifest() {
        let good = String::from_utf8(files().get(MANIFEST).expect("there").to_vec()).expect("text");
        let mut lines: Vec<&str> = good.lines().collect();
        lines.swap(0, 1);
        let digest = Digest::of(b"a").to_string();
        let spellings = [
            String::new(),
            good.trim_end().to_owned(),
            good.replace('\n', "\r\n"),
            good.to_uppercase(),
            good.replace("  ", " "),
            good.replace("  ", " *"),
            good.replace("README", "../README"),
            good.replace("README", "/README"),
            format!("{}\n", lines.join("\n")),
            format!("{good}{good}"),
            format!("{good}\n"),
            format!("\u{feff}{good}"),
            format!("{digest}  {MANIFEST}\n{good}"),
            format!("{good}{digest}  {TREE}\n"),
            format!("{digest}  README.md\n{good}"),
            good.replacen(&digest, &digest[..63], 1),
        ];
        for text in spellings {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
            refused(&with(MANIFEST, text.as_bytes()), Code::ManifestMismatch);
        }
        assert!(parse(good.as_bytes()).is_ok());
    }

    #[test]
    fn r53_every_changed_byte_of_both_files_is_refused() {
        for name in [MANIFEST, TREE] {
            let good = files().get(name).expect("there").to_vec();
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                assert!(!check(&with(name, &bad)).accepted(), "{name} byte {at}");
            }
        }
    }
}
