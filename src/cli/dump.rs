//! `dump attest`: an operator's signed word on where a dump comes from. And reading it again.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::policy_choice::PolicyChoice;
use super::{keyring, surroundings};
use crate::canon;
use crate::digest::Digest;
use crate::dsse;
use crate::evidence::lock::{AttestedDump, DumpStatement};
use crate::judge::dump as rules;
use crate::keys::PublicKey;
use crate::policy::Policy;
use crate::rehearse::postgres::dump::{Dump, refuse_live};
use crate::verdict::{Code, Reason, Verdict};

/// What is added to a dump's name for its attestation.
const SUFFIX: &str = ".attestation.json";
/// Largest attestation in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Arguments of `dump`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Sign a dump's digest and where it comes from, as DUMP.attestation.json.
    Attest {
        /// The dump: a file of pg_dump -Fc or -Fp, or a directory of pg_dump -Fd.
        #[arg(long, value_name = "DUMP")]
        dump: String,
        /// Where it was taken: the host or the name that people know it by.
        #[arg(long, value_name = "NAME")]
        origin: String,
        /// The number that `SELECT system_identifier FROM pg_control_system()` gives there.
        #[arg(long, value_name = "NUMBER")]
        system_identifier: String,
        /// The version of the server that it was taken from.
        #[arg(long, value_name = "VERSION")]
        server_version: String,
        #[command(flatten)]
        key: keyring::KeyArgs,
        #[command(flatten)]
        choice: PolicyChoice,
    },
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let Verb::Attest { dump, origin, system_identifier, server_version, key, choice } = args.verb;
    refuse_live(&dump)?;
    let policy = choice.policy()?;
    let found = Dump::find(Path::new(&dump))?;
    let set = found.digest()?.set;
    let time = surroundings::now()?.to_string();
    let statement = DumpStatement::of(set, &origin, &system_identifier, &server_version, &time);
    let bytes =
        canon::to_vec(&statement).map_err(|e| Failure::because(Code::Malformed, "the attestation", e))?;
    let signer = keyring::signer(&key)?;
    let signatures = dsse::sign(&bytes, &[&signer])
        .map_err(|e| Failure::because(Code::SignatureInvalid, "the attestation", e))?;
    let attested = AttestedDump { statement, signatures };
    let verdict = rules::judge(&policy, &attested, &set);
    if !verdict.accepted() {
        return Err(verdict.into());
    }
    let path = beside(&found.path);
    let bytes = canon::to_vec(&attested).map_err(|e| Failure::because(Code::Malformed, path.display(), e))?;
    std::fs::write(&path, bytes).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))?;
    let signed_by = signer.public().fingerprint();
    let text = format!(
        "dump {set}\norigin {origin}, cluster {system_identifier}\nsigned by {signed_by}: {}",
        path.display()
    );
    Ok(Answer::done(text).with("dump", set).with("attestation", &path).with("key", signed_by))
}

/// The attestation of a dump, judged before anything is opened: its origin, its signature, then its digest.
pub(super) fn attested(dump: &str, operator: &PublicKey, policy: &Policy) -> Result<AttestedDump, Failure> {
    refuse_live(dump)?;
    let found = Dump::find(Path::new(dump))?;
    let path = beside(&found.path);
    let attested = read(&path)?;
    let mut verdict = rules::origin(policy, &attested);
    verdict.merge(rules::signed(&attested, std::iter::once(operator)));
    if !verdict.accepted() {
        return Err(verdict.into());
    }
    holds(&attested, policy, &found.digest()?.set)?;
    Ok(attested)
}

/// Whether the attestation is about this dump.
fn holds(attested: &AttestedDump, policy: &Policy, set: &Digest) -> Result<(), Failure> {
    let verdict = rules::judge(policy, attested, set);
    if verdict.accepted() { Ok(()) } else { Err(verdict.into()) }
}

fn read(path: &Path) -> Result<AttestedDump, Failure> {
    let unreadable = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    let size = match std::fs::metadata(path) {
        Ok(facts) => facts.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let found = "there is no attestation beside the dump, so that its origin is unknown: have an operator sign it (fix7-ledger dump attest)";
            return Err(
                Verdict::from(Reason::new(Code::ProductionTarget, path.display()).found(found)).into()
            );
        }
        Err(e) => return Err(unreadable(e)),
    };
    if size > MAX_BYTES {
        let reason = Reason::new(Code::LimitExceeded, path.display())
            .values(format!("at most {MAX_BYTES} bytes"), size);
        return Err(Verdict::from(reason).into());
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    canon::from_slice(&bytes).map_err(|e| Failure::because(Code::Malformed, path.display(), e))
}

fn beside(dump: &Path) -> PathBuf {
    let mut name = dump.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}
