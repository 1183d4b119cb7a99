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
mod tests {
    use super::*;

    fn text() -> String {
        String::from_utf8(Policy::DEFAULT.to_vec()).expect("UTF-8")
    }

    fn replaced(from: &str, to: &str) -> Result<Policy, PolicyError> {
        assert!(text().contains(from), "{from}");
        Policy::parse(text().replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn the_embedded_policy_reads_and_composes_the_boundary_word_for_word() {
        let policy = Policy::parse(Policy::DEFAULT).expect("the embedded policy");
        assert_eq!(policy.digest(), Digest::of(Policy::DEFAULT));
        assert_eq!(
            policy.boundary().text(),
            "A clone rehearsal is not production execution. This packet does not authorize production, REAL_RUN, \
             QT001/apply, permit, activation, repoint, cutover, CI/deploy, or secrets changes. Default remains \
             HOLD_PRODUCTION."
        );
        assert_eq!(policy.isolation_minimum("sqlite"), 2);
        assert_eq!(policy.isolation_minimum("postgresql"), 3);
        assert_eq!(policy.isolation_minimum("oracle"), 255);
    }

    #[test]
    fn no_document_below_the_floor_is_a_policy() {
        for (from, to) in [
            ("hold = \"HOLD_PRODUCTION\"", "hold = \"LIFTED\""),
            ("hold = \"HOLD_PRODUCTION\"", "hold = false"),
            ("hold = \"HOLD_PRODUCTION\"", ""),
            ("hold = \"HOLD_PRODUCTION\"", "hold = \"HOLD_PRODUCTION\"\nlift = true"),
            ("hold = \"HOLD_PRODUCTION\"", "hold = \"HOLD_PRODUCTION\"\nhold = \"HOLD_PRODUCTION\""),
            ("REHEARSAL_ONLY\"", "PASS\""),
            ("is not production execution.", "is production execution."),
            ("\"permit\", \"activation\",", "\"permit\","),
            ("\"permit\", \"activation\",", "\"activation\", \"permit\","),
            ("\"PRODUCTION_PASS\", \"REAL", "\"REAL"),
            ("id = \"vps\"\nkind = \"contact\"", "id = \"vps\"\nkind = \"request\""),
            ("id = \"vps\"", "id = \"pg\""),
            ("words = [\"repoint\", \"repointing\"]", "words = []"),
            ("{ id = \"cutover\", reason = \"CUTOVER_FORBIDDEN\" },", ""),
            ("reason = \"CUTOVER_FORBIDDEN\" }", "reason = \"NO_SUCH_REASON\" }"),
            ("required = [\"read-only\", ", "required = ["),
            ("sqlite = 2", "sqlite = 1"),
            ("min_rollback_entries = 2", "min_rollback_entries = 1"),
            ("decode_depth = 4", "decode_depth = 400"),
            ("decode_depth = 4", "decode_depth = 0"),
            ("packet_files = 64", "packet_files = -1"),
            ("\"compass\",", "\"productionpass\","),
            ("\"compass\",", "\"compass\", \"compass\","),
            ("\"compass\",", "\"comp\\u00e4ss\","),
            ("# The default policy", "# The default p\u{43e}licy"),
            ("schema = 1", "schema = 2"),
        ] {
            assert!(replaced(from, to).is_err(), "{from} -> {to}");
        }
        assert!(replaced("sqlite = 2", "sqlite = 3").is_ok());
        assert!(replaced("\"compass\",", "").is_ok());
        let padded = text() + &"#".repeat(MAX_BYTES);
        assert!(matches!(Policy::parse(padded.as_bytes()), Err(PolicyError::TooLarge { .. })));
    }

    #[test]
    fn a_pin_is_added_behind_every_other_byte() {
        let policy = Policy::default_policy();
        let digest = Digest::of(b"executable");
        assert!(!policy.pins(&digest));
        let bytes = policy.with_executable(digest, "0.1.0 \"; hold = 1");
        assert!(bytes.starts_with(Policy::DEFAULT));
        let pinned = Policy::parse(&bytes).expect("a policy");
        assert!(pinned.pins(&digest) && !pinned.pins(&Digest::of(b"another")));
        assert_eq!(pinned.with_executable(digest, "again"), bytes);
        let two = Policy::parse(&pinned.with_executable(Digest::of(b"another"), "0.2.0")).expect("a policy");
        assert_eq!(two.executables().len(), 2);
    }

    #[test]
    fn a_document_with_pins_reads_as_it_does_without_the_short_way() {
        let pinned = Policy::default_policy().with_executable(Digest::of(b"one"), "0.1.0");
        let tails = [
            "",
            "\n[[executables]]\nsha256 = \"00\"\nversion = \"1\"\n",
            "\n[[executables]]\nsha256 = \"00\"\nversion = \"1\"",
            "\n[[executables]]\nversion = \"1\"\n",
            "\nhold = \"NONE\"\n",
            "version = \"2\"\n",
            "# a comment\n",
            "\n[[mentions]]\nfile = \"a\"\ntexts = [\"b\"]\n",
        ];
        let two = Policy::parse(&pinned).expect("a policy").with_executable(Digest::of(b"two"), "a \"b");
        for (before, tails) in [(Policy::DEFAULT, &tails[..]), (&pinned, &tails[..]), (&two, &tails[..])] {
            for tail in tails {
                let bytes = [before, tail.as_bytes()].concat();
                let (short, long) = (Policy::parse(&bytes), Policy::parse_document(&bytes));
                match (&short, &long) {
                    (Ok(short), Ok(long)) => {
                        assert_eq!((short.bytes(), short.digest()), (long.bytes(), long.digest()));
                        assert_eq!(format!("{:?}", short.raw), format!("{:?}", long.raw));
                    }
                    _ => assert_eq!(short.err(), long.err(), "{tail}"),
                }
            }
        }
        // The short way is taken, and not for everything.
        assert!(two.strip_prefix(Policy::DEFAULT).and_then(pins::read).is_some_and(|pins| pins.len() == 2));
        assert!(pins::read(b"\n").is_none());
    }

    #[test]
    fn the_macro_id_is_the_prefix_and_a_date() {
        let policy = Policy::default_policy();
        let id = policy.macro_id("2026-06-12");
        assert_eq!(id, "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_AND_CI_RESOLUTION_LANE_MACRO_2026_06_12");
        assert!(policy.is_macro_id(&id));
        for bad in ["2026_6_12", "2026_06_12x", "", "2026_02_29", "2026_13_01", "2026-06-12", "2026_06_00"] {
            assert!(!policy.is_macro_id(&format!("{MACRO_PREFIX}{bad}")), "{bad}");
        }
        assert!(policy.is_macro_id(&format!("{MACRO_PREFIX}2028_02_29")));
    }
}
