//! `grant issue | revoke | list`: an owner's permission for one rehearsal.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::decision::{self, Decided, DecisionArgs};
use super::place::Place;
use super::table::Table;
use super::{correct, key_change, recording, replay};
use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::rehearse::plan;
use crate::state::State;
use crate::statement::{Claim, Grant, Scope};
use crate::verdict::{Reason, Verdict};

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
    /// Take a grant back that nobody used yet.
    Revoke(Box<Revoke>),
    /// List the grants, and which rehearsal consumed each.
    List {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
struct Issue {
    #[command(flatten)]
    decision: DecisionArgs,
    /// The operator who may rehearse: a registered name or a fingerprint.
    #[arg(long, value_name = "NAME")]
    operator: String,
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

#[derive(clap::Args)]
struct Revoke {
    /// The grant: its name or leaf.
    grant: String,
    #[command(flatten)]
    decision: DecisionArgs,
    /// Why, in a sentence.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::Issue(issue) => self::issue(&issue),
        Verb::Revoke(revoke) => self::revoke(&revoke),
        Verb::List { place } => list(&place),
    }
}

fn issue(args: &Issue) -> Result<Answer, Failure> {
    let plan = match &args.plan {
        Some(dir) => Some(plan::read(dir).map_err(Verdict::from_iter)?.digest()),
        None => None,
    };
    let mut operator = None;
    let answer = decision::decide(&args.decision, |_, state| {
        let key = self::operator(state, &args.operator)?;
        operator = Some(key);
        Ok(Decided::from(Claim::Grant(Grant {
            id: decision::named(args.id.as_deref(), "grant", state)?,
            operator: key,
            scope: Scope { source: args.source_digest, plan },
            expires_after_seq: args.expires_after.map(|n| state.next_seq().saturating_add(n)),
        })))
    })?;
    Ok(answer.with("operator", operator))
}

fn revoke(args: &Revoke) -> Result<Answer, Failure> {
    let (state, _) = replay::trusted(&args.decision.place)?;
    let of = recording::named_grant(&state, &args.grant)?;
    correct::void_leaf(&args.decision, of, &args.reason)
}

/// A key by its fingerprint, registered or not, or by its holder's name.
fn operator(state: &State, text: &str) -> Result<Fingerprint, Failure> {
    match text.parse() {
        Ok(fingerprint) => Ok(fingerprint),
        Err(_) => Ok(key_change::holder(state, text)?.0),
    }
}

fn list(place: &Place) -> Result<Answer, Failure> {
    let (state, _) = replay::trusted(place)?;
    let grants = state.grants().map_err(Reason::from)?;
    let mut table = Table::headed(["ENTRY", "GRANT", "OPERATOR", "SCOPE", "USED BY"]);
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
        let used = match (record.spent_by, record.void) {
            (Some(seq), _) => format!("#{seq}"),
            (None, Some(seq)) => format!("revoked by #{seq}"),
            (None, None) => "-".to_owned(),
        };
        table.add_row([format!("#{}", record.seq), grant.id.to_string(), name, scope, used]);
        facts.push(json!({
            "leaf": leaf, "seq": record.seq, "id": grant.id.as_str(), "operator": grant.operator.to_string(),
            "source": grant.scope.source, "plan": grant.scope.plan,
            "expires_after_seq": grant.expires_after_seq, "spent_by": record.spent_by,
            "void": record.void,
        }));
    }
    let text = if facts.is_empty() { "no grants".to_owned() } else { table.fitted() };
    Ok(Answer::done(text).with("grants", facts).to_read())
}
