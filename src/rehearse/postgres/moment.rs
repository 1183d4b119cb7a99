//! The change at another moment: whether what it leaves behind depends on the clock.
//!
//! Owns: a copy of the clone whose clock stands still, long ago. Must not: be looked at for anything but that; its schema is
//! not the change's own.
//!
//! Applying a change twice shows `random()`, but two applications on one day agree on `CURRENT_DATE`. So it is applied once
//! more, to a copy in which the clock's functions are SQL functions that give a fixed moment (planners put such functions'
//! bodies in the place of the calls), and in which the words that no function stands behind are replaced: in the script,
//! in defaults, in the bodies of routines. Where the rows come out the same, the clock did not matter.

use postgres::Client;

use super::child::{Run, commit_in, connect, own};
use super::cluster::{CLONE, OWNER, Place, SUPERUSER};
use super::failure;
use super::rows::layout::quote;
use crate::digest::Digest;
use crate::evidence::plan::postgresql::{CLOCK_WORDS, at_another_moment, mentions_the_clock};
use crate::rehearse::engine::{Failure, FailureKind};

/// The copy.
const TWIN: &str = "clone_twin";
/// The functions of the clock, and what they give.
const FUNCTIONS: [(&str, &str, &str); 6] = [
    ("now()", "timestamptz STABLE", "CAST('2001-02-03 04:05:06.789+00' AS pg_catalog.timestamptz)"),
    (
        "transaction_timestamp()",
        "timestamptz STABLE",
        "CAST('2001-02-03 04:05:06.789+00' AS pg_catalog.timestamptz)",
    ),
    (
        "statement_timestamp()",
        "timestamptz STABLE",
        "CAST('2001-02-03 04:05:06.789+00' AS pg_catalog.timestamptz)",
    ),
    (
        "clock_timestamp()",
        "timestamptz VOLATILE",
        "CAST('2001-02-03 04:05:06.789+00' AS pg_catalog.timestamptz)",
    ),
    ("timeofday()", "text VOLATILE", "CAST('Sat Feb 03 04:05:06.789000 2001 UTC' AS pg_catalog.text)"),
    (
        "age(timestamptz)",
        "interval STABLE",
        "pg_catalog.age(CAST('2001-02-03 00:00+00' AS pg_catalog.timestamptz), $1)",
    ),
];
/// Catalogues where an expression of the database may read the clock, as text.
const EXPRESSIONS: [&str; 3] = [
    "SELECT prosrc FROM pg_catalog.pg_proc WHERE oid >= 16384",
    "SELECT pg_catalog.pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef",
    "SELECT definition FROM pg_catalog.pg_views WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'",
];

/// Whether the tables come out otherwise where `run` is applied at another moment than when it left `tables`.
pub(super) fn matters(place: &Place, run: &Run, tables: Digest) -> Result<bool, Failure> {
    if !mentions_the_clock(&run.sql) && !database_mentions_the_clock(&mut connect(place, SUPERUSER, CLONE)?)?
    {
        return Ok(false);
    }
    let mut hands = connect(place, SUPERUSER, "postgres")?;
    own(&mut hands, &format!("CREATE DATABASE {TWIN} OWNER {OWNER} TEMPLATE {CLONE}"))?;
    let found = tables_at_another_moment(place, TWIN, run)?;
    own(&mut hands, &format!("DROP DATABASE {TWIN}"))?;
    Ok(found != Some(tables))
}

/// The tables that `run` leaves at another moment in `database`, which is spoilt by it; nothing where it fails then.
pub(super) fn tables_at_another_moment(
    place: &Place,
    database: &str,
    run: &Run,
) -> Result<Option<Digest>, Failure> {
    shift(&mut connect(place, SUPERUSER, database)?).map_err(|e| failure::of(&e, 0))?;
    let moved = Run { sql: at_another_moment(&run.sql), ..run.clone() };
    let done = commit_in(place, database, &moved)?;
    match done.report.failure {
        Some(failure) if failure.kind != FailureKind::Fails => Err(failure),
        _ => Ok(done.state.map(|state| state.tables)),
    }
}

fn database_mentions_the_clock(client: &mut Client) -> Result<bool, Failure> {
    let words = format!(r"\m({}|'now'|'today'|'tomorrow'|'yesterday')\M", CLOCK_WORDS.join("|"));
    let sql =
        format!("SELECT EXISTS (SELECT FROM ({}) e(sql) WHERE sql ~* $1)", EXPRESSIONS.join(" UNION ALL "));
    client.query_one(&sql, &[&words]).map(|row| row.get(0)).map_err(|e| failure::of(&e, 0))
}

/// Makes the clock of one database stand still.
fn shift(client: &mut Client) -> Result<(), postgres::Error> {
    client.batch_execute("SET search_path = pg_catalog; SET allow_system_table_mods = on")?;
    for (signature, gives, body) in FUNCTIONS {
        client.batch_execute(&format!(
            "CREATE OR REPLACE FUNCTION pg_catalog.{signature} RETURNS {gives} LANGUAGE sql AS $body$SELECT {body}$body$"
        ))?;
    }
    // Bodies in standard SQL are trees, and stay as they are.
    for row in client.query("SELECT oid, prosrc FROM pg_proc WHERE oid >= 16384", &[])? {
        let (oid, body): (u32, String) = (row.get(0), row.get(1));
        let moved = at_another_moment(&body);
        if moved != body {
            client.execute("UPDATE pg_proc SET prosrc = $2 WHERE oid = $1", &[&oid, &moved])?;
        }
    }
    let defaults = "SELECT d.adrelid::regclass::text, a.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d \
                    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated = ''";
    for row in client.query(defaults, &[])? {
        let (table, column, expression): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let moved = at_another_moment(&expression);
        if moved != expression {
            let column = quote(&column);
            client
                .batch_execute(&format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {moved}"))?;
        }
    }
    Ok(())
}
