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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Genesis, Kind::Grant, Kind::Rehearsal, Kind::Rerun];

    /// The name in trailers, subjects and statements.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Genesis => "genesis",
            Kind::Grant => "grant",
            Kind::Rehearsal => "rehearsal",
            Kind::Rerun => "rerun",
        }
    }

    /// The in-toto predicate type.
    pub fn predicate_type(self) -> &'static str {
        match self {
            Kind::Genesis => "https://fix7-ledger.example/genesis/v1",
            Kind::Grant => "https://fix7-ledger.example/grant/v1",
            Kind::Rehearsal => "https://fix7-ledger.example/rollback-rehearsal/v1",
            Kind::Rerun => "https://fix7-ledger.example/rerun/v1",
        }
    }

    /// Whether its tree holds a packet.
    pub fn has_packet(self) -> bool {
        matches!(self, Kind::Rehearsal | Kind::Rerun)
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
