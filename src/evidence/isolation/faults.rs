//! The judgement of a proof: pure, so that hooks and verifiers can repeat it.

use std::sync::LazyLock;

use super::{Control, IsolationProof, KernelState, Level, ProbeRow};
use crate::digest::Digest;
use crate::evidence::EngineName;
use crate::verdict::{Code, Reason};

/// Most faults told: a hostile proof can hold any number of them, and one is enough.
const MAX_FAULTS: usize = 200;
/// Objects named in reasons are cut to this many characters: a proof is input, and may be hostile.
const MAX_NAMED: usize = 80;

impl IsolationProof {
    /// Everything that keeps this proof from showing an isolation of at least `minimum`. Empty means proven.
    pub fn faults(&self, minimum: Level) -> Vec<Reason> {
        let mut faults = Faults(Vec::new());
        if self.level >= minimum && self.filter != Digest::ZERO && self.is_held() {
            return faults.0; // as nearly all are: the rules below would name nothing
        }
        if self.level < minimum {
            faults.add("level", format_args!("at least {minimum}"), self.level);
        }
        let held = IsolationProof::held_for(self.engine, self.level, self.filter);
        if self.layers != held.layers {
            faults.add("layers", names(&held.layers), names(&self.layers));
        }
        self.probe_faults(&held.probes, &mut faults);
        self.kernel.faults(&held.kernel, &mut faults);
        for (name, found) in [
            ("tcp", self.counters.tcp),
            ("udp", self.counters.udp),
            ("unix_path", self.counters.unix_path),
            ("unix_abstract", self.counters.unix_abstract),
        ] {
            if found != 0 {
                faults.add(&format!("counters/{name}"), "0 contacts", found);
            }
        }
        for ((name, found), (_, expected)) in self.contacts.each().into_iter().zip(held.contacts.each()) {
            if found.proof != expected.proof {
                let object = format!("contacts/{name}/proof");
                faults.add(&object, expected.proof.join(" "), cut(&found.proof.join(" ")));
            }
            if found.accepted != 0 {
                faults.add(&format!("contacts/{name}/accepted"), 0, found.accepted);
            }
        }
        if self.filter == Digest::ZERO {
            faults.add("filter", "the digest of the system-call filter", self.filter);
        }
        faults.0
    }

    /// Whether nothing differs from what a proof of this level must look like.
    fn is_held(&self) -> bool {
        static HELD: LazyLock<Vec<IsolationProof>> = LazyLock::new(|| {
            let engines = [EngineName::Sqlite, EngineName::Postgresql].into_iter();
            let held = |engine| Level::ALL.map(|level| IsolationProof::held_for(engine, level, Digest::ZERO));
            engines.flat_map(held).collect()
        });
        let IsolationProof { engine, level, layers, probes, kernel, counters, contacts, filter: _ } = self;
        HELD.iter().any(|held| {
            (engine, level, layers, probes) == (&held.engine, &held.level, &held.layers, &held.probes)
                && (kernel, counters, contacts) == (&held.kernel, &held.counters, &held.contacts)
        })
    }

    fn probe_faults(&self, held: &[ProbeRow], faults: &mut Faults) {
        for expected in held {
            let object = format!("probes/{}", expected.probe);
            let mut rows = self.probes.iter().filter(|row| row.probe == expected.probe);
            let Some(row) = rows.next() else {
                faults.add(&object, &expected.expected, "no such probe");
                continue;
            };
            if rows.next().is_some() {
                faults.add(&object, "one row", "several");
            }
            if row.control != expected.control {
                faults.add(&object, control(expected.control), control(row.control));
            }
            if (row.layer, &row.expected) != (expected.layer, &expected.expected) {
                faults.add(
                    &object,
                    format_args!("{} of {}", expected.expected, expected.layer),
                    format_args!("{} of {}", cut(&row.expected), row.layer),
                );
            }
            if row.actual != expected.expected {
                faults.add(&object, &expected.expected, cut(&row.actual));
            }
        }
        for row in &self.probes {
            if !held.iter().any(|expected| expected.probe == row.probe) {
                faults.add(&format!("probes/{}", cut(&row.probe)), "no such probe", "one more row");
            }
        }
        let order = self.probes.iter().map(|row| &row.probe).eq(held.iter().map(|row| &row.probe));
        if faults.0.is_empty() && !order {
            faults.add("probes", "the table's order", "another order");
        }
    }
}

