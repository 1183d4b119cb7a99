//! `man`: the manual pages, made from the same definitions as `--help`.

use std::path::PathBuf;

use super::answer::{Answer, Failure, Ui};
use crate::verdict::Code;

/// Arguments of `man`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Write a page for the program and one for each verb into this directory, such as ~/.local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: Args, _ui: &Ui) -> Result<Answer, Failure> {
    let Some(dir) = args.out else {
        let mut page = Vec::new();
        let failed = |e: std::io::Error| Failure::because(Code::Unreadable, "the manual page", e);
        clap_mangen::Man::new(super::command()).render(&mut page).map_err(failed)?;
        let text = String::from_utf8_lossy(&page).into_owned();
        return Ok(Answer::done(text.trim_end()).with("page", text.as_str()));
    };
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, dir.display(), e);
    std::fs::create_dir_all(&dir).map_err(failed)?;
    clap_mangen::generate_to(super::command(), &dir).map_err(failed)?;
    let text = format!(
        "manual pages in {}; read them with `man -l {}`",
        dir.display(),
        dir.join("fix7-ledger.1").display()
    );
    Ok(Answer::done(text).with("dir", &dir))
}
