//! Which repository and which ledger in it.

use std::path::PathBuf;

use super::answer::{Failure, escaped};
use crate::ledger::{self, LedgerRef, Oid, Repository};
use crate::verdict::Code;

/// Which ledger.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Place {
    /// The git repository: a work tree, a directory inside one, or a bare repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
    /// The ledger's name: it stands on refs/heads/fix7-ledger/NAME.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(super) ledger: String,
}

impl Place {
    /// Opens the repository; the ledger need not be there yet.
    pub(super) fn open(&self) -> Result<(Repository, LedgerRef), Failure> {
        let name = LedgerRef::named(&self.ledger)?;
        let repo = Repository::discover(&self.repo).map_err(|error| self.not_opened(error))?;
        Ok((repo, name))
    }

    /// The usual mistakes by their names; what else there may be, in the words of whoever looked.
    fn not_opened(&self, error: ledger::Error) -> Failure {
        let looked_around = error.to_string().contains("Could not find a git repository");
        let found = match (self.repo.exists(), looked_around) {
            (false, _) => "there is no such directory: `--repo` names the ledger's clone",
            (true, true) => {
                "no git repository is there or above it: name the ledger's clone with `--repo`, or begin one with `git init`"
            }
            (true, false) => return error.into(),
        };
        Failure::because(Code::Unreadable, escaped(&self.repo.to_string_lossy()), found)
    }

    /// Opens the repository and demands the ledger.
    pub(super) fn existing(&self) -> Result<(Repository, LedgerRef, Oid), Failure> {
        let (repo, name) = self.open()?;
        match repo.ledger_tip(&name)? {
            Some(tip) => Ok((repo, name, tip)),
            None => {
                let known: Vec<String> = repo.ledgers()?.iter().map(|(l, _)| l.name().to_owned()).collect();
                let found = match known.is_empty() {
                    true => "the repository holds no ledger".to_owned(),
                    false => format!("the ledgers here are: {}", known.join(", ")),
                };
                Err(Failure::because(Code::LedgerAbsent, name, found))
            }
        }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Failure {
        error.reason().into()
    }
}
