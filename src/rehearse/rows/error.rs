//! Why a database's rows could not be established. Never a verdict about them.

use std::path::Path;

use rusqlite::ErrorCode;

/// Why no digest or comparison was reached.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file is not a sound SQLite database.
    #[error("the database is malformed: {0}")]
    Malformed(String),
    /// The schema needs something that only the application registers: nothing can be said about the rows.
    #[error("could not establish the rows: the schema needs the {kind} `{name}`, which plain SQLite lacks")]
    Needs {
        /// What is missing.
        kind: Needed,
        /// Its name, as SQLite reports it.
        name: String,
    },
    /// The file or its directory could not be read.
    #[error("{what}: {cause}")]
    Io {
        /// The file.
        what: String,
        /// What the system says.
        cause: String,
    },
    /// A journal or a write-ahead log stands beside a file that should be quiet.
    #[error("{file} holds {size} bytes: the database is not quiet, its main file alone has other content")]
    NotQuiet {
        /// The file found.
        file: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The engine refused for another reason (a limit, an authorizer, an interrupt).
    #[error("SQLite could not read {what}: {cause}")]
    Engine {
        /// The table or the step.
        what: String,
        /// SQLite's message.
        cause: String,
    },
}

/// What an application registers and a plain engine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// An SQL function.
    Function,
    /// A collating sequence.
    Collation,
    /// A virtual table module.
    Module,
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Needed::Function => "function",
            Needed::Collation => "collation",
            Needed::Module => "module",
        })
    }
}

/// SQLite's messages for what it lacks: its result code is the general one, so the text has to decide.
const LACKS: [(&str, Needed); 4] = [
    ("no such function: ", Needed::Function),
    ("unknown function: ", Needed::Function),
    ("no such collation sequence: ", Needed::Collation),
    ("no such module: ", Needed::Module),
];

impl RowsError {
    /// Sorts an engine error, met while reading `what`, into its class.
    pub(crate) fn engine(what: &str, error: rusqlite::Error) -> RowsError {
        let cause = error.to_string();
        for (lack, kind) in LACKS {
            if let Some(at) = cause.find(lack) {
                let name: String =
                    cause[at + lack.len()..].chars().take_while(|c| !c.is_whitespace()).take(128).collect();
                return RowsError::Needs { kind, name: name.trim_end_matches("()").to_owned() };
            }
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                RowsError::Malformed(format!("{what}: {cause}"))
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => RowsError::Io { what: what.to_owned(), cause },
            _ => RowsError::Engine { what: what.to_owned(), cause },
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> RowsError {
        RowsError::Io { what: path.display().to_string(), cause: error.to_string() }
    }
}
