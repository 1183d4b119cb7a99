//! `verify`: the eight numbered steps over a ledger, offline.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::trust::{Opened, Trust, failure, read_text};
use super::writing::LOCK_PATIENCE;
use super::{bundle, replay, surroundings, tiles, verify_proof};
use crate::digest::Digest;
use crate::ledger::{LedgerRef, Repository, SeenHead};
use crate::report;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::Note;
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::{Options, Outcome, Report, Signed, Step, Verifier};

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
    let mut verifier = Verifier::new(options);
    match repo.reader().read_chain(&tip) {
        Ok(chain) => {
            let bar = progress(ui, chain.len() as u64);
            replay::feed(&repo, &mut verifier, &chain, !args.skip_judgement, &mut |n| bar.inc(n as u64));
            bar.finish_and_clear();
        }
        Err(error) => verifier.note(Step::Chain, error.reason().into()),
    }
    // Grafts and replace refs change nothing that was read here; they change what stock git shows.
    let others: Verdict = conditions.reasons().iter().filter(|r| r.code != Code::Shallow).cloned().collect();
    verifier.note(Step::Completeness, others);
    let opened = witnessed(&args, &mut verifier, checkpoint.as_ref());
    let (report, _) = verifier.finish();
    let kept = remember(&repo, &ledger, &report, seen.as_ref(), args.forget)?;
    let verdict: Verdict = report.reasons().cloned().collect();
    let mut text = report::verification(&report, &ledger.to_string());
    if let Some(opened) = &opened {
        text.push_str(&format!("\n{}", opened.text().trim_end()));
    }
    let mut answer = Answer::done(text).with("report", &report);
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
    let entries = report.checks.iter().filter(|check| check.name != Step::Completeness);
    let doubts = [Code::RunOpen, Code::EntrySuspect, Code::NumberMissing];
    let holds = entries.into_iter().all(|check| check.outcome == Outcome::Held)
        && report.reasons().all(|reason| doubts.contains(&reason.code));
    if holds {
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
