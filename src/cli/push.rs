//! `push`: send the ledger to a remote; after a lost race, place the own entries behind what came first.
//!
//! Owns: the retry protocol (DESIGN section 8). A statement does not know its position, so it keeps its
//! signature; only the commit is signed again. Must not: lose an entry. What is about to be moved is kept in
//! the outbox until it stands on the ledger again.
//!
//! ```text
//! push ─► lost race ─► fetch to a scratch ref ─► verify ─► outbox ─► move the tip ─► append again ─► push
//! ```

use std::path::PathBuf;
use std::time::Duration;

use super::answer::{Answer, Failure, Ui, escaped};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::writing::{self, Contents};
use super::{replay, surroundings};
use crate::dsse::Signatures;
use crate::entry::{Entry, StoredEntry};
use crate::judge;
use crate::keys::Signer;
use crate::ledger::{HostLock, Kept, LedgerRef, Oid, Pushed, Repository};
use crate::state::{Index as _, Once, State};
use crate::statement::{SIGNATURE_FILE, STATEMENT_FILE, Statement};
use crate::verdict::{Code, Reason};

/// How often a lost race is run again.
const ATTEMPTS: u32 = 6;
/// How long git may take for one push or fetch.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of `push`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The remote.
    #[arg(default_value = "origin")]
    remote: String,
    /// The key of the entries that are not pushed yet: needed where others came first.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A file whose first line is the key's passphrase; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "key")]
    passphrase_file: Option<PathBuf>,
}

/// What a push came to.
#[derive(Default)]
pub(super) struct Sent {
    /// Entries that were placed behind those of others.
    pub(super) repositioned: usize,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    let signer = match &args.key {
        Some(key) => Some(keyring::signer(&KeyArgs {
            key: key.clone(),
            passphrase_file: args.passphrase_file.clone(),
        })?),
        None => None,
    };
    let (repo, ledger, _) = args.place.existing()?;
    let lock = repo.lock(writing::LOCK_PATIENCE)?;
    replay::trusted(&args.place)?;
    let sent = send(&repo, &ledger, &lock, &args.remote, signer.as_ref(), ui)?;
    let text = match sent.repositioned {
        0 => format!("pushed to {}", args.remote),
        n => format!("pushed to {}; {n} entries stand behind others that came first", args.remote),
    };
    Ok(Answer::done(text).with("pushed", &args.remote).with("repositioned", sent.repositioned))
}

/// Pushes the ledger, running lost races again.
pub(super) fn send(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    remote: &str,
    signer: Option<&Signer<'_>>,
    ui: &Ui,
) -> Result<Sent, Failure> {
    let inherited = surroundings::inherited();
    let mut sent = Sent::default();
    for attempt in 1..=ATTEMPTS {
        let tip = repo
            .ledger_tip(ledger)?
            .ok_or_else(|| Failure::because(Code::LedgerAbsent, ledger, "it is gone"))?;
        match repo.push(remote, ledger, &tip, &inherited, PATIENCE)? {
            Pushed::Done => {
                remind(repo, ui);
                return Ok(sent);
            }
            Pushed::Refused(words) => {
                return Err(Reason::new(Code::PushRefused, format!("remote {remote}"))
                    .found(escaped(&words))
                    .into());
            }
            Pushed::Failed(words) => {
                return Err(Failure::because(Code::PushFailed, format!("remote {remote}"), escaped(&words)));
            }
            Pushed::LostRace(_) => {}
        }
        ui.say(format!(
            "note: another writer was first; placing the entry behind theirs ({attempt} of {ATTEMPTS})"
        ));
        pause(attempt)?;
        sent.repositioned = reposition(repo, ledger, lock, remote, signer, &tip).inspect_err(|_| {
            remind(repo, ui);
        })?;
    }
    let found =
        format!("lost {ATTEMPTS} races; the entry stands in this clone: run `fix7-ledger push` again");
    Err(Failure::because(Code::HeadMoved, format!("remote {remote}"), found))
}

/// Waits a random while that grows, so that two writers do not meet again.
fn pause(attempt: u32) -> Result<(), Failure> {
    let [a, b] = surroundings::random::<2>()?;
    let spread = u64::from(u16::from_be_bytes([a, b])) % (40 << attempt.min(6));
    std::thread::sleep(Duration::from_millis(spread));
    Ok(())
}

