//! `export tiles` and `verify --log`: the ledger as static files, published and verified without git.

use std::path::Path;

use rayon::prelude::*;

use super::answer::{Answer, Failure, Ui};
use super::checkpoint;
use super::place::Place;
use super::recall::{self, Here};
use super::site::{Site, Upload};
use super::trust::{Trust, open_with};
use super::{leaves, replay};
use crate::bundle::archive;
use crate::digest::Digest;
use crate::entry::{Entry, StoredEntry};
use crate::ledger::limits::{MAX_COMMIT_BYTES, MAX_ENTRIES, MAX_ENTRY_BYTES};
use crate::ledger::{Kind, commit_id};
use crate::report;
use crate::tlog::MAX_TEXT_BYTES;
use crate::tlog::tile::{self, Tile, WIDTH};
use crate::verdict::{Code, Reason, Verdict};
use crate::verify::{Options, Signed, Step, Verifier};

/// Entries fetched at a time.
const BATCH: usize = 64;
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// Most bytes of the tar of one entry: its files, each with its header and padding.
const MAX_ARCHIVE_BYTES: u64 = MAX_ENTRY_BYTES + (1 << 20);

/// Publishes what is new under the checkpoint.
pub(super) fn export(place: &Place, head: Option<&Path>, to: &str) -> Result<Answer, Failure> {
    let here = recall::here(place)?;
    let Here { repo, ledger, tip, state, .. } = &here;
    let (opened, _, text) = checkpoint::given(repo, ledger, state, head)?;
    let tree = checkpoint::under_kept(&here, &opened, &text)?;
    let all = leaves::read(repo, tip, state)?;
    let under = &all[..usize::try_from(tree.size()).unwrap_or(usize::MAX).min(all.len())];
    let site = Site::parse(to)?;
    let published = match site.read("checkpoint", MAX_TEXT_BYTES as u64)? {
        None => 0,
        Some(bytes) => {
            // Nothing is written over another log, nor over another history of this one.
            let (before, _) = open_with(&String::from_utf8_lossy(&bytes), &state.log_keys(state.next_seq()))?;
            tree.under(&before)?;
            before.size()
        }
    };
    let reader = repo.reader();
    let chain = reader.read_chain(tip)?;
    let mut written = 0;
    let mut write = |files: &[Upload]| {
        written += files.len();
        site.write_all(files)
    };
    // What a checkpoint promises is there before the checkpoint is.
    for seq in (published..opened.size()).collect::<Vec<_>>().chunks(BATCH) {
        let mut files: Vec<Upload> = Vec::new();
        for seq in seq {
            let stored = reader.read_entry(&chain[*seq as usize])?;
            let mut own = stored.files;
            own.insert("commit".to_owned(), stored.commit);
            let bytes = archive::pack(&own).map_err(|e| Failure::because(Code::Unreadable, "an entry", e))?;
            files.push((tile::entry_path(*seq), bytes, BYTES));
        }
        write(&files)?;
    }
    let before: Vec<Tile> = tile::of_size(published);
    let mut files: Vec<Upload> = Vec::new();
    for (tile, bytes) in tile::build(under).into_iter().filter(|(tile, _)| !before.contains(tile)) {
        if tile.level == 0 {
            let first = tile.index as usize * WIDTH;
            let oids = &chain[first..first + usize::from(tile.width)];
            let leaves = oids
                .par_iter()
                .map_init(
                    || repo.reader(),
                    |reader, oid| {
                        let mut commit = Vec::new();
                        reader.read(oid, Kind::Commit, MAX_COMMIT_BYTES, &mut commit)?;
                        let entry = Entry::parse(&commit).map_err(|e| Failure::because(e.code(), oid, e))?;
                        Ok(entry.leaf().to_text().into_bytes())
                    },
                )
                .collect::<Result<Vec<_>, Failure>>()?;
            let bundle = tile::entry_bundle(&leaves).ok_or_else(|| {
                Failure::because(Code::LimitExceeded, tile.entries_path(), "a leaf is too long")
            })?;
            files.push((tile.entries_path(), bundle, BYTES));
        }
        files.push((tile.path(), bytes, BYTES));
    }
    write(&files)?;
    write(&[("checkpoint".to_owned(), text.into_bytes(), TEXT)])?;
    let text = format!(
        "{to}: {} entries, of which {} are new ({written} files written)",
        opened.size(),
        opened.size() - published
    );
    Ok(Answer::done(text)
        .with("to", to)
        .with("size", opened.size())
        .with("new", opened.size() - published)
        .with("files", written))
}

