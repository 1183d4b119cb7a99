//! The kinds of entries. A kind that is not listed is refused: a newer program may know it, this one must not guess.

use std::str::FromStr;

use super::StatementError;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The first entry: keys, roles and the policy.
    Genesis,
    /// An owner's permission for one rehearsal.
    Grant,
    /// A rehearsal and its packet.
    Rehearsal,
    /// Somebody's repetition of a rehearsal, with the same packet.
    Rerun,
    /// An operator's announcement of a rehearsal.
    Begin,
    /// An entry counts no more.
    Void,
    /// The owners change the keys.
    Key,
    /// The owners change the policy.
    Policy,
    /// The owners decide about a blocker.
    Blockers,
    /// An auditor's word about an entry.
    Note,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 10] = [
        Kind::Genesis,
        Kind::Grant,
        Kind::Rehearsal,
        Kind::Rerun,
        Kind::Begin,
        Kind::Void,
        Kind::Key,
        Kind::Policy,
        Kind::Blockers,
        Kind::Note,
    ];

    /// The name in trailers, subjects and statements.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Genesis => "genesis",
            Kind::Grant => "grant",
            Kind::Rehearsal => "rehearsal",
            Kind::Rerun => "rerun",
            Kind::Begin => "begin",
            Kind::Void => "void",
            Kind::Key => "key",
            Kind::Policy => "policy",
            Kind::Blockers => "blockers",
            Kind::Note => "note",
        }
    }

    /// The in-toto predicate type.
    pub fn predicate_type(self) -> &'static str {
        match self {
            Kind::Genesis => "https://fix7-ledger.example/genesis/v1",
            Kind::Grant => "https://fix7-ledger.example/grant/v1",
            Kind::Rehearsal => "https://fix7-ledger.example/rollback-rehearsal/v1",
            Kind::Rerun => "https://fix7-ledger.example/rerun/v1",
            Kind::Begin => "https://fix7-ledger.example/begin/v1",
            Kind::Void => "https://fix7-ledger.example/void/v1",
            Kind::Key => "https://fix7-ledger.example/key/v1",
            Kind::Policy => "https://fix7-ledger.example/policy/v1",
            Kind::Blockers => "https://fix7-ledger.example/blockers/v1",
            Kind::Note => "https://fix7-ledger.example/note/v1",
        }
    }

    /// Whether its tree holds a packet.
    pub fn has_packet(self) -> bool {
        matches!(self, Kind::Rehearsal | Kind::Rerun)
    }

    /// Whether its tree holds a policy.
    pub fn has_policy(self) -> bool {
        matches!(self, Kind::Genesis | Kind::Policy)
    }

    /// Whether its tree holds no file but the statement and its signatures: its one subject is the ledger.
    pub fn is_bare(self) -> bool {
        !self.has_packet() && !self.has_policy()
    }
}

impl FromStr for Kind {
    type Err = StatementError;
    fn from_str(text: &str) -> Result<Kind, StatementError> {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let shown = text.chars().take(40).flat_map(char::escape_default).collect();
            StatementError::KindUnknown(shown)
        })
    }
}
