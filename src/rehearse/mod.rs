//! Rehearsals: a source is cloned behind walls, a change and its rollback are run on the clone, and what
//! was seen becomes facts.
//!
//! Owns: everything that touches databases and processes; the only user of rusqlite for sources. Must not:
//! judge (`judge`), sign or store (`ledger`). The parent copies files, digests plain bytes and writes facts;
//! SQLite opens the clone in confined processes alone.
//!
//! ```text
//! run      Request ─► Rehearsal              source ─► clone ─► legs ─► evidence::Facts, and what is volatile
//! survey   Survey  ─► a row a migration      one confined process for a whole history
//! ```

pub mod bytes;
pub mod child;
pub mod clone;
pub mod difference;
pub mod engine;
pub mod error;
pub mod isolation;
pub mod legs;
pub mod plan;
pub mod postgres;
mod progress;
pub mod room;
pub mod rows;
pub mod run;
pub mod sample;
pub mod source;
pub mod survey;
pub use error::RehearseError;
#[cfg(test)]
mod tests;
