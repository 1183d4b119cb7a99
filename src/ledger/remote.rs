//! Sending a ledger to a remote, and fetching what others appended.
//!
//! Owns: `git push` and `git fetch` as children, and what their answers mean. Must not: decide what to do
//! after a lost race; the caller verifies what came, re-positions its entry and tries again.
//!
//! ```text
//! push ─► Done | LostRace ─► fetch_incoming ─► (caller verifies) ─► move_tip ─► append ─► push
//!       └ Refused (a hook's own words) | Failed
//! incoming history stands on refs/fix7-ledger/incoming/<nonce>, which is gone when the value is dropped
//! ```

use std::time::Duration;

use gix::refs::FullName;
use gix::refs::transaction::{Change, PreviousValue, RefEdit, RefLog};

use super::child::{Output, Surroundings, git};
use super::error::{Error, Result};
use super::objects::Oid;
use super::repository::{LedgerRef, Repository};
use crate::verdict::Code;

/// Where fetched history waits until it is verified.
const INCOMING: &str = "refs/fix7-ledger/incoming/";

/// How a push ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The remote has the entry.
    Done,
    /// Somebody else was first: fetch, re-position, try again.
    LostRace(String),
    /// A hook said no; its words.
    Refused(String),
    /// It could not be found out (no network, no such remote); git's words.
    Failed(String),
}

/// Fetched history, on a ref that is removed when this is dropped.
pub struct Incoming<'r> {
    repository: &'r Repository,
    name: String,
    /// The remote's tip.
    pub tip: Oid,
}

impl Repository {
    /// Pushes the commit `tip` to the ledger at `remote`. Never forces.
    ///
    /// # Errors
    /// Where git cannot be started, or does not end in time.
    pub fn push(
        &self,
        remote: &str,
        ledger: &LedgerRef,
        tip: &Oid,
        surroundings: &Surroundings,
        patience: Duration,
    ) -> Result<Pushed> {
        let refspec = format!("{tip}:{ledger}");
        let arguments =
            ["push", "--porcelain", "--atomic", "--no-follow-tags", "--end-of-options", remote, &refspec];
        Ok(meaning_of(&git(&self.work_place(), &arguments, surroundings, patience)?))
    }

    /// Fetches the ledger from `remote` to a scratch ref with `nonce` in its name. `None`: the remote has no such ledger.
    ///
    /// # Errors
    /// Where git cannot be started or does not end in time, and `UNREADABLE` with git's words.
    pub fn fetch_incoming(
        &self,
        remote: &str,
        ledger: &LedgerRef,
        nonce: &str,
        surroundings: &Surroundings,
        patience: Duration,
    ) -> Result<Option<Incoming<'_>>> {
        let name = format!("{INCOMING}{}", LedgerRef::named(nonce)?.name());
        let refspec = format!("+{ledger}:{name}");
        let arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--end-of-options",
            remote,
            &refspec,
        ];
        let output = git(&self.work_place(), &arguments, surroundings, patience)?;
        if output.exit != Some(0) {
            let absent = output.stderr.contains(&format!("couldn't find remote ref {ledger}"));
            return match absent {
                true => Ok(None),
                false => Err(Error::found(
                    Code::Unreadable,
                    format_args!("remote {remote}"),
                    one_line(&output.stderr),
                )),
            };
        }
        match self.tip(&name)? {
            Some(tip) => Ok(Some(Incoming { repository: self, name, tip })),
            None => {
                Err(Error::found(Code::Unreadable, format_args!("remote {remote}"), "git fetched nothing"))
            }
        }
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        let Ok(name) = FullName::try_from(self.name.as_str()) else { return };
        let delete = Change::Delete { expected: PreviousValue::Any, log: RefLog::AndReference };
        let fail = gix::lock::acquire::Fail::Immediately;
        let prepared = self.repository.git.refs.transaction().prepare(
            [RefEdit { change: delete, name, deref: false }],
            fail,
            fail,
        );
        // A scratch ref that stays is in nobody's way: the next one has another name.
        let _ = prepared.and_then(|p| p.commit(None));
    }
}

impl std::fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("name", &self.name).field("tip", &self.tip).finish()
    }
}

