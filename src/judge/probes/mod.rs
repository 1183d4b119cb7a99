//! The bad-input probes: each bad input is made from this very rehearsal and must be refused (R29 to R40).
//!
//! Owns: the probes by the names that the policy gives them. Must not: have rules of its own: every probe calls
//! the function that judges the real thing, and only compares the answer.
//!
//! ```text
//! control   this rehearsal, as it is                        must be let through
//! probe     one thing made bad, everything else kept       must be refused: for its own reason, and no other
//!           what it was given, before and after            must be the same
//! ```
//!
//! A probe that the policy names and this program does not know has not been run, and so has not held.

mod bad_evidence;
mod bad_request;

use std::collections::BTreeMap;

use crate::evidence::{Facts, Leg};
use crate::judge::request::{self, Request};
use crate::judge::validator::{self, Judgement};
use crate::packet::document::{Allowance, Control, Probe};
use crate::policy::{self, Policy};
use crate::verdict::{Code, Reason, Verdict};

/// What the probes are made from.
pub(super) struct Ground<'a> {
    pub(super) facts: &'a Facts,
    pub(super) policy: &'a Policy,
    pub(super) judgement: &'a Judgement,
    /// What the request check says of the plan.
    asked: &'a Verdict,
    /// What speaks against the rehearsal as it is.
    known: Verdict,
}

/// A bad input in words, and the answer to it; none where the evidence has nothing to make it from.
pub(super) struct Answer {
    pub(super) input: &'static str,
    pub(super) verdict: Option<Verdict>,
}

/// What stands for the input of a probe that this program does not know.
const UNKNOWN: &str = "not known to this program";

impl Answer {
    fn new(input: &'static str, verdict: Option<Verdict>) -> Answer {
        Answer { input, verdict }
    }

    fn applies(&self) -> bool {
        self.verdict.is_some() || self.input == UNKNOWN
    }
}

/// The control, the canonical and the extended probes, each run once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The good case.
    pub control: Control,
    /// The canonical probes, in the policy's order.
    pub canonical: Vec<Probe>,
    /// The extended ones that apply: the program's and those that the policy names, in the order of their ids.
    pub extended: Vec<Probe>,
}

/// Runs every probe on one rehearsal.
///
/// ```
/// use fix7_ledger::judge::{probes, specimen, validator};
/// let (facts, policy) = (specimen::facts(), specimen::policy());
/// let run = probes::run(&facts, &policy, &validator::judge(&facts, &policy));
/// assert_eq!(run.canonical.iter().filter(|probe| probe.held).count(), 10);
/// ```
pub fn run(facts: &Facts, policy: &Policy, judgement: &Judgement) -> Run {
    run_asked(facts, policy, judgement, &request::plan_verdict(policy, &facts.plan.files))
}

/// As [`run`], where the request check of the plan was made already.
pub(super) fn run_asked(facts: &Facts, policy: &Policy, judgement: &Judgement, asked: &Verdict) -> Run {
    // What the probes are given is looked at when all have run: one that changes it has a side effect, and then none of
    // them counts.
    let kept = facts.apart();
    let ground = Ground::new(facts, policy, judgement, asked);
    let named = policy.probes();
    let canonical: Vec<Probe> = (named.canonical.iter())
        .map(|probe| ground.probe(&probe.id, probe.reason, ground.answer(&probe.id)))
        .collect();
    let own = bad_evidence::EXTENDED.iter().map(|(id, reason, _)| (*id, *reason));
    let further = named.extended.iter().map(|probe| (probe.id.as_str(), probe.reason));
    let asked: BTreeMap<&str, Code> = own.chain(further).collect();
    let extended: Vec<Probe> = (asked.into_iter())
        .filter_map(|(id, reason)| {
            let answer = ground.answer(id);
            // A leg that need not run has nothing to spoil: such a probe does not apply.
            answer.applies().then(|| ground.probe(id, reason, answer))
        })
        .collect();
    let mut run = Run { control: ground.control(&named.control), canonical, extended };
    if *facts != kept {
        run.tell_side_effects();
    }
    run
}

impl Run {
    fn tell_side_effects(&mut self) {
        for probe in self.canonical.iter_mut().chain(&mut self.extended) {
            (probe.side_effects, probe.held) = (true, false);
        }
    }
}

/// The facts as the probe `id` spoils them, to be judged elsewhere too; none where it spoils something else.
pub fn spoilt(id: &str, facts: &Facts) -> Option<Facts> {
    bad_evidence::spoilt(id, facts)
}

/// The entry that is made up to be refused: the leg it imitates, and what is newly said against it (R27).
pub(super) fn fabricated(facts: &Facts, policy: &Policy, judgement: &Judgement) -> Option<(Leg, Verdict)> {
    let mut made_up = facts.clone();
    let leg = bad_evidence::no_mutation(&mut made_up)?;
    let asked = Verdict::default(); // a request has nothing to do with it
    Some((leg, Ground::new(facts, policy, judgement, &asked).worse(&made_up)))
}

