//! `validate`: judge a packet, facts that are not a packet yet, or the validator itself.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::answer::{Answer, Failure, Ui};
use super::packet_directory;
use super::policy_choice::PolicyChoice;
use super::table::Table;
use crate::evidence::Facts;
use crate::judge::validator::{self, Judgement};
use crate::judge::{self, Judge};
use crate::packet::{Files, MANIFEST, manifest};
use crate::policy::Policy;
use crate::state::State;
use crate::verdict::{Code, Reason, Verdict};

/// Arguments of `validate`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    choice: PolicyChoice,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A packet: every file is derived again from the facts and compared.
    #[arg(long, value_name = "DIR")]
    packet: Option<PathBuf>,
    /// A directory with the three fact files and plan/: the validator alone.
    #[arg(long, value_name = "DIR")]
    facts: Option<PathBuf>,
    /// The validator's own vectors, known to be good or bad.
    #[arg(long)]
    selftest: bool,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    if args.what.selftest {
        return Ok(selftest());
    }
    let policy = args.choice.policy()?;
    match (&args.what.packet, &args.what.facts) {
        (Some(directory), _) => packet(directory, &policy, args.choice.state()?.as_ref()),
        (_, Some(directory)) => facts(directory, &policy),
        // The group of arguments demands one.
        _ => Err(Failure::because(Code::FileMissing, "validate", "nothing to judge")),
    }
}

fn packet(directory: &Path, policy: &Policy, state: Option<&State>) -> Result<Answer, Failure> {
    let files = packet_directory::read(directory)?;
    let mut verdict = Judge::new(policy).packet(None, &files);
    verdict.merge(judge::overclaimed(state, &files));
    let judgement = judge::facts(&files).ok().map(|facts| validator::judge(&facts, policy));
    let tree = files.get(MANIFEST).map(manifest::tree_digest);
    let mut text = judgement.as_ref().map(table).unwrap_or_default();
    let tree_text = tree.map_or("none".to_owned(), |digest| digest.to_string());
    text.push_str(&format!("\n{} files, {}\npacket_tree.sha256 {tree_text}", files.len(), word(&verdict)));
    text.push_str("\nnot looked at: signatures and the ledger (`fix7-ledger verify` does)");
    Ok(Answer::done(text.trim_start())
        .with("result", word(&verdict))
        .with("packet_tree", tree)
        .with("files", files.len())
        .with("entries", judgement.as_ref().map(entries))
        .judged(verdict))
}

fn facts(directory: &Path, policy: &Policy) -> Result<Answer, Failure> {
    let files: Files = packet_directory::read(directory)?;
    let facts: Facts = judge::facts(&files)?;
    let judgement = validator::judge(&facts, policy);
    let verdict = judgement.verdict();
    let text =
        format!("{}\n{} by the validator alone; no packet was judged", table(&judgement), word(&verdict));
    Ok(Answer::done(text).with("result", word(&verdict)).with("entries", entries(&judgement)).judged(verdict))
}

fn selftest() -> Answer {
    let result = validator::selftest();
    let mut verdict = Verdict::default();
    for name in &result.misjudged {
        verdict.push(Reason::new(Code::SelftestBroken, name).found("misjudged"));
    }
    verdict.require(result.good > 0 && result.bad > 0, || {
        Reason::new(Code::SelftestBroken, "vectors").values("good and bad ones", "none of a kind")
    });
    let (held, misjudged) = (verdict.accepted(), result.misjudged.len());
    let text = format!(
        "selftest {}: {} good vectors accepted, {} bad vectors refused each for its own reason, {misjudged} misjudged",
        if held { "PASS" } else { "FAIL" },
        result.good,
        result.bad,
    );
    Answer::done(text).with("selftest", result).judged(verdict)
}

fn table(judgement: &Judgement) -> String {
    let mut table = Table::headed(["LEG", "KIND", "JUDGEMENT"]);
    for entry in &judgement.entries {
        let kind = serde_json::to_value(entry.kind).ok().and_then(|v| v.as_str().map(str::to_owned));
        table.add_row([entry.leg.name(), &kind.unwrap_or_default(), word(&entry.verdict)]);
    }
    table.fitted()
}

fn entries(judgement: &Judgement) -> Vec<serde_json::Value> {
    let one = |entry: &validator::EntryJudgement| {
        json!({"leg": entry.leg, "kind": entry.kind, "outcome": entry.outcome,
               "result": word(&entry.verdict), "reasons": entry.verdict.reasons()})
    };
    judgement.entries.iter().map(one).collect()
}

fn word(verdict: &Verdict) -> &'static str {
    if verdict.accepted() { "accepted" } else { "refused" }
}
