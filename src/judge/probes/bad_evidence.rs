//! Probes that spoil one thing of this rehearsal's evidence (R36 to R39, and the extended ones).

use super::{Answer, Ground};
use crate::digest::Digest;
use crate::evidence::entry::Entry;
use crate::evidence::isolation::{Control, Counters, REACHED};
use crate::evidence::{Facts, Kind, Leg, Outcome};
use crate::judge::derive;
use crate::judge::specimen::quote;
use crate::packet::manifest;
use crate::verdict::{Code, Verdict};

/// How a bad input is made.
#[derive(Clone, Copy)]
pub(super) enum Make {
    /// Spoils a copy of the facts; false where there is nothing to spoil.
    Spoil(fn(&mut Facts) -> bool),
    /// Asks the judging function of something else than the facts.
    Ask(fn(&Ground<'_>) -> Verdict),
}

/// The extended probes that evidence alone can answer: id, the one reason that counts, what is spoilt.
pub(super) const EXTENDED: &[(&str, Code, Make)] = &[
    (
        "wal-hidden-mutation",
        Code::NoMutation,
        Make::Spoil(|f| {
            let Some(e) = leg(f, Leg::Snapshot) else { return false };
            let before = e.before_hash.and_then(|h| h.bytes);
            e.after_apply_hash.as_mut().map(|h| h.bytes = before).is_some()
        }),
    ),
    (
        "stale-wal-after-restore",
        Code::NotRestored,
        Make::Spoil(|f| {
            let facts = leg(f, Leg::Snapshot).and_then(|e| e.snapshot.as_mut());
            facts.map(|s| s.sidecars_left.push("clone.db-wal".into())).is_some()
        }),
    ),
    (
        "snapshot-taken-after-the-change",
        Code::RollbackProofMissing,
        Make::Spoil(|f| {
            let Some(e) = leg(f, Leg::Snapshot) else { return false };
            let after = e.after_apply_hash.and_then(|h| h.bytes).unwrap_or(Digest::ZERO);
            e.snapshot.as_mut().map(|s| (s.taken, s.restored_from) = (after, after)).is_some()
        }),
    ),
    (
        "user-commit",
        Code::RollbackProofMissing,
        Make::Spoil(|f| {
            let facts = leg(f, Leg::Transaction).and_then(|e| e.transaction.as_mut());
            facts.map(|t| t.commit_attempts = 1).is_some()
        }),
    ),
    (
        "transaction-ended-inside",
        Code::RollbackProofMissing,
        Make::Spoil(|f| {
            let facts = leg(f, Leg::Transaction).and_then(|e| e.transaction.as_mut());
            facts.map(|t| t.stayed_open = false).is_some()
        }),
    ),
    (
        "rows-not-restored",
        Code::NotRestored,
        Make::Spoil(|f| {
            let after = rollback(f).and_then(|e| e.after_rollback_hash.as_mut());
            after.map(|h| h.rows = Digest::of(b"other rows")).is_some()
        }),
    ),
    (
        "digest-of-zeros",
        Code::RollbackProofMissing,
        Make::Spoil(|f| {
            let after = rollback(f).and_then(|e| e.after_apply_hash.as_mut());
            after.map(|h| h.rows = Digest::ZERO).is_some()
        }),
    ),
    (
        "two-runs-differ",
        Code::InvariantBroken,
        Make::Spoil(|f| {
            let exit = leg(f, Leg::Reapply).and_then(|e| e.exit_hash.as_mut());
            exit.map(|h| h.rows = Digest::of(b"another state")).is_some()
        }),
    ),
    (
        "leg-dropped",
        Code::LegMissing,
        Make::Spoil(|f| {
            let count = f.rollback.entries.len();
            f.rollback.entries.retain(|e| e.leg != Leg::ReadOnly);
            f.rollback.entries.len() < count
        }),
    ),
    (
        "evidence-from-another-clone",
        Code::CloneMismatch,
        Make::Spoil(|f| rollback(f).map(|e| e.clone_id = "clone-0000000000000000".into()).is_some()),
    ),
    (
        "step-on-another-target",
        Code::CloneMismatch,
        Make::Spoil(|f| {
            f.execution
                .steps
                .first_mut()
                .map(|step| step.target_id = "clone-0000000000000000".into())
                .is_some()
        }),
    ),
    (
        "lock-rewritten",
        Code::LockMismatch,
        Make::Spoil(|f| {
            f.lock.source.recovered = !f.lock.source.recovered;
            true
        }),
    ),
    (
        "executable-with-one-flipped-bit",
        Code::ExecutorNotPinned,
        Make::Spoil(|f| {
            let facts = leg(f, Leg::Executor).and_then(|e| e.executor.as_mut());
            facts.map(|x| x.after = flipped(x.after)).is_some()
        }),
    ),
    (
        "clone-not-sound",
        Code::IntegrityBroken,
        Make::Spoil(|f| {
            let facts = leg(f, Leg::Executor).and_then(|e| e.executor.as_mut());
            facts.map(|x| x.integrity_at_exit = "row missing from an index".into()).is_some()
        }),
    ),
    (
        "source-written-during-cloning",
        Code::SourceChanged,
        Make::Spoil(|f| {
            f.lock.clone.set = flipped(f.lock.clone.set);
            quote(f);
            true
        }),
    ),
    (
        "symlinked-clone",
        Code::IsolationNotProven,
        Make::Spoil(|f| {
            f.lock.clone.symlink_free = false;
            quote(f);
            true
        }),
    ),
    (
        "unix-socket-reachable",
        Code::IsolationNotProven,
        Make::Spoil(|f| {
            let rows = &mut f.execution.isolation_at_end.probes;
            let row = rows.iter_mut().find(|row| row.probe.ends_with("unix-path-connect"));
            row.map(|row| row.actual = REACHED.into()).is_some()
        }),
    ),
    (
        "control-refused-outside-too",
        Code::IsolationNotProven,
        Make::Spoil(|f| {
            let rows = &mut f.execution.isolation_at_end.probes;
            let row = rows.iter_mut().find(|row| row.control == Control::Outside);
            row.map(|row| row.control = Control::NotReached).is_some()
        }),
    ),
    (
        "listener-contacted",
        Code::IsolationNotProven,
        Make::Spoil(|f| {
            f.execution.isolation_at_end.counters = Counters { tcp: 1, ..Counters::default() };
            true
        }),
    ),
    ("manifest-with-extra-file", Code::ManifestMismatch, Make::Ask(extra_file)),
];

/// The bad input of the evidence probe `id` in words, and how it is made; none where nobody knows it.
fn made(id: &str) -> Option<(&'static str, Make)> {
    let stripped = Make::Spoil(|f| {
        let entries = f.rollback.entries.iter_mut().filter(|e| e.kind == Kind::Rollback && ran(e));
        entries.map(|e| (e.after_apply_hash, e.after_rollback_hash) = (None, None)).count() > 0
    });
    let unconfined = Make::Spoil(|f| {
        for proof in [&mut f.lock.isolation, &mut f.execution.isolation_at_end] {
            proof.layers.clear();
            proof.probes.clear();
        }
        quote(f);
        true
    });
    Some(match id {
        "missing-rollback-proof" => ("the rollback entries without what follows the change", stripped),
        "fake-no-mutation-rollback" => {
            let unchanging = Make::Spoil(|f| no_mutation(f).is_some());
            ("a rollback entry whose change changed nothing", unchanging)
        }
        "PASS-without-isolation" => ("the same evidence, without any layer of isolation", unconfined),
        "production-PASS-from-rehearsal" => {
            ("this rehearsal's decision, with another scope and another final status", Make::Ask(scope_lift))
        }
        _ => {
            let (_, _, make) = EXTENDED.iter().find(|(known, ..)| *known == id)?;
            ("this rehearsal's evidence with one thing changed", *make)
        }
    })
}

/// The answer to the evidence probe `id`; none where nobody knows it.
pub(super) fn answer(ground: &Ground<'_>, id: &str) -> Option<Answer> {
    let (input, make) = made(id)?;
    let verdict = match make {
        Make::Ask(ask) => Some(ask(ground)),
        Make::Spoil(_) => spoilt(id, ground.facts).map(|facts| ground.worse(&facts)),
    };
    Some(Answer::new(input, verdict))
}

/// The facts as the evidence probe `id` spoils them; none where it spoils something else, or nothing.
pub(super) fn spoilt(id: &str, facts: &Facts) -> Option<Facts> {
    let (_, Make::Spoil(spoil)) = made(id)? else { return None };
    let mut facts = facts.clone();
    spoil(&mut facts).then_some(facts)
}

/// Makes the first rollback entry one that changed nothing, and says which leg it is.
pub(super) fn no_mutation(facts: &mut Facts) -> Option<Leg> {
    let entry = rollback(facts)?;
    let (before, apply) = (entry.before_hash?, entry.after_apply_hash.as_mut()?);
    apply.rows = before.rows;
    apply.bytes = apply.bytes.and(before.bytes);
    Some(entry.leg)
}

/// R39: the decision document of this rehearsal, lifted to another scope, against the derived one.
fn scope_lift(ground: &Ground<'_>) -> Verdict {
    let (derived, lifted) = derive::lifted_decision(ground.facts);
    derive::compare::json(crate::packet::DECISION, &derived, &lifted)
}

fn extra_file(_: &Ground<'_>) -> Verdict {
    let mut entries = vec![("README.md".to_owned(), b"text".to_vec())];
    let listed = [("README.md", &b"text"[..]), ("extra.md", &b"text"[..])];
    let text = manifest::render(listed);
    entries.push((crate::packet::TREE.to_owned(), manifest::render_tree(&text)));
    entries.push((crate::packet::MANIFEST.to_owned(), text));
    let (files, mut verdict) = crate::packet::Files::collect(entries);
    verdict.merge(manifest::check(&files));
    verdict
}

fn leg(facts: &mut Facts, leg: Leg) -> Option<&mut Entry> {
    facts.rollback.entries.iter_mut().find(|entry| entry.leg == leg && ran(entry))
}

/// A rollback entry that ran. Not the snapshot's where there is another: `reapply` is held against that one,
/// so spoiling it would break two rules at once.
fn rollback(facts: &mut Facts) -> Option<&mut Entry> {
    let proves = |entry: &&mut Entry| entry.kind == Kind::Rollback && ran(entry);
    facts.rollback.entries.iter_mut().filter(proves).min_by_key(|entry| entry.leg == Leg::Snapshot)
}

fn ran(entry: &Entry) -> bool {
    matches!(entry.outcome, Outcome::Exact | Outcome::Held)
}

fn flipped(digest: Digest) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[31] ^= 1;
    Digest::from_bytes(bytes)
}
