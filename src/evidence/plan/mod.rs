//! The plan: the change, its rollback, and the documents around them.
//!
//! Owns: reading a plan from its files, and the commented template. Must not: touch the disk
//! (`rehearse::plan` reads the directory, a packet holds the same files under `plan/`), nor judge what
//! the plan asks for (`judge::request`).
//!
//! ```text
//! plan.toml            settings, front matter, macro, the map from pattern steps to legs (strict TOML)
//! up.sql               the change                                    named by plan.toml
//! down.sql             the plan's own rollback script, optional      named by plan.toml
//! macro.md             the macro document that this lane follows     named by plan.toml
//! rollback-pattern.md  the documented rollback: an ordered list      named by plan.toml
//! blockers.json        the previous blocker map, byte for byte
//! ci-unknown.json      the CI items, exactly one of them UNKNOWN
//! decision.json        the previous production decision packet, byte for byte
//! ```
//!
//! ```
//! use fix7_ledger::evidence::Plan;
//! let files = Plan::template();
//! let plan = Plan::parse(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()).unwrap();
//! assert_eq!(plan.spec.name, "tiny-example");
//! assert_eq!(plan.blockers.open_count, 7);
//! ```

mod pattern;
pub mod postgresql;
mod spec;
mod template;

use std::collections::BTreeMap;

pub use pattern::PatternStep;
pub use spec::{
    KnowledgeBase, MACRO_PREFIX, Macro, PLAN_SCHEMA, PatternMap, PlanSpec, REQUIRED_TAG, ScriptFile,
    SettingsSpec, StepLeg,
};

use super::blockers::BlockerMap;
use super::ci::CiItems;
use super::decision::PreviousDecision;
use crate::digest::{Digest, Hasher};
use crate::verdict::{Code, Reason};

/// The settings file.
pub const PLAN_FILE: &str = "plan.toml";
/// The previous blocker map.
pub const BLOCKERS_FILE: &str = "blockers.json";
/// The CI items.
pub const CI_FILE: &str = "ci-unknown.json";
/// The previous production decision packet.
pub const DECISION_FILE: &str = "decision.json";
/// Largest plan file in bytes: a plan is read by people, and each of its files enters every packet.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// Files in a plan: the eight known ones. More would enter the packet unread by anybody.
pub const MAX_FILES: usize = 8;

/// A plan, with the exact bytes of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// File name to bytes, as given.
    pub files: BTreeMap<String, Vec<u8>>,
    /// `plan.toml`, parsed.
    pub spec: PlanSpec,
    /// The change: the SQL text itself.
    pub change: String,
    /// The plan's own rollback script: the SQL text itself.
    pub rollback: Option<String>,
    /// How the scripts are run.
    pub settings: Settings,
    /// The documented rollback, step by step, each with its leg.
    pub pattern: Vec<PatternStep>,
    /// The previous blocker map.
    pub blockers: BlockerMap,
    /// The CI items, exactly one of them unknown.
    pub ci: CiItems,
    /// The previous production decision.
    pub decision: PreviousDecision,
}

/// How the scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Wrap each script in one transaction (most migration runners do).
    pub transaction: bool,
    /// `PRAGMA foreign_keys` for the scripts; stock SQLite's default is off.
    pub foreign_keys: bool,
    /// Seconds after which a leg is stopped.
    pub timeout_seconds: u32,
}

impl Plan {
    /// Reads a plan from its files, and gives every fault at once.
    ///
    /// # Errors
    /// The reasons: a missing, unknown or unreadable file, a date that disagrees, a step without a leg, …
    pub fn parse(files: BTreeMap<String, Vec<u8>>) -> Result<Plan, Vec<Reason>> {
        let mut reading = Reading { files: &files, reasons: Vec::new() };
        if files.len() > MAX_FILES {
            let reason = Reason::new(Code::LimitExceeded, "plan: files");
            return Err(vec![reason.values(MAX_FILES, files.len())]);
        }
        let Some(spec) = reading.spec() else { return Err(reading.reasons) };
        reading.only_known(&spec);
        let change = reading.script(&spec.change.file);
        let rollback = spec.rollback.as_ref().map(|script| reading.script(&script.file));
        reading.macro_document(&spec.macro_);
        let pattern = reading.pattern(&spec.pattern);
        let blockers = reading.document(BLOCKERS_FILE, Code::BlockersInvalid, BlockerMap::parse_input);
        let ci = reading.document(CI_FILE, Code::CiUnknownInvalid, CiItems::parse_input);
        let decision = reading.document(DECISION_FILE, Code::NotOnHold, PreviousDecision::parse_input);
        if let Some(decision) = &decision {
            reading.reasons.extend(decision.faults_of_successor(&spec.kb));
        }
        let reasons = std::mem::take(&mut reading.reasons);
        let settings = Settings {
            transaction: spec.settings.transaction,
            foreign_keys: spec.settings.foreign_keys,
            timeout_seconds: spec.settings.timeout_seconds,
        };
        match (blockers, ci, decision) {
            (Some(blockers), Some(ci), Some(decision)) if reasons.is_empty() => {
                let change = change.unwrap_or_default();
                let rollback = rollback.flatten();
                Ok(Plan { files, spec, change, rollback, settings, pattern, blockers, ci, decision })
            }
            _ => Err(reasons),
        }
    }