impl<'a> Ground<'a> {
    fn new(facts: &'a Facts, policy: &'a Policy, judgement: &'a Judgement, asked: &'a Verdict) -> Ground<'a> {
        Ground { facts, policy, judgement, asked, known: judgement.verdict() }
    }

    /// The rehearsal as it is, and a plain request: without it, refusals prove nothing (R40).
    fn control(&self, id: &str) -> Control {
        let plain = Request {
            sources: vec!["/srv/copies/orders.db".into()],
            arguments: vec!["rehearse".into()],
            ..Request::default()
        };
        let request = request::judge(self.policy, &plain).accepted() && self.asked.accepted();
        let allowed = self.judgement.accepted() && request;
        let actual = if allowed { Allowance::Allow } else { Allowance::Refuse };
        Control { id: id.to_owned(), expected: Allowance::Allow, actual }
    }

    fn answer(&self, id: &str) -> Answer {
        let answer = bad_request::answer(self, id).or_else(|| bad_evidence::answer(self, id));
        answer.unwrap_or(Answer::new(UNKNOWN, None))
    }

    fn probe(&self, id: &str, expected: Code, answer: Answer) -> Probe {
        let verdict = answer.verdict.unwrap_or_default();
        let mut actual: Vec<Code> = verdict.reasons().iter().map(|reason| reason.code).collect();
        actual.sort_unstable();
        actual.dedup();
        Probe {
            id: id.to_owned(),
            input: answer.input.to_owned(),
            expected,
            exit: verdict.exit_code(),
            side_effects: false,
            held: actual == [expected] && verdict.exit_code() == 4,
            actual,
        }
    }

    /// What speaks against `facts` and does not speak against the rehearsal as it is.
    pub(super) fn worse(&self, facts: &Facts) -> Verdict {
        let mut worse = Verdict::default();
        let judged = validator::judge(facts, self.policy).verdict();
        let new = |reason: &&Reason| !self.known.reasons().contains(reason);
        judged.reasons().iter().filter(new).for_each(|reason| worse.push(reason.clone()));
        worse
    }
}

/// The reasons against a report of probes: the control and every probe must have gone as expected.
pub fn faults(run: &Run, named: &policy::Probes) -> Verdict {
    use crate::packet::PROBES;
    let mut verdict = Verdict::default();
    let control = &run.control;
    verdict.require(control.actual == Allowance::Allow, || {
        Reason::new(Code::ProbesIncomplete, format_args!("{PROBES}#/control")).values("ALLOW", "REFUSE")
    });
    let count = run.canonical.len();
    verdict.require(count == named.canonical.len() && count > 0, || {
        Reason::new(Code::ProbesIncomplete, format_args!("{PROBES}#/probes"))
            .values(named.canonical.len(), count)
    });
    for probe in run.canonical.iter().chain(&run.extended).filter(|probe| !probe.held) {
        let found: Vec<&str> = probe.actual.iter().map(|code| code.name()).collect();
        let found = if found.is_empty() { "no refusal".to_owned() } else { found.join(" ") };
        verdict.push(
            Reason::new(Code::ProbesIncomplete, format_args!("{PROBES}: {}", probe.id))
                .values(probe.expected, found),
        );
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::specimen;

    #[test]
    fn r29_ten_of_ten_are_refused_for_their_own_reason_and_the_control_is_allowed() {
        let (facts, policy) = (specimen::facts(), specimen::policy());
        let run = run(&facts, &policy, &validator::judge(&facts, &policy));
        assert_eq!(faults(&run, policy.probes()).reasons(), []);
        assert_eq!((run.canonical.len(), run.control.actual), (10, Allowance::Allow));
        let mut ids: Vec<_> = run.canonical.iter().chain(&run.extended).map(|p| p.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10 + run.extended.len(), "no id stands twice");
        assert!(run.canonical.iter().all(|p| p.exit == 4 && !p.side_effects && p.actual == [p.expected]));
    }

    #[test]
    fn r29_probes_with_side_effects_have_not_held() {
        let (facts, policy) = (specimen::facts(), specimen::policy());
        let mut run = run(&facts, &policy, &validator::judge(&facts, &policy));
        assert!(faults(&run, policy.probes()).accepted());
        run.tell_side_effects();
        let all = run.canonical.len() + run.extended.len();
        assert_eq!(faults(&run, policy.probes()).reasons().len(), all);
        assert!(run.canonical.iter().chain(&run.extended).all(|probe| probe.side_effects));
    }

    #[test]
    fn r40_a_rehearsal_that_fails_has_no_control() {
        let (mut facts, policy) = (specimen::facts(), specimen::policy());
        facts.execution.source_directory_unchanged = false;
        let run = run(&facts, &policy, &validator::judge(&facts, &policy));
        assert_eq!(run.control.actual, Allowance::Refuse);
        assert!(faults(&run, policy.probes()).has(Code::ProbesIncomplete));
    }

    #[test]
    fn r29_a_probe_that_nobody_knows_has_not_held() {
        let text = String::from_utf8(specimen::policy().bytes().to_vec()).expect("text");
        let text =
            text.replace("extended = []", "extended = [{ id = \"new-one\", reason = \"NO_MUTATION\" }]");
        let policy = Policy::parse(text.as_bytes()).expect("a policy");
        let facts =
            specimen::facts_of(&policy, specimen::template_plan(), crate::evidence::isolation::Level::Three);
        let run = run(&facts, &policy, &validator::judge(&facts, &policy));
        assert!(faults(&run, policy.probes()).has(Code::ProbesIncomplete));
        assert!(run.extended.iter().any(|probe| probe.id == "new-one" && !probe.held));
    }
}
