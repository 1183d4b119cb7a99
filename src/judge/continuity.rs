//! Continuity: what a packet must continue, where it comes next in a ledger.
//!
//! Owns: the rules that need the ledger's state. Must not: judge the packet itself (`judge::packet`), nor keys and
//! grants (`state`).

use super::dump;
use super::packet::packet_facts_and_dump;
use crate::packet::{BLOCKERS, Files};
use crate::policy::Policy;
use crate::state::{PacketFacts, State};
use crate::statement::{Role, Statement};
use crate::verdict::{Code, Reason, Verdict};

/// What speaks against a packet coming next in a ledger: the policy in force, the ledger that the statement names,
/// and the blocker map. The packet itself is judged by [`super::Judge::packet`].
pub fn continuity(state: &State, statement: Option<&Statement>, files: &Files) -> Verdict {
    let mut verdict = Verdict::default();
    let (ours, named) = (state.ledger().map(|ledger| ledger.id), statement.and_then(Statement::ledger));
    if let (Some(ours), Some(named)) = (ours, named) {
        verdict.require(ours == *named, || {
            Reason::new(Code::WrongLedger, "statement: ledger").values(ours, named)
        });
    }
    // A lock or a map that cannot be read is the packet's fault, and named there.
    let Ok((PacketFacts { policy, blockers, .. }, dump)) = packet_facts_and_dump(files) else {
        return verdict;
    };
    let in_force = state.policy().map(Policy::digest);
    verdict.require(in_force == Some(policy), || {
        let found = in_force.map_or("none".to_owned(), |digest| digest.to_string());
        Reason::new(Code::PolicyMismatch, "the ledger's policy in force").values(policy, found)
    });
    if let Some(attested) = dump {
        let next = state.next_seq();
        let operators = state.keys().map(|(_, key)| key).filter(|key| {
            key.roles.contains(&Role::Operator)
                && key.from_seq <= next
                && key.last_valid_seq.is_none_or(|last| next <= last)
        });
        verdict.merge(dump::signed(&attested.attestation, operators.map(|key| &key.public)));
    }
    if let Some(blockers) = blockers {
        verdict.merge(state.map_holds(&blockers, &format!("{BLOCKERS}: ")));
    }
    verdict
}
