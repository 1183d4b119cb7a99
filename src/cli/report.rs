//! `report`: the ledger for people who were not there.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::{replay, surroundings};
use crate::digest::Digest;
use crate::report;
use crate::verdict::{Code, Reason};

/// Most entries in one report: each brings its packet, and a browser unpacks all of them at once.
const MAX_ENTRIES: usize = 5000;

/// What the report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One page that verifies itself in a browser.
    Html,
    /// A document with front matter for a knowledge hub; it verifies nothing.
    Md,
}

/// Write one HTML page that needs nothing else: no network, no server, no program.
///
/// It shows the rehearsals over time, every leg, the probes, the isolation, who reproduced what and what was not
/// established. Its button recomputes digests, Merkle root and signatures with the browser's own cryptography from the
/// bytes in the page, against the ledger id or key that the reader pastes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// The file to write; by default fix7-report.html, or fix7-report.md.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file where there is one.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    // Only a ledger that holds is reported: what does not hold is for `verify` to explain.
    let (state, tip) = replay::trusted(&args.place)?;
    let (repo, _, _) = args.place.existing()?;
    let reader = repo.reader();
    let chain = reader.read_chain(&tip)?;
    within_limit(chain.len())?;
    let entries = chain.iter().map(|oid| reader.read_entry(oid)).collect::<Result<Vec<_>, _>>()?;
    let (page, name) = match args.format {
        Format::Html => (report::html(&entries), "fix7-report.html"),
        Format::Md => (report::markdown(&entries), "fix7-report.md"),
    };
    let out = args.out.unwrap_or_else(|| PathBuf::from(name));
    write(&out, page.as_bytes(), args.force)?;
    let (id, sha256) = (replay::ledger_id(&state)?, Digest::of(page.as_bytes()));
    let mut text = format!(
        "wrote {} ({} entries, {} KiB)\n  id     {id}\n  page   {sha256}",
        out.display(),
        entries.len(),
        page.len().div_ceil(1024),
    );
    let mut answer = Answer::default()
        .with("out", &out)
        .with("entries", entries.len())
        .with("bytes", page.len())
        .with("ledger", id)
        .with("sha256", sha256);
    if args.format == Format::Html {
        let script = Digest::of(report::script().as_bytes());
        text.push_str(&format!(
            "\n  script {script}\nA reader pastes the id into the page; give it to them by another way than the page."
        ));
        answer = answer.with("script_sha256", script);
    }
    Ok(answer.saying(text))
}

fn within_limit(entries: usize) -> Result<(), Failure> {
    match entries <= MAX_ENTRIES {
        true => Ok(()),
        false => {
            let expected = format!("at most {MAX_ENTRIES} entries");
            Err(Reason::new(Code::LimitExceeded, "report").values(expected, entries).into())
        }
    }
}

/// Writes a file whole or not at all; one that is there stays unless it may be replaced.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What the reader's umask leaves: a report is there to be passed on.
    let mut file = surroundings::pending(parent, 0o666).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.flush()).map_err(failed)?;
    let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match kept {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::because(Code::AlreadyExists, path.display(), "--force replaces it"))
        }
        Err(e) => Err(failed(e.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_so_many_entries_and_not_one_more() {
        assert!(within_limit(0).is_ok() && within_limit(MAX_ENTRIES).is_ok());
        let refused = within_limit(MAX_ENTRIES + 1).expect_err("one more");
        assert!(refused.verdict().has(Code::LimitExceeded));
        assert_eq!(refused.verdict().exit_code(), 4);
    }
}
