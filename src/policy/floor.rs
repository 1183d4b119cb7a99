//! The floor: what every policy holds, whoever wrote it.
//!
//! Owns: the checks on one document alone. Must not: compare two documents ([`super::tighten`]).
//! Constants stand here only where the source document fixes a word; everything else is data. A ledger's
//! old policies must stay readable, so the floor of a schema version never rises.

use super::document::{RawPolicy, SurfaceKind};
use super::{PolicyError, folded};

/// The one state of production that a policy can name.
pub const HOLD: &str = "HOLD_PRODUCTION";
/// The one decision that a grant can carry.
pub const DECISION: &str = "AUTHORIZE_PRODUCTION_REHEARSAL_ONLY";
/// The one status that a packet can reach.
pub const FINAL_STATUS: &str = "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_READY";
/// What the macro's id begins with.
pub const MACRO_PREFIX: &str = "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_AND_CI_RESOLUTION_LANE_MACRO_";
/// The boundary's first sentence.
pub const BOUNDARY_SENTENCE: &str = "A clone rehearsal is not production execution.";
/// The boundary's last sentence.
pub const BOUNDARY_DEFAULT: &str = "Default remains HOLD_PRODUCTION.";
/// What a packet never authorizes.
pub const BOUNDARY_ITEMS: [&str; 9] = [
    "production",
    "REAL_RUN",
    "QT001/apply",
    "permit",
    "activation",
    "repoint",
    "cutover",
    "CI/deploy",
    "secrets changes",
];
/// Tokens that no policy may leave out.
const TOKENS: [&str; 3] = ["PRODUCTION_PASS", "REAL_RUN_PASS", "CUTOVER_PASS"];
/// Surfaces shown by isolation, and surfaces shown by nothing having asked.
const SURFACES: (usize, usize) = (5, 8);
/// Canonical probes.
const PROBES: usize = 10;
/// Legs that no policy may leave out.
const LEGS: [&str; 4] = ["read-only", "transaction", "snapshot", "executor"];
/// Isolation that proves anything: (sqlite, postgresql).
const ISOLATION: (u8, u8) = (2, 3);
/// Most items in one list: a document that only exists to make the gate slow.
const MAX_ITEMS: usize = 2000;
/// Longest item in bytes: as above, for the automata.
const MAX_ITEM_BYTES: usize = 300;
/// Shortest token or phrase in letters: shorter ones would refuse every text.
const MIN_TOKEN_LETTERS: usize = 6;
/// Shortest single word (subject, verdict): as above.
const MIN_WORD_LETTERS: usize = 1;

/// Checks one document.
pub(super) fn check(raw: &RawPolicy) -> Result<(), PolicyError> {
    same("schema", "1", &raw.schema.to_string())?;
    same("hold", HOLD, &raw.hold)?;
    same("decision", DECISION, &raw.decision)?;
    same("final_status", FINAL_STATUS, &raw.final_status)?;
    same("macro_prefix", MACRO_PREFIX, &raw.macro_prefix)?;
    same("boundary.sentence", BOUNDARY_SENTENCE, &raw.boundary.sentence)?;
    same("boundary.default", BOUNDARY_DEFAULT, &raw.boundary.default)?;
    let items = raw.boundary.not_authorized.join("\", \"");
    same("boundary.not_authorized", &BOUNDARY_ITEMS.join("\", \""), &items)?;
    lists(raw)?;
    surfaces(raw)?;
    claims(raw)?;
    probes(raw)?;
    for leg in LEGS {
        holds(raw.legs.required.iter().any(|l| l == leg), "legs.required", leg, "a list without it")?;
    }
    at_least("legs.min_rollback_entries", 2, raw.legs.min_rollback_entries)?;
    at_least("validator.min_good_vectors", 1, raw.validator.min_good_vectors)?;
    at_least("validator.min_bad_vectors", 1, raw.validator.min_bad_vectors)?;
    at_least("isolation.sqlite", ISOLATION.0.into(), raw.isolation.sqlite.into())?;
    at_least("isolation.postgresql", ISOLATION.1.into(), raw.isolation.postgresql.into())?;
    limits(raw)
}

fn holds(it: bool, field: &str, expected: &str, found: &str) -> Result<(), PolicyError> {
    match it {
        true => Ok(()),
        false => Err(PolicyError::BelowFloor {
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.chars().take(200).flat_map(char::escape_default).collect(),
        }),
    }
}

fn same(field: &str, expected: &str, found: &str) -> Result<(), PolicyError> {
    holds(expected == found, field, expected, found)
}

fn at_least(field: &str, least: u64, found: u64) -> Result<(), PolicyError> {
    holds(found >= least, field, &format!("at least {least}"), &found.to_string())
}

