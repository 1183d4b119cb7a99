//! A pinned executable as this program writes it behind a policy document.
//!
//! Owns: these four lines, written and read again. Must not: read TOML: what is not exactly these lines is for the
//! reader of the whole document.

use super::Executable;
use crate::digest::Digest;

/// Longest version text of a pinned executable, in bytes.
const MAX_VERSION_BYTES: usize = 64;
const BEGIN: &str = "\n[[executables]]\nsha256 = \"";
const BETWEEN: &str = "\"\nversion = \"";
const END: &str = "\"\n";

/// The lines of a pin.
pub(super) fn written(digest: Digest, version: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '-' };
    let version: String = version.chars().take(MAX_VERSION_BYTES).map(plain).collect();
    format!("{BEGIN}{digest}{BETWEEN}{version}{END}")
}

/// The pins that `tail` is the lines of; none where it is anything else.
pub(super) fn read(tail: &[u8]) -> Option<Vec<Executable>> {
    let mut rest = std::str::from_utf8(tail).ok()?;
    let mut pins = Vec::new();
    while !rest.is_empty() {
        let (digest, after) = rest.strip_prefix(BEGIN)?.split_once(BETWEEN)?;
        let (version, after) = after.split_once(END)?;
        if !version.chars().all(is_plain) {
            return None;
        }
        pins.push(Executable { sha256: digest.parse().ok()?, version: version.to_owned() });
        rest = after;
    }
    Some(pins)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".+-_ ".contains(c)
}
