//! The calls for which no safe wrapper exists. The only unsafe code of the crate.
//!
//! Owns: unshare, fork, mounts, file descriptor surgery, and raw system calls for probes. Must not: decide anything.
//! Every function is called in a child of one thread, right after it was started, or is harmless by its
//! arguments; each block says why it is sound.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The two sides of a fork.
pub(super) enum Side {
    /// The process that forked, with the new process's id as this side sees it.
    Outer(u32),
    /// The new process.
    Inner,
}

fn checked(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Closes every file descriptor from `first` on: whatever was inherited by mistake is gone.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called first thing in a fresh process, before anything in it has opened a file, so no
    // owner of a descriptor exists whose file could be swapped under it.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0u32) }).map(drop)
}

/// Takes standard output for the protocol alone: whatever prints from now on goes to standard error.
pub(super) fn take_stdout() -> io::Result<File> {
    // SAFETY: fcntl gives a new descriptor that nobody else owns, so `File` may own it; dup2 replaces
    // descriptor 1, of which `std::io::stdout` only ever knows the number.
    unsafe {
        let copy = checked(libc::fcntl(1, libc::F_DUPFD_CLOEXEC, 3).into())?;
        let file = File::from_raw_fd(copy as i32);
        checked(libc::dup2(2, 1).into())?;
        Ok(file)
    }
}

/// Moves this process (or, for process ids, its next child) into new namespaces.
pub(super) fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: takes no pointers. CLONE_FILES is never passed, so no descriptor changes its meaning.
    checked(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// Makes a new process of this one.
pub(super) fn fork() -> io::Result<Side> {
    // SAFETY: the caller has one thread (it is a program that has only just started), so no lock can be
    // held by a thread that does not exist in the copy.
    match checked(unsafe { libc::fork() }.into())? {
        0 => Ok(Side::Inner),
        pid => Ok(Side::Outer(pid as u32)),
    }
}

/// Ends this process without running anything else.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

fn text(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// `mount(2)`; absent texts are null.
pub(super) fn mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let source = source.map(text).transpose()?;
    let target = text(target)?;
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: every pointer is null or to a NUL-ended text that lives until the call is over; where the kernel
    // reads a page of options it stops at the end of the mapping.
    checked(
        unsafe {
            libc::mount(
                pointer(source.as_deref()),
                target.as_ptr(),
                pointer(kind),
                flags,
                pointer(options).cast(),
            )
        }
        .into(),
    )
    .map(drop)
}

/// Makes the current directory the root, and takes the old root away.
pub(super) fn swap_root_to_here() -> io::Result<()> {
    let here = c".".as_ptr();
    // SAFETY: both pointers are to a static NUL-ended text.
    unsafe {
        checked(libc::syscall(libc::SYS_pivot_root, here, here))?;
        checked(libc::umount2(here, libc::MNT_DETACH).into()).map(drop)
    }
}

/// A system call that is asked only to see who refuses it.
///
/// Each has arguments with which it does nothing, or nothing outside of this process, if nobody refuses it:
/// null pointers, invalid descriptors, an unknown command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    number: libc::c_long,
    arguments: [libc::c_long; 4],
}

impl Call {
    /// The call of an attempt, or nothing where the attempt is no bare call. `outside` is a process to aim at.
    pub(super) fn of(attempt: &str, outside: u32) -> Option<Call> {
        let stream = libc::SOCK_STREAM.into();
        let raw = libc::SOCK_RAW.into();
        let (number, arguments): (libc::c_long, [libc::c_long; 4]) = match attempt {
            "socket-inet6" => (libc::SYS_socket, [libc::AF_INET6.into(), stream, 0, 0]),
            "socket-netlink" => (libc::SYS_socket, [libc::AF_NETLINK.into(), raw, 0, 0]),
            "socket-raw" => (libc::SYS_socket, [libc::AF_INET.into(), raw, libc::IPPROTO_ICMP.into(), 0]),
            "socket-packet" => (libc::SYS_socket, [libc::AF_PACKET.into(), raw, 0, 0]),
            "socket-vsock" => (libc::SYS_socket, [libc::AF_VSOCK.into(), stream, 0, 0]),
            "socket-alg" => (libc::SYS_socket, [libc::AF_ALG.into(), libc::SOCK_SEQPACKET.into(), 0, 0]),
            "socket-pair" => (libc::SYS_socketpair, [libc::AF_UNIX.into(), stream, 0, 0]),
            "io-uring" => (libc::SYS_io_uring_setup, [0; 4]),
            // 0x4206 is PTRACE_SEIZE; no process has the number 0.
            "trace-outside" => (libc::SYS_ptrace, [0x4206, 0, 0, 0]),
            "memory-outside" => (libc::SYS_process_vm_readv, [outside.into(), 0, 0, 0]),
            "limits-outside" => (libc::SYS_prlimit64, [outside.into(), libc::RLIMIT_CORE.into(), 0, 0]),
            "pidfd-open" => (libc::SYS_pidfd_open, [outside.into(), 0, 0, 0]),
            "make-node" => (libc::SYS_mknodat, [-1, 0, 0, 0]),
            "truncate-path" => (libc::SYS_truncate, [0; 4]),
            "change-attributes" => (libc::SYS_setxattr, [0; 4]),
            "open-by-handle" => (libc::SYS_open_by_handle_at, [-1, 0, 0, 0]),
            "mount" => (libc::SYS_mount, [0; 4]),
            "unmount" => (libc::SYS_umount2, [0; 4]),
            "pivot-root" => (libc::SYS_pivot_root, [0; 4]),
            "change-root" => (libc::SYS_chroot, [0; 4]),
            "unshare" => (libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0]),
            "enter-namespace" => (libc::SYS_setns, [-1, 0, 0, 0]),
            "shared-memory" => (libc::SYS_shmget, [0; 4]),
            "message-queue" => (libc::SYS_mq_open, [0; 4]),
            "anonymous-file" => (libc::SYS_memfd_create, [0; 4]),
            "executable-memory" => (libc::SYS_mprotect, [0, 0, libc::PROT_EXEC.into(), 0]),
            "keyring" => (libc::SYS_keyctl, [-1, 0, 0, 0]),
            "bpf" => (libc::SYS_bpf, [-1, 0, 0, 0]),
            "performance-events" => (libc::SYS_perf_event_open, [0; 4]),
            "user-faults" => (libc::SYS_userfaultfd, [-1, 0, 0, 0]),
            "change-identity" => (libc::SYS_setuid, [-1, 0, 0, 0]),
            "set-clock" => (libc::SYS_clock_settime, [-1, 0, 0, 0]),
            "set-host-name" => (libc::SYS_sethostname, [0, -1, 0, 0]),
            "load-module" => (libc::SYS_init_module, [0; 4]),
            "restart-machine" => (libc::SYS_reboot, [0; 4]),
            // On no list of the filter; -1 is no flag that it knows.
            "unlisted" => (libc::SYS_inotify_init1, [-1, 0, 0, 0]),
            _ => return None,
        };
        Some(Call { number, arguments })
    }

    /// Asks.
    pub(super) fn ask(self) -> io::Result<()> {
        let [a, b, c, d] = self.arguments;
        // SAFETY: only the calls listed above can stand here. Every pointer argument is null, so the kernel
        // reads and writes no memory of this process; a descriptor that one might open is never owned by Rust.
        checked(unsafe { libc::syscall(self.number, a, b, c, d, 0, 0) }).map(drop)
    }
}
