//! `rehearse`: the change and its rollback on an isolated clone; writes the packet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::policy_choice::PolicyChoice;
use super::writing::LOCK_PATIENCE;
use super::{dump, key_change, keyring, numbering, packet_directory, rehearsed, replay, surroundings};
use crate::canon;
use crate::evidence::isolation::Level;
use crate::evidence::lock::AttestedDump;
use crate::evidence::{EngineName, Plan};
use crate::judge::{self, derive, request};
use crate::keys::Fingerprint;
use crate::packet::{Files, MANIFEST, manifest};
use crate::policy::Policy;
use crate::rehearse::isolation::Wanted;
use crate::rehearse::postgres::dump::refuse_live;
use crate::rehearse::postgres::programs::Programs;
use crate::rehearse::postgres::rehearsal;
use crate::rehearse::rows::Progress;
use crate::rehearse::run::{self, Event, Part, Rehearsal, Request};
use crate::rehearse::{RehearseError, plan};
use crate::state::State;
use crate::statement::Role;
use crate::verdict::{Code, Verdict};

/// Arguments of `rehearse`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What runs the SQL; `postgres` is another name for postgresql.
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// The SQLite database: a copy, never production. It is only read.
    #[arg(long, value_name = "DB", required_if_eq("engine", "sqlite"), conflicts_with = "dump")]
    source: Option<PathBuf>,
    /// The PostgreSQL dump, with DUMP.attestation.json beside it (`fix7-ledger dump attest`). It is only read.
    #[arg(long, value_name = "DUMP", required_if_eq("engine", "postgresql"), requires = "operator_key")]
    dump: Option<String>,
    /// The public key of the operator who attested the dump: a name, a .pub file, or a line of OpenSSH.
    #[arg(long, value_name = "KEY")]
    operator_key: Option<String>,
    /// The plan's directory (`fix7-ledger plan new DIR` writes a template).
    #[arg(long, value_name = "DIR")]
    plan: PathBuf,
    /// Where the packet goes: a directory that does not exist yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who rehearses, by the name or the fingerprint of a key of the ledger here: takes this operator's next running
    /// number before the rehearsal begins. A number that is never recorded is missed.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
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
    /// The directory of PostgreSQL's server programs; found by itself where they are installed as usual.
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    /// A file that is copied.
    Sqlite,
    /// A dump that is restored into a cluster of the rehearsal's own.
    #[value(name = "postgresql", alias = "postgres")]
    Postgresql,
}

/// What is rehearsed on.
pub(super) enum Source {
    /// An SQLite database.
    Database(PathBuf),
    /// A PostgreSQL dump, and the operator's word on it.
    Dump(PathBuf, Box<AttestedDump>),
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

    /// Which ledger.
    pub(super) fn place(&self) -> &Place {
        &self.choice.place
    }

    /// The state of the ledger here, where there is one.
    pub(super) fn state(&self) -> Result<Option<State>, Failure> {
        self.choice.state()
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
    let source = args.source()?;
    let mut given = None;
    let begins = || {
        given = args.number()?;
        Ok(())
    };
    let (mut rehearsal, policy) = rehearse(&source, plan, &args.settings, begins, ui)?;
    if let Some((operator, number)) = &given {
        rehearsal.run.extend(numbering::noted(operator, *number));
    }
    let files = packet(&rehearsal, &policy)?;
    let mut verdict = judge::Judge::new(&policy).packet(None, &files);
    verdict.merge(judge::overclaimed(args.settings.state()?.as_ref(), &files));
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
    let mut text = rehearsed::summary(&rehearsal);
    text.push_str(&format!(
        "\npacket {} ({} files)\npacket_tree.sha256 {}",
        args.out.display(),
        files.len(),
        tree.map(|d| d.to_string()).unwrap_or_default()
    ));
    Ok(Answer::done(text)
        .with("packet", &args.out)
        .with("packet_tree", tree)
        .with("number", given.map(|(_, number)| number))
        .with("isolation_level", u8::from(rehearsal.facts.lock.isolation.level))
        .with("legs", rehearsed::legs(&rehearsal))
        .with("nondeterministic", rehearsal.facts.rollback.nondeterministic)
        .with("milliseconds", rehearsed::timings(&rehearsal))
        .judged(verdict))
}

impl Args {
    /// The operator's next number, given out from here on; demanded where the policy does.
    fn number(&self) -> Result<Option<(Fingerprint, u64)>, Failure> {
        let (place, state) = (self.settings.place(), self.settings.state()?);
        let Some(name) = &self.operator else {
            let rules = state.as_ref().and_then(State::policy).map(|policy| *policy.ledger_rules());
            return match rules.is_some_and(|rules| rules.require_numbers) {
                true => Err(Failure::because(
                    Code::NumberInvalid,
                    "--operator",
                    "the ledger's policy requires a running number: name who rehearses",
                )),
                false => Ok(None),
            };
        };
        let (repo, _, _) = place.existing()?;
        let lock = repo.lock(LOCK_PATIENCE)?;
        let (state, _) = replay::trusted(place)?;
        let (operator, _) = key_change::holder(&state, name)?;
        let may = state.may(&operator, Role::Operator);
        if !may.accepted() {
            return Err(may.into());
        }
        Ok(Some((operator, numbering::give(&repo, &lock, &state, &operator)?)))
    }

