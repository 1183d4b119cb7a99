//! Witnesses by file: a laptop without a network cosigns, and a quorum tells how old what it saw is.

use std::fs;

use crate::harness::Ran;
use crate::stage::{REF, Stage};

impl Stage {
    /// Begins a witness that knows the ledger's log.
    #[track_caller]
    fn witness(&self, name: &str, log: &str) {
        let key = format!("keys/{name}");
        self.us(&["witness", "init", "--dir", name, "--name", name, "--key", &key, "--log", log]).ok();
    }

    #[track_caller]
    fn cosign(&self, name: &str, request: &str) -> Ran {
        let (key, out) = (format!("keys/{name}"), format!("{name}.answer"));
        self.us(&["witness", "cosign", request, "--dir", name, "--key", &key, "--out", &out, "--json"])
    }

    #[track_caller]
    fn add(&self, name: &str) -> Ran {
        self.us(&["witness", "add", &format!("{name}.answer"), "--repo", "work", "--json"])
    }

    #[track_caller]
    fn request(&self, old: &str) {
        self.us(&["witness", "request", "--repo", "work", "--old", old, "--out", "request"]).ok();
    }

    #[track_caller]
    fn quorum(&self, more: &[&str]) -> Ran {
        let verify = ["verify", "--repo", "work", "--forget", "--policy", "policy", "--json"];
        self.us(&[&verify[..], more].concat())
    }
}

fn outcome(ran: &Ran) -> String {
    ran.json()["report"]["checks"][7]["outcome"].as_str().expect("step 8").to_owned()
}

#[test]
fn a_quorum_of_witnesses_establishes_that_nothing_was_cut_off() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    let policy = stage.us(&["export", "trust-policy", "--repo", "work"]).ok().stdout;
    stage.scratch.write("policy", policy.replace("group witnesses any", "group witnesses all"));
    stage.witness("wanda", &log);
    stage.witness("wim", &log);
    stage.request("0");
    for name in ["wanda", "wim"] {
        let before = stage.quorum(&[]).exits(3);
        assert_eq!(
            (outcome(&before).as_str(), before.codes()),
            ("not_established", vec!["QUORUM_MISSING".to_owned()])
        );
        stage.cosign(name, "request").ok();
        stage.add(name).ok();
    }
    let reached = stage.quorum(&[]).ok();
    assert_eq!(outcome(&reached), "held");
    assert_eq!(reached.json()["quorum"]["reached"], true);
    assert!(reached.json()["quorum"]["age_seconds"].as_i64().expect("an age") < 600);
    stage.us(&["verify", "--repo", "work", "--forget", "--policy", "policy"]).ok().says("quorum reached, ");
    stage.quorum(&["--max-age", "1h"]).ok();
    // The same proof carries the quorum to somebody without the repository.
    stage.us(&["prove", "1", "--repo", "work", "--out", "one"]).ok();
    stage.us(&["verify", "--proof", "one", "--policy", "policy"]).ok().says("cosigned by wim at ");
    // Cut off behind what the witnesses saw, and it is no longer believed.
    stage.git("work", &["update-ref", REF, &format!("{}~1", stage.tip("work"))]).ok();
    assert_eq!(stage.quorum(&[]).exits(5).codes(), ["ROLLED_BACK"]);
}

#[test]
fn a_frozen_checkpoint_is_told_by_its_age() {
    use fix7_ledger::tlog::checkpoint::{Checkpoint, cosign};
    use fix7_ledger::tlog::note::Note;
    let stage = Stage::new();
    stage.checkpoint("work", "head");
    let policy = stage.us(&["export", "trust-policy", "--repo", "work"]).ok().stdout;
    stage.scratch.write("policy", policy);
    let mut note = Note::parse(&stage.text("head")).expect("a note");
    let head = Checkpoint::parse(note.unverified_text()).expect("a checkpoint");
    let long_ago = "2020-01-01T00:00:00Z".parse().expect("a time");
    note.add(cosign(&head, "wanda", &stage.signer("wanda"), long_ago).expect("cosigned")).expect("room");
    stage.scratch.write("old", note.to_text());
    stage.quorum(&["--checkpoint", "old"]).ok();
    let ran = stage.quorum(&["--checkpoint", "old", "--max-age", "7d"]).exits(3);
    assert_eq!((outcome(&ran).as_str(), ran.codes()), ("not_established", vec!["CHECKPOINT_OLD".to_owned()]));
}

