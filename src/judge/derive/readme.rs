//! `README.md`: the packet for people, rendered from the documents and never typed (R57).
//!
//! The structure is the source document's: front matter, macro and status, flags, what was done, how to do it
//! again, the hard boundary, the way back to the knowledge hub.

use std::fmt::Write;

use super::Draft;
use crate::evidence::blockers::{BlockerMap, ROLLBACK_BLOCKER};
use crate::packet::document::{DecisionPacket, Flag, ProbeReport, SurfaceProof};
use crate::packet::{
    BLOCKERS, CI, COMMANDS, EXECUTION, LOCK, MANIFEST, PROBES, RECOVERY, RERUN, ROLLBACK, SURFACES, TREE,
    VALIDATOR,
};

/// Reasons listed for people; all of them stand in the validator's result.
const MAX_REASONS: usize = 20;

/// The text.
pub(super) fn render(
    draft: &Draft<'_>,
    decision: &DecisionPacket,
    probes: &ProbeReport,
    blockers: &BlockerMap,
    surfaces: &SurfaceProof,
) -> String {
    let mut page = Page { text: String::new(), draft, decision };
    page.front_matter();
    page.status();
    page.flags();
    page.summary();
    page.what_was_done(probes, blockers, surfaces);
    page.what_does_not_hold();
    page.how_to_repeat();
    page.boundary();
    page.text
}

struct Page<'a> {
    text: String,
    draft: &'a Draft<'a>,
    decision: &'a DecisionPacket,
}

