//! `key new | import | list`: OpenSSH ed25519 keys. Which of them count in a ledger, `key_change` decides.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use zeroize::Zeroizing;

use super::answer::{Answer, Failure, Ui, escaped};
use super::key_change::{self, AddArgs, RetireArgs, RevokeArgs};
use super::keyring::{self, key_failure};
use super::surroundings;
use super::table::Table;
use crate::keys::{self, Protection, PublicKey, SecretKey};
use crate::ledger::agent;
use crate::verdict::Code;

/// Arguments of `key`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a new ed25519 key, protected by a passphrase, in OpenSSH's format.
    New {
        /// The key's name: its file's name, and the comment in it.
        name: String,
        /// Where to put it instead of the key directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Do not protect the file: whoever reads it can sign. For machines that have no person.
        #[arg(long, conflicts_with = "passphrase_file")]
        no_passphrase: bool,
        /// A file whose first line is the passphrase; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Check an existing OpenSSH ed25519 key file and copy it into the key directory.
    Import {
        /// The private key file. It may be encrypted: it is copied as it is.
        file: PathBuf,
        /// The name in the key directory.
        name: String,
        /// The key directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// A file whose first line is the passphrase; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// List the keys of the key directory and of the running ssh-agent.
    List {
        /// The key directory.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Register a further key in the ledger, by the owners' decision.
    Add(Box<AddArgs>),
    /// End a key in order: it counts up to this decision.
    Retire(Box<RetireArgs>),
    /// End a stolen key at an earlier entry: what it signed since is suspect.
    Revoke(Box<RevokeArgs>),
}

#[derive(Serialize)]
struct Listed {
    name: String,
    fingerprint: String,
    place: String,
    protected: Option<bool>,
    sample: bool,
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::New { name, dir, no_passphrase, passphrase_file } => {
            let dir = directory(dir)?;
            let place = place(&dir, &name)?;
            let passphrase = match no_passphrase {
                true => None,
                false => Some(new_passphrase(passphrase_file.as_deref())?),
            };
            create(&place, &name, passphrase.as_ref().map(|p| p.as_str()))
        }
        Verb::Import { file, name, dir, passphrase_file } => {
            let dir = directory(dir)?;
            let place = place(&dir, &name)?;
            let text = keyring::read_secret(&file)?;
            let object = file.display().to_string();
            let failed = |e| key_failure(&object, &e);
            let passphrase = match SecretKey::is_encrypted(&text).map_err(failed)? {
                true => Some(keyring::passphrase(
                    passphrase_file.as_deref(),
                    &format!("Passphrase for {object}: "),
                )?),
                false => None,
            };
            let secret =
                SecretKey::from_openssh(&text, passphrase.as_ref().map(|p| p.as_str())).map_err(failed)?;
            store(&place, &text, &name, secret.public())?;
            Ok(told("imported", &place, secret.public()))
        }
        Verb::List { dir } => list(&directory(dir)?, ui),
        Verb::Add(args) => key_change::add(&args),
        Verb::Retire(args) => key_change::retire(&args),
        Verb::Revoke(args) => key_change::revoke(&args),
    }
}

/// Makes a key in a file that does not exist yet.
pub(super) fn create(place: &Path, name: &str, passphrase: Option<&str>) -> Result<Answer, Failure> {
    let seed = Zeroizing::new(surroundings::random::<32>()?);
    let secret = SecretKey::from_seed(&seed);
    let protection = match passphrase {
        Some(passphrase) => Protection::Passphrase { passphrase, random: surroundings::random::<20>()? },
        None => Protection::None,
    };
    let text = secret.to_openssh(name, protection).map_err(|e| key_failure(name, &e))?;
    store(place, &text, name, secret.public())?;
    Ok(told("made", place, secret.public()))
}

fn told(what: &str, place: &Path, public: &PublicKey) -> Answer {
    let fingerprint = public.fingerprint().to_string();
    Answer::done(format!("{what} {}\n  fingerprint {fingerprint}\n  public key  {public}", place.display()))
        .with("file", place)
        .with("fingerprint", fingerprint)
        .with("public", public)
}

fn directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    given.map_or_else(surroundings::key_directory, Ok)
}

