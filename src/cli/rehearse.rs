//! `rehearse`: the change and its rollback on an isolated clone; writes the packet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui, escaped};
use super::policy_choice::PolicyChoice;
use super::{packet_directory, surroundings};
use crate::canon;
use crate::evidence::entry::Entry;
use crate::evidence::isolation::Level;
use crate::evidence::{Leg, Outcome, Plan};
use crate::judge::{self, derive, request};
use crate::packet::{Files, MANIFEST, manifest};
use crate::policy::Policy;
use crate::rehearse::isolation::Wanted;
use crate::rehearse::run::{self, Event, Part, Rehearsal, Request};
use crate::rehearse::{RehearseError, plan};
use crate::verdict::{Code, Verdict};

/// Differences shown to a person; all that were listed stand in the evidence.
const SHOWN_DIFFERENCES: usize = 12;

/// Arguments of `rehearse`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The SQLite database: a copy or a dump, never production. It is only read.
    #[arg(long, value_name = "DB")]
    source: PathBuf,
    /// The plan's directory (`fix7-ledger plan new DIR` writes a template).
    #[arg(long, value_name = "DIR")]
    plan: PathBuf,
    /// Where the packet goes: a directory that does not exist yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// What every rehearsal can be told.
#[derive(clap::Args)]
pub(super) struct Settings {
    #[command(flatten)]
    choice: PolicyChoice,
    /// How strongly the clone is isolated; `best` takes what this system reaches.
    #[arg(long, value_enum, default_value_t = Isolation::Best)]
    isolation: Isolation,
    /// Readers for the digests; by default one for each core.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Settings {
    /// The same at exactly this level: a rerun reaches its packet only where the walls are the same.
    pub(super) fn at(mut self, level: Level) -> Settings {
        self.isolation = match level {
            Level::Three => Isolation::Three,
            Level::Two => Isolation::Two,
        };
        self
    }

    /// The policy to judge by.
    pub(super) fn policy(&self) -> Result<Policy, Failure> {
        self.choice.policy()
    }
}

/// The isolation levels, and the best of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Isolation {
    /// The strongest level that can be established.
    Best,
    /// Namespaces, Landlock and seccomp.
    #[value(name = "3")]
    Three,
    /// Landlock and seccomp.
    #[value(name = "2")]
    Two,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    packet_directory::vacant(&args.out)?;
    packet_directory::vacant(&run_file(&args.out))?;
    let plan = plan_in(&args.plan)?;
    let (rehearsal, policy) = rehearse(&args.source, plan, &args.settings, ui)?;
    let files = packet(&rehearsal, &policy)?;
    let verdict = judge::judge(&policy, None, None, &files);
    // Evidence of a rollback that failed is worth keeping; a claim or a secret is not written anywhere.
    let unwritable = [Code::ClaimFound, Code::Undecidable, Code::SecretsForbidden];
    let found = verdict.reasons().iter().filter(|reason| unwritable.contains(&reason.code));
    let found: Verdict = found.cloned().collect();
    if !found.accepted() {
        return Err(found.into());
    }
    packet_directory::write(&args.out, &files)?;
    write_run(&args.out, &rehearsal.run)?;
    let tree = files.get(MANIFEST).map(manifest::tree_digest);
    let mut text = summary(&rehearsal);
    text.push_str(&format!(
        "\npacket {} ({} files)\npacket_tree.sha256 {}",
        args.out.display(),
        files.len(),
        tree.map(|d| d.to_string()).unwrap_or_default()
    ));
    Ok(Answer::done(text)
        .with("packet", &args.out)
        .with("packet_tree", tree)
        .with("isolation_level", u8::from(rehearsal.facts.lock.isolation.level))
        .with("legs", legs(&rehearsal))
        .with("nondeterministic", rehearsal.facts.rollback.nondeterministic)
        .with("milliseconds", timings(&rehearsal))
        .judged(verdict))
}

