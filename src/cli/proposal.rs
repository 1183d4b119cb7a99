//! `sign` and `apply`: a statement goes from signer to signer as a file, and the last one appends it.
//!
//! Owns: reading and writing the file. Must not: count signatures; the ledger's rules do when the entry is appended.
//!
//! ```text
//! policy propose NEW.toml --propose change.json ─► sign change.json --key … ─► apply change.json --key …
//! ```

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answer::{Answer, Failure, Ui, escaped};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::{decision, surroundings};
use crate::dsse::{self, Signatures};
use crate::keys::Signer;
use crate::statement::{MAX_PROPOSAL_BYTES, Proposal, Statement};
use crate::verdict::Code;

/// Arguments of `sign`.
#[derive(clap::Args)]
pub(super) struct SignArgs {
    /// The proposal.
    file: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
}

/// Arguments of `apply`.
#[derive(clap::Args)]
pub(super) struct ApplyArgs {
    /// The proposal.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyArgs,
}

/// Adds a signature to a proposal. Needs no ledger: it can be done on a machine without network.
pub(super) fn sign(args: SignArgs, _ui: &Ui) -> Result<Answer, Failure> {
    let (proposal, statement) = read(&args.file)?;
    let signer = keyring::signer(&args.key)?;
    let signatures = with(proposal.signatures().clone(), &statement, &signer)?;
    let signers = signatures.signers().len();
    let document: Value = serde_json::from_slice(statement.bytes()).unwrap_or_default();
    let shown = serde_json::to_string_pretty(&document["predicate"]).unwrap_or_default();
    replace(&args.file, &proposal.signed(signatures))?;
    let file = args.file.display();
    let text = format!("signed {file}; {signers} signatures\n{}", escaped(&shown));
    Ok(Answer::done(text).with("file", &args.file).with("signatures", signers).with("statement", document))
}

/// Appends a proposal, with the applier's own signature added where it is not there yet.
pub(super) fn apply(args: ApplyArgs, _ui: &Ui) -> Result<Answer, Failure> {
    let (proposal, statement) = read(&args.file)?;
    let signer = keyring::signer(&args.key)?;
    let own = signer.public().fingerprint();
    let mut signatures = proposal.signatures().clone();
    if !signatures.signers().any(|key| key == own) {
        signatures = with(signatures, &statement, &signer)?;
    }
    decision::append(&args.place, &statement, &signatures, proposal.policy(), &signer)
}

/// Writes a proposal into a file that does not exist yet.
pub(super) fn write_new(file: &Path, proposal: &Proposal) -> Result<Answer, Failure> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::because(Code::AlreadyExists, file.display(), "a proposal is never overwritten")
        }
        _ => Failure::because(Code::Unreadable, file.display(), e),
    };
    let mut new = std::fs::File::create_new(file).map_err(failed)?;
    std::io::Write::write_all(&mut new, &proposal.to_bytes()).map_err(failed)?;
    let signers = proposal.signatures().signers().len();
    let text = format!(
        "proposed in {}; {signers} signatures. Nothing is appended: others `sign` the file, one `apply`s it",
        file.display()
    );
    Ok(Answer::done(text).with("file", file).with("signatures", signers))
}

fn read(file: &Path) -> Result<(Proposal, Statement), Failure> {
    let bytes = surroundings::read(file, MAX_PROPOSAL_BYTES as u64)?;
    Proposal::parse(&bytes).map_err(|e| Failure::because(Code::Malformed, file.display(), e))
}

fn with(before: Signatures, statement: &Statement, signer: &Signer<'_>) -> Result<Signatures, Failure> {
    let failed = |e| Failure::because(Code::SignatureInvalid, "the proposal", e);
    let own = dsse::sign(statement.bytes(), &[signer]).map_err(failed)?;
    before.joined(own).map_err(failed)
}

fn replace(file: &Path, proposal: &Proposal) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, file.display(), e);
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    std::io::Write::write_all(&mut new, &proposal.to_bytes()).map_err(failed)?;
    new.persist(file).map_err(|e| failed(e.error))?;
    Ok(())
}
