//! `hook pre-push | pre-receive | pre-commit`: what the installed hooks call. Whatever cannot be decided is refused.
//!
//! Owns: putting together what git gives a hook, the examination of the push, and the judgement of each new
//! entry by the same functions that `record` and `verify` use. Must not: hold a rule.

use std::io::Read;

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::writing::LOCK_PATIENCE;
use super::{replay, surroundings};
use crate::judge::gate::{self, Gate};
use crate::ledger::push::{LedgerAppend, Push, Side, examine};
use crate::ledger::{LedgerRef, Oid, Repository, SeenHead};
use crate::policy::Policy;
use crate::state::{Index as _, State};
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::Head;

/// Largest input in bytes that is read from git: the refs of a push, a line each.
const MAX_INPUT_BYTES: u64 = 8 << 20;
/// How far an entry's time may be ahead of this clock, in seconds: clocks differ, days do not.
const MAX_AHEAD_SECONDS: i64 = 15 * 60;

/// Arguments of `hook`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
#[allow(clippy::enum_variant_names)] // git's own names
enum Verb {
    /// Judge what is about to be pushed.
    PrePush {
        /// The remote's name, as git gives it.
        remote: String,
        /// The remote's URL, as git gives it.
        url: Option<String>,
    },
    /// Judge what is about to be received.
    PreReceive,
    /// Judge what is about to be committed: the ledger's branches are not committed to by hand.
    PreCommit,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::PrePush { remote, url: _ } => {
            let repo = Repository::discover(std::path::Path::new("."))?;
            let push = Push::from_pre_push(&remote, &input()?)?;
            Ok(judged(&repo, &push))
        }
        Verb::PreReceive => {
            let directories = surroundings::object_directories();
            let repo = Repository::open_quarantined(std::path::Path::new("."), &directories)?;
            let mut push = Push::from_pre_receive(&input()?)?;
            push.options = surroundings::push_options()?;
            Ok(judged(&repo, &push))
        }
        Verb::PreCommit => pre_commit(),
    }
}

fn input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| Failure::because(Code::Undecidable, "the hook's input", e))?;
    match bytes.len() as u64 > MAX_INPUT_BYTES {
        true => Err(Failure::because(
            Code::LimitExceeded,
            "the hook's input",
            format!("over {MAX_INPUT_BYTES} bytes"),
        )),
        false => Ok(bytes),
    }
}

/// Everything that speaks against a push, or a range that stands for one.
pub(super) fn judged(repo: &Repository, push: &Push) -> Answer {
    let gates: Vec<Gate> = policies_for(repo, push).iter().map(Gate::new).collect();
    let mut scan = |place: &str, channel: gate::Channel<'_>, bytes: &[u8]| {
        let mut verdict = Verdict::default();
        gates.iter().for_each(|gate| verdict.merge(gate.scan(place, channel, bytes)));
        verdict
    };
    let examination = examine(repo, push, &mut scan);
    let mut verdict = examination.verdict;
    let mut entries = 0;
    for append in &examination.appends {
        entries += append.entries.len();
        verdict.merge(appended(repo, append, &push.side, &gates));
    }
    let text = match verdict.accepted() {
        true => format!(
            "fix7-ledger: {entries} new entries hold; {} other channels claim nothing",
            examination.scanned.channels
        ),
        false => "fix7-ledger: the push is REFUSED. Production stays on HOLD_PRODUCTION.".to_owned(),
    };
    // Git shows a server's stdout and stderr alike; a client's hook speaks on stderr.
    Answer::done(text)
        .with("entries", entries)
        .with("channels", examination.scanned.channels)
        .with("objects", examination.scanned.objects)
        .with("bytes", examination.scanned.bytes)
        .judged(verdict)
}

/// What speaks against the new entries of one ledger, by the state that the receiving side has.
fn appended(repo: &Repository, append: &LedgerAppend, side: &Side, gates: &[Gate]) -> Verdict {
    let mut verdict = Verdict::default();
    let receives = matches!(side, Side::PreReceive);
    let before = match &append.old {
        None => Ok(State::default()),
        Some(old) => replay::at(repo, &append.ledger, old).inspect(|state| {
            if receives {
                remember(repo, &append.ledger, state, old);
            }
        }),
    };
    match before {
        Err(failure) => verdict.merge(failure.verdict().clone()),
        Ok(mut state) => match replay::fold(repo, &mut state, &append.entries, None) {
            Ok(found) => {
                verdict.merge(found);
                verdict.merge(admitted(append, &state));
                if receives {
                    verdict.merge(seen(repo, &append.ledger, &state));
                }
            }
            Err(failure) => verdict.merge(failure.verdict().clone()),
        },
    }
    if !verdict.accepted() {
        gates.iter().for_each(|gate| verdict.merge(claims(repo, append, gate)));
    }
    verdict
}

