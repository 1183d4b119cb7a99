//! The ground under the entries: lock, clone, source, steps and isolation belong together.

use std::fmt::{self, Display};

use super::named;
use crate::evidence::isolation::Level;
use crate::evidence::lock::{DumpFormat, TargetLock};
use crate::evidence::{EngineName, Facts, Outcome};
use crate::packet::{EXECUTION, LOCK, ROLLBACK};
use crate::policy::Policy;
use crate::verdict::{Code, Reason, Verdict};

/// Everything that keeps the facts from being those of one private clone.
pub(super) fn judge(facts: &Facts, policy: &Policy) -> Verdict {
    let mut ground = Ground(Verdict::default());
    ground.lock(facts, policy);
    ground.clone(facts);
    ground.source(facts, policy);
    ground.steps(facts);
    ground.isolation(facts, policy);
    ground.0
}

struct Ground(Verdict);

/// A setting that may be absent.
#[derive(PartialEq)]
struct Set(Option<bool>);

impl Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Ground {
    fn equal<T: PartialEq + Display>(&mut self, code: Code, object: impl Display, expected: &T, found: &T) {
        self.0.require(expected == found, || {
            Reason::new(code, object).values(expected, named(&found.to_string()))
        });
    }

    fn lock(&mut self, facts: &Facts, policy: &Policy) {
        let Facts { lock, execution, rollback, plan } = facts;
        let code = Code::LockMismatch;
        self.equal(code, format_args!("{EXECUTION}#/lock"), &facts.lock_digest(), &execution.lock);
        self.equal(code, format_args!("{ROLLBACK}#/lock"), &facts.lock_digest(), &rollback.lock);
        self.equal(code, format_args!("{LOCK}#/plan"), &facts.plan_digest(), &lock.plan);
        self.equal(Code::PolicyMismatch, format_args!("{LOCK}#/policy"), &policy.digest(), &lock.policy);
        let (engine, settings) = (&lock.engine, plan.settings);
        self.equal(
            code,
            format_args!("{LOCK}#/engine/foreign_keys"),
            &Set((engine.name == EngineName::Sqlite).then_some(settings.foreign_keys)),
            &Set(engine.foreign_keys),
        );
        self.equal(
            code,
            format_args!("{LOCK}#/engine/transaction"),
            &settings.transaction,
            &engine.transaction,
        );
        let named_engine = !engine.version.is_empty() && !engine.source_id.is_empty();
        self.equal(
            code,
            format_args!("{LOCK}#/engine: version and source id are named"),
            &true,
            &named_engine,
        );
    }

    fn clone(&mut self, facts: &Facts) {
        let Facts { lock, execution, rollback, plan: _ } = facts;
        let code = Code::CloneMismatch;
        let expected = TargetLock::clone_id_of(&lock.source.set, &facts.plan_digest());
        self.equal(code, format_args!("{LOCK}#/clone_id"), &expected, &lock.clone_id);
        self.equal(code, format_args!("{EXECUTION}#/clone_id"), &lock.clone_id, &execution.clone_id);
        self.equal(code, format_args!("{ROLLBACK}#/clone_id"), &lock.clone_id, &rollback.clone_id);
        let (code, clone) = (Code::IsolationNotProven, &lock.clone);
        let mode = clone.directory_mode.as_str();
        self.equal(code, format_args!("{LOCK}#/clone/directory_mode"), &"0700", &mode);
        self.equal(code, format_args!("{LOCK}#/clone/hard_links"), &1, &clone.hard_links);
        for (field, found) in [
            ("symlink_free", clone.symlink_free),
            ("local_file_system", clone.local_file_system),
            ("owned_by_operator", clone.owned_by_operator),
        ] {
            self.equal(code, format_args!("{LOCK}#/clone/{field}"), &true, &found);
        }
    }

