//! `doctor --self-test`: canned bad input through the gate, the judge and the live hooks of this clone.
//!
//! Owns: the canned input, and telling what got through. Must not: write. A hook is asked about pushes of an object
//! that is there already, under names that must be refused, so no object and no ref changes.
//! The claims are the policy's own tokens: this file spells none.
//!
//! ```text
//! gate    each token of the policies in force, in four disguises, in every channel; a packet with one in it
//! judge   the canonical probes and the validator's vectors, on the specimen
//! hook    names and options that claim, a ledger that is deleted, refs that are forbidden: by its own shim
//! ```

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64URL_NOPAD;

use super::super::place::Place;
use super::super::{hook, surroundings};
use super::Finding;
use crate::judge::gate::{Channel, Gate};
use crate::judge::{derive, probes, specimen, validator};
use crate::ledger::{HookKind, HookState, Oid, Repository};
use crate::packet::Files;
use crate::policy::Policy;
use crate::verdict::Code;

const CHANNELS: [Channel<'static>; 10] = [
    Channel::PacketFile { path: "notes.md" },
    Channel::Statement,
    Channel::File { path: "notes.md" },
    Channel::RefName,
    Channel::TagMessage,
    Channel::Note,
    Channel::PushOption,
    Channel::FileName,
    Channel::CommitMessage,
    Channel::Identity,
];
const MEND: &str =
    "do not use this build: install one whose self-test holds, then push nothing that was let through";
const PLAIN_REF: &str = "refs/heads/self-test";

/// Every self-test.
pub(super) fn run(place: &Place) -> Vec<Finding> {
    let repo = place.open().ok().map(|(repo, _)| repo);
    let policies = repo.as_ref().map_or_else(|| vec![Policy::default_policy()], hook::policies_in_force);
    let mut findings = vec![gate(&policies), judge()];
    if let (Some(repo), Some(policy)) = (&repo, policies.first()) {
        findings.push(hook_of(repo, &place.repo, policy));
    }
    findings
}

/// What became of canned input.
#[derive(Default)]
struct Tally {
    asked: usize,
    through: Vec<String>,
}

impl Tally {
    fn ask(&mut self, held: bool, what: impl FnOnce() -> String) {
        self.asked += 1;
        if !held {
            self.through.push(what());
        }
    }

    fn finding(self, what: &'static str) -> Finding {
        let held = self.asked - self.through.len();
        let count = format!("{held} of {} answered rightly", self.asked);
        match self.through.as_slice() {
            [] => Finding::fine(what, count),
            [first, ..] => Finding::missing(what, Code::SelftestBroken, format!("{count}; {first}"), MEND),
        }
    }
}

fn disguised(token: &str) -> [String; 4] {
    [
        token.to_owned(),
        token.to_lowercase().replace('_', "-"),
        BASE64URL_NOPAD.encode(token.as_bytes()),
        token.chars().flat_map(|c| [c, '\u{200b}']).collect(),
    ]
}

fn gate(policies: &[Policy]) -> Finding {
    let mut tally = Tally::default();
    for policy in policies {
        let gate = Gate::new(policy);
        for channel in CHANNELS {
            for (index, token) in policy.claims().tokens.iter().enumerate() {
                for text in disguised(token) {
                    let verdict = gate.scan("self-test", channel, text.as_bytes());
                    tally.ask(verdict.has(Code::ClaimFound), || {
                        format!("claims.tokens[{index}] got through as {channel:?}")
                    });
                }
            }
            let plain = gate.scan("self-test", channel, b"a plain word");
            tally.ask(plain.accepted(), || format!("a plain word is refused as {channel:?}"));
        }
        let token = policy.claims().tokens.first().map(String::as_str).unwrap_or_default();
        for claims in [false, true] {
            let facts = specimen::facts();
            let Ok(mut packet) = derive::packet(&facts, &specimen::policy()) else { continue };
            if claims && let Some(readme) = packet.get_mut("README.md") {
                readme.extend_from_slice(token.as_bytes());
            }
            let verdict = gate.scan_packet(&Files::collect(packet).0, &[]);
            tally.ask(verdict.has(Code::ClaimFound) == claims, || {
                format!("a packet that claims {}", if claims { "got through" } else { "nothing is refused" })
            });
        }
    }
    tally.finding("self-test: gate")
}

