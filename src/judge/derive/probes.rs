//! `rehearsal-bad-input-probes.json`: the probes' run and the leak check, written down.

use crate::judge::probes::{Run, faults};
use crate::packet::document::{Leak, PROBES_SCHEMA, ProbeReport};
use crate::policy::Policy;

/// The document.
pub(super) fn report(run: &Run, leak: Leak) -> ProbeReport {
    let held =
        |probes: &[crate::packet::document::Probe]| probes.iter().filter(|probe| probe.held).count() as u64;
    ProbeReport {
        schema: PROBES_SCHEMA.into(),
        control: run.control.clone(),
        refused: held(&run.canonical),
        total: run.canonical.len() as u64,
        probes: run.canonical.clone(),
        extended_refused: held(&run.extended),
        extended_total: run.extended.len() as u64,
        extended: run.extended.clone(),
        leak,
    }
}

/// Whether every probe went as expected and nothing leaked.
pub(super) fn holds(policy: &Policy, run: &Run, report: &ProbeReport) -> bool {
    faults(run, policy.probes()).accepted() && report.leak.hits.is_empty() && report.leak.secret_hits == 0
}
