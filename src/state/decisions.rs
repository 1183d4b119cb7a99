//! The rules about what owners decide (keys, policy, grants), what an operator announces, and what corrects by leaf.

use std::collections::BTreeSet;

use super::admit::missing;
use super::{Index as _, KeyRecord, PacketFacts, Record, State};
use crate::digest::Digest;
use crate::entry::VerifiedEntry;
use crate::keys::{Fingerprint, is_sample};
use crate::policy::Policy;
use crate::statement::{
    Begin, Claim, Grant, KeyChange, KeyEntry, Label, MAX_KEYS, Note, Rehearsal, Role, Void,
};
use crate::verdict::{Code, Reason, Verdict};

impl State {
    /// What speaks against the decision that an entry makes, beside its place and its signatures.
    pub(super) fn decided(&self, verified: &VerifiedEntry, verdict: &mut Verdict) {
        let object = format!("entry {}", verified.entry().leaf().seq);
        self.numbered(verified.statement().claim(), &verified.entry().leaf().key, &object, verdict);
        match verified.statement().claim() {
            Claim::Grant(grant) => {
                self.owners_agree(verified, &object, verdict);
                self.granted(grant, verified, &object, verdict);
            }
            Claim::Key(change) => {
                self.owners_agree(verified, &object, verdict);
                self.key_changes(change, &format!("{object}: key `{}`", change.name()), verdict);
            }
            Claim::Policy(_) => {
                self.owners_agree(verified, &object, verdict);
                if let (Some(old), Some(new)) = (self.policy(), verified.policy()) {
                    verdict.merge(old.tightened_by(new));
                    let owners = self.owner_people(self.next_seq() + 1, None).len();
                    owners_reach(new, owners, &object, verdict);
                }
            }
            Claim::Blockers(claim) => {
                self.owners_agree(verified, &object, verdict);
                self.blocker_moves(claim, verified, &object, verdict);
            }
            Claim::Begin(begin) => self.begins(begin, &verified.entry().leaf().key, &object, verdict),
            Claim::Void(void) => self.voids(void, verified, &object, verdict),
            Claim::Note(note) => self.notes(note, &object, verdict),
            Claim::Genesis(_) | Claim::Rehearsal(_) | Claim::Rerun(_) => {}
        }
    }

    /// Enough distinct owners signed. Whether each signature holds was asked before.
    pub(super) fn owners_agree(&self, verified: &VerifiedEntry, object: &str, verdict: &mut Verdict) {
        let owns =
            |key: &Fingerprint| self.summary.keys.get(key).is_some_and(|r| r.roles.contains(&Role::Owner));
        let owners = verified.signatures().signers().filter(owns).map(|key| self.person(&key));
        let owners: BTreeSet<String> = owners.collect();
        let needed = self.owner_threshold();
        verdict.require(owners.len() >= needed, || {
            Reason::new(Code::RoleMissing, format_args!("{object}: owners"))
                .values(format_args!("{needed} distinct owners"), owners.len())
        });
    }

    /// A ledger begins with as many owners as its policy asks for.
    pub(super) fn enough_owners(&self, object: &str, verdict: &mut Verdict) {
        if let Some(policy) = self.policy() {
            owners_reach(policy, self.owner_people(0, None).len(), object, verdict);
        }
    }

    /// The operator alone is never enough, and there must be one.
    fn granted(&self, grant: &Grant, verified: &VerifiedEntry, object: &str, verdict: &mut Verdict) {
        let operator = self.person(&grant.operator);
        let alone = verified.signatures().signers().all(|key| self.person(&key) == operator);
        verdict.require(!alone, || {
            Reason::new(Code::SelfIssued, format_args!("{object}: signers")).found(grant.operator)
        });
        let what = format!("{object}: operator");
        match self.current(&grant.operator, &what) {
            Ok(record) => verdict.require(record.roles.contains(&Role::Operator), || {
                missing(record, &[Role::Operator], &what)
            }),
            Err(reason) => verdict.push(reason),
        }
    }

