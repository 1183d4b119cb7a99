//! `push`: send the ledger to a remote; after a lost race, place the own entries behind what came first.
//!
//! Owns: the retry protocol (DESIGN section 8). A statement does not know its position, so it keeps its
//! signature; only the commit is signed again. Must not: lose an entry. What is about to be moved is kept in
//! the outbox until it stands on the ledger again.
//!
//! ```text
//! push ─► lost race ─► fetch to a scratch ref ─► verify ─► outbox ─► move the tip ─► append again ─► push
//! ```

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::answer::{Answer, Failure, Ui, escaped};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::writing::{self, Contents};
use super::{replay, surroundings};
use crate::dsse::Signatures;
use crate::entry::StoredEntry;
use crate::judge;
use crate::keys::Signer;
use crate::ledger::{HostLock, LedgerRef, Oid, Pushed, Repository};
use crate::state::State;
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
            Pushed::Done => return Ok(sent),
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
            let outbox = repo.notes_dir().join("outbox");
            if outbox.read_dir().is_ok_and(|mut kept| kept.next().is_some()) {
                let how = "`fix7-ledger record --packet DIR/packet` records a packet from there";
                ui.say(format!("note: what was not placed again is kept in {}; {how}", outbox.display()));
            }
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
        let found = format!("{} entries stand before those of this clone: name their key with --key", remote);
        return Err(Failure::because(Code::HeadMoved, ledger, found));
    };
    let kept = keep(repo, &own)?;
    repo.move_tip(lock, ledger, Some(*tip), incoming.tip)?;
    let mut behind = incoming.tip;
    for entry in &own {
        behind = again(repo, ledger, lock, behind, &mut state, entry, signer)
            .map_err(|failure| failure.with("kept", &kept))?;
    }
    replay::remember(repo, ledger, &state, behind)?;
    for path in kept {
        let _ = fs::remove_dir_all(path);
    }
    Ok(own.len())
}

/// The entries of this clone that the remote lacks, oldest first.
fn own_entries(repo: &Repository, tip: &Oid, incoming: &Oid) -> Result<Vec<StoredEntry>, Failure> {
    let reader = repo.reader();
    let theirs = reader.read_chain(incoming)?;
    let ours = reader.read_chain(tip)?;
    let common = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return Err(Failure::because(Code::Forked, "the remote's ledger", "it begins with another genesis"));
    }
    ours[common..].iter().map(|oid| Ok(reader.read_entry(oid)?)).collect()
}

/// Writes the entries' files into the outbox.
fn keep(repo: &Repository, own: &[StoredEntry]) -> Result<Vec<PathBuf>, Failure> {
    let mut kept = Vec::new();
    for entry in own {
        let dir = repo.notes_dir().join("outbox").join(&entry.oid);
        for (path, bytes) in &entry.files {
            let place = dir.join(path);
            let failed = |e: std::io::Error| Failure::because(Code::Unreadable, place.display(), e);
            fs::create_dir_all(place.parent().unwrap_or(&dir)).map_err(failed)?;
            let mut file = fs::File::create(&place).map_err(failed)?;
            std::io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        kept.push(dir);
    }
    Ok(kept)
}

/// Appends an entry's statement, signatures and files at another position.
fn again(
    repo: &Repository,
    ledger: &LedgerRef,
    lock: &HostLock,
    tip: Oid,
    state: &mut State,
    entry: &StoredEntry,
    signer: &Signer<'_>,
) -> Result<Oid, Failure> {
    let mut files = entry.files.clone();
    let (statement, signatures) =
        (files.remove(STATEMENT_FILE).unwrap_or_default(), files.remove(SIGNATURE_FILE).unwrap_or_default());
    let statement =
        Statement::parse(&statement).map_err(|e| Failure::because(Code::StatementInvalid, &entry.oid, e))?;
    let signatures = Signatures::parse(&signatures)
        .map_err(|e| Failure::because(Code::SignatureInvalid, &entry.oid, e))?;
    let (packet, _) = replay::packet(&entry.files);
    let facts = match statement.kind().has_packet() {
        true => Some(judge::packet_facts(&packet)?),
        false => None,
    };
    if let (true, Some(policy)) = (facts.is_some(), state.policy()) {
        let verdict = judge::judge(policy, Some(state), Some(&statement), &packet);
        if !verdict.accepted() {
            return Err(verdict.into());
        }
    }
    let time = surroundings::now()?;
    let contents =
        Contents { statement: &statement, signatures: &signatures, files, facts: facts.as_ref(), time };
    Ok(writing::append(repo, ledger, lock, Some(tip), state, contents, signer)?.oid)
}
