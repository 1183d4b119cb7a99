//! `record`: judge a packet, sign its statement, append the entry; with `--push`, send it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::writing::{self, Contents};
use super::{packet_directory, push, replay, surroundings};
use crate::canon;
use crate::digest::Digest;
use crate::dsse;
use crate::evidence::Plan;
use crate::judge;
use crate::keys::Fingerprint;
use crate::packet::Files;
use crate::policy::Policy;
use crate::state::{PacketFacts, State};
use crate::statement::{self, Label, Mention, Outcome, PACKET_DIR, Rehearsal, Run, Statement};
use crate::time::Timestamp;
use crate::verdict::{Code, Reason, Verdict};

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
    let facts = judge::packet_facts(&files)?;
    let signer = keyring::signer(&args.key)?;
    let operator = signer.public().fingerprint();
    let (repo, ledger, _) = args.place.existing()?;
    let lock = repo.lock(writing::LOCK_PATIENCE)?;
    let (mut state, tip) = replay::trusted(&args.place)?;
    let now = surroundings::now()?;

    let rehearsal = claim(&args, &state, &files, &facts, &operator, now)?;
    let run_id = rehearsal.run_id.clone();
    let statement = Statement::rehearsal(
        replay::ledger_id(&state)?,
        surroundings::statement_nonce()?,
        rehearsal,
        subjects(&files),
    )
    .map_err(|e| Failure::because(Code::StatementInvalid, "the statement", e))?;
    let policy = state.policy().cloned().unwrap_or_else(Policy::default_policy);
    let verdict = judge::judge(&policy, Some(&state), Some(&statement), &files);
    if !verdict.accepted() {
        return Err(verdict.into());
    }
    let signatures = dsse::sign(&statement.to_bytes(), &[&signer])
        .map_err(|e| Failure::because(Code::SignatureInvalid, "the statement", e))?;
    let contents = Contents {
        statement: &statement,
        signatures: &signatures,
        files: in_tree(files),
        facts: Some(&facts),
        time: now,
    };
    let appended = writing::append(&repo, &ledger, &lock, Some(tip), &mut state, contents, &signer)?;
    replay::remember(&repo, &ledger, &state, appended.oid)?;
    let kind = statement.kind().name();
    let mut text = format!(
        "recorded {kind} `{run_id}`{} [HOLD_PRODUCTION]\n  entry  #{} {}\n  packet {}",
        if args.failed { ", FAILED: the clone was not restored" } else { "" },
        appended.seq,
        appended.leaf,
        facts.packet_tree
    );
    let mut answer = Answer::default();
    if let Some(remote) = &args.push {
        let sent = push::send(&repo, &ledger, &lock, remote, Some(&signer), ui)?;
        text.push_str(&format!(
            "\n  pushed to {remote}{}",
            if sent.repositioned > 0 { ", behind entries that came first" } else { "" }
        ));
        answer = answer.with("pushed", remote).with("repositioned", sent.repositioned);
    }
    Ok(answer
        .saying(text)
        .with("kind", kind)
        .with("run_id", run_id.as_str())
        .with("seq", appended.seq)
        .with("leaf", appended.leaf)
        .with("commit", appended.oid.to_string())
        .with("result", if args.failed { Outcome::RollbackNotExact } else { Outcome::RollbackExact })
        .with("packet_tree", facts.packet_tree))
}

fn claim(
    args: &Args,
    state: &State,
    files: &Files,
    facts: &PacketFacts,
    operator: &Fingerprint,
    now: Timestamp,
) -> Result<Rehearsal, Failure> {
    let plan = Plan::parse(files.plan()).map_err(Verdict::from_iter)?;
    let run_id = args.run_id.clone().unwrap_or_else(|| format!("{}-{}", plan.spec.name, state.next_seq()));
    let run_id: Label = run_id.parse().map_err(|e| {
        Failure::because(Code::PathForbidden, format!("name `{}`", run_id.escape_default()), e)
    })?;
    let (grant, of) = match &args.rerun_of {
        Some(wanted) => {
            let (leaf, record) = rehearsal(state, wanted)?;
            (record, Some(leaf))
        }
        None => (grant(args.grant.as_deref(), state, facts, operator)?, None),
    };
    let mut begins = state.open_begins().iter();
    let begin = match of {
        None => begins.find(|(_, open)| open.grant == grant).map(|(leaf, _)| *leaf),
        Some(_) => None,
    };
    Ok(Rehearsal {
        begin,
        date: now.date(),
        grant,
        mentions: args.mention.iter().map(|text| mention(text)).collect::<Result<_, _>>()?,
        of,
        packet_tree: facts.packet_tree,
        result: if args.failed { Outcome::RollbackNotExact } else { Outcome::RollbackExact },
        run: run_facts(args)?,
        run_id,
    })
}

