//! `init`: begin a ledger with its keys, roles and policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use super::decision::label;
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::surroundings;
use super::writing::{self, Contents};
use crate::digest::Digest;
use crate::dsse;
use crate::keys::is_sample;
use crate::policy::Policy;
use crate::state::State;
use crate::statement::{Genesis, KeyEntry, POLICY_FILE, Role, Statement};
use crate::verdict::{Code, Reason};

/// Arguments of `init`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyArgs,
    /// The ledger's name in its entries; by default that of its ref.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// An owner (issues grants): NAME=KEY, where KEY is a .pub file, a name in the key directory or a public line.
    #[arg(long, value_name = "NAME=KEY", required = true)]
    owner: Vec<String>,
    /// An operator (records rehearsals): NAME=KEY.
    #[arg(long, value_name = "NAME=KEY", required = true)]
    operator: Vec<String>,
    /// An auditor: NAME=KEY.
    #[arg(long, value_name = "NAME=KEY")]
    auditor: Vec<String>,
    /// A log's key (signs checkpoints): NAME=KEY.
    #[arg(long, value_name = "NAME=KEY")]
    log: Vec<String>,
    /// A witness (cosigns checkpoints): NAME=KEY.
    #[arg(long, value_name = "NAME=KEY")]
    witness: Vec<String>,
    /// How many distinct owners a grant needs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    owner_threshold: u32,
    /// The policy to begin with instead of the default one.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// An executable that may rehearse: its SHA-256. Without any, this executable is pinned.
    #[arg(long, value_name = "SHA256")]
    pin: Vec<Digest>,
    /// A demonstration: the public sample keys are accepted, and every report says so.
    #[arg(long)]
    demo: bool,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let (repo, ledger) = args.place.open()?;
    if let Some(tip) = repo.ledger_tip(&ledger)? {
        return Err(Failure::because(
            Code::AlreadyExists,
            &ledger,
            format!("it begins already, its head is {tip}"),
        ));
    }
    let keys = keys(&args)?;
    let signer = keyring::signer(&args.key)?;
    let fingerprint = signer.public().fingerprint();
    if !keys.iter().any(|key| key.public == *signer.public() && key.roles.contains(&Role::Owner)) {
        let found = "it is not one of the owners given";
        return Err(Failure::because(Code::RoleMissing, format!("key {fingerprint}"), found));
    }
    let policy = policy(&args)?;
    let loosened = Policy::default_policy().tightened_by(&policy);
    if !loosened.accepted() {
        return Err(loosened.into());
    }
    let name = label(args.name.as_deref().unwrap_or(ledger.name()))?;
    let genesis =
        Genesis { demo: args.demo, keys, name: name.clone(), owner_threshold: args.owner_threshold };
    let statement = Statement::genesis(surroundings::statement_nonce()?, genesis, policy.digest())
        .map_err(|e| Failure::because(Code::StatementInvalid, "the genesis statement", e))?;
    let signatures = dsse::sign(statement.bytes(), &[&signer])
        .map_err(|e| Failure::because(Code::SignatureInvalid, "the genesis statement", e))?;
    let contents = Contents {
        statement: &statement,
        signatures: &signatures,
        files: BTreeMap::from([(POLICY_FILE.to_owned(), policy.bytes().to_vec())]),
        facts: None,
        time: surroundings::now()?,
    };
    let lock = repo.lock(writing::LOCK_PATIENCE)?;
    let appended = writing::append(&repo, &ledger, &lock, None, &mut State::default(), contents, &signer)?;
    let id = statement.digest();
    let text = format!(
        "ledger `{name}` begins on {ledger}\n  id     {id}\n  head   #{} {}\n  policy {}\n\
         Auditors pin the id: it is the one thing that they must get from you and not from the repository.",
        appended.seq,
        appended.leaf,
        policy.digest()
    );
    Ok(Answer::done(text)
        .with("ledger", id)
        .with("ref", ledger.as_str())
        .with("leaf", appended.leaf)
        .with("commit", appended.oid.to_string())
        .with("policy", policy.digest()))
}

/// The keys with their roles; one key may be given several roles under one name.
fn keys(args: &Args) -> Result<Vec<KeyEntry>, Failure> {
    let mut keys: Vec<KeyEntry> = Vec::new();
    let given = [
        (Role::Owner, &args.owner),
        (Role::Operator, &args.operator),
        (Role::Auditor, &args.auditor),
        (Role::Log, &args.log),
        (Role::Witness, &args.witness),
    ];
    for (role, texts) in given {
        for text in texts {
            let (name, key) = text
                .split_once('=')
                .ok_or_else(|| Failure::because(Code::KeyUnreadable, text, "expected NAME=KEY"))?;
            let (name, public) = (label(name)?, keyring::public(key)?);
            if is_sample(&public.fingerprint()) && !args.demo {
                return Err(
                    Reason::new(Code::SampleKey, format!("key `{name}` {}", public.fingerprint())).into()
                );
            }
            match keys.iter_mut().find(|k| k.name == name && k.public == public) {
                Some(known) => {
                    known.roles.insert(role);
                }
                None => keys.push(KeyEntry { name, person: None, public, roles: BTreeSet::from([role]) }),
            }
        }
    }
    Ok(keys)
}

fn policy(args: &Args) -> Result<Policy, Failure> {
    let parse = |bytes: &[u8], object: &dyn std::fmt::Display| {
        Policy::parse(bytes).map_err(|e| Failure::because(Code::Malformed, object, e))
    };
    let mut policy = match &args.policy {
        None => Policy::default_policy(),
        Some(path) => {
            let bytes = surroundings::read(path, crate::policy::MAX_BYTES as u64)?;
            parse(&bytes, &path.display())?
        }
    };
    let mut pins = args.pin.clone();
    if pins.is_empty() && policy.executables().is_empty() {
        pins.push(surroundings::executable_digest()?);
    }
    for pin in pins {
        policy = parse(&policy.with_executable(pin, env!("CARGO_PKG_VERSION")), &"the policy with its pins")?;
    }
    Ok(policy)
}
