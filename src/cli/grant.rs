//! `grant issue | list`: an owner's permission for one rehearsal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use comfy_table::{Table, presets};
use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::replay;
use super::surroundings;
use super::writing::{self, Contents};
use crate::digest::Digest;
use crate::dsse;
use crate::keys::Fingerprint;
use crate::rehearse::plan;
use crate::state::State;
use crate::statement::{Grant, Scope, Statement};
use crate::verdict::{Code, Reason, Verdict};

/// Arguments of `grant`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Permit one operator one rehearsal. It authorizes nothing in production.
    Issue(Box<Issue>),
    /// List the grants, and which rehearsal consumed each.
    List {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
struct Issue {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyArgs,
    /// The operator who may rehearse: a registered name or a fingerprint.
    #[arg(long, value_name = "NAME")]
    operator: String,
    /// Another owner who signs too, where the ledger wants several.
    #[arg(long, value_name = "KEY")]
    co_signer: Vec<String>,
    /// The grant's name; by default `grant-` and its position.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// Only for a source with this digest over its file set.
    #[arg(long, value_name = "SHA256")]
    source_digest: Option<Digest>,
    /// Only for the plan in this directory.
    #[arg(long, value_name = "DIR")]
    plan: Option<PathBuf>,
    /// Only until the ledger has this many more entries.
    #[arg(long, value_name = "ENTRIES")]
    expires_after: Option<u64>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::Issue(issue) => self::issue(&issue),
        Verb::List { place } => list(&place),
    }
}

fn issue(args: &Issue) -> Result<Answer, Failure> {
    let signer = keyring::signer(&args.key)?;
    let mut others = Vec::new();
    for key in &args.co_signer {
        let key = KeyArgs { key: key.clone(), passphrase_file: args.key.passphrase_file.clone() };
        others.push(keyring::signer(&key)?);
    }
    let (repo, ledger) = args.place.open()?;
    let lock = repo.lock(writing::LOCK_PATIENCE)?;
    let (mut state, tip) = replay::trusted(&args.place)?;
    let id = args.id.clone().unwrap_or_else(|| format!("grant-{}", state.next_seq()));
    let scope = Scope {
        source: args.source_digest,
        plan: match &args.plan {
            Some(dir) => Some(plan::read(dir).map_err(Verdict::from_iter)?.digest()),
            None => None,
        },
    };
    let grant = Grant {
        id: id.parse().map_err(|e| {
            Failure::because(Code::PathForbidden, format!("name `{}`", id.escape_default()), e)
        })?,
        operator: operator(&state, &args.operator)?,
        scope,
        expires_after_seq: args.expires_after.map(|n| state.next_seq().saturating_add(n)),
    };
    let id = replay::ledger_id(&state)?;
    let statement = Statement::grant(id, surroundings::statement_nonce()?, grant.clone())
        .map_err(|e| Failure::because(Code::StatementInvalid, "the grant's statement", e))?;
    let signers: Vec<_> = std::iter::once(&signer).chain(&others).collect();
    let signatures = dsse::sign(&statement.to_bytes(), &signers)
        .map_err(|e| Failure::because(Code::SignatureInvalid, "the grant's statement", e))?;
    let contents = Contents {
        statement: &statement,
        signatures: &signatures,
        files: BTreeMap::new(),
        facts: None,
        time: surroundings::now()?,
    };
    let appended = writing::append(&repo, &ledger, &lock, Some(tip), &mut state, contents, &signer)?;
    replay::remember(&repo, &ledger, &state, appended.oid)?;
    let text = format!(
        "grant `{}` for {}: one rehearsal, nothing in production\n  entry #{} {}",
        grant.id, args.operator, appended.seq, appended.leaf
    );
    Ok(Answer::done(text)
        .with("id", grant.id.as_str())
        .with("operator", grant.operator)
        .with("seq", appended.seq)
        .with("leaf", appended.leaf)
        .with("commit", appended.oid.to_string()))
}

/// A registered key by its holder's name or its fingerprint.
fn operator(state: &State, text: &str) -> Result<Fingerprint, Failure> {
    if let Ok(fingerprint) = text.parse() {
        return Ok(fingerprint);
    }
    let named = state.keys().find(|(_, key)| key.name.as_str() == text);
    let known = || state.keys().map(|(_, key)| key.name.as_str()).collect::<Vec<_>>().join(", ");
    named.map(|(fingerprint, _)| *fingerprint).ok_or_else(|| {
        let object = format!("operator `{}`", text.escape_default());
        Reason::new(Code::KeyUnknown, object)
            .values(format!("one of {}", known()), text.escape_default())
            .into()
    })
}

fn list(place: &Place) -> Result<Answer, Failure> {
    let (state, _) = replay::trusted(place)?;
    let grants = state.grants().map_err(Reason::from)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["ENTRY", "GRANT", "OPERATOR", "SCOPE", "USED BY"]);
    let mut facts = Vec::new();
    for (leaf, record) in grants {
        let grant = &record.grant;
        let name =
            state.key(&grant.operator).map_or_else(|| grant.operator.to_string(), |key| key.name.to_string());
        let scope: Vec<String> = [("source", grant.scope.source), ("plan", grant.scope.plan)]
            .into_iter()
            .filter_map(|(what, digest)| Some(format!("{what} {}", digest?.short())))
            .chain(grant.expires_after_seq.map(|seq| format!("until #{seq}")))
            .collect();
        let scope = if scope.is_empty() { "any".to_owned() } else { scope.join(", ") };
        let used = record.spent_by.map_or("-".to_owned(), |seq| format!("#{seq}"));
        table.add_row([format!("#{}", record.seq), grant.id.to_string(), name, scope, used]);
        facts.push(json!({
            "leaf": leaf, "seq": record.seq, "id": grant.id.as_str(), "operator": grant.operator.to_string(),
            "source": grant.scope.source, "plan": grant.scope.plan,
            "expires_after_seq": grant.expires_after_seq, "spent_by": record.spent_by,
        }));
    }
    let text = if facts.is_empty() { "no grants".to_owned() } else { table.trim_fmt() };
    Ok(Answer::done(text).with("grants", facts))
}
