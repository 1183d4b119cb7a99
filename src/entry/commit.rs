//! The commit object: written from its fields, and read back only where that gives the same bytes.

use super::{AUTHOR_DOMAIN, EntryError, GitId, Leaf, MAX_COMMIT_BYTES};
use crate::digest::Digest;
use crate::keys::Signer;
use crate::merkle;
use crate::sshsig::{self, SshSig, SshSigError};
use crate::statement::Label;

/// An entry without its commit signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    tree: GitId,
    parent: Option<GitId>,
    author: Label,
    label: Label,
    leaf: Leaf,
}

/// An entry: its fields, and the signature that says where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    unsigned: Unsigned,
    signature: SshSig,
}

impl Unsigned {
    /// Puts the fields together.
    ///
    /// # Errors
    /// A first entry with a parent, a later one without; a packet's digest where the kind has none, or none
    /// where it has one.
    pub fn new(
        tree: GitId,
        parent: Option<GitId>,
        author: Label,
        label: Label,
        leaf: Leaf,
    ) -> Result<Unsigned, EntryError> {
        if parent.is_some() != (leaf.seq > 0) {
            let found = parent.map_or("none".to_owned(), |p| p.to_string());
            return Err(EntryError::line("parent", "none for seq 0, one otherwise", &found));
        }
        if leaf.packet_tree.is_some() != leaf.kind.has_packet() {
            return Err(EntryError::line(
                "Fix7-Packet-Tree",
                "one where there is a packet",
                leaf.kind.name(),
            ));
        }
        Ok(Unsigned { tree, parent, author, label, leaf })
    }

    /// Signs the commit. The signer must be the key that the leaf names.
    ///
    /// # Errors
    /// Another key; an agent's refusal.
    pub fn sign(self, signer: &Signer<'_>) -> Result<Entry, EntryError> {
        let found = signer.public().fingerprint();
        if found != self.leaf.key {
            return Err(EntryError::line("Fix7-Key", self.leaf.key, &found.to_string()));
        }
        let (head, message) = self.payload();
        let signature = sshsig::sign(signer, sshsig::GIT, (head + "\n" + &message).as_bytes())?;
        Ok(Entry { unsigned: self, signature })
    }

    fn author_line(&self) -> String {
        let (name, time) = (&self.author, self.leaf.time.unix_seconds());
        format!("{name} <{name}@{AUTHOR_DOMAIN}> {time} +0000")
    }

    fn subject(&self) -> String {
        let Leaf { seq, kind, .. } = &self.leaf;
        format!("fix7-ledger #{seq} {} {} [HOLD_PRODUCTION]", kind.name(), self.label)
    }

    /// Headers (each with its line end) and message. The signed bytes are both with an empty line between; the
    /// commit has the signature's header before that empty line.
    fn payload(&self) -> (String, String) {
        let mut head = String::with_capacity(320);
        head.push_str(&format!("tree {}\n", self.tree));
        if let Some(parent) = &self.parent {
            head.push_str(&format!("parent {parent}\n"));
        }
        let author = self.author_line();
        head.push_str(&format!("author {author}\ncommitter {author}\n"));
        let message = format!("{}\n\n{}", self.subject(), self.leaf.to_text());
        (head, message)
    }
}

impl Entry {
    /// The leaf's fields.
    pub fn leaf(&self) -> &Leaf {
        &self.unsigned.leaf
    }

    /// The identity of the entry.
    pub fn leaf_hash(&self) -> Digest {
        self.unsigned.leaf.hash()
    }

    /// The name of whoever signs.
    pub fn author(&self) -> &Label {
        &self.unsigned.author
    }

    /// The name in the subject.
    pub fn label(&self) -> &Label {
        &self.unsigned.label
    }

    /// The entry's tree.
    pub fn tree(&self) -> GitId {
        self.unsigned.tree
    }

    /// The commit before.
    pub fn parent(&self) -> Option<GitId> {
        self.unsigned.parent
    }

    /// The commit signature, not yet checked.
    pub fn signature(&self) -> &SshSig {
        &self.signature
    }

