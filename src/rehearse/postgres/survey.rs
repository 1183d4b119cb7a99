//! A survey on PostgreSQL: a whole history in one cluster, each state a database of its own.
//!
//! Owns: the states of one trial as databases beside each other. Must not: run a script as a superuser.
//!
//! ```text
//! clone         the state that the earlier migrations left
//! clone_before  its copy, for the comparison, and for the change at another moment
//! clone_after   the copy after the change: the next migration starts there
//! clone_without the clone as it was before rows were made up for a trial of its own
//! ```

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::child::{Answer, Question, Run, What, commit_in, connect, own, with_server};
use super::cluster::{BEFORE, CLONE, OWNER, Place, SUPERUSER};
use super::failure::outside;
use super::look::State;
use super::programs::Programs;
use super::{fill, look, moment, script};
use crate::evidence::Outcome;
use crate::evidence::difference::Equality;
use crate::evidence::isolation::Level;
use crate::evidence::plan::postgresql::{brings_its_own_transaction, outside_transaction, statements};
use crate::rehearse::RehearseError;
use crate::rehearse::engine::{Failure, FailureKind};
use crate::rehearse::isolation::{Confinement, Wanted};
use crate::rehearse::survey::{MadeRows, Redo, Row, SCRIPT_SECONDS, Survey, Wrapping};

const AFTER: &str = "clone_after";
/// The clone without made-up rows.
const WITHOUT: &str = "clone_without";
/// Verdicts from the strongest to the weakest, as far as two trials of one change can differ.
const RANKS: [Outcome; 7] = [
    Outcome::NoDown,
    Outcome::Exact,
    Outcome::ExactButColumnOrder,
    Outcome::ExactButSequence,
    Outcome::SchemaDiffersOnly,
    Outcome::RowsDiffer,
    Outcome::DownFails,
];
/// What making a cluster and copying databases may take, beyond the scripts.
const GRACE: Duration = Duration::from_secs(300);

/// One migration to try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Its number.
    pub n: u32,
    /// Its name.
    pub id: String,
    /// The change.
    pub up: Run,
    /// The way back.
    pub down: Option<Run>,
    /// Try it over tables with made-up rows besides.
    pub made_rows: bool,
}

/// Surveys the history on an empty database.
///
/// # Errors
/// The isolation could not be established, or the cluster failed.
pub fn run(
    survey: &Survey,
    programs: &Programs,
    each: &mut dyn FnMut(&Row, Duration),
) -> Result<Vec<Row>, RehearseError> {
    let confinement = Confinement::establish_for(
        &survey.executable,
        &survey.scratch,
        Wanted::Exactly(Level::Three),
        programs.walls(),
    )?;
    let directory = confinement.clone_directory().to_owned();
    let place = Place { directory, programs: programs.directory.clone() };
    let trials: Vec<Trial> = survey
        .history
        .migrations
        .iter()
        .zip(1..)
        .map(|(migration, n)| {
            let run = |sql: &str| Run {
                sql: sql.to_owned(),
                transaction: wrapped(survey.transaction, migration.transaction, sql),
                limit_ms: SCRIPT_SECONDS * 1000,
            };
            let (up, down) = (run(&migration.up), migration.down.as_deref().map(run));
            Trial { n, id: migration.id.clone(), up, down, made_rows: survey.made_rows }
        })
        .collect();
    let patience =
        GRACE + 2 * Duration::from_secs(SCRIPT_SECONDS) * u32::try_from(trials.len()).unwrap_or(u32::MAX);
    let mut child = confinement.spawn()?;
    let what = What::Survey(trials);
    let question = crate::rehearse::child::Question::Postgres(Question { place, what });
    let answer = child.ask(&question, Some(patience))?;
    child.finish()?;
    let rows = match answer {
        crate::rehearse::child::Answer::Postgres(answer) => match *answer {
            Answer::Surveyed(rows) => rows,
            Answer::Unreadable(failure) => return Err(RehearseError::of_failure("the cluster", &failure)),
            _ => return Err(super::room::another()),
        },
        other => return Err(crate::rehearse::legs::unexpected(other)),
    };
    confinement.close()?;
    rows.iter().for_each(|(row, ms)| each(row, Duration::from_millis(*ms)));
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

fn wrapped(setting: Wrapping, marked: Option<bool>, sql: &str) -> bool {
    match setting {
        Wrapping::On => outside_transaction(sql).is_none(),
        Wrapping::Off => false,
        Wrapping::Auto => marked.unwrap_or(true) && !brings_its_own_transaction(sql),
    }
}

/// Performs the trials, one after the other, in one server: each row with its milliseconds.
pub(super) fn perform(place: &Place, trials: &[Trial]) -> Result<Vec<(Row, u64)>, Failure> {
    super::child::prepare(place)?;
    with_server(place, || {
        trials
            .iter()
            .map(|trial| {
                let since = Instant::now();
                let made = trial.made_rows.then(|| with_made_rows(place, trial)).transpose()?;
                let row = weaker(one(place, trial)?, made);
                Ok((row, u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)))
            })
            .collect()
    })
}

