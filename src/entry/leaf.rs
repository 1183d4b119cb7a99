//! The leaf: the trailer block, the only bytes of a commit that the Merkle tree is over.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::EntryError;
use crate::canon::MAX_INTEGER;
use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::merkle;
use crate::statement::Kind;
use crate::time::Timestamp;

/// The fields of a trailer block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Digest of the genesis statement; in a genesis, of this entry's own.
    pub ledger: Digest,
    /// Position, from 0.
    pub seq: u64,
    /// Leaf hash of the entry before; zeros for the first.
    pub prev: Digest,
    /// RFC 6962 root over the leaves before this one.
    pub root: Digest,
    /// What the entry is.
    pub kind: Kind,
    /// Digest of `statement.json`.
    pub statement: Digest,
    /// Digest over every file of the tree ([`super::content_digest`]).
    pub content: Digest,
    /// Digest of the packet's HASH_MANIFEST.txt; present where the kind has a packet.
    pub packet_tree: Option<Digest>,
    /// Digest of the policy document in force before this entry; zeros for the first.
    pub policy: Digest,
    /// The key that signs the commit.
    pub key: Fingerprint,
    /// When the signer says that it was.
    pub time: Timestamp,
}

/// The first line: the version of the format.
const ENTRY: &str = "v1";

impl Leaf {
    /// The trailer block, from `Fix7-Entry:` to the final line end.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(1024);
        self.write(&mut text).expect("writing to a String does not fail");
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "Fix7-Entry: {ENTRY}")?;
        writeln!(text, "Fix7-Ledger: sha256:{}", self.ledger)?;
        writeln!(text, "Fix7-Seq: {}", self.seq)?;
        writeln!(text, "Fix7-Prev: sha256:{}", self.prev)?;
        writeln!(text, "Fix7-Root: sha256:{}", self.root)?;
        writeln!(text, "Fix7-Kind: {}", self.kind.name())?;
        writeln!(text, "Fix7-Statement: sha256:{}", self.statement)?;
        writeln!(text, "Fix7-Content: sha256:{}", self.content)?;
        if let Some(packet_tree) = &self.packet_tree {
            writeln!(text, "Fix7-Packet-Tree: sha256:{packet_tree}")?;
        }
        writeln!(text, "Fix7-Policy: sha256:{}", self.policy)?;
        writeln!(text, "Fix7-Key: {}", self.key)?;
        writeln!(text, "Fix7-Time: {}", self.time)
    }

    /// The leaf hash: the identity of the entry.
    pub fn hash(&self) -> Digest {
        merkle::leaf_hash(self.to_text().as_bytes())
    }

    /// Reads a trailer block.
    ///
    /// # Errors
    /// Everything but the one form.
    pub fn parse(text: &str) -> Result<Leaf, EntryError> {
        let mut rest = text;
        let version = take(&mut rest, "Fix7-Entry")?;
        if version != ENTRY {
            return Err(EntryError::line("Fix7-Entry", ENTRY, version));
        }
        let ledger = take_digest(&mut rest, "Fix7-Ledger")?;
        let seq = take_number(&mut rest, "Fix7-Seq")?;
        let prev = take_digest(&mut rest, "Fix7-Prev")?;
        let root = take_digest(&mut rest, "Fix7-Root")?;
        let kind: Kind = take(&mut rest, "Fix7-Kind")?.parse()?;
        let statement = take_digest(&mut rest, "Fix7-Statement")?;
        let content = take_digest(&mut rest, "Fix7-Content")?;
        let packet_tree =
            if kind.has_packet() { Some(take_digest(&mut rest, "Fix7-Packet-Tree")?) } else { None };
        let policy = take_digest(&mut rest, "Fix7-Policy")?;
        let key = take_parsed(&mut rest, "Fix7-Key", "an OpenSSH fingerprint")?;
        let time = take_parsed(&mut rest, "Fix7-Time", "YYYY-MM-DDTHH:MM:SSZ")?;
        if !rest.is_empty() {
            return Err(EntryError::line("after Fix7-Time", "nothing", rest));
        }
        Ok(Leaf { ledger, seq, prev, root, kind, statement, content, packet_tree, policy, key, time })
    }
}

/// The value of the next line, which must be `<name>: <value>` and end with LF.
fn take<'a>(rest: &mut &'a str, name: &'static str) -> Result<&'a str, EntryError> {
    let (line, after) = rest.split_once('\n').ok_or_else(|| EntryError::line(name, "a line", rest))?;
    let value = line.strip_prefix(name).and_then(|l| l.strip_prefix(": "));
    *rest = after;
    value.ok_or_else(|| EntryError::line(name, format_args!("`{name}: …`"), line))
}

fn take_digest(rest: &mut &str, name: &'static str) -> Result<Digest, EntryError> {
    let value = take(rest, name)?;
    Digest::parse_prefixed(value).map_err(|_| EntryError::line(name, "`sha256:` and 64 digits", value))
}

fn take_number(rest: &mut &str, name: &'static str) -> Result<u64, EntryError> {
    let value = take(rest, name)?;
    let number = value.parse().ok().filter(|n: &u64| *n <= MAX_INTEGER && n.to_string() == value);
    number.ok_or_else(|| EntryError::line(name, "a decimal number", value))
}

fn take_parsed<T: FromStr>(
    rest: &mut &str,
    name: &'static str,
    expected: &'static str,
) -> Result<T, EntryError> {
    let value = take(rest, name)?;
    value.parse().map_err(|_| EntryError::line(name, expected, value))
}