impl KernelState {
    fn faults(&self, held: &KernelState, faults: &mut Faults) {
        if self.separate_namespaces != held.separate_namespaces {
            let found = cut(&self.separate_namespaces.join(" "));
            faults.add("kernel/separate_namespaces", held.separate_namespaces.join(" "), found);
        }
        let routes = |state: &KernelState| state.routes.map_or("absent".to_owned(), |n| n.to_string());
        for (name, expected, found) in [
            ("no_new_privs", held.no_new_privs.to_string(), self.no_new_privs.to_string()),
            ("seccomp_mode", held.seccomp_mode.to_string(), self.seccomp_mode.to_string()),
            ("capabilities", held.capabilities.to_string(), self.capabilities.to_string()),
            ("routes", routes(held), routes(self)),
            ("open_sockets", held.open_sockets.to_string(), self.open_sockets.to_string()),
            ("open_elsewhere", held.open_elsewhere.to_string(), self.open_elsewhere.to_string()),
        ] {
            if expected != found {
                faults.add(&format!("kernel/{name}"), expected, found);
            }
        }
    }
}

struct Faults(Vec<Reason>);

impl Faults {
    fn add(&mut self, object: &str, expected: impl std::fmt::Display, found: impl std::fmt::Display) {
        if self.0.len() >= MAX_FAULTS {
            return;
        }
        let object = format!("isolation/{object}");
        self.0.push(Reason::new(Code::IsolationNotProven, object).values(expected, found));
    }
}

fn names(layers: &[super::Layer]) -> String {
    layers.iter().map(|layer| layer.name()).collect::<Vec<_>>().join(" ")
}

