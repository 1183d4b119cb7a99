//! PostgreSQL: the same legs on a cluster that is made for one rehearsal, behind the walls of level 3.
//!
//! Owns: everything that knows PostgreSQL. Must not: reach a server that it did not start itself; a cluster's
//! only socket lies in the clone's directory, which no other process can see.

use postgres::{Client, NoTls};

/// Opens a further connection to one database of the rehearsal's own cluster.
///
/// Readers get one each, so that tables are read side by side in one exported snapshot.
#[derive(Clone, Debug)]
pub struct Database {
    config: postgres::Config,
}

impl Database {
    /// The database that `config` names: a directory for the socket, a role, a database.
    pub fn new(config: postgres::Config) -> Database {
        Database { config }
    }

    /// A new connection.
    ///
    /// # Errors
    /// The server's, or the socket's.
    pub fn connect(&self) -> Result<Client, postgres::Error> {
        self.config.connect(NoTls)
    }
}
