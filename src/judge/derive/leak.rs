//! The leak check: no output of the rehearsal claims what a rehearsal cannot show, and no file holds a secret (R41, R09).
//!
//! The plan's files are inputs, not outputs: the gate looks through them with the mentions that the signed
//! statement declares. What stands here needs no statement.

use std::collections::BTreeMap;

use crate::judge::gate::Gate;
use crate::judge::secret;
use crate::packet::document::{Leak, LeakHit};
use crate::packet::{Files, PLAN_FOLDER, PROBES};
use crate::policy::Policy;

/// Looks through every file but the report that the outcome stands in: the judge looks through that one.
pub(super) fn check(policy: &Policy, gate: &Gate, files: &BTreeMap<String, Vec<u8>>) -> Leak {
    let mut leak = clean(policy, files);
    for (path, bytes) in files.iter().filter(|(path, _)| *path != PROBES) {
        leak.secret_hits += u64::from(!secret::find(bytes).is_empty());
        if path.starts_with(PLAN_FOLDER) {
            continue;
        }
        let (one, _) = Files::collect([(path.clone(), bytes.clone())]);
        let mut reasons: Vec<_> =
            gate.scan_packet(&one, &[]).reasons().iter().map(|reason| reason.code).collect();
        reasons.sort_unstable();
        reasons.dedup();
        leak.hits.extend(reasons.into_iter().map(|reason| LeakHit { path: path.clone(), reason }));
    }
    leak
}

/// The check's outcome where nothing is found.
pub(super) fn clean(policy: &Policy, files: &BTreeMap<String, Vec<u8>>) -> Leak {
    Leak {
        policy: policy.digest(),
        tokens: policy.claims().tokens.clone(),
        files: files.keys().filter(|path| *path != PROBES).count() as u64,
        hits: Vec::new(),
        secret_hits: 0,
    }
}
