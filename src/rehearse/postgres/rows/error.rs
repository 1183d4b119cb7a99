//! Why a state could not be read.

/// Why a state could not be read. Never says what a row holds.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The server refused, or the connection was lost.
    #[error("{what}: {cause}")]
    Server {
        /// The table or the step.
        what: String,
        /// The server's error.
        cause: postgres::Error,
    },
    /// Bytes came that are no answer of a PostgreSQL server.
    #[error("the server's answer is malformed: {0}")]
    Malformed(String),
    /// The file for digests that do not fit into memory.
    #[error("a file for digests in {place}: {cause}")]
    Spill {
        /// The directory.
        place: String,
        /// What the system says.
        cause: std::io::Error,
    },
}

impl StateError {
    /// An error of the server, met while reading `what`.
    pub(in crate::rehearse::postgres) fn server(what: &str, cause: postgres::Error) -> StateError {
        StateError::Server { what: what.to_owned(), cause }
    }

    /// Names the table in whose rows the error was met.
    pub(in crate::rehearse::postgres) fn at(self, table: &str) -> StateError {
        match self {
            StateError::Server { cause, .. } => StateError::server(table, cause),
            StateError::Malformed(what) => StateError::Malformed(format!("{table}: {what}")),
            spill => spill,
        }
    }
}