/// The rehearsal with this number, leaf or name, and the grant that it consumed.
fn rehearsal(state: &State, wanted: &str) -> Result<(Digest, Digest), Failure> {
    let number = wanted.trim_start_matches('#').parse::<u64>().ok();
    let found = state.rehearsals().map_err(Reason::from)?.into_iter().find(|(leaf, record)| {
        Some(record.seq) == number || leaf.to_string() == wanted || record.run_id.as_str() == wanted
    });
    let (leaf, record) = found.ok_or_else(|| {
        Failure::because(
            Code::EntryAbsent,
            format!("rehearsal `{}`", wanted.escape_default()),
            "the ledger has no such rehearsal",
        )
    })?;
    Ok((leaf, record.grant))
}

/// The grant that was asked for, or the oldest that this operator may use for this packet.
fn grant(
    wanted: Option<&str>,
    state: &State,
    facts: &PacketFacts,
    operator: &Fingerprint,
) -> Result<Digest, Failure> {
    if let Some(wanted) = wanted {
        let leaf = named_grant(state, wanted)?;
        let verdict = state.usable_grant(&leaf, operator, facts);
        return if verdict.accepted() { Ok(leaf) } else { Err(verdict.into()) };
    }
    let mut own = Verdict::default();
    let mut grants = state.open_grants(operator).map_err(Reason::from)?;
    // What was begun comes first: it is missed until it is recorded.
    grants.sort_by_key(|(leaf, _)| !state.open_begins().values().any(|open| open.grant == *leaf));
    for (leaf, _) in grants {
        let verdict = state.usable_grant(&leaf, operator, facts);
        if verdict.accepted() {
            return Ok(leaf);
        }
        own = verdict;
    }
    // The newest grant for this operator says best what is wrong.
    match own.accepted() {
        true => Err(Failure::because(
            Code::GrantMissing,
            format!("key {operator}"),
            "no unused grant names this operator",
        )),
        false => Err(own.into()),
    }
}

/// The grant with this name or leaf.
pub(super) fn named_grant(state: &State, wanted: &str) -> Result<Digest, Failure> {
    if let Ok(leaf) = wanted.parse::<Digest>() {
        return Ok(leaf);
    }
    let mut grants = state.grants().map_err(Reason::from)?.into_iter();
    let found = grants.find(|(_, record)| record.grant.id.as_str() == wanted);
    found.map(|(leaf, _)| leaf).ok_or_else(|| {
        let object = format!("grant `{}`", wanted.escape_default());
        Failure::because(Code::GrantMissing, object, "the ledger has no such grant")
    })
}

fn run_facts(args: &Args) -> Result<Run, Failure> {
    let beside = PathBuf::from(format!("{}.run.json", args.packet.display()));
    let path = match &args.run {
        Some(path) => path,
        None if beside.exists() => &beside,
        None => return Ok(Run::default()),
    };
    let bytes = surroundings::read(path, statement::MAX_RUN_BYTES as u64)?;
    let malformed = |e: &dyn std::fmt::Display| Failure::because(Code::Malformed, path.display(), e);
    let facts: BTreeMap<_, _> = canon::from_slice_any_spelling(&bytes).map_err(|e| malformed(&e))?;
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

fn subjects(files: &Files) -> statement::Subjects {
    files.iter().map(|(path, bytes)| (format!("{PACKET_DIR}{path}"), Digest::of(bytes))).collect()
}

fn in_tree(files: Files) -> BTreeMap<String, Vec<u8>> {
    files.into_map().into_iter().map(|(path, bytes)| (format!("{PACKET_DIR}{path}"), bytes)).collect()
}
