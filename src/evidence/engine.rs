//! The engines that a rehearsal can run on: a closed list.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A database engine, by the name that stands in the evidence and in the policy.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// SQLite: a library inside of the confined process, which then needs no socket and starts nothing.
    #[default]
    Sqlite,
    /// PostgreSQL: a server of several processes and programs, reached by a unix socket.
    Postgresql,
}

impl EngineName {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            EngineName::Sqlite => "sqlite",
            EngineName::Postgresql => "postgresql",
        }
    }

    /// Whether this is SQLite, whose name stands in no field that older evidence does not have.
    pub fn is_sqlite(&self) -> bool {
        *self == EngineName::Sqlite
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