/// Reads a plan. One that cannot be read is judged too: a field that asks for a real run is not merely unknown.
fn plan_in(directory: &Path) -> Result<Plan, Failure> {
    let files = plan::files(directory).map_err(Failure::from)?;
    Plan::parse(files.clone()).map_err(|faults| {
        let mut verdict = request::plan_verdict(&Policy::default_policy(), &files);
        verdict.merge(Verdict::from_iter(faults));
        verdict.into()
    })
}

/// Rehearses under the policy that the settings name. What is asked for is judged before anything is opened.
pub(super) fn rehearse(
    source: &Path,
    plan: Plan,
    settings: &Settings,
    ui: &Ui,
) -> Result<(Rehearsal, Policy), Failure> {
    let policy = settings.choice.policy()?;
    let asked = request::Request {
        sources: names(source),
        arguments: Vec::new(),
        environment: surroundings::variables(),
        plan: plan.files.clone(),
    };
    let refused = request::judge(&policy, &asked);
    if !refused.accepted() {
        return Err(refused.into());
    }
    let minimum = policy.isolation_minimum("sqlite");
    let minimum = Level::try_from(minimum)
        .map_err(|e| Failure::because(Code::IsolationUnavailable, "the policy's isolation minimum", e))?;
    let request = Request {
        source: source.to_owned(),
        plan,
        policy: policy.digest(),
        executable: surroundings::executable()?,
        scratch: surroundings::scratch_parent(),
        threads: settings.threads.unwrap_or_else(surroundings::cores),
        wanted: match settings.isolation {
            Isolation::Best => Wanted::Best,
            Isolation::Three => Wanted::Exactly(Level::Three),
            Isolation::Two => Wanted::Exactly(Level::Two),
        },
        minimum,
    };
    let bar = progress(ui);
    let started = surroundings::now()?;
    let mut rehearsal = run::run(&request, &mut |event| match event {
        Event::Started(part) => bar.set_message(part.name()),
        Event::Finished(..) => bar.inc(1),
    })
    .map_err(Failure::from)?;
    bar.finish_and_clear();
    let finished = surroundings::now()?;
    rehearsal.run.insert("started".to_owned(), json!(started));
    rehearsal.run.insert("finished".to_owned(), json!(finished));
    rehearsal.run.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    Ok((rehearsal, policy))
}

/// The packet of a rehearsal, in memory.
pub(super) fn packet(rehearsal: &Rehearsal, policy: &Policy) -> Result<Files, Failure> {
    let derived = derive::packet(&rehearsal.facts, policy)
        .map_err(|e| Failure::because(Code::NotDerived, e.path, e))?;
    let (files, faults) = Files::collect(derived);
    if faults.accepted() { Ok(files) } else { Err(faults.into()) }
}

/// The source's name as given and with its links resolved: both are looked at for production.
fn names(source: &Path) -> Vec<String> {
    let shown = source.to_string_lossy().into_owned();
    let resolved = std::fs::canonicalize(source).ok().map(|path| path.to_string_lossy().into_owned());
    let resolved = resolved.filter(|path| *path != shown);
    std::iter::once(shown).chain(resolved).collect()
}

/// Where the volatile facts go.
fn run_file(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".run.json");
    PathBuf::from(name)
}

/// The volatile facts go beside the packet, where `record` finds them.
fn write_run(out: &Path, facts: &BTreeMap<String, Value>) -> Result<(), Failure> {
    let path = run_file(out);
    let bytes = canon::to_vec(facts).map_err(|e| Failure::because(Code::Malformed, path.display(), e))?;
    std::fs::write(&path, bytes).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))
}

