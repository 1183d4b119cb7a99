//! `key add | retire | revoke`: the owners change whose signatures count.

use super::answer::{Answer, Failure};
use super::decision::{self, Decided, DecisionArgs};
use super::keyring;
use crate::keys::Fingerprint;
use crate::state::State;
use crate::statement::{Claim, KeyChange, KeyEnd, KeyEntry, KeyRevocation, Label, Role};
use crate::verdict::{Code, Reason};

/// Arguments of `key add`.
#[derive(clap::Args)]
pub(super) struct AddArgs {
    /// The holder's name and the key: NAME=KEY, where KEY is a .pub file, a name in the key directory or a public line.
    #[arg(value_name = "NAME=KEY")]
    holder: String,
    #[command(flatten)]
    decision: DecisionArgs,
    /// What the key may do: owner, operator, auditor, or alone log or witness. May be given several times.
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<String>,
    /// The key is another one of this person, who has one here. One person counts once, with however many keys.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
}

/// Arguments of `key retire`.
#[derive(clap::Args)]
pub(super) struct RetireArgs {
    /// The holder's name or the key's fingerprint.
    holder: String,
    #[command(flatten)]
    decision: DecisionArgs,
}

/// Arguments of `key revoke`.
#[derive(clap::Args)]
pub(super) struct RevokeArgs {
    /// The holder's name or the key's fingerprint.
    holder: String,
    #[command(flatten)]
    decision: DecisionArgs,
    /// The number of the last entry at which the key counts. What it signed since is suspect until an auditor confirms.
    #[arg(long, value_name = "N")]
    last_valid_seq: u64,
}

/// Registers a further key.
pub(super) fn add(args: &AddArgs) -> Result<Answer, Failure> {
    let (name, key) = args
        .holder
        .split_once('=')
        .ok_or_else(|| Failure::because(Code::KeyUnreadable, &args.holder, "expected NAME=KEY"))?;
    let (name, public) = (decision::label(name)?, keyring::public(key)?);
    let roles = args.role.iter().map(|text| role(text)).collect::<Result<_, _>>()?;
    let person = args.person.as_deref().map(decision::label).transpose()?;
    let change = KeyChange::Add(Box::new(KeyEntry { name, person, public, roles }));
    decision::decide(&args.decision, |_, _| Ok(Decided::from(Claim::Key(change))))
}

/// Ends a key in order.
pub(super) fn retire(args: &RetireArgs) -> Result<Answer, Failure> {
    decision::decide(&args.decision, |_, state| {
        let (key, name) = holder(state, &args.holder)?;
        Ok(Decided::from(Claim::Key(KeyChange::Retire(KeyEnd { key, name }))))
    })
}

/// Ends a key at an earlier position.
pub(super) fn revoke(args: &RevokeArgs) -> Result<Answer, Failure> {
    decision::decide(&args.decision, |_, state| {
        let (key, name) = holder(state, &args.holder)?;
        let revocation = KeyRevocation { key, last_valid_seq: args.last_valid_seq, name };
        Ok(Decided::from(Claim::Key(KeyChange::Revoke(revocation))))
    })
}

/// A registered key by its holder's name or its fingerprint.
pub(super) fn holder(state: &State, text: &str) -> Result<(Fingerprint, Label), Failure> {
    let wanted = text.parse::<Fingerprint>().ok();
    let mut keys = state.keys();
    let found = keys.find(|(key, record)| Some(**key) == wanted || record.name.as_str() == text);
    found.map(|(key, record)| (*key, record.name.clone())).ok_or_else(|| {
        let known = state.keys().map(|(_, key)| key.name.as_str()).collect::<Vec<_>>().join(", ");
        let shown = text.escape_default();
        Reason::new(Code::KeyUnknown, format!("key `{shown}`"))
            .values(format!("one of {known}"), shown)
            .into()
    })
}

fn role(text: &str) -> Result<Role, Failure> {
    const ALL: [Role; 5] = [Role::Owner, Role::Operator, Role::Auditor, Role::Log, Role::Witness];
    ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
        let expected = ALL.map(Role::name).join(", ");
        let reason = Reason::new(Code::KeyChangeInvalid, format!("role `{}`", text.escape_default()));
        reason.values(format!("one of {expected}"), text.escape_default()).into()
    })
}
