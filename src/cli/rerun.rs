//! `rerun`: rehearse again from a packet's own plan, and compare every byte (R52). With `--record`, whoever reached the packet
//! of a rehearsal says so in the ledger.

use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use super::rehearse::Source;
use super::rerun_record::{RecordArgs, Recorder};
use super::{numbering, packet_directory, rehearse};
use crate::judge::derive::compare;
use crate::judge::{self, Judge};
use crate::packet::{FACTS, Files, MANIFEST, TREE, manifest};
use crate::verdict::{Code, Reason, Verdict};

/// Files whose differences are told one by one; the rest are counted.
const SHOWN_FILES: usize = 8;

/// Arguments of `rerun`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The packet that is reached again, or not. It is only read.
    #[arg(long, value_name = "DIR")]
    packet: PathBuf,
    /// The database that the packet is about: its digest stands in the target lock.
    #[arg(long, value_name = "DB")]
    source: Option<PathBuf>,
    /// The dump that the packet is about, for PostgreSQL.
    #[arg(long, value_name = "DUMP", conflicts_with = "source")]
    dump: Option<PathBuf>,
    /// Where the new packet goes: a directory that does not exist yet. Left out: nothing is kept.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    recording: RecordArgs,
    #[command(flatten)]
    settings: rehearse::Settings,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    if let Some(out) = &args.out {
        packet_directory::vacant(out)?;
    }
    let given = packet_directory::read(&args.packet)?;
    let mut verdict = Judge::new(&args.settings.policy()?).packet(None, &given);
    verdict.merge(judge::overclaimed(args.settings.state()?.as_ref(), &given));
    if !verdict.accepted() {
        return Err(verdict.into());
    }
    let facts = judge::facts(&given)?;
    let source = match (args.source, args.dump, facts.lock.source.dump.clone()) {
        (Some(path), _, None) => Source::Database(path),
        (_, Some(path), Some(dump)) => Source::Dump(path, Box::new(dump.attestation)),
        (_, _, dump) => {
            let wanted = if dump.is_some() { "--dump" } else { "--source" };
            let found = format!("the packet is about {}: give it with {wanted}", facts.lock.engine.name);
            return Err(Failure::because(Code::RequestForbidden, "what to rehearse on", found));
        }
    };
    let place = args.settings.place().clone();
    let recorder = Recorder::asked(&place, &args.recording, &given)?;
    let settings = args.settings.at(facts.lock.isolation.level);
    let mut number = None;
    let begins = || {
        number = recorder.as_ref().map(|recorder| recorder.number(&place)).transpose()?;
        Ok(())
    };
    let (mut rehearsal, policy) =
        rehearse::rehearse(&source, facts.plan.into_inner(), &settings, begins, ui)?;
    if let Some((operator, number)) = &number {
        rehearsal.run.extend(numbering::noted(operator, *number));
    }
    let again = rehearse::packet(&rehearsal, &policy)?;
    if let Some(out) = &args.out {
        packet_directory::write(out, &again)?;
    }
    let (differing, verdict) = compared(&given, &again);
    let tree = |files: &Files| files.get(MANIFEST).map(manifest::tree_digest);
    let equal = differing.is_empty();
    let mut text = match equal {
        true => format!("reached again: {} files, every byte equal", again.len()),
        false => format!("NOT reached again: {} files differ: {}", differing.len(), differing.join(", ")),
    };
    let level = u8::from(rehearsal.facts.lock.isolation.level);
    let (tree_given, tree_again) = (tree(&given), tree(&again));
    let manifest_equal = given.get(MANIFEST) == again.get(MANIFEST);
    let mut answer = Answer::default();
    match (&recorder, &number) {
        (Some(recorder), _) if equal => {
            answer = recorder.record(&place, again, rehearsal.run, &args.recording, ui)?;
            text.push_str(&format!("\n{}", answer.text()));
        }
        (Some(_), Some((_, number))) => text.push_str(&format!(
            "\nnothing is recorded; number {number} is missed until `fix7-ledger void --number {number}` says why"
        )),
        _ => {}
    }
    Ok(answer
        .saying(text)
        .with("tree_equal", tree_given == tree_again)
        .with("manifest_equal", manifest_equal)
        .with("packet_tree", tree_given)
        .with("packet_tree_again", tree_again)
        .with("differing", differing)
        .with("isolation_level", level)
        .ending(u8::from(!equal), verdict))
}

/// The files that differ, and where each does first.
fn compared(given: &Files, again: &Files) -> (Vec<String>, Verdict) {
    let mut paths: Vec<&str> = given.iter().chain(again.iter()).map(|(path, _)| path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.retain(|path| given.get(path) != again.get(path));
    let mut verdict = Verdict::default();
    // The facts first: what differs there makes the rest differ. Manifest and tree follow from all.
    let mut told: Vec<&str> = paths.iter().copied().filter(|path| ![MANIFEST, TREE].contains(path)).collect();
    told.sort_by_key(|path| FACTS.iter().position(|fact| fact == path).unwrap_or(FACTS.len()));
    for path in told.into_iter().take(SHOWN_FILES) {
        let (expected, found) = (given.get(path).unwrap_or_default(), again.get(path).unwrap_or_default());
        let differences = match path.ends_with(".json") {
            true => compare::json(path, expected, found),
            false => compare::text(path, expected, found),
        };
        for Reason { object, expected, found, .. } in differences.reasons().iter().take(1).cloned() {
            verdict.push(Reason { code: Code::RerunDiffers, object, expected, found });
        }
    }
    if verdict.accepted() && !paths.is_empty() {
        verdict.push(Reason::new(Code::RerunDiffers, TREE).found("the packets differ"));
    }
    (paths.into_iter().map(str::to_owned).collect(), verdict)
}