fn progress(ui: &Ui) -> ProgressBar {
    if !ui.terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(Part::ALL.len() as u64);
    bar.set_style(
        ProgressStyle::with_template("{spinner} {elapsed} {bar:24} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn summary(rehearsal: &Rehearsal) -> String {
    let lock = &rehearsal.facts.lock;
    let mut text = format!(
        "{} {} on {}, isolation level {}\n",
        lock.engine.name,
        lock.engine.version,
        lock.clone_id,
        u8::from(lock.isolation.level)
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["LEG", "OUTCOME", "ROWS", "BYTES"]);
    for entry in &rehearsal.facts.rollback.entries {
        let [rows, bytes] = sameness(entry);
        table.add_row([entry.leg.name(), &word(entry.outcome), rows, bytes]);
    }
    text.push_str(&table.trim_fmt());
    for entry in &rehearsal.facts.rollback.entries {
        text.push_str(&what_differs(entry));
    }
    if rehearsal.facts.rollback.nondeterministic {
        text.push_str("\nthe change is NOT deterministic: applying it twice gave two states");
    }
    let spent: Vec<String> = rehearsal
        .timings
        .iter()
        .map(|(part, time)| format!("{} {:.2}s", part.name(), time.as_secs_f64()))
        .collect();
    text.push_str(&format!("\ntime  {}", spent.join(", ")));
    text
}

/// How the state at the end compares with the one before, rows and bytes.
fn sameness(entry: &Entry) -> [&'static str; 2] {
    let end = entry.after_rollback_hash.or(entry.exit_hash);
    let (Some(before), Some(end)) = (entry.before_hash, end) else { return ["-", "-"] };
    let rows = if before.rows == end.rows { "equal" } else { "DIFFERENT" };
    let bytes = match (before.bytes, end.bytes) {
        (Some(a), Some(b)) if a == b => "equal",
        (Some(_), Some(_)) if entry.leg == Leg::Down => "different (as always)",
        (Some(_), Some(_)) => "DIFFERENT",
        _ => "-",
    };
    [rows, bytes]
}

/// Which table, key, column and kind of difference, and the engine's words.
fn what_differs(entry: &Entry) -> String {
    let mut text = String::new();
    if let Some(error) = &entry.error {
        text.push_str(&format!("\n{}: {}", entry.leg.name(), escaped(error)));
    }
    let Some(found) = &entry.differences else { return text };
    let codes: Vec<&str> = found.schema_codes.iter().chain(&found.row_codes).map(String::as_str).collect();
    text.push_str(&format!(
        "\n{}: {} differences: {}",
        entry.leg.name(),
        found.total,
        escaped(&codes.join(", "))
    ));
    for item in found.items.iter().take(SHOWN_DIFFERENCES) {
        let key = item.key.as_ref().map(|k| format!(", key {k}")).unwrap_or_default();
        let column = item.column.as_ref().map(|c| format!(", column {c}")).unwrap_or_default();
        text.push_str(&format!(
            "\n  {}{}{}: {}",
            escaped(&item.object),
            escaped(&key),
            escaped(&column),
            item.kind
        ));
    }
    if found.total > SHOWN_DIFFERENCES as u64 {
        text.push_str("\n  … all that were listed stand in clone-rollback-evidence.json");
    }
    text
}

fn word(outcome: Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn legs(rehearsal: &Rehearsal) -> Vec<Value> {
    let entries = rehearsal.facts.rollback.entries.iter();
    entries
        .map(|e| {
            let [rows, bytes] = sameness(e);
            json!({"leg": e.leg, "kind": e.kind, "outcome": e.outcome, "rows": rows, "bytes": bytes, "rows_changed": e.rows_changed,
                   "differences": e.differences, "error": e.error})
        })
        .collect()
}

fn timings(rehearsal: &Rehearsal) -> BTreeMap<&'static str, u64> {
    let ms = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    rehearsal.timings.iter().map(|(part, time)| (part.name(), ms(time))).collect()
}

impl From<RehearseError> for Failure {
    fn from(error: RehearseError) -> Failure {
        Verdict::from_iter(error.reasons().iter().cloned()).into()
    }
}
