//! `doctor`: what is missing on this machine and in this clone, and how to mend it.

mod selftest;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::table::Table;
use super::{hooks, keyring, replay, surroundings};
use crate::keys::SecretKey;
use crate::ledger::{HookKind, HookState};
use crate::rehearse::isolation;
use crate::verdict::{Code, Reason, Verdict};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// A key that should be usable: a name in the key directory, a file, or SHA256:… in ssh-agent.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Also send canned bad packets and claims through the gate, the judge and the live hook of this clone, and tell
    /// what got through. Nothing is written.
    #[arg(long)]
    self_test: bool,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    /// `fine`, `note` (nothing depends on it here) or `missing`.
    state: &'static str,
    found: String,
    mend: String,
    #[serde(skip)]
    code: Option<Code>,
}

impl Finding {
    fn fine(what: &'static str, found: impl ToString) -> Finding {
        Finding { what, state: "fine", found: found.to_string(), mend: String::new(), code: None }
    }
    fn note(what: &'static str, found: impl ToString, mend: impl ToString) -> Finding {
        Finding { what, state: "note", found: found.to_string(), mend: mend.to_string(), code: None }
    }
    fn missing(what: &'static str, code: Code, found: impl ToString, mend: impl ToString) -> Finding {
        Finding { what, state: "missing", found: found.to_string(), mend: mend.to_string(), code: Some(code) }
    }
}

/// The oldest git that signs with SSH keys, and the oldest OpenSSH with `valid-after` in allowed_signers.
const GIT: (u32, u32) = (2, 34);
const OPENSSH: (u32, u32) = (8, 8);
/// 2026-01-01: a clock before it was never set.
const CLOCK_FLOOR: i64 = 1_767_225_600;

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    ui.say("looking at this machine and this clone …");
    let mut findings = vec![
        version(
            "git",
            &["--version"],
            GIT,
            "install git 2.34 or newer: pushes and `git verify-commit` need it",
        ),
        version(
            "ssh",
            &["-V"],
            OPENSSH,
            "install OpenSSH 8.8 or newer: stock git verifies signatures with it",
        ),
        clock(&args.place),
    ];
    findings.extend(isolation()?);
    findings.extend(clone(&args.place));
    findings.push(key(args.key.as_deref()));
    if args.self_test {
        ui.say("sending bad input through the gate, the judge and the hook …");
        findings.extend(selftest::run(&args.place));
    }
    let mut table = Table::default();
    for f in &findings {
        table.add_row([f.state, f.what, &f.found, &f.mend]);
    }
    let missing = findings.iter().filter_map(|f| Some(Reason::new(f.code?, f.what).found(&f.found)));
    let verdict: Verdict = missing.collect();
    Ok(Answer::done(table.fitted()).with("findings", &findings).judged(verdict))
}

fn version(program: &'static str, arguments: &[&str], least: (u32, u32), mend: &str) -> Finding {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        return Finding::missing(program, Code::ProgramMissing, "it does not start", mend);
    };
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    match numbers(&text) {
        Some(found) if found >= least => Finding::fine(program, text),
        Some(_) => Finding::missing(program, Code::ProgramMissing, text, mend),
        None => Finding::note(program, text, "its version was not understood"),
    }
}

/// The first `N.M` in a text.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text[start..].split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn clock(place: &Place) -> Finding {
    const WHAT: &str = "clock";
    let mend = "set the clock: an entry's time may not lie before the entry before it";
    let Ok(now) = surroundings::now() else {
        return Finding::missing(WHAT, Code::ClockWrong, "it cannot be read", mend);
    };
    let last = replay::trusted(place).ok().and_then(|(state, _)| state.last_time());
    match last {
        _ if now.unix_seconds() < CLOCK_FLOOR => Finding::missing(WHAT, Code::ClockWrong, now, mend),
        Some(last) if now < last => {
            Finding::missing(WHAT, Code::ClockWrong, format!("{now}, the last entry says {last}"), mend)
        }
        _ => Finding::fine(WHAT, now),
    }
}

fn isolation() -> Result<Vec<Finding>, Failure> {
    let reports = isolation::reachable(&surroundings::executable()?, &surroundings::scratch_parent());
    let any = reports.iter().any(|report| report.outcome.is_ok());
    Ok(reports
        .into_iter()
        .map(|report| {
            let what = match u8::from(report.level) {
                3 => "isolation level 3",
                _ => "isolation level 2",
            };
            let mend = report.hint.unwrap_or_default();
            match report.outcome {
                Ok(_) => Finding::fine(what, "established, probed and closed again"),
                // One level is enough for SQLite.
                Err(error) if any => Finding::note(what, error, mend),
                Err(error) => Finding::missing(what, Code::IsolationUnavailable, error, mend),
            }
        })
        .collect())
}

