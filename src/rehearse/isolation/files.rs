//! Landlock: the clone's directory, and no other file.
//!
//! Owns: the ruleset. Must not: probe. ABI 2 (Linux 5.19) is demanded, since before it a refused move across
//! directories had another errno; whatever a newer kernel knows is asked for as well, as far as it goes.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::Walls;
use super::namespaces::{NULL_DEVICE, SYSTEM_FILES};
use crate::evidence::EngineName;

/// What the kernel took of the ruleset.
pub(super) struct Enforced {
    pub(super) abi: u32,
    pub(super) status: &'static str,
}

/// Without this ABI the layer is not there.
const NEEDED: ABI = ABI::V2;
/// The newest that the library knows.
const NEWEST: ABI = ABI::V10;

/// Restricts this process to the files beneath `clone`: regular files and directories, never to be run. A server's
/// sockets lie there too, and what it runs from may be read and run.
pub(super) fn confine_to(clone: &Path, walls: &Walls) -> Result<Enforced, String> {
    let text = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    };
    let server = walls.engine == EngineName::Postgresql;
    let mut beneath: BitFlags<AccessFs> = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::Refer
        | AccessFs::Truncate;
    let mut others: Vec<PathBeneath<PathFd>> = Vec::new();
    if server {
        beneath |= AccessFs::MakeSock | AccessFs::ResolveUnix;
        let run: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
        let sink: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::WriteFile;
        let system = [Path::new(SYSTEM_FILES), Path::new(NULL_DEVICE)];
        let paths = walls.runtime.iter().map(|path| (path.as_path(), run));
        for (path, access) in paths.chain([(system[0], run), (system[1], sink)]) {
            others.push(PathBeneath::new(PathFd::new(path).map_err(|e| text(&e))?, access));
        }
    }
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
                .add_rules(others.into_iter().map(Ok::<_, RulesetError>))?
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
