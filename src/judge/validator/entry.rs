//! One entry: the rules of its kind and of its leg.

use std::fmt::Display;

use super::{joined, named};
use crate::digest::Digest;
use crate::evidence::entry::{Entry, ExecutorFacts, Hashes, SnapshotFacts, TransactionFacts};
use crate::evidence::plan::postgresql::outside_transaction;
use crate::evidence::{EngineName, Facts, Kind, Leg, Outcome};
use crate::packet::ROLLBACK;
use crate::policy::Policy;
use crate::verdict::{Code, Reason, Verdict};

/// Whether a leg's rollback must restore the bytes too: a rollback script never does (DESIGN section 4), and a cluster
/// that was started and stopped has other bytes than before, so there a restored snapshot alone can.
pub fn bytes_demanded(engine: EngineName, leg: Leg) -> bool {
    match engine {
        EngineName::Sqlite => matches!(leg, Leg::ReadOnly | Leg::Transaction | Leg::Snapshot | Leg::Executor),
        EngineName::Postgresql => leg == Leg::Snapshot,
    }
}

/// Judges entry `n` of the evidence.
pub fn judge_entry(n: usize, entry: &Entry, facts: &Facts, policy: &Policy) -> Verdict {
    let mut judge = Judge { n, entry, facts, verdict: Verdict::default() };
    judge.identity();
    if judge.outcome() {
        match entry.kind {
            Kind::Rollback => judge.rollback(),
            Kind::Invariant => judge.invariant(),
        }
        match entry.leg {
            Leg::Transaction => judge.transaction(),
            Leg::Snapshot => judge.snapshot(),
            Leg::ReadOnly => judge.directory(),
            Leg::Executor => judge.executor(policy),
            Leg::Reapply => judge.reapply(),
            Leg::Down => {}
        }
        judge.apart();
    }
    judge.verdict
}

/// What an entry must say to be judged further.
enum Answer {
    /// It claims that the leg held.
    Claims,
    /// The leg need not run for this plan.
    NotRun,
    /// It says itself that the leg did not hold.
    Fails(Code),
}

struct Judge<'a> {
    n: usize,
    entry: &'a Entry,
    facts: &'a Facts,
    verdict: Verdict,
}

