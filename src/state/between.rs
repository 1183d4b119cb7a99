//! Replaying with a part of the entries: those that change keys and policy whole, of the others their leaves.
//!
//! Owns: what a reader may conclude who has the registry and every leaf, and not everything between (a bundle). Must
//! not: conclude more. Keys, roles, policy, positions and suspicion come out as from the whole ledger; whether a grant
//! was spent before, or an entry voided since, does not.
//!
//! ```text
//! #0 genesis  apply    #1 grant  apply, or pass    #2 rehearsal  stand, where it is the one asked about, else pass
//! ```

use super::summary::Last;
use super::{PacketFacts, Record, State};
use crate::entry::{Leaf, VerifiedEntry};
use crate::keys::Fingerprint;
use crate::statement::{Claim, Kind};
use crate::verdict::{Code, Reason, Verdict};

/// Whether entries of this kind change who may sign what: their leaf alone is never enough.
pub fn changes_registry(kind: Kind) -> bool {
    matches!(kind, Kind::Genesis | Kind::Key | Kind::Policy)
}

impl State {
    /// Takes in an entry of which only the leaf is here. Where anything speaks against it, nothing changes.
    pub fn pass(&mut self, leaf: &Leaf) -> Verdict {
        let object = format!("entry {}", leaf.seq);
        let mut verdict = Verdict::default();
        self.chain(leaf, &mut verdict);
        self.under_policy(leaf, &object, &mut verdict);
        verdict.require(!changes_registry(leaf.kind), || {
            Reason::new(Code::FileMissing, &object)
                .values("the whole entry, for it changes keys or policy", "its leaf")
        });
        if let Err(reason) = self.may_sign(&leaf.key, leaf.kind, leaf.seq) {
            verdict.push(reason);
        }
        if verdict.accepted() {
            self.passed(leaf, [leaf.key]);
        }
        verdict
    }

    /// Takes in an entry that is here whole, where most of those before it are not: its place, its signers and their
    /// roles, what it decides, and the grant that it names, where that is here too.
    pub fn stand(&mut self, verified: &VerifiedEntry, facts: Option<&PacketFacts>) -> Verdict {
        let leaf = verified.entry().leaf();
        let object = format!("entry {}", leaf.seq);
        let mut verdict = Verdict::default();
        self.chain(leaf, &mut verdict);
        self.signed(verified, &mut verdict);
        match verified.statement().claim() {
            Claim::Rehearsal(claim) => {
                if let Some(facts) = facts {
                    verdict.merge(self.usable_grant(&claim.grant, &leaf.key, facts));
                }
            }
            // What they name is not here, nor the numbers and the maps before them.
            Claim::Rerun(_) | Claim::Void(_) | Claim::Note(_) => {}
            Claim::Begin(begin) => self.begins(begin, &leaf.key, &object, &mut verdict),
            Claim::Blockers(_) => self.owners_agree(verified, &object, &mut verdict),
            _ => self.decided(verified, &mut verdict),
        }
        if verdict.accepted() {
            let signers: Vec<Fingerprint> = verified.signatures().signers().collect();
            self.passed(leaf, signers);
        }
        verdict
    }

