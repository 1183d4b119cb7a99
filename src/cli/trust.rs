//! What the reader of a proof trusts: the log's key, a policy of witnesses, and how old a quorum may be.
//!
//! Owns: the flags, and opening a checkpoint under them. Must not: hold a rule: `tlog` counts.

use std::path::{Path, PathBuf};

use super::answer::{Answer, Failure, escaped};
use super::keyring;
use super::screen::shown_age;
use super::surroundings;
use crate::digest::Digest;
use crate::keys::Fingerprint;
use crate::time::Timestamp;
use crate::tlog::checkpoint::{self, Checkpoint};
use crate::tlog::note::{Note, Role, VerifierKey};
use crate::tlog::quorum::{Quorum, TrustPolicy};
use crate::tlog::{MAX_TEXT_BYTES, TlogError};
use crate::verdict::{Code, Reason, Verdict};

/// Whom the reader trusts.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Trust {
    /// The log's verifier key (`checkpoint` prints it): its text, or a file that holds it. For a bundle also the ledger's id,
    /// or the public key of an owner.
    #[arg(long, value_name = "VKEY")]
    trust: Vec<String>,
    /// A trust policy (c2sp.org/tlog-policy): logs, witnesses, and whose cosignatures are enough.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The oldest quorum that is good enough, such as 90m, 36h or 7d.
    #[arg(long, value_name = "AGE", requires = "policy", value_parser = length)]
    max_age: Option<i64>,
}

/// What a reader of a bundle trusts beside a log's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The digest of the ledger's genesis statement.
    Ledger(Digest),
    /// A key that signed as an owner.
    Owner(Fingerprint),
}

/// A checkpoint that one of the trusted log keys signed, and what its cosignatures come to.
pub(super) struct Opened {
    pub(super) checkpoint: Checkpoint,
    pub(super) quorum: Option<Quorum>,
    /// What speaks against relying on it: no quorum, or one that is too old.
    pub(super) verdict: Verdict,
    now: Timestamp,
}

impl Trust {
    /// Whether a policy was named.
    pub(super) fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Opens a checkpoint under the trusted keys and `others`, and counts its cosignatures.
    pub(super) fn open(&self, text: &str, others: &[VerifierKey]) -> Result<Opened, Failure> {
        let mut keys = others.to_vec();
        for text in &self.trust {
            keys.push(verifier_key(text)?);
        }
        self.opened(text, keys)
    }

    /// Opens the checkpoint of a bundle: under a trusted log key, or under `registered` ones, where `anchored` says that
    /// their ledger is one that the reader named.
    pub(super) fn open_anchored(
        &self,
        text: &str,
        registered: &[VerifierKey],
        anchored: impl Fn(&Anchor) -> bool,
    ) -> Result<Opened, Failure> {
        let mut keys = Vec::new();
        let mut strangers = Vec::new();
        for given in &self.trust {
            match anchor(given)? {
                None => keys.push(verifier_key(given)?),
                Some(anchor) if anchored(&anchor) => keys.extend_from_slice(registered),
                Some(_) => strangers.push(given.as_str()),
            }
        }
        if keys.is_empty() && !strangers.is_empty() {
            let found = "this bundle is of another ledger, or no owner with this key signed anything in it";
            return Err(Failure::because(Code::WrongLedger, escaped(&strangers.join(", ")), found));
        }
        self.opened(text, keys)
    }

    fn opened(&self, text: &str, mut keys: Vec<VerifierKey>) -> Result<Opened, Failure> {
        let policy = self.read_policy()?;
        keys.extend(policy.iter().flat_map(|policy| policy.logs()).cloned());
        let (checkpoint, note) = open_with(text, &keys)?;
        let now = surroundings::now()?;
        let (mut quorum, mut verdict) = (None, Verdict::default());
        if let Some(policy) = &policy {
            let found = policy.evaluate(&note, now).map_err(|e| failure("the checkpoint", &e))?;
            let object = format!("checkpoint of size {}", checkpoint.size());
            verdict.require(found.reached, || {
                Reason::new(Code::QuorumMissing, &object)
                    .found(format_args!("missing: {}", found.missing.join(", ")))
            });
            if let (Some(time), Some(most)) = (found.time, self.max_age) {
                let age = now.unix_seconds() - time.unix_seconds();
                verdict.require(age <= most, || {
                    let expected = format_args!("at most {}", shown_age(most)).to_string();
                    Reason::new(Code::CheckpointOld, &object).values(expected, shown_age(age))
                });
            }
            quorum = Some(found);
        }
        Ok(Opened { checkpoint, quorum, verdict, now })
    }

    fn read_policy(&self) -> Result<Option<TrustPolicy>, Failure> {
        let Some(path) = &self.policy else { return Ok(None) };
        let bytes = surroundings::read(path, MAX_TEXT_BYTES as u64)?;
        TrustPolicy::parse(&bytes).map(Some).map_err(|e| failure(&path.display().to_string(), &e))
    }
}

