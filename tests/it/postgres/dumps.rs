//! Dumps of every format, of a real application, by root and by nobody: from the attestation to the ledger.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{ALL_EXACT, DOWN, DUMP, UP, attest, document, outcomes, place, rehearse};
use crate::harness::{BINARY, Scratch, corpora};
use crate::stage::Stage;

/// A ledger's stage, and a rehearsal of this dump on it: what it answered.
fn staged(dump: &str, up: &str, down: &str) -> (Stage, Value) {
    let stage = Stage::new();
    let scratch = &stage.scratch;
    fs::remove_dir_all(scratch.path("packet")).expect("the stage's packet");
    fs::remove_file(scratch.path("packet.run.json")).expect("the stage's facts");
    let map = ["show", "--repo", "work", "--file", "packet/updated-production-blocker-map.json"];
    let previous = stage.us(&map);
    if previous.exit == 0 {
        scratch.write("plan/blockers.json", previous.stdout.trim_end());
    }
    scratch.write("plan/up.sql", up);
    scratch.write("plan/down.sql", down);
    scratch.write("dump.sql", dump);
    attest(scratch, "dump.sql", "staging-7", "keys/anna").ok();
    let what = ["--engine", "postgresql", "--dump", "dump.sql", "--operator-key", "keys/anna.pub"];
    let rest = ["--plan", "plan", "--out", "packet"];
    let ran = scratch.run(&[&["--json", "rehearse", "--repo", "work"][..], &what, &rest].concat()).ok();
    let answer = ran.json();
    (stage, answer)
}

#[test]
fn a_rehearsal_from_an_attested_dump_is_recorded_and_reached_again() {
    let (stage, answer) = staged(DUMP, UP, DOWN);
    let scratch = &stage.scratch;
    let outcomes: Vec<&str> =
        answer["legs"].as_array().expect("legs").iter().filter_map(|l| l["outcome"].as_str()).collect();
    assert_eq!(outcomes, ALL_EXACT);
    assert_eq!(answer["nondeterministic"], false);

    let map = document(scratch, "updated-production-blocker-map.json");
    let blockers = map["blockers"].as_array().expect("a list");
    let blocker = blockers.iter().find(|b| b["id"] == "FIX7-P0-DRYRUN-PROD-ROLLBACK-1").expect("the blocker");
    let legs = blocker["legs"].as_array().expect("legs");
    assert_eq!(blocker["state"], "OPEN");
    assert!(legs.iter().any(|leg| leg["name"] == "dump_clone" && leg["state"] == "PROVEN"));
    assert!(legs.iter().any(|leg| leg["name"] == "production" && leg["state"] == "OPEN"));
    assert!(blocker["needs"].as_array().expect("needs").iter().all(|need| need["state"] == "OPEN"));
    // The sequence moved on although the transaction was rolled back: told, not hidden.
    let evidence = document(scratch, "clone-rollback-evidence.json");
    let told = &evidence["entries"][1]["apart"]["non_transactional_effects"];
    assert_eq!(told[0], "sequence:public.t_id_seq(3 called->4 called)");

    let again =
        scratch.run(&["--json", "rerun", "--repo", "work", "--packet", "packet", "--dump", "dump.sql"]);
    assert_eq!(again.exit, 0, "{}{}", again.stdout, again.stderr);
    stage.record("work").ok();
}

