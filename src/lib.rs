//! `fix7-ledger`: a signed evidence ledger in git for database rollback rehearsals.
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

// The order is the rule: a module may use only those above it (tests/it/architecture.rs).

// Foundation: knows nothing of the domain.
pub mod canon;
pub mod digest;
pub mod time;
pub mod verdict;
// Signatures and the log's arithmetic: bytes to values to bytes.
pub mod merkle;
pub mod keys;
pub mod sshsig;
pub mod dsse;
// The domain, pure: no I/O, no clock, no environment, no randomness.
pub mod policy;
pub mod evidence;
pub mod packet;
pub mod statement;
pub mod entry;
pub mod state;
pub mod judge;
pub mod verify;
// The two edges: databases and processes; git.
pub mod rehearse;
pub mod ledger;
// What people see.
pub mod report;
pub mod cli;
