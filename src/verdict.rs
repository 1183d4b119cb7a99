//! Verdicts: what was found, by code, object and both values.
//!
//! Owns: the closed list of reason codes, their exit class and their advice. A negative verdict is a
//! value; an `Err` elsewhere in the crate means "could not find out". Must not: decide anything.
//!
//! ```text
//! Reason   code NO_MUTATION · object clone-rollback-evidence.json#/entries/1 · expected … · found …
//! Verdict  all reasons, in the order found; accepted only when there is none
//! ```
//!
//! ```
//! use fix7_ledger::verdict::{Code, Reason, Verdict};
//! let mut verdict = Verdict::default();
//! assert!(verdict.accepted());
//! verdict.push(Reason::new(Code::NoMutation, "entries/1").values("another digest", "the same digest"));
//! assert_eq!(verdict.exit_code(), 4);
//! assert_eq!(Code::NoMutation.name(), "NO_MUTATION");
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The documented exit codes (DESIGN section 9), as the classes of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 1: evidence or signatures contradict each other.
    Broken,
    /// 3: could not be established.
    NotEstablished,
    /// 4: refused by policy or as bad input.
    Refused,
    /// 5: a rollback or fork of the ledger was seen.
    Forked,
    /// 75: try again; nothing is lost.
    TryAgain,
}

impl Class {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Broken => 1,
            Class::NotEstablished => 3,
            Class::Refused => 4,
            Class::Forked => 5,
            Class::TryAgain => 75,
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:ident $advice:literal)*) => {
        /// A reason code: closed, stable, the same in text, JSON, hooks and tests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $(
                #[doc = $advice]
                #[serde(rename = $name)]
                $variant,
            )*
        }
        impl Code {
            /// Every code, in the order of this file.
            pub const ALL: &[Code] = &[$(Code::$variant),*];
            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),* }
            }
            /// The exit class.
            pub fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class),* }
            }
            /// What to do next, for a person.
            pub fn advice(self) -> &'static str {
                match self { $(Code::$variant => $advice),* }
            }
        }
    };
}

