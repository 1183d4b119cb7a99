//! Handing every new object of a ref to the claim gate, within a budget.

use std::collections::{HashMap, HashSet};

use super::super::commit::{headers, links, message};
use super::super::error::{Error, Result};
use super::super::limits::*;
use super::super::objects::{Kind, Oid, Reader, parse_oid};
use super::super::tree;
use super::examine::Scanned;
use super::new_commits::{Known, NewCommit};
use crate::judge::gate::Channel;
use crate::verdict::{Code, Reason, Verdict};

/// The claim gate, as the caller gives it: where a text stands, what kind of text it is, and the text.
pub type Gate<'g> = dyn FnMut(&str, Channel<'_>, &[u8]) -> Verdict + 'g;

/// What the files of a ref are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Contents {
    /// Files.
    Files,
    /// Notes about objects, with the objects' ids as names.
    Notes,
}

/// One examination's scanner.
pub(super) struct Scanner<'r, 'g> {
    reader: &'r Reader,
    gate: &'g mut Gate<'g>,
    pub(super) verdict: Verdict,
    pub(super) scanned: Scanned,
    /// By name as well: a typed place lets a file say what it must not say under another name.
    files: HashSet<(Oid, Contents, Vec<u8>)>,
    trees: HashSet<(Oid, String)>,
}

impl<'r, 'g> Scanner<'r, 'g> {
    pub(super) fn new(reader: &'r Reader, gate: &'g mut Gate<'g>) -> Scanner<'r, 'g> {
        let (verdict, scanned) = (Verdict::default(), Scanned::default());
        Scanner { reader, gate, verdict, scanned, files: HashSet::new(), trees: HashSet::new() }
    }

    /// Adds a reason, up to the limit of reasons.
    pub(super) fn refuse(&mut self, reason: Reason) {
        if self.verdict.reasons().len() < MAX_REASONS {
            self.verdict.push(reason);
        }
    }

    pub(super) fn channel(&mut self, channel: Channel<'_>, place: &str, bytes: &[u8]) {
        let verdict = (self.gate)(place, channel, bytes);
        self.scanned.channels += 1;
        verdict.reasons().iter().for_each(|reason| self.refuse(reason.clone()));
    }

    /// Everything new below a ref's new target.
    pub(super) fn target(
        &mut self,
        known: &mut Known<'_>,
        reference: &str,
        id: Oid,
        contents: Contents,
    ) -> Result<()> {
        let mut id = id;
        for _ in 0..=MAX_TAG_DEPTH {
            if known.contains(&id) {
                return Ok(());
            }
            let Some((kind, _)) = self.reader.header(&id)? else {
                return Err(Error::found(
                    Code::ObjectMissing,
                    reference.escape_default(),
                    format_args!("git object {id}"),
                ));
            };
            match kind {
                Kind::Commit => {
                    return known.each_new(id, &mut |commit| self.commit(reference, commit, contents));
                }
                Kind::Tree => return self.tree(reference, id, "", &[], contents, 0),
                Kind::Blob => return self.file(reference, "", id, contents),
                Kind::Tag => id = self.tag(reference, id)?,
            }
        }
        let most = format_args!("at most {MAX_TAG_DEPTH} tags of tags");
        Err(Error::expected(Code::LimitExceeded, reference.escape_default(), most, "more"))
    }

    fn tag(&mut self, reference: &str, id: Oid) -> Result<Oid> {
        let mut bytes = Vec::new();
        self.take(id, &mut bytes, MAX_SCANNED_TREE_BYTES)?;
        self.scanned.tags += 1;
        let place = format!("{} tag {id}", reference.escape_default());
        let target = tag_target(&bytes)
            .ok_or_else(|| Error::found(Code::Undecidable, &place, "a tag without a target"))?;
        for line in headers(&bytes) {
            match line {
                l if l.starts_with(b"object ") || l.starts_with(b"type ") => {}
                l if l.starts_with(b"tag ") => self.channel(Channel::TagName, &place, &l[4..]),
                l if l.starts_with(b"tagger ") => self.channel(Channel::Identity, &place, &l[7..]),
                l => self.channel(Channel::Header, &place, l),
            }
        }
        self.channel(Channel::TagMessage, &place, message(&bytes));
        Ok(target)
    }