    /// A small plan that is valid as it stands, each setting with a comment: what `plan new` writes.
    pub fn template() -> BTreeMap<String, String> {
        template::files()
    }

    /// Digest over every file: framed name, framed bytes, in the order of the names' bytes.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::labelled("fix7.plan/v1");
        for (name, bytes) in &self.files {
            hasher.framed(name.as_bytes());
            hasher.framed(bytes);
        }
        hasher.finish()
    }

    /// SHA-256 of one of the plan's files.
    pub fn file_digest(&self, name: &str) -> Option<Digest> {
        self.files.get(name).map(|bytes| Digest::of(bytes))
    }
}

/// The parse under way: the files, and what was found wrong with them.
struct Reading<'a> {
    files: &'a BTreeMap<String, Vec<u8>>,
    reasons: Vec<Reason>,
}

impl Reading<'_> {
    fn fault(&mut self, code: Code, name: &str, found: impl std::fmt::Display) {
        self.reasons.push(Reason::new(code, format_args!("plan/{name}")).found(found));
    }

    /// The file's text: there, small enough, UTF-8, without a NUL.
    fn text(&mut self, name: &str) -> Option<String> {
        let Some(bytes) = self.files.get(name) else {
            self.fault(Code::PlanInvalid, name, "the file is missing");
            return None;
        };
        if bytes.len() > MAX_FILE_BYTES {
            let reason = Reason::new(Code::LimitExceeded, format_args!("plan/{name}"));
            self.reasons.push(reason.values(format_args!("at most {MAX_FILE_BYTES} bytes"), bytes.len()));
            return None;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Some(text.to_owned()),
            Ok(_) => {
                self.fault(Code::PlanInvalid, name, "a NUL byte");
                None
            }
            Err(e) => {
                self.fault(Code::PlanInvalid, name, e);
                None
            }
        }
    }

    fn spec(&mut self) -> Option<PlanSpec> {
        let text = self.text(PLAN_FILE)?;
        match toml::from_str::<PlanSpec>(&text) {
            Ok(spec) => {
                self.reasons.extend(spec.faults());
                Some(spec)
            }
            Err(e) => {
                self.fault(Code::PlanInvalid, PLAN_FILE, e.message());
                None
            }
        }
    }

    fn only_known(&mut self, spec: &PlanSpec) {
        let mut known = vec![PLAN_FILE, BLOCKERS_FILE, CI_FILE, DECISION_FILE];
        known.extend(spec.file_names());
        let unknown: Vec<_> = self.files.keys().filter(|name| !known.contains(&name.as_str())).collect();
        for name in unknown {
            self.reasons.push(
                Reason::new(Code::PlanInvalid, format_args!("plan/{}", name.escape_default()))
                    .found("a file that plan.toml does not name"),
            );
        }
    }

    fn script(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.trim().is_empty() {
            self.fault(Code::PlanInvalid, name, "the script is empty");
            return None;
        }
        Some(text)
    }

    fn macro_document(&mut self, named: &Macro) {
        if let Some(text) = self.text(&named.file)
            && !text.lines().any(|line| line.trim() == named.id)
        {
            let reason = Reason::new(Code::PlanInvalid, format_args!("plan/{}", named.file));
            self.reasons.push(reason.values(format_args!("a line with {} alone", named.id), "none"));
        }
    }

    fn pattern(&mut self, map: &PatternMap) -> Vec<PatternStep> {
        let Some(text) = self.text(&map.document) else { return Vec::new() };
        pattern::read(&text, map).unwrap_or_else(|reasons| {
            self.reasons.extend(reasons);
            Vec::new()
        })
    }

    fn document<T>(
        &mut self,
        name: &str,
        code: Code,
        parse: impl FnOnce(&[u8]) -> Result<T, Vec<String>>,
    ) -> Option<T> {
        self.text(name)?;
        match parse(&self.files[name]) {
            Ok(document) => Some(document),
            Err(faults) => {
                faults.into_iter().for_each(|fault| self.fault(code, name, fault));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
