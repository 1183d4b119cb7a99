//! `record`: judge a packet, sign its statement, append the entry; with `--push`, send it.

use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::recording::Recording;
use super::{packet_directory, surroundings};
use crate::canon;
use crate::statement::{MAX_RUN_BYTES, Mention, Run};
use crate::verdict::{Code, Reason};

/// Arguments of `record`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyArgs,
    /// The packet's directory: one that `rehearse` made here, or one made elsewhere.
    #[arg(long, value_name = "DIR")]
    packet: PathBuf,
    /// The grant to consume: its name or leaf. By default the oldest that fits.
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,
    /// The packet repeats a rehearsal of this ledger: its number, leaf or name. A rerun consumes no grant.
    #[arg(long, value_name = "ENTRY", conflicts_with = "grant")]
    rerun_of: Option<String>,
    /// The packet shows a rollback that did not restore the clone: record the failure. It proves nothing.
    #[arg(long)]
    failed: bool,
    /// The entry's name; by default the plan's name and the entry's number.
    #[arg(long, value_name = "NAME")]
    run_id: Option<String>,
    /// The volatile facts of the run; by default PACKET.run.json, which `rehearse` writes beside the packet.
    #[arg(long, value_name = "FILE")]
    run: Option<PathBuf>,
    /// A place where a forbidden token is mentioned, not claimed: FILE:LINE:TOKEN:REASON.
    #[arg(long, value_name = "MENTION")]
    mention: Vec<String>,
    /// Push the ledger to this remote afterwards.
    #[arg(long, value_name = "REMOTE")]
    push: Option<String>,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    let files = packet_directory::read(&args.packet)?;
    let signer = keyring::signer(&args.key)?;
    let mentions = args.mention.iter().map(|text| mention(text)).collect::<Result<_, _>>()?;
    let recording = Recording {
        place: &args.place,
        signer: &signer,
        files,
        run: run_facts(&args)?,
        grant: args.grant.as_deref(),
        rerun_of: args.rerun_of.as_deref(),
        failed: args.failed,
        run_id: args.run_id.as_deref(),
        mentions,
        push: args.push.as_deref(),
    };
    recording.append(ui)
}

fn run_facts(args: &Args) -> Result<Run, Failure> {
    let beside = PathBuf::from(format!("{}.run.json", args.packet.display()));
    let path = match &args.run {
        Some(path) => path,
        None if beside.exists() => &beside,
        None => return Ok(Run::default()),
    };
    let bytes = surroundings::read(path, MAX_RUN_BYTES as u64)?;
    let malformed = |e: &dyn std::fmt::Display| Failure::because(Code::Malformed, path.display(), e);
    let facts = canon::from_slice_any_spelling(&bytes).map_err(|e| malformed(&e))?;
    Run::new(facts).map_err(|e| malformed(&e))
}

fn mention(text: &str) -> Result<Mention, Failure> {
    let mut parts = text.splitn(4, ':');
    let mut next = || parts.next().map(str::to_owned);
    let parsed =
        (|| Some(Mention { file: next()?, line: next()?.parse().ok()?, token: next()?, reason: next()? }))();
    parsed.ok_or_else(|| {
        Reason::new(Code::StatementInvalid, format!("mention `{}`", text.escape_default()))
            .found("expected FILE:LINE:TOKEN:REASON")
            .into()
    })
}
