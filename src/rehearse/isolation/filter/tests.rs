use super::*;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const DENIED: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOANO as u32;
/// Bit 30 of a number: the x32 ABI of x86-64.
const X32: i64 = 0x4000_0000;
const OWN_ARCH: u32 = match () {
    () if cfg!(target_arch = "x86_64") => 0xC000_003E,
    () if cfg!(target_arch = "aarch64") => 0xC000_00B7,
    () => 0xC000_00F3,
};

/// Runs a program as the kernel does: `struct seccomp_data` is number, arch, pointer, six arguments.
fn run(program: &BpfProgram, arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend((number as u32).to_le_bytes());
    data.extend(arch.to_le_bytes());
    data.extend(0u64.to_le_bytes());
    arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
    let (mut accumulator, mut at) = (0u32, 0usize);
    loop {
        let i = &program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { i.jt } else { i.jf });
        match i.code {
            0x20 => {
                let word = &data[i.k as usize..i.k as usize + 4];
                accumulator = u32::from_le_bytes(word.try_into().expect("four bytes"));
            }
            0x05 => at += i.k as usize,
            0x15 => at += jump(accumulator == i.k),
            0x25 => at += jump(accumulator > i.k),
            0x35 => at += jump(accumulator >= i.k),
            0x45 => at += jump(accumulator & i.k != 0),
            0x54 => accumulator &= i.k,
            0x06 => return i.k,
            code => panic!("instruction {code:#x} is not known to this test"),
        }
    }
}

/// The kernel's choice: the later program's answer, unless the earlier one's is of a graver kind.
fn answer_of_arch(arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
    answer_for(EngineName::Sqlite, arch, number, arguments)
}
fn answer_for(engine: EngineName, arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
    let filter = Filter::compile(engine).expect("this architecture");
    let [needed, denied] = filter.programs.each_ref().map(|p| run(p, arch, number, arguments));
    let gravity = |answer: u32| (answer & 0xFFFF_0000) as i32;
    if gravity(needed) < gravity(denied) { needed } else { denied }
}
fn answer(number: i64, arguments: [u64; 6]) -> u32 {
    answer_of_arch(OWN_ARCH, number, arguments)
}
fn first(argument: u64) -> [u64; 6] {
    [argument, 0, 0, 0, 0, 0]
}

#[test]
fn every_number_is_either_listed_or_unknown() {
    let (needed, denied) = (needed(EngineName::Sqlite), denials(EngineName::Sqlite).expect("rules"));
    let plain = |rules: &Rules, number: i64| rules.get(&number).is_some_and(|rules| rules.is_empty());
    let (mut passed, mut refused) = (0, 0);
    for number in -1..2000 {
        let expected = match number {
            n if plain(&denied, n) => DENIED,
            n if denied.contains_key(&n) => continue, // by argument: below
            n if needed.contains_key(&n) => ALLOW,
            _ => UNKNOWN,
        };
        assert_eq!(answer(number, [0; 6]), expected, "{number}");
        assert_eq!(answer(number, [u64::MAX; 6]), expected, "{number}");
        passed += u32::from(expected == ALLOW);
        refused += u32::from(expected == DENIED);
    }
    assert!(passed > 80 && refused > 80, "{passed} {refused}");
}

#[test]
fn another_architecture_is_killed_and_x32_is_unknown() {
    for arch in [0x4000_0003, 0x4000_0028, 0, u32::MAX] {
        for number in 0..500 {
            assert_eq!(answer_of_arch(arch, number, [0; 6]), KILL, "{arch:#x} {number}");
        }
    }
    for number in 0..600 {
        assert_eq!(answer(number | X32, [0; 6]), UNKNOWN, "{number}");
    }
}

#[test]
fn threads_pass_and_processes_and_namespaces_do_not() {
    let thread = 0x003d_0f00; // what glibc passes for pthread_create
    assert_eq!(answer(libc::SYS_clone, first(thread)), ALLOW);
    assert_eq!(answer(libc::SYS_clone, first(libc::SIGCHLD as u64)), DENIED, "fork");
    assert_eq!(answer(libc::SYS_clone, first(0x4100 | libc::SIGCHLD as u64)), DENIED, "vfork");
    for bit in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWPID] {
        assert_eq!(answer(libc::SYS_clone, first(thread | bit as u64)), DENIED, "{bit:#x}");
    }
    assert_eq!(answer(libc::SYS_clone3, [0; 6]), UNKNOWN, "the C library falls back to clone");
}

#[test]
fn arguments_decide_where_a_call_has_two_faces() {
    let exec = libc::PROT_EXEC as u64;
    for number in [libc::SYS_mmap, libc::SYS_mprotect] {
        assert_eq!(answer(number, [0, 4096, 3, 0, 0, 0]), ALLOW);
        for protection in [exec, exec | 1, 7, exec | 1 << 40] {
            assert_eq!(answer(number, [0, 4096, protection, 0, 0, 0]), DENIED);
        }
    }
    for (number, argument, passes, denied) in [
        (libc::SYS_prlimit64, 0, vec![0], vec![1, 4000]),
        (libc::SYS_prctl, 0, vec![15, 16, 0x5356_4d41], vec![1, 2, 4, 22, 38, 47]),
        (libc::SYS_ioctl, 1, vec![FICLONE, FICLONERANGE, TCGETS, FIOCLEX], vec![0x5412, 0x541c, 0x8901]),
        (libc::SYS_fcntl, 1, vec![0, 1, 3, 6, 7, 1030], vec![8, 10, 15]),
    ] {
        for value in passes {
            let mut arguments = [0; 6];
            arguments[argument] = value;
            assert_eq!(answer(number, arguments), ALLOW, "{number} {value}");
        }
        for value in denied {
            let mut arguments = [0; 6];
            arguments[argument] = value;
            assert_eq!(answer(number, arguments), DENIED, "{number} {value}");
            arguments[argument] = value | 1 << 32; // the kernel looks at the low half only
            assert_eq!(answer(number, arguments), DENIED, "{number} {value} with a high half");
        }
    }
}

#[test]
fn the_digest_is_the_same_each_time_and_changes_with_the_program() {
    let compile = || Filter::compile(EngineName::Sqlite).expect("this architecture");
    assert_eq!(compile().digest(), compile().digest());
    let mut other = compile();
    other.programs[1].swap(3, 4);
    assert_ne!(other.digest(), compile().digest());
}

#[test]
fn a_server_may_fork_and_use_unix_sockets_and_nothing_leaves_the_machine() {
    let server = |number, arguments| answer_for(EngineName::Postgresql, OWN_ARCH, number, arguments);
    assert_eq!(server(libc::SYS_socket, first(libc::AF_UNIX as u64)), ALLOW);
    for domain in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
        assert_eq!(server(libc::SYS_socket, first(domain as u64)), DENIED, "{domain}");
    }
    assert_eq!(server(libc::SYS_clone, first(libc::SIGCHLD as u64)), ALLOW);
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWPID] {
        assert_eq!(server(libc::SYS_clone, first(flag as u64 | libc::SIGCHLD as u64)), DENIED, "{flag:#x}");
    }
    assert_eq!(server(libc::SYS_execve, [0; 6]), ALLOW);
    assert_eq!(answer(libc::SYS_execve, [0; 6]), DENIED, "the library's filter stays as it was");
    for number in [libc::SYS_mount, libc::SYS_ptrace, libc::SYS_setuid, libc::SYS_io_uring_setup] {
        assert_eq!(server(number, [0; 6]), DENIED, "{number}");
    }
}
