//! A place of static files: a directory, a web server, or an S3-compatible object store.
//!
//! Owns: reading and writing files there, the web through `curl` as a child. Must not: know what the files are.
//!
//! ```text
//! ./public            a directory
//! https://host/log    read alone
//! s3://bucket/prefix  AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
//! ```
//!
//! `curl` brings TLS with the system's own roots (or those of `CURL_CA_BUNDLE`), proxies, and the signatures of S3, and every system keeps it patched.
//! Secrets go to it by its standard input: a command line is everybody's to read.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::answer::Failure;
use super::surroundings::{self, ObjectStore};
use crate::digest::Digest;
use crate::verdict::{Code, Reason};

/// Files in one call of `curl`.
const BATCH: usize = 128;
/// Largest answer to a text that was sent, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 10;
/// Seconds that one file may take.
const PATIENCE: u32 = 60;

/// The place.
pub(super) enum Site {
    Directory(PathBuf),
    Web { base: String, store: Option<ObjectStore> },
}

/// A file to write: its path, its bytes, its media type.
pub(super) type Upload = (String, Vec<u8>, &'static str);

impl Site {
    /// Reads a place from its text.
    pub(super) fn parse(text: &str) -> Result<Site, Failure> {
        let base = text.trim_end_matches('/').to_owned();
        if let Some(bucket) = base.strip_prefix("s3://") {
            let store = surroundings::object_store()?;
            let base = format!("{}/{bucket}", store.endpoint.trim_end_matches('/'));
            plain(&base)?;
            return Ok(Site::Web { base, store: Some(store) });
        }
        match base.starts_with("http://") || base.starts_with("https://") {
            true => plain(&base).map(|()| Site::Web { base, store: None }),
            false => Ok(Site::Directory(PathBuf::from(text))),
        }
    }

    /// One file of at most `limit` bytes; `None` where there is none.
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.read_all(&[path.to_owned()], limit)?.pop().flatten())
    }

    /// Files in the order of their paths, each of at most `limit` bytes; `None` where there is none.
    pub(super) fn read_all(&self, paths: &[String], limit: u64) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        match self {
            Site::Directory(root) => paths
                .iter()
                .map(|path| match root.join(path) {
                    file if file.is_file() => surroundings::read(&file, limit).map(Some),
                    _ => Ok(None),
                })
                .collect(),
            Site::Web { base, store } => {
                let mut found = Vec::with_capacity(paths.len());
                for batch in paths.chunks(BATCH) {
                    found.extend(download(base, store.as_ref(), batch, limit)?);
                }
                Ok(found)
            }
        }
    }

    /// Writes files, in their order.
    pub(super) fn write_all(&self, files: &[Upload]) -> Result<(), Failure> {
        match self {
            Site::Directory(root) => {
                for (path, bytes, _) in files {
                    let file = root.join(path);
                    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, file.display(), e);
                    let parent = file.parent().unwrap_or(root);
                    std::fs::create_dir_all(parent).map_err(failed)?;
                    // A reader sees the old file or the new one.
                    let mut pending = surroundings::pending(parent, 0o644).map_err(failed)?;
                    pending.write_all(bytes).map_err(failed)?;
                    pending.persist(&file).map_err(|e| failed(e.error))?;
                }
                Ok(())
            }
            Site::Web { base, store: None } => {
                let found = "a web server is read from: publish to a directory or to s3://…";
                Err(Failure::because(Code::Unreadable, base, found))
            }
            Site::Web { base, store: Some(store) } => {
                files.chunks(BATCH).try_for_each(|batch| upload(base, store, batch))
            }
        }
    }
}

/// An address that needs no quoting anywhere.
fn plain(base: &str) -> Result<(), Failure> {
    match base.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b)) {
        true => Ok(()),
        false => Err(Failure::because(Code::PathForbidden, base.escape_default(), "it is no plain address")),
    }
}

