//! Heads that other auditors saw and this copy had not reached: what is fetched later must contain them.
//!
//! Owns: comparing them once the ledger is long enough. Must not: believe one; a head of somebody else only adds doubt.

use std::path::PathBuf;

use super::answer::{Answer, Failure};
use super::writing::LOCK_PATIENCE;
use crate::digest::Digest;
use crate::ledger::{AwaitedHead, LedgerRef, Repository};
use crate::verdict::{Code, Reason, Verdict};

/// What became of the awaited heads.
#[derive(Default)]
pub(super) struct Met {
    /// This copy contains them.
    reached: Vec<AwaitedHead>,
    /// This copy has other entries in their place, and where both are kept.
    contradicted: Vec<(AwaitedHead, Digest, PathBuf)>,
    /// They are still ahead.
    ahead: Vec<AwaitedHead>,
}

/// Compares them with a ledger of `entries` that holds. `root` gives the root over its first entries.
pub(super) fn meet(
    repo: &Repository,
    ledger: &LedgerRef,
    entries: u64,
    root: &mut dyn FnMut(u64) -> Result<Digest, Failure>,
) -> Result<Met, Failure> {
    let mut met = Met::default();
    for head in repo.awaited_heads(ledger)? {
        if head.size > entries {
            met.ahead.push(head);
            continue;
        }
        match root(head.size)? {
            here if here == head.root => met.reached.push(head),
            here => {
                let kept = repo.keep_split(ledger, head.size, &here, &head.note)?;
                met.contradicted.push((head, here, kept));
            }
        }
    }
    Ok(met)
}

impl Met {
    /// What contradicts this copy.
    pub(super) fn verdict(&self) -> Verdict {
        let forked = |(head, here, _): &(AwaitedHead, Digest, PathBuf)| {
            let object = format!("the first {} entries, as {} saw them", head.size, head.by);
            Reason::new(Code::Forked, object).values(head.root, here)
        };
        self.contradicted.iter().map(forked).collect()
    }

    /// The proof of a contradiction.
    pub(super) fn proof(&self) -> Option<PathBuf> {
        self.contradicted.first().map(|(_, _, kept)| kept.clone())
    }

    /// Forgets those that were reached. A copy that cannot be written to meets them again.
    pub(super) fn settle(&self, repo: &Repository, ledger: &LedgerRef) {
        if let (false, Ok(lock)) = (self.reached.is_empty(), repo.lock(LOCK_PATIENCE)) {
            let _ = repo.reach_heads(&lock, ledger, &self.reached);
        }
    }

    /// A line for each, and the facts.
    pub(super) fn tell(&self, text: &mut String, answer: Answer) -> Answer {
        let names =
            |heads: &[AwaitedHead]| heads.iter().map(|head| (head.by.clone(), head.size)).collect::<Vec<_>>();
        for head in &self.reached {
            text.push_str(&format!("\nconfirmed: the {} entries that {} saw", head.size, head.by));
        }
        for head in &self.ahead {
            text.push_str(&format!(
                "\nawaited: {} saw {} entries: fetch, and verify again",
                head.by, head.size
            ));
        }
        answer.with("confirmed_heads", names(&self.reached)).with("awaited_heads", names(&self.ahead))
    }
}
