//! Layouts of migration directories: which file is an up, which a down, and in which order.
//!
//! Owns: recognising the layout, reading the files safely, cutting marked files into their halves. Must
//! not: read SQL; a mark is a comment line, nothing else.
//!
//! ```text
//! diesel          NAME/up.sql, NAME/down.sql                     metadata.toml: run_in_transaction = false
//! golang-migrate  N_name.up.sql, N_name.down.sql
//! sqlx            the same, or N_name.sql without a way back     first line: -- no-transaction
//! goose           -- +goose Up / -- +goose Down in one file      -- +goose NO TRANSACTION
//! sql-migrate     -- +migrate Up / -- +migrate Down              after the mark: notransaction
//! dbmate          -- migrate:up / -- migrate:down                after the mark: transaction:false
//! ```
//!
//! The layout of a directory is the one that its files have; files of other kinds are left alone. The
//! order is by the numbers in the names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::order::natural;
use crate::rehearse::RehearseError;
use crate::rehearse::plan::plain_file;
use crate::verdict::{Code, Reason};

/// Most migrations in a history: more is not a history, but a wrong directory.
pub const MAX_MIGRATIONS: usize = 20_000;
/// Largest script in bytes.
pub const MAX_SCRIPT_BYTES: u64 = 16 << 20;

/// A migration directory's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A directory per migration.
    Diesel,
    /// Two files per migration.
    GolangMigrate,
    /// One file per migration, without a way back.
    Sqlx,
    /// Marks `-- +goose`.
    Goose,
    /// Marks `-- +migrate`.
    SqlMigrate,
    /// Marks `-- migrate:`.
    Dbmate,
}

impl Kind {
    /// The tool whose layout it is.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Diesel => "diesel",
            Kind::GolangMigrate => "golang-migrate",
            Kind::Sqlx => "sqlx",
            Kind::Goose => "goose",
            Kind::SqlMigrate => "sql-migrate",
            Kind::Dbmate => "dbmate",
        }
    }
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its name without suffixes.
    pub id: String,
    /// The change.
    pub up: String,
    /// The way back, if it has one.
    pub down: Option<String>,
    /// What its own marks say about a transaction.
    pub transaction: Option<bool>,
}

/// A directory's migrations, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The layout.
    pub kind: Kind,
    /// In the order in which they are applied.
    pub migrations: Vec<Migration>,
}

/// Reads the history in `directory`.
///
/// # Errors
/// No layout is recognised, a file is a link, too large or not text.
pub fn read(directory: &Path) -> Result<History, RehearseError> {
    let mut files = BTreeMap::new();
    let mut directories = BTreeMap::new();
    for (name, is_directory) in names(directory)? {
        let path = directory.join(&name);
        if is_directory {
            if let Some(migration) = diesel(&path, &name)? {
                directories.insert(name, migration);
            }
        } else if name.ends_with(".sql") {
            files.insert(name, text(&path)?);
        }
    }
    let (kind, mut migrations) = if directories.is_empty() {
        from_files(&files)
    } else {
        (Kind::Diesel, directories.into_values().collect())
    };
    if migrations.is_empty() {
        let found =
            "no migration layout is recognised (diesel, golang-migrate, sqlx, goose, sql-migrate, dbmate)";
        return Err(RehearseError::refused(Code::Unreadable, directory.display(), found));
    }
    migrations.sort_by(|a, b| natural(&a.id, &b.id));
    Ok(History { kind, migrations })
}

fn names(directory: &Path) -> Result<Vec<(String, bool)>, RehearseError> {
    let failed = |e| RehearseError::file(directory, "the migrations", &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if names.len() >= MAX_MIGRATIONS {
            let reason = Reason::new(Code::LimitExceeded, directory.display());
            return Err(RehearseError::new(
                reason.values(format_args!("at most {MAX_MIGRATIONS} names"), "more"),
            ));
        }
        // What is no text is no migration's name.
        if let Some(name) = entry.file_name().to_str() {
            names.push((name.to_owned(), entry.file_type().map_err(failed)?.is_dir()));
        }
    }
    Ok(names)
}

fn text(path: &Path) -> Result<String, RehearseError> {
    let bytes = plain_file(path, MAX_SCRIPT_BYTES)?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(RehearseError::refused(Code::Unreadable, path.display(), "not UTF-8 text")),
    }
}

fn diesel(path: &Path, name: &str) -> Result<Option<Migration>, RehearseError> {
    let (up, down) = (path.join("up.sql"), path.join("down.sql"));
    if up.symlink_metadata().is_err() {
        return Ok(None);
    }
    let there = |path: &Path| path.symlink_metadata().is_ok();
    let metadata = path.join("metadata.toml");
    let marked = if there(&metadata) { text(&metadata)? } else { String::new() };
    let without = marked.lines().any(|line| {
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "run_in_transaction" && value.trim() == "false")
    });
    Ok(Some(Migration {
        id: name.to_owned(),
        up: text(&up)?,
        down: there(&down).then(|| text(&down)).transpose()?,
        transaction: without.then_some(false),
    }))
}

fn from_files(files: &BTreeMap<String, String>) -> (Kind, Vec<Migration>) {
    let mut migrations = Vec::new();
    let mut kinds = Vec::new();
    for (name, text) in files {
        if name.ends_with(".down.sql") {
            continue;
        }
        let (kind, migration) = if let Some(id) = name.strip_suffix(".up.sql") {
            let down = files.get(&format!("{id}.down.sql")).cloned();
            let transaction = without_transaction(text);
            (Kind::GolangMigrate, Migration { id: id.to_owned(), up: text.clone(), down, transaction })
        } else {
            let id = name.strip_suffix(".sql").unwrap_or(name);
            marked(id, text)
        };
        kinds.push(kind);
        migrations.push(migration);
    }
    // Most marks win: one stray file without any does not make a goose history another one.
    let kind = kinds.iter().copied().max().unwrap_or(Kind::Sqlx);
    (kind, migrations)
}

