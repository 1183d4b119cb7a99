//! `probe`: bad input made from a packet, given to the rules and to this very program, each time refused (R29).
//!
//! Twice the same question: in memory, every probe that there is; then, for the canonical ones, through child
//! processes of this executable, whose exit codes and reasons are read like anybody's. Nothing may change on disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::answer::{Answer, Failure, Ui};
use super::policy_choice::PolicyChoice;
use super::table::Table;
use super::{packet_directory, surroundings};
use crate::canon;
use crate::digest::{Digest, Hasher};
use crate::evidence::Facts;
use crate::judge::{self, Judge, derive, probes, validator};
use crate::packet::document::Allowance;
use crate::packet::{DECISION, EXECUTION, Files, LOCK, MANIFEST, PLAN_FOLDER, ROLLBACK, TREE, manifest};
use crate::policy::Policy;
use crate::verdict::{Code, Reason};

/// Arguments of `probe`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The packet that the bad input is made from. It is only read.
    #[arg(long, value_name = "DIR")]
    packet: PathBuf,
    #[command(flatten)]
    choice: PolicyChoice,
}

/// One canonical probe through the program.
#[derive(Serialize)]
struct Called {
    id: String,
    expected: Option<Code>,
    exit: Option<i32>,
    codes: Vec<String>,
    side_effects: bool,
    held: bool,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    let policy = args.choice.policy()?;
    let given = packet_directory::read(&args.packet)?;
    let before = digest(&given);
    let mut verdict = Judge::new(&policy).packet(None, &given);
    verdict.merge(judge::overclaimed(args.choice.state()?.as_ref(), &given));
    let facts = judge::facts(&given)?;
    let run = probes::run(&facts, &policy, &validator::judge(&facts, &policy));
    verdict.merge(probes::faults(&run, policy.probes()));
    ui.say("asking this program the canonical ones");
    let called = Stage::set(&facts, &given, &policy)?.call_all(&policy)?;
    for one in called.iter().filter(|one| !one.held) {
        let found =
            format!("exit {}: {}", one.exit.map_or("none".into(), |e| e.to_string()), one.codes.join(" "));
        let expected = one.expected.map_or("exit 0".to_owned(), |code| format!("exit 4: {code}"));
        let reason = Reason::new(Code::ProbesIncomplete, format_args!("through the program: {}", one.id));
        verdict.push(reason.values(expected, found));
    }
    let after = digest(&packet_directory::read(&args.packet)?);
    verdict.require(before == after, || {
        Reason::new(Code::ProbesIncomplete, args.packet.display()).values(before, after)
    });
    let mut table = Table::headed(["PROBE", "EXPECTED", "IN MEMORY", "THROUGH THE PROGRAM"]);
    let word = |held: bool| if held { "refused" } else { "NOT AS EXPECTED" };
    for probe in run.canonical.iter().chain(&run.extended) {
        let through = called.iter().find(|one| one.id == probe.id).map_or("-", |one| word(one.held));
        table.add_row([probe.id.as_str(), probe.expected.name(), word(probe.held), through]);
    }
    let count = |probes: &[crate::packet::document::Probe]| probes.iter().filter(|probe| probe.held).count();
    let control = run.control.actual == Allowance::Allow;
    let text = format!(
        "{}\ncontrol {}; {}/{} canonical, {}/{} extended refused; {}/{} through the program",
        table.fitted(),
        if control { "allowed" } else { "REFUSED" },
        count(&run.canonical),
        run.canonical.len(),
        count(&run.extended),
        run.extended.len(),
        called.iter().filter(|one| one.held).count(),
        called.len(),
    );
    Ok(Answer::done(text)
        .with("control", run.control)
        .with("canonical", run.canonical)
        .with("extended", run.extended)
        .with("through_the_program", called)
        .judged(verdict))
}

/// A scratch directory with everything that the calls are given.
struct Stage {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Stage {
    fn set(facts: &Facts, given: &Files, policy: &Policy) -> Result<Stage, Failure> {
        let parent = surroundings::scratch_parent();
        let failed = |e: std::io::Error| Failure::because(Code::Unreadable, parent.display(), e);
        let directory = tempfile::Builder::new().prefix("fix7-probe-").tempdir_in(&parent).map_err(failed)?;
        let stage = Stage { directory, program: surroundings::executable()? };
        std::fs::write(stage.path("policy.toml"), policy.bytes()).map_err(failed)?;
        stage.write("control", given.clone())?;
        for probe in &policy.probes().canonical {
            if let Some(spoilt) = probes::spoilt(&probe.id, facts) {
                stage.write(&name(&probe.id), facts_alone(&spoilt)?)?;
            }
        }
        stage.write(&name(LIFTED), lifted(given)?)?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, files: Files) -> Result<(), Failure> {
        packet_directory::write(&self.path(name), &files)
    }

    /// The control first: a program that refuses everything proves nothing.
    fn call_all(&self, policy: &Policy) -> Result<Vec<Called>, Failure> {
        let mut all = vec![self.call(&policy.probes().control, None)?];
        for probe in &policy.probes().canonical {
            all.push(self.call(&probe.id, Some(probe.reason))?);
        }
        Ok(all)
    }