    fn commit(&mut self, reference: &str, commit: &NewCommit, contents: Contents) -> Result<()> {
        self.scanned.commits += 1;
        self.spend(commit.bytes.len() as u64)?;
        let place = format!("{} commit {}", reference.escape_default(), commit.id);
        let text = message(&commit.bytes);
        if is_ledger_shaped(text) {
            self.refuse(Reason::new(Code::LedgerElsewhere, &place));
        }
        let mut other = Vec::new();
        for line in headers(&commit.bytes) {
            let identity = line.strip_prefix(b"author ").or(line.strip_prefix(b"committer "));
            match identity {
                Some(identity) => self.channel(Channel::Identity, &place, identity),
                None if line.starts_with(b"tree ") || line.starts_with(b"parent ") => {}
                None if line.strip_prefix(b"encoding ").is_some_and(|name| !keeps_ascii(name)) => {
                    let found = line.escape_ascii();
                    self.refuse(
                        Reason::new(Code::Undecidable, &place).values("an encoding that keeps ASCII", found),
                    );
                }
                None => {
                    other.extend_from_slice(line);
                    other.push(b'\n');
                }
            }
        }
        if !other.is_empty() {
            self.channel(Channel::Header, &place, &other);
        }
        self.channel(Channel::CommitMessage, &place, text);
        let links = links(&commit.id, &commit.bytes)?;
        let mut before = Vec::new();
        for parent in &links.parents {
            before.push(self.tree_of(parent)?);
        }
        self.tree(reference, links.tree, "", &before, contents, 0)
    }

    fn tree_of(&self, commit: &Oid) -> Result<Oid> {
        let mut bytes = Vec::new();
        self.reader.read(commit, Kind::Commit, MAX_SCANNED_TREE_BYTES, &mut bytes)?;
        Ok(links(commit, &bytes)?.tree)
    }

