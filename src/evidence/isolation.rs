//! The isolation proof: what the kernel refused to the confined child, and that it refused nothing outside.
//!
//! Owns: the proof's types, the table of probes that each level must answer ([`table`]), and the pure
//! judgement of a proof ([`IsolationProof::faults`]). Must not: probe anything (`rehearse::isolation`).
//!
//! A refused connection proves nothing by itself: perhaps nobody listened. So every probe is two-sided.
//! It carries its *control* (the same attempt without the layer, which got through) and the exact errno
//! that its layer gives, so that a refusal by something else does not count.
//!
//! ```text
//! probe                           layer              control  expected     actual
//! network-namespace/tcp-connect   network-namespace  outside  ENETUNREACH  ENETUNREACH    level 3
//! landlock/read-secret            landlock           outside  EACCES       EACCES         level 2
//! seccomp/tcp-connect             seccomp            outside  ENOANO       ENOANO         both
//! ```
//!
//! The system-call filter answers `ENOANO`, an errno that Linux gives for none of these calls: such an
//! answer can only come from the filter, and never from a missing capability or a closed port. A call that is neither
//! needed nor denied by name (`unlisted`) does not exist inside: `ENOSYS`.
//!
//! Nothing volatile stands in [`IsolationProof`]: two machines of one architecture at one level reach equal bytes.
//! Kernel release, inode numbers and process ids are in [`IsolationRun`], for the statement's `run`.
//!
//! ```
//! use fix7_ledger::digest::Digest;
//! use fix7_ledger::evidence::isolation::{IsolationProof, Level};
//! let proof = IsolationProof::held(Level::Three, Digest::of(b"the filter"));
//! assert!(proof.faults(Level::Two).is_empty());
//! let weaker = IsolationProof::held(Level::Two, Digest::of(b"the filter"));
//! assert!(!weaker.faults(Level::Three).is_empty(), "the level is too low");
//! ```

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::EngineName;
use crate::digest::Digest;

mod faults;
pub mod table;

/// What a probe says when the attempt was *not* refused.
pub const REACHED: &str = "REACHED";

/// How strongly a rehearsal is confined (DESIGN section 5). Written as the number 2 or 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// Landlock, and a system-call filter that denies every socket: enough for SQLite.
    Two,
    /// User, network, mount, pid and ipc namespaces besides.
    Three,
}

impl Level {
    /// Both levels, the stronger first.
    pub const ALL: [Level; 2] = [Level::Three, Level::Two];

    /// The layers that must be there, in the order in which they are put on.
    pub fn layers(self) -> &'static [Layer] {
        use Layer::*;
        match self {
            Level::Two => &[Capabilities, Landlock, Seccomp],
            Level::Three => &[
                UserNamespace,
                NetworkNamespace,
                MountNamespace,
                PidNamespace,
                IpcNamespace,
                Capabilities,
                Landlock,
                Seccomp,
            ],
        }
    }

    /// The kinds of namespace (as in `/proc/self/ns`) that must differ from the parent's, sorted.
    pub fn namespaces(self) -> &'static [&'static str] {
        match self {
            Level::Two => &[],
            Level::Three => &["ipc", "mnt", "net", "pid", "user"],
        }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        match level {
            Level::Two => 2,
            Level::Three => 3,
        }
    }
}

impl TryFrom<u8> for Level {
    type Error = String;
    fn try_from(number: u8) -> Result<Level, String> {
        match number {
            2 => Ok(Level::Two),
            3 => Ok(Level::Three),
            other => Err(format!("isolation level {other} does not exist: expected 2 or 3")),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", u8::from(*self))
    }
}

impl JsonSchema for Level {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Level".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "enum": [2, 3], "description": "isolation level"})
    }
}

/// One of the kernel's walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Own user ids: whatever privilege is held counts inside only.
    UserNamespace,
    /// No interface that is up, no route.
    NetworkNamespace,
    /// An empty root with the clone's directory in it; for PostgreSQL its programs besides, read-only.
    MountNamespace,
    /// No process outside can be named.
    PidNamespace,
    /// No System V objects of others.
    IpcNamespace,
    /// Every capability given up.
    Capabilities,
    /// Files: the clone's directory only; for PostgreSQL its programs may be read and run.
    Landlock,
    /// The system calls that the engine needs, and no others.
    Seccomp,
}

impl Layer {
    /// The name in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Layer::UserNamespace => "user-namespace",
            Layer::NetworkNamespace => "network-namespace",
            Layer::MountNamespace => "mount-namespace",
            Layer::PidNamespace => "pid-namespace",
            Layer::IpcNamespace => "ipc-namespace",
            Layer::Capabilities => "capabilities",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who made the same attempt and got through, so that the refusal means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// The unconfined control child reached it.
    Outside,
    /// The confined child itself reached it, just before this layer was put on.
    Before,
    /// No control is run, since success would touch more than the run's own directory; the errno alone
    /// tells who refused.
    None,
    /// A control was demanded and did not get through: the refusal proves nothing.
    NotReached,
}

