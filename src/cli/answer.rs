//! Answers and failures: the same facts as text for people and as JSON for programs.
//!
//! Owns: what is printed, where (results on stdout, all else on stderr) and the exit code. Must not:
//! know a verb. Text that comes from outside is escaped before it reaches a terminal.
//!
//! ```text
//! text   error: NO_MUTATION: clone-rollback-evidence.json#/entries/1: expected …, found …
//!         hint: the change did nothing on the clone: …
//! json   {"schema":"fix7.cli.validate/v1","ok":false,"exit":4,"reasons":[{"code":"NO_MUTATION",…}],…}
//! ```

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{pager, surroundings};
use crate::verdict::{Code, Reason, Verdict};

/// What a verb found or did. It may be a negative finding: then `verdict` holds the reasons.
#[derive(Debug, Default)]
pub struct Answer {
    text: String,
    facts: Map<String, Value>,
    verdict: Verdict,
    exit: Option<u8>,
    page: bool,
}

impl Answer {
    /// An answer in words, without a final newline.
    pub fn done(text: impl Display) -> Answer {
        Answer { text: text.to_string(), ..Answer::default() }
    }

    /// Gives the answer its words.
    pub fn saying(mut self, text: impl Display) -> Answer {
        self.text = text.to_string();
        self
    }

    /// Makes it a page for reading: on a terminal its lines are fitted, and a long one goes to the pager.
    pub fn to_read(mut self) -> Answer {
        self.page = true;
        self
    }

    /// The words so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a fact to the JSON form.
    pub fn with(mut self, key: &str, fact: impl Serialize) -> Answer {
        let value = serde_json::to_value(fact).unwrap_or(Value::Null);
        self.facts.insert(key.to_owned(), value);
        self
    }

    /// Adds the reasons of a verdict whose exit code was decided elsewhere, over more reasons than are listed.
    pub fn ending(mut self, exit: u8, verdict: Verdict) -> Answer {
        self.exit = Some(exit);
        self.judged(verdict)
    }

    /// Adds the reasons of a verdict: they are printed after the text and decide the exit code.
    pub fn judged(mut self, verdict: Verdict) -> Answer {
        self.verdict.merge(verdict);
        self
    }
}

/// A verb that could not do its work. Nothing was written, nothing was lost.
#[derive(Debug)]
pub struct Failure {
    verdict: Verdict,
    facts: Map<String, Value>,
}

impl Failure {
    /// One reason.
    pub fn because(code: Code, object: impl Display, found: impl Display) -> Failure {
        Reason::new(code, object).found(found).into()
    }

    /// Adds a fact to the JSON form (where a kept packet lies, both heads of a fork).
    pub fn with(mut self, key: &str, fact: impl Serialize) -> Failure {
        self.facts.insert(key.to_owned(), serde_json::to_value(fact).unwrap_or(Value::Null));
        self
    }

    /// The reasons.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Failure {
        Failure { verdict: reason.into(), facts: Map::new() }
    }
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Failure {
        Failure { verdict, facts: Map::new() }
    }
}

/// How to speak to whoever called.
pub struct Ui {
    json: bool,
    pager: bool,
}

impl Ui {
    pub(super) fn new(json: bool, pager: bool) -> Ui {
        Ui { json, pager }
    }

