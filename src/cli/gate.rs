//! `gate`: judge a range of commits as `pre-receive` would, for hosts that run no hooks of yours.
//!
//! Owns: the verb. The templates in `hooks/ci/` call it as a required check. Must not: hold a rule, or take a
//! word of the host for what is new: what the range does not say to be known is looked at.

use super::answer::{Answer, Failure, Ui};
use super::hook;
use super::place::Place;
use crate::ledger::push::{Push, Side, Update};
use crate::ledger::{Oid, Repository, parse_oid};
use crate::verdict::{Code, Reason};

/// Arguments of `gate`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Where the ref pointed before: a commit id, or zeros for a new ref.
    #[arg(long, value_name = "OID")]
    base: String,
    /// Where it points now: a commit id, or zeros for a ref that was deleted.
    #[arg(long, value_name = "OID")]
    head: String,
    /// The full name of the ref, such as refs/heads/main.
    #[arg(long = "ref", value_name = "REF")]
    reference: String,
    /// Further history that was judged before: a commit id, or a ref of this clone (one that is not there is no error).
    #[arg(long, value_name = "OID|REF")]
    known: Vec<String>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let (repo, _) = args.place.open()?;
    let mut known = Vec::new();
    for name in &args.known {
        match parse_oid(name.as_bytes()) {
            Some(id) => known.push(id),
            None => known.extend(repo.tip(name)?),
        }
    }
    let (old, new) = (oid("--base", &args.base)?, oid("--head", &args.head)?);
    known.retain(|id| Some(*id) != new); // the head's own branch says nothing about what is new
    demand(&repo, new)?;
    let push = Push {
        side: Side::Range { known },
        updates: vec![Update { reference: args.reference, old, new }],
        options: Vec::new(),
    };
    Ok(hook::judged(&repo, &push))
}

fn oid(option: &str, text: &str) -> Result<Option<Oid>, Failure> {
    let id = parse_oid(text.as_bytes()).ok_or_else(|| {
        Failure::from(
            Reason::new(Code::Malformed, option).values("40 hexadecimal digits", text.escape_default()),
        )
    })?;
    Ok((!id.is_null()).then_some(id))
}

/// A clone that lacks the head cannot judge it.
fn demand(repo: &Repository, new: Option<Oid>) -> Result<(), Failure> {
    let Some(new) = new else { return Ok(()) };
    repo.reader().read_any(&new, u64::MAX, &mut Vec::new())?;
    Ok(())
}
