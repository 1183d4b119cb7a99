//! The state of the clone as digests: schema and rows, and apart from them what no ROLLBACK takes back.
//!
//! Owns: what of a state counts where. Must not: run as the clone's owner, whom row security may blind.

use std::collections::BTreeMap;

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::Database;
use super::cluster::{Place, SUPERUSER};
use super::contents::Contents;
use super::failure;
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::{Differences, Equality};
use crate::rehearse::engine::Failure;

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Over schema and rows.
    pub rows: Digest,
    /// Each sequence's position: set back by no ROLLBACK.
    pub sequences: BTreeMap<String, String>,
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

/// Looks at the clone through one connection: inside of a transaction, at what it sees.
pub(super) fn of_client(client: &mut Client) -> Result<State, Failure> {
    let failed = |e: postgres::Error| failure::of(&e, 0);
    let rows = Contents::of(client)?.root();
    let sequences = sequences(client).map_err(failed)?;
    let roles = roles(client).map_err(failed)?;
    Ok(State { rows, sequences, roles })
}

fn sequences(client: &mut Client) -> Result<BTreeMap<String, String>, postgres::Error> {
    let names = client.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'",
        &[],
    )?;
    let mut found = BTreeMap::new();
    for row in names {
        let name: String = row.get(0);
        let sql =
            format!("SELECT last_value::text || CASE WHEN is_called THEN ' called' ELSE '' END FROM {name}");
        found.insert(name, client.query_one(&sql, &[])?.get(0));
    }
    Ok(found)
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

/// Looks at one database of a running cluster.
pub(super) fn of_database(place: &Place, database: &str) -> Result<State, Failure> {
    let client = place.database(SUPERUSER, database).connect();
    of_client(&mut client.map_err(|e| failure::of(&e, 0))?)
}

/// What differs between two databases of one cluster.
pub(super) fn differences(
    before: &Database,
    after: &Database,
    listed: usize,
) -> Result<Differences, Failure> {
    let failed = |e: postgres::Error| failure::of(&e, 0);
    let [before, after] = [before, after].map(|database| -> Result<_, Failure> {
        let mut client = database.connect().map_err(failed)?;
        let contents = Contents::of(&mut client)?;
        Ok((contents, sequences(&mut client).map_err(failed)?))
    });
    let ((before, from), (after, to)) = (before?, after?);
    let mut differences = before.differences(&after, listed);
    // A sequence that is gone or new is a difference of the schema, and told there.
    let both = from.iter().filter_map(|(name, position)| Some((name, position, to.get(name)?)));
    for (name, position, now) in both.filter(|(_, position, now)| position != now) {
        differences.row_codes.push(format!("sequence:{name}({position}->{now})"));
        differences.equality = Equality::RowsDiffer;
        differences.total += 1;
    }
    differences.row_codes.sort();
    Ok(differences)
}
