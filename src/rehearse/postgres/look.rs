//! The state of the clone as digests: schema and rows, and apart from them what no ROLLBACK takes back.
//!
//! Owns: what of a state counts where. Must not: run as the clone's owner, whom row security may blind.

use std::collections::BTreeMap;
use std::path::Path;

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::Database;
use super::cluster::{Place, SUPERUSER};
use super::difference;
use super::failure;
use super::rows;
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::Differences;
use crate::rehearse::engine::Failure;

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Over schema and rows.
    pub rows: Digest,
    /// Each sequence's position: set back by no ROLLBACK.
    pub sequences: BTreeMap<String, String>,
    /// Over the large objects' content, which nobody but a superuser may read.
    pub large_objects: Option<Digest>,
    /// Over the roles, their memberships and settings: they belong to the cluster, not to the database.
    pub roles: Digest,
}

impl State {
    /// Over the sequences' positions.
    pub fn sequences_digest(&self) -> Digest {
        let mut hasher = Hasher::labelled("fix7/sequences/v1");
        for (name, position) in &self.sequences {
            hasher.framed(name.as_bytes());
            hasher.framed(position.as_bytes());
        }
        hasher.finish()
    }

    /// What differs from `before` although a ROLLBACK was made: `sequence:public.x(5 called->9 called)`, `roles`.
    pub fn effects_since(&self, before: &State) -> Vec<String> {
        let mut names: Vec<&String> = before.sequences.keys().chain(self.sequences.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let position =
            |state: &State, name: &str| state.sequences.get(name).cloned().unwrap_or("none".to_owned());
        let mut effects: Vec<String> = names
            .into_iter()
            .map(|name| (name, position(before, name), position(self, name)))
            .filter(|(_, from, to)| from != to)
            .map(|(name, from, to)| format!("sequence:{name}({from}->{to})"))
            .collect();
        if before.roles != self.roles {
            effects.push("roles".to_owned());
        }
        effects
    }
}

/// Looks at one database of a running cluster, on as many connections as there are processors.
pub(super) fn of_database(place: &Place, database: &str) -> Result<State, Failure> {
    let (database, spill) = (place.database(SUPERUSER, database), place.data());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let state = rows::of_database(&database, threads, &spill, &|_| {}).map_err(failure::of_state)?;
    let mut client = database.connect().map_err(|e| failure::of(&e, 0))?;
    with_roles(state, &mut client)
}

/// Looks at the clone from inside of an open transaction, at what it sees.
pub(super) fn of_transaction(client: &mut Client, spill: &Path) -> Result<State, Failure> {
    let state = rows::of_transaction(client, spill).map_err(failure::of_state)?;
    with_roles(state, client)
}

fn with_roles(state: rows::State, client: &mut Client) -> Result<State, Failure> {
    let roles = roles(client).map_err(|e| failure::of(&e, 0))?;
    let large_objects = state.apart.large_objects.map(|table| table.root);
    Ok(State { rows: state.root, sequences: state.apart.sequences, large_objects, roles })
}

fn roles(client: &mut Client) -> Result<Digest, postgres::Error> {
    let mut hasher = Hasher::labelled("fix7/roles/v1");
    for sql in [
        "SELECT pg_catalog.concat_ws(' ', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, \
         rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil) FROM pg_catalog.pg_roles",
        "SELECT pg_catalog.concat_ws(' ', roleid::regrole, member::regrole, admin_option) \
         FROM pg_catalog.pg_auth_members",
        "SELECT pg_catalog.concat_ws(' ', s.setdatabase <> 0, CASE WHEN setrole = 0 THEN '' ELSE setrole::regrole::text END, \
         setconfig) FROM pg_catalog.pg_db_role_setting s",
    ] {
        let rows = client.query(sql, &[])?;
        let mut lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        lines.sort_unstable();
        hasher.update(&(lines.len() as u64).to_be_bytes());
        lines.iter().for_each(|line| hasher.framed(line.as_bytes()));
    }
    Ok(hasher.finish())
}

/// What differs between two databases of one cluster.
pub(super) fn differences(
    before: &Database,
    after: &Database,
    listed: usize,
) -> Result<Differences, Failure> {
    difference::between(before, after, None, listed).map_err(failure::of_state)
}
