//! PostgreSQL: the same legs on a cluster that is made for one rehearsal, behind the walls of level 3.
//!
//! Owns: everything that knows PostgreSQL. Must not: reach a server that it did not start itself; a cluster's
//! only socket lies in the clone's directory, which no other process can see.

//!
//! ```text
//! programs   initdb, postgres, pg_restore, pg_dump, pg_checksums of one installation
//! dump       a dump as given: format, digest, why it is not production
//! cluster    made, started, stopped in the clone's directory
//! restore    the dump into the clone, as the role that owns it
//! script     one script, statement by statement
//! locks      the lock watch
//! rows       the row digest: tables as multisets of rows, read side by side in one snapshot
//! schema     every object, by the catalogue
//! difference what differs between two databases
//! look       the state of the clone as digests
//! opinion    the schema once more, as pg_dump tells it
//! moment     the change once more, at another moment
//! files      the stopped cluster's files: manifest and snapshot
//! legs       what is done in which order
//! room       one confined process a question, and the snapshot
//! rehearsal  from a request to its facts
//! survey     a whole history, a database a state
//! fill       rows made up for tables that have none
//! child      what the confined process is asked
//! ```

mod cluster;
pub mod child;
pub mod difference;
pub mod dump;
mod failure;
mod fill;
mod files;
mod legs;
mod locks;
mod look;
mod moment;
mod opinion;
pub mod programs;
pub mod rehearsal;
mod restore;
mod room;
pub mod rows;
mod schema;
mod script;
pub mod survey;

pub use cluster::{Place, SETTINGS};

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

#[cfg(test)]
mod tests;