/// sqlx: the first line says so.
fn without_transaction(text: &str) -> Option<bool> {
    text.lines().next().is_some_and(|line| line.trim() == "-- no-transaction").then_some(false)
}

/// One file with marks, or without any.
fn marked(id: &str, text: &str) -> (Kind, Migration) {
    for marks in MARKS {
        if let Some(migration) = marks.cut(id, text) {
            return (marks.kind, migration);
        }
    }
    let transaction = without_transaction(text);
    (Kind::Sqlx, Migration { id: id.to_owned(), up: text.to_owned(), down: None, transaction })
}

/// How a tool marks the halves of one file. Marks stand alone on a comment line.
struct Marks {
    kind: Kind,
    up: &'static str,
    down: &'static str,
    /// Words on the mark's line, or a line of their own, that say: no transaction.
    without: &'static str,
}

const MARKS: [Marks; 3] = [
    Marks { kind: Kind::Goose, up: "+goose up", down: "+goose down", without: "+goose no transaction" },
    Marks { kind: Kind::SqlMigrate, up: "+migrate up", down: "+migrate down", without: "notransaction" },
    Marks { kind: Kind::Dbmate, up: "migrate:up", down: "migrate:down", without: "transaction:false" },
];

impl Marks {
    fn cut(&self, id: &str, text: &str) -> Option<Migration> {
        let (mut up, mut down) = (None::<String>, None::<String>);
        let mut into_down = false;
        let mut without = false;
        for line in text.split_inclusive('\n') {
            let mark = line.trim().strip_prefix("--").map(|rest| rest.trim().to_ascii_lowercase());
            let mark = mark.as_deref().unwrap_or_default();
            if mark.starts_with(self.up) {
                (into_down, up) = (false, Some(up.unwrap_or_default()));
            } else if mark.starts_with(self.down) {
                (into_down, down) = (true, Some(down.unwrap_or_default()));
            } else if let Some(half) = if into_down { down.as_mut() } else { up.as_mut() } {
                half.push_str(line);
            }
            without |= mark.contains(self.without);
        }
        Some(Migration { id: id.to_owned(), up: up?, down, transaction: without.then_some(false) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(files: &[(&str, &str)]) -> History {
        let place = tempfile::tempdir().expect("a scratch directory");
        for (name, text) in files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().expect("below the scratch")).expect("made");
            fs::write(path, text).expect("written");
        }
        read(place.path()).expect("a history")
    }

    fn one(files: &[(&str, &str)]) -> (Kind, Migration) {
        let mut history = history(files);
        assert_eq!(history.migrations.len(), 1);
        (history.kind, history.migrations.remove(0))
    }

    #[test]
    fn every_layout_is_recognised() {
        let diesel = one(&[("1_a/up.sql", "U"), ("1_a/down.sql", "D"), ("README.md", "x")]);
        let migrate = one(&[("1_a.up.sql", "U"), ("1_a.down.sql", "D")]);
        for (kind, (found, migration)) in [(Kind::Diesel, diesel), (Kind::GolangMigrate, migrate)] {
            assert_eq!(found, kind);
            assert_eq!((migration.id.as_str(), migration.up.as_str()), ("1_a", "U"));
            assert_eq!((migration.down.as_deref(), migration.transaction), (Some("D"), None));
        }
        for (kind, text) in [
            (Kind::Goose, "-- head\n-- +goose Up\nU\n-- +goose Down\nD\n"),
            (Kind::SqlMigrate, "-- +migrate Up\nU\n-- +migrate Down\nD\n"),
            (Kind::Dbmate, "-- migrate:up\nU\n\n-- migrate:down\nD\n"),
        ] {
            let (found, migration) = one(&[("1_a.sql", text)]);
            assert_eq!(found, kind);
            assert_eq!((migration.up.trim(), migration.down.as_deref().map(str::trim)), ("U", Some("D")));
        }
        let (kind, sqlx) = one(&[("1_a.sql", "U")]);
        assert_eq!((kind, sqlx.down), (Kind::Sqlx, None));
    }

    #[test]
    fn each_layout_says_in_its_own_way_that_there_is_no_transaction() {
        for files in [
            &[("1_a/up.sql", "U"), ("1_a/metadata.toml", "run_in_transaction = false\n")][..],
            &[("1_a.up.sql", "-- no-transaction\nU")],
            &[("1_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nU\n")],
            &[("1_a.sql", "-- +migrate Up notransaction\nU\n")],
            &[("1_a.sql", "-- migrate:up transaction:false\nU\n-- migrate:down\nD\n")],
        ] {
            assert_eq!(one(files).1.transaction, Some(false), "{files:?}");
        }
    }

    #[test]
    fn links_are_refused_and_other_files_left_alone() {
        let place = tempfile::tempdir().expect("a scratch directory");
        fs::write(place.path().join("1_a.up.sql"), "U").expect("written");
        fs::write(place.path().join("notes.txt"), "x").expect("written");
        assert_eq!(read(place.path()).expect("a history").migrations.len(), 1);
        std::os::unix::fs::symlink("/etc/hostname", place.path().join("2_b.up.sql")).expect("linked");
        assert_eq!(read(place.path()).expect_err("refused").code(), Code::PathForbidden);
    }
}