codes! {
    // Requests (requirements R30 to R35)
    ProductionTarget "PRODUCTION_TARGET" Refused "name a copy or a dump of the database, never production itself"
    RealRunForbidden "REAL_RUN_FORBIDDEN" Refused "a rehearsal has no real-run mode: drop the request"
    ApplyForbidden "APPLY_FORBIDDEN" Refused "QT001/apply is outside of what a rehearsal may ask for: drop the request"
    CutoverForbidden "CUTOVER_FORBIDDEN" Refused "a cutover is never part of a rehearsal: drop the request"
    CiDeployForbidden "CI_DEPLOY_FORBIDDEN" Refused "a rehearsal triggers no CI and no deployment: drop the request"
    SecretsForbidden "SECRETS_FORBIDDEN" Refused "remove the secret from the input (its value is not repeated here), and rotate it if it was real"
    RequestForbidden "REQUEST_FORBIDDEN" Refused "the boundary forbids this request (permit, activation, repoint): drop it"
    // Evidence and its validator (R15 to R28, R36 to R39)
    RollbackProofMissing "ROLLBACK_PROOF_MISSING" Refused "rehearse again: at least two rollback entries with every digest are needed"
    NoMutation "NO_MUTATION" Refused "the change did nothing on the clone: rehearse a change that changes rows or schema"
    NotRestored "NOT_RESTORED" Refused "the rollback did not restore the database: `record --failed` records that; mend the rollback script and rehearse again"
    InvariantBroken "INVARIANT_BROKEN" Refused "the state at exit differs from the state at entry: rehearse again on a quiet copy"
    LegMissing "LEG_MISSING" Refused "rehearse again: every leg that the policy names must be in the evidence, once"
    CloneMismatch "CLONE_MISMATCH" Refused "evidence of one clone proves nothing about another: rehearse again"
    LockMismatch "LOCK_MISMATCH" Refused "the evidence does not quote this target lock: rehearse again"
    IsolationNotProven "ISOLATION_NOT_PROVEN" Refused "rehearse on a system where the isolation can be shown (`fix7-ledger doctor` tells what is missing)"
    ScopeLift "SCOPE_LIFT" Refused "a rehearsal proves nothing about production: remove the claim"
    ExecutorNotPinned "EXECUTOR_NOT_PINNED" Refused "use an executable that the ledger's policy pins, or have the owners pin this one"
    IntegrityBroken "INTEGRITY_BROKEN" Refused "the clone fails SQLite's own checks: mend the source database first"
    SelftestBroken "SELFTEST_BROKEN" Refused "the validator misjudges its own vectors: this build must not be used"
    ProbesIncomplete "PROBES_INCOMPLETE" Refused "rehearse again: all canonical probes and the control must be there with their expected outcomes"
    StatementForbidden "STATEMENT_FORBIDDEN" Refused "the plan's SQL may not leave the clone or end the rehearsal's transaction: remove the statement, or say `transaction = false` in the plan where the change brings its own"
    SourceChanged "SOURCE_CHANGED" Refused "the source changed while it was read: use a quiet copy, or stop the writer for the time of the clone"
    // Packet (R01 to R14, R40 to R57)
    FileMissing "FILE_MISSING" Refused "make the packet again with `fix7-ledger rehearse`"
    FileUnexpected "FILE_UNEXPECTED" Refused "a packet holds the listed files only: remove this one and rehearse again"
    PathForbidden "PATH_FORBIDDEN" Refused "use lower-case ASCII names without separators, links or device names"
    ManifestMismatch "MANIFEST_MISMATCH" Refused "the files are not those that the manifest lists: make the packet again"
    TreeDigestMismatch "TREE_DIGEST_MISMATCH" Refused "packet_tree.sha256 is not the digest of HASH_MANIFEST.txt: make the packet again"
    NotDerived "NOT_DERIVED" Refused "this file is not what the evidence implies: artefacts are derived, never typed"
    Malformed "MALFORMED" Refused "make the file again with this program"
    BoundaryBroken "BOUNDARY_BROKEN" Refused "the boundary must stand word for word, with its nine items"
    NotOnHold "NOT_ON_HOLD" Refused "production stays on HOLD: nothing in a rehearsal can change that"
    SurfaceNotProven "SURFACE_NOT_PROVEN" Refused "each of the forbidden surfaces needs a technical proof or `not-requested`"
    CiUnknownInvalid "CI_UNKNOWN_INVALID" Refused "exactly one CI unknown, classified and tied to its blocker, is needed"
    BlockersInvalid "BLOCKERS_INVALID" Refused "give every blocker of the previous map, once, OPEN unless a grant closed it"
    PatternInvalid "PATTERN_INVALID" Refused "map every step of the rollback pattern document to a leg"
    PlanInvalid "PLAN_INVALID" Refused "mend the plan (`fix7-ledger plan new DIR` writes a commented template)"
    LimitExceeded "LIMIT_EXCEEDED" Refused "stay below the named limit"
    // The claim gate (DESIGN section 6)
    ClaimFound "CLAIM_FOUND" Refused "remove the claim: a rehearsal is never a production pass"
    Undecidable "UNDECIDABLE" Refused "what the gate cannot decode within its bounds is refused: send plain text"
    // Statement, entry, authority (DESIGN section 7)
    StatementInvalid "STATEMENT_INVALID" Broken "the statement is not one that this program writes: do not trust the entry"
    SignatureInvalid "SIGNATURE_INVALID" Broken "the signature does not hold: do not trust the entry"
    EntryMalformed "ENTRY_MALFORMED" Broken "the commit is not the one valid form of an entry: do not trust it"
    ChainBroken "CHAIN_BROKEN" Broken "the entry does not continue the ledger: fetch again from a trusted copy"
    RootMismatch "ROOT_MISMATCH" Broken "the signed Merkle root differs from the history that is here: compare with another copy"
    ContentMismatch "CONTENT_MISMATCH" Broken "the stored files are not those that were signed: do not trust the entry"
    ObjectCorrupt "OBJECT_CORRUPT" Broken "a git object does not have the content that its name promises: fetch again from a trusted copy"
    KeyUnknown "KEY_UNKNOWN" NotEstablished "have an owner register the key, or pin the right genesis"
    KeyEnded "KEY_ENDED" Broken "the key ended before this position: sign with a current key"
    RoleMissing "ROLE_MISSING" Refused "this key does not hold the role that the entry needs: ask an owner"
    SampleKey "SAMPLE_KEY" Refused "sample keys are public: make your own with `fix7-ledger key new`"
    KeyChangeInvalid "KEY_CHANGE_INVALID" Refused "name a registered key, an earlier position, and leave enough owners"
    CorrectionInvalid "CORRECTION_INVALID" Refused "name the leaf of an entry of this ledger that still counts (`fix7-ledger log`)"
    BeginMissing "BEGIN_MISSING" Refused "begin with `fix7-ledger begin`, and record the rehearsal with the same grant"
    RunOpen "RUN_OPEN" NotEstablished "record how the rehearsal ended, also a failed one, or void the begin and say why"
    EntrySuspect "ENTRY_SUSPECT" NotEstablished "have an auditor check the entry and confirm it (`fix7-ledger note --confirm`), or void it"
    NumberMissing "NUMBER_MISSING" NotEstablished "record what was rehearsed under that number, also a failed one, or void the number and say why (`fix7-ledger void --number`)"
    NumberInvalid "NUMBER_INVALID" Refused "number what an operator signs from 1 on, one by one: this program does"
    GrantMissing "GRANT_MISSING" Refused "ask an owner for a grant (`fix7-ledger grant issue`)"
    GrantSpent "GRANT_SPENT" Refused "each grant serves one rehearsal: ask an owner for another"
    GrantMismatch "GRANT_MISMATCH" Refused "the grant is for another scope, clone or operator: ask an owner for one that fits"
    SelfIssued "SELF_ISSUED" Refused "the operator's own key cannot grant the operator's rehearsal"
    RerunDiffers "RERUN_DIFFERS" Refused "the rerun reached another packet: compare source, plan, policy and executable"
    Replayed "REPLAYED" Refused "this statement is in the ledger already: rehearse again for a new entry"
    PolicyMismatch "POLICY_MISMATCH" Refused "the packet was made under another policy than the one in force: rehearse again"
    PolicyLoosened "POLICY_LOOSENED" Refused "a policy change may add, never remove"
    KindUnknown "KIND_UNKNOWN" Broken "this entry kind is unknown here: use a newer version of this program"
    WrongLedger "WRONG_LEDGER" Refused "the statement belongs to another ledger"
    // Pushes (DESIGN section 8)
    LedgerDeleted "LEDGER_DELETED" Refused "a ledger ref is never deleted"
    LedgerRewritten "LEDGER_REWRITTEN" Refused "fetch, verify and append again: a ledger is never rewritten"
    LedgerElsewhere "LEDGER_ELSEWHERE" Refused "ledger entries stand on refs/heads/fix7-ledger/ only"
    RefForbidden "REF_FORBIDDEN" Refused "this ref may not be pushed to a ledger server"
    // Verification (DESIGN section 9)
    ObjectMissing "OBJECT_MISSING" NotEstablished "fetch the whole history (`git fetch --unshallow`)"
    Shallow "SHALLOW" NotEstablished "fetch the whole history (`git fetch --unshallow`)"
    EntryAbsent "ENTRY_ABSENT" NotEstablished "`fix7-ledger log` lists the entries"
    ReplaceRefs "REPLACE_REFS" NotEstablished "delete refs/replace: they make stock git show other objects than the stored ones"
    Grafts "GRAFTS" NotEstablished "remove .git/info/grafts: they make stock git show another history"
    QuorumMissing "QUORUM_MISSING" NotEstablished "ask more of the policy's witnesses (`fix7-ledger witness request`), and add their answers"
    CheckpointOld "CHECKPOINT_OLD" NotEstablished "ask for a newer checkpoint with newer cosignatures: this one may have been kept back"
    LedgerAbsent "LEDGER_ABSENT" NotEstablished "name it with `--ledger`, fetch it from its server, or begin one with `fix7-ledger init`"
    RepositoryUnsupported "REPOSITORY_UNSUPPORTED" NotEstablished "use a repository with the files ref storage and SHA-1 object names"
    RolledBack "ROLLED_BACK" Forked "this copy ends before a head that was seen: keep both, and ask the ledger's owners"
    Forked "FORKED" Forked "this copy contradicts a head that was seen: keep both as proof, and ask the ledger's owners"
    // Effects
    IsolationUnavailable "ISOLATION_UNAVAILABLE" NotEstablished "run `fix7-ledger doctor`: it names what this system lacks"
    EngineCannot "ENGINE_CANNOT" NotEstablished "the change needs an application function, collation or module that plain SQLite lacks"
    Unreadable "UNREADABLE" NotEstablished "check the path and its permissions"
    AlreadyExists "ALREADY_EXISTS" Refused "choose another place: nothing is overwritten"
    KeyUnreadable "KEY_UNREADABLE" NotEstablished "name an OpenSSH ed25519 key file, start ssh-agent, or make a key with `fix7-ledger key new NAME`"
    PassphraseWrong "PASSPHRASE_WRONG" NotEstablished "try again with the right passphrase"
    HookMissing "HOOK_MISSING" NotEstablished "install the hooks with `fix7-ledger hooks install`"
    HeadMoved "HEAD_MOVED" TryAgain "another writer was first: run the command again, the packet is kept"
    PushRefused "PUSH_REFUSED" Refused "the remote's hook said why: mend it there; the entry stands in this clone"
    PushFailed "PUSH_FAILED" TryAgain "the entry stands in this clone: run `fix7-ledger push` when the remote can be reached"
    LockHeld "LOCK_HELD" TryAgain "another writer holds the ledger's lock: run the command again"
    ProgramMissing "PROGRAM_MISSING" NotEstablished "install it, or a newer version of it"
    ClockWrong "CLOCK_WRONG" NotEstablished "set the clock"
    OutOfSpace "OUT_OF_SPACE" NotEstablished "free disk space: a rehearsal needs about three times the database"
    TimedOut "TIMED_OUT" NotEstablished "raise the limit in the plan, or rehearse a smaller change"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One reason: which rule, about which object, and both values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The rule.
    pub code: Code,
    /// What it is about: a file with a JSON pointer, a ref, an entry's number.
    pub object: String,
    /// What the rule asks for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<String>,
    /// What was there. Never a secret, never a row value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
}

