//! What a hostile insider tried: each test was a way in once, and has its accepting twin.

use std::collections::BTreeMap;

use fix7_ledger::dsse;
use fix7_ledger::entry::{Unsigned, content_digest, file_digests};
use fix7_ledger::ledger::{Draft, LedgerRef, Repository};
use fix7_ledger::policy::Policy;
use fix7_ledger::state::State;
use fix7_ledger::statement::{Genesis, KeyEntry, Nonce, Role, SIGNATURE_FILE, STATEMENT_FILE, Statement};
use fix7_ledger::time::Timestamp;

use crate::harness::Ran;
use crate::ledger::PATIENCE;
use crate::stage::Stage;

/// The claim that no channel may carry.
const CLAIM: &str = "PRODUCTION_PASS";
/// Whom every ledger here belongs to.
const PEOPLE: [&str; 6] = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];

fn default_policy_and(more: &str) -> String {
    format!("{}{more}", std::str::from_utf8(Policy::DEFAULT).expect("UTF-8"))
}

/// Begins a ledger as somebody would whose program asks nothing.
fn begin_by_hand(stage: &Stage, ledger: &str, policy: &str, time: &str) {
    let signer = stage.signer("olga");
    let key = |name: &str, role| KeyEntry {
        name: name.parse().expect("a label"),
        person: None,
        public: stage.signer(name).public().clone(),
        roles: [role].into(),
    };
    let genesis = Genesis {
        demo: false,
        keys: vec![key("olga", Role::Owner), key("anna", Role::Operator)],
        name: "by-hand".parse().expect("a label"),
        owner_threshold: 1,
    };
    let policy = Policy::parse(policy.as_bytes()).expect("above the floor");
    let statement =
        Statement::genesis(Nonce::from_bytes([7; 16]), genesis, policy.digest()).expect("a statement");
    let signatures = dsse::sign(statement.bytes(), &[&signer]).expect("signed");
    let files = BTreeMap::from([
        ("policy.toml".to_owned(), policy.bytes().to_vec()),
        (STATEMENT_FILE.to_owned(), statement.bytes().to_vec()),
        (SIGNATURE_FILE.to_owned(), signatures.to_bytes()),
    ]);
    let time: Timestamp = time.parse().expect("a time");
    let content = content_digest(&file_digests(&files));
    let leaf = State::default().next_leaf(&statement, content, signer.public().fingerprint(), time);
    let repository = Repository::open(&stage.scratch.path("work")).expect("opens");
    let ledger = LedgerRef::named(ledger).expect("a name");
    let lock = repository.lock(PATIENCE).expect("locks");
    let draft = Draft { ledger: &ledger, expected: None, files: &files };
    let mut render = |tree: &str, _: Option<&str>| {
        let label = "by-hand".parse()?;
        let unsigned = Unsigned::new(tree.parse()?, None, "olga".parse()?, label, leaf.clone())?;
        Ok(unsigned.sign(&signer)?.to_bytes())
    };
    repository.append(&lock, &draft, &mut render).expect("appends");
}

fn push(stage: &Stage, refspec: &str) -> Ran {
    stage.git("work", &["push", "--no-verify", "origin", refspec])
}

#[test]
fn a_statement_claims_nothing_in_its_run_facts_or_names() {
    let stage = Stage::new();
    let tip = stage.tip("work");
    stage.scratch.write("claims.json", format!("{{\"note\":\"{CLAIM}\"}}"));
    stage.scratch.write("plain.json", "{\"note\":\"a plain word\"}");
    let record = |more: &[&str]| {
        let base = ["record", "--repo", "work", "--packet", "packet", "--key", "keys/anna", "--json"];
        stage.us(&[&base, more].concat())
    };
    let refused =
        |ran: Ran| assert_eq!(ran.exits(4).codes().first().map(String::as_str), Some("CLAIM_FOUND"));
    refused(record(&["--run", "claims.json"]));
    refused(record(&["--run", "plain.json", "--run-id", "cutover-pass"]));
    let grant = ["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga", "--json"];
    refused(stage.us(&[&grant[..], &["--id", "production.pass"]].concat()));
    let init = [&["init", "--repo", "work", "--ledger", "other", "--json"][..], &PEOPLE].concat();
    refused(stage.us(&[&init[..], &["--name", "production_pass"]].concat()));
    assert_eq!(stage.tip("work"), tip, "nothing was written");

    record(&["--run", "plain.json", "--run-id", "orders-7"]).ok();
    stage.us(&[&grant[..], &["--id", "second"]].concat()).ok();
    stage.us(&[&init[..], &["--name", "orders"]].concat()).ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
}

