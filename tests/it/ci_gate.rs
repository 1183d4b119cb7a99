//! The check for hosts that run no hooks of yours: the very commands of the shipped templates, on good and bad ranges; and
//! what the evidence says of the CI item when that gate is designed.

use std::path::Path;

use fix7_ledger::digest::Digest;

use crate::harness::{BINARY, Ran};
use crate::stage::{REF, Stage};

const TEMPLATES: [&str; 3] = ["forgejo.yml", "github-actions.yml", "gitlab-ci.yml"];
const ZEROS: &str = "0000000000000000000000000000000000000000";

fn template(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/ci").join(name);
    std::fs::read_to_string(path).expect("a template")
}

/// The shell lines by which a template judges: `run: …` with our verb, or the list after `script:`.
fn commands(text: &str) -> String {
    let lines: Vec<&str> = match text.split_once("  script:\n") {
        Some((_, script)) => script.lines().map_while(|line| line.strip_prefix("    - ")).collect(),
        None => text.lines().filter_map(|line| line.trim().strip_prefix("run: fix7-ledger")).collect(),
    };
    let gitlab = text.contains("  script:\n");
    lines.iter().map(|l| if gitlab { format!("{l}\n") } else { format!("fix7-ledger{l}\n") }).collect()
}

/// A clone as a host makes it for a check, at the server's state.
fn host(stage: &Stage) {
    let _ = std::fs::remove_dir_all(stage.scratch.path("host"));
    stage.git(".", &["clone", "-q", "--template=", "server.git", "host"]).ok();
}

/// Runs a template's commands for a push of a ref from `base` to `head`.
fn run(stage: &Stage, template_name: &str, base: &str, head: &str, reference: &str) -> Ran {
    let script = commands(&template(template_name));
    assert!(script.contains("fix7-ledger gate "), "{template_name}: {script}");
    let bin = Path::new(BINARY).parent().expect("a directory").display().to_string();
    let branch = reference.strip_prefix("refs/heads/").unwrap_or_default();
    let tag = reference.strip_prefix("refs/tags/").unwrap_or_default();
    let set = format!(
        "PATH={bin}:$PATH BASE={base} HEAD={head} REF={reference} KNOWN=refs/remotes/origin/main \
         CI_COMMIT_BEFORE_SHA={base} CI_COMMIT_SHA={head} CI_COMMIT_BRANCH={branch} CI_COMMIT_TAG={tag} \
         CI_DEFAULT_BRANCH=main; export PATH\nset -e\n"
    );
    stage.sh("host", &format!("{set}{script}"))
}

/// What a check shall say of one push.
struct Case {
    base: String,
    head: String,
    reference: &'static str,
    refused_for: Option<&'static str>,
}

#[test]
fn the_templates_own_commands_judge_good_and_bad_ranges_as_the_server_would() {
    let stage = Stage::new();
    let git = |arguments: &[&str]| stage.git("work", arguments).ok().stdout.trim().to_owned();
    let commit = |message: &str, text: &str| {
        stage.scratch.write("work/README", text);
        git(&["add", "README"]);
        git(&["commit", "-q", "-m", message]);
        git(&["rev-parse", "HEAD"])
    };
    git(&["checkout", "-q", "-b", "main"]);
    let begin = commit("Begin", "An ordinary project.\n");
    let good = commit("Go on", "More of it.\n");
    let claims = commit("production: PASSED", "More of it still.\n");
    let (ledger, before) = (stage.tip("work"), format!("{}~1", stage.tip("work")));
    let before = git(&["rev-parse", &before]);
    git(&["tag", "-a", "v1", "-m", "The first", &good]);
    git(&["tag", "-a", "v2", "-m", "PRODUCTION_PASS", &good]);
    let (v1, v2) = (git(&["rev-parse", "v1"]), git(&["rev-parse", "v2"]));
    // The host took everything: it has no hooks of ours.
    std::fs::remove_file(stage.scratch.path("server.git/hooks/pre-receive")).expect("removed");
    git(&["push", "-q", "origin", &format!("{good}:refs/heads/main"), &format!("{claims}:refs/heads/topic")]);
    git(&["push", "-q", "origin", "v1", "v2"]);
    host(&stage);
    let case = |base: &str, head: &str, reference, refused_for| Case {
        base: base.to_owned(),
        head: head.to_owned(),
        reference,
        refused_for,
    };
    let cases = [
        case(&begin, &good, "refs/heads/main", None),
        case(&good, &claims, "refs/heads/topic", Some("CLAIM_FOUND")),
        case(ZEROS, &good, "refs/heads/other", None),
        case(ZEROS, &claims, "refs/heads/other", Some("CLAIM_FOUND")),
        case(ZEROS, &good, "refs/heads/production-pass", Some("CLAIM_FOUND")),
        case(ZEROS, &v1, "refs/tags/v1", None),
        case(ZEROS, &v2, "refs/tags/v2", Some("CLAIM_FOUND")),
        case(&before, &ledger, REF, None),
        case(ZEROS, &ledger, REF, None),
        case(&ledger, &before, REF, Some("LEDGER_REWRITTEN")),
        case(&ledger, ZEROS, REF, Some("LEDGER_DELETED")),
        case(ZEROS, &ledger, "refs/heads/copy", Some("LEDGER_ELSEWHERE")),
        case(&ledger, &good, REF, Some("LEDGER_REWRITTEN")),
        case(ZEROS, &"1".repeat(40), "refs/heads/main", Some("OBJECT_MISSING")),
    ];
    for template in TEMPLATES {
        for Case { base, head, reference, refused_for } in &cases {
            let ran = run(&stage, template, base, head, reference);
            match refused_for {
                None => drop(ran.ok()),
                Some(code) => {
                    assert_ne!(ran.exit, 0, "{template}: {reference} {code}");
                    ran.says(code);
                }
            }
        }
    }
}

