//! Finding the key that signs: by name, by file, or in the running ssh-agent.
//!
//! Owns: reading key files and asking for passphrases. Must not: keep or print a secret.
//!
//! ```text
//! --key anna                  the key `anna` in the key directory
//! --key ./keys/anna           an OpenSSH private key file
//! --key SHA256:6lbu4NTZ…      a key that ssh-agent holds, by its fingerprint
//! ```

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::answer::Failure;
use super::surroundings;
use crate::keys::{Fingerprint, KeyError, MAX_FILE_BYTES, PublicKey, SecretKey, Signer};
use crate::ledger::agent;
use crate::verdict::Code;

/// Which key signs, and how its passphrase is given.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct KeyArgs {
    /// The key that signs: a name in the key directory, an OpenSSH ed25519 file, or SHA256:… in ssh-agent.
    #[arg(long, value_name = "KEY")]
    pub(super) key: String,
    /// A file whose first line is the key's passphrase; `-` is standard input. Else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// Opens the key for signing.
pub(super) fn signer(args: &KeyArgs) -> Result<Signer<'static>, Failure> {
    if let Ok(fingerprint) = args.key.parse::<Fingerprint>() {
        return from_agent(&fingerprint);
    }
    let path = file(&args.key)?;
    let text = read_secret(&path)?;
    let object = path.display().to_string();
    let failed = |e: KeyError| key_failure(&object, &e);
    let passphrase = match SecretKey::is_encrypted(&text).map_err(failed)? {
        true => Some(passphrase(args.passphrase_file.as_deref(), &format!("Passphrase for {object}: "))?),
        false => None,
    };
    let secret = SecretKey::from_openssh(&text, passphrase.as_ref().map(|p| p.as_str())).map_err(failed)?;
    Ok(secret.into())
}

/// The public half of a key by name, `.pub` file, private file with a `.pub` beside it, or a public line.
pub(super) fn public(text: &str) -> Result<PublicKey, Failure> {
    if text.starts_with("ssh-") {
        return PublicKey::from_pub_file(text).map_err(|e| key_failure("the public key", &e));
    }
    let path = file(text)?;
    let beside = match path.extension().is_some_and(|e| e == "pub") {
        true => path,
        false => {
            let mut name = path.into_os_string();
            name.push(".pub");
            PathBuf::from(name)
        }
    };
    let line = read_secret(&beside)?;
    PublicKey::from_pub_file(&line).map_err(|e| key_failure(&beside.display().to_string(), &e))
}

/// A path as given when it has a separator or exists, else a name in the key directory.
fn file(text: &str) -> Result<PathBuf, Failure> {
    let given = PathBuf::from(text);
    if text.contains('/') || given.exists() {
        return Ok(given);
    }
    Ok(surroundings::key_directory()?.join(text))
}

fn from_agent(fingerprint: &Fingerprint) -> Result<Signer<'static>, Failure> {
    let object = format!("key {fingerprint}");
    let socket = surroundings::agent_socket().ok_or_else(|| {
        Failure::because(Code::KeyUnreadable, &object, "SSH_AUTH_SOCK names no running ssh-agent")
    })?;
    agent::signer(&socket, fingerprint).map_err(|e| Failure::because(Code::KeyUnreadable, &object, e))
}

/// Reads a small text file, wiped when dropped.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let object = path.display().to_string();
    let failed = |e: std::io::Error| Failure::because(Code::KeyUnreadable, &object, e);
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES as usize + 1));
    fs::File::open(path)
        .map_err(failed)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

/// Takes a passphrase from a file's first line, or asks the terminal without echo.
pub(super) fn passphrase(from: Option<&Path>, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |e: std::io::Error| {
        Failure::because(
            Code::KeyUnreadable,
            "the passphrase",
            format!("{e} (name a file with --passphrase-file)"),
        )
    };
    let mut text = Zeroizing::new(String::new());
    match from {
        Some(path) if path == Path::new("-") => {
            std::io::stdin().take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
        }
        Some(path) => text = read_secret(path)?,
        None => return rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(failed),
    }
    let first = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(first.to_owned()))
}

/// Gives a key's error its code.
pub(super) fn key_failure(object: &str, error: &KeyError) -> Failure {
    let code = match error {
        KeyError::PassphraseWrong | KeyError::PassphraseNeeded => Code::PassphraseWrong,
        _ => Code::KeyUnreadable,
    };
    Failure::because(code, object, error)
}
