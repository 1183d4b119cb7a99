//! A real Chromium without a window, driven over a pipe by the DevTools protocol.
//!
//! The browser reads commands on file descriptor 3 and answers on 4, each a JSON text and a NUL: a shell puts them on
//! the child's standard input and output, so nothing else is needed, neither a port nor a driver.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for anything that a page does.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    profile: tempfile::TempDir,
    session: Option<String>,
    sent: u64,
    /// What the page complained about: violations of its policy, exceptions, errors.
    pub complaints: Vec<Value>,
}

impl Browser {
    /// Starts a browser with a profile of its own.
    pub fn new() -> Browser {
        let profile = tempfile::tempdir().expect("a profile");
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
                     --disable-background-networking --disable-component-update --disable-sync \
                     --disable-dev-shm-usage --remote-debugging-pipe";
        let line = format!(
            "exec chromium {flags} --user-data-dir='{}' about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            profile.path().display()
        );
        let mut command = Command::new("sh");
        let command = command.args(["-c", &line]).env("HOME", profile.path());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts; ./test installs chromium");
        let commands = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let complaints = Vec::new();
        let mut browser = Browser { child, commands, answers, profile, session: None, sent: 0, complaints };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached =
            browser.call("Target.attachToTarget", json!({"targetId": page["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// One command of the protocol.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("the browser answers");
            assert_eq!(answer.pop(), Some(0), "the browser ended: is chromium installed?");
            let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.sent {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            let method = answer["method"].as_str().unwrap_or_default();
            let asked = method == "Network.requestWillBeSent" && !is_own(&answer["params"]["request"]["url"]);
            if asked || ["Log.entryAdded", "Runtime.exceptionThrown"].contains(&method) {
                self.complaints.push(answer);
            }
        }
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", what);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let from = Instant::now();
        while self.value(expression) != true {
            assert!(from.elapsed() < PATIENCE, "never true: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens a file and waits until its script says that it is ready.
    #[track_caller]
    pub fn open(&mut self, path: &Path) {
        self.call("Page.navigate", json!({"url": format!("file://{}", path.display())}));
        let name = path.file_name().expect("a file").to_string_lossy();
        self.until(&format!(
            "location.pathname.endsWith('/{name}') && document.documentElement?.dataset.ready === 'yes'"
        ));
    }
}

/// The page's own file; everything else would be a network.
fn is_own(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.starts_with("file:") || url.starts_with("about:"))
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let from = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if from.elapsed() > Duration::from_secs(5) {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = &self.profile;
    }
}