#[test]
fn a_witness_signs_one_history_and_keeps_what_contradicts_it() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.witness("wanda", &log);
    stage.request("0");
    stage.cosign("wanda", "request").ok();
    assert_eq!(stage.cosign("wanda", "request").exits(75).codes(), ["HEAD_MOVED"]);
    stage.request("4");
    stage.cosign("wanda", "request").ok(); // the same head once more: a later time
    stage.grant("work").ok();
    stage.checkpoint("work", "five");
    stage.request("4");
    stage.cosign("wanda", "request").ok();
    // Another server shows another fifth entry under the same log key.
    let memory = stage.scratch.listing("wanda");
    stage.git(".", &["clone", "-q", "--bare", "work", "other.git"]).ok();
    stage.git("other.git", &["update-ref", REF, &format!("{}~1", stage.tip("work"))]).ok();
    stage.grant("other.git").ok();
    stage.checkpoint("other.git", "split");
    stage.scratch.write("split-request", format!("old 5\n\n{}", stage.text("split")));
    let ran = stage.cosign("wanda", "split-request").exits(5);
    assert_eq!(ran.codes(), ["FORKED"]);
    let kept = ran.json()["kept"].as_str().expect("a file").to_owned();
    assert_eq!(fs::read_to_string(stage.scratch.path(&kept)).expect("kept"), stage.text("split"));
    assert!(ran.json()["cosigned"].as_str().expect("what it contradicts").starts_with("fix7-ledger/small/"));
    fs::remove_dir_all(stage.scratch.path("wanda/forks")).expect("the proof");
    assert_eq!(stage.scratch.listing("wanda"), memory, "a refusal changes nothing else");
    // The auditor who has both checkpoints sees it without the witness.
    stage.proof("split-request", &log, &["--older", "five"]).exits(5);
}

#[test]
fn of_two_histories_that_ask_at_once_a_witness_signs_one() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.witness("wanda", &log);
    stage.request("0");
    stage.cosign("wanda", "request").ok();
    // The same four entries, and two servers with another fifth each.
    stage.git(".", &["clone", "-q", "--bare", "work", "other.git"]).ok();
    for (repo, name) in [("work", "one"), ("other.git", "two")] {
        stage.grant(repo).ok();
        stage.checkpoint(repo, name);
        stage.scratch.write(
            &format!("request-{name}"),
            format!("old 4\n{}\n{}", grown(&stage, repo), stage.text(name)),
        );
    }
    let asking: Vec<_> = (0..12)
        .map(|n| {
            let name = if n % 2 == 0 { "one" } else { "two" };
            let words = [
                "witness",
                "cosign",
                &format!("request-{name}"),
                "--dir",
                "wanda",
                "--key",
                "keys/wanda",
                "--json",
            ];
            let mut command = stage.scratch.binary(&words);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            (name, command.spawn().expect("starts"))
        })
        .collect();
    let mut signed = std::collections::BTreeSet::new();
    let mut answered = 0;
    for (name, child) in asking {
        let ran = Ran::of(name, child.wait_with_output().expect("ends"));
        match ran.exit {
            0 => drop(signed.insert(name)),
            // Another size than it asked from by then; or, where it knows better, a fork.
            5 | 75 => {}
            other => panic!("{name}: exit {other}: {}", ran.stdout),
        }
        answered += 1;
    }
    assert_eq!((signed.len(), answered), (1, 12), "one history: {signed:?}");
    let memory =
        fix7_ledger::digest::Digest::of(stage.text("head").lines().next().expect("an origin").as_bytes());
    let kept = stage.text(&format!("wanda/{memory}"));
    let winner = signed.first().expect("one");
    assert!(
        kept.starts_with(stage.text(winner).split("\n\n").next().expect("a head")),
        "what it signed is what it kept"
    );
}

