//! What the command line takes from its surroundings: clock, randomness, environment, places.
//!
//! Owns: the only calls for each. Must not: pass any of it on unseen; whoever needs one is given it as a value.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::answer::Failure;
use crate::digest::Digest;
use crate::ledger::{INHERITED, Surroundings};
use crate::statement::Nonce;
use crate::time::Timestamp;
use crate::verdict::{Code, Reason};

/// The clock, in whole seconds.
pub(super) fn now() -> Result<Timestamp, Failure> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    since_1970
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .and_then(Timestamp::from_unix_seconds)
        .ok_or_else(|| {
            Failure::because(Code::Unreadable, "the clock", "it stands outside of the years 1970 to 9999")
        })
}

/// `N` bytes from the system's generator.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::because(Code::Unreadable, "the system's random generator", e))?;
    Ok(bytes)
}

/// The executable that runs, whose digest the ledger pins.
pub(super) fn executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::because(Code::Unreadable, "this executable's path", e))
}

/// Where `key new` keeps keys: `$XDG_CONFIG_HOME/fix7-ledger/keys`, else `~/.config/fix7-ledger/keys`.
pub(super) fn key_directory() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|config| config.join("fix7-ledger").join("keys"))
        .ok_or_else(|| {
            Failure::because(
                Code::KeyUnreadable,
                "the key directory",
                "neither XDG_CONFIG_HOME nor HOME is set",
            )
        })
}

/// The running ssh-agent's socket.
pub(super) fn agent_socket() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).filter(|p| p.is_absolute())
}

/// Where scratch directories are made.
pub(super) fn scratch_parent() -> PathBuf {
    std::env::temp_dir()
}

/// The SHA-256 of the executable that runs.
pub(super) fn executable_digest() -> Result<Digest, Failure> {
    let path = executable()?;
    let file =
        std::fs::File::open(&path).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))?;
    let (digest, _) =
        Digest::of_reader(file).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))?;
    Ok(digest)
}

/// A fresh nonce for a statement.
pub(super) fn statement_nonce() -> Result<Nonce, Failure> {
    random::<16>().map(Nonce::from_bytes)
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Failure::because(
            Code::LimitExceeded,
            path.display(),
            format!("it is over {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// A file in the making in this directory: whoever looks sees it whole, in its place, or not at all. `mode` is what the
/// umask leaves of it, where there are modes.
pub(super) fn pending(parent: &Path, mode: u32) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fix7-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder.tempfile_in(parent)
}

/// Keeps the machine's git configuration, prompts and identities out of a child, and puts `directory` first
/// on its path.
pub(super) fn scrub_git(child: &mut std::process::Command, directory: Option<&Path>) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            child.env_remove(name);
        }
    }
    let own = directory.map(Path::to_owned).into_iter();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(own.chain(std::env::split_paths(&inherited))) {
        child.env("PATH", path);
    }
    child
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    for who in ["AUTHOR", "COMMITTER"] {
        child.env(format!("GIT_{who}_NAME"), "demo").env(format!("GIT_{who}_EMAIL"), "demo@fix7-ledger");
    }
}

/// The variables that children of `ledger` may inherit.
pub(super) fn inherited() -> Surroundings {
    let variables = INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    Surroundings { variables: variables.collect() }
}

/// Where git keeps the objects of a push that is not accepted yet, as it tells its hooks.
pub(super) fn object_directories() -> Vec<PathBuf> {
    let one = std::env::var_os("GIT_QUARANTINE_PATH").or_else(|| std::env::var_os("GIT_OBJECT_DIRECTORY"));
    let others = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    let split =
        std::env::split_paths(&others).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
    one.map(PathBuf::from).into_iter().chain(split).collect()
}

/// The options of a push (`git push -o`), which are text that travels along.
pub(super) fn push_options() -> Result<Vec<String>, Failure> {
    /// More options than anybody types: stops a push that is only options.
    const MAX_OPTIONS: usize = 256;
    let count =
        std::env::var("GIT_PUSH_OPTION_COUNT").ok().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    if count > MAX_OPTIONS {
        let expected = format!("at most {MAX_OPTIONS}");
        return Err(Reason::new(Code::LimitExceeded, "push options").values(expected, count).into());
    }
    let option = |n| std::env::var_os(format!("GIT_PUSH_OPTION_{n}")).unwrap_or_default();
    Ok((0..count).map(|n| option(n).to_string_lossy().into_owned()).collect())
}

/// Bounds the threads that share the work.
pub(super) fn threads(wanted: Option<usize>) -> Result<(), Failure> {
    let Some(wanted) = wanted else { return Ok(()) };
    let built = rayon::ThreadPoolBuilder::new().num_threads(wanted.max(1)).build_global();
    built.map_err(|e| Failure::because(Code::Unreadable, "threads", e))
}

/// The arguments, for the same check: what is not UTF-8 is looked at as far as it is.
pub(super) fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The environment, for the check that nothing in it asks for more than a rehearsal.
pub(super) fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(n, v)| (n.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()))
        .collect()
}

/// How many cores there are.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The directories of the PATH.
pub(super) fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// An S3-compatible object store, as the tools of the field name it in the environment.
pub(super) struct ObjectStore {
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) id: String,
    pub(super) secret: zeroize::Zeroizing<String>,
}

/// The object store that the environment names.
pub(super) fn object_store() -> Result<ObjectStore, Failure> {
    let variable = |names: &[&str]| {
        let value = names.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
        // What goes into a configuration line must not be able to end it.
        match !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b)) {
            true => Ok(value),
            false => Err(Failure::because(Code::Unreadable, names[0], "it is not set, or no plain text")),
        }
    };
    Ok(ObjectStore {
        endpoint: variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])?,
        region: variable(&["AWS_REGION", "AWS_DEFAULT_REGION"])?,
        id: variable(&["AWS_ACCESS_KEY_ID"])?,
        secret: zeroize::Zeroizing::new(variable(&["AWS_SECRET_ACCESS_KEY"])?),
    })
}

/// The terminal that the answer goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Letters in a line.
    pub(super) columns: usize,
    /// Lines.
    pub(super) rows: usize,
}

/// The terminal that the answer goes to; `None` where it goes elsewhere.
pub(super) fn window() -> Option<Window> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        let (columns, rows) = (size.ws_col.into(), size.ws_row.into());
        (columns > 0 && rows > 0).then_some(Window { columns, rows })
    }
    #[cfg(not(unix))]
    None
}

/// The reader's pager as a program and its arguments: `FIX7_PAGER`, `PAGER`, or less. `None` where none is wanted.
pub(super) fn pager() -> Option<(String, Vec<String>)> {
    let named = ["FIX7_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
    // Leaves a text on the screen that fits, takes colours, and ends with Ctrl-C like everything else.
    let line = named.unwrap_or_else(|| "less -FRXK".to_owned());
    let mut words = line.split_whitespace().map(str::to_owned);
    let program = words.next().filter(|program| program != "cat")?;
    Some((program, words.collect()))
}

/// What a pager is told in its environment, where the reader has not said otherwise.
pub(super) fn pager_defaults() -> Vec<(&'static str, &'static str)> {
    let unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    [("LESS", "FRXK"), ("LV", "-c")].into_iter().filter(unset).collect()
}
