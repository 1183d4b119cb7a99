//! Which levels this system reaches, and what to mend where it does not.
//!
//! Owns: the advice. Must not: change any setting.

use std::path::Path;

use super::{Confinement, IsolationClosing, IsolationError, Wanted};
use crate::evidence::isolation::{Layer, Level};

/// One level, tried out from the first probe to the last.
#[derive(Debug)]
pub struct LevelReport {
    /// The level.
    pub level: Level,
    /// What was proven, or why not.
    pub outcome: Result<IsolationClosing, IsolationError>,
    /// What to change on this system, where that is known.
    pub hint: Option<String>,
}

/// Tries every level, the stronger first. `executable` is this program; scratch directories are made in, and removed
/// from, `scratch_parent`.
pub fn reachable(executable: &Path, scratch_parent: &Path) -> Vec<LevelReport> {
    Level::ALL
        .into_iter()
        .map(|level| {
            let outcome = Confinement::establish(executable, scratch_parent, Wanted::Exactly(level))
                .and_then(Confinement::close);
            let hint = outcome.as_ref().err().and_then(|error| hint(error, &setting));
            LevelReport { level, outcome, hint }
        })
        .collect()
}

/// A kernel setting, as `sysctl` names it.
fn setting(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    std::fs::read_to_string(path).ok().map(|value| value.trim().to_owned())
}

fn hint(error: &IsolationError, setting: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let IsolationError::Unavailable { layer, .. } = error else { return None };
    let namespaces = match layer {
        Layer::UserNamespace => "user.max_user_namespaces",
        Layer::NetworkNamespace => "user.max_net_namespaces",
        Layer::MountNamespace => "user.max_mnt_namespaces",
        Layer::PidNamespace => "user.max_pid_namespaces",
        Layer::IpcNamespace => "user.max_ipc_namespaces",
        Layer::Landlock => {
            return Some(
                "Landlock of Linux 5.19 or newer is needed: add `landlock` to the `lsm=` list of the kernel's command line; in a \
                 container, allow the landlock_* system calls"
                    .to_owned(),
            );
        }
        Layer::Seccomp => {
            return Some(
                "a kernel with CONFIG_SECCOMP_FILTER on x86-64, arm64 or riscv64 is needed".to_owned(),
            );
        }
        Layer::Capabilities => return None,
    };
    // Each of these alone is enough to refuse a namespace.
    for (name, refuses, allows) in [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        (namespaces, "0", "10000"),
        ("user.max_user_namespaces", "0", "10000"),
    ] {
        if setting(name).as_deref() == Some(refuses) {
            return Some(format!("{name} is {refuses}: `sysctl -w {name}={allows}` (as root) allows it"));
        }
    }
    Some(
        "no kernel setting forbids it here: in a container, allow unshare, mount and pivot_root in its seccomp profile"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(layer: Layer) -> IsolationError {
        let (step, errno) = ("unshare".to_owned(), "ENOSPC".to_owned());
        IsolationError::Unavailable { level: Level::Three, layer, step, errno }
    }

    #[test]
    fn the_setting_that_refuses_is_named() {
        for (name, value) in [
            ("kernel.apparmor_restrict_unprivileged_userns", "1"),
            ("kernel.unprivileged_userns_clone", "0"),
            ("user.max_user_namespaces", "0"),
        ] {
            let only = |asked: &str| (asked == name).then(|| value.to_owned());
            let text = hint(&unavailable(Layer::UserNamespace), &only).expect("a hint");
            assert!(text.contains(name), "{text}");
        }
        let net = |asked: &str| (asked == "user.max_net_namespaces").then(|| "0".to_owned());
        assert!(hint(&unavailable(Layer::NetworkNamespace), &net).is_some_and(|t| t.contains("max_net")));
        let none = |_: &str| None;
        assert!(hint(&unavailable(Layer::MountNamespace), &none).is_some_and(|t| t.contains("container")));
        assert!(hint(&unavailable(Layer::Landlock), &none).is_some_and(|t| t.contains("lsm=")));
        assert_eq!(hint(&IsolationError::NotLinux, &none), None);
    }
}
