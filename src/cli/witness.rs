//! `witness`: be a witness of other people's ledgers, or ask witnesses about one's own.
//!
//! ```text
//! ledger's clone                         witness, perhaps on a laptop without a network
//! witness request > request  ── file ──► witness cosign request > answer
//! witness add answer         ◄── file ──
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::answer::{Answer, Failure, Ui};
use super::keyring::{self, KeyArgs};
use super::place::Place;
use super::recall;
use super::trust::{failure, read_text, verifier_key};
use super::writing::LOCK_PATIENCE;
use super::{checkpoint, replay, surroundings, witness_http};
use crate::digest::Digest;
use crate::keys::Signer;
use crate::ledger::{WitnessDirectory, WitnessIdentity};
use crate::time::Timestamp;
use crate::tlog::checkpoint::{Checkpoint, cosign, cosigned_at};
use crate::tlog::note::{Note, NoteSignature, Role, VerifierKey};
use crate::tlog::witness::{Refusal, Request};
use crate::verdict::{Code, Reason};

/// Arguments of `witness`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Begin a witness: its name, its key, and the logs that it knows.
    Init {
        /// Its directory, where it remembers what it cosigned.
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        /// Its name in cosignatures: for a registered witness the registered one.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The verifier key of a log that it cosigns: its text, or a file.
        #[arg(long = "log", value_name = "VKEY", required = true)]
        logs: Vec<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Answer a request: cosign the checkpoint, if it continues what this witness cosigned before.
    Cosign {
        /// The request.
        request: PathBuf,
        /// The witness' directory.
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
        /// Write the answer to this file as well.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the request for the kept checkpoint: the body of `add-checkpoint` (c2sp.org/tlog-witness).
    Request {
        #[command(flatten)]
        place: Place,
        /// The size that the witness cosigned last; 0 for its first time.
        #[arg(long, value_name = "SIZE", default_value_t = 0)]
        old: u64,
        /// The signed checkpoint; by default the one that this clone keeps.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Write it to this file as well.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Answer over HTTP as well (c2sp.org/tlog-witness), until ended.
    Serve {
        /// The witness' directory.
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
        /// Where to listen. Behind a proxy with TLS, not open to the world.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7380")]
        listen: SocketAddr,
    },
    /// Ask a witness over HTTP, and add its answer to the kept checkpoint.
    Submit {
        #[command(flatten)]
        place: Place,
        /// The witness' submission prefix.
        url: String,
        /// A witness that the ledger has not registered: its verifier key.
        #[arg(long = "witness", value_name = "VKEY")]
        witnesses: Vec<String>,
    },
    /// Add a witness' answer to the kept checkpoint, if its signature holds.
    Add {
        #[command(flatten)]
        place: Place,
        /// The answer.
        answer: PathBuf,
        /// A witness that the ledger has not registered: its verifier key, text or file.
        #[arg(long = "witness", value_name = "VKEY")]
        witnesses: Vec<String>,
    },
}

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    match args.verb {
        Verb::Init { dir, name, logs, key } => init(&dir, name, &logs, &key),
        Verb::Cosign { request, dir, key, out } => {
            let witness = Witness::open(&dir, &key)?;
            let given = witness
                .answer(&read_text(&request)?, surroundings::now()?)
                .map_err(|refused| refused.failure)?;
            checkpoint::write(out.as_deref(), &given.line)?;
            Ok(Answer::done(given.line.trim_end())
                .with("answer", &given.line)
                .with("origin", given.checkpoint.origin())
                .with("size", given.checkpoint.size())
                .with("witness", witness.verifier.to_string()))
        }
        Verb::Request { place, old, checkpoint, out } => {
            let (text, size) = request(&place, old, checkpoint.as_deref())?;
            checkpoint::write(out.as_deref(), &text)?;
            Ok(Answer::done(text.trim_end()).with("request", &text).with("old", old).with("size", size))
        }
        Verb::Serve { dir, key, listen } => witness_http::serve(&Witness::open(&dir, &key)?, listen, ui),
        Verb::Submit { place, url, witnesses } => witness_http::submit(&place, &url, &witnesses),
        Verb::Add { place, answer, witnesses } => add(&place, &read_text(&answer)?, &witnesses),
    }
}

fn init(dir: &Path, name: String, logs: &[String], key: &KeyArgs) -> Result<Answer, Failure> {
    let signer = keyring::signer(key)?;
    let own = VerifierKey::new(&name, Role::Witness, signer.public()).map_err(|e| failure("the name", &e))?;
    let logs: Vec<VerifierKey> = logs.iter().map(|text| verifier_key(text)).collect::<Result<_, _>>()?;
    if let Some(log) = logs.iter().find(|log| log.public() == signer.public()) {
        let found = "a log cannot witness itself: give the witness a key of its own";
        return Err(Failure::because(Code::RoleMissing, log.name(), found));
    }
    let logs = logs.iter().map(VerifierKey::to_string).collect();
    let identity = WitnessIdentity { key: signer.public().clone(), logs, name, version: 1 };
    WitnessDirectory::create(dir, &identity)?;
    Ok(Answer::done(&own).with("witness", own.to_string()).with("directory", dir))
}

/// The request for a checkpoint of this clone, and the checkpoint's size.
pub(super) fn request(place: &Place, old: u64, file: Option<&Path>) -> Result<(String, u64), Failure> {
    let here = recall::here(place)?;
    let (head, _, text) = checkpoint::given(&here.repo, &here.ledger, &here.state, file)?;
    let under = checkpoint::under_kept(&here, &head, &text)?;
    Ok((under.consistency(old, &text)?.to_text(), head.size()))
}

pub(super) fn add(place: &Place, answer: &str, witnesses: &[String]) -> Result<Answer, Failure> {
    let (state, _) = replay::trusted(place)?;
    let (repo, ledger, _) = place.existing()?;
    let lock = repo.lock(LOCK_PATIENCE)?;
    let (head, mut note, _) = checkpoint::given(&repo, &ledger, &state, None)?;
    let mut keys = state.witness_keys(head.size());
    for text in witnesses {
        keys.push(text.parse().map_err(|e| failure("the witness' verifier key", &e))?);
    }
    let mut added = Vec::new();
    for line in answer.lines() {
        let line = NoteSignature::parse(line).map_err(|e| failure("the answer", &e))?;
        let mut alone = note.clone();
        alone.clear();
        alone.add(line.clone()).map_err(|e| failure("the answer", &e))?;
        for key in &keys {
            // A known witness' broken line refuses the answer; an unknown one's is left out.
            if cosigned_at(&alone, key).map_err(|e| failure("the answer", &e))?.is_some() {
                note.add(line.clone()).map_err(|e| failure("the checkpoint", &e))?;
                added.push(key.to_string());
            }
        }
    }
    if added.is_empty() {
        let found = "no line is of a registered witness, nor of one named with --witness";
        return Err(Failure::because(Code::KeyUnknown, "the answer", found));
    }
    let text = note.to_text();
    repo.keep_checkpoint(&lock, &ledger, &text)?;
    Ok(Answer::done(text.trim_end()).with("checkpoint", &text).with("added", added))
}

/// A witness with its key at hand.
pub(super) struct Witness {
    directory: WitnessDirectory,
    logs: Vec<VerifierKey>,
    verifier: VerifierKey,
    signer: Signer<'static>,
}

/// A cosignature that was given.
pub(super) struct Given {
    pub(super) line: String,
    pub(super) checkpoint: Checkpoint,
}

/// Why none was given: for the protocol, and for people.
pub(super) struct Refused {
    /// The protocol's reason; `None`: this witness itself failed.
    pub(super) refusal: Option<Box<Refusal>>,
    pub(super) failure: Failure,
}

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused { refusal: None, failure: error.into() }
    }
}

