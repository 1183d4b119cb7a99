//! The ledger as static files: in a directory, behind a plain web server, in an S3-compatible store.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Ran;
use crate::stage::Stage;

impl Stage {
    #[track_caller]
    fn publish(&self, to: &str) -> Ran {
        self.us(&["export", "tiles", "--repo", "work", "--to", to, "--json"])
    }

    #[track_caller]
    fn published(&self, at: &str, log: &str) -> Ran {
        self.us(&["verify", "--log", at, "--trust", log, "--json"])
    }
}

/// A server, ended with the test.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that nobody listens on now.
pub fn ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

pub fn started(command: &mut Command, port: u16) -> Server {
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts"));
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

#[test]
fn only_what_is_new_is_published_and_all_eight_steps_hold_without_git() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "four");
    let first = stage.publish("site").ok();
    // 4 entries, a tile, its leaves, the checkpoint.
    assert_eq!((first.json()["new"].as_u64(), first.json()["files"].as_u64()), (Some(4), Some(7)));
    stage.published("site", &log).ok();
    stage.grant("work").ok();
    stage.checkpoint("work", "five");
    let more = stage.publish("site").ok();
    assert_eq!((more.json()["new"].as_u64(), more.json()["files"].as_u64()), (Some(1), Some(4)));
    let again = stage.publish("site").ok();
    assert_eq!((again.json()["new"].as_u64(), again.json()["files"].as_u64()), (Some(0), Some(1)));
    fs::remove_dir_all(stage.scratch.path("work")).expect("gone");
    let ran = stage.published("site", &log).ok();
    assert_eq!((ran.json()["report"]["verified"].as_u64(), ran.json()["size"].as_u64()), (Some(5), Some(5)));
    stage.us(&["verify", "--log", "site"]).exits(3).says("KEY_UNKNOWN");
    stage.us(&["verify", "--log", "nowhere", "--trust", &log]).exits(3).says("LEDGER_ABSENT");
}

#[test]
fn a_changed_missing_or_foreign_file_is_told_by_name() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.publish("site").ok();
    let change = |file: &str, at: usize| {
        let path = stage.scratch.path(&format!("site/{file}"));
        let good = fs::read(&path).expect("a file");
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).expect("changed");
        let ran = stage.published("site", &log);
        fs::write(&path, good).expect("mended");
        ran
    };
    change("tile/0/000.p/4", 40).exits(1).says("tile/0/000.p/4");
    assert!(matches!(change("entry/002", 520).exit, 1 | 3 | 4));
    assert_ne!(change("checkpoint", 100).exit, 0);
    fs::rename(stage.scratch.path("site/entry/001"), stage.scratch.path("kept")).expect("moved");
    stage.published("site", &log).exits(3).says("entry/001");
    fs::copy(stage.scratch.path("site/entry/000"), stage.scratch.path("site/entry/001")).expect("copied");
    stage.published("site", &log).exits(1);
    fs::rename(stage.scratch.path("kept"), stage.scratch.path("site/entry/001")).expect("back");
    stage.published("site", &log).ok();
    // A site of another history is not written over.
    let other = Stage::new();
    other.grant("work").ok();
    other.checkpoint("work", "head");
    other.publish("site").ok();
    stage.grant("work").ok();
    stage.checkpoint("work", "head");
    let site = other.scratch.path("site");
    let before = other.scratch.listing("site");
    assert_eq!(stage.publish(site.to_str().expect("UTF-8")).exits(5).codes(), ["FORKED"]);
    assert_eq!(other.scratch.listing("site"), before);
}

#[test]
fn a_plain_web_server_serves_it() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.publish("site").ok();
    let [port] = ports();
    let mut python = Command::new("python3");
    python.args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1", "--directory"]);
    let _server = started(python.arg(stage.scratch.path("site")), port);
    let at = format!("http://127.0.0.1:{port}");
    assert_eq!(stage.published(&at, &log).ok().json()["report"]["verified"], 4);
    stage.published(&format!("{at}/elsewhere"), &log).exits(3).says("LEDGER_ABSENT");
    stage.publish(&at).exits(3).says("read from");
    fs::write(stage.scratch.path("site/tile/0/000.p/4"), [0; 128]).expect("changed");
    stage.published(&at, &log).exits(1);
}

/// Garage, of which `./test` builds the binary.
#[test]
fn an_object_store_holds_it() {
    let garage = std::env::var_os("FIX7_TEST_GARAGE").expect("FIX7_TEST_GARAGE is set by ./test");
    let stage = Stage::new();
    let log = stage.checkpoint("work", "four");
    let [rpc, s3] = ports();
    let root = stage.scratch.root().display();
    let config = stage.scratch.write(
        "garage.toml",
        format!(
            "metadata_dir = \"{root}/meta\"\ndata_dir = \"{root}/data\"\ndb_engine = \"sqlite\"\n\
             replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\nrpc_public_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_secret = \"{}\"\n[s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{s3}\"\n",
            "17".repeat(32)
        ),
    );
    let (id, secret) = (format!("GK{}", "0a".repeat(12)), "0b".repeat(32));
    let mut server = Command::new(garage);
    server.arg("-c").arg(config).args(["server", "--single-node", "--default-bucket"]);
    server.env("GARAGE_DEFAULT_ACCESS_KEY", &id).env("GARAGE_DEFAULT_SECRET_KEY", &secret);
    let _server = started(server.env("GARAGE_DEFAULT_BUCKET", "log"), s3);
    let run = |arguments: &[&str], secret: &str| {
        let mut command = stage.scratch.binary(arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{s3}"))
            .env("AWS_REGION", "garage")
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", secret);
        Ran::of(&arguments.join(" "), command.output().expect("starts"))
    };
    let publish = ["export", "tiles", "--repo", "work", "--to", "s3://log/small", "--json"];
    // The bucket is made a moment after the port is open.
    let since = Instant::now();
    while run(&publish, &secret).exit != 0 && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(run(&publish, &secret).ok().json()["new"], 0, "it was published before");
    stage.grant("work").ok();
    stage.checkpoint("work", "five");
    assert_eq!(run(&publish, &secret).ok().json()["files"], 4);
    let verify = ["verify", "--log", "s3://log/small", "--trust", &log, "--json"];
    assert_eq!(run(&verify, &secret).ok().json()["report"]["verified"], 5);
    assert_ne!(run(&publish, &"0c".repeat(32)).exit, 0, "with another secret");
}
