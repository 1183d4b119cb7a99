//! `rerun --record`: whoever reached the packet of a rehearsal says so in the ledger.
//!
//! Owns: which rehearsal is repeated, and by whom. Must not: compare packets (`rerun` does), nor decide whether the rerun
//! may stand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::recording::{self, Recording};
use super::writing::LOCK_PATIENCE;
use super::{numbering, replay};
use crate::digest::Digest;
use crate::judge;
use crate::keys::{Fingerprint, Signer};
use crate::packet::Files;
use crate::state::{RehearsalRecord, State};
use crate::statement::{Role, Run};
use crate::verdict::{Code, Reason};

/// What is needed to record a rerun.
#[derive(clap::Args)]
pub(super) struct RecordArgs {
    /// Reached again, append a rerun to the ledger here. It takes the operator's next running number before it begins.
    #[arg(long, requires = "key")]
    record: bool,
    /// The rehearsal that is repeated: its number, leaf or name; by default the oldest with this packet that counts.
    #[arg(long, value_name = "ENTRY", requires = "record")]
    of: Option<String>,
    /// The key that signs the rerun: a name in the key directory, an OpenSSH ed25519 file, or SHA256:… in ssh-agent.
    #[arg(long, value_name = "KEY", requires = "record")]
    key: Option<String>,
    /// A file whose first line is the key's passphrase; `-` is standard input. Else the terminal is asked.
    #[arg(long, value_name = "FILE", requires = "record")]
    passphrase_file: Option<PathBuf>,
    /// The entry's name; by default the plan's name and the entry's number.
    #[arg(long, value_name = "NAME", requires = "record")]
    run_id: Option<String>,
    /// Push the ledger to this remote afterwards.
    #[arg(long, value_name = "REMOTE", requires = "record")]
    push: Option<String>,
}

/// Who records, and the rehearsal that is repeated.
pub(super) struct Recorder {
    signer: Signer<'static>,
    of: Digest,
    /// Reached by the rehearsal's own operator it counts for nobody.
    independent: bool,
}

impl Recorder {
    /// Asks before anything is rehearsed whether the rerun could be recorded at all. `None`: it is not to be recorded.
    pub(super) fn asked(
        place: &Place,
        args: &RecordArgs,
        given: &Files,
    ) -> Result<Option<Recorder>, Failure> {
        let Some(key) = args.key.as_ref().filter(|_| args.record) else { return Ok(None) };
        let key = KeyArgs { key: key.clone(), passphrase_file: args.passphrase_file.clone() };
        let signer = keyring::signer(&key)?;
        let operator = signer.public().fingerprint();
        let (state, _) = replay::trusted(place)?;
        let may = state.may(&operator, Role::Operator);
        if !may.accepted() {
            return Err(may.into());
        }
        let tree = judge::packet_facts(given)?.packet_tree;
        let (of, record) = match &args.of {
            Some(wanted) => recording::rehearsal(&state, wanted)?,
            None => repeated(&state, &tree)?,
        };
        if record.packet_tree != tree {
            let reason = Reason::new(Code::RerunDiffers, format!("entry {}: packet_tree", record.seq));
            return Err(reason.values(record.packet_tree, tree).into());
        }
        let independent = state.person(&operator) != state.person(&record.operator);
        Ok(Some(Recorder { signer, of, independent }))
    }

    /// Appends the rerun.
    pub(super) fn record(
        &self,
        place: &Place,
        files: Files,
        run: BTreeMap<String, Value>,
        args: &RecordArgs,
        ui: &Ui,
    ) -> Result<Answer, Failure> {
        let run = Run::new(run).map_err(|e| Failure::because(Code::Malformed, "the facts of the run", e))?;
        let recording = Recording {
            place,
            signer: &self.signer,
            files,
            run,
            grant: None,
            rerun_of: Some(&self.of.to_string()),
            failed: false,
            run_id: args.run_id.as_deref(),
            mentions: Vec::new(),
            push: args.push.as_deref(),
        };
        let answer = recording.append(ui)?;
        let own = "by the rehearsal's own operator: it counts for nobody else";
        let text = match self.independent {
            true => answer.text().to_owned(),
            false => format!("{}\n  {own}", answer.text()),
        };
        Ok(answer.saying(text).with("independent", self.independent))
    }

    /// Gives out the operator's next number.
    pub(super) fn number(&self, place: &Place) -> Result<(Fingerprint, u64), Failure> {
        let operator = self.signer.public().fingerprint();
        let (repo, _, _) = place.existing()?;
        let lock = repo.lock(LOCK_PATIENCE)?;
        let (state, _) = replay::trusted(place)?;
        Ok((operator, numbering::give(&repo, &lock, &state, &operator)?))
    }
}

/// The oldest rehearsal that reached this packet and was not voided.
fn repeated(state: &State, tree: &Digest) -> Result<(Digest, RehearsalRecord), Failure> {
    let mut all = state.rehearsals().map_err(Reason::from)?.into_iter();
    let found = all.find(|(_, record)| record.packet_tree == *tree && record.void.is_none());
    found.ok_or_else(|| {
        let object = format!("rehearsal with packet_tree {tree}");
        Failure::because(Code::EntryAbsent, object, "the ledger has none that counts")
    })
}
