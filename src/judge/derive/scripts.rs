//! `commands.sh` and `RERUN.sh`: how anybody does it all again (R51, R52).
//!
//! Both are POSIX sh, use `${FIX7_LEDGER:-fix7-ledger}`, write into fresh scratch directories only, and say so
//! when a step did not run: what was not run never counts as held.

use crate::evidence::Plan;

/// `commands.sh`: the whole rehearsal, fresh.
pub(super) fn commands(plan: &Plan) -> Vec<u8> {
    include_str!("scripts/commands.sh").replace("@NAME@", &plan.spec.name).into_bytes()
}

/// `RERUN.sh`: the rehearsal again, compared byte by byte.
pub(super) fn rerun() -> Vec<u8> {
    include_str!("scripts/RERUN.sh").as_bytes().to_vec()
}
