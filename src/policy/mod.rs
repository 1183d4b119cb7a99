//! The policy: what a ledger refuses, as data that can only tighten.
//!
//! Owns: reading the document, its floor, its digest, what a change may do. Must not: apply it (`judge`).
//! A [`Policy`] exists only by [`Policy::parse`], so whoever holds one holds a checked one, with the exact
//! bytes that its digest is of. There is no field that could lift the hold.
//!
//! ```text
//! bytes ─ size, strict TOML, unknown fields ─► RawPolicy ─ floor ─► Policy ─ tightened_by(next) ─► Verdict
//! ```
//!
//! ```
//! use fix7_ledger::policy::Policy;
//! let policy = Policy::default_policy();
//! assert_eq!(policy.hold(), "HOLD_PRODUCTION");
//! assert_eq!((policy.surfaces().len(), policy.probes().canonical.len()), (13, 10));
//! let loose = std::str::from_utf8(Policy::DEFAULT).unwrap().replace("hold = \"HOLD_PRODUCTION\"", "hold = \"NONE\"");
//! assert!(Policy::parse(loose.as_bytes()).is_err());
//! ```

mod document;
mod floor;
mod pins;
mod production;
mod tighten;

pub use document::{
    Boundary, Claims, Executable, IsolationMinimum, LedgerRules, Legs, Limits, PacketRules, Place, Probe,
    Probes, Production, RawPolicy, Surface, SurfaceKind, ValidatorRules,
};
pub use floor::{
    BOUNDARY_DEFAULT, BOUNDARY_ITEMS, BOUNDARY_SENTENCE, DECISION, FINAL_STATUS, HOLD, MACRO_PREFIX,
};

use std::sync::{Arc, LazyLock};

use crate::digest::Digest;
use crate::verdict::Verdict;

/// Largest document in bytes: stops a policy that only exists to exhaust whoever replays the ledger.
pub const MAX_BYTES: usize = 256 << 10;

/// Why bytes are not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Over [`MAX_BYTES`].
    #[error("a policy of {found} bytes is over the limit of {MAX_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not the document: not UTF-8, not TOML, a field unknown, missing, twice or of another type.
    #[error("not a policy document: {0}")]
    Malformed(String),
    /// Less than every policy must hold.
    #[error("policy {field}: expected {expected}, found {found}")]
    BelowFloor {
        /// The field.
        field: String,
        /// What the floor asks for.
        expected: String,
        /// What the document has.
        found: String,
    },
}