    /// The commit object's content.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (head, message) = self.unsigned.payload();
        let armor = self.signature.to_armor();
        let mut bytes = Vec::with_capacity(head.len() + message.len() + armor.len() + 32);
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"gpgsig ");
        bytes.extend_from_slice(armor.replace('\n', "\n ").as_bytes());
        bytes.extend_from_slice(b"\n\n");
        bytes.extend_from_slice(message.as_bytes());
        bytes
    }

    /// Checks the commit signature, strictly, under the key that it carries.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify_signature(&self) -> Result<(), SshSigError> {
        let (mut payload, message) = self.unsigned.payload();
        payload.push('\n');
        payload.push_str(&message);
        self.signature.verify(payload.as_bytes())
    }

    /// Reads a commit object. The signature is not yet checked.
    ///
    /// # Errors
    /// Everything but the one form of an entry.
    pub fn parse(bytes: &[u8]) -> Result<Entry, EntryError> {
        let text = printable(bytes)?;
        let mut rest = text;
        let tree = take(&mut rest, "tree ")?.parse()?;
        let parent =
            if rest.starts_with("parent ") { Some(take(&mut rest, "parent ")?.parse()?) } else { None };
        let author_line = take(&mut rest, "author ")?;
        let committer_line = take(&mut rest, "committer ")?;
        let armor = take_armor(&mut rest)?;
        let empty = rest.strip_prefix('\n').ok_or_else(|| {
            let line = rest.split('\n').next().unwrap_or_default();
            EntryError::line("after gpgsig", "an empty line: there are no other headers", line)
        })?;
        let (subject, trailers) = empty
            .split_once("\n\n")
            .ok_or_else(|| EntryError::line("message", "a subject, an empty line, trailers", empty))?;
        let leaf = Leaf::parse(trailers)?;
        let label = |line, text: &str| text.parse().map_err(|error| EntryError::Label { line, error });
        let author = label("author", author_line.split(' ').next().unwrap_or_default())?;
        // `fix7-ledger #41 rehearsal <label> [HOLD_PRODUCTION]`
        let name = label("subject", subject.split(' ').nth(3).unwrap_or_default())?;
        let unsigned = Unsigned::new(tree, parent, author, name, leaf)?;
        demand("author", &unsigned.author_line(), author_line)?;
        demand("committer", author_line, committer_line)?;
        demand("subject", &unsigned.subject(), subject)?;
        let signature = SshSig::from_armor(&armor, sshsig::GIT)?;
        let signed_by = signature.key().fingerprint().to_string();
        demand("gpgsig key", &unsigned.leaf.key.to_string(), &signed_by)?;
        let entry = Entry { unsigned, signature };
        let again = entry.to_bytes();
        if again != bytes {
            let at = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(EntryError::NotTheOneForm { at });
        }
        Ok(entry)
    }

    /// Reads the leaf hash off a commit that was parsed before: the hash over its trailer block as stored.
    pub fn stored_leaf_hash(bytes: &[u8]) -> Option<Digest> {
        let at = memchr::memmem::find(bytes, b"\n\nFix7-Entry: ")? + 2;
        Some(merkle::leaf_hash(&bytes[at..]))
    }
}

fn printable(bytes: &[u8]) -> Result<&str, EntryError> {
    if bytes.len() > MAX_COMMIT_BYTES {
        return Err(EntryError::TooLarge { found: bytes.len() });
    }
    let odd = bytes.iter().position(|b| !(0x20..0x7f).contains(b) && *b != b'\n');
    match (odd, std::str::from_utf8(bytes)) {
        (None, Ok(text)) => Ok(text),
        (odd, _) => {
            let at = odd.unwrap_or(0);
            Err(EntryError::Byte { byte: bytes.get(at).copied().unwrap_or(0), at })
        }
    }
}

/// The rest of the next line, which must begin with `name`.
fn take<'a>(rest: &mut &'a str, name: &'static str) -> Result<&'a str, EntryError> {
    let (line, after) = rest.split_once('\n').ok_or_else(|| EntryError::line(name, "a line", rest))?;
    let value = line.strip_prefix(name).ok_or_else(|| {
        EntryError::line(name.trim_end(), format_args!("a line `{}…` here, once", name), line)
    })?;
    *rest = after;
    Ok(value)
}

/// The armor in the `gpgsig` header, its continuation lines put together.
fn take_armor(rest: &mut &str) -> Result<String, EntryError> {
    let mut armor = take(rest, "gpgsig ")?.to_owned();
    while let Some(continued) = rest.strip_prefix(' ') {
        let (line, after) =
            continued.split_once('\n').ok_or_else(|| EntryError::line("gpgsig", "a line end", continued))?;
        armor.push('\n');
        armor.push_str(line);
        *rest = after;
    }
    Ok(armor)
}

fn demand(line: &'static str, expected: &str, found: &str) -> Result<(), EntryError> {
    if expected == found { Ok(()) } else { Err(EntryError::line(line, format_args!("`{expected}`"), found)) }
}
