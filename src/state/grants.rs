//! The rules about grants, reruns and blockers.

use super::{PacketFacts, State};
use crate::digest::Digest;
use crate::entry::VerifiedEntry;
use crate::statement::{Claim, Rehearsal};
use crate::verdict::{Code, Reason, Verdict};

impl State {
    pub(super) fn grants_and_blockers(
        &self,
        verified: &VerifiedEntry,
        facts: Option<&PacketFacts>,
        verdict: &mut Verdict,
    ) {
        let leaf = verified.entry().leaf();
        let (Claim::Rehearsal(claim) | Claim::Rerun(claim)) = verified.statement().claim() else {
            return;
        };
        let Some(facts) = facts else {
            let object = format_args!("entry {}: packet", leaf.seq);
            verdict.push(Reason::new(Code::FileMissing, object).found("its facts could not be read"));
            return;
        };
        let mut same = |code, what: &str, expected: &Digest, found: &Digest| {
            verdict.require(expected == found, || {
                Reason::new(code, format_args!("entry {}: {what}", leaf.seq)).values(expected, found)
            });
        };
        same(Code::ContentMismatch, "packet_tree", &claim.packet_tree, &facts.packet_tree);
        let policy = self.policy_digest();
        same(Code::PolicyMismatch, "the packet's policy", &policy, &facts.policy);
        match verified.statement().claim() {
            Claim::Rerun(_) => self.repeats(claim, leaf.seq, verdict),
            _ => {
                verdict.merge(self.usable_grant(&claim.grant, &leaf.key, facts));
                self.ends_begin(claim, &leaf.key, leaf.seq, verdict);
            }
        }
        if let Some(blockers) = &facts.blockers {
            verdict.merge(self.map_holds(blockers, &format!("entry {}: ", leaf.seq)));
        }
    }

    /// A rerun consumes no grant: it repeats a rehearsal that had one, and reaches its packet.
    fn repeats(&self, claim: &Rehearsal, seq: u64, verdict: &mut Verdict) {
        let of = claim.of.unwrap_or(Digest::ZERO);
        let record = match self.rehearsal(&of) {
            Ok(Some(record)) => record,
            Ok(None) => {
                let reason = Reason::new(Code::ChainBroken, format_args!("entry {seq}: of"));
                return verdict.push(reason.values("the leaf of a rehearsal before", of));
            }
            Err(error) => return verdict.push(error.into()),
        };
        if let Some(void) = record.void {
            let reason = Reason::new(Code::CorrectionInvalid, format_args!("entry {seq}: of"));
            verdict.push(reason.values("a rehearsal that counts", format_args!("void by entry {void}")));
        }
        verdict.require(record.result == claim.result, || {
            Reason::new(Code::RerunDiffers, format_args!("entry {seq}: result"))
                .values(record.result.name(), claim.result.name())
        });
        verdict.require(record.grant == claim.grant, || {
            Reason::new(Code::GrantMismatch, format_args!("entry {seq}: grant"))
                .values(record.grant, claim.grant)
        });
        verdict.require(record.packet_tree == claim.packet_tree, || {
            Reason::new(Code::RerunDiffers, format_args!("entry {seq}: packet_tree"))
                .values(record.packet_tree, claim.packet_tree)
        });
    }
}