#[test]
fn a_new_ledger_begins_with_no_less_than_the_default_policy_and_claims_nothing_in_it() {
    let stage = Stage::new();
    let policies = [
        ("comment", default_policy_and("# PRODUCTION_PASS\n"), "CLAIM_FOUND"),
        (
            "version",
            default_policy_and(&format!(
                "\n[[executables]]\nsha256 = \"{}\"\nversion = \"PRODUCTION_PASS\"\n",
                "a".repeat(64)
            )),
            "CLAIM_FOUND",
        ),
        (
            "place",
            default_policy_and("\n[[mentions]]\nfile = \"notes.md\"\ntexts = [\"PRODUCTION_PASS\"]\n"),
            "POLICY_LOOSENED",
        ),
        ("fewer", default_policy_and("").replace("\"CUTOVER_APPROVED\",", ""), "POLICY_LOOSENED"),
    ];
    for (name, policy, code) in policies {
        stage.scratch.write("policy", &policy);
        let init =
            [&["init", "--repo", "work", "--ledger", name, "--policy", "policy"][..], &PEOPLE].concat();
        stage.us(&init).exits(4).says(code);
        begin_by_hand(&stage, name, &policy, "2026-01-01T00:00:00Z");
        push(&stage, &format!("refs/heads/fix7-ledger/{name}")).exits(1).says(code);
    }
    let stricter = default_policy_and("# a comment\n")
        .replace("\"CUTOVER_APPROVED\",", "\"CUTOVER_APPROVED\", \"LAUNCH_PASS\",");
    stage.scratch.write("policy", &stricter);
    stage
        .us(&[&["init", "--repo", "work", "--ledger", "stricter", "--policy", "policy"][..], &PEOPLE]
            .concat())
        .ok();
    push(&stage, "refs/heads/fix7-ledger/stricter").ok();
    begin_by_hand(&stage, "by-hand", &default_policy_and(""), "2026-01-01T00:00:00Z");
    push(&stage, "refs/heads/fix7-ledger/by-hand").ok();

    // What one ledger asks for, no other takes back: `by-hand` and `main` do not know the further token.
    stage.git("work", &["checkout", "-q", "--orphan", "plain"]);
    stage.git("work", &["commit", "-q", "--allow-empty", "-m", "LAUNCH_PASS"]).ok();
    push(&stage, "HEAD:refs/heads/launch").exits(1).says("CLAIM_FOUND");
    stage.git("work", &["commit", "-q", "--allow-empty", "--amend", "-m", "launched"]).ok();
    push(&stage, "HEAD:refs/heads/launch").ok();
}

#[test]
fn a_server_takes_no_entry_from_the_future_since_nothing_could_follow_it() {
    let stage = Stage::new();
    begin_by_hand(&stage, "late", &default_policy_and(""), "9999-12-31T23:59:59Z");
    push(&stage, "refs/heads/fix7-ledger/late").exits(1).says("Fix7-Time");
    begin_by_hand(&stage, "early", &default_policy_and(""), "2026-01-01T00:00:00Z");
    push(&stage, "refs/heads/fix7-ledger/early").ok();
}

#[test]
fn a_commit_message_in_an_encoding_that_hides_letters_is_refused() {
    let stage = Stage::new();
    let tree = stage.store_as("work", "tree", b"");
    // The claim in UTF-7 and in EBCDIC: `git log` shows both in plain letters.
    let utf7: String = "+AFA-+AFI-+AE8-+AEQ-+AFU-+AEM-+AFQ-+AEk-+AE8-+AE4-+AF8-+AFA-+AEE-+AFM-+AFM-".into();
    let ebcdic = b"\xd7\xd9\xd6\xc4\xe4\xc3\xe3\xc9\xd6\xd5\x6d\xd7\xc1\xe2\xe2".to_vec();
    let mut number = 0;
    let mut pushed = |encoding: &str, message: &[u8]| {
        number += 1;
        let who = "t <t@example.invalid> 1795392000 +0000";
        let head = format!("tree {tree}\nauthor {who}\ncommitter {who}\nencoding {encoding}\n\n");
        let commit = stage.store("work", &[head.as_bytes(), message, b"\n"].concat());
        push(&stage, &format!("{commit}:refs/heads/encoded-{number}"))
    };
    pushed("UTF-7", utf7.as_bytes()).exits(1).says("UNDECIDABLE");
    pushed("IBM037", &ebcdic).exits(1).says("UNDECIDABLE");
    pushed("ISO-8859-1", CLAIM.as_bytes()).exits(1).says("CLAIM_FOUND");
    pushed("ISO-8859-1", b"caf\xe9").ok();
}

#[test]
fn a_claim_within_encodings_or_under_a_second_name_is_found_in_a_branchs_files() {
    let stage = Stage::new();
    stage.git("work", &["checkout", "-q", "--orphan", "plain"]);
    let mut number = 0;
    let mut pushed = |files: &[(&str, &str)]| {
        number += 1;
        stage.git("work", &["rm", "-rfq", "--ignore-unmatch", "."]).ok();
        for (name, text) in files {
            stage.scratch.write(&format!("work/{name}"), text);
        }
        stage.git("work", &["add", "-A"]).ok();
        stage.git("work", &["commit", "-q", "--allow-empty", "-m", "files"]).ok();
        push(&stage, &format!("HEAD:refs/heads/files-{number}"))
    };
    // base64 of base64 of the claim: other offsets of the same run decode to noise that is no UTF-8.
    pushed(&[("a.txt", "VUZKUFJGVkRWRWxQVGw5UVFWTlQK\n")]).exits(1).says("CLAIM_FOUND");
    // The typed place of one file, and the same content under a name that has none.
    let typed = format!("{{\"leak\":{{\"tokens\":[\"{CLAIM}\"]}}}}");
    let name = "rehearsal-bad-input-probes.json";
    pushed(&[(name, &typed), ("z.json", &typed)]).exits(1).says("CLAIM_FOUND");
    stage.git("work", &["update-ref", "-d", "HEAD"]).ok();
    pushed(&[("a.txt", "V1hCc1lXbHVJSGR2Y21RSwo=\n"), (name, &typed)]).ok();
}
