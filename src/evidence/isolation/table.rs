//! The probes that each level must answer, and what the six contacts rest on.
//!
//! Owns: the closed list. A proof with fewer probes, other errnos or further rows is not one.
//! `rehearse::isolation::probe` carries out exactly this list.

use super::{Contact, Contacts, Control, Counters, IsolationProof, KernelState, Layer, Level, ProbeRow};
use crate::digest::Digest;

/// The errno by which the system-call filter answers: Linux itself gives it for none of the probed calls.
pub const FILTER_ERRNO: &str = "ENOANO";

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The attempt, unique within the layer.
    pub attempt: &'static str,
    /// Who must refuse.
    pub layer: Layer,
    /// With which errno.
    pub errno: &'static str,
    /// Who must have got through.
    pub control: Control,
    /// The level that needs it; `None` means both.
    pub level: Option<Level>,
}

impl Rule {
    /// The probe's name: `layer/attempt`.
    pub fn probe(&self) -> String {
        format!("{}/{}", self.layer, self.attempt)
    }

    /// The row of a proof that holds.
    fn row(&self) -> ProbeRow {
        ProbeRow {
            probe: self.probe(),
            layer: self.layer,
            control: self.control,
            expected: self.errno.to_owned(),
            actual: self.errno.to_owned(),
        }
    }

    /// The row for what was seen.
    pub fn answered(&self, control_reached: bool, actual: &str) -> ProbeRow {
        let control = match (self.control, control_reached) {
            (Control::Outside | Control::Before, false) => Control::NotReached,
            (control, _) => control,
        };
        ProbeRow { control, actual: actual.to_owned(), ..self.row() }
    }
}

const fn rule(
    level: Option<Level>,
    layer: Layer,
    attempt: &'static str,
    errno: &'static str,
    control: Control,
) -> Rule {
    Rule { attempt, layer, errno, control, level }
}
const fn three(layer: Layer, attempt: &'static str, errno: &'static str, control: Control) -> Rule {
    rule(Some(Level::Three), layer, attempt, errno, control)
}
const fn two(attempt: &'static str, control: Control) -> Rule {
    rule(Some(Level::Two), Layer::Landlock, attempt, "EACCES", control)
}
const fn filter(attempt: &'static str, control: Control) -> Rule {
    rule(None, Layer::Seccomp, attempt, FILTER_ERRNO, control)
}

/// Every probe, in the order in which it is asked: each layer is probed alone, before the next is put on.
pub const PROBES: &[Rule] = &[
    three(Layer::NetworkNamespace, "tcp-connect", "ENETUNREACH", Control::Outside),
    three(Layer::NetworkNamespace, "udp-send", "ENETUNREACH", Control::Outside),
    three(Layer::NetworkNamespace, "unix-abstract-connect", "ECONNREFUSED", Control::Outside),
    three(Layer::MountNamespace, "unix-path-connect", "ENOENT", Control::Outside),
    three(Layer::MountNamespace, "read-secret", "ENOENT", Control::Outside),
    three(Layer::MountNamespace, "read-proc", "ENOENT", Control::Outside),
    three(Layer::MountNamespace, "list-outside", "ENOENT", Control::Outside),
    three(Layer::MountNamespace, "write-outside", "ENOENT", Control::Outside),
    three(Layer::MountNamespace, "write-root", "EROFS", Control::None),
    three(Layer::PidNamespace, "signal-outside", "ESRCH", Control::Outside),
    three(Layer::Capabilities, "change-mounts", "EPERM", Control::Before),
    three(Layer::Landlock, "read-canary", "EACCES", Control::Before),
    three(Layer::Landlock, "list-root", "EACCES", Control::Before),
    two("read-secret", Control::Outside),
    two("read-proc", Control::Outside),
    two("list-outside", Control::Outside),
    two("write-outside", Control::Outside),
    two("overwrite-outside", Control::Outside),
    two("make-directory-outside", Control::Outside),
    two("remove-outside", Control::Outside),
    two("rename-out", Control::Outside),
    two("execute-outside", Control::None),
    filter("tcp-connect", Control::Outside),
    filter("udp-send", Control::Outside),
    filter("unix-path-connect", Control::Outside),
    filter("unix-abstract-connect", Control::Outside),
    filter("socket-inet6", Control::None),
    filter("socket-netlink", Control::None),
    filter("socket-raw", Control::None),
    filter("socket-packet", Control::None),
    filter("socket-vsock", Control::None),
    filter("socket-alg", Control::None),
    filter("socket-pair", Control::None),
    filter("io-uring", Control::None),
    filter("execute", Control::None),
    filter("process-create", Control::None),
    filter("signal-outside", Control::Outside),
    filter("trace-outside", Control::None),
    filter("memory-outside", Control::None),
    filter("limits-outside", Control::None),
    filter("pidfd-open", Control::None),
    filter("symlink", Control::Outside),
    filter("hard-link", Control::Outside),
    filter("make-node", Control::None),
    filter("truncate-path", Control::None),
    filter("change-mode", Control::Outside),
    filter("change-owner", Control::Outside),
    filter("change-times", Control::Outside),
    filter("change-attributes", Control::None),
    filter("open-by-handle", Control::None),
    filter("mount", Control::None),
    filter("unmount", Control::None),
    filter("pivot-root", Control::None),
    filter("change-root", Control::None),
    filter("unshare", Control::None),
    filter("enter-namespace", Control::None),
    filter("shared-memory", Control::None),
    filter("message-queue", Control::None),
    filter("anonymous-file", Control::None),
    filter("executable-memory", Control::None),
    filter("keyring", Control::None),
    filter("bpf", Control::None),
    filter("performance-events", Control::None),
    filter("user-faults", Control::None),
    filter("change-identity", Control::None),
    filter("set-clock", Control::None),
    filter("set-host-name", Control::None),
    filter("load-module", Control::None),
    filter("restart-machine", Control::None),
    rule(None, Layer::Seccomp, "unlisted", "ENOSYS", Control::None),
];

