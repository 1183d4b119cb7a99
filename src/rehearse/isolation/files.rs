//! Landlock: the clone's directory, and no other file.
//!
//! Owns: the ruleset. Must not: probe. ABI 2 (Linux 5.19) is demanded, since before it a refused move across
//! directories had another errno; whatever a newer kernel knows is asked for as well, as far as it goes.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

/// What the kernel took of the ruleset.
pub(super) struct Enforced {
    pub(super) abi: u32,
    pub(super) status: &'static str,
}

/// Without this ABI the layer is not there.
const NEEDED: ABI = ABI::V2;
/// The newest that the library knows.
const NEWEST: ABI = ABI::V10;

/// Restricts this process to the files beneath `clone`: regular files and directories, never to be run.
pub(super) fn confine_to(clone: &Path) -> Result<Enforced, String> {
    let text = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    };
    let beneath: BitFlags<AccessFs> = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::Refer
        | AccessFs::Truncate;
    let clone = PathFd::new(clone).map_err(|e| text(&e))?;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))
        .and_then(|ruleset| {
            ruleset
                .set_compatibility(CompatLevel::BestEffort)
                .handle_access(AccessFs::from_all(NEWEST))?
                .handle_access(AccessNet::from_all(NEWEST))?
                .scope(Scope::from_all(NEWEST))?
                .create()?
                .add_rule(PathBeneath::new(clone, beneath))?
                .restrict_self()
        })
        .map_err(|e| text(&e))?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as i32 as u32,
        _ => return Err("Landlock is not enabled in this kernel".to_owned()),
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(Enforced { abi, status: "fully_enforced" }),
        RulesetStatus::PartiallyEnforced => Ok(Enforced { abi, status: "partially_enforced" }),
        RulesetStatus::NotEnforced => Err("Landlock did not take the ruleset".to_owned()),
    }
}
