//! Appending a claim without a packet: what owners decide, operators announce and auditors say.
//!
//! Owns: the one way from a claim to an entry or to a proposal, with one signer or several. Must not: hold a rule;
//! whether the signers may, and whether they are enough, the state says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::answer::{Answer, Failure};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::writing::{self, Contents};
use super::{proposal, recall, replay, show, surroundings};
use crate::digest::Digest;
use crate::dsse::{self, Signatures};
use crate::entry::Entry;
use crate::keys::{Fingerprint, Signer};
use crate::policy::Policy;
use crate::state::State;
use crate::statement::{Claim, Label, POLICY_FILE, Proposal, Statement};
use crate::verdict::{Code, Reason};

/// Who decides, and where.
#[derive(clap::Args)]
pub(super) struct DecisionArgs {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    /// Another owner who signs here too, where the ledger wants several.
    #[arg(long, value_name = "KEY")]
    pub(super) co_signer: Vec<String>,
    /// Append nothing: write the signed statement into FILE, for others to `sign` and one of them to `apply`.
    #[arg(long, value_name = "FILE")]
    pub(super) propose: Option<PathBuf>,
}

/// What is decided, with the document where it is a policy.
pub(super) struct Decided {
    pub(super) claim: Claim,
    pub(super) policy: Option<Policy>,
}

impl From<Claim> for Decided {
    fn from(claim: Claim) -> Decided {
        Decided { claim, policy: None }
    }
}

/// Signs what `make` decides in view of the signer and the ledger's state, and appends or proposes it.
pub(super) fn decide(
    args: &DecisionArgs,
    make: impl FnOnce(&Fingerprint, &State) -> Result<Decided, Failure>,
) -> Result<Answer, Failure> {
    let signer = keyring::signer(&args.key)?;
    let mut others = Vec::new();
    for key in &args.co_signer {
        let key = KeyArgs { key: key.clone(), passphrase_file: args.key.passphrase_file.clone() };
        others.push(keyring::signer(&key)?);
    }
    let (state, _) = replay::trusted(&args.place)?;
    let (id, nonce) = (replay::ledger_id(&state)?, surroundings::statement_nonce()?);
    let decided = make(&signer.public().fingerprint(), &state)?;
    let (statement, policy) = match (decided.claim, decided.policy) {
        (Claim::Policy(change), Some(policy)) => {
            let text = String::from_utf8_lossy(policy.bytes()).into_owned();
            (Statement::policy(id, nonce, change, policy.digest()), Some(text))
        }
        (claim, _) => (Statement::bare(id, nonce, claim), None),
    };
    let statement = statement.map_err(|e| Failure::because(Code::StatementInvalid, "the statement", e))?;
    let signers: Vec<_> = std::iter::once(&signer).chain(&others).collect();
    let signatures = dsse::sign(statement.bytes(), &signers)
        .map_err(|e| Failure::because(Code::SignatureInvalid, "the statement", e))?;
    match &args.propose {
        Some(file) => proposal::write_new(file, &Proposal::new(&statement, signatures, policy)),
        None => append(&args.place, &statement, &signatures, policy.as_deref(), &signer),
    }
}

/// Appends a signed statement without a packet.
pub(super) fn append(
    place: &Place,
    statement: &Statement,
    signatures: &Signatures,
    policy: Option<&str>,
    signer: &Signer<'_>,
) -> Result<Answer, Failure> {
    let (repo, ledger, _) = place.existing()?;
    let lock = repo.lock(writing::LOCK_PATIENCE)?;
    let (mut state, tip) = replay::trusted(place)?;
    let files: BTreeMap<String, Vec<u8>> =
        policy.map(|text| (POLICY_FILE.to_owned(), text.as_bytes().to_vec())).into_iter().collect();
    let contents = Contents { statement, signatures, files, facts: None, time: surroundings::now()? };
    let appended = writing::append(&repo, &ledger, &lock, Some(tip), &mut state, contents, signer)?;
    let (kind, label) = (statement.kind().name(), statement.claim().label());
    let what = match statement.claim() {
        Claim::Grant(grant) => {
            let holder = state.key(&grant.operator).map(|key| key.name.to_string());
            let operator = holder.unwrap_or_else(|| grant.operator.to_string());
            format!("grant `{label}` for {operator}: one rehearsal, nothing in production")
        }
        _ => format!("{kind} `{label}` [HOLD_PRODUCTION]"),
    };
    let text = format!("{what}\n  entry #{} {}", appended.seq, appended.leaf);
    Ok(Answer::done(text)
        .with("kind", kind)
        .with("id", label.as_str())
        .with("seq", appended.seq)
        .with("leaf", appended.leaf)
        .with("commit", appended.oid.to_string()))
}

/// The leaf of the entry with this number, leaf or name.
pub(super) fn leaf(place: &Place, wanted: &str) -> Result<Digest, Failure> {
    let stored = show::find(&recall::here(place)?, Some(wanted))?;
    let entry = Entry::parse(&stored.commit)
        .map_err(|e| Failure::from(Reason::new(e.code(), &stored.oid).found(e)))?;
    Ok(entry.leaf_hash())
}

/// The name given, or the kind and the next position.
pub(super) fn named(given: Option<&str>, kind: &str, state: &State) -> Result<Label, Failure> {
    let text = given.map_or_else(|| format!("{kind}-{}", state.next_seq()), str::to_owned);
    label(&text)
}

/// A label from an argument.
pub(super) fn label(text: &str) -> Result<Label, Failure> {
    text.parse()
        .map_err(|e| Failure::because(Code::PathForbidden, format!("name `{}`", text.escape_default()), e))
}
