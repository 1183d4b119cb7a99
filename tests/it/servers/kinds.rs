//! Real git servers on loopback, each with a port of its own, stopped when the test ends.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::stage::Stage;

/// The ways in which a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bare repository over a path.
    Path,
    /// `git http-backend` behind a web server.
    Http,
    /// `git daemon` that takes pushes.
    Daemon,
    /// OpenSSH with a forced command.
    Ssh,
    /// gitolite, over OpenSSH, with our hook among its common hooks.
    Gitolite,
}

/// A server that runs.
pub struct Server {
    /// What the client pushes to.
    pub url: String,
    /// The repository that receives, below the scratch directory.
    pub bare: String,
    /// The client's way through SSH.
    pub ssh: Option<String>,
    process: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Starts a server of a kind for the stage's `server.git` (gitolite: for a repository of its own).
pub fn start(kind: Kind, stage: &Stage) -> Server {
    let root = stage.scratch.root().display().to_string();
    let port = free_port();
    let server = |url: String, process: Child| Server {
        url,
        bare: "server.git".to_owned(),
        ssh: None,
        process: Some(process),
    };
    let server = match kind {
        Kind::Path => {
            return Server {
                url: format!("{root}/server.git"),
                bare: "server.git".into(),
                ssh: None,
                process: None,
            };
        }
        Kind::Http => {
            stage.git("server.git", &["config", "http.receivepack", "true"]).ok();
            let config = lighttpd(stage, port);
            let arguments = ["-D", "-f", &config];
            server(format!("http://127.0.0.1:{port}/git/server.git"), spawn(stage, "lighttpd", &arguments))
        }
        Kind::Daemon => {
            let program = format!("{}/git-daemon", exec_path(stage));
            let (port, base) = (format!("--port={port}"), format!("--base-path={root}"));
            let arguments =
                ["--listen=127.0.0.1", &port, &base, "--export-all", "--enable=receive-pack", "--reuseaddr"];
            let url = format!("git://127.0.0.1:{}/server.git", &port["--port=".len()..]);
            server(url, spawn(stage, &program, &arguments))
        }
        Kind::Ssh => {
            ssh_keys(stage);
            let key = fs::read_to_string(stage.scratch.path("ssh/user.pub")).expect("a key");
            let forced = r#"command="git-shell -c \"$SSH_ORIGINAL_COMMAND\"",restrict "#;
            stage.scratch.write("ssh/authorized_keys", format!("{forced}{key}"));
            let process = sshd(stage, port, "ssh/authorized_keys");
            let mut server =
                server(format!("ssh://{}@127.0.0.1:{port}{root}/server.git", user(stage)), process);
            server.ssh = Some(client(stage));
            server
        }
        Kind::Gitolite => {
            ssh_keys(stage);
            gitolite(stage);
            let process = sshd(stage, port, "gitolite/.ssh/authorized_keys");
            let mut server = server(format!("ssh://{}@127.0.0.1:{port}/testing", user(stage)), process);
            server.ssh = Some(client(stage));
            server.bare = "gitolite/repositories/testing.git".to_owned();
            server
        }
    };
    await_port(port, kind, stage);
    server
}

fn spawn(stage: &Stage, program: &str, arguments: &[&str]) -> Child {
    let said = fs::File::create(stage.scratch.path("server.log")).expect("a log");
    let mut command = stage.scratch.scrubbed(program);
    command.args(arguments).stdout(Stdio::null()).stderr(said);
    command.spawn().unwrap_or_else(|e| panic!("{program} does not start ({e}): ./test installs it"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}

fn await_port(port: u16, kind: Kind, stage: &Stage) {
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let said = || fs::read_to_string(stage.scratch.path("server.log")).unwrap_or_default();
        assert!(started.elapsed() < Duration::from_secs(30), "{kind:?} does not answer: {}", said());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn exec_path(stage: &Stage) -> String {
    stage.git(".", &["--exec-path"]).ok().stdout.trim().to_owned()
}

fn user(stage: &Stage) -> String {
    stage.sh(".", "id -un").ok().stdout.trim().to_owned()
}

fn lighttpd(stage: &Stage, port: u16) -> String {
    let root = stage.scratch.root().display().to_string();
    let path = std::env::var("PATH").expect("a PATH");
    let config = format!(
        r#"server.modules = ("mod_setenv", "mod_alias", "mod_cgi")
server.document-root = "{root}/home"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{root}/home")
server.errorlog = "{root}/lighttpd.log"
alias.url = ("/git" => "{backend}/git-http-backend")
cgi.assign = ("" => "")
setenv.set-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1",
                          "PATH" => "{path}", "HOME" => "{root}/home", "GIT_CONFIG_NOSYSTEM" => "1")
"#,
        backend = exec_path(stage)
    );
    stage.scratch.write("lighttpd.conf", config).display().to_string()
}

fn ssh_keys(stage: &Stage) {
    fs::create_dir_all(stage.scratch.path("ssh")).expect("a directory");
    for name in ["host", "user"] {
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name];
        stage.scratch.program("ssh", "ssh-keygen", &arguments).ok();
    }
}

fn sshd(stage: &Stage, port: u16, authorized: &str) -> Child {
    // What sshd wants to be there when it is started by root.
    stage.sh(".", "[ \"$(id -u)\" != 0 ] || mkdir -p /run/sshd").ok();
    let root = stage.scratch.root().display().to_string();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {root}/ssh/host\nPidFile none\nUsePAM no\nStrictModes no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin forced-commands-only\n\
         AuthorizedKeysFile {root}/{authorized}\nMaxStartups 100\n"
    );
    let config: PathBuf = stage.scratch.write("ssh/sshd_config", config);
    spawn(stage, "/usr/sbin/sshd", &["-D", "-e", "-f", config.to_str().expect("UTF-8")])
}

fn client(stage: &Stage) -> String {
    let root = stage.scratch.root().display();
    let host = fs::read_to_string(stage.scratch.path("ssh/host.pub")).expect("a key");
    stage.scratch.write("ssh/known_hosts", format!("fix7-test {host}"));
    format!(
        "ssh -F none -i {root}/ssh/user -o IdentitiesOnly=yes -o BatchMode=yes -o HostKeyAlias=fix7-test \
         -o UserKnownHostsFile={root}/ssh/known_hosts"
    )
}

/// A gitolite with a home of its own, whose common hooks hold ours.
fn gitolite(stage: &Stage) {
    let script = r#"
        set -e
        HOME=$PWD/gitolite; export HOME; mkdir -p gitolite
        git config --global init.defaultBranch main
        gitolite setup -pk ssh/user.pub
        mkdir -p gitolite/.gitolite/hooks/common
        cp server.git/hooks/pre-receive gitolite/.gitolite/hooks/common/pre-receive
        gitolite setup --hooks-only
        sed -i "s|command=\"|command=\"HOME=$HOME |" gitolite/.ssh/authorized_keys
        [ -L gitolite/repositories/testing.git/hooks/pre-receive ]
    "#;
    stage.sh(".", script).ok();
}
