//! `statement.json` field by field: the in-toto frame around a claim.
//!
//! Verification reads thousands of statements, so there is a quick door beside `canon`: the fields of every type
//! here and in `claim` are declared in canonical order, so that serde's writer gives the canonical bytes by itself,
//! and a document is canonical when it is read and written again to the same bytes. A test holds both doors together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::{Claim, Genesis, Grant, Rehearsal, Scope};
use super::{Kind, Label, Nonce, Statement, StatementError, Subjects};
use crate::digest::Digest;
use crate::keys::Fingerprint;

/// The in-toto statement type.
const TYPE: &str = "https://in-toto.io/Statement/v1";
/// The one subject of a grant.
pub(super) const LEDGER_SUBJECT: &str = "ledger";

/// The document as it is stored; its rules are those of [`Statement`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "statement.json")]
pub struct Document {
    #[serde(rename = "_type")]
    type_: String,
    predicate: Predicate,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Subject {
    digest: SubjectDigest,
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Predicate {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    genesis: Option<Genesis>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    grant: Option<GrantDocument>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ledger: Option<Digest>,
    nonce: Nonce,
    policy: Hold,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rehearsal: Option<Rehearsal>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rerun: Option<Rehearsal>,
}

/// There is one policy about production, and nothing can lift it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
enum Hold {
    #[serde(rename = "HOLD_PRODUCTION")]
    HoldProduction,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GrantDocument {
    decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_after_seq: Option<u64>,
    id: Label,
    operator: Fingerprint,
    scope: Scope,
    single_use: Yes,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
enum Decision {
    #[serde(rename = "AUTHORIZE_PRODUCTION_REHEARSAL_ONLY")]
    AuthorizeProductionRehearsalOnly,
}

/// `true`, and nothing else.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "bool", into = "bool")]
struct Yes;

impl From<Yes> for bool {
    fn from(_: Yes) -> bool {
        true
    }
}

impl TryFrom<bool> for Yes {
    type Error = &'static str;
    fn try_from(value: bool) -> Result<Yes, &'static str> {
        if value { Ok(Yes) } else { Err("expected true: there is no other value") }
    }
}

/// The canonical bytes; [`crate::canon::to_vec`] gives the same.
pub(super) fn to_canonical(document: &Document) -> Vec<u8> {
    serde_json::to_vec(document).expect("every key is a text")
}

/// Reads a document whose text is NFC. Whoever calls writes it again and compares.
pub(super) fn from_canonical(bytes: &[u8]) -> Option<Document> {
    if !bytes.is_ascii() && !unicode_normalization::is_nfc(std::str::from_utf8(bytes).ok()?) {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

impl Document {
    pub(super) fn from_statement(statement: &Statement) -> Document {
        let claim = statement.claim.clone();
        let kind = claim.kind();
        let (mut genesis, mut grant, mut rehearsal, mut rerun) = (None, None, None, None);
        match claim {
            Claim::Genesis(g) => genesis = Some(g),
            Claim::Grant(Grant { id, operator, scope, expires_after_seq }) => {
                let decision = Decision::AuthorizeProductionRehearsalOnly;
                grant =
                    Some(GrantDocument { decision, expires_after_seq, id, operator, scope, single_use: Yes });
            }
            Claim::Rehearsal(r) => rehearsal = Some(r),
            Claim::Rerun(r) => rerun = Some(r),
        }
        let subject = |(name, digest): (&String, &Digest)| Subject {
            digest: SubjectDigest { sha256: *digest },
            name: name.clone(),
        };
        Document {
            type_: TYPE.to_owned(),
            predicate: Predicate {
                genesis,
                grant,
                kind: kind.name().to_owned(),
                ledger: statement.ledger,
                nonce: statement.nonce,
                policy: Hold::HoldProduction,
                rehearsal,
                rerun,
            },
            predicate_type: kind.predicate_type().to_owned(),
            subject: statement.subjects.iter().map(subject).collect(),
        }
    }

    pub(super) fn into_statement(self) -> Result<Statement, StatementError> {
        let Predicate { genesis, grant, kind, ledger, nonce, policy: Hold::HoldProduction, rehearsal, rerun } =
            self.predicate;
        let kind: Kind = kind.parse()?;
        demand("/_type", TYPE, &self.type_)?;
        demand("/predicateType", kind.predicate_type(), &self.predicate_type)?;
        let claim = match (kind, genesis, grant, rehearsal, rerun) {
            (Kind::Genesis, Some(g), None, None, None) => Claim::Genesis(g),
            (Kind::Grant, None, Some(g), None, None) => Claim::Grant(Grant {
                id: g.id,
                operator: g.operator,
                scope: g.scope,
                expires_after_seq: g.expires_after_seq,
            }),
            (Kind::Rehearsal, None, None, Some(r), None) => Claim::Rehearsal(r),
            (Kind::Rerun, None, None, None, Some(r)) => Claim::Rerun(r),
            _ => {
                return Err(StatementError::field(
                    "/predicate",
                    format!("one claim, `{}`", kind.name()),
                    "others",
                ));
            }
        };
        let ordered = self.subject.windows(2).find(|pair| pair[0].name >= pair[1].name);
        if let Some([_, odd]) = ordered {
            return Err(StatementError::field("/subject", "names in ascending order, each once", &odd.name));
        }
        let subjects: Subjects = self.subject.into_iter().map(|s| (s.name, s.digest.sha256)).collect();
        Ok(Statement { subjects, ledger, nonce, claim })
    }
}

fn demand(field: &'static str, expected: &str, found: &str) -> Result<(), StatementError> {
    if expected == found { Ok(()) } else { Err(StatementError::field(field, expected, found)) }
}