fn clone(place: &Place) -> Vec<Finding> {
    let repo = match place.open() {
        Ok((repo, _)) => repo,
        Err(failure) => {
            let found = failure.verdict().reasons().first().map(ToString::to_string).unwrap_or_default();
            return vec![Finding::note("repository", found, "run this in a clone, or name it with --repo")];
        }
    };
    let mut findings = Vec::new();
    match place.existing() {
        Ok(_) => match replay::trusted(place) {
            Ok((state, _)) => {
                findings.push(Finding::fine("ledger", format!("{} entries hold", state.next_seq())))
            }
            Err(failure) => findings.extend(failure.verdict().reasons().iter().take(3).map(|reason| {
                Finding::missing("ledger", reason.code, reason, "`fix7-ledger verify` tells everything")
            })),
        },
        Err(_) => {
            findings.push(Finding::note("ledger", "none in this repository", "`fix7-ledger init` begins one"))
        }
    }
    if let Ok(conditions) = repo.conditions() {
        findings.extend(
            conditions.reasons().iter().map(|r| Finding::missing("repository", r.code, r, r.code.advice())),
        );
    }
    let kinds: &[HookKind] =
        if repo.is_bare() { &[HookKind::PreReceive] } else { &[HookKind::PrePush, HookKind::PreCommit] };
    for kind in kinds {
        let mend =
            if repo.is_bare() { "fix7-ledger hooks install --server" } else { "fix7-ledger hooks install" };
        findings.push(match repo.hook_status(*kind, &surroundings::inherited()) {
            Ok(status) if status.state == HookState::Live => {
                Finding::fine(kind.name(), status.path.display())
            }
            Ok(status) => Finding::missing(kind.name(), Code::HookMissing, hooks::word(status.state), mend),
            Err(error) => Finding::missing(kind.name(), Code::HookMissing, error, mend),
        });
    }
    if repo.is_bare()
        && let Ok(soft) = repo.soft_settings(&surroundings::inherited())
    {
        findings.extend(soft.into_iter().map(|(setting, value)| {
            let found = if value.is_empty() { "not set".to_owned() } else { value };
            Finding::missing(setting, Code::HookMissing, found, "fix7-ledger hooks install --server")
        }));
    }
    findings
}

fn key(wanted: Option<&str>) -> Finding {
    const WHAT: &str = "key";
    let make = "fix7-ledger key new NAME";
    let Some(wanted) = wanted else {
        let keys = surroundings::key_directory().map(|dir| count(&dir)).unwrap_or(0);
        return match keys {
            0 => Finding::note(WHAT, "none in the key directory", make),
            n => Finding::fine(WHAT, format!("{n} in the key directory")),
        };
    };
    // A key is opened as far as it goes without a passphrase: nobody is asked anything here.
    let shown = match keyring::public(wanted) {
        Ok(public) => public.fingerprint().to_string(),
        Err(_) => wanted.escape_default().to_string(),
    };
    let path = PathBuf::from(wanted);
    let place =
        if path.exists() { Ok(path) } else { surroundings::key_directory().map(|dir| dir.join(wanted)) };
    let text = place.and_then(|place| keyring::read_secret(&place));
    match text.map(|text| SecretKey::is_encrypted(&text)) {
        Ok(Ok(true)) => Finding::fine(WHAT, format!("{shown}, protected by a passphrase")),
        Ok(Ok(false)) => Finding::note(
            WHAT,
            format!("{shown}, not protected"),
            "ssh-keygen -p -f FILE gives it a passphrase",
        ),
        Ok(Err(error)) => Finding::missing(WHAT, Code::KeyUnreadable, error, make),
        Err(failure) => {
            let found = failure.verdict().reasons().first().map(ToString::to_string).unwrap_or_default();
            Finding::missing(WHAT, Code::KeyUnreadable, found, make)
        }
    }
}

fn count(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.path().extension().is_some_and(|x| x == "pub")).count()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_read_off_what_the_programs_print() {
        assert_eq!(numbers("git version 2.47.3"), Some((2, 47)));
        assert_eq!(numbers("OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19"), Some((9, 2)));
        assert_eq!(numbers("no digits"), None);
    }
}