/// Notes the head that stands here before the push, so that a ref that is deleted on this disk, or brought back from an old
/// backup, is not begun anew without it. Without the note nothing is decided otherwise, so it may fail.
fn remember(repo: &Repository, ledger: &LedgerRef, state: &State, oid: &Oid) {
    let Some(seq) = state.next_seq().checked_sub(1) else { return };
    let head = Head { leaf: state.last_leaf(), root: state.root(), seq };
    if let Ok(lock) = repo.lock(LOCK_PATIENCE) {
        let _ = repo.remember_head(&lock, ledger, &SeenHead { head, oid: oid.to_string() });
    }
}

/// What was received leads to the last head that this side noted.
fn seen(repo: &Repository, ledger: &LedgerRef, state: &State) -> Verdict {
    let known = match repo.remembered_head(ledger) {
        Ok(Some(seen)) => seen.head,
        Ok(None) => return Verdict::default(),
        Err(error) => return error.reason().into(),
    };
    let place = state.records().record(&known.leaf).map(|record| record.map(|record| record.seq()));
    match place {
        Ok(Some(seq)) if seq == known.seq => Verdict::default(),
        Ok(_) => Reason::new(Code::LedgerRewritten, ledger)
            .values(format_args!("a history with {known}, which stood here"), "one without it")
            .into(),
        Err(error) => Reason::from(error).into(),
    }
}

/// What only a receiver can ask for. A new ledger begins with no less than the default policy; and no time lies in
/// the future, since no later entry may be before it: one such entry would end the ledger.
fn admitted(append: &LedgerAppend, state: &State) -> Verdict {
    let mut verdict = Verdict::default();
    if let (None, Some(policy)) = (append.old, state.policy()) {
        verdict.merge(Policy::default_policy().tightened_by(policy));
    }
    match (surroundings::now(), state.last_time()) {
        (Err(failure), _) => verdict.merge(failure.verdict().clone()),
        (Ok(now), Some(time)) => {
            let most = now.unix_seconds().saturating_add(MAX_AHEAD_SECONDS);
            verdict.require(time.unix_seconds() <= most, || {
                let expected = format_args!("at most {MAX_AHEAD_SECONDS} s after {now}");
                Reason::new(Code::ChainBroken, format_args!("{}: Fix7-Time", append.ledger))
                    .values(expected, time)
            });
        }
        (Ok(_), None) => {}
    }
    verdict
}

/// What a refused entry claims, so that the refusal names the claim as well as the broken form around it.
fn claims(repo: &Repository, append: &LedgerAppend, gate: &Gate) -> Verdict {
    let mut verdict = Verdict::default();
    let reader = repo.reader();
    for oid in &append.entries {
        let Ok(stored) = reader.read_entry(oid) else { continue };
        verdict.merge(gate.scan(&format!("{oid}: message"), gate::Channel::EntryMessage, &stored.commit));
        let (packet, _) = replay::packet(&stored.files);
        verdict.merge(gate.scan_packet(&packet, &[]));
    }
    // Other reasons about these files were given by the judgement before.
    verdict.reasons().iter().filter(|r| r.code == Code::ClaimFound).cloned().collect()
}

/// The policies of the repository's own ledgers; where there is none that holds, the default one. All of them: a
/// further ledger under whatever name must not loosen what the others ask for.
pub(super) fn policies_in_force(repo: &Repository) -> Vec<Policy> {
    policies_of(repo, &repo.ledgers().unwrap_or_default())
}

/// A push's, and those that a range is judged under: a clone that a host made for a check has the ledgers as its
/// remote's branches.
fn policies_for(repo: &Repository, push: &Push) -> Vec<Policy> {
    let mut ledgers = repo.ledgers().unwrap_or_default();
    if matches!(push.side, Side::Range { .. }) {
        ledgers.extend(repo.remote_ledgers().unwrap_or_default());
    }
    policies_of(repo, &ledgers)
}

fn policies_of(repo: &Repository, ledgers: &[(LedgerRef, Oid)]) -> Vec<Policy> {
    let states = ledgers.iter().filter_map(|(ledger, tip)| replay::at(repo, ledger, tip).ok());
    let mut policies: Vec<Policy> = Vec::new();
    for policy in states.filter_map(|state| state.policy().cloned()) {
        // Pins do not matter to the gate.
        let same = |known: &Policy| {
            known.claims() == policy.claims()
                && known.mentions() == policy.mentions()
                && known.limits() == policy.limits()
        };
        if !policies.iter().any(same) {
            policies.push(policy);
        }
    }
    if policies.is_empty() {
        policies.push(Policy::default_policy());
    }
    policies
}

fn pre_commit() -> Result<Answer, Failure> {
    let place = Place { repo: ".".into(), ledger: "main".to_owned() };
    let (repo, _) = place.open()?;
    match repo.checked_out()?.as_deref().and_then(LedgerRef::from_full_name) {
        None => Ok(Answer::default()),
        Some(ledger) => {
            let found = "a commit by hand: entries are made by `fix7-ledger record`";
            Err(Reason::new(Code::LedgerRewritten, ledger).found(found).into())
        }
    }
}
