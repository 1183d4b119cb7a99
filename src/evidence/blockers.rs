//! The production blocker map: what stands between a rehearsal and production (R45 to R49).
//!
//! Owns: the map's form, which is at once a plan's input (`blockers.json`, the previous map byte for byte)
//! and a packet's file (`updated-production-blocker-map.json`, derived). Must not: open or close anything:
//! a blocker closes by a signed ledger entry, and a leg that a clone proved leaves it OPEN.
//!
//! ```text
//! blocker  FIX7-P0-DRYRUN-PROD-ROLLBACK-1   OPEN
//!   leg    clone_rehearsal                  PROVEN   evidence_sha256 …   by a packet
//!   leg    production                       OPEN
//!   need   OPERATOR_DUMP_CLONE              OPEN
//! ```

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canon;
use crate::digest::Digest;

/// The schema name of a blocker map.
pub const BLOCKERS_SCHEMA: &str = "fix7.production-blocker-map/v1";
/// The blocker that the CI unknown belongs to (R43).
pub const CI_BLOCKER: &str = "FIX7-P0-PROD-CI-SCOPE-1";
/// The blocker that a clone rehearsal discharges in part (R46).
pub const ROLLBACK_BLOCKER: &str = "FIX7-P0-DRYRUN-PROD-ROLLBACK-1";
/// The leg of [`ROLLBACK_BLOCKER`] that a packet proves.
pub const CLONE_LEG: &str = "clone_rehearsal";
/// The leg of [`ROLLBACK_BLOCKER`] that a packet about an operator-signed dump proves.
pub const DUMP_LEG: &str = "dump_clone";
/// What [`ROLLBACK_BLOCKER`] needs before it can close (R47 to R49).
pub const ROLLBACK_NEEDS: [&str; 3] =
    ["OPERATOR_DUMP_CLONE", "PRODUCTION_OPT_4", "DISTINCT_PRODUCTION_ROLLBACK_GRANT"];
/// Longest id of a blocker or need, longest name of a leg, in bytes.
pub const MAX_ID_BYTES: usize = 64;
/// Most blockers in a map: a list that people work through, not a database.
pub const MAX_BLOCKERS: usize = 500;

/// A blocker map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockerMap {
    /// [`BLOCKERS_SCHEMA`].
    pub schema: String,
    /// SHA-256 of the previous map; none for the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prev: Option<Digest>,
    /// How many of the blockers are OPEN.
    pub open_count: u64,
    /// Every blocker, in the order given.
    pub blockers: Vec<Blocker>,
}

/// One blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocker {
    /// `FIX7-P0-…-1`: upper-case letters, digits, single hyphens.
    pub id: String,
    /// OPEN, also while some of its legs are proven.
    pub state: BlockerState,
    /// The statement digest of the ledger entry that closed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed_by: Option<Digest>,
    /// Who must act.
    pub owners: Vec<Owner>,
    /// What is in the way, in a line.
    pub title: String,
    /// Its parts.
    pub legs: Vec<BlockerLeg>,
    /// What must be there before it can close.
    pub needs: Vec<Need>,
}

/// Whether a blocker blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BlockerState {
    /// It blocks.
    Open,
    /// A signed entry closed it.
    Closed,
}

/// Who must act on a blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Who decides.
    Owner,
    /// Who runs production.
    Operator,
}

/// A part of a blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockerLeg {
    /// `clone_rehearsal`, `production`, …
    pub name: String,
    /// OPEN or PROVEN.
    pub state: LegState,
    /// The evidence that proves it: SHA-256 of a `clone-rollback-evidence.json`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence_sha256: Option<Digest>,
}

/// Whether a part is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LegState {
    /// Nothing proves it.
    Open,
    /// The evidence named proves it.
    Proven,
}

/// A precondition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// `OPERATOR_DUMP_CLONE`, `PRODUCTION_OPT_4`, `DISTINCT_PRODUCTION_ROLLBACK_GRANT`, …
    pub id: String,
    /// OPEN or MET.
    pub state: NeedState,
    /// The statement digest of the ledger entry that met it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub met_by: Option<Digest>,
}

/// Whether a precondition is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum NeedState {
    /// It is missing.
    Open,
    /// The entry named brought it.
    Met,
}