fn control(control: Control) -> &'static str {
    match control {
        Control::Outside => "reached by the control outside",
        Control::Before => "reached before the layer was put on",
        Control::None => "no control",
        Control::NotReached => "not reached by the control, so that its refusal proves nothing",
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_NAMED).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Counters, REACHED};
    use super::*;

    fn proof(level: Level) -> IsolationProof {
        IsolationProof::held(level, Digest::of(b"filter"))
    }

    fn refused(change: impl Fn(&mut IsolationProof), named: &str) {
        for level in Level::ALL {
            let mut bad = proof(level);
            assert_eq!(bad.faults(Level::Two), Vec::new(), "the twin is accepted");
            change(&mut bad);
            let faults = bad.faults(Level::Two);
            assert!(faults.iter().any(|r| r.object.contains(named)), "{named}: {faults:?}");
            assert!(faults.iter().all(|r| r.code == Code::IsolationNotProven));
        }
    }

    #[test]
    fn a_level_below_the_minimum_is_refused_and_above_it_is_accepted() {
        assert_eq!(proof(Level::Three).faults(Level::Two), Vec::new());
        assert_eq!(proof(Level::Three).faults(Level::Three), Vec::new());
        assert_eq!(proof(Level::Two).faults(Level::Two), Vec::new());
        assert_eq!(proof(Level::Two).faults(Level::Three).len(), 1);
    }

    #[test]
    fn a_level_that_is_only_claimed_is_refused() {
        let mut claimed = proof(Level::Two);
        claimed.level = Level::Three;
        assert!(claimed.faults(Level::Three).len() > 5);
    }

    #[test]
    fn every_missing_doubled_or_further_probe_is_refused() {
        for level in Level::ALL {
            for i in 0..proof(level).probes.len() {
                let mut missing = proof(level);
                let row = missing.probes.remove(i);
                assert_eq!(missing.faults(Level::Two).len(), 1, "{}", row.probe);
                let mut doubled = proof(level);
                doubled.probes.push(row);
                assert_eq!(doubled.faults(Level::Two).len(), 1);
            }
        }
        refused(|p| p.probes[0].probe = "seccomp/other".to_owned(), "seccomp/other");
        refused(|p| p.probes.swap(0, 1), "probes");
    }

    #[test]
    fn every_wrong_answer_and_every_control_that_did_not_reach_is_refused() {
        for level in Level::ALL {
            for i in 0..proof(level).probes.len() {
                for actual in [REACHED, "EINVAL", "", "enoano"] {
                    let mut wrong = proof(level);
                    wrong.probes[i].actual = actual.to_owned();
                    assert_eq!(wrong.faults(Level::Two).len(), 1);
                    wrong.probes[i].expected = actual.to_owned();
                    assert!(!wrong.faults(Level::Two).is_empty(), "agreeing with itself is not enough");
                }
                let mut alone = proof(level);
                alone.probes[i].control = Control::NotReached;
                assert_eq!(alone.faults(Level::Two).len(), 1);
            }
        }
    }

    #[test]
    fn a_proof_of_faults_alone_is_refused_in_bounded_words() {
        let mut hostile = proof(Level::Three);
        hostile.probes = (0..5000)
            .map(|n| ProbeRow { probe: format!("{n}\u{1b}[2J").repeat(50), ..hostile.probes[0].clone() })
            .collect();
        let faults = hostile.faults(Level::Two);
        assert_eq!(faults.len(), MAX_FAULTS);
        assert!(faults.iter().all(|r| r.object.len() < 1000 && !r.object.contains('\u{1b}')));
    }

    #[test]
    fn a_single_contact_is_refused_wherever_it_is_counted() {
        refused(|p| p.counters.tcp = 1, "counters/tcp");
        refused(|p| p.counters.udp = 1, "counters/udp");
        refused(|p| p.counters.unix_path = 1, "counters/unix_path");
        refused(|p| p.counters.unix_abstract = 1, "counters/unix_abstract");
        refused(|p| p.contacts.pg.accepted = 1, "contacts/pg");
        refused(|p| p.contacts.vps.proof.clear(), "contacts/vps/proof");
        refused(|p| p.contacts.network.proof.truncate(1), "contacts/network/proof");
        let counters = Counters { tcp: u32::MAX, udp: u32::MAX, ..Counters::default() };
        assert_eq!(counters.total(), u32::MAX, "a sum never wraps to 0");
    }

    #[test]
    fn every_field_of_the_kernel_state_counts() {
        refused(|p| p.kernel.no_new_privs = 0, "no_new_privs");
        refused(|p| p.kernel.seccomp_mode = 0, "seccomp_mode");
        refused(|p| p.kernel.capabilities = 1, "capabilities");
        refused(|p| p.kernel.routes = Some(1), "routes");
        refused(|p| p.kernel.open_sockets = 1, "open_sockets");
        refused(|p| p.kernel.open_elsewhere = 1, "open_elsewhere");
        refused(|p| p.kernel.separate_namespaces.push("net".to_owned()), "separate_namespaces");
        refused(|p| p.layers.truncate(1), "layers");
        refused(|p| p.filter = Digest::ZERO, "filter");
    }

    #[test]
    fn a_proof_survives_its_own_json_and_nothing_more() {
        let bytes = crate::canon::to_vec(&proof(Level::Three)).expect("a document");
        let again: IsolationProof = crate::canon::from_slice(&bytes).expect("the same document");
        assert_eq!(again, proof(Level::Three));
        let text = String::from_utf8(bytes).expect("UTF-8");
        for (from, to) in [("\"level\":3", "\"level\":1"), ("\"level\":3", "\"level\":3,\"more\":1")] {
            let bytes = text.replace(from, to).into_bytes();
            assert!(crate::canon::from_slice::<IsolationProof>(&bytes).is_err());
        }
    }
}