    fn source(&mut self, facts: &Facts, policy: &Policy) {
        let (code, source) = (Code::SourceChanged, &facts.lock.source);
        self.equal(code, format_args!("{LOCK}#/clone/set"), &source.set, &facts.lock.clone.set);
        self.equal(
            code,
            format_args!("{EXECUTION}#/source_at_end"),
            &source.set,
            &facts.execution.source_at_end,
        );
        let quiet = facts.execution.source_directory_unchanged;
        self.equal(code, format_args!("{EXECUTION}#/source_directory_unchanged"), &true, &quiet);
        let known = |name: &str| ["main", "wal", "journal"].contains(&name);
        let (whole, form) = match (facts.lock.engine.name, &source.dump) {
            (EngineName::Sqlite, None) => {
                let all = source.files.contains_key("main") && source.files.keys().all(|name| known(name));
                (all && source.journal_mode.is_some(), "main, wal, journal")
            }
            (EngineName::Postgresql, Some(dump)) => {
                let main = if dump.format == DumpFormat::Directory { "toc.dat" } else { "dump" };
                (source.files.contains_key(main) && source.journal_mode.is_none(), "the files of a dump")
            }
            _ => (false, "the files of a database, or of a dump"),
        };
        self.equal(Code::Malformed, format_args!("{LOCK}#/source/files: {form}"), &true, &whole);
        if let Some(dump) = &source.dump {
            self.0.merge(crate::judge::dump::judge(policy, &dump.attestation, &source.set));
        }
    }

    /// R14, R18: every step is about this clone, numbered without a gap; a failed step is never passed over.
    fn steps(&mut self, facts: &Facts) {
        let entries = &facts.rollback.entries;
        for (at, step) in facts.execution.steps.iter().enumerate() {
            let clone_id = &facts.lock.clone_id;
            self.equal(
                Code::CloneMismatch,
                format_args!("{EXECUTION}#/steps/{at}/target_id"),
                clone_id,
                &step.target_id,
            );
            self.equal(Code::Malformed, format_args!("{EXECUTION}#/steps/{at}/n"), &(at as u32 + 1), &step.n);
            let claimed = entries.iter().any(|entry| {
                entry.leg == step.leg && matches!(entry.outcome, Outcome::Exact | Outcome::Held)
            });
            if claimed {
                self.equal(
                    Code::RollbackProofMissing,
                    format_args!("{EXECUTION}#/steps/{at}/exit"),
                    &0,
                    &step.exit,
                );
            }
        }
        for entry in entries {
            let ran = !matches!(entry.outcome, Outcome::NoDown | Outcome::NotApplicable);
            let steps = facts.execution.steps.iter().filter(|step| step.leg == entry.leg).count();
            self.0.require(!ran || steps > 0, || {
                let object = format_args!("{EXECUTION}#/steps: {}", entry.leg.name());
                Reason::new(Code::RollbackProofMissing, object).values("at least one step", "none")
            });
        }
    }

    /// R17, R38: the proof at the start and again at the end, of one level, at least the policy's.
    fn isolation(&mut self, facts: &Facts, policy: &Policy) {
        let minimum = policy.isolation_minimum(facts.lock.engine.name.name());
        let (start, end) = (&facts.lock.isolation, &facts.execution.isolation_at_end);
        match Level::try_from(minimum) {
            Ok(level) => {
                for (file, proof) in [(LOCK, start), (EXECUTION, end)] {
                    let object = format_args!("{file}: isolation/engine");
                    self.equal(Code::IsolationNotProven, object, &facts.lock.engine.name, &proof.engine);
                    for mut fault in proof.faults(level) {
                        fault.object = format!("{file}: {}", fault.object);
                        self.0.push(fault);
                    }
                }
            }
            Err(_) => {
                let engine = facts.lock.engine.name;
                let reason = Reason::new(Code::IsolationNotProven, format_args!("{LOCK}#/engine/name"));
                self.0.push(reason.values("an engine that the policy names", engine));
            }
        }
        self.equal(
            Code::IsolationNotProven,
            format_args!("{EXECUTION}#/isolation_at_end/level"),
            &start.level,
            &end.level,
        );
        self.equal(
            Code::IsolationNotProven,
            format_args!("{EXECUTION}#/isolation_at_end/filter"),
            &start.filter,
            &end.filter,
        );
    }
}