/// A checked policy with its exact bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Policy {
    raw: Arc<RawPolicy>,
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl Policy {
    /// The bytes of the default policy, `ledger/policy.toml`.
    pub const DEFAULT: &'static [u8] = include_bytes!("../../ledger/policy.toml");

    /// The default policy.
    pub fn default_policy() -> Policy {
        static READ: LazyLock<Policy> = LazyLock::new(|| {
            Policy::parse_document(Policy::DEFAULT).expect("a test reads the embedded document")
        });
        READ.clone()
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        match bytes.strip_prefix(Policy::DEFAULT).and_then(pins::read) {
            Some(pins) if bytes.len() <= MAX_BYTES => Policy::default_policy().with_pins(pins, bytes),
            _ => Policy::parse_document(bytes),
        }
    }

    /// The policy whose document `bytes` is this one's and these pins behind it: what nearly every ledger's is, so
    /// that the default document is read once.
    fn with_pins(&self, pins: Vec<Executable>, bytes: &[u8]) -> Result<Policy, PolicyError> {
        let mut raw = RawPolicy::clone(&self.raw);
        raw.executables.extend(pins);
        floor::check(&raw)?;
        Ok(Policy { raw: raw.into(), bytes: bytes.into(), digest: Digest::of(bytes) })
    }

    fn parse_document(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if bytes.len() > MAX_BYTES {
            return Err(PolicyError::TooLarge { found: bytes.len() });
        }
        let malformed = |e: &dyn std::fmt::Display| PolicyError::Malformed(e.to_string());
        let text = std::str::from_utf8(bytes).map_err(|e| malformed(&e))?;
        if let Some(at) = bytes.iter().position(|b| !matches!(b, b'\n' | 0x20..0x7f)) {
            return Err(PolicyError::Malformed(format!(
                "byte {at} is neither printable ASCII nor a line feed"
            )));
        }
        let raw: RawPolicy = toml::from_str(text).map_err(|e| malformed(&e))?;
        floor::check(&raw)?;
        Ok(Policy { raw: raw.into(), bytes: bytes.into(), digest: Digest::of(bytes) })
    }

    /// The exact bytes that were read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of [`Policy::bytes`]: `Fix7-Policy` of the entries made under it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The state of production: always [`HOLD`].
    pub fn hold(&self) -> &str {
        &self.raw.hold
    }

    /// The decision that a grant carries.
    pub fn decision(&self) -> &str {
        &self.raw.decision
    }

    /// The status of a packet whose every artefact holds.
    pub fn final_status(&self) -> &str {
        &self.raw.final_status
    }

    /// Whether `id` is the macro's id: the prefix and a date that exists, `YYYY_MM_DD`.
    pub fn is_macro_id(&self, id: &str) -> bool {
        let Some(date) = id.strip_prefix(&self.raw.macro_prefix) else { return false };
        let shape = date.len() == 10
            && date.bytes().enumerate().all(|(i, b)| match i {
                4 | 7 => b == b'_',
                _ => b.is_ascii_digit(),
            });
        let number = |range: std::ops::Range<usize>| date[range].parse::<u32>().unwrap_or(0);
        shape && {
            let (year, month, day) = (number(0..4), number(5..7), number(8..10));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                4 | 6 | 9 | 11 => 30,
                2 if leap => 29,
                2 => 28,
                _ => 31,
            };
            year >= 2000 && (1..=12).contains(&month) && (1..=days).contains(&day)
        }
    }

    /// The macro's id for a date given as `YYYY-MM-DD`.
    pub fn macro_id(&self, date: &str) -> String {
        format!("{}{}", self.raw.macro_prefix, date.replace('-', "_"))
    }

    /// The boundary.
    pub fn boundary(&self) -> &Boundary {
        &self.raw.boundary
    }

    /// The surfaces that must stay untouched.
    pub fn surfaces(&self) -> &[Surface] {
        &self.raw.surfaces
    }

    /// What counts as a claim.
    pub fn claims(&self) -> &Claims {
        &self.raw.claims
    }

    /// The typed places where a token is a mention.
    pub fn mentions(&self) -> &[Place] {
        &self.raw.mentions
    }

    /// The bad-input probes.
    pub fn probes(&self) -> &Probes {
        &self.raw.probes
    }

    /// The required legs.
    pub fn legs(&self) -> &Legs {
        &self.raw.legs
    }

    /// What a packet is made of.
    pub fn packet(&self) -> &PacketRules {
        &self.raw.packet
    }

    /// What the validator's selftest must hold.
    pub fn validator(&self) -> &ValidatorRules {
        &self.raw.validator
    }

    /// The isolation level needed for an engine; 255, which none reaches, for an engine that is not named.
    pub fn isolation_minimum(&self, engine: &str) -> u8 {
        match engine {
            "sqlite" => self.raw.isolation.sqlite,
            "postgresql" => self.raw.isolation.postgresql,
            _ => u8::MAX,
        }
    }

    /// What is production.
    pub fn production(&self) -> &Production {
        &self.raw.production
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.raw.limits
    }

    /// What the ledger asks for beside the packet.
    pub fn ledger_rules(&self) -> &LedgerRules {
        &self.raw.ledger
    }

    /// The pinned executables.
    pub fn executables(&self) -> &[Executable] {
        &self.raw.executables
    }

    /// Whether an executable of this digest may rehearse.
    pub fn pins(&self, executable: &Digest) -> bool {
        self.raw.executables.iter().any(|e| e.sha256 == *executable)
    }

    /// A new document with one more pinned executable; comments and every other byte stay. Pinned already:
    /// the same document.
    pub fn with_executable(&self, digest: Digest, version: &str) -> Vec<u8> {
        if self.pins(&digest) {
            return self.bytes.to_vec();
        }
        let mut bytes = self.bytes.to_vec();
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(pins::written(digest, version).into_bytes());
        bytes
    }

    /// Every text that is a name, not a rule about texts: of probes, legs, surfaces, files, hosts, executables. Names
    /// are for people to read, so they could say something.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let raw = &self.raw;
        let (probes, production) = (&raw.probes, &raw.production);
        let lists = [
            &raw.legs.required,
            &raw.legs.required_with_rollback_script,
            &raw.packet.required,
            &raw.packet.extensions,
            &production.words,
            &production.hosts,
            &production.paths,
            &production.system_identifiers,
            &production.exceptions,
        ];
        let probes = probes.canonical.iter().chain(&probes.extended).map(|p| &p.id).chain([&probes.control]);
        let surfaces = raw.surfaces.iter().flat_map(|s| [&s.id].into_iter().chain(&s.words));
        let places = raw.mentions.iter().flat_map(|p| [&p.file].into_iter().chain(&p.at));
        let versions = raw.executables.iter().map(|e| &e.version);
        let all = lists.into_iter().flatten().chain(probes).chain(surfaces).chain(places).chain(versions);
        all.map(String::as_str)
    }

    /// Whether `next` may follow this policy: it may add, never remove.
    pub fn tightened_by(&self, next: &Policy) -> Verdict {
        tighten::compare(self, next)
    }
}

/// Lower case, letters and digits alone: how the floor compares words.
fn folded(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