fn download(
    base: &str,
    store: Option<&ObjectStore>,
    paths: &[String],
    limit: u64,
) -> Result<Vec<Option<Vec<u8>>>, Failure> {
    let scratch = scratch()?;
    let file = |n: usize| scratch.path().join(n.to_string());
    let mut config = common(store, b"");
    for (n, path) in paths.iter().enumerate() {
        let _ = writeln!(config, "url = \"{base}/{path}\"\noutput = \"{}\"", file(n).display());
    }
    let _ = writeln!(config, "max-filesize = {limit}\nwrite-out = \"%{{http_code}}\\n\"");
    let statuses = curl(base, &config, paths.len())?;
    let read = |(n, status): (usize, u16)| match status {
        200 => surroundings::read(&file(n), limit).map(Some),
        404 | 403 => Ok(None),
        other => Err(Failure::because(
            Code::Unreadable,
            format!("{base}/{}", paths[n]),
            format!("HTTP status {other}"),
        )),
    };
    statuses.into_iter().enumerate().map(read).collect()
}

fn upload(base: &str, store: &ObjectStore, files: &[Upload]) -> Result<(), Failure> {
    let scratch = scratch()?;
    let mut config = String::new();
    for (n, (path, bytes, kind)) in files.iter().enumerate() {
        let file = scratch.path().join(n.to_string());
        std::fs::write(&file, bytes).map_err(|e| Failure::because(Code::Unreadable, file.display(), e))?;
        // The options of one transfer end at `next`.
        config.push_str(if n > 0 { "next\n" } else { "" });
        config.push_str(&common(Some(store), bytes));
        let _ = writeln!(
            config,
            "url = \"{base}/{path}\"\nupload-file = \"{}\"\nheader = \"Content-Type: {kind}\"\noutput = \"/dev/null\"\nwrite-out = \"%{{http_code}}\\n\"",
            file.display()
        );
    }
    for ((path, ..), status) in files.iter().zip(curl(base, &config, files.len())?) {
        if !(200..300).contains(&status) {
            let found = format!("HTTP status {status}: nothing after it was written");
            return Err(Failure::because(Code::Unreadable, format!("{base}/{path}"), found));
        }
    }
    Ok(())
}

/// The options of every transfer; a store's signature covers the digest of what is sent.
fn common(store: Option<&ObjectStore>, body: &[u8]) -> String {
    let mut config = format!("silent\nshow-error\nproto = \"=http,https\"\nmax-time = {PATIENCE}\n");
    if let Some(store) = store {
        let _ = writeln!(config, "header = \"x-amz-content-sha256: {}\"", Digest::of(body));
        let _ = writeln!(
            config,
            "aws-sigv4 = \"aws:amz:{}:s3\"\nuser = \"{}:{}\"",
            store.region,
            store.id,
            store.secret.as_str()
        );
    }
    config
}

/// Sends a text, and gives the status and what was answered.
pub(super) fn post(url: &str, body: &str) -> Result<(u16, String), Failure> {
    plain(url)?;
    let scratch = scratch()?;
    let (sent, answered) = (scratch.path().join("sent"), scratch.path().join("answered"));
    std::fs::write(&sent, body).map_err(|e| Failure::because(Code::Unreadable, sent.display(), e))?;
    let mut config = common(None, b"");
    let _ = writeln!(
        config,
        "url = \"{url}\"\ndata-binary = \"@{}\"\nheader = \"Content-Type: text/plain\"\noutput = \"{}\"\nmax-filesize = {MAX_ANSWER_BYTES}\nwrite-out = \"%{{http_code}}\\n\"",
        sent.display(),
        answered.display()
    );
    let status = curl(url, &config, 1)?.pop().unwrap_or_default();
    let bytes = surroundings::read(&answered, MAX_ANSWER_BYTES)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

fn scratch() -> Result<tempfile::TempDir, Failure> {
    let parent = surroundings::scratch_parent();
    tempfile::tempdir_in(&parent).map_err(|e| Failure::because(Code::Unreadable, parent.display(), e))
}

/// Runs `curl` and gives the status of each transfer.
fn curl(base: &str, config: &str, transfers: usize) -> Result<Vec<u16>, Failure> {
    let missing = |e: std::io::Error| Failure::because(Code::ProgramMissing, "curl", e);
    let mut child = Command::new("curl")
        .args(["-q", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut input) = child.stdin.take() {
        // A child that ended early says why on its own.
        let _ = input.write_all(config.as_bytes());
    }
    let output = child.wait_with_output().map_err(missing)?;
    let statuses: Vec<u16> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect();
    match statuses.len() == transfers && !statuses.contains(&0) {
        true => Ok(statuses),
        false => {
            let said: String = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
            Err(Reason::new(Code::Unreadable, base).found(said.trim_end()).into())
        }
    }
}
