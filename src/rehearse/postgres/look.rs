//! The state of the clone as digests: schema and rows, and apart from them what no ROLLBACK takes back.
//!
//! Owns: what of a state counts where. Must not: run as the clone's owner, whom row security may blind.

use std::collections::BTreeMap;
use std::path::Path;

use postgres::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{Place, SUPERUSER};
use super::difference;
use super::failure::{self, outside};
use super::opinion::Told;
use super::rows;
use crate::digest::{Digest, Hasher};
use crate::evidence::difference::{Differences, Equality};
use crate::evidence::entry::{ApartFacts, SchemaFacts};
use crate::rehearse::engine::Failure;
use crate::rehearse::progress;
use crate::rehearse::rows::layout::printable;

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Over schema and rows.
    pub rows: Digest,
    /// Over the tables alone: names, columns and rows.
    pub tables: Digest,
    /// Each sequence's position: set back by no ROLLBACK.
    pub sequences: BTreeMap<String, String>,
    /// Over the large objects' content, which nobody but a superuser may read.
    pub large_objects: Option<Digest>,
    /// Over the roles, their memberships and settings: they belong to the cluster, not to the database.
    pub roles: Digest,
    /// The schema in two opinions; nothing of a transaction that is open, into which pg_dump cannot look.
    pub opinions: Option<Opinions>,
}

/// The schema in two opinions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinions {
    /// By the catalogue, without what pg_dump takes for data.
    pub catalogue: Digest,
    /// By `pg_dump --schema-only`.
    pub pg_dump: Digest,
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

    /// Both opinions before and now, where both states have them.
    pub fn schema_since(&self, before: &State) -> Option<SchemaFacts> {
        let (before, after) = (before.opinions?, self.opinions?);
        Some(SchemaFacts {
            catalogue_before: before.catalogue,
            catalogue_after: after.catalogue,
            pg_dump_before: before.pg_dump,
            pg_dump_after: after.pg_dump,
        })
    }

    /// What stands apart, before and now.
    pub fn apart_since(&self, before: &State) -> ApartFacts {
        ApartFacts {
            sequences_before: before.sequences_digest(),
            sequences_after: self.sequences_digest(),
            roles_before: before.roles,
            roles_after: self.roles,
            large_objects_before: before.large_objects,
            large_objects_after: self.large_objects,
            non_transactional_effects: self.effects_since(before),
        }
    }

    /// What differs from `before` although a ROLLBACK was made: `sequence:public.x(5 called->9 called)`, `roles`,
    /// `large_objects`.
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
        if before.large_objects != self.large_objects {
            effects.push("large_objects".to_owned());
        }
        effects.sort_unstable();
        effects
    }
}

/// Looks at one database of a running cluster, on as many connections as there are processors, while pg_dump does.
pub(super) fn of_database(place: &Place, name: &str, tell: &mut dyn FnMut(Value)) -> Result<State, Failure> {
    let (database, spill) = (place.database(SUPERUSER, name), place.data());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (told, state) = std::thread::scope(|scope| {
        let told = scope.spawn(|| Told::of(place, name));
        let state = progress::told(tell, |progress| rows::of_database(&database, threads, &spill, progress));
        let state = state.map(|state| state.map_err(failure::of_state));
        (told.join().unwrap_or_else(|_| Err(outside("the thread that asks pg_dump ended early"))), state)
    });
    let state = state.unwrap_or_else(|| Err(outside("the thread that reads the rows ended early")));
    let (told, state) = (told?, state?);
    let opinions = Opinions { catalogue: state.told_by_pg_dump, pg_dump: told.digest() };
    let mut client = database.connect().map_err(|e| failure::of(&e, 0))?;
    with_roles(state, Some(opinions), &mut client)
}

/// Looks at the clone from inside of an open transaction, at what it sees.
pub(super) fn of_transaction(client: &mut Client, spill: &Path) -> Result<State, Failure> {
    let state = rows::of_transaction(client, spill).map_err(failure::of_state)?;
    with_roles(state, None, client)
}

fn with_roles(state: rows::State, opinions: Option<Opinions>, client: &mut Client) -> Result<State, Failure> {
    let roles = roles(client).map_err(|e| failure::of(&e, 0))?;
    let large_objects = state.apart.large_objects.map(|table| table.root);
    let mut tables = Hasher::labelled("fix7/postgresql/tables/v1");
    state.tables.iter().for_each(|table| {
        tables.framed(table.name.as_bytes());
        tables.update(table.root.as_bytes());
    });
    let tables = tables.finish();
    Ok(State { rows: state.root, tables, sequences: state.apart.sequences, large_objects, roles, opinions })
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

/// What differs between two databases of one cluster, and where the two opinions on their schemas do not agree.
pub(super) fn differences(
    place: &Place,
    before: (&str, &State),
    after: (&str, &State),
    listed: usize,
) -> Result<Differences, Failure> {
    let [a, b] = [before.0, after.0].map(|name| place.database(SUPERUSER, name));
    let mut found = difference::between(&a, &b, None, listed).map_err(failure::of_state)?;
    let Some(facts) = after.1.schema_since(before.1) else { return Ok(found) };
    let by_pg_dump = facts.catalogue_before == facts.catalogue_after;
    let object = match facts.alone("schema") {
        None => return Ok(found),
        Some(_) if by_pg_dump => Told::of(place, before.0)?.differs_in(&Told::of(place, after.0)?),
        Some(_) => "schema".to_owned(),
    };
    if by_pg_dump {
        found.equality = found.equality.max(Equality::SchemaDiffersOnly);
    }
    found.schema_codes.extend(facts.alone(&printable(&object)));
    found.schema_codes.sort_unstable();
    found.total += 1;
    Ok(found)
}
