//! Both levels, the best one, and what is said where one is not available.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode};

use fix7_ledger::canon;
use fix7_ledger::evidence::isolation::{IsolationProof, Level};
use fix7_ledger::rehearse::isolation::{Confinement, IsolationError, Wanted, reachable};
use fix7_ledger::verdict::Code;

use crate::support::{establish, nothing_left, own_executable};
use crate::{Test, scratch};

pub(crate) const TESTS: &[Test] = &[
    ("both_levels_are_proven_and_repeat_to_the_byte", both_levels_are_proven_and_repeat_to_the_byte),
    ("the_best_level_is_three_here", the_best_level_is_three_here),
    (
        "without_user_namespaces_the_best_is_two_and_says_why",
        without_user_namespaces_the_best_is_two_and_says_why,
    ),
    ("without_landlock_there_is_no_level", without_landlock_there_is_no_level),
    ("any_contact_makes_it_unproven", any_contact_makes_it_unproven),
    ("a_place_that_cannot_serve_is_named", a_place_that_cannot_serve_is_named),
    ("the_doctor_tries_both_levels", the_doctor_tries_both_levels),
];

fn both_levels_are_proven_and_repeat_to_the_byte() {
    let scratch = scratch();
    for level in Level::ALL {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let confinement = establish(scratch.path(), level);
            assert_eq!(confinement.opening().faults(level), Vec::new());
            seen.push(canon::to_vec(confinement.opening()).expect("a document"));
            let closing = confinement.close().expect("nobody came");
            seen.push(canon::to_vec(&closing.proof).expect("a document"));
            assert_eq!(closing.run.children, 2);
            assert_eq!(closing.run.not_reached, None);
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
    }
    nothing_left(scratch.path());
}

/// The verb of [`print_proof`].
pub(crate) const PROOF: &str = "--proof";

/// The `--proof` verb: `2`, `3` or `best`, and `landlock` for a process in which Landlock does not exist.
pub(crate) fn print_proof(wanted: &str) -> ExitCode {
    let level = match wanted {
        "2" | "landlock" => Wanted::Exactly(Level::Two),
        "3" => Wanted::Exactly(Level::Three),
        _ => Wanted::Best,
    };
    if wanted == "landlock" {
        deny_landlock();
    }
    let scratch = scratch();
    match Confinement::establish(&own_executable(), scratch.path(), level).and_then(Confinement::close) {
        Ok(closing) => {
            let bytes = canon::to_vec(&closing.proof).expect("a document");
            crate::say(&String::from_utf8(bytes).expect("UTF-8"));
            crate::say(&closing.run.not_reached.unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            crate::say(&format!("{:?}", error.reasons()[0].code));
            crate::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// As an older kernel, or a container that does not know the calls.
fn deny_landlock() {
    let rules = [(libc::SYS_landlock_create_ruleset, Vec::new())].into_iter().collect();
    let denied = seccompiler::SeccompAction::Errno(libc::ENOSYS as u32);
    let arch = std::env::consts::ARCH.try_into().expect("a known architecture");
    let filter = seccompiler::SeccompFilter::new(rules, seccompiler::SeccompAction::Allow, denied, arch);
    let program: seccompiler::BpfProgram = filter.expect("a filter").try_into().expect("a program");
    seccompiler::apply_filter(&program).expect("a kernel with filters");
}

fn proof_of(command: &mut Command) -> (bool, Vec<String>) {
    let output = command.output().expect("it runs");
    let lines = String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect();
    (output.status.success(), lines)
}

fn the_best_level_is_three_here() {
    let (proven, lines) = proof_of(Command::new(own_executable()).args([PROOF, "best"]));
    assert!(proven, "{lines:?}");
    let proof: IsolationProof = canon::from_slice(lines[0].as_bytes()).expect("a proof");
    assert_eq!((proof.level, lines[1].as_str()), (Level::Three, ""));
}

fn without_user_namespaces_the_best_is_two_and_says_why() {
    // A setting of a user namespace of its own: nothing outside of it changes.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" --proof \"$1\"";
    let inside = |wanted| {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", script]).arg(own_executable()).arg(wanted);
        command
    };
    let (proven, lines) = proof_of(&mut inside("best"));
    assert!(proven, "{lines:?}");
    let proof: IsolationProof = canon::from_slice(lines[0].as_bytes()).expect("a proof");
    assert_eq!(proof.level, Level::Two);
    assert!(lines[1].contains("user-namespace: unshare: ENOSPC"), "{lines:?}");
    let (proven, lines) = proof_of(&mut inside("3"));
    assert!(!proven && lines[0] == "IsolationUnavailable", "{lines:?}");
    // At the same level the bytes are the same, whoever the user is.
    let (_, own) = proof_of(Command::new(own_executable()).args([PROOF, "2"]));
    let (_, other) = proof_of(&mut inside("2"));
    assert_eq!(own, other);
}

fn without_landlock_there_is_no_level() {
    let (proven, lines) = proof_of(Command::new(own_executable()).args([PROOF, "landlock"]));
    assert!(!proven);
    assert_eq!(lines[0], "IsolationUnavailable");
    assert!(lines[1].contains("landlock: restricting"), "{lines:?}");
}

fn any_contact_makes_it_unproven() {
    let scratch = scratch();
    for way in ["none", "tcp", "udp", "unix_path", "unix_abstract"] {
        let confinement = establish(scratch.path(), Level::Two);
        let places = confinement.listening();
        match way {
            "tcp" => drop(TcpStream::connect(places.tcp).expect("it listens")),
            "udp" => {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
                socket.send_to(b"x", places.udp).expect("it listens");
            }
            "unix_path" => {
                let mut stream = UnixStream::connect(&places.unix_path).expect("it listens");
                stream.write_all(b"x").expect("it listens");
            }
            "unix_abstract" => {
                let address = SocketAddr::from_abstract_name(&places.unix_abstract).expect("a name");
                drop(UnixStream::connect_addr(&address).expect("it listens"));
            }
            _ => {}
        }
        match (way, confinement.close()) {
            ("none", closing) => assert_eq!(closing.expect("nobody came").proof.counters.total(), 0),
            (_, Err(error @ IsolationError::NotProven(_))) => {
                let reasons = error.reasons();
                assert!(reasons.iter().all(|reason| reason.code == Code::IsolationNotProven));
                assert!(reasons.iter().any(|reason| reason.object.ends_with(&format!("counters/{way}"))));
            }
            (_, other) => panic!("{way}: {other:?}"),
        }
        nothing_left(scratch.path());
    }
}

fn a_place_that_cannot_serve_is_named() {
    let scratch = scratch();
    let long = scratch.path().join("x".repeat(100));
    std::fs::create_dir(&long).expect("own directory");
    for (place, word) in [(long.as_path(), "107 bytes"), (&scratch.path().join("none"), "finding")] {
        match Confinement::establish(&own_executable(), place, Wanted::Best).err() {
            Some(error @ IsolationError::Io { .. }) => assert!(error.to_string().contains(word), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    nothing_left(&long);
}

fn the_doctor_tries_both_levels() {
    let scratch = scratch();
    let reports = reachable(&own_executable(), scratch.path());
    let levels: Vec<_> = reports.iter().map(|report| report.level).collect();
    assert_eq!(levels, Level::ALL);
    assert!(reports.iter().all(|report| report.outcome.is_ok() && report.hint.is_none()));
    let reports = reachable(Path::new("/nonexistent"), scratch.path());
    assert!(reports.iter().all(|report| matches!(report.outcome, Err(IsolationError::Io { .. }))));
    nothing_left(scratch.path());
}