    fn key_changes(&self, change: &KeyChange, object: &str, verdict: &mut Verdict) {
        let refused = |expected: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
            Reason::new(Code::KeyChangeInvalid, object).values(expected, found)
        };
        let key = change.key();
        let (last, seq) = match change {
            KeyChange::Add(entry) => return self.key_fits(entry, object, verdict),
            KeyChange::Retire(_) => (self.next_seq(), self.next_seq()),
            KeyChange::Revoke(end) => (end.last_valid_seq, self.next_seq()),
        };
        let Some(record) = self.summary.keys.get(&key) else {
            return verdict.push(Reason::new(Code::KeyUnknown, object).found(key));
        };
        verdict.require(record.name == *change.name(), || refused(&record.name, change.name()));
        let end = record.last_valid_seq.unwrap_or(u64::MAX);
        verdict.require(last < end, || refused(&format_args!("an end before position {end}"), &last));
        if let KeyChange::Revoke(_) = change {
            verdict.require(last < seq, || {
                refused(&format_args!("a last position before this entry's, {seq}"), &last)
            });
        }
        let left = self.owner_people(seq + 1, Some(&key)).len();
        let needed = self.owner_threshold();
        verdict.require(left >= needed, || refused(&format_args!("at least {needed} owners left"), &left));
    }

    /// The owners who have a key that counts at this position, other than this one.
    fn owner_people(&self, seq: u64, but: Option<&Fingerprint>) -> BTreeSet<&Label> {
        let owns = |key: &KeyRecord| {
            key.roles.contains(&Role::Owner) && key.last_valid_seq.is_none_or(|last| last >= seq)
        };
        let keys = self.summary.keys.iter().filter(|(print, key)| owns(key) && Some(*print) != but);
        keys.map(|(_, key)| &key.person).collect()
    }

    fn key_fits(&self, entry: &KeyEntry, object: &str, verdict: &mut Verdict) {
        let key = entry.public.fingerprint();
        let mut require = |holds: bool, expected: &str, found: &dyn std::fmt::Display| {
            verdict.require(holds, || Reason::new(Code::KeyChangeInvalid, object).values(expected, found));
        };
        let keys = &self.summary.keys;
        // A name is the author of entries, and a key that ended never counts again.
        require(
            keys.values().all(|known| known.name != entry.name),
            "a name that nobody has or had",
            &entry.name,
        );
        if let Some(person) = &entry.person {
            let known = keys.values().any(|known| known.person == *person);
            require(known, "a person who has a key here", person);
        }
        require(!keys.contains_key(&key), "a key that is not and was not registered", &key);
        require(keys.len() < MAX_KEYS, "room for a further key", &keys.len());
        let demo = self.summary.ledger.as_ref().is_some_and(|ledger| ledger.demo);
        verdict.require(demo || !is_sample(&key), || Reason::new(Code::SampleKey, object).found(key));
    }

    /// A begin names an unused grant of the operator's, which nothing else has begun.
    pub(super) fn begins(&self, begin: &Begin, operator: &Fingerprint, object: &str, verdict: &mut Verdict) {
        verdict.merge(self.unused_grant(&begin.grant, operator));
        let open = self.summary.begins.values().find(|open| open.grant == begin.grant);
        if let Some(open) = open {
            verdict.push(
                Reason::new(Code::CorrectionInvalid, format_args!("{object}: grant")).values(
                    "a grant that nothing has begun with",
                    format_args!("begun by entry {}", open.seq),
                ),
            );
        }
    }

    /// A rehearsal ends the begin of its grant, and only that one.
    pub(super) fn ends_begin(
        &self,
        claim: &Rehearsal,
        operator: &Fingerprint,
        seq: u64,
        verdict: &mut Verdict,
    ) {
        let object = format!("entry {seq}: begin");
        let open = self.summary.begins.iter().find(|(_, open)| open.grant == claim.grant);
        match (claim.begin, open) {
            (Some(named), Some((leaf, open))) => {
                verdict.require(named == *leaf && open.operator == *operator, || {
                    Reason::new(Code::BeginMissing, &object).values(leaf, named)
                });
            }
            (None, Some((leaf, _))) => {
                verdict.push(Reason::new(Code::BeginMissing, &object).values(leaf, "none"));
            }
            (Some(named), None) => verdict.push(
                Reason::new(Code::BeginMissing, &object)
                    .values("the leaf of an open begin with this grant", named),
            ),
            (None, None) => {
                let asked = self.policy().is_some_and(|policy| policy.ledger_rules().require_begin);
                verdict.require(!asked, || {
                    Reason::new(Code::BeginMissing, &object).values("one, the policy requires it", "none")
                });
            }
        }
    }

    fn voids(&self, void: &Void, verified: &VerifiedEntry, object: &str, verdict: &mut Verdict) {
        if let Some(numbers) = &void.numbers {
            self.voids_numbers(numbers, object, verdict);
            return self.signed_by(numbers.key, verified, object, verdict);
        }
        let of = void.of.unwrap_or(Digest::ZERO);
        let what = format!("{object}: of {}", of.short());
        let refused = |found: &dyn std::fmt::Display| {
            let expected = "a grant not used yet, a rehearsal, a rerun, an open begin or a decision about a blocker, not void yet";
            Reason::new(Code::CorrectionInvalid, &what).values(expected, found)
        };
        let (operator, before) = match self.records.record(&of) {
            Err(error) => return verdict.push(error.into()),
            Ok(None) => return verdict.push(refused(&"no entry with this leaf")),
            Ok(Some(Record::Grant(record))) => {
                self.owners_agree(verified, object, verdict);
                match (record.spent_by, record.void) {
                    (Some(seq), _) => verdict.push(refused(&format_args!("a grant used by entry {seq}"))),
                    (_, Some(seq)) => verdict.push(refused(&format_args!("void by entry {seq}"))),
                    (None, None) => {}
                }
                return;
            }
            Ok(Some(Record::Rehearsal(record))) => (record.operator, record.void),
            Ok(Some(Record::Rerun(record))) => (record.operator, record.void),
            Ok(Some(Record::Other(_))) => match (self.summary.begins.get(&of), self.decision(&of)) {
                (Some(open), _) => (open.operator, None),
                (None, Some(decision)) => {
                    self.owners_agree(verified, object, verdict);
                    if let Some(seq) = decision.void {
                        verdict.push(refused(&format_args!("void by entry {seq}")));
                    }
                    return;
                }
                (None, None) => return verdict.push(refused(&"an entry that counts for nothing else")),
            },
        };
        if let Some(seq) = before {
            verdict.push(refused(&format_args!("void by entry {seq}")));
        }
        self.signed_by(operator, verified, object, verdict);
    }

    /// Signed by this operator, or by owners.
    fn signed_by(
        &self,
        operator: Fingerprint,
        verified: &VerifiedEntry,
        object: &str,
        verdict: &mut Verdict,
    ) {
        let may = |key: Fingerprint| {
            key == operator || self.summary.keys.get(&key).is_some_and(|r| r.roles.contains(&Role::Owner))
        };
        verdict.require(verified.signatures().signers().all(may), || {
            let found = verified.entry().leaf().key;
            Reason::new(Code::RoleMissing, format_args!("{object}: signers"))
                .values(format_args!("{operator}, whose entry it is, or an owner"), found)
        });
    }

    fn notes(&self, note: &Note, object: &str, verdict: &mut Verdict) {
        let what = format!("{object}: of {}", note.of.short());
        match self.records.record(&note.of) {
            Err(error) => verdict.push(error.into()),
            Ok(None) => verdict.push(
                Reason::new(Code::CorrectionInvalid, what)
                    .values("the leaf of an entry of this ledger", "no entry with this leaf"),
            ),
            Ok(Some(record)) => {
                let suspect = self.is_suspect(record.seq());
                verdict.require(suspect || !note.confirms, || {
                    Reason::new(Code::CorrectionInvalid, what).values(
                        "a suspect entry to confirm",
                        format_args!("entry {}, not suspect", record.seq()),
                    )
                });
            }
        }
    }

    /// What speaks against this operator using this grant at all, at the next position.
    pub(super) fn unused_grant(&self, leaf: &Digest, operator: &Fingerprint) -> Verdict {
        let mut verdict = Verdict::default();
        let seq = self.next_seq();
        let object = |what: &str| format!("entry {seq}: grant{what}");
        let record = match self.grant(leaf) {
            Ok(Some(record)) => record,
            Ok(None) => return Reason::new(Code::GrantMissing, object("")).found(leaf).into(),
            Err(error) => return Reason::from(error).into(),
        };
        if let Some(spent) = record.spent_by {
            verdict.push(Reason::new(Code::GrantSpent, object("")).found(format_args!("by entry {spent}")));
        }
        if let Some(void) = record.void {
            let found = format_args!("revoked by entry {void}").to_string();
            verdict.push(Reason::new(Code::GrantMissing, object("")).found(found));
        }
        if let Some(suspect) = self.suspects().get(&record.seq) {
            let found = format!("entry {} is by {}, revoked", record.seq, suspect.key);
            verdict.push(Reason::new(Code::EntrySuspect, object("")).found(found));
        }
        let grant = &record.grant;
        verdict.require(grant.operator == *operator, || {
            Reason::new(Code::GrantMismatch, object("'s operator")).values(grant.operator, operator)
        });
        if let Some(last) = grant.expires_after_seq {
            verdict.require(seq <= last, || {
                Reason::new(Code::GrantMismatch, object("'s last position")).values(last, seq)
            });
        }
        verdict
    }

    /// What speaks against this operator using this grant for a packet with these facts, at the next position: asked
    /// before anything is signed.
    pub fn usable_grant(&self, leaf: &Digest, operator: &Fingerprint, facts: &PacketFacts) -> Verdict {
        let mut verdict = self.unused_grant(leaf, operator);
        let Ok(Some(record)) = self.grant(leaf) else { return verdict };
        let scope = &record.grant.scope;
        for (what, granted, found) in
            [("source", &scope.source, &facts.source), ("plan", &scope.plan, &facts.plan)]
        {
            if let Some(granted) = granted {
                verdict.require(granted == found, || {
                    let object = format!("entry {}: grant's {what}", self.next_seq());
                    Reason::new(Code::GrantMismatch, object).values(granted, found)
                });
            }
        }
        verdict
    }
}

/// A policy asks for no more owners than there are: nobody could decide anything then.
fn owners_reach(policy: &Policy, owners: usize, object: &str, verdict: &mut Verdict) {
    let asked = policy.ledger_rules().owner_threshold;
    verdict.require(asked <= owners as u64, || {
        Reason::new(Code::LimitExceeded, format_args!("{object}: policy.toml ledger.owner_threshold"))
            .values(format_args!("at most {owners}, the owners' number"), asked)
    });
}
