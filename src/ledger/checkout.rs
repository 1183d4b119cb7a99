//! Which branch a work tree has checked out. Entries are never made by a commit in one.

use super::error::{Error, Result};
use super::repository::Repository;
use crate::verdict::Code;

impl Repository {
    /// Whether there is no work tree: the shape of a server's repository.
    pub fn is_bare(&self) -> bool {
        self.git.to_thread_local().is_bare()
    }

    /// The full name of the branch that HEAD names; `None` where HEAD names a commit.
    ///
    /// # Errors
    /// `UNREADABLE` where HEAD cannot be read.
    pub fn checked_out(&self) -> Result<Option<String>> {
        let head =
            self.git.to_thread_local().head_name().map_err(|e| Error::found(Code::Unreadable, "HEAD", e))?;
        Ok(head.map(|name| name.as_bstr().to_string()))
    }
}
