//! Why the ledger could not do or find out something.

use std::io;
use std::path::{Path, PathBuf};

use crate::verdict::{Code, Reason};

/// What `ledger` returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be read, written or found out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A condition that has a reason code: a missing object, a lost race, a limit.
    #[error("{0}")]
    Reason(Box<Reason>),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller's closure, which renders and signs the commit, gave up.
    #[error("the entry could not be rendered: {0}")]
    Render(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A condition about `object` with both values.
    pub(crate) fn expected(
        code: Code,
        object: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Error {
        Reason::new(code, object).values(expected, found).into()
    }

    /// A condition about `object` with what was found.
    pub(crate) fn found(code: Code, object: impl std::fmt::Display, found: impl std::fmt::Display) -> Error {
        Reason::new(code, object).found(found).into()
    }

    /// The reason code, the same wherever this error is shown.
    pub fn code(&self) -> Code {
        match self {
            Error::Reason(reason) => reason.code,
            Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Code::OutOfSpace,
            Error::Io { .. } | Error::Render(_) => Code::Unreadable,
        }
    }

    /// This error as a reason, for a verdict.
    pub fn reason(&self) -> Reason {
        match self {
            Error::Reason(reason) => (**reason).clone(),
            Error::Io { action, path, source } => {
                Reason::new(self.code(), path.display()).found(format_args!("cannot {action}: {source}"))
            }
            Error::Render(source) => Reason::new(self.code(), "entry").found(source),
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Error {
        Error::Reason(Box::new(reason))
    }
}

/// Names the action and the path of a failed system call.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}
