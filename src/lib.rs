//! `fix7-ledger`: a signed evidence ledger in git for database rollback rehearsals.
//!
//! Before a team changes a production database, it rehearses the rollback on an isolated clone. This crate
//! runs the rehearsal, proves that the rollback restores the database exactly, writes the evidence as a
//! packet of files, and appends it to an append-only ledger that auditors verify offline. A rehearsal
//! authorizes nothing: no type, flag, key or entry kind in here can lift `HOLD_PRODUCTION`.
//!
//! # The way of the data
//!
//! ```text
//! source ─► clone ─► legs ─► evidence ─► packet ─► statement ─► entry ─► ledger ─► verdict ─► report
//!           └ rehearse ┘     └──────────────── pure ────────────────┘    └ ledger ┘  └─ pure ─┘
//! ```
//!
//! Two modules touch the world: [`rehearse`] (databases, processes, the kernel's walls) and [`ledger`] (git,
//! fsync, refs). Everything between is bytes to values to bytes, without I/O, clock, environment or
//! randomness, so that one function serves the operator's command, both hooks and the auditor. Only
//! [`cli`] reads arguments and prints.
//!
//! # A walk
//!
//! 1. [`rehearse::run`] copies the source's file set, confines a child, and runs six legs. It gives
//!    [`evidence::Facts`]: what was seen, without opinion and without anything volatile.
//! 2. [`judge::derive`] makes every file of the packet from the facts, the plan and the policy. Nothing in a
//!    packet is typed: whoever reads one derives it again and compares.
//! 3. [`statement`] says what is claimed (in-toto), [`dsse`] signs it, [`entry`] places it: one commit, one
//!    valid byte string, whose trailer block is the leaf of an RFC 6962 tree ([`merkle`]).
//! 4. [`state`] replays entries into keys, grants, policy and blockers; authority for an entry comes from
//!    the entries before it. [`judge::judge`] gives *all* reasons against a packet.
//! 5. [`ledger`] appends durably by compare-and-swap, and shows hooks what a push would do; [`index`] keeps what was
//!    verified, so that the next entry costs no more behind a million others than behind a hundred.
//! 6. [`verify`] goes through eight numbered steps, each held, broken or not established.
//!
//! ```
//! use fix7_ledger::judge::{self, derive, specimen};
//! use fix7_ledger::packet::Files;
//! use fix7_ledger::verdict::Code;
//!
//! // Facts as a rehearsal gives them (here: a specimen), and the packet that they imply.
//! let (facts, policy) = (specimen::facts(), specimen::policy());
//! let packet = derive::packet(&facts, &policy).unwrap();
//! let verdict = judge::judge(&policy, None, None, &Files::collect(packet.clone()).0);
//! assert!(verdict.accepted());
//!
//! // The same evidence with a rollback that did not restore the rows: still a packet, never accepted.
//! let mut facts = facts;
//! let entry = &mut facts.rollback.entries[1];
//! let changed = entry.after_apply_hash.unwrap().rows;
//! entry.after_rollback_hash.as_mut().unwrap().rows = changed;
//! let packet = derive::packet(&facts, &policy).unwrap();
//! let verdict = judge::judge(&policy, None, None, &Files::collect(packet).0);
//! assert!(verdict.has(Code::NotRestored));
//! ```
//!
//! # Words, one meaning each
//!
//! *source* the database as given, never written to · *clone* its isolated copy · *plan* the change and its
//! rollback · *leg* one rehearsed way back · *evidence* what was seen · *packet* the files · *statement* what
//! is claimed · *entry* one signed commit · *ledger* the entries · *head* its end · *grant* a signed decision
//! that permits one rehearsal · *blocker* something that keeps production on hold · *surface* something that
//! must stay untouched · *policy* the rules, as data · *reason* a code with an object and both values ·
//! *verdict* all reasons.
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
pub mod tlog;
// The domain, pure: no I/O, no clock, no environment, no randomness.
pub mod policy;
pub mod evidence;
pub mod packet;
pub mod statement;
pub mod entry;
pub mod state;
pub mod judge;
pub mod verify;
pub mod bundle;
// The edges: databases and processes; git; what is derived from it.
pub mod rehearse;
pub mod ledger;
pub mod index;
// What people see.
pub mod report;
pub mod cli;