impl Opened {
    /// The lines that tell a person about the checkpoint.
    pub(super) fn text(&self) -> String {
        let mut text =
            format!("checkpoint of {}: {} entries\n", self.checkpoint.origin(), self.checkpoint.size());
        let Some(quorum) = &self.quorum else {
            text.push_str("  quorum not established: no policy was named\n");
            return text;
        };
        for (name, time) in &quorum.cosigned {
            text.push_str(&format!("  cosigned by {name} at {time}\n"));
        }
        let outcome = match (quorum.reached, quorum.time) {
            (true, Some(time)) => {
                let age = self.now.unix_seconds() - time.unix_seconds();
                format!("reached, {} old", shown_age(age))
            }
            (true, None) => "none is needed by this policy".to_owned(),
            (false, _) => format!("NOT REACHED, missing: {}", quorum.missing.join(", ")),
        };
        text.push_str(&format!("  quorum {outcome}\n"));
        text
    }

    /// Adds the same facts to an answer.
    pub(super) fn tell(&self, answer: Answer) -> Answer {
        let answer = answer
            .with("origin", self.checkpoint.origin())
            .with("size", self.checkpoint.size())
            .with("root", self.checkpoint.root());
        let Some(quorum) = &self.quorum else { return answer };
        let age = quorum.time.map(|time| self.now.unix_seconds() - time.unix_seconds());
        let cosigned: Vec<_> = quorum
            .cosigned
            .iter()
            .map(|(name, time)| serde_json::json!({ "witness": name, "time": time }))
            .collect();
        answer.with(
            "quorum",
            serde_json::json!({
                "reached": quorum.reached, "time": quorum.time, "age_seconds": age,
                "cosigned": cosigned, "missing": quorum.missing,
            }),
        )
    }
}

/// Opens a checkpoint with the first of these keys that signed it.
pub(super) fn open_with(text: &str, keys: &[VerifierKey]) -> Result<(Checkpoint, Note), Failure> {
    let what = "the checkpoint";
    if keys.is_empty() {
        let found = "no log key is trusted: name it with --trust, or a policy that has it";
        return Err(Failure::because(Code::KeyUnknown, what, found));
    }
    let mut refused = None;
    for key in keys {
        match checkpoint::open(text, key) {
            Ok(opened) => return Ok(opened),
            // A broken signature says more than an absent one.
            Err(e @ TlogError::Signature { .. }) => return Err(failure(what, &e)),
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    Err(refused
        .map_or_else(|| Failure::because(Code::KeyUnknown, what, "nobody signed it"), |e| failure(what, &e)))
}

/// What else than a log's verifier key a text is: an id, a fingerprint, or a public key and its file.
fn anchor(text: &str) -> Result<Option<Anchor>, Failure> {
    if let Ok(id) = text.parse::<Digest>().or_else(|_| Digest::parse_prefixed(text)) {
        return Ok(Some(Anchor::Ledger(id)));
    }
    if let Ok(key) = text.parse::<Fingerprint>() {
        return Ok(Some(Anchor::Owner(key)));
    }
    // A verifier key is `<name>+<id>+<base64>`; every other text names a key of OpenSSH.
    let path = Path::new(text);
    let of_log = |text: &str| text.trim_end().parse::<VerifierKey>().is_ok();
    if of_log(text) || (path.is_file() && read_text(path).is_ok_and(|text| of_log(&text))) {
        return Ok(None);
    }
    match text.starts_with("ssh-") || path.is_file() || path.with_extension("pub").is_file() {
        true => Ok(Some(Anchor::Owner(keyring::public(text)?.fingerprint()))),
        false => Ok(None),
    }
}

/// A log's verifier key, from its text or a file.
pub(super) fn verifier_key(text: &str) -> Result<VerifierKey, Failure> {
    let read = match text.parse::<VerifierKey>() {
        Err(_) if Path::new(text).is_file() => read_text(Path::new(text))?.trim_end().parse(),
        parsed => parsed,
    };
    let key = read.map_err(|e| failure("the verifier key", &e))?;
    match key.role() {
        Role::Log => Ok(key),
        Role::Witness => {
            Err(Failure::because(Code::Malformed, "the verifier key", "it is a witness' key, not a log's"))
        }
    }
}

/// Reads a note, a proof or a request.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = surroundings::read(path, MAX_TEXT_BYTES as u64)?;
    String::from_utf8(bytes).map_err(|_| Failure::because(Code::Malformed, path.display(), "it is not UTF-8"))
}

/// Gives an error of these formats its code.
pub(super) fn failure(object: &str, error: &TlogError) -> Failure {
    Failure::because(error.code(), object, error)
}

fn length(text: &str) -> Result<i64, String> {
    let refused = || "a number and s, m, h or d, such as 36h".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refused)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refused()),
    };
    let number: i64 = number.parse::<u32>().map_err(|_| refused())?.into();
    Ok(number * unit)
}
