//! PostgreSQL's own programs on this machine: found, never started here.
//!
//! Owns: where `initdb`, `postgres`, `pg_restore`, `pg_dump` and `pg_checksums` of one installation lie, and what else of
//! the system they run from. Must not: look for a server that runs.
//!
//! ```text
//! given      FIX7_PG_BIN or --pg-bin
//! pg_config  `pg_config --bindir`, where it is on the PATH
//! Debian     /usr/lib/postgresql/NN/bin, the newest
//! Red Hat    /usr/pgsql-NN/bin, the newest
//! PATH       the directory of `initdb`
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::RehearseError;
use super::super::isolation::Walls;
use crate::evidence::EngineName;
use crate::verdict::{Code, Reason};

/// The programs that a rehearsal starts.
const NEEDED: [&str; 5] = ["initdb", "postgres", "pg_restore", "pg_dump", "pg_checksums"];
/// Directories of installations, newest version last when sorted by number: before and after the version.
const LAYOUTS: [(&str, &str, &str); 2] = [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")];
/// What programs of a system run from, where it is there.
const SYSTEM: [&str; 6] = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/nix/store"];
/// What to do where there is none.
const INSTALL: &str = "no PostgreSQL server programs (initdb, postgres, pg_restore, pg_dump, pg_checksums) were found by pg_config, on the PATH or in \
     /usr/lib/postgresql: install the package `postgresql` (Debian, Ubuntu), `postgresql-server` (Fedora, RHEL) or \
     `postgresql` (Arch, Alpine), or name their directory with --pg-bin";

/// One installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The directory of the programs, without links.
    pub directory: PathBuf,
}

impl Programs {
    /// Finds an installation: the one that is given, or the first that has every program.
    ///
    /// # Errors
    /// `ENGINE_CANNOT` with what to install.
    pub fn find(given: Option<&Path>, path: &[PathBuf]) -> Result<Programs, RehearseError> {
        let candidates = match given {
            Some(directory) => vec![directory.to_owned()],
            None => candidates(path),
        };
        let found = candidates.into_iter().find(|directory| whole(directory));
        let directory = found.and_then(|directory| directory.canonicalize().ok());
        match (directory, given) {
            (Some(directory), _) => Ok(Programs { directory }),
            (None, Some(given)) => {
                Err(missing(&format!("{} has not all of: {}", given.display(), NEEDED.join(", "))))
            }
            (None, None) => Err(missing(INSTALL)),
        }
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The walls that leave room for these programs.
    pub fn walls(&self) -> Walls {
        let mut runtime: Vec<PathBuf> =
            SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        if !runtime.iter().any(|path| self.directory.starts_with(path)) {
            // `…/bin` has its libraries and its share beside it.
            let prefix = self.directory.parent().unwrap_or(&self.directory);
            runtime.push(prefix.to_owned());
        }
        Walls { engine: EngineName::Postgresql, runtime }
    }
}

fn missing(found: &str) -> RehearseError {
    RehearseError::new(Reason::new(Code::EngineCannot, "PostgreSQL").found(found))
}

fn whole(directory: &Path) -> bool {
    NEEDED.iter().all(|name| directory.join(name).is_file())
}

fn candidates(path: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let configs = path.iter().map(|directory| directory.join("pg_config")).filter(|file| file.is_file());
    found.extend(configs.filter_map(|config| bindir(&config)));
    for (top, prefix, below) in LAYOUTS {
        let entries = fs::read_dir(top).into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join(below)))
            })
            .collect();
        versions.sort();
        found.extend(versions.into_iter().rev().map(|(_, path)| path));
    }
    found.extend(
        path.iter().filter_map(|directory| {
            directory.join("initdb").canonicalize().ok()?.parent().map(Path::to_owned)
        }),
    );
    found
}

/// What `pg_config` says. On Debian the one on the PATH may be of a client's version without a server.
fn bindir(config: &Path) -> Option<PathBuf> {
    let output = Command::new(config).arg("--bindir").env_clear().stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_told_with_what_to_install() {
        let error = Programs::find(Some(Path::new("/nonexistent")), &[]).expect_err("no programs there");
        assert_eq!(error.code(), Code::EngineCannot);
        let empty = tempfile::tempdir().expect("a directory");
        let error = Programs::find(Some(empty.path()), &[]).expect_err("an empty directory");
        assert!(error.to_string().contains("initdb"), "{error}");
    }

    #[test]
    fn an_installation_is_whole_or_none_and_is_mounted_where_the_system_is_not() {
        let top = tempfile::tempdir().expect("a directory");
        let bin = top.path().join("bin");
        fs::create_dir(&bin).expect("bin");
        for name in &NEEDED[1..] {
            fs::write(bin.join(name), "").expect("a program");
        }
        assert!(Programs::find(Some(&bin), &[]).is_err());
        fs::write(bin.join(NEEDED[0]), "").expect("the last program");
        let found = Programs::find(Some(&bin), &[]).expect("whole");
        assert_eq!(found.walls().runtime.last(), Some(&top.path().canonicalize().expect("a path")));
        assert_eq!(Programs::find(None, &[bin]).map(|p| p.directory.is_absolute()), Ok(true));
    }

    #[test]
    #[cfg(unix)]
    fn pg_config_is_asked_first_then_the_systems_layout_then_the_path() {
        use std::os::unix::fs::PermissionsExt as _;
        let top = tempfile::tempdir().expect("a directory");
        let (asked, other) = (top.path().join("asked/bin"), top.path().join("other/bin"));
        for directory in [&asked, &other] {
            fs::create_dir_all(directory).expect("bin");
            NEEDED.iter().for_each(|name| fs::write(directory.join(name), "").expect("a program"));
        }
        let config = other.join("pg_config");
        let says = |directory: &Path| {
            fs::write(&config, format!("#!/bin/sh\necho {}\n", directory.display())).expect("a script");
            fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).expect("executable");
        };
        let found = || Programs::find(None, std::slice::from_ref(&other)).expect("whole").directory;
        says(&asked);
        assert_eq!(found(), asked.canonicalize().expect("a path"));
        // One that names an installation without a server, as a client's package does: the next place counts.
        says(&top.path().join("client"));
        let layout = candidates(&[]).into_iter().find(|directory| whole(directory));
        let next = layout.as_ref().unwrap_or(&other).canonicalize().expect("a path");
        assert_eq!(found(), next);
        assert_eq!(candidates(std::slice::from_ref(&other)).last(), other.canonicalize().ok().as_ref());
        assert!(INSTALL.contains("install the package") && missing(INSTALL).to_string().contains("--pg-bin"));
    }
}