impl Witness {
    pub(super) fn open(dir: &Path, key: &KeyArgs) -> Result<Witness, Failure> {
        let (directory, identity) = WitnessDirectory::open(dir)?;
        let signer = keyring::signer(key)?;
        if *signer.public() != identity.key {
            let reason = Reason::new(Code::KeyUnknown, "the witness' key");
            return Err(reason.values(identity.key.fingerprint(), signer.public().fingerprint()).into());
        }
        let malformed = |e| failure("witness.json", &e);
        let verifier = VerifierKey::new(&identity.name, Role::Witness, &identity.key).map_err(malformed)?;
        let logs =
            identity.logs.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(malformed)?;
        Ok(Witness { directory, logs, verifier, signer })
    }

    /// What was cosigned last for the log whose origin has this hash.
    pub(super) fn last(&self, origin: &Digest) -> Result<Option<String>, Failure> {
        Ok(self.directory.last_of(origin)?)
    }

    /// Cosigns what a request asks for, once it is stored.
    pub(super) fn answer(&self, request: &str, now: Timestamp) -> Result<Given, Refused> {
        let refused = |refusal: Refusal| Refused {
            failure: Failure::because(refusal.code(), "the request", &refusal),
            refusal: Some(Box::new(refusal)),
        };
        let request = Request::open(request, &self.logs).map_err(refused)?;
        let origin = request.checkpoint().origin().to_owned();
        let answered = self.directory.compare_and_store(&origin, |last| {
            let last = last.map(|text| self.remembered(text)).transpose()?;
            let accepted = request.decide(last.as_ref()).map_err(refused)?;
            let own = |e| Refused::from(failure("the cosignature", &e));
            let line = cosign(&accepted.checkpoint, self.verifier.name(), &self.signer, now).map_err(own)?;
            let mut note = accepted.note;
            note.add(line.clone()).map_err(own)?;
            Ok((note.to_text(), Given { line: line.to_line(), checkpoint: accepted.checkpoint }))
        });
        answered.map_err(|refused: Refused| self.with_proof(refused, &origin))
    }

    /// What this witness cosigned last; its own signature tells whether the file is still what it wrote.
    fn remembered(&self, text: &str) -> Result<Checkpoint, Failure> {
        let what = "the witness' memory";
        let note = Note::parse(text).map_err(|e| failure(what, &e))?;
        match cosigned_at(&note, &self.verifier).map_err(|e| failure(what, &e))? {
            Some(_) => Checkpoint::parse(note.unverified_text()).map_err(|e| failure(what, &e)),
            None => Err(Failure::because(Code::SignatureInvalid, what, "this witness did not sign it")),
        }
    }

    /// Keeps a signed checkpoint that contradicts what was cosigned, beside what it contradicts.
    fn with_proof(&self, refused: Refused, origin: &str) -> Refused {
        let Some(Refusal::Inconsistent { note, .. }) = refused.refusal.as_deref() else { return refused };
        let kept = self.directory.keep_contradiction(&note.to_text());
        let last = self.directory.last(origin);
        match (kept, last) {
            (Ok(kept), Ok(Some(last))) => {
                Refused { failure: refused.failure.with("kept", kept).with("cosigned", last), ..refused }
            }
            _ => refused,
        }
    }
}
