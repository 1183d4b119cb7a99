//! The channels of a push: every place in it where somebody could write a claim.

/// What kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// The full name of a ref that is created or updated.
    RefName,
    /// A push option.
    PushOption,
    /// The name in an annotated tag.
    TagName,
    /// The message of an annotated tag, with its signature.
    TagMessage,
    /// Author, committer or tagger.
    Identity,
    /// Any other header of a commit or tag: encoding, signatures, embedded tags.
    Header,
    /// The message of a commit.
    CommitMessage,
    /// The path of a file or directory.
    Path,
    /// The content of a file.
    File,
    /// The text of a note.
    Note,
}

/// One place with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// What kind of place.
    pub kind: ChannelKind,
    /// Where it is, for people: a ref, a commit, a path.
    pub place: &'a str,
    /// What stands there.
    pub bytes: &'a [u8],
}