impl Reason {
    /// A reason about `object`.
    pub fn new(code: Code, object: impl fmt::Display) -> Reason {
        Reason { code, object: object.to_string(), expected: None, found: None }
    }

    /// Adds both values.
    pub fn values(mut self, expected: impl fmt::Display, found: impl fmt::Display) -> Reason {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }

    /// Adds what was found where there is no single expected value.
    pub fn found(mut self, found: impl fmt::Display) -> Reason {
        self.found = Some(found.to_string());
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.object)?;
        match (&self.expected, &self.found) {
            (Some(e), Some(x)) => write!(f, ": expected {e}, found {x}"),
            (None, Some(x)) => write!(f, ": {x}"),
            (Some(e), None) => write!(f, ": expected {e}"),
            (None, None) => Ok(()),
        }
    }
}

/// All reasons against something. Accepted means that there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Verdict {
    reasons: Vec<Reason>,
}

impl Verdict {
    /// Adds a reason.
    pub fn push(&mut self, reason: Reason) {
        self.reasons.push(reason);
    }

    /// Adds a reason unless `holds`.
    pub fn require(&mut self, holds: bool, reason: impl FnOnce() -> Reason) {
        if !holds {
            self.reasons.push(reason());
        }
    }

    /// Takes over the reasons of another verdict.
    pub fn merge(&mut self, other: Verdict) {
        self.reasons.extend(other.reasons);
    }

