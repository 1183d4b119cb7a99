//! Level 3: namespaces of the child's own, with a root directory that holds the clone and nothing else.
//!
//! Owns: the way into them. Must not: map anyone to user 0: the child keeps its own user id inside, so that
//! files look the same at every level. Mounts need no other id: whoever makes a user namespace holds every
//! capability in it, until they are given up.
//!
//! ```text
//! /            tmpfs, read-only          canary   (readable until Landlock is on)
//! /…/clone     the clone's directory     at the same path as outside, nosuid nodev noexec
//! /usr …       PostgreSQL's programs and libraries, read-only nosuid nodev; /etc/passwd, /dev/null
//! ```

use std::fs;
use std::io::{self, BufRead};
use std::path::Path;

use super::Walls;
use super::confine::{self, Out, Refusal};
use super::kernel::{self, Side};
use super::probe::Prober;
use super::session::SIGNALLED;
use super::wire::{Setup, ToParent};
use crate::evidence::EngineName;
use crate::evidence::isolation::Layer;

/// The few files of a system that a server's programs look for: made for the run, nothing of the host's users.
pub(super) const SYSTEM_FILES: &str = "/etc";
/// Where programs throw their output away.
pub(super) const NULL_DEVICE: &str = "/dev/null";
/// Who root is inside, where a server refuses to run as root.
const NOT_ROOT: u32 = 1000;
/// The loader's list of libraries, the only file of the host's `/etc` that is copied.
const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// A file in the new root that only Landlock keeps from being read.
pub(super) const CANARY: &str = "/canary";

/// Enters the namespaces, and probes each on the way. The process that returns is the first of its
/// process namespace; the one that called stays behind and ends as it ends.
pub(super) fn enter(
    setup: &Setup,
    input: &mut impl BufRead,
    out: &mut Out,
    prober: &mut Prober,
) -> io::Result<Result<(), Refusal>> {
    match unshare(&setup.walls) {
        Ok(()) => {}
        Err(refusal) => return Ok(Err(refusal)),
    }
    // A change of credentials may have undone it.
    confine::die_with_the_parent()?;
    if let Side::Outer(pid) = kernel::fork()? {
        out.send(&ToParent::Started { pid })?;
        confine::give_up_capabilities()?;
        wait_and_follow(pid);
    }
    confine::die_with_the_parent()?;
    confine::wait_for_go(input)?;
    prober.ask(Layer::NetworkNamespace);
    if let Err(refusal) = own_root(setup) {
        return Ok(Err(refusal));
    }
    prober.ask(Layer::MountNamespace);
    prober.ask(Layer::PidNamespace);
    prober.before(Layer::Capabilities);
    Ok(Ok(()))
}

fn unshare(walls: &Walls) -> Result<(), Refusal> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let inside = |id: u32| if id == 0 && walls.engine == EngineName::Postgresql { NOT_ROOT } else { id };
    let refused = |step| Refusal::new(Layer::UserNamespace, step);
    kernel::unshare(libc::CLONE_NEWUSER).map_err(refused("unshare"))?;
    fs::write("/proc/self/setgroups", "deny").map_err(refused("writing setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{} {uid} 1", inside(uid)))
        .map_err(refused("writing uid_map"))?;
    fs::write("/proc/self/gid_map", format!("{} {gid} 1", inside(gid)))
        .map_err(refused("writing gid_map"))?;
    for (flag, layer) in [
        (libc::CLONE_NEWNET, Layer::NetworkNamespace),
        (libc::CLONE_NEWNS, Layer::MountNamespace),
        (libc::CLONE_NEWPID, Layer::PidNamespace),
        (libc::CLONE_NEWIPC, Layer::IpcNamespace),
    ] {
        kernel::unshare(flag).map_err(Refusal::new(layer, "unshare"))?;
    }
    Ok(())
}

