//! A survey: a whole migration history, each step up, down and up again, on a confined scratch database.
//!
//! Owns: the order of the trials and their results. Must not: need keys or a ledger, prove anything about
//! production, or touch the source.
//!
//! ```text
//! state n-1 ──up──► state n ──down──► compared with state n-1 ──up──► compared with state n
//!                      └──────────────── the next migration starts here
//! ```
//!
//! Each migration starts from the state that all earlier ones left. Where a change fails, the history goes on
//! from the state with every statement of it that works, so that one missing function does not hide the rest.
//! One confined process serves the whole history, so that a step costs milliseconds.

mod layout;
mod order;
mod trial;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use layout::{History, Kind, Migration, read};
pub use trial::{Trial, perform};

use super::RehearseError;
use super::child::{Answer, Question};
use super::clone;
use super::isolation::{Confinement, Wanted};
use super::legs::unexpected;
use super::room::{Asks, Room};
use super::source::Source;
use crate::digest::Digest;
use crate::evidence::Outcome;

/// Longest time of one script in a survey, in seconds: one endless migration must not hide the others.
pub const SCRIPT_SECONDS: u64 = 120;
/// What a confined process may take beyond its scripts' limit.
const GRACE: Duration = Duration::from_secs(60);

/// What is surveyed, and how.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The migrations, in order.
    pub history: History,
    /// A database to start from; an empty one without it.
    pub source: Option<PathBuf>,
    /// `PRAGMA foreign_keys` while scripts run.
    pub foreign_keys: bool,
    /// Whether each script is wrapped in a transaction.
    pub transaction: Wrapping,
    /// The executable that the confined process is started from.
    pub executable: PathBuf,
    /// Where the run's scratch directory is made.
    pub scratch: PathBuf,
    /// The isolation level asked for.
    pub wanted: Wanted,
    /// Try each change a second time over tables with made-up rows (PostgreSQL): the weaker verdict counts.
    pub made_rows: bool,
}

/// Whether scripts are wrapped in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// As the script's own marks say; without a mark, unless it has statements of its own that cannot be wrapped.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What one migration did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// 1, 2, 3, … in the order applied.
    pub n: u32,
    /// The migration's name.
    pub id: String,
    /// Its change was wrapped in a transaction.
    pub transaction: bool,
    /// How it ended.
    pub verdict: Outcome,
    /// The change changed nothing: its rollback proves nothing.
    pub noop: bool,
    /// The change comes out otherwise at another moment: `redo` says nothing then.
    pub nondeterministic: bool,
    /// Whether the change works again after the rollback, where the rollback worked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redo: Option<Redo>,
    /// What differs in the schema after the rollback.
    pub schema_codes: Vec<String>,
    /// What differs in the rows after the rollback.
    pub row_codes: Vec<String>,
    /// Why it failed, in the engine's words without row values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The rows that were made up for the trial that this verdict is of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made: Option<MadeRows>,
}

/// Rows that were made up, so that a loss can show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MadeRows {
    /// How many.
    pub rows: u64,
    /// Tables that let none in.
    pub left_empty: Vec<String>,
    /// Why the change does not work over them, where it does not: the verdict is then of the trial without them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change_fails: Option<String>,
}

impl Row {
    /// A row that says nothing yet.
    pub(super) fn begun(n: u32, id: &str, transaction: bool, verdict: Outcome) -> Row {
        Row {
            n,
            id: id.to_owned(),
            transaction,
            verdict,
            noop: false,
            nondeterministic: false,
            redo: None,
            schema_codes: Vec::new(),
            row_codes: Vec::new(),
            error: None,
            made: None,
        }
    }
}

/// Whether a change works again after its rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redo {
    /// It reaches the same state as the first time.
    Same,
    /// It reaches another state.
    Differs,
    /// It fails, with the engine's words.
    Fails(String),
}

/// Surveys the history. `each` hears of every migration as it is done, with the time it took.
///
/// # Errors
/// The isolation could not be established, or the confined process failed.
pub fn run(survey: &Survey, each: &mut dyn FnMut(&Row, Duration)) -> Result<Vec<Row>, RehearseError> {
    let source = survey.source.as_deref().map(Source::find).transpose()?;
    let confinement = Confinement::establish(&survey.executable, &survey.scratch, survey.wanted)?;
    let directory = confinement.clone_directory().to_owned();
    let mut one = One { child: confinement.spawn()? };
    let copied = begin(source.as_ref(), &directory, &survey.scratch, &mut one)?;
    let rows = trials(survey, &directory, &mut one, each)?;
    one.child.finish()?;
    if let (Some(source), Some(copied)) = (&source, copied) {
        let now = source.digest()?.set;
        if now != copied {
            return Err(source.changed(copied, now));
        }
    }
    confinement.close()?;
    Ok(rows)
}

/// One confined process for every question.
struct One {
    child: super::isolation::ConfinedChild,
}

impl Asks for One {
    fn ask(&mut self, question: &Question, patience: Duration) -> Result<Answer, RehearseError> {
        Ok(self.child.ask(question, Some(patience))?)
    }
}

/// Puts the first state into the clone's directory, and gives the digest of the source that it came from.
fn begin(
    source: Option<&Source>,
    directory: &Path,
    scratch: &Path,
    asks: &mut dyn Asks,
) -> Result<Option<Digest>, RehearseError> {
    let mut room = Room::new(asks, directory, scratch, Duration::from_secs(SCRIPT_SECONDS));
    match source {
        Some(source) => {
            clone::demand_space(directory, source.size()?)?;
            Ok(Some(clone::make(source, &mut room)?.copied.set.set))
        }
        None => {
            let path = room.clone_path();
            std::fs::File::create_new(&path)
                .map_err(|e| RehearseError::file(&path, "no empty database can be made", &e))?;
            Ok(None)
        }
    }
}

fn trials(
    survey: &Survey,
    directory: &Path,
    asks: &mut dyn Asks,
    each: &mut dyn FnMut(&Row, Duration),
) -> Result<Vec<Row>, RehearseError> {
    let mut rows = Vec::new();
    for (index, migration) in survey.history.migrations.iter().enumerate() {
        let since = Instant::now();
        let trial = Trial {
            directory: directory.to_owned(),
            n: u32::try_from(index + 1).unwrap_or(u32::MAX),
            id: migration.id.clone(),
            up_transaction: wrapped(survey.transaction, migration.transaction, &migration.up),
            down_transaction: wrapped(
                survey.transaction,
                migration.transaction,
                migration.down.as_deref().unwrap_or_default(),
            ),
            up: migration.up.clone(),
            down: migration.down.clone(),
            foreign_keys: survey.foreign_keys,
            limit_ms: SCRIPT_SECONDS * 1000,
        };
        let patience = Duration::from_secs(3 * SCRIPT_SECONDS) + GRACE;
        match asks.ask(&Question::Try(trial), patience)? {
            Answer::Tried(row) => {
                each(&row, since.elapsed());
                rows.push(row);
            }
            other => return Err(unexpected(other)),
        }
    }
    Ok(rows)
}

fn wrapped(setting: Wrapping, marked: Option<bool>, sql: &str) -> bool {
    match setting {
        Wrapping::On => true,
        Wrapping::Off => false,
        Wrapping::Auto => marked.unwrap_or_else(|| !super::engine::brings_its_own_transaction(sql)),
    }
}
