//! `export`: what other tools need to check entries without this program.

use std::path::PathBuf;

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::{bundle, recall, replay, show, tiles};
use crate::dsse::Signatures;
use crate::statement::{SIGNATURE_FILE, STATEMENT_FILE};
use crate::verdict::Code;

/// Arguments of `export`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// The `allowed_signers` file for `git verify-commit` and `ssh-keygen -Y verify`.
    AllowedSigners {
        #[command(flatten)]
        place: Place,
    },
    /// One entry's statement as a DSSE envelope (in-toto), for any DSSE verifier.
    Dsse {
        #[command(flatten)]
        place: Place,
        /// The entry: its number, its leaf, or its name. By default the newest.
        entry: Option<String>,
    },
    /// The trust policy (c2sp.org/tlog-policy) of the registered log and witness keys: any one witness is enough.
    TrustPolicy {
        #[command(flatten)]
        place: Place,
    },
    /// One entry with everything that an auditor needs to check it, in one file (tar).
    Bundle {
        #[command(flatten)]
        place: Place,
        /// The entry: its number, its leaf, or its name. By default the newest.
        entry: Option<String>,
        /// The signed checkpoint; by default the one that this clone keeps.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// The file to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// The ledger as static files (c2sp.org/tlog-tiles), for any web server or object store: only what is new.
    Tiles {
        #[command(flatten)]
        place: Place,
        /// A directory, or s3://BUCKET/PREFIX (AWS_ENDPOINT_URL, AWS_REGION and the two AWS keys in the environment).
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// The signed checkpoint; by default the one that this clone keeps.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// A registered public key as PEM (SubjectPublicKeyInfo), for `openssl pkeyutl`.
    Pem {
        #[command(flatten)]
        place: Place,
        /// The holder's registered name.
        name: String,
    },
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::AllowedSigners { place } => {
            let (state, _) = replay::trusted(&place)?;
            let text = state.allowed_signers();
            Ok(Answer::done(text.trim_end()).with("allowed_signers", &text))
        }
        Verb::Dsse { place, entry } => {
            let stored = show::find(&recall::here(&place)?, entry.as_deref())?;
            let file = |name: &str| {
                stored
                    .files
                    .get(name)
                    .ok_or_else(|| Failure::because(Code::FileMissing, name, "the entry lacks it"))
            };
            let signatures = Signatures::parse(file(SIGNATURE_FILE)?)
                .map_err(|e| Failure::because(Code::SignatureInvalid, SIGNATURE_FILE, e))?;
            let envelope = signatures.to_envelope(file(STATEMENT_FILE)?);
            let text = String::from_utf8_lossy(&envelope).into_owned();
            Ok(Answer::done(&text).with("envelope", text))
        }
        Verb::TrustPolicy { place } => {
            let (state, _) = replay::trusted(&place)?;
            let text = state.trust_policy();
            Ok(Answer::done(text.trim_end()).with("trust_policy", &text))
        }
        Verb::Tiles { place, to, checkpoint } => tiles::export(&place, checkpoint.as_deref(), &to),
        Verb::Bundle { place, entry, checkpoint, out } => {
            bundle::export(&place, entry.as_deref(), checkpoint.as_deref(), &out)
        }
        Verb::Pem { place, name } => {
            let (state, _) = replay::trusted(&place)?;
            let key = state.keys().find(|(_, key)| key.name.as_str() == name);
            let (_, key) = key.ok_or_else(|| {
                Failure::because(
                    Code::KeyUnknown,
                    format!("key `{}`", name.escape_default()),
                    "it is not registered",
                )
            })?;
            let pem = key.public.to_spki_pem();
            Ok(Answer::done(pem.trim_end()).with("pem", &pem))
        }
    }
}
