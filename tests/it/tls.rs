//! HTTPS with an authority of the test's own: a plain server's bytes behind TLS, ended by a small Python program.

use std::process::Command;

use crate::harness::Ran;
use crate::stage::Stage;
use crate::tiles::{Server, ports, started};

/// Listens with a certificate and passes every connection on.
const TERMINATOR: &str = r#"
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def passed(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def serve(plain):
    try:
        client = context.wrap_socket(plain, server_side=True)
        server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    except OSError:
        return plain.close()
    back = threading.Thread(target=passed, args=(server, client), daemon=True)
    back.start()
    passed(client, server)
    back.join()
while True:
    plain, _ = listener.accept()
    threading.Thread(target=serve, args=(plain,), daemon=True).start()
"#;

/// An authority, and a certificate of it for 127.0.0.1.
const CERTIFICATES: &str = "
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=test authority' 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj '/CN=localhost' 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1\\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile extensions 2>/dev/null";

/// Puts TLS before a port; gives the address.
fn behind_tls(stage: &Stage, port: u16) -> (Server, String) {
    stage.sh(".", CERTIFICATES).ok();
    let [tls] = ports();
    let mut python = Command::new("python3");
    python.args(["-c", TERMINATOR, &tls.to_string(), &port.to_string()]).current_dir(stage.scratch.root());
    (started(&mut python, tls), format!("https://127.0.0.1:{tls}"))
}

/// The binary, with the authority or without.
#[track_caller]
fn asked(stage: &Stage, arguments: &[&str], authority: bool) -> Ran {
    let mut command = stage.scratch.binary(arguments);
    if authority {
        command.env("CURL_CA_BUNDLE", stage.scratch.path("ca.pem"));
    }
    Ran::of(&arguments.join(" "), command.output().expect("starts"))
}

#[test]
fn a_ledger_over_https_needs_an_authority_that_the_reader_knows() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage.us(&["export", "tiles", "--repo", "work", "--to", "site"]).ok();
    let [port] = ports();
    let mut python = Command::new("python3");
    python.args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1", "--directory"]);
    let _server = started(python.arg(stage.scratch.path("site")), port);
    let (_tls, at) = behind_tls(&stage, port);
    let verify = ["verify", "--log", &at, "--trust", &log, "--json"];
    assert_eq!(asked(&stage, &verify, true).ok().json()["report"]["verified"], 4);
    let refused = asked(&stage, &verify, false).exits(3);
    assert_eq!(refused.codes(), ["UNREADABLE"]);
    assert!(refused.stdout.contains("certificate"), "{}", refused.stdout);
    // The authority vouches for 127.0.0.1, and for no other name.
    let elsewhere = at.replace("127.0.0.1", "localhost");
    let refused = asked(&stage, &["verify", "--log", &elsewhere, "--trust", &log, "--json"], true);
    assert_eq!(refused.exits(3).codes(), ["UNREADABLE"]);
}

#[test]
fn a_witness_over_https_needs_an_authority_that_the_log_knows() {
    let stage = Stage::new();
    let log = stage.checkpoint("work", "head");
    stage
        .us(&["witness", "init", "--dir", "w", "--name", "wanda", "--key", "keys/wanda", "--log", &log])
        .ok();
    let [port] = ports();
    let listen = format!("127.0.0.1:{port}");
    let serve = ["witness", "serve", "--dir", "w", "--key", "keys/wanda", "--listen", &listen];
    let _server = started(&mut stage.scratch.binary(&serve), port);
    let (_tls, at) = behind_tls(&stage, port);
    let submit = ["witness", "submit", &at, "--repo", "work", "--json"];
    // Beside them lies the index, which every reader may touch: it is derived, and proves nothing.
    let checkpoints = || stage.scratch.listing("work/.git/fix7-ledger/checkpoints");
    let before = checkpoints();
    assert!(!before.is_empty());
    assert_eq!(asked(&stage, &submit, false).exits(3).codes(), ["UNREADABLE"]);
    assert_eq!(checkpoints(), before, "nothing was added");
    asked(&stage, &submit, true).ok().says("wanda");
    assert_ne!(checkpoints(), before, "the cosignature is kept beside the checkpoint");
}