    /// What is rehearsed on: of a dump everything is judged that can be before it is opened.
    fn source(&self) -> Result<Source, Failure> {
        match (&self.source, &self.dump, &self.operator_key) {
            (Some(source), _, _) if self.engine == Engine::Sqlite => Ok(Source::Database(source.clone())),
            (_, Some(dump), Some(key)) if self.engine == Engine::Postgresql => {
                refuse_live(dump)?;
                let key = keyring::public(key)?;
                let attested = dump::attested(dump, &key, &self.settings.policy()?)?;
                Ok(Source::Dump(PathBuf::from(dump), Box::new(attested)))
            }
            _ => Err(Failure::because(
                Code::RequestForbidden,
                "--engine",
                "sqlite goes with --source, postgresql with --dump and --operator-key",
            )),
        }
    }
}

/// Reads a plan. One that cannot be read is judged too: a field that asks for a real run is not merely unknown.
fn plan_in(directory: &Path) -> Result<Plan, Failure> {
    if !directory.exists() {
        let found = "there is no such directory: `fix7-ledger plan new DIR` writes a template";
        return Err(Failure::because(Code::Unreadable, format_args!("plan {}", directory.display()), found));
    }
    let files = plan::files(directory).map_err(Failure::from)?;
    Plan::parse(files.clone()).map_err(|faults| {
        let mut verdict = request::plan_verdict(&Policy::default_policy(), &files);
        verdict.merge(Verdict::from_iter(faults));
        verdict.into()
    })
}

/// Rehearses under the policy that the settings name. What is asked for is judged before anything is opened; then
/// `begins` is called.
pub(super) fn rehearse(
    source: &Source,
    plan: Plan,
    settings: &Settings,
    begins: impl FnOnce() -> Result<(), Failure>,
    ui: &Ui,
) -> Result<(Rehearsal, Policy), Failure> {
    let policy = settings.choice.policy()?;
    let asked = request::Request {
        sources: match source {
            Source::Database(path) | Source::Dump(path, _) => names(path),
        },
        arguments: Vec::new(),
        environment: surroundings::variables(),
        plan: plan.files.clone(),
    };
    let refused = request::judge(&policy, &asked);
    if !refused.accepted() {
        return Err(refused.into());
    }
    let engine = match source {
        Source::Database(_) => EngineName::Sqlite,
        Source::Dump(..) => EngineName::Postgresql,
    };
    let minimum = policy.isolation_minimum(engine.name());
    let minimum = Level::try_from(minimum)
        .map_err(|e| Failure::because(Code::IsolationUnavailable, "the policy's isolation minimum", e))?;
    begins()?;
    let bar = progress(ui);
    let started = surroundings::now()?;
    let mut current = "";
    let mut events = |event: Event| match event {
        Event::Started(part) => {
            current = part.name();
            bar.set_message(current);
        }
        Event::Finished(..) => bar.inc(1),
        Event::Reading(Progress { rows, bytes }) => {
            bar.set_message(format!("{current}: {} rows, {} read", HumanCount(rows), HumanBytes(bytes)));
        }
    };
    let (executable, scratch) = (surroundings::executable()?, surroundings::scratch_parent());
    let rehearsed = match source {
        Source::Dump(path, attestation) => rehearsal::run(
            &rehearsal::Request {
                dump: path.clone(),
                attestation: (**attestation).clone(),
                plan,
                policy: policy.digest(),
                executable,
                scratch,
                programs: Programs::find(settings.pg_bin.as_deref(), &surroundings::path())?,
                minimum,
            },
            &mut events,
        ),
        Source::Database(path) => run::run(&sqlite(path, plan, settings, &policy, minimum)?, &mut events),
    };
    let mut rehearsal = rehearsed.map_err(Failure::from)?;
    bar.finish_and_clear();
    let finished = surroundings::now()?;
    rehearsal.run.insert("started".to_owned(), json!(started));
    rehearsal.run.insert("finished".to_owned(), json!(finished));
    rehearsal.run.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    Ok((rehearsal, policy))
}

/// The request about an SQLite database.
fn sqlite(
    source: &Path,
    plan: Plan,
    settings: &Settings,
    policy: &Policy,
    minimum: Level,
) -> Result<Request, Failure> {
    Ok(Request {
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
    })
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

impl From<RehearseError> for Failure {
    fn from(error: RehearseError) -> Failure {
        Verdict::from_iter(error.reasons().iter().cloned()).into()
    }
}
