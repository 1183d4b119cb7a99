//! Examining a push: which entries it appends, and every other channel in it.
//!
//! Owns: what may happen to which ref, and that nothing of a push is left unseen. What cannot be read or
//! decided is a reason to refuse. Must not: judge entries or texts; the caller's gate and `verify` do.

use super::super::error::Result;
use super::super::limits::MAX_ENTRIES_PER_PUSH;
use super::super::objects::{Oid, Reader};
use super::super::repository::{LedgerRef, Repository};
use super::new_commits::Known;
use super::scan::{Contents, Gate, Scanner};
use super::{Place, Push, Side, Update};
use crate::judge::gate::Channel;
use crate::verdict::{Code, Reason, Verdict};

/// New entries of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerAppend {
    /// The ledger.
    pub ledger: LedgerRef,
    /// Its tip before. `None`: the ledger is new.
    pub old: Option<Oid>,
    /// The new commits, oldest first; [`Reader::read_entry`] reads each.
    pub entries: Vec<Oid>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Commits of refs that are no ledgers.
    pub commits: usize,
    /// Trees, each at each of its paths.
    pub trees: usize,
    /// File contents, each once.
    pub files: usize,
    /// Annotated tags.
    pub tags: usize,
    /// Channels that the gate saw.
    pub channels: usize,
    /// All objects.
    pub objects: usize,
    /// All their bytes.
    pub bytes: u64,
}

/// What a push would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Entries that the caller has to verify, ledger by ledger.
    pub appends: Vec<LedgerAppend>,
    /// Everything that speaks against the push so far: forbidden refs, the gate's reasons, what could not be read.
    pub verdict: Verdict,
    /// What was looked at.
    pub scanned: Scanned,
}

/// Examines a push. `gate` is shown every channel that does not belong to a ledger's entries.
pub fn examine<'g>(repository: &Repository, push: &Push, gate: &'g mut Gate<'g>) -> Examination {
    let reader = repository.reader();
    let mut scanner = Scanner::new(&reader, gate);
    let mut appends = Vec::new();
    for option in &push.options {
        scanner.channel(Channel::PushOption, "push option", option.as_bytes());
    }
    let tips = match known_tips(repository, push) {
        Ok(tips) => tips,
        Err(e) => {
            scanner.refuse(e.reason());
            Vec::new()
        }
    };
    let mut known = Known::new(&reader, tips);
    for update in &push.updates {
        let Place::Ledger(ledger) = update.place() else { continue };
        match ledger_update(repository, &reader, push, update, &ledger) {
            Ok(Some(append)) => {
                known.add(&append.entries);
                appends.push(append);
            }
            Ok(None) => {}
            Err(reason) => scanner.refuse(reason),
        }
    }
    for update in &push.updates {
        if let Err(e) = other_update(&mut scanner, &mut known, update) {
            scanner.refuse(e.reason());
        }
    }
    Examination { appends, verdict: scanner.verdict, scanned: scanner.scanned }
}

/// Where history is known already at the receiving side.
fn known_tips(repository: &Repository, push: &Push) -> Result<Vec<Oid>> {
    let below = |prefix: &str| -> Result<Vec<Oid>> {
        let refs = repository.refs()?.into_iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(refs.map(|(_, id)| id).collect())
    };
    let mut tips = match &push.side {
        Side::PreReceive => below("refs/")?,
        Side::PrePush { remote } => below(&format!("refs/remotes/{remote}/"))?,
        Side::Range { known } => known.clone(),
    };
    tips.extend(push.updates.iter().filter_map(|update| update.old));
    Ok(tips)
}

fn ledger_update(
    repository: &Repository,
    reader: &Reader,
    push: &Push,
    update: &Update,
    ledger: &LedgerRef,
) -> std::result::Result<Option<LedgerAppend>, Reason> {
    let reason = |code| Reason::new(code, ledger);
    let shown = |tip: Option<Oid>| tip.map_or("no ref".to_owned(), |t| t.to_string());
    let Some(new) = update.new else { return Err(reason(Code::LedgerDeleted)) };
    if push.side == Side::PreReceive {
        let tip = repository.ledger_tip(ledger).map_err(|e| e.reason())?;
        if tip != update.old {
            return Err(reason(Code::HeadMoved).values(shown(update.old), shown(tip)));
        }
    }
    let entries = match update.old {
        Some(old) if old == new => return Ok(None),
        Some(old) => {
            let here = reader.header(&old).map_err(|e| e.reason())?.is_some();
            if !here {
                return Err(
                    reason(Code::HeadMoved).values("the remote's tip is here", format_args!("{old} is not"))
                );
            }
            let since = reader.read_chain_since(&new, &old, MAX_ENTRIES_PER_PUSH).map_err(|e| e.reason())?;
            let rewritten =
                || reason(Code::LedgerRewritten).values(format_args!("a successor of {old}"), new);
            since.ok_or_else(rewritten)?
        }
        None => reader.read_chain_up_to(&new, MAX_ENTRIES_PER_PUSH).map_err(|e| e.reason())?,
    };
    Ok(Some(LedgerAppend { ledger: ledger.clone(), old: update.old, entries }))
}

fn other_update(scanner: &mut Scanner<'_, '_>, known: &mut Known<'_>, update: &Update) -> Result<()> {
    let name = &update.reference;
    let contents = match update.place() {
        Place::Ledger(_) => return Ok(()),
        // Taking such a ref away is what anybody should be able to do.
        Place::NotALedger | Place::Replace if update.new.is_none() => return Ok(()),
        Place::NotALedger => {
            let expected = "refs/heads/fix7-ledger/ and lower-case letters, digits, `-`";
            scanner.refuse(
                Reason::new(Code::RefForbidden, name.escape_default())
                    .values(expected, name.escape_default()),
            );
            return Ok(());
        }
        Place::Replace => {
            scanner.refuse(Reason::new(Code::RefForbidden, name.escape_default()));
            return Ok(());
        }
        Place::Notes => Contents::Notes,
        Place::Other => Contents::Files,
    };
    let Some(new) = update.new else { return Ok(()) };
    scanner.channel(Channel::RefName, name, name.as_bytes());
    scanner.target(known, name, new, contents)
}
