//! What the kernel says about a child, read by the parent from `/proc`.
//!
//! Owns: the reading. Must not: believe the child in anything. What cannot be read is an error, not a zero.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::IsolationError;
use crate::evidence::isolation::{KernelState, Level, NamespacePair};

/// Kinds of namespace looked at, sorted.
const KINDS: [&str; 5] = ["ipc", "mnt", "net", "pid", "user"];
/// `RTF_REJECT` of a line in `/proc/net/ipv6_route`: a route that leads nowhere.
const ROUTE_REJECTS: u32 = 0x0200;

/// Everything read about one child.
pub(super) struct Observed {
    pub(super) kernel: KernelState,
    pub(super) namespaces: BTreeMap<String, NamespacePair>,
    pub(super) uid_map: String,
    pub(super) pids: Vec<u32>,
    pub(super) seccomp_filters: u32,
    pub(super) interfaces: Vec<String>,
}

struct Process(PathBuf);

impl Process {
    fn new(pid: u32) -> Process {
        Process(PathBuf::from(format!("/proc/{pid}")))
    }

    fn failed(&self, name: &str) -> impl FnOnce(io::Error) -> IsolationError {
        let what = format!("reading {}", self.0.join(name).display());
        move |error| IsolationError::Io { what, error }
    }

    fn text(&self, name: &str) -> Result<String, IsolationError> {
        fs::read_to_string(self.0.join(name)).map_err(self.failed(name))
    }

    /// The inode number in `net:[4026531840]`.
    fn namespace(&self, kind: &str) -> Result<u64, IsolationError> {
        let name = format!("ns/{kind}");
        let link = fs::read_link(self.0.join(&name)).map_err(self.failed(&name))?;
        let link = link.to_string_lossy();
        let number = link.split_once(":[").and_then(|(_, rest)| rest.strip_suffix(']'));
        number
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| self.failed(&name)(io::Error::other(link.into_owned())))
    }

    fn field(&self, status: &str, name: &str) -> Result<String, IsolationError> {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
            .ok_or_else(|| self.failed("status")(io::Error::other(format!("no field {name}"))))
    }

    fn number<T: std::str::FromStr>(&self, status: &str, name: &str) -> Result<T, IsolationError> {
        let value = self.field(status, name)?;
        value.parse().map_err(|_| self.failed("status")(io::Error::other(format!("{name}: {value}"))))
    }
}

/// The parent of a process, for checking who it is.
pub(super) fn parent_of(pid: u32) -> Result<u32, IsolationError> {
    let process = Process::new(pid);
    let status = process.text("status")?;
    process.number(&status, "PPid")
}

/// Reads everything about the child `pid`, which waits.
pub(super) fn observe(pid: u32, level: Level, clone: &Path) -> Result<Observed, IsolationError> {
    let child = Process::new(pid);
    let mine = Process(PathBuf::from("/proc/self"));
    let mut namespaces = BTreeMap::new();
    for kind in KINDS {
        let pair = NamespacePair { outside: mine.namespace(kind)?, inside: child.namespace(kind)? };
        namespaces.insert(kind.to_owned(), pair);
    }
    let separate: Vec<String> =
        namespaces.iter().filter(|(_, pair)| pair.inside != pair.outside).map(|(k, _)| k.clone()).collect();
    let status = child.text("status")?;
    let mut capabilities = 0;
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let bits = child.field(&status, set)?;
        let bits = u64::from_str_radix(&bits, 16)
            .map_err(|_| child.failed("status")(io::Error::other(format!("{set}: {bits}"))))?;
        capabilities += bits.count_ones();
    }
    let (open_sockets, open_elsewhere) = open_files(&child, clone)?;
    let own_network = level == Level::Three;
    let uid_map = child.text("uid_map")?;
    Ok(Observed {
        kernel: KernelState {
            separate_namespaces: separate,
            no_new_privs: child.number(&status, "NoNewPrivs")?,
            seccomp_mode: child.number(&status, "Seccomp")?,
            capabilities,
            routes: if own_network { Some(routes(&child)?) } else { None },
            open_sockets,
            open_elsewhere,
        },
        namespaces,
        uid_map: uid_map.split_whitespace().collect::<Vec<_>>().join(" "),
        pids: child.field(&status, "NSpid")?.split_whitespace().filter_map(|n| n.parse().ok()).collect(),
        seccomp_filters: child.number(&status, "Seccomp_filters")?,
        interfaces: if own_network { interfaces(&child)? } else { Vec::new() },
    })
}

/// Open descriptors that are sockets, and those that are neither pipes nor beneath the clone's directory.
fn open_files(child: &Process, clone: &Path) -> Result<(u32, u32), IsolationError> {
    let (mut sockets, mut elsewhere) = (0, 0);
    for entry in fs::read_dir(child.0.join("fd")).map_err(child.failed("fd"))? {
        let entry = entry.map_err(child.failed("fd"))?;
        let link = fs::read_link(entry.path()).map_err(child.failed("fd"))?;
        let text = link.to_string_lossy();
        if text.starts_with("socket:") {
            sockets += 1;
        } else if !text.starts_with("pipe:") && !link.starts_with(clone) {
            elsewhere += 1;
        }
    }
    Ok((sockets, elsewhere))
}

/// Routes that lead anywhere. IPv6 may be absent from a kernel.
fn routes(child: &Process) -> Result<u32, IsolationError> {
    let four = child.text("net/route")?.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    let six = match child.text("net/ipv6_route") {
        Ok(text) => text.lines().filter(|line| leads_somewhere(line)).count(),
        Err(IsolationError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(u32::try_from(four + six).unwrap_or(u32::MAX))
}

/// A line of `/proc/net/ipv6_route` ends in flags (hexadecimal) and the interface.
fn leads_somewhere(line: &str) -> bool {
    let mut words = line.split_whitespace().rev();
    let (interface, flags) = (words.next(), words.next());
    let flags = flags.and_then(|flags| u32::from_str_radix(flags, 16).ok());
    interface.is_some_and(|name| name != "lo") && flags.is_none_or(|flags| flags & ROUTE_REJECTS == 0)
}

fn interfaces(child: &Process) -> Result<Vec<String>, IsolationError> {
    let text = child.text("net/dev")?;
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unconfined_process_is_seen_as_such() {
        let seen = observe(std::process::id(), Level::Three, Path::new("/nowhere")).expect("own /proc");
        assert!(seen.kernel.separate_namespaces.is_empty());
        assert!(seen.kernel.open_elsewhere > 0);
        assert_eq!(seen.interfaces.iter().filter(|name| *name == "lo").count(), 1);
        assert_ne!(seen.kernel, KernelState::held(Level::Three));
    }

    #[test]
    fn only_routes_that_reject_or_loop_back_lead_nowhere() {
        let zeros = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 ";
        for (rest, leads) in [
            ("00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo", false),
            ("00000000000000000000000000000000 00000400 00000003 00000000 00000003     eth0", true),
            ("00000000000000000000000000000000 00000400 00000003 00000000 00000200     eth0", false),
            ("00000000000000000000000000000000 00000400 00000003 00000000 garbage     eth0", true),
        ] {
            assert_eq!(leads_somewhere(&format!("{zeros}{rest}")), leads, "{rest}");
        }
    }
}