#[test]
fn a_merge_request_is_judged_by_what_it_would_bring_to_the_branch_that_it_names() {
    let stage = Stage::new();
    let git = |arguments: &[&str]| stage.git("work", arguments).ok().stdout.trim().to_owned();
    git(&["checkout", "-q", "-b", "main"]);
    let commit = |message: &str| {
        git(&["commit", "-q", "--allow-empty", "-m", message]);
        git(&["rev-parse", "HEAD"])
    };
    let (begin, good, claims) = (commit("Begin"), commit("Go on"), commit("production: PASSED"));
    std::fs::remove_file(stage.scratch.path("server.git/hooks/pre-receive")).expect("removed");
    let topic = format!("{claims}:refs/heads/topic");
    git(&["push", "-q", "origin", &format!("{begin}:refs/heads/main"), &topic]);
    host(&stage);
    let bin = Path::new(BINARY).parent().expect("a directory").display().to_string();
    let script = commands(&template("gitlab-ci.yml"));
    let judged = |head: &str, target: &str| {
        // What GitLab sets for a merge request: no branch, and the commit before is zeros.
        let set = format!(
            "PATH={bin}:$PATH CI_MERGE_REQUEST_DIFF_BASE_SHA={begin} CI_MERGE_REQUEST_SOURCE_BRANCH_SHA={head} \
             CI_MERGE_REQUEST_TARGET_BRANCH_NAME={target} CI_COMMIT_BEFORE_SHA={ZEROS} CI_COMMIT_SHA={ZEROS} \
             CI_COMMIT_TAG= CI_DEFAULT_BRANCH=main; export PATH\nset -e\n"
        );
        stage.sh("host", &format!("{set}{script}"))
    };
    judged(&good, "main").ok();
    let refused = judged(&claims, "main");
    assert_ne!(refused.exit, 0);
    refused.says("CLAIM_FOUND");
    let named = judged(&good, "production-pass");
    assert_ne!(named.exit, 0);
    named.says("CLAIM_FOUND");
}

#[test]
fn the_templates_say_where_base_head_and_ref_come_from() {
    for name in ["forgejo.yml", "github-actions.yml"] {
        let text = template(name);
        for line in [
            "BASE: ${{ github.event.pull_request.base.sha || github.event.before }}",
            "HEAD: ${{ github.event.pull_request.head.sha || github.event.after }}",
            "REF: ${{ github.base_ref && format('refs/heads/{0}', github.base_ref) || github.ref }}",
            "fetch-depth: 0",
        ] {
            assert!(text.contains(line), "{name}: {line}");
        }
    }
    assert!(template("gitlab-ci.yml").contains("GIT_DEPTH: \"0\""));
}

/// Gives the plan's CI item a designed gate, with this digest.
fn designed(stage: &Stage, digest: &str) {
    let path = stage.scratch.path("plan/ci-unknown.json");
    let text = std::fs::read_to_string(&path).expect("the item");
    let mut items: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let class = &mut items["items"][0]["classification"];
    class["class"] = "RESOLVED_OFF_PRODUCTION".into();
    class["reason"] = "GATE_DESIGNED".into();
    class["next"] = "OWNER_AND_OPERATOR_DECIDE".into();
    class["gate_sha256"] = digest.into();
    std::fs::write(&path, items.to_string()).expect("written");
}

#[test]
fn r42_r43_r44_a_designed_gate_is_recognised_and_closes_nothing() {
    let stage = Stage::new();
    let what =
        ["rehearse", "--repo", "work", "--source", "small.db", "--plan", "plan", "--out", "again", "--json"];
    designed(&stage, &Digest::of(b"some other gate").to_string());
    let refused = stage.us(&what);
    assert_eq!(
        (refused.exit, refused.codes()),
        (4, vec!["CI_UNKNOWN_INVALID".to_owned()]),
        "{}",
        refused.stdout
    );

    let digest = Digest::of(template("gitlab-ci.yml").as_bytes()).to_string();
    designed(&stage, &digest);
    stage.us(&what).ok();
    let read = |name: &str| -> serde_json::Value {
        let bytes = std::fs::read(stage.scratch.path("again").join(name)).expect("a file of the packet");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let resolution = read("ci-unknown-resolution.json");
    assert_eq!(resolution["class"], "RESOLVED_OFF_PRODUCTION");
    assert_eq!(resolution["gate_sha256"], digest.as_str());
    assert_eq!(resolution["blocker_id"], "FIX7-P0-PROD-CI-SCOPE-1");
    assert_eq!(resolution["blocker_state"], "OPEN");
    assert_eq!(resolution["unknown_count_after"], 1, "known away from production only");
    assert_eq!(resolution["affects_clone_rehearsal"], false);
    let map = read("updated-production-blocker-map.json");
    assert_eq!(map["open_count"], 7, "{map}");
    let record = ["record", "--repo", "work", "--packet", "again", "--key", "keys/anna"];
    stage.us(&record).ok();
    stage.us(&["status", "--repo", "work"]).ok().says("HOLD");
    stage.verify("work").ok();
    stage.us(&["push", "--repo", "work", "origin"]).ok();
}
