//! `survey`: every migration of a history up, down and up again, and a verdict for each.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::answer::{Answer, Failure, Ui, escaped};
use super::rehearse::Engine;
use super::surroundings;
use super::table::Table;
use crate::evidence::Outcome;
use crate::evidence::isolation::Level;
use crate::rehearse::isolation::Wanted;
use crate::rehearse::postgres::programs::Programs;
use crate::rehearse::survey::{self, Redo, Row, Survey, Wrapping};
use crate::verdict::{Code, Reason, Verdict};

/// Codes of one migration shown in the table; all of them are in the JSON form.
const CODES_SHOWN: usize = 6;

/// Try every migration of a history up, down and up again, on an isolated scratch database.
///
/// No keys and no ledger are needed. The layout is recognised: diesel (NAME/up.sql, NAME/down.sql),
/// golang-migrate (N_name.up.sql, N_name.down.sql), sqlx (the same, or N_name.sql alone), goose (-- +goose
/// Up), sql-migrate (-- +migrate Up), dbmate (-- migrate:up). Each migration starts from the state that the
/// earlier ones left; after one that fails, from whatever of it works.
///
/// Verdicts: exact, exact_normalised (CREATE texts spelled otherwise), schema_differs_only, rows_differ,
/// down_fails, no_down, up_fails, unreadable_after_up, could_not_establish (plain SQLite lacks something
/// that the application has).
#[derive(clap::Args)]
pub struct Args {
    /// The directory with the migrations.
    #[arg(long, value_name = "DIR")]
    migrations: PathBuf,
    /// What runs the SQL; `postgres` is another name for postgresql
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Start from a copy of this database instead of an empty one; it is not touched (SQLite)
    #[arg(long, value_name = "DB")]
    source: Option<PathBuf>,
    /// Enforce foreign keys while scripts run (stock SQLite: off)
    #[arg(long, value_enum, default_value = "off")]
    foreign_keys: Switch,
    /// Wrap each script in a transaction; auto: as its marks say, or else unless it brings its own
    #[arg(long, value_enum, default_value = "auto")]
    transaction: Transaction,
    /// The isolation level
    #[arg(long, value_enum, default_value = "best")]
    isolation: Isolation,
    /// The directory of PostgreSQL's server programs; found by itself where they are installed as usual
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// Try each change over tables with a few made-up rows besides, so that a loss shows; the weaker verdict counts
    /// (PostgreSQL)
    #[arg(long)]
    made_rows: bool,
    /// Refuse (exit 4) unless every migration has a way back that restores everything
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum Transaction {
    Auto,
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum Isolation {
    /// The strongest that this system gives
    Best,
    /// Landlock and a filter of system calls
    #[value(name = "2")]
    Two,
    /// Namespaces besides
    #[value(name = "3")]
    Three,
}

/// One migration in the JSON form.
#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    row: Row,
    milliseconds: u64,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    let history = survey::read(&args.migrations).map_err(failed)?;
    let kind = history.kind;
    let survey = Survey {
        source: args.source,
        foreign_keys: matches!(args.foreign_keys, Switch::On),
        transaction: match args.transaction {
            Transaction::Auto => Wrapping::Auto,
            Transaction::On => Wrapping::On,
            Transaction::Off => Wrapping::Off,
        },
        executable: surroundings::executable()?,
        scratch: surroundings::scratch_parent(),
        wanted: match args.isolation {
            Isolation::Best => Wanted::Best,
            Isolation::Two => Wanted::Exactly(Level::Two),
            Isolation::Three => Wanted::Exactly(Level::Three),
        },
        made_rows: args.made_rows,
        history,
    };
    let bar = bar(ui, survey.history.migrations.len());
    let mut times = Vec::new();
    let mut each = |row: &Row, took: Duration| {
        bar.set_message(escaped(&row.id));
        bar.inc(1);
        times.push(took);
    };
    let rows = match args.engine {
        Engine::Sqlite if survey.made_rows => {
            let found =
                "rows are made up on PostgreSQL alone: give SQLite a database that has some (--source)";
            return Err(Failure::because(Code::RequestForbidden, "--made-rows", found));
        }
        Engine::Sqlite => survey::run(&survey, &mut each),
        Engine::Postgresql => {
            if survey.source.is_some() {
                let found = "a history on PostgreSQL starts from an empty database";
                return Err(Failure::because(Code::RequestForbidden, "--source", found));
            }
            let programs = Programs::find(args.pg_bin.as_deref(), &surroundings::path())?;
            crate::rehearse::postgres::survey::run(&survey, &programs, &mut each)
        }
    };
    bar.finish_and_clear();
    let rows = rows.map_err(failed)?;

    let text = format!("{}\n{}", table(&rows, &times), summary(kind.name(), &rows, times.iter().sum()));
    let verdict = if args.strict { strictly(&rows) } else { Verdict::default() };
    let milliseconds = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let timed: Vec<Timed> = rows
        .into_iter()
        .zip(&times)
        .map(|(row, took)| Timed { row, milliseconds: milliseconds(took) })
        .collect();
    let answer = Answer::done(text)
        .with("layout", kind.name())
        .with("foreign_keys", survey.foreign_keys)
        .with("migrations", timed);
    Ok(answer.judged(verdict))
}

fn failed(error: crate::rehearse::RehearseError) -> Failure {
    error.reasons().iter().cloned().collect::<Verdict>().into()
}

fn bar(ui: &Ui, length: usize) -> ProgressBar {
    if !ui.terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Every way back that does not restore everything.
fn strictly(rows: &[Row]) -> Verdict {
    let inexact = rows.iter().filter(|row| row.verdict != Outcome::Exact);
    let reason = |row: &Row| {
        let code = match row.verdict {
            Outcome::CouldNotEstablish => Code::EngineCannot,
            _ => Code::NotRestored,
        };
        Reason::new(code, &row.id).values("exact", name(row.verdict))
    };
    inexact.map(reason).collect()
}

fn table(rows: &[Row], times: &[Duration]) -> String {
    let mut table = Table::headed(["#", "MIGRATION", "VERDICT", "AGAIN", "MS", "WHAT"]);
    for (row, took) in rows.iter().zip(times) {
        let again = match &row.redo {
            None => String::new(),
            Some(_) if row.nondeterministic => "by chance".to_owned(),
            Some(Redo::Same) => "same".to_owned(),
            Some(Redo::Differs) => "differs".to_owned(),
            Some(Redo::Fails(_)) => "fails".to_owned(),
        };
        let (n, ms) = (row.n.to_string(), format!("{:.1}", took.as_secs_f64() * 1000.0));
        table.add_row([n, row.id.clone(), name(row.verdict), again, ms, what(row)]);
    }
    table.fitted()
}

/// What there is to know about a row besides its verdict.
fn what(row: &Row) -> String {
    let mut parts = Vec::new();
    if row.noop {
        parts.push("changes nothing".to_owned());
    }
    parts.extend(row.error.clone());
    if let Some(made) = &row.made {
        let fails = made.change_fails.as_ref();
        parts.extend(fails.map(|error| format!("does not work over made-up rows: {error}")));
        let left = (!made.left_empty.is_empty()).then(|| made.left_empty.join(", "));
        parts.extend(left.map(|left| format!("no row could be made up for {left}")));
    }
    let codes = row.row_codes.iter().chain(row.schema_codes.iter().filter(|code| *code != "object_order"));
    parts.extend(codes.clone().take(CODES_SHOWN).cloned());
    let more = codes.count().saturating_sub(CODES_SHOWN);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    if let Some(Redo::Fails(error)) = &row.redo {
        parts.push(format!("again: {error}"));
    }
    parts.join(" · ")
}

fn summary(layout: &str, rows: &[Row], took: Duration) -> String {
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(outcome, _)| *outcome == row.verdict) {
            Some((_, count)) => *count += 1,
            None => counts.push((row.verdict, 1)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| name(a.0).cmp(&name(b.0))));
    let counts: Vec<String> = counts.iter().map(|(outcome, n)| format!("{n} {}", name(*outcome))).collect();
    let noops = rows.iter().filter(|row| row.noop).count();
    let noops =
        if noops > 0 { format!("; {noops} change nothing, which proves nothing") } else { String::new() };
    format!("{} migrations ({layout}): {}{noops}; {:.2} s", rows.len(), counts.join(", "), took.as_secs_f64())
}

fn name(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
