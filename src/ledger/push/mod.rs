//! What a push would do, as git tells its hooks.
//!
//! Owns: reading the lines that git gives to `pre-push` and `pre-receive`, and sorting refs by what may
//! happen to them. Must not: read objects ([`examine`] does).
//!
//! ```text
//! pre-push     <local ref> SP <local oid> SP <remote ref> SP <remote oid> LF
//! pre-receive  <old oid> SP <new oid> SP <ref> LF            zeros: there is none
//! ```

mod examine;
mod new_commits;
mod scan;

pub use examine::{Examination, LedgerAppend, Scanned, examine};
pub use scan::Gate;

use super::error::{Error, Result};
use super::limits::{MAX_HOOK_LINE_BYTES, MAX_REFS_PER_PUSH};
use super::objects::{Oid, parse_oid};
use super::repository::{LEDGER_PREFIX, LedgerRef};
use crate::verdict::Code;

/// Who asks: it decides what counts as known already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client, before it sends to the remote of this name (or to a URL).
    PrePush {
        /// The remote's name, the hook's first argument.
        remote: String,
    },
    /// The server, before it accepts.
    PreReceive,
    /// A check after the fact, in a clone where the new commits have their ref already.
    Range {
        /// Further history that was judged before.
        known: Vec<Oid>,
    },
}

/// One ref of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The full name of the ref at the receiving side.
    pub reference: String,
    /// Where it points before. `None`: it does not exist.
    pub old: Option<Oid>,
    /// Where it shall point. `None`: it is deleted.
    pub new: Option<Oid>,
}

/// A push as the hook got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Who asks.
    pub side: Side,
    /// The refs, in git's order.
    pub updates: Vec<Update>,
    /// The push options (`git push -o`), which are text that is sent along.
    pub options: Vec<String>,
}

/// What a ref is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A ledger.
    Ledger(LedgerRef),
    /// A name in the ledgers' namespace that is no ledger's, or one that could be taken for it.
    NotALedger,
    /// `refs/replace/`: it would make stock git show other objects.
    Replace,
    /// `refs/notes/`.
    Notes,
    /// A branch, a tag, anything else.
    Other,
}

impl Push {
    /// Reads what git gives to `pre-push`.
    ///
    /// # Errors
    /// `MALFORMED`, `LIMIT_EXCEEDED`, `UNDECIDABLE` (a name that is not UTF-8).
    pub fn from_pre_push(remote: &str, input: &[u8]) -> Result<Push> {
        let side = Side::PrePush { remote: remote.to_owned() };
        Push::read(side, input, |fields| match fields {
            [_, new, reference, old] => Some((*reference, *old, *new)),
            _ => None,
        })
    }

    /// Reads what git gives to `pre-receive`.
    ///
    /// # Errors
    /// As [`Push::from_pre_push`].
    pub fn from_pre_receive(input: &[u8]) -> Result<Push> {
        Push::read(Side::PreReceive, input, |fields| match fields {
            [old, new, reference] => Some((*reference, *old, *new)),
            _ => None,
        })
    }

    fn read<'a>(
        side: Side,
        input: &'a [u8],
        pick: impl Fn(&[&'a [u8]]) -> Option<(&'a [u8], &'a [u8], &'a [u8])>,
    ) -> Result<Push> {
        let mut updates = Vec::new();
        let body = match input.strip_suffix(b"\n") {
            Some(body) => body,
            None if input.is_empty() => return Ok(Push { side, updates, options: Vec::new() }),
            None => return Err(Error::found(Code::Malformed, "hook input", "its last line is cut off")),
        };
        for line in body.split(|b| *b == b'\n') {
            if line.len() > MAX_HOOK_LINE_BYTES || updates.len() == MAX_REFS_PER_PUSH {
                let most = format_args!("{MAX_REFS_PER_PUSH} refs in lines of {MAX_HOOK_LINE_BYTES} bytes");
                return Err(Error::expected(Code::LimitExceeded, "hook input", most, "more"));
            }
            let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
            let update = pick(&fields)
                .and_then(|(reference, old, new)| Some((reference, optional_oid(old)?, optional_oid(new)?)));
            let Some((reference, old, new)) = update else {
                return Err(Error::found(Code::Malformed, "hook input", line.escape_ascii()));
            };
            let Ok(reference) = std::str::from_utf8(reference) else {
                return Err(Error::found(Code::Undecidable, "ref name", reference.escape_ascii()));
            };
            updates.push(Update { reference: reference.to_owned(), old, new });
        }
        Ok(Push { side, updates, options: Vec::new() })
    }
}

