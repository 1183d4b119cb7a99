//! Which policy a verb judges by, and what the owners of the ledger here decided.

use std::path::PathBuf;

use super::answer::Failure;
use super::place::Place;
use super::{replay, surroundings};
use crate::policy::{MAX_BYTES, Policy};
use crate::state::State;
use crate::verdict::Code;

/// The policy of a file, of the ledger here, or the default one.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct PolicyChoice {
    #[command(flatten)]
    pub(super) place: Place,
    /// The policy, instead of the one in force in the ledger here. Without a ledger: the default one, with this
    /// executable pinned.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyChoice {
    /// Reads the policy.
    pub(super) fn policy(&self) -> Result<Policy, Failure> {
        if let Some(path) = &self.policy {
            let bytes = surroundings::read(path, MAX_BYTES as u64)?;
            return Policy::parse(&bytes).map_err(|e| Failure::because(Code::Malformed, path.display(), e));
        }
        if let Some(state) = self.state()? {
            return Ok(state.policy().cloned().unwrap_or_else(Policy::default_policy));
        }
        let pinned = Policy::default_policy()
            .with_executable(surroundings::executable_digest()?, env!("CARGO_PKG_VERSION"));
        Policy::parse(&pinned)
            .map_err(|e| Failure::because(Code::Malformed, "the default policy with its pin", e))
    }

    /// The state of the ledger here, where there is one.
    pub(super) fn state(&self) -> Result<Option<State>, Failure> {
        match self.place.existing() {
            Ok(_) => Ok(Some(replay::trusted(&self.place)?.0)),
            Err(_) => Ok(None),
        }
    }
}