    fn passed(&mut self, leaf: &Leaf, signers: impl IntoIterator<Item = Fingerprint>) {
        let hash = leaf.hash();
        self.records.insert(hash, Record::Other(leaf.seq));
        signers.into_iter().for_each(|signer| self.records.mark_signed(signer, leaf.seq));
        self.summary.frontier.push(hash);
        self.summary.last = Some(Last { leaf: hash, time: leaf.time });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::state::fixture::{ANN, BOB, Book, EVE, MAL, facts, key, nonce, print, run, signed, verified};
    use crate::statement::{KeyChange, KeyEnd, KeyRevocation, Role, Statement};
    use std::collections::BTreeMap;

    fn changed(book: &mut Book, n: u8, change: KeyChange) {
        let statement = Statement::bare(book.id(), nonce(n), Claim::Key(change)).expect("a statement");
        book.append(signed(&statement, &[ANN], BTreeMap::new()), ANN);
    }

    /// Replays with the registry whole and the rest as leaves, up to the last entry, which is the one asked about.
    fn replayed(book: &Book) -> (State, Verdict) {
        let mut state = State::default();
        for (n, stored) in book.entries.iter().enumerate() {
            let entry = verified(stored);
            let verdict = match entry.entry().leaf().kind {
                kind if changes_registry(kind) => state.apply(&entry, None).into_verdict(),
                _ if n + 1 == book.entries.len() => state.stand(&entry, Some(&facts())),
                _ => state.pass(entry.entry().leaf()),
            };
            if !verdict.accepted() {
                return (state, verdict);
            }
        }
        (state, Verdict::default())
    }

    #[test]
    fn the_registry_and_the_leaves_lead_to_the_same_keys_policy_root_and_suspicion() {
        let mut book = Book::full();
        changed(&mut book, 4, KeyChange::Add(Box::new(key(MAL, &[Role::Operator]))));
        let revoked =
            KeyRevocation { key: print(EVE), last_valid_seq: 2, name: "eve".parse().expect("a label") };
        changed(&mut book, 5, KeyChange::Revoke(revoked));
        let (state, verdict) = replayed(&book);
        assert!(verdict.accepted(), "{verdict:?}");
        assert_eq!(state.root(), book.state.root());
        assert_eq!(state.keys().collect::<Vec<_>>(), book.state.keys().collect::<Vec<_>>());
        assert_eq!(state.policy().map(|p| p.digest()), book.state.policy().map(|p| p.digest()));
        assert_eq!(state.suspects(), book.state.suspects());
        assert!(state.suspects().contains_key(&3), "eve's rerun");
    }

    #[test]
    fn a_key_counts_from_its_addition_to_its_end() {
        let rerun = |n: u8, grant: Digest, of: Digest| run(&format!("run-{n}"), grant, Some(of));
        let by = |book: &Book, who: u8| {
            let files = book.run_files(9, rerun(9, book.leaves[1], book.leaves[2]), &[who]);
            let mut asked = book.clone();
            asked.entries.push(book.next(files, who, 90));
            replayed(&asked).1
        };
        let mut book = Book::full();
        assert!(by(&book, MAL).has(Code::KeyUnknown), "not yet");
        changed(&mut book, 4, KeyChange::Add(Box::new(key(MAL, &[Role::Operator]))));
        assert!(by(&book, MAL).accepted() && by(&book, BOB).accepted());
        changed(
            &mut book,
            5,
            KeyChange::Retire(KeyEnd { key: print(MAL), name: "mal".parse().expect("a label") }),
        );
        assert!(by(&book, MAL).has(Code::KeyEnded), "no longer");
        assert!(by(&book, BOB).accepted());
        assert!(by(&book, ANN).has(Code::RoleMissing));
    }

    #[test]
    fn a_leaf_is_never_enough_for_what_changes_keys_or_policy() {
        let mut book = Book::full();
        changed(&mut book, 4, KeyChange::Add(Box::new(key(MAL, &[Role::Operator]))));
        let mut state = State::default();
        let whole: Vec<_> = book.entries.iter().map(verified).collect();
        assert!(state.pass(whole[0].entry().leaf()).has(Code::FileMissing));
        assert!(state.apply(&whole[0], None).accepted());
        for entry in &whole[1..4] {
            assert!(state.pass(entry.entry().leaf()).accepted());
        }
        let before = state.root();
        assert!(state.pass(whole[4].entry().leaf()).has(Code::FileMissing));
        assert!(state.pass(whole[1].entry().leaf()).has(Code::ChainBroken), "out of its place");
        assert_eq!(state.root(), before, "nothing changed");
    }
}