/// The trial over tables with made-up rows, on a copy.
fn with_made_rows(place: &Place, trial: &Trial) -> Result<Row, Failure> {
    let mut hands = connect(place, SUPERUSER, "postgres")?;
    own(&mut hands, &format!("CREATE DATABASE {WITHOUT} OWNER {OWNER} TEMPLATE {CLONE}"))?;
    let made = fill::fill(place)?;
    let row = one(place, trial)?;
    own(&mut hands, &format!("DROP DATABASE {CLONE}"))?;
    own(&mut hands, &format!("ALTER DATABASE {WITHOUT} RENAME TO {CLONE}"))?;
    Ok(Row { made: Some(made), ..row })
}

/// The row whose way back is weaker; of two that are equal the one over made-up rows, which shows more. A change that does
/// not work over them says nothing about its way back.
fn weaker(row: Row, with: Option<Row>) -> Row {
    let Some(with) = with else { return row };
    if matches!(with.verdict, Outcome::UpFails | Outcome::CouldNotEstablish) {
        let made = with.made.map(|made| MadeRows { change_fails: with.error, ..made });
        return Row { made, ..row };
    }
    let rank = |outcome: Outcome| RANKS.iter().position(|known| *known == outcome);
    if rank(row.verdict) <= rank(with.verdict) { with } else { row }
}

fn one(place: &Place, trial: &Trial) -> Result<Row, Failure> {
    let mut hands = connect(place, SUPERUSER, "postgres")?;
    let mut row = Row::begun(trial.n, &trial.id, trial.up.transaction, Outcome::NoDown);
    let base = look::of_database(place, CLONE, &mut |_| {})?;
    own(&mut hands, &format!("CREATE DATABASE {BEFORE} OWNER {OWNER} TEMPLATE {CLONE}"))?;
    let up = commit_in(place, CLONE, &trial.up)?;
    if let Some(failure) = up.report.failure {
        own_alone(&failure)?;
        row.verdict =
            if failure.kind == FailureKind::Lacks { Outcome::CouldNotEstablish } else { Outcome::UpFails };
        row.error = Some(failure.to_string());
        own(&mut hands, &format!("DROP DATABASE {CLONE}"))?;
        own(&mut hands, &format!("ALTER DATABASE {BEFORE} RENAME TO {CLONE}"))?;
        what_works(place, &trial.up.sql)?;
        return Ok(row);
    }
    let changed = seen(up.state)?;
    row.noop = changed == base;
    own(&mut hands, &format!("CREATE DATABASE {AFTER} OWNER {OWNER} TEMPLATE {CLONE}"))?;
    if let Some(down) = &trial.down {
        let back = commit_in(place, CLONE, down)?;
        match back.report.failure {
            Some(failure) => {
                own_alone(&failure)?;
                let lacks = failure.kind == FailureKind::Lacks;
                row.verdict = if lacks { Outcome::CouldNotEstablish } else { Outcome::DownFails };
                row.error = Some(failure.to_string());
            }
            None => {
                let state = seen(back.state)?;
                let differences = look::differences(place, (BEFORE, &base), (CLONE, &state), 0)?;
                row.verdict = match differences.equality {
                    Equality::Exact => Outcome::Exact,
                    other => Outcome::of_difference(other),
                };
                row.schema_codes = differences.schema_codes;
                row.row_codes = differences.row_codes;
                let again = commit_in(place, CLONE, &trial.up)?;
                row.redo = Some(match (again.report.failure, again.state) {
                    (Some(failure), _) => Redo::Fails(failure.to_string()),
                    (None, Some(state)) if state == changed => Redo::Same,
                    _ => Redo::Differs,
                });
            }
        }
    }
    // From the same state, at another moment.
    row.nondeterministic =
        moment::tables_at_another_moment(place, BEFORE, &trial.up)? != Some(changed.tables);
    for name in [CLONE, BEFORE] {
        own(&mut hands, &format!("DROP DATABASE {name}"))?;
    }
    own(&mut hands, &format!("ALTER DATABASE {AFTER} RENAME TO {CLONE}"))?;
    Ok(row)
}

/// The state that a script which did not fail left behind.
fn seen(state: Option<State>) -> Result<State, Failure> {
    state.ok_or_else(|| outside("nobody looked at the state after a script"))
}

/// A failure of the disk or of the server is none of the script's.
fn own_alone(failure: &Failure) -> Result<(), Failure> {
    match failure.kind {
        FailureKind::Disk | FailureKind::OutOfSpace | FailureKind::Corrupt => Err(failure.clone()),
        _ => Ok(()),
    }
}

/// After a change that fails, the history goes on from a state in which every statement of it that works has been
/// applied.
fn what_works(place: &Place, sql: &str) -> Result<(), Failure> {
    let mut client = connect(place, OWNER, CLONE)?;
    own(&mut client, "BEGIN; SELECT pg_catalog.pg_current_xact_id()")?;
    for statement in statements(sql) {
        own(&mut client, "SAVEPOINT fix7_statement")?;
        if script::run(&mut client, statement, true, &mut || {}).failure.is_some() {
            own(&mut client, "ROLLBACK TO SAVEPOINT fix7_statement")?;
        }
    }
    own(&mut client, "COMMIT")
}