/// One probe, asked and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeRow {
    /// `layer/attempt`, as in [`table::PROBES`].
    pub probe: String,
    /// The layer that must refuse.
    pub layer: Layer,
    /// Who got through without the layer.
    pub control: Control,
    /// The errno that this layer gives.
    pub expected: String,
    /// The errno that the confined child got, or [`REACHED`].
    pub actual: String,
}

/// What the parent read about the confined child from the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelState {
    /// Kinds of namespace in which the child is not where the parent is, sorted.
    pub separate_namespaces: Vec<String>,
    /// `NoNewPrivs` of `/proc/<pid>/status`: 1.
    pub no_new_privs: u8,
    /// `Seccomp` of `/proc/<pid>/status`: 2, filtered.
    pub seccomp_mode: u8,
    /// Capabilities held in any of the child's sets: 0.
    pub capabilities: u32,
    /// Routes that lead anywhere, in a network namespace of the child's own: 0. Absent at level 2, which
    /// has none of its own and denies every socket instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub routes: Option<u32>,
    /// Open sockets that the child was given: 0.
    pub open_sockets: u32,
    /// Open files that are neither one of its pipes nor in the clone's directory: 0.
    pub open_elsewhere: u32,
}

/// Contacts that the live listeners counted, the control's own taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Connections to the TCP listener.
    pub tcp: u32,
    /// Datagrams to the UDP listener.
    pub udp: u32,
    /// Connections to the unix socket with a path.
    pub unix_path: u32,
    /// Connections to the abstract unix socket.
    pub unix_abstract: u32,
}

impl Counters {
    /// All contacts.
    pub fn total(&self) -> u32 {
        [self.tcp, self.udp, self.unix_path, self.unix_abstract].into_iter().fold(0, u32::saturating_add)
    }
}

/// One thing that a rehearsal must never contact (R17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The probes that close every way to it.
    pub proof: Vec<String>,
    /// Contacts counted by the listeners that stood for it: 0.
    pub accepted: u32,
}

/// The six contacts of R17, each with its own technical proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// A PostgreSQL server.
    pub pg: Contact,
    /// Directus.
    pub directus: Contact,
    /// The `system_issues` store.
    pub system_issues: Contact,
    /// The registry.
    pub registry: Contact,
    /// The VPS.
    pub vps: Contact,
    /// Any network.
    pub network: Contact,
}

impl Contacts {
    /// Name and contact, in the order of R17.
    pub fn each(&self) -> [(&'static str, &Contact); 6] {
        [
            ("pg", &self.pg),
            ("directus", &self.directus),
            ("system_issues", &self.system_issues),
            ("registry", &self.registry),
            ("vps", &self.vps),
            ("network", &self.network),
        ]
    }
}

/// The isolation reached, with everything that shows it (DESIGN section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolationProof {
    /// The engine that the walls leave room for; left out where it is SQLite.
    #[serde(skip_serializing_if = "EngineName::is_sqlite", default)]
    pub engine: EngineName,
    /// 3 or 2.
    pub level: Level,
    /// The layers put on, in that order.
    pub layers: Vec<Layer>,
    /// Every probe of [`table::required`], in its order.
    pub probes: Vec<ProbeRow>,
    /// What the kernel says about the child.
    pub kernel: KernelState,
    /// What the listeners counted.
    pub counters: Counters,
    /// The six contacts.
    pub contacts: Contacts,
    /// SHA-256 of the system-call filter's program.
    pub filter: Digest,
}

/// One kind of namespace, by inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespacePair {
    /// The parent's.
    pub outside: u64,
    /// The child's.
    pub inside: u64,
}

/// What is particular to this machine and this run: never in the packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolationRun {
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// The Landlock ABI that was in force.
    pub landlock_abi: u32,
    /// `fully_enforced`, or `partially_enforced` where the kernel lacks the newest of what was asked for.
    pub landlock_status: String,
    /// Kind to inode numbers.
    pub namespaces: BTreeMap<String, NamespacePair>,
    /// The child's `uid_map`, white space folded.
    pub uid_map: String,
    /// `NSpid` of the child: its number outside, then inside.
    pub pids: Vec<u32>,
    /// The parent.
    pub parent_pid: u32,
    /// Filters on the child, with those that it inherited.
    pub seccomp_filters: u32,
    /// Network interfaces in the child's namespace, all down. Empty at level 2.
    pub interfaces: Vec<String>,
    /// Confined children so far; each answered every probe before its first request.
    pub children: u32,
    /// Why a stronger level was not reached, where one was wanted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_reached: Option<String>,
}
