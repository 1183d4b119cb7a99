//! `export bundle` and `verify --bundle`: one entry in one file.

use std::collections::BTreeMap;
use std::path::Path;

use super::answer::{Answer, Failure};
use super::place::Place;
use super::recall::{self, Here};
use super::trust::{Anchor, Trust};
use super::{checkpoint, leaves, replay, show, surroundings};
use crate::bundle::{self, Bundle, MAX_BYTES, registry_of};
use crate::entry::Entry;
use crate::judge::{self, Judge};
use crate::policy::Policy;
use crate::verdict::{Code, Reason};
use crate::verify::EntryFiles;

/// Writes the bundle of an entry into a new file.
pub(super) fn export(
    place: &Place,
    wanted: Option<&str>,
    head: Option<&Path>,
    out: &Path,
) -> Result<Answer, Failure> {
    let here = recall::here(place)?;
    let Here { repo, ledger, tip, state, .. } = &here;
    if out.exists() {
        return Err(Failure::because(Code::AlreadyExists, out.display(), "it is there already"));
    }
    let (opened, _, text) = checkpoint::given(repo, ledger, state, head)?;
    let size = checkpoint::under_kept(&here, &opened, &text)?.size();
    let (entry, genesis) = (show::find(&here, wanted)?, show::find(&here, Some("0"))?);
    let parsed = Entry::parse(&entry.commit).map_err(|e| Failure::because(e.code(), &entry.oid, e))?;
    let leaf = parsed.leaf();
    // Before the leaves are read: that takes minutes where there are too many.
    let over =
        |e: bundle::BundleError| Failure::because(e.code(), format_args!("the bundle of {size} leaves"), e);
    bundle::check_leaf_count(size).map_err(over)?;
    let leaves = leaves::texts(repo, tip, usize::try_from(size).unwrap_or(usize::MAX))?;
    let mut registry = BTreeMap::new();
    for seq in registry_of(&leaves, &entry) {
        registry.insert(seq, show::find(&here, Some(&seq.to_string()))?);
    }
    let bundle = Bundle { checkpoint: text, entry, genesis, leaves, registry };
    let bytes = bundle.to_bytes().map_err(|e| Failure::because(e.code(), "the bundle", e))?;
    if bytes.len() as u64 > MAX_BYTES {
        let reason = Reason::new(Code::LimitExceeded, "the bundle");
        return Err(reason.values(format!("at most {MAX_BYTES} bytes"), bytes.len()).into());
    }
    std::fs::write(out, &bytes).map_err(|e| Failure::because(Code::Unreadable, out.display(), e))?;
    let text = format!("entry #{} in {} ({} bytes)", leaf.seq, out.display(), bytes.len());
    Ok(Answer::done(text).with("bundle", out).with("seq", leaf.seq).with("bytes", bytes.len()))
}

/// Verifies a bundle with nothing but the trusted keys.
pub(super) fn verify(file: &Path, trust: &Trust) -> Result<Answer, Failure> {
    let bytes = surroundings::read(file, MAX_BYTES)?;
    let bundle = Bundle::parse(&bytes).map_err(|e| Failure::because(e.code(), file.display(), e))?;
    let judge =
        |policy: &Policy, statement: &_, files: &_| replay::alone(&Judge::new(policy), statement, files);
    let facts = |files: &EntryFiles| judge::packet_facts(&replay::packet(files).0);
    let mut examined = bundle.examine(&judge, &facts);
    let anchored = |anchor: &Anchor| match anchor {
        Anchor::Ledger(id) => examined.ledger.as_ref().is_some_and(|ledger| ledger.id == *id),
        Anchor::Owner(key) => examined.owners.contains(key),
    };
    // What the bundle shows of itself says more than that its checkpoint could not be opened then.
    let opened = match trust.open_anchored(&bundle.checkpoint, &examined.log_keys, anchored) {
        Err(_) if !examined.verdict.accepted() => return Err(examined.verdict.into()),
        opened => opened?,
    };
    let under = examined.under(&opened.checkpoint);
    examined.verdict.merge(under);
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
