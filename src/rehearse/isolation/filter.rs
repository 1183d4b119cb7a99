//! The system-call filter: what the engine needs, and nothing else.
//!
//! Owns: the two lists, their programs and the digest over them. Must not: depend on anything but the
//! architecture, so that the digest in the evidence is the same on every machine of one architecture.
//!
//! ```text
//! program 1   listed as needed → as always    anything else → ENOSYS   (a C library then takes its older way)
//! program 2   listed as denied → ENOANO       anything else → as always
//! ```
//!
//! The kernel runs both; of two answers with an errno the later program's wins, so a denied call gives
//! `ENOANO`, which Linux itself gives for none of them: the answer can only be the filter's. Calls of another
//! architecture kill the process (both programs start with that check), and numbers of the x32 ABI are
//! on no list, so they get `ENOSYS`.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::digest::{Digest, Hasher};
use crate::evidence::EngineName;

mod server;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filter, ready to be put on.
pub(super) struct Filter {
    programs: [BpfProgram; 2],
}

impl Filter {
    /// Compiles the filter of an engine for this architecture.
    pub(super) fn compile(engine: EngineName) -> Result<Filter, String> {
        let arch = architecture().ok_or("no filter is known for this architecture")?;
        let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
        let denied = SeccompAction::Errno(libc::ENOANO as u32);
        let program = |rules: Rules, otherwise: SeccompAction, listed: SeccompAction| {
            let filter = SeccompFilter::new(rules, otherwise, listed, arch).map_err(|e| e.to_string())?;
            BpfProgram::try_from(filter).map_err(|e| e.to_string())
        };
        Ok(Filter {
            programs: [
                program(needed(engine), unknown, SeccompAction::Allow)?,
                program(denials(engine).map_err(|e| e.to_string())?, SeccompAction::Allow, denied)?,
            ],
        })
    }

    /// SHA-256 over the programs' instructions, each as 8 bytes: code, jt, jf, k (little-endian).
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = Hasher::labelled("fix7.seccomp/v1");
        for program in &self.programs {
            let bytes: Vec<u8> = program
                .iter()
                .flat_map(|i| {
                    let ([c0, c1], [k0, k1, k2, k3]) = (i.code.to_le_bytes(), i.k.to_le_bytes());
                    [c0, c1, i.jt, i.jf, k0, k1, k2, k3]
                })
                .collect();
            hasher.framed(&bytes);
        }
        hasher.finish()
    }

    /// Puts both programs on this thread (the process has no other), for good.
    pub(super) fn put_on(&self) -> Result<(), String> {
        self.programs.iter().try_for_each(|p| seccompiler::apply_filter(p).map_err(|e| e.to_string()))
    }
}

fn architecture() -> Option<TargetArch> {
    match () {
        () if cfg!(target_arch = "x86_64") => Some(TargetArch::x86_64),
        () if cfg!(target_arch = "aarch64") => Some(TargetArch::aarch64),
        () if cfg!(target_arch = "riscv64") => Some(TargetArch::riscv64),
        () => None,
    }
}

/// Calls that pass: files by path (Landlock and the mount namespace decide), memory, threads, time, own state.
fn needed(engine: EngineName) -> Rules {
    #[rustfmt::skip]
    let mut calls = vec![
        // Files
        libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
        libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_openat, libc::SYS_openat2,
        libc::SYS_close, libc::SYS_close_range, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
        libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getcwd, libc::SYS_chdir,
        libc::SYS_fchdir, libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2,
        libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range,
        libc::SYS_flock, libc::SYS_fcntl, libc::SYS_ioctl, libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2,
        libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_getdents64, libc::SYS_fstatfs,
        libc::SYS_statfs, libc::SYS_fadvise64, libc::SYS_readahead, libc::SYS_copy_file_range, libc::SYS_sendfile,
        libc::SYS_umask,
        // By descriptor only, and descriptors exist only for the clone's files: SQLite gives a journal its database's
        // mode and owner.
        libc::SYS_fchmod, libc::SYS_fchown,
        // Memory
        libc::SYS_mmap, libc::SYS_mremap, libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_madvise, libc::SYS_msync,
        libc::SYS_mincore, libc::SYS_brk,
        // Threads
        libc::SYS_clone, libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_set_robust_list, libc::SYS_set_tid_address,
        libc::SYS_rseq, libc::SYS_membarrier, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
        libc::SYS_sched_getparam, libc::SYS_sched_getscheduler, libc::SYS_getcpu, libc::SYS_exit, libc::SYS_exit_group,
        libc::SYS_restart_syscall, libc::SYS_wait4,
        // Signals to itself, by the kernel only
        libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
        libc::SYS_sigaltstack,
        // Own state and time
        libc::SYS_getpid, libc::SYS_gettid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
        libc::SYS_getegid, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_getpgid,
        libc::SYS_getsid, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrusage, libc::SYS_times, libc::SYS_getrlimit,
        libc::SYS_prlimit64, libc::SYS_prctl, libc::SYS_clock_gettime, libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getrandom,
        // Only so that the second program can be put on after the first; it denies the call itself.
        libc::SYS_seccomp,
    ];
    #[cfg(not(target_arch = "riscv64"))] // it has renameat2 alone
    calls.push(libc::SYS_renameat);
    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    calls.extend([
        libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
        libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_dup2, libc::SYS_pipe,
        libc::SYS_poll, libc::SYS_select, libc::SYS_getdents, libc::SYS_time, libc::SYS_getpgrp,
    ]);
    if engine == EngineName::Postgresql {
        calls.extend(server::needed());
    }
    calls.into_iter().map(|number| (number, Vec::new())).collect()
}

