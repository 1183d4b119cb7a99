//! The probes that each level must answer, and what the six contacts rest on.
//!
//! Owns: the closed list. A proof with fewer probes, other errnos or further rows is not one.
//! `rehearse::isolation::probe` carries out exactly this list.

use super::{Contact, Contacts, Control, Counters, IsolationProof, KernelState, Layer, Level, ProbeRow};
use crate::digest::Digest;
use crate::evidence::EngineName;

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
    /// The engine whose walls have it; `None` means both.
    pub engine: Option<EngineName>,
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
    Rule { attempt, layer, errno, control, level, engine: None }
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

/// What the filter denies to SQLite alone: a server needs it, and other layers then stand for it.
const fn library(attempt: &'static str, control: Control) -> Rule {
    Rule { engine: Some(EngineName::Sqlite), ..filter(attempt, control) }
}
/// What other layers must refuse to a server, since the filter cannot.
const fn server(layer: Layer, attempt: &'static str, errno: &'static str, control: Control) -> Rule {
    Rule { engine: Some(EngineName::Postgresql), ..three(layer, attempt, errno, control) }
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
    server(Layer::MountNamespace, "overwrite-outside", "ENOENT", Control::Outside),
    server(Layer::MountNamespace, "change-mode", "ENOENT", Control::Outside),
    server(Layer::MountNamespace, "hard-link", "ENOENT", Control::Outside),
    server(Layer::MountNamespace, "write-system", "EROFS", Control::None),
    server(Layer::MountNamespace, "execute-written", "EACCES", Control::None),
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
    library("unix-path-connect", Control::Outside),
    library("unix-abstract-connect", Control::Outside),
    filter("socket-inet6", Control::None),
    filter("socket-netlink", Control::None),
    filter("socket-raw", Control::None),
    filter("socket-packet", Control::None),
    filter("socket-vsock", Control::None),
    filter("socket-alg", Control::None),
    filter("socket-pair", Control::None),
    filter("io-uring", Control::None),
    library("execute", Control::None),
    library("process-create", Control::None),
    library("signal-outside", Control::Outside),
    filter("trace-outside", Control::None),
    filter("memory-outside", Control::None),
    filter("limits-outside", Control::None),
    filter("pidfd-open", Control::None),
    filter("symlink", Control::Outside),
    library("hard-link", Control::Outside),
    filter("make-node", Control::None),
    library("truncate-path", Control::None),
    library("change-mode", Control::Outside),
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
    library("shared-memory", Control::None),
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

/// The probes of one engine at one level.
pub fn required(engine: EngineName, level: Level) -> impl Iterator<Item = &'static Rule> {
    PROBES.iter().filter(move |rule| {
        rule.level.is_none_or(|only| only == level) && rule.engine.is_none_or(|only| only == engine)
    })
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

/// The contacts of `engine` at `level`, with what the listeners counted.
pub fn contacts(engine: EngineName, level: Level, counters: &Counters) -> Contacts {
    let [pg, directus, system_issues, registry, vps, network] = CONTACTS.map(|(_, attempts)| Contact {
        proof: required(engine, level)
            .filter(|rule| attempts.contains(&rule.attempt))
            .map(Rule::probe)
            .collect(),
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
        IsolationProof::held_for(EngineName::Sqlite, level, filter)
    }

    /// [`IsolationProof::held`] for the walls of one engine.
    pub fn held_for(engine: EngineName, level: Level, filter: Digest) -> IsolationProof {
        let counters = Counters::default();
        IsolationProof {
            engine,
            level,
            layers: level.layers().to_vec(),
            probes: required(engine, level).map(Rule::row).collect(),
            kernel: KernelState::held(level),
            counters,
            contacts: contacts(engine, level, &counters),
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
        for engine in [EngineName::Sqlite, EngineName::Postgresql] {
            for level in Level::ALL {
                let mut names: Vec<_> = required(engine, level).map(Rule::probe).collect();
                let count = names.len();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), count);
            }
        }
    }

    #[test]
    fn every_contact_rests_on_probes_that_exist() {
        for (name, attempts) in CONTACTS {
            for attempt in attempts {
                for level in Level::ALL {
                    assert!(
                        required(EngineName::Sqlite, level).any(|rule| rule.attempt == *attempt),
                        "{name}: {attempt}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_attempt_that_got_through_is_never_recorded_as_expected() {
        assert!(PROBES.iter().all(|rule| rule.errno != REACHED && rule.control != Control::NotReached));
    }
}