fn place(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let good =
        name.len() <= 64 && name.chars().all(fits) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !good || name.ends_with(".pub") {
        let found = "names have up to 64 of a-z 0-9 . _ - and begin with a letter or digit";
        return Err(Failure::because(
            Code::PathForbidden,
            format!("key name `{}`", name.escape_default()),
            found,
        ));
    }
    Ok(dir.join(name))
}

fn new_passphrase(from: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let first = keyring::passphrase(from, "New passphrase: ")?;
    if from.is_none() && *keyring::passphrase(None, "The same again: ")? != *first {
        return Err(Failure::because(
            Code::PassphraseWrong,
            "the new passphrase",
            "the two differ: nothing was made",
        ));
    }
    match first.is_empty() {
        true => Err(Failure::because(
            Code::PassphraseWrong,
            "the new passphrase",
            "it is empty (use --no-passphrase)",
        )),
        false => Ok(first),
    }
}

/// Writes both halves, never over an existing file, the secret one readable by its owner only.
fn store(place: &Path, secret: &str, name: &str, public: &PublicKey) -> Result<(), Failure> {
    let beside = PathBuf::from(format!("{}.pub", place.display()));
    for path in [place, &beside] {
        if path.symlink_metadata().is_ok() {
            return Err(Failure::because(Code::AlreadyExists, path.display(), "a key is never overwritten"));
        }
    }
    let object = place.display().to_string();
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, &object, e);
    if let Some(dir) = place.parent() {
        make_private_directory(dir).map_err(failed)?;
    }
    write_new(place, secret.as_bytes(), 0o600).map_err(failed)?;
    write_new(&beside, format!("{public} {name}\n").as_bytes(), 0o644).map_err(failed)
}

fn make_private_directory(dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn list(dir: &Path, ui: &Ui) -> Result<Answer, Failure> {
    let mut listed = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".pub") || !path.is_file() {
            continue;
        }
        let Ok(text) = keyring::read_secret(&path) else { continue };
        let (Ok(protected), Ok(public)) =
            (SecretKey::is_encrypted(&text), keyring::public(&path.to_string_lossy()))
        else {
            ui.say(format!("note: {} is not an OpenSSH ed25519 key with its .pub beside it", path.display()));
            continue;
        };
        listed.push(listed_key(name, &public, path.display().to_string(), Some(protected)));
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(socket) = surroundings::agent_socket() {
        match agent::identities(&socket) {
            Ok(keys) => listed.extend(
                keys.into_iter().map(|key| listed_key(key.comment, &key.public, "ssh-agent".into(), None)),
            ),
            Err(error) => ui.say(format!("note: ssh-agent does not answer: {error}")),
        }
    }
    let mut table = Table::headed(["NAME", "FINGERPRINT", "PLACE", "PROTECTED"]);
    for key in &listed {
        let protected = match (key.sample, key.protected) {
            (true, _) => "SAMPLE: public",
            (_, Some(true)) => "passphrase",
            (_, Some(false)) => "no",
            (_, None) => "by the agent",
        };
        table.add_row([&key.name, &key.fingerprint, &key.place, protected]);
    }
    let text = match listed.is_empty() {
        true => format!(
            "no keys in {}; make one with `fix7-ledger key new NAME`",
            escaped(&dir.to_string_lossy())
        ),
        false => table.fitted(),
    };
    Ok(Answer::done(text).with("keys", listed))
}

fn listed_key(name: String, public: &PublicKey, place: String, protected: Option<bool>) -> Listed {
    let fingerprint = public.fingerprint();
    Listed {
        name,
        sample: keys::is_sample(&fingerprint),
        fingerprint: fingerprint.to_string(),
        place,
        protected,
    }
}
