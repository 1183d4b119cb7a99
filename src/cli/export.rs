//! `export`: what other tools need to check entries without this program.

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::{replay, show};
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
            let (_, tip) = replay::trusted(&place)?;
            let (repo, _, _) = place.existing()?;
            let stored = show::find(&repo.reader(), &tip, entry.as_deref())?;
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
