//! Where a dump comes from: an operator's signed word, held against the policy's production lists (R30, R47).
//!
//! Owns: the rules about an attestation. Must not: know files; whoever rehearses has read them.
//!
//! ```text
//! form         in-toto, about this dump, a number as identifier        ATTESTATION: MALFORMED
//! origin       a name of production, a production cluster's number     PRODUCTION_TARGET
//! signature    by a key that is trusted                                SIGNATURE_INVALID · KEY_UNKNOWN
//! ```

use crate::digest::Digest;
use crate::evidence::lock::AttestedDump;
use crate::keys::PublicKey;
use crate::policy::Policy;
use crate::verdict::{Code, Reason, Verdict};

const OBJECT: &str = "the dump's attestation";

/// Everything against the attestation of a dump with this digest, but for whose key signed it.
///
/// An attestation about another dump says nothing of this one, whose origin is then unknown.
pub fn judge(policy: &Policy, attested: &AttestedDump, set: &Digest) -> Verdict {
    let mut verdict = Verdict::default();
    for fault in attested.faults(set) {
        let code = if fault.starts_with("subject") { Code::ProductionTarget } else { Code::Malformed };
        verdict.push(Reason::new(code, OBJECT).found(fault));
    }
    verdict.merge(origin(policy, attested));
    verdict
}

/// Whether the origin is production by its name or by its cluster's number.
pub fn origin(policy: &Policy, attested: &AttestedDump) -> Verdict {
    let mut verdict = Verdict::default();
    let said = &attested.statement.predicate;
    if let Some(rule) = policy.names_production(&said.origin) {
        verdict.push(Reason::new(Code::ProductionTarget, format_args!("{OBJECT}: origin")).found(rule));
    }
    if policy.is_production_system(&said.system_identifier) {
        let found = format!("production.system_identifiers `{}`", said.system_identifier.trim());
        verdict.push(
            Reason::new(Code::ProductionTarget, format_args!("{OBJECT}: system_identifier")).found(found),
        );
    }
    verdict
}

/// Whether one of these keys signed it.
pub fn signed<'k>(attested: &AttestedDump, mut keys: impl Iterator<Item = &'k PublicKey>) -> Verdict {
    let bytes = match attested.signed_bytes() {
        Ok(bytes) => bytes,
        Err(e) => return Reason::new(Code::Malformed, OBJECT).found(e).into(),
    };
    let signers: Vec<_> = attested.signatures.signers().collect();
    match keys.find(|key| signers.contains(&key.fingerprint())) {
        None => {
            let found = signers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            Reason::new(Code::KeyUnknown, OBJECT).values("a signature by an operator's key", found).into()
        }
        Some(key) => match attested.signatures.verify_one(&bytes, key) {
            Ok(()) => Verdict::default(),
            Err(e) => Reason::new(Code::SignatureInvalid, OBJECT).found(e).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsse;
    use crate::evidence::lock::DumpStatement;
    use crate::keys::{SecretKey, Signer};

    fn attested(origin: &str, identifier: &str) -> (AttestedDump, PublicKey) {
        let statement =
            DumpStatement::of(Digest::of(b"dump"), origin, identifier, "15.18", "2026-01-01T00:00:00Z");
        let signer: Signer<'_> = SecretKey::from_seed(&[7; 32]).into();
        let bytes = crate::canon::to_vec(&statement).expect("a statement");
        let signatures = dsse::sign(&bytes, &[&signer]).expect("a signature");
        (AttestedDump { statement, signatures }, signer.public().clone())
    }

    #[test]
    fn a_dump_of_production_or_of_unknown_origin_is_refused_and_its_twin_is_not() {
        let text = String::from_utf8(Policy::DEFAULT.to_vec()).expect("UTF-8");
        let text = text.replace("system_identifiers = []", "system_identifiers = [\"7301234567890123456\"]");
        let policy = Policy::parse(text.as_bytes()).expect("a policy");
        let (set, other) = (Digest::of(b"dump"), Digest::of(b"another dump"));
        let (good, _) = attested("staging-7", "7301234567890123457");
        assert!(judge(&policy, &good, &set).accepted());
        assert!(judge(&policy, &good, &other).has(Code::ProductionTarget), "about another dump");
        for (origin, identifier) in
            [("db-prod01", "7301234567890123457"), ("staging-7", "7301234567890123456")]
        {
            let verdict = judge(&policy, &attested(origin, identifier).0, &set);
            assert!(verdict.has(Code::ProductionTarget), "{origin} {identifier}");
        }
        for identifier in ["", "0", "-1", "12a", "007"] {
            assert!(
                judge(&policy, &attested("staging-7", identifier).0, &set).has(Code::Malformed),
                "{identifier}"
            );
        }
    }

    #[test]
    fn a_signature_counts_by_a_key_that_is_trusted_over_the_bytes_that_are_there() {
        let (good, key) = attested("staging-7", "7301234567890123457");
        assert!(signed(&good, [&key].into_iter()).accepted());
        let stranger = SecretKey::from_seed(&[8; 32]).public().clone();
        assert!(signed(&good, [&stranger].into_iter()).has(Code::KeyUnknown));
        let mut changed = good;
        changed.statement.predicate.origin = "staging-8".into();
        assert!(signed(&changed, [&key].into_iter()).has(Code::SignatureInvalid));
    }
}
