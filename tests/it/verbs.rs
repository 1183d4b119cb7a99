//! Bad input for every verb: the reason code, the documented exit code, nothing written, and `--json` says
//! the same as the text. The good input that stands beside each is in the verb's own topic.

use crate::harness::Scratch;

/// A ledger with an owner, an operator and one grant; a database and a valid plan.
fn ground() -> Scratch {
    let s = Scratch::new();
    s.git("", &["init", "-q", "repo"]).ok();
    for name in ["olga", "anna"] {
        s.run(&["key", "new", name, "--dir", "keys", "--no-passphrase"]).ok();
    }
    let people = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
    s.run(&[&["init", "--repo", "repo"][..], &people].concat()).ok();
    s.run(&["grant", "issue", "--repo", "repo", "--operator", "anna", "--key", "keys/olga"]).ok();
    s.run(&["plan", "new", "plan"]).ok();
    s.database("a.db", "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
    s.write("rubbish", "this is no database, no key and no packet");
    std::fs::create_dir(s.path("empty")).expect("a directory");
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.db", s.path("link.db")).expect("a link");
    s
}

/// Runs it twice, as text and as JSON, and demands that nothing changed on the disk.
#[track_caller]
fn refused(s: &Scratch, arguments: &[&str], exit: i32, code: &str) {
    // Notes beside the repository may be made again; everything else is compared.
    let kept = || {
        s.listing("").into_iter().filter(|(path, _)| !path.contains(".git/fix7-ledger/")).collect::<Vec<_>>()
    };
    let before = kept();
    let text = s.run(arguments).exits(exit);
    assert!(text.stderr.contains(&format!("error: {code}: ")), "{}\n{}", text.what, text.stderr);
    assert!(text.stderr.contains("hint: "), "{}\n{}", text.what, text.stderr);
    let json = s.run(&[arguments, &["--json"]].concat()).exits(exit);
    assert_eq!(json.codes().first().map(String::as_str), Some(code), "{}", json.stdout);
    assert_eq!(json.json()["ok"], false);
    assert_eq!(kept(), before, "{}", text.what);
}

#[test]
fn the_usual_mistakes_are_told_with_the_next_step() {
    let s = ground();
    let told = |arguments: &[&str], words: &str| {
        let ran = s.run(arguments);
        assert!(ran.exit != 0 && ran.stderr.contains(words), "{}: {}", ran.what, ran.stderr);
        // A flood is no explanation.
        assert!(ran.stderr.lines().count() <= 4, "{}: {}", ran.what, ran.stderr);
    };
    std::fs::create_dir(s.path("bare-place")).expect("a directory");
    s.git("", &["init", "-q", "no-ledger"]).ok();
    for verb in ["log", "status", "verify", "show"] {
        told(&[verb, "--repo", "nowhere"], "there is no such directory: `--repo`");
        told(&[verb, "--repo", "bare-place"], "`git init`");
        told(&[verb, "--repo", "no-ledger"], "`fix7-ledger init`");
        told(&[verb, "--repo", "repo", "--ledger", "other"], "the ledgers here are: main");
    }
    told(
        &["record", "--repo", "repo", "--packet", "repo", "--key", "keys/anna"],
        "`fix7-ledger rehearse --out`",
    );
    told(&["validate", "--packet", "keys"], "`fix7-ledger rehearse --out`");
    told(&["rehearse", "--source", "a.db", "--plan", "none", "--out", "out"], "`fix7-ledger plan new DIR`");
    told(
        &["grant", "issue", "--repo", "repo", "--operator", "anna", "--key", "nobody"],
        "`fix7-ledger key new NAME`",
    );
    told(&["grant", "issue", "--repo", "repo", "--operator", "eva", "--key", "keys/olga"], "KEY_UNKNOWN");
}

#[test]
fn rehearse_refuses_bad_input() {
    let s = ground();
    let with = |source: &'static str, plan: &'static str, out: &'static str| {
        ["rehearse", "--source", source, "--plan", plan, "--out", out]
    };
    refused(&s, &with("missing.db", "plan", "out"), 3, "UNREADABLE");
    refused(&s, &with("rubbish", "plan", "out"), 3, "UNREADABLE");
    refused(&s, &with("empty", "plan", "out"), 4, "PATH_FORBIDDEN");
    #[cfg(unix)]
    refused(&s, &with("link.db", "plan", "out"), 4, "PATH_FORBIDDEN");
    refused(&s, &with("postgres://production/orders", "plan", "out"), 4, "PRODUCTION_TARGET");
    refused(&s, &with("a.db", "missing", "out"), 3, "UNREADABLE");
    refused(&s, &with("a.db", "empty", "out"), 4, "PLAN_INVALID");
    refused(&s, &with("a.db", "plan", "plan"), 4, "ALREADY_EXISTS");
    refused(&s, &[&with("a.db", "plan", "out")[..], &["--policy", "rubbish"]].concat(), 4, "MALFORMED");
}