/// The proof lines from four entries to a ledger's five.
fn grown(stage: &Stage, repo: &str) -> String {
    let request = ["witness", "request", "--repo", repo, "--old", "4", "--out", "its-request"];
    stage.us(&request).ok();
    let text = stage.text("its-request");
    let (proof, _) = text.split_once("\n\n").expect("a proof and a checkpoint");
    proof.split_once('\n').map_or(String::new(), |(_, hashes)| format!("{hashes}\n"))
}

#[test]
fn answers_of_strangers_and_broken_ones_are_not_added() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.request("0");
    stage.witness("mallory", &log);
    stage.cosign("mallory", "request").ok();
    assert_eq!(stage.add("mallory").exits(3).codes(), ["KEY_UNKNOWN"]);
    stage.witness("wanda", &log);
    stage.cosign("wanda", "request").ok();
    let answer = stage.text("wanda.answer");
    let at = answer.len() - 8;
    let other = if answer.as_bytes()[at] == b'A' { "B" } else { "A" };
    stage.scratch.write("wanda.answer", format!("{}{other}{}", &answer[..at], &answer[at + 1..]));
    assert_eq!(stage.add("wanda").exits(1).codes(), ["SIGNATURE_INVALID"]);
    stage.scratch.write("wanda.answer", answer);
    stage.add("wanda").ok();
    let foreign = ["witness", "cosign", "request", "--dir", "wanda", "--key", "keys/wim", "--json"];
    assert_eq!(stage.us(&foreign).exits(3).codes(), ["KEY_UNKNOWN"]);
}

#[test]
fn a_witness_speaks_the_protocol_over_http() {
    use std::io::{BufRead as _, BufReader};
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.witness("wanda", &log);
    let listen = ["witness", "serve", "--dir", "wanda", "--key", "keys/wanda", "--listen", "127.0.0.1:0"];
    let mut server =
        stage.scratch.binary(&listen).stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
    let curl = |path: &str, more: &str| {
        stage
            .sh(".", &format!("curl -sS -o reply -w '%{{http_code}} %{{content_type}}' {more} {url}/{path}"))
            .ok()
            .stdout
    };
    let post = |file: &str| curl("add-checkpoint", &format!("--data-binary @{file}"));
    let plain = "text/plain; charset=utf-8";
    let origin = stage.text("head").lines().next().expect("an origin").to_owned();
    let path = format!("{}/checkpoint", fix7_ledger::digest::Digest::of(origin.as_bytes()));
    assert_eq!(curl(&path, ""), format!("404 {plain}"));
    stage.us(&["witness", "submit", &url, "--repo", "work"]).ok().says("— wanda ");
    assert_eq!(curl(&path, ""), format!("200 {plain}"));
    assert!(stage.text("reply").starts_with(&stage.text("head")) && stage.text("reply").contains("— wanda "));
    stage.request("0");
    assert_eq!(post("request"), "409 text/x.tlog.size");
    assert_eq!(stage.text("reply"), "4\n");
    stage.grant("work").ok();
    stage.checkpoint("work", "five");
    stage.us(&["witness", "submit", &url, "--repo", "work"]).ok();
    stage.request("5");
    assert_eq!(post("request"), format!("200 {plain}"));
    let request = stage.text("request");
    stage.scratch.write("unknown", request.replacen("fix7-ledger/small", "fix7-ledger/other", 1));
    assert_eq!(post("unknown"), format!("404 {plain}"));
    let signed = request.lines().find(|line| line.starts_with("— fix7-ledger/")).expect("the log's line");
    let at = signed.len() - 40;
    let other = if signed.as_bytes()[at] == b'A' { "B" } else { "A" };
    let broken = format!("{}{other}{}", &signed[..at], &signed[at + 1..]);
    stage.scratch.write("unsigned", request.replace(signed, &broken));
    assert_eq!(post("unsigned"), format!("403 {plain}"));
    stage.scratch.write("nothing", "old\n");
    assert_eq!(post("nothing"), format!("400 {plain}"));
    // Another history under the same key.
    let other = Stage::new();
    other.grant("work").ok();
    other.checkpoint("work", "five");
    stage.scratch.write("split", format!("old 5\n\n{}", other.text("five")));
    assert_eq!(post("split"), format!("422 {plain}"));
    server.kill().expect("ends");
    server.wait().expect("ended");
}