/// Fetches what came first, verifies it, and appends this clone's own entries behind it.
fn reposition(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    remote: &str,
    signer: Option<&Signer<'_>>,
    tip: &Oid,
) -> Result<usize, Failure> {
    let nonce = data_encoding::HEXLOWER.encode(&surroundings::random::<8>()?);
    let fetched = repo.fetch_incoming(remote, ledger, &nonce, &surroundings::inherited(), PATIENCE)?;
    let incoming = fetched.ok_or_else(|| {
        Failure::because(
            Code::LedgerRewritten,
            format!("remote {remote}"),
            "it refused the push, and has no such ledger",
        )
    })?;
    let mut state = replay::at(repo, ledger, &incoming.tip)?;
    let own = own_entries(repo, tip, &incoming.tip)?;
    let Some(signer) = signer else {
        let found =
            format!("entries of {remote} stand before those of this clone: name their key with --key");
        return Err(Failure::because(Code::HeadMoved, ledger, found));
    };
    for entry in &own {
        repo.keep(lock, position(entry)?, &entry.oid, &entry.files)?;
    }
    repo.move_tip(lock, ledger, Some(*tip), incoming.tip)?;
    place_kept(repo, ledger, lock, incoming.tip, &mut state, signer)?;
    Ok(own.len())
}

/// The entries of this clone that the remote lacks, oldest first.
fn own_entries(repo: &Repository, tip: &Oid, incoming: &Oid) -> Result<Vec<StoredEntry>, Failure> {
    let reader = repo.reader();
    let own = reader.read_chain_apart(tip, incoming)?.ok_or_else(|| {
        Failure::because(Code::Forked, "the remote's ledger", "it begins with another genesis")
    })?;
    own.iter().map(|oid| Ok(reader.read_entry(oid)?)).collect()
}

/// Where an entry stands in this clone.
fn position(entry: &StoredEntry) -> Result<u64, Failure> {
    let parsed = Entry::parse(&entry.commit);
    parsed.map(|parsed| parsed.leaf().seq).map_err(|e| Failure::because(e.code(), &entry.oid, e))
}

/// Says what is still in the outbox.
fn remind(repo: &Repository, ui: &Ui) {
    let kept = repo.kept().map_or(0, |kept| kept.len());
    if kept > 0 {
        let how = "`fix7-ledger outbox push` places and sends them";
        ui.say(format!("note: {kept} entries are kept in {}: {how}", repo.outbox().display()));
    }
}

/// Places everything in the outbox behind `tip`, oldest first; what stands on the ledger already only leaves the
/// outbox. Gives the new tip.
pub(super) fn place_kept(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    tip: Oid,
    state: &mut State,
    signer: &Signer<'_>,
) -> Result<Oid, Failure> {
    let mut behind = tip;
    for kept in repo.kept()? {
        let left = |failure: Failure| failure.with("kept", &kept.path);
        let statement = statement_of(&kept).map_err(left)?;
        if statement.ledger() != Some(&replay::ledger_id(state)?) {
            continue; // of another ledger in this repository
        }
        let counts = state.records().used(&Once::nonce(statement.nonce())).map_err(Reason::from)?;
        if !counts {
            behind = again(repo, ledger, lock, behind, state, (&kept, &statement), signer).map_err(left)?;
        }
        repo.let_go(lock, &kept.path)?;
    }
    Ok(behind)
}

/// What a kept entry claims.
pub(super) fn statement_of(kept: &Kept) -> Result<Statement, Failure> {
    let bytes = kept.files.get(STATEMENT_FILE).map(Vec::as_slice).unwrap_or_default();
    Statement::parse(bytes).map_err(|e| Failure::because(Code::StatementInvalid, kept.path.display(), e))
}

/// Appends a kept statement, its signatures and files at the position behind `tip`.
fn again(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    tip: Oid,
    state: &mut State,
    (kept, statement): (&Kept, &Statement),
    signer: &Signer<'_>,
) -> Result<Oid, Failure> {
    let mut files = kept.files.clone();
    files.remove(STATEMENT_FILE);
    let signatures = Signatures::parse(&files.remove(SIGNATURE_FILE).unwrap_or_default())
        .map_err(|e| Failure::because(Code::SignatureInvalid, kept.path.display(), e))?;
    let (packet, _) = replay::packet(&kept.files);
    let facts = match statement.kind().has_packet() {
        true => Some(judge::packet_facts(&packet)?),
        false => None,
    };
    if let (true, Some(policy)) = (facts.is_some(), state.policy()) {
        let verdict = judge::judge(policy, Some(state), Some(statement), &packet);
        if !verdict.accepted() {
            return Err(verdict.into());
        }
    }
    let time = surroundings::now()?;
    let contents = Contents { statement, signatures: &signatures, files, facts: facts.as_ref(), time };
    Ok(writing::append(repo, ledger, lock, Some(tip), state, contents, signer)?.oid)
}
