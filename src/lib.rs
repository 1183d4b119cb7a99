//! `fix7-ledger`: a signed evidence ledger in git for database rollback rehearsals.
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

// Foundation: knows nothing of the domain.
pub mod canon;
pub mod digest;
pub mod time;
pub mod verdict;
// Signatures and the log's arithmetic: bytes to values to bytes.
pub mod dsse;
pub mod keys;
pub mod merkle;
pub mod sshsig;
// The domain, pure: no I/O, no clock, no environment, no randomness.
pub mod entry;
pub mod evidence;
pub mod judge;
pub mod packet;
pub mod policy;
pub mod state;
pub mod statement;
pub mod verify;
// The two edges: databases and processes; git.
pub mod ledger;
pub mod rehearse;
// What people see.
pub mod cli;
pub mod report;
