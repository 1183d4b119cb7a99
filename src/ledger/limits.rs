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
pub const MAX_ALLOCATION_BYTES: usize = 128 << 20;
/// Packs that may be added by others while a repository is open, before it is opened again.
pub const SPARE_PACKS: usize = 2048;
/// Bytes of git's own text files that are read whole (shallow, grafts, a remembered head). Stops a file that fills the memory.
pub const MAX_TEXT_FILE_BYTES: u64 = 4 << 20;
