//! Installing the hooks, without ever taking one away from somebody.
//!
//! Owns: the shims' text, where git looks for hooks (it is git that is asked: `core.hooksPath` may stand
//! in any configuration), chaining an earlier hook, and the state of each. Must not: overwrite.
//!
//! ```text
//! pre-push                        the shim: decides first, then runs the earlier hook with the same input
//! pre-push.before-fix7-ledger     the hook that was here; `uninstall` gives it its name back
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{Surroundings, git};
use super::durable::{Pending, create_directories, sync_directory};
use super::error::{At as _, Error, Result};
use super::repository::Repository;
use crate::verdict::Code;

/// What an earlier hook is called while ours stands in its place.
const KEPT: &str = ".before-fix7-ledger";
/// The second line of every shim begins like this.
const MARK: &str = "\n# fix7-ledger hook, version ";
/// The line of a shim that names the program.
const PROGRAM: &str = "program=fix7-ledger\n";
/// Bytes of a file that is looked at to tell whose hook it is.
const MAX_HOOK_BYTES: u64 = 1 << 20;
/// How long git may take to answer about its own settings.
const PATIENCE: Duration = Duration::from_secs(20);

/// The hooks that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookKind {
    /// The client's, before a commit.
    PreCommit,
    /// The client's, before a push.
    PrePush,
    /// The server's, before a push is accepted: the one that decides.
    PreReceive,
}

impl HookKind {
    /// Every kind.
    pub const ALL: [HookKind; 3] = [HookKind::PreCommit, HookKind::PrePush, HookKind::PreReceive];

    /// Git's name for it.
    pub fn name(self) -> &'static str {
        match self {
            HookKind::PreCommit => "pre-commit",
            HookKind::PrePush => "pre-push",
            HookKind::PreReceive => "pre-receive",
        }
    }

    fn shim(self) -> &'static str {
        match self {
            HookKind::PreCommit => include_str!("../../hooks/pre-commit"),
            HookKind::PrePush => include_str!("../../hooks/pre-push"),
            HookKind::PreReceive => include_str!("../../hooks/pre-receive"),
        }
    }
}

/// Whether a hook does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// Ours, executable, and the program that it names is there.
    Live,
    /// There is no such hook.
    Missing,
    /// Somebody else's hook stands there, ours does not.
    Foreign,
    /// Ours, but git does not run it: it is not executable.
    NotExecutable,
    /// Ours, but the program that it names is not there: it refuses everything.
    ProgramMissing,
}

/// One hook as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStatus {
    /// Which.
    pub kind: HookKind,
    /// Whether it does its work.
    pub state: HookState,
    /// Its file.
    pub path: PathBuf,
    /// Whether an earlier hook is run after ours.
    pub chained: bool,
}

impl Repository {
    /// Installs the hook, so that it runs `program` (an absolute path). An earlier hook is kept and run
    /// after ours with the same input. Installing twice changes nothing.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` where an earlier hook and one that was kept before are both there;
    /// `PATH_FORBIDDEN` where git looks for hooks outside of this repository.
    pub fn install_hook(
        &self,
        kind: HookKind,
        program: &Path,
        surroundings: &Surroundings,
    ) -> Result<HookStatus> {
        let directory = self.hooks_dir(surroundings)?;
        create_directories(&directory)?;
        let path = directory.join(kind.name());
        let kept = kept_path(&path);
        let wanted = render(kind, program)?;
        match read_hook(&path)? {
            Some(text) if text == wanted && is_executable(&path) => {}
            Some(text) if is_ours(&text) => write_hook(&path, &wanted)?,
            None => write_hook(&path, &wanted)?,
            Some(_) => {
                // A second name first: at no time is the earlier hook without one.
                if let Err(source) = fs::hard_link(&path, &kept) {
                    let taken = source.kind() == std::io::ErrorKind::AlreadyExists;
                    return match taken {
                        true => Err(Error::found(
                            Code::AlreadyExists,
                            kept.display(),
                            "an earlier hook was kept here before",
                        )),
                        false => Err(source).at("keep the earlier hook as", &kept),
                    };
                }
                write_hook(&path, &wanted)?;
            }
        }
        self.hook_status(kind, surroundings)
    }

    /// Takes our hook away and gives the earlier one its name back. Somebody else's hook is left alone.
    ///
    /// # Errors
    /// Where a file cannot be renamed or removed.
    pub fn uninstall_hook(&self, kind: HookKind, surroundings: &Surroundings) -> Result<HookStatus> {
        let directory = self.hooks_dir(surroundings)?;
        let path = directory.join(kind.name());
        if read_hook(&path)?.is_some_and(|text| is_ours(&text)) {
            let kept = kept_path(&path);
            match kept.symlink_metadata().is_ok() {
                true => fs::rename(&kept, &path).at("give back its name to", &kept)?,
                false => fs::remove_file(&path).at("remove", &path)?,
            }
            sync_directory(&directory)?;
        }
        self.hook_status(kind, surroundings)
    }

