//! The CI items: exactly one of them is unknown, and stays unknown: with a designed gate it is resolved
//! off production only (R11, R42 to R44).
//!
//! Owns: the form of a plan's `ci-unknown.json`. Must not: resolve anything; `packet::document::ci` holds
//! what a packet says of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blockers::Owner;
use crate::canon;
use crate::digest::Digest;

/// The schema name of `ci-unknown.json`.
pub const CI_SCHEMA: &str = "fix7.ci-unknown/v1";
/// Most CI items: a list that a person classified by reading.
const MAX_ITEMS: usize = 200;

/// `ci-unknown.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CiItems {
    /// [`CI_SCHEMA`].
    pub schema: String,
    /// Every item that was looked at.
    pub items: Vec<CiItem>,
}

/// One CI item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CiItem {
    /// A short name.
    pub id: String,
    /// What is known.
    pub status: CiStatus,
    /// `RESOLVED`: SHA-256 of the gate's design.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gate_sha256: Option<Digest>,
    /// `UNKNOWN`: how it is classified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub classification: Option<Classification>,
}

/// What is known of a CI item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CiStatus {
    /// Nobody knows yet.
    Unknown,
    /// A gate is designed, its digest is named.
    Resolved,
}

/// How the one unknown is classified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// The class.
    pub class: CiClass,
    /// Why.
    pub reason: CiReason,
    /// What was looked at, read-only.
    pub inspected: Vec<String>,
    /// The blocker that it stays.
    pub blocker_id: String,
    /// Who must act: owner and operator.
    pub owners: Vec<Owner>,
    /// What comes next.
    pub next: CiNext,
    /// `RESOLVED_OFF_PRODUCTION`: SHA-256 of the gate's design, one of [`GATES`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gate_sha256: Option<Digest>,
}

/// The designs of the gate that can be recognised: the shipped checks, by their place in the repository. Each runs
/// `fix7-ledger gate`, the server hook's own judgement, where a host runs no hooks.
pub const GATES: [(&str, &str); 3] = [
    ("hooks/ci/forgejo.yml", include_str!("../../hooks/ci/forgejo.yml")),
    ("hooks/ci/github-actions.yml", include_str!("../../hooks/ci/github-actions.yml")),
    ("hooks/ci/gitlab-ci.yml", include_str!("../../hooks/ci/gitlab-ci.yml")),
];

/// The classes of an unknown: there is no class that makes it known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CiClass {
    /// Reading alone cannot resolve it.
    #[serde(rename = "UNRESOLVABLE_READ_ONLY")]
    UnresolvableReadOnly,
    /// A gate is designed, away from production. Whether production uses it is for owner and operator to decide.
    #[serde(rename = "RESOLVED_OFF_PRODUCTION")]
    ResolvedOffProduction,
}

/// Why an unknown is of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CiReason {
    /// The gate is not yet designed.
    #[serde(rename = "GATE_NOT_DESIGNED")]
    GateNotDesigned,
    /// The gate is designed, and its digest is named.
    #[serde(rename = "GATE_DESIGNED")]
    GateDesigned,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CiNext {
    /// Design the gate away from production first.
    #[serde(rename = "DESIGN_OFF_PRODUCTION_FIRST")]
    DesignOffProductionFirst,
    /// Owner and operator decide about production; until then the blocker stays open.
    #[serde(rename = "OWNER_AND_OPERATOR_DECIDE")]
    OwnerAndOperatorDecide,
}

impl Classification {
    /// What does not fit together: class, reason, next step and the gate's digest say one thing.
    fn gate_faults(&self) -> Vec<String> {
        let expected = match self.class {
            CiClass::UnresolvableReadOnly => (CiReason::GateNotDesigned, CiNext::DesignOffProductionFirst),
            CiClass::ResolvedOffProduction => (CiReason::GateDesigned, CiNext::OwnerAndOperatorDecide),
        };
        let mut faults = Vec::new();
        if (self.reason, self.next) != expected {
            faults.push("class, reason and next do not belong together".to_owned());
        }
        let shipped = |digest: &Digest| GATES.iter().any(|(_, text)| Digest::of(text.as_bytes()) == *digest);
        match (self.class, &self.gate_sha256) {
            (CiClass::ResolvedOffProduction, Some(digest)) if shipped(digest) => {}
            (CiClass::ResolvedOffProduction, found) => {
                let places: Vec<&str> = GATES.iter().map(|(place, _)| *place).collect();
                let found = found.map_or("none".to_owned(), |digest| digest.to_string());
                faults.push(format!(
                    "gate_sha256: expected SHA-256 of one of {}, found {found}",
                    places.join(", ")
                ));
            }
            (CiClass::UnresolvableReadOnly, Some(_)) => {
                faults.push("gate_sha256: an item without a gate names none".to_owned());
            }
            (CiClass::UnresolvableReadOnly, None) => {}
        }
        faults
    }
}

impl CiItems {
    /// Reads the items in any JSON spelling.
    ///
    /// # Errors
    /// Every fault, in words: none or several unknown, one without a class, one resolved without a gate.
    pub fn parse_input(bytes: &[u8]) -> Result<CiItems, Vec<String>> {
        let items: CiItems = canon::from_slice_any_spelling(bytes).map_err(|e| vec![e.to_string()])?;
        let faults = items.faults();
        if faults.is_empty() { Ok(items) } else { Err(faults) }
    }

    /// The one unknown item with its classification.
    pub fn unknown(&self) -> Option<(&CiItem, &Classification)> {
        let item = self.items.iter().find(|item| item.status == CiStatus::Unknown)?;
        Some((item, item.classification.as_ref()?))
    }

    /// How many items are unknown.
    pub fn unknown_count(&self) -> u64 {
        self.items.iter().filter(|item| item.status == CiStatus::Unknown).count() as u64
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        require(self.schema == CI_SCHEMA, format!("schema: expected {CI_SCHEMA}"));
        require(self.items.len() <= MAX_ITEMS, format!("at most {MAX_ITEMS} items"));
        let unknown = self.unknown_count();
        require(unknown == 1, format!("exactly one UNKNOWN is expected, found {unknown}"));
        let mut ids: Vec<_> = self.items.iter().map(|item| &item.id).collect();
        ids.sort_unstable();
        ids.windows(2).for_each(|two| require(two[0] != two[1], format!("{} stands twice", two[0])));
        for item in &self.items {
            let id = item.id.escape_default();
            let unknown = item.status == CiStatus::Unknown;
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
            let named = (1..=80).contains(&item.id.len()) && item.id.bytes().all(plain);
            require(named, format!("id {id}: 1 to 80 ASCII letters, digits, `-_./`"));
            require(
                unknown == item.classification.is_some(),
                format!("{id}: UNKNOWN and a class go together"),
            );
            require(unknown != item.gate_sha256.is_some(), format!("{id}: RESOLVED and a gate go together"));
            if let Some(class) = &item.classification {
                let named = class.blocker_id == super::blockers::CI_BLOCKER;
                require(named, format!("{id}: blocker_id: expected {}", super::blockers::CI_BLOCKER));
                let both = class.owners == [Owner::Owner, Owner::Operator];
                require(both, format!("{id}: owners: expected [owner, operator]"));
                let inspected =
                    !class.inspected.is_empty() && class.inspected.iter().all(|i| !i.trim().is_empty());
                require(inspected, format!("{id}: inspected: what was looked at, read-only"));
                class.gate_faults().into_iter().for_each(|fault| require(false, format!("{id}: {fault}")));
            }
        }
        faults
    }
}