    /// What a tree has at a path that none of the trees `before` had there.
    fn tree(
        &mut self,
        reference: &str,
        id: Oid,
        path: &str,
        before: &[Oid],
        contents: Contents,
        depth: usize,
    ) -> Result<()> {
        if before.contains(&id) || !self.trees.insert((id, path.to_owned())) {
            return Ok(());
        }
        if depth > MAX_SCANNED_DEPTH {
            let most = format_args!("at most {MAX_SCANNED_DEPTH} directories below one another");
            return Err(Error::expected(Code::LimitExceeded, format_args!("git tree {id}"), most, "more"));
        }
        self.scanned.trees += 1;
        let mut bytes = Vec::new();
        self.take(id, &mut bytes, MAX_SCANNED_TREE_BYTES)?;
        let mut old_bytes = vec![Vec::new(); before.len()];
        for (id, bytes) in before.iter().zip(&mut old_bytes) {
            self.reader.read(id, Kind::Tree, MAX_SCANNED_TREE_BYTES, bytes)?;
        }
        let mut old: Vec<HashMap<&[u8], tree::Line<'_>>> = Vec::new();
        for (id, bytes) in before.iter().zip(&old_bytes) {
            old.push(tree::parse(id, bytes)?.into_iter().map(|line| (line.name, line)).collect());
        }
        for line in tree::parse(&id, &bytes)? {
            let earlier: Vec<_> = old.iter().filter_map(|lines| lines.get(line.name).copied()).collect();
            if earlier.iter().any(|l| (l.mode, l.id) == (line.mode, line.id)) {
                continue;
            }
            let path = format!("{path}{}", String::from_utf8_lossy(line.name));
            let place = format!("{}: {}", reference.escape_default(), path.escape_default());
            if std::str::from_utf8(line.name).is_err() {
                self.refuse(Reason::new(Code::Undecidable, &place).found("a name that is not UTF-8"));
            }
            self.channel(Channel::FileName, &place, path.as_bytes());
            if line.is_submodule() {
                continue; // names a commit of another repository: nothing of it is pushed
            } else if line.is_directory() {
                let before: Vec<Oid> = earlier.iter().filter(|l| l.is_directory()).map(|l| l.id).collect();
                self.tree(reference, line.id, &format!("{path}/"), &before, contents, depth + 1)?;
            } else {
                self.file(&place, &path, line.id, contents)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, place: &str, path: &str, id: Oid, contents: Contents) -> Result<()> {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !self.files.insert((id, contents, name.as_bytes().to_vec())) {
            return Ok(());
        }
        self.scanned.files += 1;
        let mut bytes = Vec::new();
        self.take(id, &mut bytes, MAX_SCANNED_FILE_BYTES)?;
        let channel = match contents {
            Contents::Files => Channel::File { path },
            Contents::Notes => Channel::Note,
        };
        self.channel(channel, place, &bytes);
        Ok(())
    }

    fn take(&mut self, id: Oid, bytes: &mut Vec<u8>, limit: u64) -> Result<()> {
        self.reader.read_any(&id, limit, bytes)?;
        self.spend(bytes.len() as u64)
    }

    fn spend(&mut self, bytes: u64) -> Result<()> {
        self.scanned.objects += 1;
        self.scanned.bytes += bytes;
        let within = self.scanned.objects <= MAX_OBJECTS_PER_PUSH
            && self.scanned.channels <= MAX_CHANNELS_PER_PUSH
            && self.scanned.bytes <= MAX_BYTES_PER_PUSH;
        if !within {
            let most = format_args!(
                "at most {MAX_OBJECTS_PER_PUSH} objects, {MAX_CHANNELS_PER_PUSH} names and texts, {MAX_BYTES_PER_PUSH} bytes"
            );
            return Err(Error::expected(Code::LimitExceeded, "push", most, "more"));
        }
        Ok(())
    }
}

/// What a tag names.
pub(super) fn tag_target(bytes: &[u8]) -> Option<Oid> {
    parse_oid(headers(bytes).next()?.strip_prefix(b"object ")?)
}

/// Whether a message in this encoding shows its ASCII letters as they stand. Git shows a message converted from
/// the encoding that its commit names: EBCDIC, UTF-7 and the like would carry a claim past the gate.
fn keeps_ascii(encoding: &[u8]) -> bool {
    const KEEP: [&str; 21] = [
        "utf8",
        "usascii",
        "ascii",
        "iso8859",
        "8859",
        "latin",
        "windows125",
        "cp125",
        "cp437",
        "cp85",
        "cp86",
        "cp874",
        "cp932",
        "cp936",
        "cp949",
        "cp950",
        "koi8",
        "euc",
        "gb",
        "big5",
        "shiftjis",
    ];
    let name: String = encoding
        .iter()
        .filter(|b| b.is_ascii_alphanumeric())
        .map(|b| char::from(b.to_ascii_lowercase()))
        .collect();
    KEEP.iter().any(|known| name.starts_with(known))
}

/// Whether a message has an entry's first trailer, in any case and behind any blanks.
fn is_ledger_shaped(message: &[u8]) -> bool {
    const TRAILER: &[u8] = b"fix7-entry";
    message.split(|b| matches!(b, b'\n' | b'\r' | 0)).any(|line| {
        let line = line.trim_ascii();
        line.get(..TRAILER.len()).is_some_and(|start| start.eq_ignore_ascii_case(TRAILER))
            && line[TRAILER.len()..].trim_ascii_start().starts_with(b":")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encodings_that_keep_ascii_pass() {
        for kept in [
            "UTF-8",
            "utf8",
            "ISO-8859-1",
            "latin1",
            "windows-1251",
            "CP1252",
            "EUC-JP",
            "GB18030",
            "Shift_JIS",
            "KOI8-R",
        ] {
            assert!(keeps_ascii(kept.as_bytes()), "{kept}");
        }
        for other in
            ["UTF-7", "UTF-16", "IBM037", "IBM-1047", "cp037", "cp875", "EBCDIC-US", "ISO-2022-JP", "HZ", ""]
        {
            assert!(!keeps_ascii(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn an_entrys_trailer_is_seen_in_any_dress_and_its_mention_is_not() {
        for shaped in [
            "Fix7-Entry: v1",
            "x\n\nFix7-Entry: v1\n",
            "x\n  fix7-entry :v2",
            "x\r\nFIX7-ENTRY:\r\n",
            "x\0Fix7-Entry: v1",
        ] {
            assert!(is_ledger_shaped(shaped.as_bytes()), "{shaped:?}");
        }
        for prose in ["", "about the Fix7-Entry: trailer", "Fix7-Entries: 3", "fix7-entry", "Fix7"] {
            assert!(!is_ledger_shaped(prose.as_bytes()), "{prose:?}");
        }
    }
}