    /// How a hook stands.
    ///
    /// # Errors
    /// Where git cannot be asked, or the file not be read.
    pub fn hook_status(&self, kind: HookKind, surroundings: &Surroundings) -> Result<HookStatus> {
        let path = self.hooks_dir(surroundings)?.join(kind.name());
        let state = match read_hook(&path)? {
            None => HookState::Missing,
            Some(text) if !is_ours(&text) => HookState::Foreign,
            Some(_) if !is_executable(&path) => HookState::NotExecutable,
            Some(text) if !program_of(&text).is_some_and(|p| is_executable(Path::new(&p))) => {
                HookState::ProgramMissing
            }
            Some(_) => HookState::Live,
        };
        let chained = state != HookState::Foreign && is_executable(&kept_path(&path));
        Ok(HookStatus { kind, state, path, chained })
    }

    /// Makes the server's own settings as strict as git allows: objects are checked, branches are neither
    /// deleted nor rewound, shallow pushes are refused. They stand behind the hook, they do not replace it.
    ///
    /// # Errors
    /// Where git does not take a setting.
    pub fn harden_server(&self, surroundings: &Surroundings) -> Result<()> {
        for (key, value) in SERVER_SETTINGS {
            let output = git(&self.work_place(), &["config", "--local", key, value], surroundings, PATIENCE)?;
            if output.exit != Some(0) {
                return Err(Error::found(Code::Unreadable, key, output.stderr.trim()));
            }
        }
        Ok(())
    }

    /// The settings of [`Repository::harden_server`] that are not set, with the value they have.
    ///
    /// # Errors
    /// Where git cannot be asked.
    pub fn soft_settings(&self, surroundings: &Surroundings) -> Result<Vec<(&'static str, String)>> {
        let mut soft = Vec::new();
        for (key, wanted) in SERVER_SETTINGS {
            let output = git(&self.work_place(), &["config", "--get", key], surroundings, PATIENCE)?;
            if output.stdout.trim() != wanted {
                soft.push((key, output.stdout.trim().to_owned()));
            }
        }
        Ok(soft)
    }

    /// Where git looks for hooks. A directory that other repositories share is not ours to fill.
    fn hooks_dir(&self, surroundings: &Surroundings) -> Result<PathBuf> {
        let place = self.work_place();
        let output = git(&place, &["rev-parse", "--git-path", "hooks"], surroundings, PATIENCE)?;
        let said = output.stdout.trim_end_matches('\n');
        if output.exit != Some(0) || said.is_empty() {
            return Err(Error::found(Code::Unreadable, "the hooks' directory", output.stderr.trim()));
        }
        let directory = resolve(&place.join(said))?;
        let inside = |root: &Path| root.canonicalize().is_ok_and(|root| directory.starts_with(root));
        if inside(self.common_dir()) || inside(&place) {
            return Ok(directory);
        }
        Err(Error::expected(
            Code::PathForbidden,
            "core.hooksPath",
            "a directory of this repository",
            directory.display(),
        ))
    }
}

/// `receive.…` settings of a server.
const SERVER_SETTINGS: [(&str, &str); 5] = [
    ("receive.fsckObjects", "true"),
    ("receive.denyDeletes", "true"),
    ("receive.denyNonFastForwards", "true"),
    ("receive.shallowUpdate", "false"),
    ("receive.advertiseAtomic", "true"),
];

/// Follows links as far as the path exists.
fn resolve(path: &Path) -> Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(resolved), ..) => Ok(resolved),
        (Err(e), Some(parent), Some(name)) if e.kind() == std::io::ErrorKind::NotFound => {
            Ok(resolve(parent)?.join(name))
        }
        (Err(e), ..) => Err(e).at("resolve", path),
    }
}

fn kept_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(KEPT);
    PathBuf::from(name)
}

fn render(kind: HookKind, program: &Path) -> Result<String> {
    let forbidden = |what: &str| Error::found(Code::PathForbidden, program.display(), what);
    let text = program.to_str().ok_or_else(|| forbidden("the program's path is not UTF-8"))?;
    if !program.is_absolute() || text.contains('\n') {
        return Err(forbidden("the program's path is relative, or has a line end"));
    }
    let quoted = text.replace('\'', r"'\''");
    Ok(kind.shim().replacen(PROGRAM, &format!("program='{quoted}'\n"), 1))
}

fn program_of(shim: &str) -> Option<String> {
    let line = shim.lines().find_map(|l| l.strip_prefix("program='")?.strip_suffix('\''))?;
    Some(line.replace(r"'\''", "'"))
}

fn is_ours(text: &str) -> bool {
    text.starts_with("#!/bin/sh\n") && text["#!/bin/sh".len()..].starts_with(MARK)
}

/// The text of a hook, wherever a link leads. `None`: there is none.
fn read_hook(path: &Path) -> Result<Option<String>> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = match fs::File::open(path) {
        // A link to nowhere is somebody's too.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Some(String::new())),
        opened => opened.at("read", path)?,
    };
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_HOOK_BYTES), &mut bytes)
        .at("read", path)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn write_hook(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    Pending::write(directory, "tmp_hook_", 0o755, text.as_bytes())?.persist(path)?;
    sync_directory(directory)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
