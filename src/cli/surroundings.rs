//! What the command line takes from its surroundings: clock, randomness, environment, places.
//!
//! Owns: the only calls for each. Must not: pass any of it on unseen; whoever needs one is given it as a value.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::answer::Failure;
use crate::digest::Digest;
use crate::statement::Nonce;
use crate::time::Timestamp;
use crate::verdict::Code;

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
