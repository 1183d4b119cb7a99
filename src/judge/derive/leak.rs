//! The token-leak check: no file of the packet claims what a rehearsal cannot show, and none holds a secret (R41, R09).

use std::collections::BTreeMap;

use crate::judge::secret;
use crate::packet::PROBES;
use crate::packet::document::{Leak, LeakHit};
use crate::policy::Policy;
use crate::verdict::Code;

/// Looks through every file but the report that the outcome stands in (the judge looks through that one).
pub(super) fn check(policy: &Policy, files: Option<&BTreeMap<String, Vec<u8>>>) -> Leak {
    let mut leak = Leak {
        policy: policy.digest(),
        tokens: policy.claims().tokens.clone(),
        files: 0,
        hits: Vec::new(),
        secret_hits: 0,
    };
    for (path, bytes) in files.into_iter().flatten().filter(|(path, _)| *path != PROBES) {
        leak.files += 1;
        leak.secret_hits += u64::from(!secret::find(bytes).is_empty());
        let text = folded(&String::from_utf8_lossy(bytes));
        for _ in policy.claims().tokens.iter().filter(|token| text.contains(&folded(token))) {
            leak.hits.push(LeakHit { path: path.clone(), reason: Code::ClaimFound });
        }
    }
    leak
}

fn folded(text: &str) -> String {
    text.to_lowercase()
}
