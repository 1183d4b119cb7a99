//! `verify`: the eight numbered steps over a ledger, offline.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::awaited::{self, Met};
use super::place::Place;
use super::recall::{self, Begun};
use super::trust::{Opened, Trust, failure, read_text};
use super::writing::LOCK_PATIENCE;
use super::{bundle, leaves, replay, surroundings, tiles, verify_proof};
use crate::digest::Digest;
use crate::ledger::{LedgerRef, Oid, Repository, SeenHead};
use crate::merkle;
use crate::report;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::Note;
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::{Head, Options, Outcome, Report, Signed, Step, Verifier};

/// Arguments of `verify`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The ledger's id, from a place that its host does not control (`init` printed it).
    #[arg(long, value_name = "SHA256")]
    pin: Option<Digest>,
    /// Leave out the judgement of packets and claims. The verdict then says so.
    #[arg(long)]
    skip_judgement: bool,
    /// Begin behind the last entry that this copy verified itself, which is not read again. The verdict then says so.
    #[arg(long, conflicts_with_all = ["skip_judgement", "forget", "proof", "bundle", "log"])]
    incremental: bool,
    /// Neither read nor keep the remembered head of this clone.
    #[arg(long)]
    forget: bool,
    /// A signed checkpoint to compare the history with; with --policy by default the one that this clone keeps.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Verify a proof instead (`prove` made it): it needs --trust or --policy, and no repository.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pin", "skip_judgement", "forget"])]
    proof: Option<PathBuf>,
    /// Verify a published ledger (`export tiles`): a directory, http(s)://… or s3://…; it needs --trust or --policy.
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["proof", "bundle", "forget"])]
    log: Option<String>,
    /// Verify a bundle instead (`export bundle` made it): it needs --trust or --policy, and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["proof", "pin", "skip_judgement", "forget"])]
    bundle: Option<PathBuf>,
    /// The signed checkpoint that a proof of consistency begins at.
    #[arg(long, value_name = "FILE", requires = "proof")]
    older: Option<PathBuf>,
    /// The hash of the leaf, for a proof that does not hold it.
    #[arg(long, value_name = "SHA256", requires = "proof")]
    leaf: Option<Digest>,
    #[command(flatten)]
    trust: Trust,
    /// How many threads; by default one for each core.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    if let Some(proof) = &args.proof {
        return verify_proof::run(proof, args.older.as_deref(), args.leaf, &args.trust);
    }
    if let Some(file) = &args.bundle {
        return bundle::verify(file, &args.trust);
    }
    surroundings::threads(args.threads)?;
    if let Some(at) = &args.log {
        return tiles::verify(at, args.pin, !args.skip_judgement, &args.trust, ui);
    }
    let (repo, ledger, tip) = args.place.existing()?;
    let conditions = repo.conditions()?;
    let seen = if args.forget { None } else { repo.remembered_head(&ledger)? };
    let checkpoint = signed_text(&args, &repo, &ledger)?;
    let options = Options {
        genesis: args.pin,
        remembered: seen.as_ref().map(|seen| seen.head),
        shallow: conditions.has(Code::Shallow),
        checkpoint_size: checkpoint.as_ref().map(|(_, size)| *size),
    };
    let begun = match args.incremental {
        true => recall::begin(&repo, &ledger, &tip)?,
        false => None,
    };
    let mut entries = Vec::new();
    let (mut verifier, now) = match &begun {
        Some(begun) => (resumed(begun, options)?, begun.chain.len()),
        None => (Verifier::new(options), 0),
    };
    let chain = match &begun {
        Some(begun) => Ok(begun.chain.clone()),
        None => repo.reader().read_chain(&tip),
    };
    match chain {
        Ok(chain) => {
            let bar = progress(ui, chain.len() as u64);
            let listed = begun.is_some().then_some(&mut entries);
            replay::feed(&repo, &mut verifier, &chain, !args.skip_judgement, listed, &mut |n| {
                bar.inc(n as u64)
            });
            bar.finish_and_clear();
        }
        Err(error) => verifier.note(Step::Chain, error.reason().into()),
    }
    if let Some(begun) = &begun {
        begun.view.sound().map_err(|fault| Failure::because(Code::Unreadable, "the index", fault))?;
    }
    // Grafts and replace refs change nothing that was read here; they change what stock git shows.
    let others: Verdict = conditions.reasons().iter().filter(|r| r.code != Code::Shallow).cloned().collect();
    verifier.note(Step::Completeness, others);
    let opened = witnessed(&args, &mut verifier, checkpoint.as_ref());
    let met = met(&repo, &ledger, &tip, &verifier, begun.as_ref(), args.forget)?;
    verifier.note(Step::Completeness, met.verdict());
    let (report, state) = verifier.finish();
    let kept = match met.proof() {
        Some(proof) => Some(proof),
        None => remember(&repo, &ledger, &report, seen.as_ref(), args.forget)?,
    };
    if holds(&report) {
        met.settle(&repo, &ledger);
        if let Some(begun) = &begun {
            begun.keep(&entries, &state);
        }
    }
    let verdict: Verdict = report.reasons().cloned().collect();
    let mut text = report::verification(&report, &ledger.to_string());
    if let Some(opened) = &opened {
        text.push_str(&format!("\n{}", opened.text().trim_end()));
    }
    if let Some(begun) = &begun {
        let (before, time) = (begun.from.size, begun.from.verified);
        let when = time.map_or(String::new(), |time| format!(", the last of them at {time}"));
        text.push_str(&format!(
            "\nverified now: {now} entries; verified before by this copy: {before} entries{when}"
        ));
    }
    let mut answer = met.tell(&mut text, Answer::default()).with("report", &report);
    if let Some(begun) = &begun {
        let facts = json!({"now": now, "before": begun.from.size, "verified_at": begun.from.verified});
        answer = answer.with("incremental", facts);
    }
    answer = answer.saying(text);
    if let Some(opened) = &opened {
        answer = opened.tell(answer);
    }
    if let (5, Some((text, size))) = (report.exit_code, &checkpoint) {
        answer = answer.with("kept_checkpoint", repo.keep_contradiction(&ledger, *size, text)?);
    }
    if let Some(path) = kept {
        answer = answer.with("both_heads", path);
    }
    Ok(answer.ending(report.exit_code, verdict))
}