#[test]
fn a_packet_that_would_claim_something_is_not_written() {
    let s = ground();
    let out = ["rehearse", "--source", "a.db", "--plan", "plan", "--out", "out"];
    let title = |text: &str| {
        let plan = std::fs::read_to_string(s.path("plan/plan.toml")).expect("the plan");
        let lines = plan
            .lines()
            .map(|l| if l.starts_with("title = ") { format!("title = \"{text}\"") } else { l.to_owned() });
        s.write("plan/plan.toml", lines.collect::<Vec<_>>().join("\n"));
    };
    title("REAL_RUN PASS");
    refused(&s, &out, 4, "CLAIM_FOUND");
    assert!(!s.path("out").exists() && !s.path("out.run.json").exists());
    title("A plain title");
    s.run(&out).ok();
    std::fs::remove_dir_all(s.path("out")).expect("removed");
    // The facts of the first run are still there, and are not written over.
    refused(&s, &out, 4, "ALREADY_EXISTS");
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_no_success() {
    let s = ground();
    let to = |path: &str| {
        let full = std::fs::OpenOptions::new().write(true).open(path).expect("a device");
        let mut command = s.binary(&["status", "--repo", "repo", "--json"]);
        command.stdout(full).status().expect("it starts").code()
    };
    assert_eq!(to("/dev/full"), Some(3));
    assert_eq!(to("/dev/null"), Some(0));
}

#[test]
fn record_refuses_bad_input() {
    let s = ground();
    let with = |packet: &'static str, key: &'static str| {
        ["record", "--repo", "repo", "--packet", packet, "--key", key]
    };
    refused(&s, &with("missing", "keys/anna"), 3, "UNREADABLE");
    refused(&s, &with("empty", "keys/anna"), 4, "FILE_MISSING");
    refused(&s, &with("plan", "keys/anna"), 4, "FILE_MISSING");
    refused(&s, &with("keys", "keys/anna"), 4, "FILE_MISSING");
}

#[test]
fn ledger_verbs_refuse_bad_input() {
    let s = ground();
    for verb in [
        &["verify"][..],
        &["log"],
        &["show"],
        &["export", "allowed-signers"],
        &["export", "dsse"],
        &["grant", "list"],
        &["status"],
    ] {
        refused(&s, &[verb, &["--repo", "missing"]].concat(), 3, "UNREADABLE");
        refused(&s, &[verb, &["--repo", "repo", "--ledger", "other"]].concat(), 3, "LEDGER_ABSENT");
        refused(&s, &[verb, &["--repo", "repo", "--ledger", "../x"]].concat(), 4, "REF_FORBIDDEN");
        s.run(&[verb, &["--repo", "repo"]].concat()).ok();
    }
    refused(&s, &["show", "--repo", "repo", "7"], 3, "ENTRY_ABSENT");
    refused(&s, &["show", "--repo", "repo", "nobody"], 3, "ENTRY_ABSENT");
    refused(&s, &["show", "--repo", "repo", "1", "--file", "nothing"], 4, "FILE_MISSING");
    refused(&s, &["show", "--repo", "repo", "1", "--extract", "out"], 4, "FILE_MISSING");
    refused(&s, &["export", "pem", "--repo", "repo", "nobody"], 3, "KEY_UNKNOWN");
    s.run(&["export", "pem", "--repo", "repo", "anna"]).ok().says("BEGIN PUBLIC KEY");
}

#[test]
fn init_and_grant_refuse_bad_input() {
    let s = ground();
    s.git("", &["init", "-q", "new"]).ok();
    let init = |owner: &'static str, operator: &'static str, key: &'static str| {
        ["init", "--repo", "new", "--owner", owner, "--operator", operator, "--key", key]
    };
    refused(&s, &init("olga=missing", "anna=keys/anna", "keys/olga"), 3, "KEY_UNREADABLE");
    refused(&s, &init("olga", "anna=keys/anna", "keys/olga"), 3, "KEY_UNREADABLE");
    refused(&s, &init("Olga=keys/olga", "anna=keys/anna", "keys/olga"), 4, "PATH_FORBIDDEN");
    refused(&s, &init("olga=keys/olga", "anna=keys/anna", "keys/anna"), 4, "ROLE_MISSING");
    refused(&s, &init("olga=keys/olga", "anna=keys/anna", "rubbish"), 3, "KEY_UNREADABLE");
    refused(
        &s,
        &[&init("olga=keys/olga", "anna=keys/anna", "keys/olga")[..], &["--policy", "rubbish"]].concat(),
        4,
        "MALFORMED",
    );
    s.run(&init("olga=keys/olga", "anna=keys/anna", "keys/olga")).ok();
    refused(&s, &init("olga=keys/olga", "anna=keys/anna", "keys/olga"), 4, "ALREADY_EXISTS");
    let grant = |operator: &'static str, key: &'static str| {
        ["grant", "issue", "--repo", "repo", "--operator", operator, "--key", key]
    };
    refused(&s, &grant("nobody", "keys/olga"), 3, "KEY_UNKNOWN");
    refused(&s, &grant("anna", "keys/anna"), 4, "ROLE_MISSING");
    refused(&s, &grant("anna", "keys/missing"), 3, "KEY_UNREADABLE");
    s.run(&grant("anna", "keys/olga")).ok();
}

