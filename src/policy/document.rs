//! The shape of the policy document: what TOML may say, and nothing else.
//!
//! Owns: the types of the sections, as serde reads them. Must not: hold a rule. Rules stand in
//! [`super::floor`] (what any policy must hold) and [`super::tighten`] (what a change may do).

use serde::Deserialize;

use crate::digest::Digest;
use crate::verdict::Code;

/// A policy as read, before it is checked. Nothing but [`super::Policy::parse`] makes one into a policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    pub(super) schema: u32,
    pub(super) hold: String,
    pub(super) decision: String,
    pub(super) final_status: String,
    pub(super) macro_prefix: String,
    pub(super) boundary: Boundary,
    pub(super) surfaces: Vec<Surface>,
    pub(super) claims: Claims,
    pub(super) mentions: Vec<Place>,
    pub(super) probes: Probes,
    pub(super) legs: Legs,
    pub(super) packet: PacketRules,
    pub(super) validator: ValidatorRules,
    pub(super) isolation: IsolationMinimum,
    pub(super) production: Production,
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) ledger: LedgerRules,
    #[serde(default)]
    pub(super) executables: Vec<Executable>,
}

/// What the ledger asks for beside the packet. Absent: nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRules {
    /// A rehearsal is recorded only behind a begin.
    #[serde(default)]
    pub require_begin: bool,
    /// Begins, rehearsals and reruns carry their operator's running number.
    #[serde(default)]
    pub require_numbers: bool,
    /// How many distinct owners decide, where that is more than the genesis asks for.
    #[serde(default)]
    pub owner_threshold: u64,
    /// How many others must reach a rehearsal's packet before its leg counts as proven.
    #[serde(default)]
    pub min_independent_reruns: u64,
}

/// The boundary of a packet, in its three parts (requirements R54 to R56).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// What a rehearsal is not.
    pub sentence: String,
    /// What a packet does not authorize: nine items.
    pub not_authorized: Vec<String>,
    /// What remains.
    pub default: String,
}

impl Boundary {
    /// The whole text, as it stands in a packet: one line.
    pub fn text(&self) -> String {
        let items = match self.not_authorized.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{}, or {last}", rest.join(", ")),
            None => "anything".to_owned(),
        };
        format!("{} This packet does not authorize {items}. {}", self.sentence, self.default)
    }
}

/// How a surface is shown to be untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SurfaceKind {
    /// By the isolation proof.
    Contact,
    /// By nothing having asked for it.
    Request,
}

/// Something that must stay untouched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// Its name in `forbidden-surface-proof.json`.
    pub id: String,
    /// How it is proven.
    pub kind: SurfaceKind,
    /// Why it is refused.
    pub reason: Code,
    /// What a request for it would be made of.
    #[serde(default)]
    pub words: Vec<String>,
}

/// What counts as a claim (`judge::gate` says how each list is matched).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Refused everywhere.
    pub tokens: Vec<String>,
    /// Refused in what the ledger says and in names.
    pub phrases: Vec<String>,
    /// What a claim may be about.
    pub subjects: Vec<String>,
    /// What it may say, inside of longer words too.
    pub verdicts: Vec<String>,
    /// What it may say, as whole words.
    pub verdict_words: Vec<String>,
    /// Words that may stand between subject and verdict.
    pub fillers: Vec<String>,
    /// Words between a verdict and the subject after it.
    pub prepositions: Vec<String>,
    /// Longer words that merely contain a subject or a verdict.
    pub benign: Vec<String>,
    /// The product's own words that hold a subject.
    pub vocabulary: Vec<String>,
    /// Names of members that say where.
    pub scope_keys: Vec<String>,
}

/// A typed place where a token is a mention.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The packet's file.
    pub file: String,
    /// A JSON pointer, `*` for any one segment; absent: anywhere in the file.
    #[serde(default)]
    pub at: Option<String>,
    /// What may stand there, word for word.
    pub texts: Vec<String>,
}

/// The bad-input probes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probes {
    /// The id of the good case.
    pub control: String,
    /// The ten of the source document.
    pub canonical: Vec<Probe>,
    /// Those that are counted apart.
    pub extended: Vec<Probe>,
}

/// One bad input, and why it must be refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its name.
    pub id: String,
    /// The one reason that counts.
    pub reason: Code,
}

/// The rehearsed ways back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legs {
    /// In every evidence, once.
    pub required: Vec<String>,
    /// Where the plan has a rollback script.
    pub required_with_rollback_script: Vec<String>,
    /// Entries of kind `rollback`.
    pub min_rollback_entries: u64,
}

/// What a packet is made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketRules {
    /// Files that must be there.
    pub required: Vec<String>,
    /// Ends of names that may be there.
    pub extensions: Vec<String>,
}

/// What the validator's selftest must hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorRules {
    /// Known-good vectors.
    pub min_good_vectors: u64,
    /// Known-bad vectors.
    pub min_bad_vectors: u64,
}

/// The isolation level that is needed, by engine (DESIGN section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolationMinimum {
    /// For SQLite.
    pub sqlite: u8,
    /// For PostgreSQL.
    pub postgresql: u8,
}

/// What is production, and so never a target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Production {
    /// Words in the parts of a path, host or name.
    pub words: Vec<String>,
    /// Hosts, each with everything below it.
    pub hosts: Vec<String>,
    /// Paths, each with everything below it.
    pub paths: Vec<String>,
    /// PostgreSQL system identifiers.
    pub system_identifiers: Vec<String>,
    /// Names that hold such a word and are not production.
    pub exceptions: Vec<String>,
}

/// Limits: bytes, counts and depths (DESIGN section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Files in a packet.
    pub packet_files: u64,
    /// Bytes of one file of a packet.
    pub file_bytes: u64,
    /// Bytes of all files of a packet.
    pub packet_bytes: u64,
    /// Bytes of a path in a packet.
    pub path_bytes: u64,
    /// Segments of a path in a packet.
    pub path_depth: u64,
    /// Bytes of `statement.json`.
    pub statement_bytes: u64,
    /// Mentions that a statement may declare.
    pub mentions: u64,
    /// Bytes of a message, a note, a ref name or a push option.
    pub message_bytes: u64,
    /// Bytes of a file on an ordinary ref.
    pub pushed_file_bytes: u64,
    /// Bytes of all decoded views of one object.
    pub decoded_bytes: u64,
    /// Decoded bytes for each byte of the object.
    pub decode_expansion: u64,
    /// Encodings within encodings.
    pub decode_depth: u64,
}

/// A pinned executable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// What it calls itself: for people.
    pub version: String,
}
