//! The limits of what is read from and written to a repository. Each names the attack that it stops.

/// Bytes of one git object in an entry. Stops a small pack entry that inflates without end.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// Bytes of all files of one entry. Stops many files that are each within their own limit.
pub const MAX_ENTRY_BYTES: u64 = 64 << 20;
/// Bytes of a commit object. Stops headers or messages of any length.
pub const MAX_COMMIT_BYTES: u64 = 64 << 10;
/// Bytes of a tree object. Stops trees with millions of names.
pub const MAX_TREE_BYTES: u64 = 1 << 20;
/// Files in one entry. Stops memory and time being spent on names.
pub const MAX_FILES_PER_ENTRY: usize = 512;
/// Directories below one another in an entry. Stops recursion without end.
pub const MAX_TREE_DEPTH: usize = 6;
/// Bytes of one part of a path in an entry. Stops names that other file systems cannot hold.
pub const MAX_NAME_BYTES: usize = 100;
/// Entries of one ledger: ten times the design size. Stops a walk without end.
pub const MAX_ENTRIES: usize = 10_000_000;
/// Bytes that the object database may allocate for one object. Stops delta bases and headers that promise more than is there.
pub const MAX_ALLOCATION_BYTES: usize = 512 << 20;
/// Packs that may be added by others while a repository is open, before it is opened again.
pub const SPARE_PACKS: usize = 2048;
/// Bytes of git's own text files that are read whole (shallow, grafts, a remembered head). Stops a file that fills the memory.
pub const MAX_TEXT_FILE_BYTES: u64 = 4 << 20;
/// Refs in one push. Stops a hook that runs for hours.
pub const MAX_REFS_PER_PUSH: usize = 1_000;
/// Bytes of one line that git gives to a hook. Stops a name that fills the memory.
pub const MAX_HOOK_LINE_BYTES: usize = 4_096;
/// Entries of ledgers in one push: a whole ledger of the usual size can be published at once.
pub const MAX_ENTRIES_PER_PUSH: usize = 100_000;
/// Objects of other refs in one push that are looked at. Stops a push that is too large to be decided.
pub const MAX_OBJECTS_PER_PUSH: usize = 250_000;
/// Names, messages and contents of other refs in one push that are looked at. Stops trees of nothing but names.
pub const MAX_CHANNELS_PER_PUSH: usize = 1_000_000;
/// Bytes of other refs' objects in one push that are looked at. Stops many large files.
pub const MAX_BYTES_PER_PUSH: u64 = 1 << 30;
/// Bytes of one file of another ref that are read into memory. The policy's own limit is what usually holds.
pub const MAX_SCANNED_FILE_BYTES: u64 = 256 << 20;
/// Bytes of one tree of another ref.
pub const MAX_SCANNED_TREE_BYTES: u64 = 16 << 20;
/// Directories below one another in other refs. Stops recursion without end.
pub const MAX_SCANNED_DEPTH: usize = 64;
/// Tags of tags of tags. Stops a chain without end.
pub const MAX_TAG_DEPTH: usize = 8;
/// Commits of existing refs that are walked to tell old from new. Beyond it, what is old counts as new.
pub const MAX_KNOWN_COMMITS: usize = 200_000;
/// Reasons that one examination gives. Stops a refusal that is longer than anybody reads.
pub const MAX_REASONS: usize = 50;