/// The dump of a real Directus, with content: signed for, rehearsed, recorded, verified.
#[test]
fn a_real_directus_is_attested_rehearsed_recorded_and_verified() {
    let Some(corpora) = corpora("directus") else { return };
    let dump = fs::read_to_string(corpora.join("directus/directus_seeded.sql")).expect("the dump");
    let up = "ALTER TABLE directus_users ADD COLUMN nickname varchar(40);\n\
              UPDATE directus_users SET nickname = split_part(email, '@', 1);\n\
              CREATE INDEX directus_users_nickname ON directus_users (nickname);\n";
    let down = "DROP INDEX directus_users_nickname;\nALTER TABLE directus_users DROP COLUMN nickname;\n";
    let (stage, answer) = staged(&dump, up, down);
    let legs: Vec<Value> = answer["legs"].as_array().expect("legs").clone();
    assert_eq!(outcomes(&legs), ALL_EXACT);
    let evidence = document(&stage.scratch, "clone-rollback-evidence.json");
    let rows = evidence["entries"][1]["rows_changed"].as_u64();
    assert!(rows > Some(0), "the users are there: {rows:?}");
    stage.record("work").ok();
    stage.verify("work").ok();
}

/// A server of this test's own, as nobody where the test is root: something to dump from.
struct Server<'s> {
    scratch: &'s Scratch,
    programs: String,
}

