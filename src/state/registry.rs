//! The ledger as a transparency log: its origin, and the registered keys that sign checkpoints and cosignatures.
//!
//! ```text
//! origin    fix7-ledger/<name>/<digest of the genesis statement>     so a checkpoint names one ledger, wherever it stands
//! log       a key of role `log`, under the origin                    signs checkpoints
//! witness   a key of role `witness`, under its registered name       cosigns them
//! ```
//!
//! Such a key has this role alone: one that also signs entries is nobody's independent witness. It counts for a
//! checkpoint where it was registered before its end and had not ended before it.

use super::{KeyRecord, Ledger, State};
use crate::statement::Role;
use crate::tlog::note::{self, VerifierKey};

impl Ledger {
    /// The origin of this ledger's checkpoints.
    pub fn origin(&self) -> String {
        format!("fix7-ledger/{}/{}", self.name, self.id)
    }
}

impl State {
    /// The keys that may sign a checkpoint over the first `size` entries.
    pub fn log_keys(&self, size: u64) -> Vec<VerifierKey> {
        let origin = self.ledger().map(Ledger::origin).unwrap_or_default();
        let records = self.holders(Role::Log, size);
        records.filter_map(|record| VerifierKey::new(&origin, note::Role::Log, &record.public).ok()).collect()
    }

    /// The keys that may cosign a checkpoint over the first `size` entries.
    pub fn witness_keys(&self, size: u64) -> Vec<VerifierKey> {
        let key = |record: &KeyRecord| {
            VerifierKey::new(record.name.as_str(), note::Role::Witness, &record.public).ok()
        };
        self.holders(Role::Witness, size).filter_map(key).collect()
    }

    /// The registered log and witness keys as a trust policy (c2sp.org/tlog-policy), under which any one witness is
    /// enough. It is what the ledger says of itself: whoever needs more edits it.
    pub fn trust_policy(&self) -> String {
        let size = self.next_seq();
        let (logs, witnesses) = (self.log_keys(size), self.witness_keys(size));
        let mut text: String = logs.iter().map(|key| format!("log {key}\n")).collect();
        let names: Vec<String> = witnesses.iter().map(|key| format!(" {}", key.name())).collect();
        text.extend(witnesses.iter().map(|key| format!("witness {} {key}\n", key.name())));
        text.push_str(&match names.is_empty() {
            true => "quorum none\n".to_owned(),
            false => format!("group witnesses any{}\nquorum witnesses\n", names.concat()),
        });
        text
    }

    fn holders(&self, role: Role, size: u64) -> impl Iterator<Item = &KeyRecord> {
        self.keys().map(|(_, record)| record).filter(move |record| {
            record.roles.contains(&role)
                && record.from_seq < size
                && record.last_valid_seq.is_none_or(|last| last.saturating_add(1) >= size)
        })
    }
}