/// An id, or `None` for zeros. The outer `None`: neither.
fn optional_oid(text: &[u8]) -> Option<Option<Oid>> {
    let id = parse_oid(text)?;
    Some((!id.is_null()).then_some(id))
}

impl Update {
    /// What the ref is, by its name.
    pub fn place(&self) -> Place {
        place_of(&self.reference)
    }
}

fn place_of(reference: &str) -> Place {
    if let Some(ledger) = LedgerRef::from_full_name(reference) {
        return Place::Ledger(ledger);
    }
    // A file system that ignores case gives `Fix7-Ledger/main` the same file; a ref called
    // `refs/heads/fix7-ledger` leaves no room for the ledgers below it.
    let folded = reference.to_lowercase();
    if folded.starts_with(LEDGER_PREFIX) || folded == LEDGER_PREFIX.trim_end_matches('/') {
        return Place::NotALedger;
    }
    match reference {
        r if r.starts_with("refs/replace/") => Place::Replace,
        r if r.starts_with("refs/notes/") => Place::Notes,
        _ => Place::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn both_hooks_lines_give_the_same_update() {
        let a = parse_oid(A.as_bytes());
        let pushed = Push::from_pre_push("origin", format!("refs/heads/x {B} refs/heads/y {A}\n").as_bytes());
        let received = Push::from_pre_receive(format!("{A} {B} refs/heads/y\n").as_bytes());
        let (pushed, received) = (pushed.expect("reads"), received.expect("reads"));
        assert_eq!(pushed.updates, received.updates);
        assert_eq!((received.updates[0].old, received.updates[0].reference.as_str()), (a, "refs/heads/y"));
        let deleted = Push::from_pre_push("origin", format!("(delete) {ZERO} refs/heads/y {A}\n").as_bytes());
        assert_eq!(
            deleted.expect("reads").updates[0],
            Update { reference: "refs/heads/y".into(), old: a, new: None }
        );
        assert!(Push::from_pre_receive(b"").expect("nothing is pushed").updates.is_empty());
    }

    #[test]
    fn lines_that_git_does_not_write_are_refused() {
        let code = |text: &[u8]| Push::from_pre_receive(text).err().map(|e| e.code());
        let upper = format!("{} {B} refs/heads/y\n", "A".repeat(40));
        let lines = [
            format!("{A} {B} refs/heads/y"),
            format!("{A} {B}\n"),
            format!("{A} {B} refs/heads/y z\n"),
            format!("{A} {B} refs/heads/y\n\n"),
            format!("{} {B} refs/heads/y\n", &A[1..]),
            upper,
        ];
        for bad in lines {
            assert_eq!(code(bad.as_bytes()), Some(Code::Malformed), "{bad}");
        }
        assert_eq!(
            code(format!("{A} {B} refs/heads/{}\n", "y".repeat(5000)).as_bytes()),
            Some(Code::LimitExceeded)
        );
        let many = format!("{A} {B} refs/heads/y\n");
        assert_eq!(code(many.repeat(MAX_REFS_PER_PUSH).as_bytes()), None);
        assert_eq!(code(many.repeat(MAX_REFS_PER_PUSH + 1).as_bytes()), Some(Code::LimitExceeded));
        assert_eq!(
            code([many.trim_end().as_bytes(), b"\xff\n"].concat().as_slice()),
            Some(Code::Undecidable)
        );
    }

    #[test]
    fn names_are_sorted_by_what_may_happen_to_them() {
        let ledger = LedgerRef::named("orders-db").expect("a name");
        for (name, place) in [
            ("refs/heads/fix7-ledger/orders-db", Place::Ledger(ledger)),
            ("refs/heads/fix7-ledger", Place::NotALedger),
            ("refs/heads/fix7-ledger/a/b", Place::NotALedger),
            ("refs/heads/fix7-ledger/Main", Place::NotALedger),
            ("refs/heads/Fix7-Ledger/main", Place::NotALedger),
            ("refs/HEADS/fix7-ledger/main", Place::NotALedger),
            ("refs/replace/1111111111111111111111111111111111111111", Place::Replace),
            ("refs/notes/commits", Place::Notes),
            ("refs/heads/fix7-ledgers", Place::Other),
            ("refs/tags/v1", Place::Other),
        ] {
            assert_eq!(place_of(name), place, "{name}");
        }
    }
}