    /// One call; `expected` is what it must be refused for, none for the control.
    fn call(&self, id: &str, expected: Option<Code>) -> Result<Called, Failure> {
        let before = tree(self.directory.path())?;
        let arguments = match expected {
            Some(_) => self.arguments(id),
            None => vec!["validate".into(), "--packet".into(), self.shown("control")],
        };
        let output = Command::new(&self.program)
            .arg("--json")
            .args(&arguments)
            .args(["--policy", &self.shown("policy.toml")])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Failure::because(Code::Unreadable, self.program.display(), e))?;
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let reasons = answer["reasons"].as_array().cloned().unwrap_or_default();
        let mut codes: Vec<String> =
            reasons.iter().filter_map(|reason| reason["code"].as_str().map(str::to_owned)).collect();
        codes.sort_unstable();
        codes.dedup();
        let side_effects = before != tree(self.directory.path())?;
        let exit = output.status.code();
        let right = match expected {
            Some(code) => exit == Some(4) && codes == [code.name()],
            None => exit == Some(0) && codes.is_empty(),
        };
        Ok(Called { id: id.to_owned(), expected, exit, codes, side_effects, held: right && !side_effects })
    }

    fn arguments(&self, id: &str) -> Vec<String> {
        let rehearse = |more: &[&str]| {
            let plan = self.shown("control/plan");
            let source = self.shown("control/README.md");
            let usual = ["rehearse", "--plan", &plan, "--out", "never"].map(str::to_owned);
            let source = match more.contains(&"--source") {
                true => Vec::new(),
                false => vec!["--source".to_owned(), source],
            };
            usual.into_iter().chain(source).chain(more.iter().map(|word| (*word).to_owned())).collect()
        };
        match id {
            "production-target" => rehearse(&["--source", "/srv/production/orders.db"]),
            "REAL_RUN" => rehearse(&["--mode", "Real_Run"]),
            "QT001/apply" => rehearse(&["QT001/apply"]),
            "cutover" => rehearse(&["--CutOver"]),
            "CI-deploy" => rehearse(&["workflow_dispatch", "[deploy]"]),
            // Put together here, so that no file of this program holds what looks like a secret.
            "secrets" => rehearse(&[&["postgres://operator:", "probe9", "@copy.example/orders"].concat()]),
            LIFTED => ["validate", "--packet", &self.shown(&name(id))].map(str::to_owned).into(),
            _ => ["validate", "--facts", &self.shown(&name(id))].map(str::to_owned).into(),
        }
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }
}

/// The probe whose bad input is a whole packet.
const LIFTED: &str = "production-PASS-from-rehearsal";

/// A directory's name for a probe.
fn name(id: &str) -> String {
    format!("bad-{}", id.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

/// The fact files and the plan, without anything derived.
fn facts_alone(facts: &Facts) -> Result<Files, Failure> {
    let unwritable = |e: canon::CanonError| Failure::because(Code::Malformed, "the spoilt facts", e);
    let documents = [
        (LOCK.to_owned(), canon::to_vec(&facts.lock).map_err(unwritable)?),
        (EXECUTION.to_owned(), canon::to_vec(&facts.execution).map_err(unwritable)?),
        (ROLLBACK.to_owned(), canon::to_vec(&facts.rollback).map_err(unwritable)?),
    ];
    let plan = facts.plan.files.iter().map(|(name, bytes)| (format!("{PLAN_FOLDER}{name}"), bytes.clone()));
    let (files, faults) = Files::collect(documents.into_iter().chain(plan));
    if faults.accepted() { Ok(files) } else { Err(faults.into()) }
}

/// The packet with its decision lifted to another scope and its manifest made anew, as a forger would.
fn lifted(given: &Files) -> Result<Files, Failure> {
    let mut map = given.clone().into_map();
    if let Some(bytes) = map.get(DECISION) {
        let lifted = derive::lifted(bytes).unwrap_or_else(|| bytes.clone());
        map.insert(DECISION.to_owned(), lifted);
    }
    let text = manifest::render(map.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    map.insert(TREE.to_owned(), manifest::render_tree(&text));
    map.insert(MANIFEST.to_owned(), text);
    let (files, faults) = Files::collect(map);
    if faults.accepted() { Ok(files) } else { Err(faults.into()) }
}

fn digest(files: &Files) -> Digest {
    let mut hasher = Hasher::labelled("fix7.probe-tree/v1");
    for (path, bytes) in files.iter() {
        hasher.framed(path.as_bytes());
        hasher.framed(bytes);
    }
    hasher.finish()
}

/// Digest over every name and file below `root`.
fn tree(root: &Path) -> Result<Digest, Failure> {
    let mut hasher = Hasher::labelled("fix7.probe-tree/v1");
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        let failed = |e: std::io::Error| Failure::because(Code::Unreadable, directory.display(), e);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in paths {
            hasher.framed(path.as_os_str().as_encoded_bytes());
            match path.is_dir() {
                true => waiting.push(path),
                false => hasher.framed(&std::fs::read(&path).map_err(failed)?),
            }
        }
    }
    Ok(hasher.finish())
}