/// Verifies a published ledger: all eight steps, from its static files alone.
pub(super) fn verify(
    at: &str,
    pin: Option<Digest>,
    judged: bool,
    trust: &Trust,
    _ui: &Ui,
) -> Result<Answer, Failure> {
    let site = Site::parse(at)?;
    let text = site
        .read("checkpoint", MAX_TEXT_BYTES as u64)?
        .ok_or_else(|| Failure::because(Code::LedgerAbsent, at, "there is no checkpoint"))?;
    let opened = trust.open(&String::from_utf8_lossy(&text), &[])?;
    let size = opened.checkpoint.size();
    if size > MAX_ENTRIES as u64 {
        return Err(Reason::new(Code::LimitExceeded, at)
            .values(format!("at most {MAX_ENTRIES} entries"), size)
            .into());
    }
    let options = Options { genesis: pin, checkpoint_size: Some(size), ..Options::default() };
    let mut verifier = Verifier::new(options);
    verifier.announce(size);
    let mut hashes = Vec::new();
    for batch in (0..size).collect::<Vec<_>>().chunks(BATCH) {
        if verifier.stopped() {
            break;
        }
        let paths: Vec<String> = batch.iter().map(|seq| tile::entry_path(*seq)).collect();
        let mut entries = Vec::new();
        for (found, path) in site.read_all(&paths, MAX_ARCHIVE_BYTES)?.into_iter().zip(&paths) {
            match entry(found, path) {
                Ok(stored) => {
                    hashes.extend(Entry::parse(&stored.commit).map(|entry| entry.leaf_hash()));
                    entries.push(stored);
                }
                Err(reason) => {
                    verifier.note(Step::Object, reason.into());
                    break;
                }
            }
        }
        replay::feed_stored(&mut verifier, entries, judged);
    }
    verifier.note(Step::Completeness, published(&site, &hashes, size)?);
    let relied = opened.quorum.as_ref().filter(|_| opened.verdict.accepted());
    let quorum = relied.and_then(|quorum| quorum.time);
    verifier.witness(Signed { size, root: opened.checkpoint.root(), quorum });
    verifier.note(Step::Completeness, opened.verdict.clone());
    let origin = verifier.state().ledger().map(|ledger| ledger.origin());
    if let Some(origin) = origin.filter(|origin| origin != opened.checkpoint.origin()) {
        let reason = Reason::new(Code::WrongLedger, at).values(opened.checkpoint.origin(), origin);
        verifier.note(Step::Completeness, reason.into());
    }
    let (report, _) = verifier.finish();
    let verdict: Verdict = report.reasons().cloned().collect();
    let text = format!("{}\n{}", report::verification(&report, at), opened.text().trim_end());
    Ok(opened.tell(Answer::done(text).with("report", &report)).ending(report.exit_code, verdict))
}

fn entry(found: Option<Vec<u8>>, path: &str) -> Result<StoredEntry, Reason> {
    let missing = |what: &str| Reason::new(Code::ObjectMissing, path).found(what);
    let bytes = found.ok_or_else(|| missing("no such file"))?;
    let mut files = archive::unpack(&bytes).map_err(|e| Reason::new(e.code(), path).found(e))?;
    let commit = files.remove("commit").ok_or_else(|| missing("no commit in it"))?;
    let oid = commit_id(&commit).map_err(|e| e.reason())?.to_string();
    Ok(StoredEntry { oid, commit, files })
}

/// Whether the tiles that monitors read are those of the entries.
fn published(site: &Site, hashes: &[Digest], size: u64) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    if hashes.len() as u64 != size {
        return Ok(verdict); // an entry that does not hold was told of
    }
    let built = tile::build(hashes);
    let paths: Vec<String> = built.iter().map(|(tile, _)| tile.path()).collect();
    let found = site.read_all(&paths, (WIDTH * 32) as u64)?;
    for ((path, (_, expected)), found) in paths.iter().zip(&built).zip(found) {
        let shown = |bytes: &[u8]| Digest::of(bytes).to_string();
        verdict.require(found.as_ref() == Some(expected), || {
            let found = found.as_deref().map_or("no such file".to_owned(), shown);
            Reason::new(Code::RootMismatch, path).values(shown(expected), found)
        });
    }
    Ok(verdict)
}
