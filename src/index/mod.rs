//! The derived index: what a copy of the repository verified, kept so that the next verb need not read it again.
//!
//! Owns: one SQLite file for each ledger beside the repository, an ordered map that proves its answers, the state as of
//! any position that it knows, the lines that `log` lists, the hashes that proofs are made of. Must not: verify, read
//! git, be the only place of anything. What is lost or damaged is made again from the entries.
//!
//! ```text
//! verified entries ─► append, one transaction ─► file ─► View as of a position ─► state::Index, lines, hashes
//! ```
//!
//! Every question costs what it answers: an entry more costs the same behind a hundred entries and behind a million.
//!
//! ```
//! use fix7_ledger::index::Index;
//! let directory = tempfile::tempdir().unwrap();
//! let index = Index::open(directory.path(), "main").unwrap();
//! let view = index.view(None).unwrap();
//! assert_eq!((view.size(), view.position("8d0…").unwrap()), (0, None));
//! ```

mod file;
mod key;
mod line;
mod map;
mod query;
mod view;
mod write;

use std::path::Path;

pub use line::{Line, Listed, plan_names};
pub use query::{Found, Wanted};
pub use view::{Mend, Resumed, View};
pub use write::{Batch, Written};

use crate::state::IndexError;

/// Why an index gives no answer. None of them is an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// What is stored contradicts itself.
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    /// Somebody else writes.
    #[error("the index is being written to")]
    Busy,
    /// It cannot be read or written here.
    #[error("the index cannot be used: {0}")]
    Unusable(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Fault::Busy,
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Fault::Damaged("its pages")
            }
            _ => Fault::Unusable(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Unusable(error.to_string())
    }
}

impl From<Fault> for IndexError {
    fn from(fault: Fault) -> IndexError {
        IndexError(fault.to_string())
    }
}

/// The index of one ledger.
#[derive(Debug)]
pub struct Index {
    place: file::Place,
}

impl Index {
    /// The index below a directory of notes; an empty one where there is none that is this user's own.
    ///
    /// # Errors
    /// Where none can be made: a directory that is read-only, or another program that makes one at this moment.
    pub fn open(notes: &Path, ledger: &str) -> Result<Index, Fault> {
        let home = file::Home::below(notes, ledger);
        match home.open() {
            Ok(Some((_, place))) => Ok(Index { place }),
            Err(Fault::Busy) => Err(Fault::Busy),
            _ => Index::begin(notes, ledger),
        }
    }

    /// An empty index in the place of whatever is there.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn begin(notes: &Path, ledger: &str) -> Result<Index, Fault> {
        let (_, place) = file::Home::below(notes, ledger).begin()?;
        Ok(Index { place })
    }

    /// An empty index in a directory of its own below `parent`, which goes with its last view: for a repository that
    /// cannot be written to.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn scratch(parent: &Path, ledger: &str) -> Result<Index, Fault> {
        let (_, place) = file::Home::scratch(parent, ledger)?.begin()?;
        Ok(Index { place })
    }

    /// The index at this moment. `mend` is asked for another one once this one is found damaged.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn view(&self, mend: Option<Box<Mend>>) -> Result<View, Fault> {
        View::of(self.place.open()?, self.place.clone(), mend)
    }

    /// Takes it away, so that the next one is made anew. Whoever reads it goes on reading.
    pub fn remove(&self) {
        self.place.remove();
    }

    /// Appends verified entries.
    ///
    /// # Errors
    /// It cannot be written; nothing is changed then.
    pub fn append(&self, batch: &Batch<'_>) -> Result<Written, Fault> {
        write::append(&self.place, batch)
    }

    /// Forgets the last entries until at most `size` are left: batches are undone whole. False: it does not reach so
    /// far, and [`Index::begin`] is the way.
    ///
    /// # Errors
    /// As [`Index::append`].
    pub fn rewind(&self, size: u64) -> Result<bool, Fault> {
        write::rewind(&self.place, size)
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
