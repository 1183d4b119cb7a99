//! The pager: a long page on a terminal is read in the reader's own program.
//!
//! Owns: starting it and handing it the text on its standard input. Must not: run it through a shell: the words of
//! `FIX7_PAGER` or `PAGER` are a program and its arguments, and nothing of a ledger is ever among them.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use anstream::adapter::strip_str;

use super::screen;
use super::surroundings::{self, Window};

/// Shows a text that is longer than the screen. `false` where it is not, or where no pager starts: then it is for the
/// caller to print.
pub(super) fn show(text: &str, window: Window) -> bool {
    // The command line that was typed and the next prompt stand on the screen as well.
    if text.lines().count() + 2 <= window.rows {
        return false;
    }
    let Some((program, arguments)) = surroundings::pager() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    for (name, value) in surroundings::pager_defaults() {
        command.env(name, value);
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut input) = child.stdin.take() {
        // The pager's output is this terminal: what may be coloured there may be coloured on the way.
        let bare = anstream::AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never;
        let text = if bare { strip_str(text).to_string() } else { text.to_owned() };
        // A reader who leaves early has read enough.
        let _ = writeln!(input, "{text}").and_then(|()| input.flush());
    }
    let _ = child.wait();
    true
}

/// A page fitted to the terminal.
pub(super) fn fitted(text: &str, window: Option<Window>) -> String {
    window.map_or_else(|| text.to_owned(), |window| screen::fit(text, window.columns))
}
