//! `verify`: the eight numbered steps over a ledger, offline.

use indicatif::{ProgressBar, ProgressStyle};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::writing::LOCK_PATIENCE;
use super::{replay, surroundings};
use crate::digest::Digest;
use crate::ledger::{LedgerRef, Repository, SeenHead};
use crate::report;
use crate::verdict::{Code, Verdict};
use crate::verify::{Options, Outcome, Report, Step, Verifier};

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
    /// How many threads; by default one for each core.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    surroundings::threads(args.threads)?;
    let (repo, ledger, tip) = args.place.existing()?;
    let conditions = repo.conditions()?;
    let seen = if args.forget { None } else { repo.remembered_head(&ledger)? };
    let options = Options {
        genesis: args.pin,
        remembered: seen.as_ref().map(|seen| seen.head),
        shallow: conditions.has(Code::Shallow),
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
    let (report, _) = verifier.finish();
    let kept = remember(&repo, &ledger, &report, seen.as_ref(), args.forget)?;
    let verdict: Verdict = report.reasons().cloned().collect();
    let mut answer = Answer::done(report::verification(&report, &ledger.to_string())).with("report", &report);
    if let Some(path) = kept {
        answer = answer.with("both_heads", path);
    }
    Ok(answer.ending(report.exit_code, verdict))
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
    let doubts = [Code::RunOpen, Code::EntrySuspect];
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
