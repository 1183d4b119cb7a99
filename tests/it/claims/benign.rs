//! What people write who claim nothing: it passes, or nobody keeps the hook.

use std::fs;
use std::path::Path;

use fix7_ledger::judge::gate::Channel;
use fix7_ledger::judge::{derive, specimen};
use fix7_ledger::packet::Files;
use fix7_ledger::statement::Mention;
use fix7_ledger::verdict::Code;

use super::{Count, Look, gate};
use crate::harness::corpora;
use crate::stage::Stage;

/// Messages of commits around production, as people write them.
const MESSAGES: &[&str] = &[
    "Fix the production build",
    "Pass the production flag to the bundler",
    "prod: raise the connection limit",
    "docs: how to cut over a replica",
    "Revert \"production: disable the cache\"",
    "ci: run the tests before production deploys",
    "Add a password reset for production users",
    "deploy: production environment variables",
    "The cutover is planned for June; nothing is decided.",
    "Production stays on hold until the rehearsal is repeated.",
    "tests: pass a clone of the production dump",
    "Merge branch 'production' into main",
    "real run of the importer, dry run by default",
    "seal the envelope before it is sent",
    "Approve the style guide",
    "reproduction of the bug passed to upstream",
    "sql: add production_orders.passed_on",
    "go: bump to 1.27; live reload works",
];

/// A document that speaks of the forbidden tokens, and where.
const DOCUMENT: &str = "# Rollback rehearsal, what was looked for\n\
    \n\
    The packet was searched for the tokens that no rehearsal may use:\n\
    PRODUCTION_PASS, REAL_RUN_PASS\n\
    and CUTOVER_PASS. None was found. Production remains HOLD.\n";
const DECLARED: [(u64, &str); 3] = [(4, "PRODUCTION_PASS"), (4, "REAL_RUN_PASS"), (5, "CUTOVER_PASS")];

fn mention(file: &str, line: u64, token: &str) -> Mention {
    let (file, token) = (file.to_owned(), token.to_owned());
    Mention { file, line, token, reason: "a token that was looked for".to_owned() }
}

#[test]
fn evidence_of_the_product_passes_whole_and_file_by_file() {
    let (gate, mut count) = (gate(), Count::default());
    let stage = Stage::new();
    let mut made = Vec::new();
    collect(&stage.scratch.path("packet"), "", &mut made);
    let specimen = derive::packet(&specimen::facts(), &specimen::policy()).expect("derived");
    for packet in [made, specimen.into_iter().collect()] {
        let (files, _) = Files::collect(packet.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())));
        assert!(files.iter().count() > 14);
        count.passed(&gate.packet(&files, &[]), || "a packet".to_owned());
        for (path, bytes) in files.iter() {
            let channel = Channel::PacketFile { path };
            count.passed(&gate.text(channel, bytes), || path.to_owned());
        }
    }
    for entry in stage.entries("server.git") {
        for (path, bytes) in entry.files.iter().filter(|(path, _)| path.starts_with("statement")) {
            count.passed(&gate.text(Channel::Statement, bytes), || path.clone());
        }
    }
    count.told("evidence and statements", "passed", 40);
}

fn collect(directory: &Path, prefix: &str, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = format!("{prefix}{}", path.file_name().expect("a name").to_string_lossy());
        match path.is_dir() {
            true => collect(&path, &format!("{name}/"), into),
            false => into.push((name, fs::read(&path).expect("readable"))),
        }
    }
}

#[test]
fn messages_and_code_pass() {
    let (gate, mut count) = (gate(), Count::default());
    for message in MESSAGES {
        for channel in [Channel::CommitMessage, Channel::File { path: "CHANGELOG.md" }, Channel::FileName] {
            count.passed(&gate.text(channel, message.as_bytes()), || format!("{channel:?}: {message}"));
        }
    }
    // This program's own sources, save the tests, which spell claims on purpose.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = vec![("README.md".to_owned(), fs::read(root.join("README.md")).expect("readable"))];
    for part in ["src", "hooks"] {
        collect(&root.join(part), &format!("{part}/"), &mut sources);
    }
    for (path, bytes) in &sources {
        let text = String::from_utf8_lossy(bytes);
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        if path.contains("/gate/") || path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        // A token that is spelled out is refused wherever it stands, in a document about it too.
        let words = code.to_lowercase().replace(['_', '-'], " ");
        let spelled =
            ["production pass", "real run pass", "cutover pass"].iter().any(|token| words.contains(token));
        let verdict = gate.text(Channel::File { path }, code.as_bytes());
        match spelled {
            true => assert!(verdict.has(Code::ClaimFound), "{path}"),
            false => count.passed(&verdict, || path.clone()),
        }
        count.passed(&gate.text(Channel::FileName, path.as_bytes()), || path.clone());
    }
    count.told("messages and code", "passed", 250);
}

#[test]
fn a_document_with_declared_mentions_passes_and_with_one_less_it_does_not() {
    let gate = gate();
    let declared: Vec<Mention> =
        DECLARED.iter().map(|(line, token)| mention("notes.md", *line, token)).collect();
    let (files, _) = Files::collect([("notes.md", DOCUMENT.as_bytes().to_vec())]);
    assert!(gate.packet(&files, &declared).accepted(), "{:?}", gate.packet(&files, &declared));
    for left_out in 0..declared.len() {
        let mut fewer = declared.clone();
        fewer.remove(left_out);
        assert!(gate.packet(&files, &fewer).has(Code::ClaimFound), "without mention {left_out}");
    }
}

/// The source document lies beside the corpora, and is never copied from there.
#[test]
fn the_source_document_passes_with_its_declared_mentions() {
    let Some(corpora) = corpora("the_source_document_passes_with_its_declared_mentions") else { return };
    let Ok(text) = fs::read_to_string(corpora.join("../seed.txt")) else {
        eprintln!("not run: the source document does not lie beside the corpora");
        return;
    };
    let gate = gate();
    let mut declared = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for token in ["production-PASS-from-rehearsal", "PRODUCTION_PASS", "REAL_RUN_PASS", "CUTOVER_PASS"] {
            if line.contains(token) {
                declared.push(mention("source.md", number as u64 + 1, token));
            }
        }
    }
    assert_eq!(declared.len(), 4);
    let (files, _) = Files::collect([("source.md", text.into_bytes())]);
    assert!(gate.packet(&files, &[]).has(Code::ClaimFound), "undeclared");
    let verdict = gate.packet(&files, &declared);
    assert!(verdict.accepted(), "{:?}", verdict.reasons());
}