    /// Whether progress bars and colour have somebody to look at them.
    pub fn terminal(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// Whether the caller asked for JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Tells a person what is going on, on stderr. Silent with `--json`.
    pub fn say(&self, line: impl Display) {
        if !self.json {
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }

    /// Prints part of a result on stdout at once, for verbs that tell a story as it goes.
    pub fn tell(&self, line: impl Display) {
        if !self.json {
            let _ = writeln!(anstream::stdout(), "{line}");
        }
    }

    fn print_page(&self, text: &str) -> std::io::Result<()> {
        let window = surroundings::window();
        let text = pager::fitted(text, window);
        match window.filter(|_| self.pager) {
            Some(window) if pager::show(&text, window) => Ok(()),
            _ => print(&text),
        }
    }

    pub(super) fn finish(&self, verb: &str, result: Result<Answer, Failure>) -> ExitCode {
        let Answer { text, facts, verdict, exit, page } = result.unwrap_or_else(|failure| Answer {
            facts: failure.facts,
            verdict: failure.verdict,
            ..Answer::default()
        });
        let exit = exit.unwrap_or(verdict.exit_code());
        let printed = match self.json {
            true => print(&envelope(verb, facts, &verdict, exit)),
            false if text.is_empty() => Ok(()),
            false if page => self.print_page(&text),
            false => print(&text),
        };
        if !self.json {
            let _ = write!(anstream::stderr(), "{}", explained(&verdict));
        }
        match printed {
            // An answer that nobody could read is none.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let _ = writeln!(
                    anstream::stderr(),
                    "error: UNREADABLE: the answer could not be written: {error}"
                );
                ExitCode::from(exit.max(Code::Unreadable.class().exit_code()))
            }
            // A closed pipe downstream is the reader's business, not an error of ours.
            _ => ExitCode::from(exit),
        }
    }
}

/// Whether colours are wanted, as `--color` says. Asked of the arguments before they are parsed, so that it holds for what
/// is wrong with them as well; `auto` is NO_COLOR, CLICOLOR, CLICOLOR_FORCE and whether it is a terminal.
pub(super) fn colour(arguments: &[String]) -> clap::ColorChoice {
    let spelt = arguments.iter().filter_map(|argument| argument.strip_prefix("--color="));
    let apart = arguments.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    spelt.chain(apart).find_map(|when| when.parse().ok()).unwrap_or(clap::ColorChoice::Auto)
}

/// Makes every stream of this process coloured so.
pub(super) fn set_colour(when: clap::ColorChoice) {
    let choice = match when {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// A result, on stdout, to the last byte.
fn print(text: &dyn Display) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// The JSON form: `schema`, `ok`, `exit` and `reasons` are always there.
fn envelope(verb: &str, mut facts: Map<String, Value>, verdict: &Verdict, exit: u8) -> Value {
    let reasons: Vec<Value> = verdict
        .reasons()
        .iter()
        .map(|reason| {
            let mut value = serde_json::to_value(reason).unwrap_or(Value::Null);
            if let Value::Object(fields) = &mut value {
                fields.insert("advice".to_owned(), reason.code.advice().into());
            }
            value
        })
        .collect();
    facts.insert("schema".to_owned(), format!("fix7.cli.{verb}/v1").into());
    facts.insert("ok".to_owned(), (exit == 0).into());
    facts.insert("exit".to_owned(), exit.into());
    facts.insert("reasons".to_owned(), reasons.into());
    Value::Object(facts)
}

/// Every reason with its advice; the same advice is given once.
fn explained(verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut advised = Vec::new();
    for reason in verdict.reasons() {
        text.push_str(&format!("{} {}\n", "error:".red().bold(), escaped(&reason.to_string())));
        if !advised.contains(&reason.code) {
            advised.push(reason.code);
            text.push_str(&format!("{} {}\n", " hint:".cyan(), reason.code.advice()));
        }
    }
    text
}

/// Makes control characters and bidirectional overrides visible: what comes from a packet or a commit
/// must not steer the terminal.
pub fn escaped(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match steers(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
        out
    })
}

/// Usage errors and help. With `--json` an error is a document like every other answer.
pub(super) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if json {
        let facts = Map::from_iter([("usage".to_owned(), error.render().to_string().into())]);
        let _ = writeln!(anstream::stdout(), "{}", envelope("usage", facts, &Verdict::default(), 2));
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_text_carry_the_same_codes() {
        let verdict: Verdict = Reason::new(Code::NoMutation, "entries/1").values("a", "b").into();
        let json = envelope("validate", Map::new(), &verdict, 4);
        assert_eq!(json["exit"], 4);
        assert_eq!(json["reasons"][0]["code"], "NO_MUTATION");
        assert!(explained(&verdict).contains("NO_MUTATION: entries/1: expected a, found b"));
        assert_eq!(envelope("x", Map::new(), &Verdict::default(), 0)["ok"], true);
    }

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(escaped("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
        assert_eq!(escaped("plain\ttext"), "plain\ttext");
    }
}