impl Judge<'_> {
    fn reason(&self, code: Code, pointer: impl Display) -> Reason {
        let leg = self.entry.leg.name();
        Reason::new(code, format_args!("{ROLLBACK}#/entries/{}{pointer} ({leg})", self.n))
    }

    /// What is given is written out only where it does not hold: nearly all evidence holds, and is judged many times.
    fn require(
        &mut self,
        holds: bool,
        code: Code,
        pointer: impl Display,
        expected: impl Display,
        found: impl Display,
    ) {
        if !holds {
            let reason = self.reason(code, pointer).values(expected, found);
            self.verdict.push(reason);
        }
    }

    fn identity(&mut self) {
        let (expected, found) = (&self.facts.lock.clone_id, &self.entry.clone_id);
        self.require(found == expected, Code::CloneMismatch, "/clone_id", expected, named(found));
        let same = self.entry.kind == self.entry.leg.kind();
        self.require(same, Code::Malformed, "/kind", "the leg's own kind", "the other kind");
    }

    /// Reads the outcome; false where there is nothing more to judge.
    fn outcome(&mut self) -> bool {
        let plan = &self.facts.plan;
        let rollback = self.entry.leg.kind() == Kind::Rollback;
        let answer = match self.entry.outcome {
            Outcome::Exact if rollback => Answer::Claims,
            Outcome::Held if !rollback => Answer::Claims,
            Outcome::NoDown if self.entry.leg == Leg::Down && plan.rollback.is_none() => Answer::NotRun,
            Outcome::NotApplicable if self.entry.leg == Leg::Transaction && self.no_transaction() => {
                Answer::NotRun
            }
            Outcome::NotHeld if !rollback => Answer::Fails(Code::InvariantBroken),
            Outcome::ExactNormalised
            | Outcome::ExactButColumnOrder
            | Outcome::ExactButSequence
            | Outcome::SchemaDiffersOnly
            | Outcome::RowsDiffer
            | Outcome::DownFails
                if rollback =>
            {
                Answer::Fails(Code::NotRestored)
            }
            Outcome::UpFails if rollback => Answer::Fails(Code::RollbackProofMissing),
            Outcome::UpFails => Answer::Fails(Code::InvariantBroken),
            Outcome::UnreadableAfterUp => Answer::Fails(Code::IntegrityBroken),
            Outcome::CouldNotEstablish => Answer::Fails(Code::EngineCannot),
            _ => Answer::Fails(Code::Malformed),
        };
        match answer {
            Answer::Claims => {
                let clean =
                    self.entry.differences.as_ref().is_none_or(|d| d.total == 0 && d.items.is_empty());
                let code = if rollback { Code::NotRestored } else { Code::InvariantBroken };
                self.require(clean, code, "/differences", "none beside this outcome", "some");
                let error = self.entry.error.as_deref();
                let none = "none beside this outcome";
                self.require(error.is_none(), code, "/error", none, named(error.unwrap_or_default()));
                true
            }
            Answer::NotRun => {
                let e = self.entry;
                let hashes = [e.before_hash, e.after_apply_hash, e.after_rollback_hash, e.exit_hash];
                let empty = hashes.iter().all(Option::is_none);
                self.require(empty, Code::Malformed, "", "no digests from a leg that was not run", "some");
                false
            }
            Answer::Fails(code) => {
                let outcome = serde_json::to_value(self.entry.outcome);
                let mut found = outcome.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                if let Some(error) = &self.entry.error {
                    found = format!("{found}: {}", named(error));
                }
                let expected = if rollback { "exact" } else { "held" };
                self.require(false, code, "/outcome", expected, found);
                false
            }
        }
    }

    /// Whether the change cannot run inside of a transaction: told again from the plan itself.
    fn no_transaction(&self) -> bool {
        let plan = &self.facts.plan;
        let postgresql = self.engine() == EngineName::Postgresql;
        !plan.settings.transaction || postgresql && outside_transaction(&plan.change).is_some()
    }

    fn engine(&self) -> EngineName {
        self.facts.lock.engine.name
    }

    /// A digest that must be there; a digest of zeros stands for nothing known.
    fn hashes(
        &mut self,
        field: &str,
        hashes: Option<Hashes>,
        with_bytes: bool,
        code: Code,
    ) -> Option<Hashes> {
        let Some(hashes) = hashes else {
            self.require(false, code, field, "digests", "none");
            return None;
        };
        let known = hashes.rows != Digest::ZERO && hashes.bytes != Some(Digest::ZERO);
        self.require(known, code, field, "a digest of something", "zeros");
        let whole = !with_bytes || hashes.bytes.is_some();
        self.require(whole, code, format_args!("{field}/bytes"), "a digest", "none");
        (known && whole).then_some(hashes)
    }

    fn rollback(&mut self) {
        let (entry, leg) = (self.entry, self.entry.leg);
        let missing = Code::RollbackProofMissing;
        let with_bytes = self.engine() == EngineName::Sqlite || leg == Leg::Snapshot;
        let before = self.hashes("/before_hash", entry.before_hash, with_bytes, missing);
        let apply = self.hashes("/after_apply_hash", entry.after_apply_hash, leg == Leg::Snapshot, missing);
        let after = self.hashes(
            "/after_rollback_hash",
            entry.after_rollback_hash,
            bytes_demanded(self.engine(), leg),
            missing,
        );
        let none = entry.exit_hash.is_none();
        self.require(none, Code::Malformed, "/exit_hash", "none in a rollback entry", "one");
        if let (Some(before), Some(apply)) = (before, apply) {
            let changed = before.rows != apply.rows;
            self.require(
                changed,
                Code::NoMutation,
                "/after_apply_hash/rows",
                "other than before_hash",
                apply.rows,
            );
            if let (Some(b), Some(a)) = (before.bytes, apply.bytes) {
                self.require(
                    b != a,
                    Code::NoMutation,
                    "/after_apply_hash/bytes",
                    "other than before_hash",
                    a,
                );
            }
        }
        if let (Some(before), Some(after)) = (before, after) {
            let (code, pointer) = (Code::NotRestored, "/after_rollback_hash");
            let rows = format_args!("{pointer}/rows");
            self.require(after.rows == before.rows, code, rows, before.rows, after.rows);
            if let (true, Some(b), Some(a)) = (bytes_demanded(self.engine(), leg), before.bytes, after.bytes)
            {
                self.require(a == b, code, format_args!("{pointer}/bytes"), b, a);
            }
        }
        self.starts_from_the_lock(before);
    }

    fn invariant(&mut self) {
        let (entry, leg) = (self.entry, self.entry.leg);
        let code = Code::InvariantBroken;
        let before = self.hashes("/before_hash", entry.before_hash, bytes_demanded(self.engine(), leg), code);
        let exit = self.hashes("/exit_hash", entry.exit_hash, bytes_demanded(self.engine(), leg), code);
        let none = entry.after_apply_hash.is_none() && entry.after_rollback_hash.is_none();
        self.require(none, Code::Malformed, "", "no rollback digests in an invariant entry", "some");
        if let (Some(before), Some(exit)) = (before, exit) {
            self.require(exit.rows == before.rows, code, "/exit_hash/rows", before.rows, exit.rows);
            if let (true, Some(b), Some(e)) = (bytes_demanded(self.engine(), leg), before.bytes, exit.bytes) {
                self.require(b == e, code, "/exit_hash/bytes", b, e);
            }
        }
        if leg != Leg::Reapply {
            self.starts_from_the_lock(before);
        }
    }

    /// Every leg starts from the state that the lock names, so that no leg is about another database.
    fn starts_from_the_lock(&mut self, before: Option<Hashes>) {
        let base = self.facts.lock.clone.base;
        if let Some(bytes) = before.and_then(|before| before.bytes) {
            let same = bytes == base;
            self.require(same, Code::LockMismatch, "/before_hash/bytes", base, bytes);
        }
        let first =
            self.facts.rollback.entries.iter().find(|e| e.leg != Leg::Reapply && e.before_hash.is_some());
        if let (Some(before), Some(first)) = (before, first.and_then(|first| first.before_hash)) {
            let (expected, found) = (first.rows, before.rows);
            self.require(expected == found, Code::LockMismatch, "/before_hash/rows", expected, found);
        }
    }

    fn transaction(&mut self) {
        let code = Code::RollbackProofMissing;
        let Some(TransactionFacts { stayed_open, statements, commit_attempts, closed }) =
            self.entry.transaction
        else {
            self.require(false, code, "/transaction", "what was seen of the transaction", "nothing");
            return;
        };
        self.require(stayed_open, code, "/transaction/stayed_open", "true", stayed_open);
        self.require(closed, code, "/transaction/closed", "true", closed);
        self.require(statements > 0, code, "/transaction/statements", "at least 1", statements);
        self.require(commit_attempts == 0, code, "/transaction/commit_attempts", "0", commit_attempts);
    }

    fn snapshot(&mut self) {
        let code = Code::RollbackProofMissing;
        let Some(facts) = &self.entry.snapshot else {
            self.require(false, code, "/snapshot", "the snapshot that was put back", "nothing");
            return;
        };
        let SnapshotFacts {
            taken,
            restored_from,
            seen_by_new_process,
            restored_seen_by_new_process,
            sidecars_left,
        } = facts;
        if let Some(bytes) = self.entry.before_hash.and_then(|before| before.bytes) {
            self.require(
                *taken == bytes,
                code,
                "/snapshot/taken",
                format_args!("before_hash {bytes}"),
                taken,
            );
        }
        self.require(taken == restored_from, code, "/snapshot/restored_from", taken, restored_from);
        // A change that changed nothing cannot be seen: that is NO_MUTATION, said already.
        let rows = |hashes: Option<Hashes>| hashes.map(|h| h.rows);
        let changed = rows(self.entry.before_hash) != rows(self.entry.after_apply_hash);
        let seen = *seen_by_new_process || !changed;
        self.require(seen, code, "/snapshot/seen_by_new_process", "true", seen);
        let seen = *restored_seen_by_new_process;
        self.require(seen, Code::NotRestored, "/snapshot/restored_seen_by_new_process", "true", seen);
        let left = joined(sidecars_left);
        let none = sidecars_left.is_empty();
        self.require(none, Code::NotRestored, "/snapshot/sidecars_left", "none", left);
    }

    fn directory(&mut self) {
        match &self.entry.directory {
            None => {
                self.require(false, Code::InvariantBroken, "/directory", "the names before and after", "none")
            }
            Some(names) => {
                let (before, after) = (joined(&names.before), joined(&names.after));
                let same = names.before == names.after && !names.before.is_empty();
                self.require(same, Code::InvariantBroken, "/directory/after", before, after);
            }
        }
    }

    fn executor(&mut self, policy: &Policy) {
        let Some(facts) = &self.entry.executor else {
            self.require(false, Code::ExecutorNotPinned, "/executor", "the executable's digests", "none");
            return;
        };
        let ExecutorFacts { before, after, integrity_at_entry, integrity_at_exit, .. } = facts;
        let locked = self.facts.lock.executable;
        for (field, digest) in [("/executor/before", before), ("/executor/after", after)] {
            self.require(*digest == locked, Code::ExecutorNotPinned, field, locked, digest);
        }
        let writable = facts.writable == Some(true);
        let safe = "out of a confined process's reach";
        self.require(!writable, Code::ExecutorNotPinned, "/executor/writable", safe, "it can be written to");
        let pinned = policy.pins(&locked);
        self.require(pinned, Code::ExecutorNotPinned, "/executor", "a digest that the policy pins", locked);
        let code = Code::IntegrityBroken;
        for (field, text) in [
            ("/executor/integrity_at_entry", integrity_at_entry),
            ("/executor/integrity_at_exit", integrity_at_exit),
        ] {
            self.require(text == "ok", code, field, "ok", named(text));
        }
        let (entry, exit) = (facts.foreign_key_violations_at_entry, facts.foreign_key_violations_at_exit);
        let expected = format_args!("at most {entry}");
        self.require(exit <= entry, code, "/executor/foreign_key_violations_at_exit", expected, exit);
    }

    /// What no ROLLBACK takes back is never hidden: a transaction tells it, every other leg restores it.
    fn apart(&mut self) {
        let leg = self.entry.leg;
        let code = if leg.kind() == Kind::Rollback { Code::NotRestored } else { Code::InvariantBroken };
        let Some(facts) = &self.entry.apart else {
            let none = self.engine() == EngineName::Sqlite;
            self.require(none, Code::RollbackProofMissing, "/apart", "sequences and roles", "nothing");
            return;
        };
        let (same, effects) = (facts.same(), &facts.non_transactional_effects);
        let pointer = "/apart/non_transactional_effects";
        let expected = if same { "none" } else { "what differs" };
        self.require(
            same == effects.is_empty(),
            Code::RollbackProofMissing,
            pointer,
            expected,
            joined(effects),
        );
        // A ROLLBACK takes everything back but the positions of sequences.
        let restored = same || leg == Leg::Transaction && facts.same_but_sequences();
        self.require(
            restored,
            code,
            "/apart",
            "sequences, roles and large objects as before",
            joined(effects),
        );
        let looked = [facts.large_objects_before, facts.large_objects_after].iter().all(Option::is_some);
        let missing = Code::RollbackProofMissing;
        self.require(looked, missing, "/apart/large_objects_before", "digests of large objects", "none");
        match &self.entry.schema {
            Some(facts) => {
                self.require(facts.same(), code, "/schema", "catalogue equal, pg_dump equal", facts.told());
            }
            None => self.require(false, missing, "/schema", "the schema by catalogue and pg_dump", "nothing"),
        }
    }

    /// The first application is the snapshot leg's: the second must reach the same rows.
    fn reapply(&mut self) {
        let first = self.facts.rollback.entries.iter().find(|e| e.leg == Leg::Snapshot);
        let applied = first.and_then(|e| e.after_apply_hash).map(|h| h.rows);
        if let (Some(applied), Some(before)) = (applied, self.entry.before_hash) {
            let same = before.rows == applied;
            self.require(same, Code::InvariantBroken, "/before_hash/rows", applied, before.rows);
        }
    }
}
