//! Why a rehearsal could not be carried out, or was refused: always as a reason with its code.

use std::fmt;
use std::io;
use std::path::Path;

use super::engine::{Failure, FailureKind};
use super::isolation::IsolationError;
use crate::verdict::{Code, Reason};

/// No evidence was made. The reasons say why; the first one's code decides the exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Reason::to_string).collect::<Vec<_>>().join("; "))]
pub struct RehearseError(Vec<Reason>);

impl RehearseError {
    /// An error with this reason.
    pub fn new(reason: Reason) -> RehearseError {
        RehearseError(vec![reason])
    }

    /// A file or directory that cannot be used.
    pub(super) fn file(path: &Path, what: &str, error: &io::Error) -> RehearseError {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Code::OutOfSpace
            }
            _ => Code::Unreadable,
        };
        RehearseError::new(Reason::new(code, path.display()).found(format_args!("{what}: {error}")))
    }

    /// A refusal with its code.
    pub(super) fn refused(code: Code, object: impl fmt::Display, found: impl fmt::Display) -> RehearseError {
        RehearseError::new(Reason::new(code, object).found(found))
    }

    /// A failure that is not the change's own: the rehearsal itself could not go on.
    pub(super) fn of_failure(object: impl fmt::Display, failure: &Failure) -> RehearseError {
        let code = match failure.kind {
            FailureKind::Denied => Code::StatementForbidden,
            FailureKind::TimedOut => Code::TimedOut,
            FailureKind::OutOfSpace => Code::OutOfSpace,
            FailureKind::Lacks => Code::EngineCannot,
            FailureKind::Corrupt => Code::IntegrityBroken,
            FailureKind::Fails | FailureKind::Disk => Code::Unreadable,
        };
        RehearseError::new(Reason::new(code, object).found(failure))
    }

    /// The reasons, at least one.
    pub fn reasons(&self) -> &[Reason] {
        &self.0
    }

    /// The first reason's code.
    pub fn code(&self) -> Code {
        self.0[0].code
    }
}

impl From<IsolationError> for RehearseError {
    fn from(error: IsolationError) -> RehearseError {
        let mut reasons = error.reasons();
        if reasons.is_empty() {
            reasons.push(Reason::new(Code::IsolationUnavailable, "isolation").found(error));
        }
        RehearseError(reasons)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.statement {
            0 => f.write_str(&self.text),
            n => write!(f, "statement {n}: {}", self.text),
        }
    }
}