impl BlockerMap {
    /// Reads a map in any JSON spelling, as a plan's input.
    ///
    /// # Errors
    /// Every fault of the map, in words.
    pub fn parse_input(bytes: &[u8]) -> Result<BlockerMap, Vec<String>> {
        let map: BlockerMap = canon::from_slice_any_spelling(bytes).map_err(|e| vec![e.to_string()])?;
        let faults = map.faults();
        if faults.is_empty() { Ok(map) } else { Err(faults) }
    }

    /// What contradicts itself in the map; whether a closing is *authorised* only the ledger knows.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        require(self.schema == BLOCKERS_SCHEMA, format!("schema: expected {BLOCKERS_SCHEMA}"));
        require(self.blockers.len() <= MAX_BLOCKERS, format!("at most {MAX_BLOCKERS} blockers"));
        let open = self.counted_open();
        require(self.open_count == open, format!("open_count {}: counted {open}", self.open_count));
        let mut ids = BTreeSet::new();
        for blocker in &self.blockers {
            let id = blocker.id.escape_default();
            require(is_id(&blocker.id), format!("id {id}: upper-case letters, digits, single hyphens"));
            require(ids.insert(&blocker.id), format!("{id} stands twice"));
            let closed = blocker.state == BlockerState::Closed;
            require(closed == blocker.closed_by.is_some(), format!("{id}: CLOSED and closed_by go together"));
            let mut owners = blocker.owners.clone();
            owners.sort_unstable();
            owners.dedup();
            require(
                !owners.is_empty() && owners.len() == blocker.owners.len(),
                format!("{id}: owners, each once"),
            );
            let mut names = BTreeSet::new();
            for leg in &blocker.legs {
                let name = leg.name.escape_default();
                require(names.insert(&leg.name), format!("{id}: leg {name} stands twice"));
                let proven = leg.state == LegState::Proven;
                require(
                    proven == leg.evidence_sha256.is_some(),
                    format!("{id}: leg {name}: PROVEN and evidence_sha256 go together"),
                );
            }
            let mut names = BTreeSet::new();
            for need in &blocker.needs {
                let name = need.id.escape_default();
                require(names.insert(&need.id), format!("{id}: need {name} stands twice"));
                let met = need.state == NeedState::Met;
                require(
                    met == need.met_by.is_some(),
                    format!("{id}: need {name}: MET and met_by go together"),
                );
            }
        }
        for id in [CI_BLOCKER, ROLLBACK_BLOCKER] {
            require(ids.contains(&id.to_owned()), format!("{id} is missing"));
        }
        if let Some(blocker) = self.blocker(ROLLBACK_BLOCKER) {
            let legged = blocker.legs.iter().any(|leg| leg.name == CLONE_LEG);
            require(legged, format!("{ROLLBACK_BLOCKER}: leg {CLONE_LEG} is missing"));
            for need in ROLLBACK_NEEDS {
                let named = blocker.needs.iter().any(|known| known.id == need);
                require(named, format!("{ROLLBACK_BLOCKER}: need {need} is missing"));
            }
            let whole = blocker.legs.len() > 1;
            require(
                whole,
                format!("{ROLLBACK_BLOCKER}: a clone alone never closes it, another leg is missing"),
            );
        }
        faults
    }

    /// The map without what it claims: everything open, nothing quoted, and no leg that only some packets have.
    pub fn bare(&self) -> BlockerMap {
        let mut map = BlockerMap { prev: None, ..self.clone() };
        for blocker in &mut map.blockers {
            (blocker.state, blocker.closed_by) = (BlockerState::Open, None);
            blocker.legs.retain(|leg| leg.name != DUMP_LEG);
            blocker.legs.iter_mut().for_each(|leg| (leg.state, leg.evidence_sha256) = (LegState::Open, None));
            blocker.needs.iter_mut().for_each(|need| (need.state, need.met_by) = (NeedState::Open, None));
        }
        map.open_count = map.counted_open();
        map
    }

    /// The blockers that block, counted.
    pub fn counted_open(&self) -> u64 {
        self.blockers.iter().filter(|b| b.state == BlockerState::Open).count() as u64
    }

    /// The blocker with this id.
    pub fn blocker(&self, id: &str) -> Option<&Blocker> {
        self.blockers.iter().find(|blocker| blocker.id == id)
    }
}

/// Whether a text can be a blocker's id.
pub fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_BYTES
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
}
