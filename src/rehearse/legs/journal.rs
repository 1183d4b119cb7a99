//! The steps of `rehearsal-execution-evidence.json`, as they happen.
//!
//! Owns: their numbers, and leaving out what a change that is not deterministic makes unrepeatable.

use crate::digest::{Digest, Hasher};
use crate::evidence::Leg;
use crate::evidence::execution::Step;
use crate::rehearse::engine::Report;

/// The steps so far.
#[derive(Debug)]
pub struct Journal {
    target: String,
    /// Each step, and whether what it gave depends on the change.
    steps: Vec<(Step, bool)>,
}

impl Journal {
    /// Steps about this clone.
    pub fn new(target: &str) -> Journal {
        Journal { target: target.to_owned(), steps: Vec::new() }
    }

    /// A step without SQL of the plan's: what it gave is these digests.
    pub fn step(&mut self, leg: Leg, action: &str, gave: &[Digest]) {
        self.push(leg, action, None, gave, false);
    }

    /// A step whose outcome depends on the change that was made.
    pub fn changed(&mut self, leg: Leg, action: &str, gave: &[Digest]) {
        self.push(leg, action, None, gave, true);
    }

    /// A script of the plan's.
    pub fn script(&mut self, leg: Leg, action: &str, report: &Report) {
        self.push(leg, action, Some(report), &[], true);
    }

    fn push(&mut self, leg: Leg, action: &str, report: Option<&Report>, gave: &[Digest], depends: bool) {
        let mut output = Hasher::labelled("fix7.step.output/v1");
        gave.iter().for_each(|digest| output.framed(digest.as_bytes()));
        let nothing = || Hasher::labelled("fix7.statements/v1").finish();
        let step = Step {
            n: u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX),
            leg,
            action: action.to_owned(),
            target_id: self.target.clone(),
            statements: report.map_or(0, |r| r.statements),
            statements_sha256: report.map_or_else(nothing, |r| r.statements_sha256),
            rows_changed: report.map_or(0, |r| r.rows_changed),
            exit: report.and_then(|r| r.failure.as_ref()).map_or(0, |f| f.code.into()),
            output_sha256: output.finish(),
        };
        self.steps.push((step, depends));
    }

    /// The steps. Of a change that is not deterministic only those are kept that a second rehearsal reaches
    /// again: none of the legs in `left_out`, and of the others nothing that the change gave.
    pub fn finish(self, nondeterministic: bool, left_out: &[Leg]) -> Vec<Step> {
        let mut steps = Vec::new();
        for (mut step, depends) in self.steps {
            if nondeterministic && left_out.contains(&step.leg) {
                continue;
            }
            if nondeterministic && depends {
                step.rows_changed = 0;
                step.output_sha256 = Digest::ZERO;
            }
            step.n = u32::try_from(steps.len() + 1).unwrap_or(u32::MAX);
            steps.push(step);
        }
        steps
    }
}