#[test]
fn plan_hooks_and_push_refuse_bad_input() {
    let s = ground();
    refused(&s, &["plan", "new", "plan"], 4, "ALREADY_EXISTS");
    refused(&s, &["plan", "check", "missing"], 3, "UNREADABLE");
    refused(&s, &["plan", "check", "keys"], 4, "PLAN_INVALID");
    s.run(&["plan", "check", "plan"]).ok();
    refused(&s, &["hooks", "install", "--repo", "missing"], 3, "UNREADABLE");
    refused(&s, &["hooks", "status", "--repo", "repo"], 3, "HOOK_MISSING");
    refused(&s, &["push", "--repo", "repo", "nowhere"], 75, "PUSH_FAILED");
    refused(&s, &["survey", "--migrations", "missing"], 3, "UNREADABLE");
    refused(&s, &["demo", "--dir", "keys"], 4, "ALREADY_EXISTS");
}

#[test]
fn usage_errors_exit_with_2_in_both_forms() {
    let s = Scratch::new();
    for arguments in
        [&["nonsense"][..], &["verify", "--nonsense"], &["record"], &["grant", "issue"], &["key"]]
    {
        s.run(arguments).exits(2).says("Usage");
        let json = s.run(&[arguments, &["--json"]].concat()).exits(2).json();
        assert_eq!((&json["exit"], &json["ok"]), (&2.into(), &false.into()));
    }
    s.run(&["--help"]).ok().says("rehearse");
}