/// Stays behind outside of the process namespace, without any pipe, and ends as the child ends.
fn wait_and_follow(pid: u32) -> ! {
    let pipes = kernel::close_from(0);
    let child = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let code = loop {
        match rustix::process::waitpid(child, rustix::process::WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(Some((_, status))) => {
                let signal = status.terminating_signal().map(|signal| SIGNALLED + signal);
                break status.exit_status().or(signal).unwrap_or(3);
            }
            Ok(None) | Err(_) => break 3,
        }
    };
    kernel::exit_now(if pipes.is_ok() { code } else { 3 })
}

fn own_root(setup: &Setup) -> Result<(), Refusal> {
    let refused = |step| Refusal::new(Layer::MountNamespace, step);
    let closed = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let (root, clone) = (setup.root(), setup.clone_directory());
    kernel::mount(None, Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE, None)
        .map_err(refused("making mounts private"))?;
    kernel::mount(None, &root, Some(c"tmpfs"), closed, Some(c"size=2m,mode=0755"))
        .map_err(refused("mounting a new root"))?;
    let inside = root.join(clone.strip_prefix("/").unwrap_or(&clone));
    fs::create_dir_all(&inside).map_err(refused("making the clone's place"))?;
    fs::write(root.join(&CANARY[1..]), "canary").map_err(refused("writing the canary"))?;
    kernel::mount(Some(&clone), &inside, None, libc::MS_BIND, None)
        .map_err(refused("mounting the clone's directory"))?;
    kernel::mount(None, &inside, None, libc::MS_BIND | libc::MS_REMOUNT | closed, None)
        .map_err(refused("closing the clone's mount"))?;
    if setup.walls.engine == EngineName::Postgresql {
        system(&setup.walls, &root)?;
    }
    enter_directory(&root).map_err(refused("entering the new root"))?;
    kernel::swap_root_to_here().map_err(refused("pivot_root"))?;
    let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | closed;
    kernel::mount(None, Path::new("/"), None, read_only, None)
        .map_err(refused("making the root read-only"))?;
    enter_directory(&clone).map_err(refused("entering the clone's directory"))
}

/// What a server and its programs run from, and the few files that they look for.
fn system(walls: &Walls, root: &Path) -> Result<(), Refusal> {
    let refused = |step| Refusal::new(Layer::MountNamespace, step);
    let closed = libc::MS_NOSUID | libc::MS_NODEV;
    for path in &walls.runtime {
        let inside = root.join(path.strip_prefix("/").unwrap_or(path));
        if let Ok(target) = fs::read_link(path) {
            // `/lib`, where it is only another name for `/usr/lib`.
            std::os::unix::fs::symlink(target, &inside).map_err(refused("naming a system directory"))?;
            continue;
        }
        fs::create_dir_all(&inside).map_err(refused("making a system directory's place"))?;
        kernel::mount(Some(path), &inside, None, libc::MS_BIND | libc::MS_REC, None)
            .map_err(refused("mounting a system directory"))?;
        let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | closed;
        kernel::mount(None, &inside, None, read_only, None)
            .map_err(refused("making a system directory read-only"))?;
    }
    let place = |path: &str| root.join(&path[1..]);
    let made = refused("making the system's files");
    let make = || -> io::Result<()> {
        fs::create_dir_all(place(SYSTEM_FILES))?;
        fs::create_dir_all(root.join("dev"))?;
        fs::write(place(NULL_DEVICE), "")?;
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let user = format!("rehearsal:x:{uid}:{gid}::/:/bin/sh\n");
        fs::write(place(SYSTEM_FILES).join("passwd"), user)?;
        fs::write(place(SYSTEM_FILES).join("group"), format!("rehearsal:x:{gid}:\n"))?;
        match fs::read(LOADER_CACHE) {
            Ok(bytes) => fs::write(place(LOADER_CACHE), bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    };
    make().map_err(made)?;
    kernel::mount(Some(Path::new(NULL_DEVICE)), &place(NULL_DEVICE), None, libc::MS_BIND, None)
        .map_err(refused("mounting /dev/null"))
}

fn enter_directory(path: &Path) -> io::Result<()> {
    Ok(rustix::process::chdir(path)?)
}
