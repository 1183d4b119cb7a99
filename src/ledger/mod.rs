//! The ledger in git: the only user of git objects and refs, and of fsync.
//!
//! Owns: reading entries (each object hashed again), appending them durably, pushing, and what the hooks
//! see of a push. Must not: judge what an entry says, sign, read the clock or the environment, print.
//!
//! ```text
//! Repository::open ─► tip ─► Reader::read_chain ─► Reader::read_entry ─► StoredEntry ─► (entry, verify)
//! (record) ─► Repository::lock ─► append: one pack, flushed, read back ─► ref by compare-and-swap ─► push
//! git's hook input ─► push::Push ─► push::examine ─► new entries to verify, and all else to the claim gate
//! ```
//!
//! ```
//! use fix7_ledger::ledger::LedgerRef;
//! assert_eq!(LedgerRef::named("orders-db")?.as_str(), "refs/heads/fix7-ledger/orders-db");
//! assert!(LedgerRef::named("Orders").is_err(), "one name on every file system");
//! # Ok::<(), fix7_ledger::ledger::Error>(())
//! ```

pub mod agent;
mod append;
mod bulk;
mod chain;
mod checkpoints;
mod child;
mod checkout;
mod commit;
mod consolidate;
mod durable;
mod error;
mod heads;
mod hooks;
#[cfg(test)]
mod hostile;
pub mod limits;
mod lock;
mod numbers;
mod objects;
mod outbox;
mod pack;
pub mod push;
mod remote;
mod ref_lock;
mod repeated;
mod repository;
mod tree;
mod witness;

pub use append::{Draft, Render, Step};
pub use bulk::Bulk;
pub use child::{INHERITED, Surroundings};
pub use error::{Error, Result};
pub use heads::{AwaitedHead, SeenHead};
pub use hooks::{HookKind, HookState, HookStatus};
pub use lock::HostLock;
pub use objects::{Kind, Oid, Reader, commit_id, parse_oid};
pub use outbox::Kept;
pub use remote::{Incoming, Pushed};
pub use repository::{LEDGER_PREFIX, LedgerRef, Repository};
pub use tree::{name_is_allowed, path_is_allowed};
pub use witness::{WitnessDirectory, WitnessIdentity};