/// The checkpoint to compare with, and the size that it speaks of; its signature is checked once the ledger's keys are
/// known.
fn signed_text(args: &Args, repo: &Repository, ledger: &LedgerRef) -> Result<Option<(String, u64)>, Failure> {
    let text = match &args.checkpoint {
        Some(path) => read_text(path)?,
        None if args.trust.has_policy() => match repo.kept_checkpoint(ledger)? {
            Some(text) => text,
            None => return Ok(None),
        },
        None => return Ok(None),
    };
    let note = Note::parse(&text).map_err(|e| failure("the checkpoint", &e))?;
    let claimed = Checkpoint::parse(note.unverified_text()).map_err(|e| failure("the checkpoint", &e))?;
    Ok(Some((text, claimed.size())))
}

/// Opens the checkpoint with the ledger's own log keys and the trusted ones, and hands it to the verifier.
fn witnessed(args: &Args, verifier: &mut Verifier, checkpoint: Option<&(String, u64)>) -> Option<Opened> {
    let Some((text, size)) = checkpoint else {
        if args.trust.has_policy() {
            let reason =
                Reason::new(Code::QuorumMissing, "checkpoint").found("none is kept here, and none was named");
            verifier.note(Step::Completeness, reason.into());
        }
        return None;
    };
    match args.trust.open(text, &verifier.state().log_keys(*size)) {
        Ok(opened) => {
            let relied = opened.quorum.as_ref().filter(|_| opened.verdict.accepted());
            verifier.witness(Signed {
                size: *size,
                root: opened.checkpoint.root(),
                quorum: relied.and_then(|quorum| quorum.time),
            });
            verifier.note(Step::Completeness, opened.verdict.clone());
            Some(opened)
        }
        Err(failed) => {
            verifier.note(Step::Completeness, failed.verdict().clone());
            None
        }
    }
}

/// Whether every entry holds, whatever is missing or in doubt beside them.
fn holds(report: &Report) -> bool {
    let mut entries = report.checks.iter().filter(|check| check.name != Step::Completeness);
    let doubts = [Code::RunOpen, Code::EntrySuspect, Code::NumberMissing];
    entries.all(|check| check.outcome == Outcome::Held)
        && report.reasons().all(|reason| doubts.contains(&reason.code))
}

/// A verifier behind what this copy verified before, shown what of that the remembered head and the checkpoint ask for.
fn resumed(begun: &Begun, options: Options) -> Result<Verifier, Failure> {
    let (view, from) = (&begun.view, &begun.from);
    let asked =
        [options.remembered.map(|head| head.seq), options.checkpoint_size.and_then(|s| s.checked_sub(1))];
    let mut verifier = Verifier::resume(from.state.clone(), options);
    if let Some(time) = from.verified {
        verifier.verified_before(&from.commit, time);
    }
    for seq in asked.into_iter().flatten().filter(|seq| *seq < from.size) {
        if let Some(line) = view.line(seq).map_err(Reason::from)? {
            let root = view.root_after(seq + 1).map_err(Reason::from)?;
            verifier.earlier(Head { leaf: line.leaf, root, seq });
        }
    }
    Ok(verifier)
}

/// What became of the heads that others saw, where everything before holds.
fn met(
    repo: &Repository,
    ledger: &LedgerRef,
    tip: &Oid,
    verifier: &Verifier,
    begun: Option<&Begun>,
    forget: bool,
) -> Result<Met, Failure> {
    if forget || verifier.stopped() {
        return Ok(Met::default());
    }
    let state = verifier.state();
    awaited::meet(repo, ledger, state.next_seq(), &mut |size| match begun {
        Some(begun) if size <= begun.from.size => Ok(begun.view.root_after(size).map_err(Reason::from)?),
        _ => {
            let leaves = leaves::read(repo, tip, state)?;
            Ok(merkle::root(&leaves[..usize::try_from(size).unwrap_or(usize::MAX).min(leaves.len())]))
        }
    })
}

/// Remembers the head that holds, whatever is missing or in doubt beside it, or keeps both where they contradict each other.
fn remember(
    repo: &Repository,
    ledger: &LedgerRef,
    report: &Report,
    seen: Option<&SeenHead>,
    forget: bool,
) -> Result<Option<std::path::PathBuf>, Failure> {
    let (Some(head), Some(oid), false) = (&report.head, &report.head_commit, forget) else { return Ok(None) };
    if let (5, Some(seen)) = (report.exit_code, seen) {
        return Ok(Some(repo.keep_fork(ledger, &seen.head, head)?));
    }
    if holds(report) {
        // An auditor's copy may be read-only: what cannot be remembered does not spoil the verdict.
        if let Ok(lock) = repo.lock(LOCK_PATIENCE) {
            let _ = repo.remember_head(&lock, ledger, &SeenHead { head: *head, oid: oid.clone() });
        }
    }
    Ok(None)
}

fn progress(ui: &Ui, entries: u64) -> ProgressBar {
    if !ui.terminal() || entries < 500 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("verifying {bar:40} {pos}/{len} entries, {eta} left");
    ProgressBar::new(entries).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