fn lists(raw: &RawPolicy) -> Result<(), PolicyError> {
    let (c, p) = (&raw.claims, &raw.production);
    let lists: [(&str, &[String]); 18] = [
        ("claims.tokens", &c.tokens),
        ("claims.phrases", &c.phrases),
        ("claims.subjects", &c.subjects),
        ("claims.verdicts", &c.verdicts),
        ("claims.verdict_words", &c.verdict_words),
        ("claims.fillers", &c.fillers),
        ("claims.prepositions", &c.prepositions),
        ("claims.benign", &c.benign),
        ("claims.vocabulary", &c.vocabulary),
        ("claims.scope_keys", &c.scope_keys),
        ("legs.required", &raw.legs.required),
        ("packet.required", &raw.packet.required),
        ("packet.extensions", &raw.packet.extensions),
        ("production.words", &p.words),
        ("production.hosts", &p.hosts),
        ("production.paths", &p.paths),
        ("production.system_identifiers", &p.system_identifiers),
        ("production.exceptions", &p.exceptions),
    ];
    for (field, list) in lists {
        holds(
            list.len() <= MAX_ITEMS,
            field,
            &format!("at most {MAX_ITEMS} items"),
            &list.len().to_string(),
        )?;
        let mut seen = std::collections::BTreeSet::new();
        for item in list {
            let printable = !item.is_empty() && item.bytes().all(|b| (0x20..0x7f).contains(&b));
            holds(
                printable && item.len() <= MAX_ITEM_BYTES,
                field,
                "printable ASCII of 1 to 300 bytes",
                item,
            )?;
            holds(seen.insert(item), field, "no item twice", item)?;
        }
    }
    holds(raw.executables.len() <= MAX_ITEMS, "executables", "at most 2000", "more")?;
    holds(raw.mentions.len() <= MAX_ITEMS, "mentions", "at most 2000", "more")
}

fn surfaces(raw: &RawPolicy) -> Result<(), PolicyError> {
    let mut ids: Vec<_> = raw.surfaces.iter().map(|s| &s.id).collect();
    ids.sort_unstable();
    ids.dedup();
    same("surfaces", &raw.surfaces.len().to_string(), &ids.len().to_string())?;
    let count = |kind| raw.surfaces.iter().filter(|s| s.kind == kind).count() as u64;
    at_least("surfaces of kind contact", SURFACES.0 as u64, count(SurfaceKind::Contact))?;
    at_least("surfaces of kind request", SURFACES.1 as u64, count(SurfaceKind::Request))?;
    for surface in raw.surfaces.iter().filter(|s| s.kind == SurfaceKind::Request) {
        let words = surface.words.iter().all(|w| !folded(w).is_empty());
        holds(
            words && !surface.words.is_empty(),
            &format!("surfaces `{}`", surface.id),
            "the words of a request",
            "none",
        )?;
    }
    Ok(())
}

fn claims(raw: &RawPolicy) -> Result<(), PolicyError> {
    let c = &raw.claims;
    for token in TOKENS {
        holds(c.tokens.iter().any(|t| t == token), "claims.tokens", token, "a list without it")?;
    }
    for token in c.tokens.iter().chain(&c.phrases) {
        let letters = token.bytes().filter(u8::is_ascii_alphabetic).count();
        holds(letters >= MIN_TOKEN_LETTERS, "claims.tokens", "six letters or more", token)?;
    }
    for word in
        [&c.subjects, &c.verdicts, &c.verdict_words, &c.fillers, &c.prepositions].into_iter().flatten()
    {
        let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
        holds(letters >= MIN_WORD_LETTERS, "claims", "words with a letter", word)?;
    }
    for (field, list) in [("claims.subjects", &c.subjects), ("claims.verdicts", &c.verdicts)] {
        holds(!list.is_empty(), field, "at least one", "none")?;
    }
    // An exception that is itself a token would switch the token off.
    let tokens: Vec<String> = c.tokens.iter().chain(&c.phrases).map(|token| folded(token)).collect();
    for word in c.vocabulary.iter().chain(&c.benign) {
        let own = folded(word);
        let token = tokens.iter().find(|token| own.contains(token.as_str()));
        holds(token.is_none(), "claims.vocabulary", "no word that holds a token", word)?;
    }
    Ok(())
}

fn probes(raw: &RawPolicy) -> Result<(), PolicyError> {
    let p = &raw.probes;
    let mut ids: Vec<_> = p.canonical.iter().chain(&p.extended).map(|p| &p.id).chain([&p.control]).collect();
    ids.sort_unstable();
    ids.dedup();
    same("probes", &(p.canonical.len() + p.extended.len() + 1).to_string(), &ids.len().to_string())?;
    at_least("probes.canonical", PROBES as u64, p.canonical.len() as u64)
}

fn limits(raw: &RawPolicy) -> Result<(), PolicyError> {
    let l = &raw.limits;
    let limits = [
        ("packet_files", l.packet_files, 1 << 16),
        ("file_bytes", l.file_bytes, 1 << 28),
        ("packet_bytes", l.packet_bytes, 1 << 30),
        ("path_bytes", l.path_bytes, 1 << 10),
        ("path_depth", l.path_depth, 1 << 5),
        ("statement_bytes", l.statement_bytes, 1 << 23),
        ("mentions", l.mentions, 1 << 10),
        ("message_bytes", l.message_bytes, 1 << 22),
        ("pushed_file_bytes", l.pushed_file_bytes, 1 << 32),
        ("decoded_bytes", l.decoded_bytes, 1 << 28),
        ("decode_expansion", l.decode_expansion, 1 << 10),
        ("decode_depth", l.decode_depth, 8),
    ];
    for (name, found, most) in limits {
        let field = format!("limits.{name}");
        holds((1..=most).contains(&found), &field, &format!("1 to {most}"), &found.to_string())?;
    }
    Ok(())
}