impl Page<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a String takes every text");
    }

    fn front_matter(&mut self) {
        let kb = &self.decision.kb;
        let json = |text: &str| serde_json::Value::from(text).to_string();
        self.line(format_args!("---"));
        self.line(format_args!("id: {}", kb.id));
        self.line(format_args!("title: {}", json(&kb.title)));
        self.line(format_args!("revision: {}", kb.revision));
        self.line(format_args!("read_minutes: {}", kb.read_minutes));
        self.line(format_args!("tags: [{}]", kb.tags.iter().map(|t| json(t)).collect::<Vec<_>>().join(", ")));
        self.line(format_args!("date: {}", self.decision.packet.date));
        self.line(format_args!("---"));
        self.line(format_args!(""));
    }

    fn status(&mut self) {
        let d = self.decision;
        let date = &d.packet.date;
        self.line(format_args!(
            "# FIX7 P0 — Production-REHEARSAL-ONLY Rollback + CI-Resolution Packet ({date})"
        ));
        self.line(format_args!(""));
        self.line(format_args!("Macro: {}  ", d.macro_.id));
        self.line(format_args!("Delegated decision consumed: {}  ", d.delegated_decision));
        self.line(format_args!("Final status: {}", d.final_status.name()));
        self.line(format_args!(""));
    }

    fn flags(&mut self) {
        let f = &self.decision.flags;
        let say = |flags: &[&Flag]| match flags.iter().all(|flag| flag.shown && !flag.value) {
            true => "NO",
            false => "NOT SHOWN",
        };
        let line = format!(
            "Production mutation: {} · REAL_RUN/QT001/cutover: {} · production CI/deploy trigger: {} · secrets change: {}.",
            say(&[&f.production_mutation]),
            say(&[&f.real_run, &f.qt001, &f.cutover]),
            say(&[&f.production_ci_trigger, &f.deploy_trigger]),
            say(&[&f.secrets_change]),
        );
        self.line(format_args!("{line}"));
        self.line(format_args!(""));
        self.line(format_args!("| flag | value | evidence |"));
        self.line(format_args!("|---|---|---|"));
        for (name, flag) in [
            ("production mutation", &f.production_mutation),
            ("REAL_RUN", &f.real_run),
            ("QT001", &f.qt001),
            ("cutover", &f.cutover),
            ("production CI trigger", &f.production_ci_trigger),
            ("deploy trigger", &f.deploy_trigger),
            ("secrets change", &f.secrets_change),
        ] {
            self.line(format_args!("| {name} | {} | `{}` |", say(&[flag]), flag.evidence));
        }
        self.line(format_args!(""));
    }

    fn summary(&mut self) {
        let clone = &self.decision.packet.clone_id;
        let level = self.draft.facts.lock.isolation.level;
        let shown = match self.decision.derived_from.iter().all(|document| document.held) {
            true => "proves the documented rollback PATTERN byte/row-exact",
            false => "does not show the documented rollback PATTERN",
        };
        self.line(format_args!(
            "This packet {shown} on an isolated local clone (`{clone}`, isolation level {level}, never production), classifies the one remaining CI UNKNOWN, and updates the production decision packet. It authorizes nothing in production; production remains HOLD."
        ));
        self.line(format_args!(""));
    }

    fn what_was_done(&mut self, probes: &ProbeReport, blockers: &BlockerMap, surfaces: &SurfaceProof) {
        let facts = self.draft.facts;
        self.line(format_args!("## What was done (isolated clone only)"));
        self.line(format_args!(""));
        let engine = &facts.lock.engine;
        self.line(format_args!(
            "- **Isolated clone locked** (`{LOCK}`): a private copy for {} {}, no PG/Directus/system_issues/registry/VPS/network contact ({} listeners' contacts counted).",
            engine.name,
            plain(&engine.version),
            facts.execution.isolation_at_end.counters.total()
        ));
        self.line(format_args!(
            "- **Rehearsal executed on the clone** (`{EXECUTION}`, `{ROLLBACK}`): {} steps.",
            facts.execution.steps.len()
        ));
        for entry in &self.draft.judgement.entries {
            let (leg, held) = (entry.leg.name(), if entry.holds() { "held" } else { "not shown" });
            let outcome = serde_json::to_value(entry.outcome).ok();
            let outcome = outcome.as_ref().and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            self.line(format_args!("  - `{leg}`: {held} ({outcome})"));
        }
        if facts.plan.rollback.is_none() {
            self.line(format_args!("  - the plan has no rollback script: the way back is the snapshot"));
        }
        self.validator();
        self.line(format_args!(
            "- **Bad-input probes** (`{PROBES}`): {}/{} canonical, {}/{} extended fail closed; control {}; {} claims and {} secrets leaked.",
            probes.refused,
            probes.total,
            probes.extended_refused,
            probes.extended_total,
            if probes.control.actual == probes.control.expected { "allowed" } else { "refused" },
            probes.leak.hits.len(),
            probes.leak.secret_hits
        ));
        if let Some((item, class)) = facts.plan.ci.unknown() {
            self.line(format_args!(
                "- **CI UNKNOWN classified** (`{CI}`): `{}` stays unknown: the FIX7 seal-vs-bytes CI gate is not yet designed, so it is unresolvable read-only and remains blocker {} (owner+operator; design off-production first). It does not affect clone-rehearsal safety.",
                item.id, class.blocker_id
            ));
        }
        self.line(format_args!(
            "- **Blocker map updated** (`{BLOCKERS}`): {} OPEN. {ROLLBACK_BLOCKER} is discharged in part at most: a clone shows one leg, the others stay OPEN.",
            blockers.open_count
        ));
        self.line(format_args!(
            "- **Forbidden surfaces** (`{SURFACES}`): {}/{} untouched or not requested.",
            surfaces.untouched + surfaces.not_requested,
            surfaces.total
        ));
        self.line(format_args!(""));
    }

    fn validator(&mut self) {
        let selftest = crate::judge::validator::selftest();
        let shown = match self.draft.judgement.accepted() {
            true => {
                "after_apply_hash != before_hash (real mutation) and after_rollback_hash == before_hash (exact restore) on every rollback entry"
            }
            false => "the evidence is refused, see below",
        };
        self.line(format_args!(
            "- **Rollback judged by the hardened validator** (`{VALIDATOR}`, `{RECOVERY}`): {shown}; selftest: {} good vectors accepted, {} bad ones refused, {} misjudged; the fabricated no-mutation entry fails closed. The validator is the executable that rehearsed, `{}`, {}.",
            selftest.good,
            selftest.bad,
            selftest.misjudged.len(),
            self.draft.facts.lock.executable,
            if self.draft.policy.pins(&self.draft.facts.lock.executable) { "pinned by the policy" } else { "NOT pinned by the policy" }
        ));
    }

    /// Where the status is not READY: which documents do not hold, and why the evidence is refused.
    fn what_does_not_hold(&mut self) {
        let broken: Vec<&str> =
            self.decision.derived_from.iter().filter(|d| !d.held).map(|d| d.path.as_str()).collect();
        if broken.is_empty() {
            return;
        }
        self.line(format_args!("## What does not hold"));
        self.line(format_args!(""));
        for path in broken {
            self.line(format_args!("- `{path}`"));
        }
        let verdict = self.draft.judgement.verdict();
        for reason in verdict.reasons().iter().take(MAX_REASONS) {
            let object: String =
                reason.object.chars().filter(|c| (' '..='~').contains(c) && *c != '`').collect();
            self.line(format_args!("- {}: `{object}`", reason.code));
        }
        self.line(format_args!(""));
    }

    fn how_to_repeat(&mut self) {
        self.line(format_args!("## Reproduce"));
        self.line(format_args!(""));
        self.line(format_args!(
            "- `{COMMANDS}` runs the full rehearsal, validator and probes fresh and aggregates OVERALL PASS."
        ));
        self.line(format_args!(
            "- `{RERUN}` rehearses again, recomputes `{MANIFEST}`, compares to `{TREE}`."
        ));
        self.line(format_args!(
            "- `sha256sum -c {MANIFEST}` and `sha256sum -c {TREE}` need no program of ours."
        ));
        self.line(format_args!(""));
    }

    fn boundary(&mut self) {
        let d = self.decision;
        self.line(format_args!("## Hard boundary"));
        self.line(format_args!(""));
        self.line(format_args!("{}", d.boundary.text));
        self.line(format_args!(""));
        self.line(format_args!("Back to Knowledge Hub: `{}`", d.publication.path));
    }
}

/// Text from the facts inside of a sentence: letters, digits and dots alone.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(40).collect()
}
