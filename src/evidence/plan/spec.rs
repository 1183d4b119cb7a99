//! `plan.toml`: its fields and the rules of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Leg;
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

/// The schema name of `plan.toml`.
pub const PLAN_SCHEMA: &str = "fix7.plan/v1";
/// What the macro's name begins with; the plan's date follows, with underscores (R03).
pub const MACRO_PREFIX: &str = "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_AND_CI_RESOLUTION_LANE_MACRO_";
/// The tag that every packet's front matter carries (R01).
pub const REQUIRED_TAG: &str = "production-rehearsal-only";
/// Longest name or tag in characters: both become parts of file and ref names.
const MAX_LABEL: usize = 64;
/// Longest title in characters: it stands on one line of the README.
const MAX_TITLE: usize = 160;
/// Most tags: front matter, not a dictionary.
const MAX_TAGS: usize = 16;
/// Longest time that a leg may take, in seconds (a day): a rehearsal that hangs must end.
const MAX_TIMEOUT_SECONDS: u32 = 86_400;

/// `plan.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// Lower-case letters, digits and single hyphens.
    pub name: String,
    /// `YYYY-MM-DD`: the date of the lane, equal to the macro's.
    pub date: String,
    /// The change.
    pub change: ScriptFile,
    /// The plan's own rollback script.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rollback: Option<ScriptFile>,
    /// How the scripts are run.
    #[serde(default)]
    pub settings: SettingsSpec,
    /// The README's front matter.
    pub kb: KnowledgeBase,
    /// The macro that this lane follows.
    #[serde(rename = "macro")]
    pub macro_: Macro,
    /// The documented rollback pattern and the legs that rehearse it.
    pub pattern: PatternMap,
}

/// A script's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptFile {
    /// Its name, beside `plan.toml`.
    pub file: String,
}

/// How the scripts are run; what is left out has stock SQLite's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SettingsSpec {
    /// Wrap each script in one transaction.
    pub transaction: bool,
    /// `PRAGMA foreign_keys` for the scripts.
    pub foreign_keys: bool,
    /// Seconds after which a leg is stopped.
    pub timeout_seconds: u32,
}

impl Default for SettingsSpec {
    fn default() -> SettingsSpec {
        SettingsSpec { transaction: true, foreign_keys: false, timeout_seconds: 600 }
    }
}

/// The README's front matter (R01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeBase {
    /// `KB-5312`.
    pub id: String,
    /// The document's title.
    pub title: String,
    /// 1, 2, 3, …: a revision is never used for two documents.
    pub revision: u64,
    /// Labels; one is [`REQUIRED_TAG`], one the date.
    pub tags: Vec<String>,
    /// How long a person reads.
    pub read_minutes: u64,
}

/// The macro that a lane follows (R03).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Macro {
    /// [`MACRO_PREFIX`] and the date.
    pub id: String,
    /// The macro document.
    pub file: String,
}

/// The documented rollback pattern (R10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternMap {
    /// The document with the ordered list.
    pub document: String,
    /// Each step's leg.
    pub steps: Vec<StepLeg>,
}

/// The leg that rehearses a step of the pattern document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepLeg {
    /// The step's number in the document.
    pub number: u32,
    /// The leg that rehearses it.
    pub leg: Leg,
}

impl PlanSpec {
    /// The files that `plan.toml` names.
    pub(super) fn file_names(&self) -> Vec<&str> {
        let mut names = vec![&*self.change.file, &*self.macro_.file, &*self.pattern.document];
        names.extend(self.rollback.iter().map(|script| &*script.file));
        names
    }

    /// Every fault of the fields' values.
    pub(super) fn faults(&self) -> Vec<Reason> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, field: &str, expected: &str, found: &dyn std::fmt::Display| {
            if !holds {
                let reason = Reason::new(Code::PlanInvalid, format_args!("plan/plan.toml: {field}"));
                faults.push(reason.values(expected, found.to_string().escape_default()));
            }
        };
        require(self.schema == PLAN_SCHEMA, "schema", PLAN_SCHEMA, &self.schema);
        require(is_label(&self.name), "name", "lower-case letters, digits, single hyphens", &self.name);
        require(is_date(&self.date), "date", "a day as YYYY-MM-DD", &self.date);
        let macro_id = format!("{MACRO_PREFIX}{}", self.date.replace('-', "_"));
        require(self.macro_.id == macro_id, "macro.id", &macro_id, &self.macro_.id);
        let timeout = self.settings.timeout_seconds;
        require(
            (1..=MAX_TIMEOUT_SECONDS).contains(&timeout),
            "settings.timeout_seconds",
            "1 to 86400",
            &timeout,
        );
        let mut names = self.file_names();
        for name in &names {
            require(is_file_name(name), "file names", "lower-case ASCII `name.sql` or `name.md`", name);
        }
        names.sort_unstable();
        names.windows(2).for_each(|pair| {
            require(pair[0] != pair[1], "file names", "each file named once", &pair[0]);
        });
        let kb = &self.kb;
        let number = kb.id.strip_prefix("KB-").unwrap_or_default();
        let numbered = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        require(numbered, "kb.id", "KB- and a number", &kb.id);
        let titled = !kb.title.trim().is_empty()
            && kb.title.chars().count() <= MAX_TITLE
            && !kb.title.chars().any(char::is_control);
        require(titled, "kb.title", "one line of 1 to 160 characters", &kb.title);
        require(kb.revision >= 1, "kb.revision", "1 or more", &kb.revision);
        require((1..=120).contains(&kb.read_minutes), "kb.read_minutes", "1 to 120", &kb.read_minutes);
        let tags = kb.tags.join(" ");
        require(kb.tags.len() <= MAX_TAGS, "kb.tags", "at most 16 tags", &kb.tags.len());
        require(kb.tags.iter().all(|tag| is_label(tag)), "kb.tags", "labels", &tags);
        let mut unique = kb.tags.clone();
        unique.sort_unstable();
        unique.dedup();
        require(unique.len() == kb.tags.len(), "kb.tags", "each tag once", &tags);
        require(kb.tags.iter().any(|tag| tag == REQUIRED_TAG), "kb.tags", REQUIRED_TAG, &tags);
        require(kb.tags.contains(&self.date), "kb.tags", "the plan's date", &tags);
        faults
    }
}

/// Lower-case letters, digits and single hyphens between them.
fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// A day that exists.
fn is_date(text: &str) -> bool {
    text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok()
}

/// A label and `.sql` or `.md`: nothing that a shell, a file system or a packet's grammar reads otherwise.
fn is_file_name(text: &str) -> bool {
    let stem = text.strip_suffix(".sql").or_else(|| text.strip_suffix(".md"));
    stem.is_some_and(|stem| is_label(&stem.replace('_', "-")))
}