/// Calls that are denied by name, always or for some arguments.
fn denials(engine: EngineName) -> Result<Rules, seccompiler::Error> {
    #[rustfmt::skip]
    let mut calls = vec![
        // Any contact: no socket of any domain can be made, and none is ever given
        libc::SYS_socket, libc::SYS_socketpair, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept4,
        libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg,
        libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
        // Other programs and processes
        libc::SYS_execve, libc::SYS_execveat, libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo, libc::SYS_pidfd_open, libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal, libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev,
        libc::SYS_process_madvise, libc::SYS_kcmp,
        // What Landlock does not mediate, or only on newer kernels
        libc::SYS_fchmodat, libc::SYS_fchownat, libc::SYS_utimensat, libc::SYS_setxattr, libc::SYS_lsetxattr,
        libc::SYS_fsetxattr, libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr, libc::SYS_truncate,
        libc::SYS_symlinkat, libc::SYS_linkat, libc::SYS_mknodat, libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        // Another view of the system
        libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_move_mount,
        libc::SYS_open_tree, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
        libc::SYS_mount_setattr, libc::SYS_unshare, libc::SYS_setns,
        // Memory and queues that others can share
        libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_msgget, libc::SYS_msgsnd, libc::SYS_msgrcv,
        libc::SYS_msgctl, libc::SYS_semget, libc::SYS_semop, libc::SYS_semctl, libc::SYS_semtimedop, libc::SYS_mq_open,
        libc::SYS_mq_unlink, libc::SYS_memfd_create, libc::SYS_memfd_secret,
        // The kernel's own machines
        libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl, libc::SYS_bpf, libc::SYS_perf_event_open,
        libc::SYS_userfaultfd, libc::SYS_fanotify_init, libc::SYS_seccomp,
        // Identity and the machine
        libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid,
        libc::SYS_setresgid, libc::SYS_setfsuid, libc::SYS_setfsgid, libc::SYS_setgroups, libc::SYS_capset,
        libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex,
        libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_init_module, libc::SYS_finit_module,
        libc::SYS_delete_module, libc::SYS_kexec_load, libc::SYS_reboot, libc::SYS_swapon, libc::SYS_swapoff,
        libc::SYS_acct, libc::SYS_quotactl, libc::SYS_syslog, libc::SYS_vhangup, libc::SYS_personality,
    ];
    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    calls.extend([
        libc::SYS_accept, libc::SYS_fork, libc::SYS_vfork, libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown,
        libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_symlink, libc::SYS_link, libc::SYS_mknod,
        libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt,
    ]);
    let mut rules: Rules = calls.into_iter().map(|number| (number, Vec::new())).collect();
    // A new thread passes, a new process or a new namespace does not.
    let mut clone = match engine {
        EngineName::Sqlite => vec![rule(&[has(0, libc::CLONE_THREAD as u64, 0)])?],
        EngineName::Postgresql => Vec::new(),
    };
    for flag in [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ] {
        clone.push(rule(&[has(0, flag as u64, flag as u64)])?);
    }
    rules.insert(libc::SYS_clone, clone);
    // Memory is never both written and run: all code was mapped before the filter was put on.
    let executable = libc::PROT_EXEC as u64;
    for number in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        rules.insert(number, vec![rule(&[has(2, executable, executable)])?]);
    }
    // Own limits only.
    rules.insert(libc::SYS_prlimit64, vec![rule(&[is_not(0, 0)])?]);
    // A pipe's owner could be made to get a signal, SIGKILL among them.
    let owner = [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX];
    let owner: Result<_, _> = owner.iter().map(|command| rule(&[is(1, *command as u64)])).collect();
    rules.insert(libc::SYS_fcntl, owner?);
    // Thread names, and names of memory areas (for people who look); everything else could undo the rest.
    let named = [libc::PR_SET_NAME, libc::PR_GET_NAME, PR_SET_VMA].map(|option| is_not(0, option as u64));
    rules.insert(libc::SYS_prctl, vec![rule(&named)?]);
    // Copies that share blocks, whether something is a terminal, close-on-exec: no terminal input, no devices.
    let harmless = [FICLONE, FICLONERANGE, TCGETS, FIOCLEX].map(|request| is_not(1, request));
    rules.insert(libc::SYS_ioctl, vec![rule(&harmless)?]);
    if engine == EngineName::Postgresql {
        server::permit(&mut rules)?;
    }
    Ok(rules)
}

/// `fcntl` commands that the C library keeps to itself (`asm-generic/fcntl.h`).
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
/// `prctl` option by which allocators name their memory.
const PR_SET_VMA: i32 = 0x5356_4d41;
/// `ioctl` requests, the same on all architectures that the filter knows.
const FICLONE: u64 = 0x4004_9409;
const FICLONERANGE: u64 = 0x4020_940d;
const TCGETS: u64 = 0x5401;
const FIOCLEX: u64 = 0x5451;

struct Condition(u8, SeccompCmpOp, u64);

fn has(argument: u8, mask: u64, value: u64) -> Condition {
    Condition(argument, SeccompCmpOp::MaskedEq(mask), value)
}
fn is(argument: u8, value: u64) -> Condition {
    Condition(argument, SeccompCmpOp::Eq, value)
}
fn is_not(argument: u8, value: u64) -> Condition {
    Condition(argument, SeccompCmpOp::Ne, value)
}

/// A rule matches when all its conditions do. The kernel looks at the low 32 bits of these arguments.
fn rule(conditions: &[Condition]) -> Result<SeccompRule, seccompiler::Error> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|Condition(n, op, value)| SeccompCondition::new(*n, SeccompCmpArgLen::Dword, op.clone(), *value))
        .collect();
    Ok(SeccompRule::new(conditions?)?)
}

#[cfg(test)]
mod tests;
