//! What the tests share: establishing with this executable or with a liar, and waiting for ends.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::rehearse::isolation::{Confinement, IsolationError, Wanted};

/// Time for a liar's steps: a test of a child that hangs takes this long.
pub(crate) const SHORT: Duration = Duration::from_millis(700);
/// Longest wait for something that must happen by itself.
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn own_executable() -> PathBuf {
    std::env::current_exe().expect("a path")
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn establish(scratch: &Path, level: Level) -> Confinement {
    Confinement::establish(&own_executable(), scratch, Wanted::Exactly(level))
        .unwrap_or_else(|error| panic!("level {level}: {error}"))
}

/// Establishes with a shell script as the executable. `control` and `leg` are what the script does as the one and as
/// the other; `$real` is this executable.
pub(crate) fn establish_with(
    scratch: &Path,
    level: Level,
    control: &str,
    leg: &str,
) -> Result<Confinement, IsolationError> {
    let programs = tempfile::tempdir().expect("a directory");
    let script = programs.path().join("liar");
    let real = own_executable();
    let text = format!(
        "#!/bin/sh\nreal='{}'\ncase $2 in\ncontrol)\n{control}\n;;\n*)\n{leg}\n;;\nesac\n",
        real.display()
    );
    std::fs::write(&script, text).expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("own file");
    Confinement::establish_within(&script, scratch, Wanted::Exactly(level), SHORT)
}

/// What an honest script does.
pub(crate) const HONEST: &str = "exec \"$real\" \"$@\"";

/// Waits until `condition` holds.
pub(crate) fn soon(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < SOON, "{what}");
        std::thread::yield_now();
    }
}

/// Processes whose environment or command line belongs to this scratch directory: their working directory is in it.
pub(crate) fn processes_in(scratch: &Path) -> Vec<u32> {
    let scratch = scratch.canonicalize().expect("a directory");
    let pids = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let place = std::fs::read_link(format!("/proc/{pid}/cwd"));
        place.is_ok_and(|place| place.to_string_lossy().contains(&*scratch.to_string_lossy()))
    })
    .collect()
}

pub(crate) fn nothing_left(scratch: &Path) {
    assert_eq!(crate::entries(scratch), Vec::<PathBuf>::new(), "files are left behind");
    soon("processes are left behind", || processes_in(scratch).is_empty());
}