impl<'s> Server<'s> {
    fn start(scratch: &'s Scratch) -> Server<'s> {
        let found = "ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -V | tail -1; command -v initdb";
        let found = scratch.program(".", "sh", &["-c", found]);
        let programs = found.stdout.lines().next().expect("PostgreSQL's programs: ./test installs them");
        let server = Server { scratch, programs: programs.trim_end_matches("/initdb").to_owned() };
        let place = scratch.path("server");
        fs::create_dir(&place).expect("a directory");
        open_for_nobody(scratch.root(), &["server"]);
        server.run(
            "initdb",
            &["-D", "server/data", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "-N"],
        );
        let options =
            format!("-c listen_addresses= -c unix_socket_directories={} -c fsync=off", place.display());
        let start = ["-D", "server/data", "-w", "-l", "server/log", "-o", &options, "start"];
        server.run("pg_ctl", &start);
        server
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = format!("{}/{program}", self.programs);
        let mut command = as_nobody(self.scratch, &program);
        let status = command.args(arguments).stdout(std::process::Stdio::null()).status();
        assert!(status.expect("it starts").success(), "{program} {arguments:?}");
    }

    fn load(&self, dump: &str) {
        let mut config = postgres::Config::new();
        config.host_path(self.scratch.path("server")).user("postgres").dbname("postgres");
        let mut client = config.connect(postgres::NoTls).expect("a connection");
        let (before, rest) = dump.split_once("COPY").expect("a COPY");
        let (copy, rest) = rest.split_once(";\n").expect("its end");
        let (rows, after) = rest.split_once("\\.\n").expect("its rows");
        let sql = |text: &str| -> String {
            text.lines().filter(|l| !l.starts_with('\\')).collect::<Vec<_>>().join("\n")
        };
        client.batch_execute(&sql(before)).expect("the schema");
        let mut sink = client.copy_in(&format!("COPY{copy}")).expect("a COPY");
        std::io::Write::write_all(&mut sink, rows.as_bytes()).expect("rows");
        sink.finish().expect("rows");
        client.batch_execute(&sql(after)).expect("the rest");
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", "server/data", "-m", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that runs as nobody where this test is root, and as the test's user otherwise.
fn as_nobody(scratch: &Scratch, program: &str) -> Command {
    if !is_root() {
        return scratch.scrubbed(program);
    }
    let mut command = scratch.scrubbed("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
    command
}

/// Lets nobody into the scratch directory, and gives these directories of it away.
fn open_for_nobody(root: &Path, names: &[&str]) {
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("own directory");
    for name in names.iter().filter(|_| is_root()) {
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(root.join(name)).status();
        assert!(given.expect("chown runs").success());
    }
}

#[test]
fn the_three_formats_of_one_database_are_the_same_rows() {
    let scratch = place();
    {
        let server = Server::start(&scratch);
        server.load(DUMP);
        let from = format!("--host={}", scratch.path("server").display());
        for (format, file) in
            [("-Fc", "server/dump.custom"), ("-Fd", "server/dump.directory"), ("-Fp", "server/dump.plain")]
        {
            server.run("pg_dump", &[&from, "-U", "postgres", format, "-f", file, "postgres"]);
        }
    }
    let mut seen = Vec::new();
    for (file, format) in
        [("dump.custom", "custom"), ("dump.directory", "directory"), ("dump.plain", "plain")]
    {
        fs::rename(scratch.path("server").join(file), scratch.path(file)).expect("moved");
        attest(&scratch, file, "staging-7", "keys/anna").ok();
        let ran = rehearse(&scratch, file, "keys/anna.pub").ok();
        assert_eq!(outcomes(ran.json()["legs"].as_array().expect("legs")), ALL_EXACT, "{format}");
        let lock = document(&scratch, "rehearsal-target-lock.json");
        assert_eq!(lock["source"]["dump"]["format"], format);
        let evidence = document(&scratch, "clone-rollback-evidence.json");
        seen.push(evidence["entries"][0]["before_hash"]["rows"].clone());
        fs::remove_dir_all(scratch.path("packet")).expect("the packet");
        fs::remove_file(scratch.path("packet.run.json")).expect("the facts");
    }
    assert!(seen[0].is_string() && seen.iter().all(|rows| *rows == seen[0]), "{seen:?}");
}

#[test]
fn a_plain_dump_with_a_command_for_psql_is_refused_and_its_twin_is_not() {
    let scratch = place();
    let run = |dump: &str| {
        scratch.write("dump.sql", dump);
        attest(&scratch, "dump.sql", "staging-7", "keys/anna").ok();
        rehearse(&scratch, "dump.sql", "keys/anna.pub")
    };
    let made = scratch.path("made");
    for bad in [
        DUMP.replace("SET client", &format!("\\! touch {}\nSET client", made.display())),
        DUMP.replace("\\unrestrict fixture", "\\unrestrict guessed"),
    ] {
        let ran = run(&bad).exits(4);
        assert_eq!(ran.codes(), ["STATEMENT_FORBIDDEN"], "{}", ran.stdout);
        assert!(!made.exists() && !scratch.path("packet").exists());
    }
    // The same bytes as data, and the pair of one key.
    run(&DUMP.replace("three", "\\\\! touch made")).ok();
    assert!(!made.exists());
}

/// Root and a user without any right reach the same packet: the cluster runs as neither of them.
#[test]
fn root_and_nobody_reach_the_same_packet() {
    let scratch = place();
    attest(&scratch, "dump.sql", "staging-7", "keys/anna").ok();
    open_for_nobody(scratch.root(), &["keys"]);
    fs::create_dir_all(scratch.path("his/t")).expect("a directory");
    fs::copy(BINARY, scratch.path("his/binary")).expect("a copy that others can reach");
    let mut trees = Vec::new();
    for _ in 0..2 {
        let owner =
            fs::metadata(scratch.path("his")).map(|facts| std::os::unix::fs::MetadataExt::uid(&facts));
        let as_root = is_root() && trees.is_empty();
        assert_eq!(owner.expect("its facts") == 0, as_root);
        let binary = scratch.path("his/binary").display().to_string();
        let mut command = if as_root { scratch.scrubbed(&binary) } else { as_nobody(&scratch, &binary) };
        let out = format!("his/packet{}", trees.len());
        command.args(["--json", "rehearse", "--engine", "postgres", "--dump", "dump.sql"]);
        command.args(["--operator-key", "keys/anna.pub", "--plan", "plan", "--out", &out]);
        let output = command.env("TMPDIR", scratch.path("his/t")).output().expect("it starts");
        let ran = crate::harness::Ran::of("rehearse", output).ok();
        trees.push(ran.json()["packet_tree"].clone());
        assert_eq!(fs::read_dir(scratch.path("his/t")).expect("lists").count(), 0);
        open_for_nobody(scratch.root(), &["his"]);
    }
    assert!(trees[0].is_string() && trees[0] == trees[1], "{trees:?}");
}