/// The probes of one level.
pub fn required(level: Level) -> impl Iterator<Item = &'static Rule> {
    PROBES.iter().filter(move |rule| rule.level.is_none_or(|only| only == level))
}

/// The attempts that lead to each contact. A contact is closed when every probe of these attempts is.
const CONTACTS: [(&str, &[&str]); 6] = [
    ("pg", &["tcp-connect", "unix-path-connect", "unix-abstract-connect"]),
    ("directus", &["tcp-connect", "unix-path-connect"]),
    ("system_issues", &["tcp-connect", "unix-path-connect", "unix-abstract-connect", "execute"]),
    ("registry", &["tcp-connect", "udp-send", "execute"]),
    ("vps", &["tcp-connect", "udp-send", "execute", "process-create"]),
    (
        "network",
        &[
            "tcp-connect",
            "udp-send",
            "socket-inet6",
            "socket-netlink",
            "socket-raw",
            "socket-packet",
            "socket-vsock",
            "io-uring",
        ],
    ),
];

/// The contacts of `level`, with what the listeners counted.
pub fn contacts(level: Level, counters: &Counters) -> Contacts {
    let [pg, directus, system_issues, registry, vps, network] = CONTACTS.map(|(_, attempts)| Contact {
        proof: required(level).filter(|rule| attempts.contains(&rule.attempt)).map(Rule::probe).collect(),
        accepted: counters.total(),
    });
    Contacts { pg, directus, system_issues, registry, vps, network }
}

impl KernelState {
    /// What the kernel says about a child that is confined at `level`.
    pub fn held(level: Level) -> KernelState {
        KernelState {
            separate_namespaces: level.namespaces().iter().map(|kind| (*kind).to_owned()).collect(),
            no_new_privs: 1,
            seccomp_mode: 2,
            capabilities: 0,
            routes: (level == Level::Three).then_some(0),
            open_sockets: 0,
            open_elsewhere: 0,
        }
    }
}

impl IsolationProof {
    /// What a proof of `level` must look like: the yardstick of [`IsolationProof::faults`], and a value for
    /// tests. A rehearsal never uses it as evidence; that is put together from what was seen.
    pub fn held(level: Level, filter: Digest) -> IsolationProof {
        let counters = Counters::default();
        IsolationProof {
            level,
            layers: level.layers().to_vec(),
            probes: required(level).map(Rule::row).collect(),
            kernel: KernelState::held(level),
            counters,
            contacts: contacts(level, &counters),
            filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::REACHED;
    use super::*;

    #[test]
    fn probes_have_names_of_their_own_at_each_level() {
        for level in Level::ALL {
            let mut names: Vec<_> = required(level).map(Rule::probe).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }

    #[test]
    fn every_contact_rests_on_probes_that_exist() {
        for (name, attempts) in CONTACTS {
            for attempt in attempts {
                for level in Level::ALL {
                    assert!(required(level).any(|rule| rule.attempt == *attempt), "{name}: {attempt}");
                }
            }
        }
    }

    #[test]
    fn an_attempt_that_got_through_is_never_recorded_as_expected() {
        assert!(PROBES.iter().all(|rule| rule.errno != REACHED && rule.control != Control::NotReached));
    }
}
