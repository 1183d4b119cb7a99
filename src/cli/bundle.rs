//! `export bundle` and `verify --bundle`: one entry in one file.

use std::path::Path;

use super::answer::{Answer, Failure};
use super::place::Place;
use super::trust::Trust;
use super::{checkpoint, leaves, replay, show, surroundings};
use crate::bundle::{Bundle, MAX_BYTES};
use crate::entry::Entry;
use crate::judge::Judge;
use crate::policy::Policy;
use crate::statement::{Kind, POLICY_FILE};
use crate::verdict::{Code, Reason};

/// Writes the bundle of an entry into a new file.
pub(super) fn export(
    place: &Place,
    wanted: Option<&str>,
    head: Option<&Path>,
    out: &Path,
) -> Result<Answer, Failure> {
    let (state, tip) = replay::trusted(place)?;
    let (repo, ledger, _) = place.existing()?;
    if out.exists() {
        return Err(Failure::because(Code::AlreadyExists, out.display(), "it is there already"));
    }
    let (opened, _, text) = checkpoint::given(&repo, &ledger, &state, head)?;
    let all = leaves::read(&repo, &tip, &state)?;
    let under = checkpoint::under_kept(&repo, &ledger, &all, &opened, &text)?;
    let reader = repo.reader();
    let (entry, genesis) = (show::find(&reader, &tip, wanted)?, show::find(&reader, &tip, Some("0"))?);
    let parsed = Entry::parse(&entry.commit).map_err(|e| Failure::because(e.code(), &entry.oid, e))?;
    let leaf = parsed.leaf();
    let hashes = |index| leaves::inclusion(under, index, Vec::new(), &text).map(|proof| proof.hashes);
    let policy = in_force(leaf.kind, leaf.policy, genesis.files.get(POLICY_FILE), state.policy())?;
    let bundle = Bundle {
        hashes: hashes(leaf.seq)?,
        genesis_hashes: hashes(0)?,
        checkpoint: text,
        entry,
        genesis,
        policy,
    };
    let bytes = bundle.to_bytes().map_err(|e| Failure::because(e.code(), "the bundle", e))?;
    std::fs::write(out, &bytes).map_err(|e| Failure::because(Code::Unreadable, out.display(), e))?;
    let text = format!("entry #{} in {} ({} bytes)", leaf.seq, out.display(), bytes.len());
    Ok(Answer::done(text).with("bundle", out).with("seq", leaf.seq).with("bytes", bytes.len()))
}

/// The policy whose digest the entry signed.
fn in_force(
    kind: Kind,
    digest: crate::digest::Digest,
    first: Option<&Vec<u8>>,
    now: Option<&Policy>,
) -> Result<Vec<u8>, Failure> {
    let candidates = first.map(Vec::as_slice).into_iter().chain(now.map(Policy::bytes));
    let found = candidates.into_iter().find(|bytes| {
        kind == Kind::Genesis || Policy::parse(bytes).is_ok_and(|policy| policy.digest() == digest)
    });
    found.map(<[u8]>::to_vec).ok_or_else(|| {
        Reason::new(Code::PolicyMismatch, "policy in force")
            .values(digest, "another one in this ledger")
            .into()
    })
}

/// Verifies a bundle with nothing but the trusted keys.
pub(super) fn verify(file: &Path, trust: &Trust) -> Result<Answer, Failure> {
    let bytes = surroundings::read(file, MAX_BYTES)?;
    let bundle = Bundle::parse(&bytes).map_err(|e| Failure::because(e.code(), file.display(), e))?;
    let opened = trust.open(&bundle.checkpoint, &[])?;
    let judge =
        |policy: &Policy, statement: &_, files: &_| replay::alone(&Judge::new(policy), statement, files);
    let examined = bundle.examine(&opened.checkpoint, &judge);
    let mut text = match (examined.entry, examined.verdict.accepted()) {
        (Some((seq, kind, leaf)), true) => {
            format!("entry #{seq} {} {leaf} holds [HOLD_PRODUCTION]\n", kind.name())
        }
        _ => "the entry does NOT hold\n".to_owned(),
    };
    text.push_str(&opened.text());
    text.push_str("not established:\n");
    for gap in &examined.not_established {
        text.push_str(&format!("  - {gap}\n"));
    }
    let mut answer = Answer::done(text.trim_end()).with("not_established", &examined.not_established);
    if let Some((seq, kind, leaf)) = examined.entry {
        answer = answer.with("seq", seq).with("kind", kind.name()).with("leaf", leaf);
    }
    Ok(opened.tell(answer).judged(examined.verdict).judged(opened.verdict.clone()))
}
