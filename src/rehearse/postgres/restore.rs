//! A dump, restored into the clone by the role that owns it.
//!
//! Owns: the three formats. Must not: run a dump as a superuser; start `psql`: a plain dump is SQL and COPY data, which
//! are sent to the server as they are, so there is no client whose meta-commands a hostile dump could use
//! (CVE-2025-8714). Of those only `\restrict KEY` and the `\unrestrict` of the same key are passed over, as pg_dump writes
//! them; any other is refused.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use postgres::Client;

use super::cluster::{CLONE, OWNER, Place, run};
use super::dump::Format;
use super::failure::{self, outside, refused};
use crate::evidence::plan::postgresql::{Verb, is_about_roles, statements, verb};
use crate::rehearse::engine::Failure;

/// Longest statement of a plain dump in bytes: one that never ends must not fill the memory.
const MAX_STATEMENT: usize = 64 << 20;

/// Restores `dump` into the clone of a running cluster.
pub(super) fn restore(place: &Place, dump: &Path, format: Format) -> Result<(), Failure> {
    match format {
        Format::Custom | Format::Directory => {
            let mut command = place.client("pg_restore", OWNER, CLONE);
            command.args(["--no-owner", "--no-privileges", "--no-tablespaces", "--exit-on-error"]).arg(dump);
            run(command, "pg_restore")
        }
        Format::Plain => {
            let mut client = place.database(OWNER, CLONE).connect().map_err(|e| failure::of(&e, 0))?;
            let file = File::open(dump).map_err(|e| outside(format!("the dump cannot be read: {e}")))?;
            plain(&mut client, BufReader::new(file))
        }
    }
}

/// Sends a plain dump: statements one at a time, and the lines behind each `COPY … FROM stdin` as its data.
fn plain(client: &mut Client, mut lines: impl BufRead) -> Result<(), Failure> {
    let (mut pending, mut number, mut key) = (String::new(), 0u64, None);
    let read = |lines: &mut dyn BufRead, line: &mut Vec<u8>| -> Result<bool, Failure> {
        line.clear();
        let read = lines.read_until(b'\n', line);
        read.map(|length| length > 0).map_err(|e| outside(format!("the dump cannot be read: {e}")))
    };
    let mut line = Vec::new();
    while read(&mut lines, &mut line)? {
        let text = std::str::from_utf8(&line)
            .map_err(|_| refused(number, "22021", "the dump is not UTF-8: make it with --encoding=UTF8"))?;
        if text.starts_with('\\') && statements(&pending).is_empty() {
            key = meta_command(text, key).map_err(|why| refused(number + 1, "42501", why))?;
            continue;
        }
        pending.push_str(text);
        if pending.len() > MAX_STATEMENT {
            return Err(refused(number + 1, "54000", format!("a statement of over {MAX_STATEMENT} bytes")));
        }
        // Most lines end nothing: only one that could is looked at.
        if !text.trim_end().ends_with(';') || !is_whole(&pending) {
            continue;
        }
        for statement in statements(&pending) {
            number += 1;
            // As pg_restore does with --no-owner and --no-privileges: those roles are not here.
            if is_about_roles(statement) {
                continue;
            }
            let failed = |e: postgres::Error| failure::of(&e, number);
            match verb(statement) {
                Verb::CopyStream { inwards: true } => {
                    let mut sink = client.copy_in(statement).map_err(failed)?;
                    while read(&mut lines, &mut line)? && line != b"\\.\n" && line != b"\\.\r\n" {
                        sink.write_all(&line).map_err(|e| of_copy(&e, number))?;
                    }
                    sink.finish().map_err(failed)?;
                }
                Verb::Outside(_) | Verb::CopyStream { inwards: false } => {
                    return Err(refused(number, "42501", "a statement that no dump of one database holds"));
                }
                Verb::Transaction | Verb::Rows | Verb::Other => {
                    let prepared = client.prepare(statement).map_err(failed)?;
                    client.execute(&prepared, &[]).map_err(failed)?;
                }
            }
        }
        pending.clear();
    }
    match statements(&pending).is_empty() {
        true => Ok(()),
        false => Err(refused(number + 1, "42601", "the dump ends in the middle of a statement")),
    }
}

/// A line that psql would take for a command of its own: with the key that restricts it now, the one that does after it.
fn meta_command(line: &str, key: Option<String>) -> Result<Option<String>, String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match (words.as_slice(), key) {
        (["\\restrict", new], None) => Ok(Some((*new).to_owned())),
        (["\\unrestrict", old], Some(key)) if key == *old => Ok(None),
        (["\\restrict" | "\\unrestrict", ..], _) => {
            Err("the keys of \\restrict and \\unrestrict do not match: pg_dump writes one pair".to_owned())
        }
        (words, _) => {
            let word = words.first().copied().unwrap_or_default().escape_default();
            Err(format!("a plain dump may not hold the psql command {word}"))
        }
    }
}

/// Whether what is pending ends where a statement ends, and not inside of a text, a body or a comment.
fn is_whole(pending: &str) -> bool {
    let with_more = format!("{pending}\nSELECT 1");
    statements(&with_more).last() == Some(&"SELECT 1")
}

fn of_copy(error: &std::io::Error, number: u64) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
        Some(error) => failure::of(error, number),
        None => outside(format!("the dump cannot be sent: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_psqls_own_commands_one_pair_of_one_key_passes() {
        let key = |text: &str| Some(text.to_owned());
        assert_eq!(meta_command("\\restrict a\n", None), Ok(key("a")));
        assert_eq!(meta_command("\\unrestrict a\n", key("a")), Ok(None));
        for (line, held) in [
            ("\\unrestrict b", key("a")),
            ("\\unrestrict a", None),
            ("\\restrict b", key("a")),
            ("\\restrict", None),
            ("\\restrict a b", None),
            ("\\! id", None),
            ("\\copy t from program 'id'", key("a")),
        ] {
            assert!(meta_command(line, held).is_err(), "{line}");
        }
    }
}