fn judge() -> Finding {
    let (facts, policy) = (specimen::facts(), specimen::policy());
    let run = probes::run(&facts, &policy, &validator::judge(&facts, &policy));
    let mut tally = Tally::default();
    for probe in run.canonical.iter().chain(&run.extended) {
        tally.ask(probe.held, || format!("the probe {} has not held", probe.id));
    }
    let faults = probes::faults(&run, policy.probes());
    tally.ask(faults.accepted(), || "a probe or the control is missing".to_owned());
    let vectors = validator::selftest();
    tally.asked += (vectors.good + vectors.bad) as usize;
    tally.through.extend(vectors.misjudged.iter().map(|name| format!("the vector {name} is misjudged")));
    tally.finding("self-test: judge")
}

/// A push that must be refused: its ref, before and after, a push option, and the code that must be given.
struct Canned {
    reference: String,
    old: Oid,
    new: Oid,
    option: Option<String>,
    code: Code,
}

fn canned(repo: &Repository, policy: &Policy, kind: HookKind, oid: Oid) -> Vec<Canned> {
    let push = |reference: String, code| Canned { reference, old: oid, new: oid, option: None, code };
    let mut pushes = Vec::new();
    for token in policy.claims().tokens.iter().take(3) {
        for (space, text) in ["heads", "tags", "custom", "heads"].iter().zip(disguised(token)) {
            pushes.push(push(format!("refs/{space}/{text}"), Code::ClaimFound));
        }
        if kind == HookKind::PreReceive {
            pushes
                .push(Canned { option: Some(token.clone()), ..push(PLAIN_REF.to_owned(), Code::ClaimFound) });
        }
    }
    pushes.push(push(format!("refs/replace/{oid}"), Code::RefForbidden));
    pushes.push(push("refs/heads/fix7-ledger/No-Ledger".to_owned(), Code::RefForbidden));
    for (ledger, tip) in repo.ledgers().unwrap_or_default() {
        let (reference, new) = (ledger.as_str().to_owned(), Oid::null(tip.kind()));
        pushes.push(Canned { old: tip, new, ..push(reference, Code::LedgerDeleted) });
    }
    pushes
}

fn hook_of(repo: &Repository, directory: &Path, policy: &Policy) -> Finding {
    let (kind, what) = match repo.is_bare() {
        true => (HookKind::PreReceive, "self-test: pre-receive"),
        false => (HookKind::PrePush, "self-test: pre-push"),
    };
    let mend = "`fix7-ledger doctor` tells how to install it";
    let status = match repo.hook_status(kind, &surroundings::inherited()) {
        Ok(status) if status.state == HookState::Live => status,
        _ => return Finding::missing(what, Code::HookMissing, "the hook is not live", mend),
    };
    let oid = match repo.refs().map(|refs| refs.into_iter().next()) {
        Ok(Some((_, oid))) => oid,
        _ => return Finding::note(what, "the repository is empty: no push can be made up", ""),
    };
    let program = match surroundings::executable() {
        Ok(program) => program,
        Err(_) => return Finding::missing(what, Code::SelftestBroken, "this program is not found", mend),
    };
    let mut tally = Tally::default();
    for push in canned(repo, policy, kind, oid) {
        let said = asked(&mut Command::new(&status.path), directory, kind, &push);
        let held = matches!(&said, Ok((code, text)) if *code != Some(0) && text.contains(push.code.name()));
        tally.ask(held, || {
            format!(
                "{} for {} was not refused as {}",
                kind.name(),
                push.reference.escape_default(),
                push.code
            )
        });
    }
    // The twin goes to this program itself: an earlier hook behind the shim is not to see a push that is none.
    let plain =
        Canned { reference: PLAIN_REF.to_owned(), old: oid, new: oid, option: None, code: Code::ClaimFound };
    let said = asked(Command::new(program).arg("hook").arg(kind.name()), directory, kind, &plain);
    tally.ask(matches!(said, Ok((Some(0), _))), || format!("{} refuses a plain push", kind.name()));
    tally.finding(what)
}

/// Runs a hook on one push. Its exit code, and what it said.
fn asked(
    command: &mut Command,
    directory: &Path,
    kind: HookKind,
    push: &Canned,
) -> std::io::Result<(Option<i32>, String)> {
    let (reference, old, new) = (&push.reference, push.old, push.new);
    let line = match kind {
        HookKind::PrePush => {
            command.args(["self-test", "self-test"]);
            format!("{reference} {new} {reference} {old}\n")
        }
        _ => format!("{old} {new} {reference}\n"),
    };
    command.env_remove("GIT_PUSH_OPTION_COUNT").current_dir(directory);
    if let Some(option) = &push.option {
        command.env("GIT_PUSH_OPTION_COUNT", "1").env("GIT_PUSH_OPTION_0", option);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A hook that does not read its input has answered already.
        let _ = input.write_all(line.as_bytes());
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.code(), text))
}