/// Reads `git push --porcelain`: one line a ref, `<flag> TAB <from>:<to> TAB <summary> (<reason>)`.
fn meaning_of(output: &Output) -> Pushed {
    if output.exit == Some(0) {
        return Pushed::Done;
    }
    let words = hook_words(&output.stderr);
    let rejected = output.stdout.lines().find_map(|l| l.strip_prefix("!\t"));
    match rejected {
        Some(line) if is_race(line) || words.contains(Code::HeadMoved.name()) => {
            Pushed::LostRace(line.replace('\t', " "))
        }
        // The hook agreed, and git moved the ref for somebody else between that and its own transaction.
        Some(line) if !line.contains("hook declined") && is_race(&words) => {
            Pushed::LostRace(line.replace('\t', " "))
        }
        Some(line) if line.contains("hook declined") || line.contains("[remote rejected]") => {
            let line = line.replace('\t', " ");
            Pushed::Refused(if words.is_empty() { line } else { words })
        }
        Some(line) => Pushed::Failed(line.replace('\t', " ")),
        // The client's own hook stops a push before anything is sent.
        None if output.exit == Some(1) && output.stderr.contains("failed to push some refs") => {
            Pushed::Refused(one_line(&output.stderr))
        }
        None => Pushed::Failed(one_line(&output.stderr)),
    }
}

fn is_race(words: &str) -> bool {
    RACE.iter().any(|known| words.contains(known))
}

/// What git and its servers call a ref that is not where it was expected.
const RACE: [&str; 8] = [
    "(fetch first)",
    "(non-fast-forward)",
    "(stale info)",
    "incorrect old value",
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "reference already exists",
];

/// What the remote's hooks printed.
fn hook_words(stderr: &str) -> String {
    let words = stderr.lines().filter_map(|l| l.strip_prefix("remote:")).map(str::trim);
    words.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

impl Repository {
    /// Moves a ledger's tip to fetched and verified history, by compare-and-swap, durably. The caller
    /// holds the lock from the look at `expected` on. What stood there is not lost: its packet is in the
    /// caller's hands, and its objects stay.
    ///
    /// # Errors
    /// `HEAD_MOVED`, `LOCK_HELD`; `OBJECT_MISSING` where `new` is not here.
    pub fn move_tip(
        &self,
        lock: &super::lock::HostLock,
        ledger: &LedgerRef,
        expected: Option<Oid>,
        new: Oid,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        self.reader().read(
            &new,
            super::objects::Kind::Commit,
            super::limits::MAX_COMMIT_BYTES,
            &mut buffer,
        )?;
        self.move_ref(lock, ledger, expected, new, &mut |_| Ok(()))
    }

    /// Where children run: git finds the repository from there by itself.
    pub(crate) fn work_place(&self) -> std::path::PathBuf {
        self.git.work_tree.clone().unwrap_or_else(|| self.git.refs.git_dir().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, stderr: &str) -> Output {
        Output { exit: Some(1), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn answers_are_told_apart() {
        let raced =
            output("To x\n!\ta:b\t[rejected] (fetch first)\nDone\n", "error: failed to push some refs");
        assert!(matches!(meaning_of(&raced), Pushed::LostRace(_)));
        let hook = output(
            "!\ta:b\t[remote rejected] (pre-receive hook declined)\n",
            "remote: NO_MUTATION: x        \nremote: \n",
        );
        assert_eq!(meaning_of(&hook), Pushed::Refused("NO_MUTATION: x".into()));
        let moved =
            output("!\ta:b\t[remote rejected] (pre-receive hook declined)\n", "remote: HEAD_MOVED: x\n");
        assert!(matches!(meaning_of(&moved), Pushed::LostRace(_)));
        let late = "remote: fix7-ledger: 1 new entries hold\nremote: error: cannot lock ref 'b': is at 1 but expected 2\n";
        let rejected = |why: &str| output(&format!("!\ta:b\t[remote rejected] ({why})\n"), late);
        assert!(matches!(meaning_of(&rejected("atomic transaction failed")), Pushed::LostRace(_)));
        assert!(matches!(meaning_of(&rejected("pre-receive hook declined")), Pushed::Refused(_)));
        let own = output("", "CLAIM_FOUND: x\nerror: failed to push some refs to 'y'\n");
        assert!(matches!(meaning_of(&own), Pushed::Refused(words) if words.contains("CLAIM_FOUND")));
        let mut gone = output("", "fatal: 'y' does not appear to be a git repository\n");
        gone.exit = Some(128);
        assert!(matches!(meaning_of(&gone), Pushed::Failed(_)));
    }
}
