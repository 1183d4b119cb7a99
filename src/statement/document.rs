//! `statement.json` field by field: the in-toto frame around a claim.
//!
//! Verification reads thousands of statements, so there is a quick door beside `canon`: the fields of every type
//! here and in `claim` are declared in canonical order, so that serde's writer gives the canonical bytes by itself,
//! and a document is canonical when it is read and written again to the same bytes. A test holds both doors together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocker::BlockerDecision;
use super::claim::{Claim, Genesis, Grant, Rehearsal, Scope};
use super::decision::{Begin, KeyChange, Note, PolicyChange, Void};
use super::{Kind, Label, Nonce, Statement, StatementError, Subjects};
use crate::digest::Digest;
use crate::keys::Fingerprint;

/// The in-toto statement type.
const TYPE: &str = "https://in-toto.io/Statement/v1";
/// The one subject of a claim without files.
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
    begin: Option<Begin>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    blockers: Option<BlockerDecision>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    genesis: Option<Genesis>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    grant: Option<GrantDocument>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key: Option<KeyChange>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ledger: Option<Digest>,
    nonce: Nonce,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    note: Option<Note>,
    policy: Hold,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    policy_change: Option<PolicyChange>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rehearsal: Option<Rehearsal>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rerun: Option<Rehearsal>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    void: Option<Void>,
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

impl From<Grant> for GrantDocument {
    fn from(grant: Grant) -> GrantDocument {
        let Grant { id, operator, scope, expires_after_seq } = grant;
        let decision = Decision::AuthorizeProductionRehearsalOnly;
        GrantDocument { decision, expires_after_seq, id, operator, scope, single_use: Yes }
    }
}

impl From<GrantDocument> for Grant {
    fn from(document: GrantDocument) -> Grant {
        let GrantDocument { id, operator, scope, expires_after_seq, .. } = document;
        Grant { id, operator, scope, expires_after_seq }
    }
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
        let mut predicate = Predicate {
            begin: None,
            blockers: None,
            genesis: None,
            grant: None,
            key: None,
            kind: kind.name().to_owned(),
            ledger: statement.ledger,
            nonce: statement.nonce,
            note: None,
            policy: Hold::HoldProduction,
            policy_change: None,
            rehearsal: None,
            rerun: None,
            void: None,
        };
        match claim {
            Claim::Genesis(claim) => predicate.genesis = Some(claim),
            Claim::Grant(claim) => predicate.grant = Some(claim.into()),
            Claim::Rehearsal(claim) => predicate.rehearsal = Some(claim),
            Claim::Rerun(claim) => predicate.rerun = Some(claim),
            Claim::Begin(claim) => predicate.begin = Some(claim),
            Claim::Void(claim) => predicate.void = Some(claim),
            Claim::Key(claim) => predicate.key = Some(claim),
            Claim::Policy(claim) => predicate.policy_change = Some(claim),
            Claim::Blockers(claim) => predicate.blockers = Some(claim),
            Claim::Note(claim) => predicate.note = Some(claim),
        }
        let subject = |(name, digest): (&String, &Digest)| Subject {
            digest: SubjectDigest { sha256: *digest },
            name: name.clone(),
        };
        Document {
            type_: TYPE.to_owned(),
            predicate,
            predicate_type: kind.predicate_type().to_owned(),
            subject: statement.subjects.iter().map(subject).collect(),
        }
    }

    pub(super) fn into_statement(self) -> Result<Statement, StatementError> {
        let predicate = self.predicate;
        let kind: Kind = predicate.kind.parse()?;
        demand("/_type", TYPE, &self.type_)?;
        demand("/predicateType", kind.predicate_type(), &self.predicate_type)?;
        let claims = [
            predicate.genesis.map(Claim::Genesis),
            predicate.grant.map(|document| Claim::Grant(document.into())),
            predicate.rehearsal.map(Claim::Rehearsal),
            predicate.rerun.map(Claim::Rerun),
            predicate.begin.map(Claim::Begin),
            predicate.void.map(Claim::Void),
            predicate.key.map(Claim::Key),
            predicate.policy_change.map(Claim::Policy),
            predicate.blockers.map(Claim::Blockers),
            predicate.note.map(Claim::Note),
        ];
        let mut claims = claims.into_iter().flatten();
        let claim = match (claims.next(), claims.next()) {
            (Some(claim), None) if claim.kind() == kind => claim,
            _ => {
                let expected = format!("one claim, `{}`", kind.name());
                return Err(StatementError::field("/predicate", expected, "others"));
            }
        };
        let (ledger, nonce) = (predicate.ledger, predicate.nonce);
        let ordered = self.subject.windows(2).find(|pair| pair[0].name >= pair[1].name);
        if let Some([_, odd]) = ordered {
            return Err(StatementError::field("/subject", "names in ascending order, each once", &odd.name));
        }
        let subjects: Subjects = self.subject.into_iter().map(|s| (s.name, s.digest.sha256)).collect();
        Ok(Statement { subjects, ledger, nonce, claim, text: Vec::new() })
    }
}

fn demand(field: &'static str, expected: &str, found: &str) -> Result<(), StatementError> {
    if expected == found { Ok(()) } else { Err(StatementError::field(field, expected, found)) }
}
