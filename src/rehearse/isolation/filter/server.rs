//! What a database server needs besides: processes, programs, and sockets of its own machine.
//!
//! Owns: the difference between the two filters. Must not: open anything that leaves the machine or the
//! namespaces: sockets are of the unix domain alone, and where such a one may lie the mount namespace and Landlock
//! decide; signals reach the process namespace alone, shared memory the ipc namespace.

use super::{Rules, is_not, rule};

/// Calls that pass besides those that SQLite needs.
pub(super) fn needed() -> Vec<i64> {
    #[rustfmt::skip]
    let mut calls = vec![
        // Sockets: `socket` itself is bounded by its domain
        libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept4, libc::SYS_accept,
        libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_shutdown,
        libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_getsockname, libc::SYS_getpeername,
        libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_signalfd4,
        // Processes and programs
        libc::SYS_execve, libc::SYS_kill, libc::SYS_tgkill, libc::SYS_waitid, libc::SYS_setsid, libc::SYS_setpgid,
        libc::SYS_setitimer, libc::SYS_getitimer, libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait,
        libc::SYS_getpriority, libc::SYS_setpriority,
        // Shared memory of the ipc namespace: the lock against a second server on one directory
        libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_shmdt,
        // Files: the mount namespace decides where
        libc::SYS_linkat, libc::SYS_fchmodat, libc::SYS_truncate,
    ];
    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    calls.extend([
        libc::SYS_fork, libc::SYS_vfork, libc::SYS_arch_prctl, libc::SYS_epoll_wait, libc::SYS_epoll_create,
        libc::SYS_link, libc::SYS_chmod, libc::SYS_alarm, libc::SYS_pause,
    ]);
    calls
}

/// Changes the denials accordingly.
pub(super) fn permit(denials: &mut Rules) -> Result<(), seccompiler::Error> {
    for call in needed() {
        denials.remove(&call);
    }
    denials.insert(libc::SYS_socket, vec![rule(&[is_not(0, libc::AF_UNIX as u64)])?]);
    // A program's code is mapped when it is started; what is mapped can still not be made executable later.
    denials.remove(&libc::SYS_mmap);
    // A server's processes ask to be killed with it.
    let named = [libc::PR_SET_NAME, libc::PR_GET_NAME, super::PR_SET_VMA, libc::PR_SET_PDEATHSIG];
    denials.insert(libc::SYS_prctl, vec![rule(&named.map(|option| is_not(0, option as u64)))?]);
    Ok(())
}