    /// Whether nothing speaks against it.
    pub fn accepted(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons, in the order found.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// Whether one of the reasons has this code.
    pub fn has(&self, code: Code) -> bool {
        self.reasons.iter().any(|r| r.code == code)
    }

    /// 0 when accepted; otherwise the gravest class: fork, broken, refused, not established, try again.
    pub fn exit_code(&self) -> u8 {
        const GRAVEST_FIRST: [Class; 5] =
            [Class::Forked, Class::Broken, Class::Refused, Class::NotEstablished, Class::TryAgain];
        GRAVEST_FIRST
            .into_iter()
            .find(|class| self.reasons.iter().any(|r| r.code.class() == *class))
            .map_or(0, Class::exit_code)
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Verdict {
        Verdict { reasons: vec![reason] }
    }
}

impl FromIterator<Reason> for Verdict {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Verdict {
        Verdict { reasons: reasons.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        let mut names: Vec<_> = Code::ALL.iter().map(|c| c.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let text = serde_json::to_string(code).expect("a name");
            assert_eq!(serde_json::from_str::<Code>(&text).expect("a code"), *code);
        }
    }

    #[test]
    fn the_gravest_class_decides() {
        let mut v = Verdict::default();
        assert_eq!(v.exit_code(), 0);
        for (code, exit) in [
            (Code::HeadMoved, 75),
            (Code::Unreadable, 3),
            (Code::NoMutation, 4),
            (Code::ChainBroken, 1),
            (Code::Forked, 5),
        ] {
            v.push(Reason::new(code, "x"));
            assert_eq!(v.exit_code(), exit);
        }
    }
}
