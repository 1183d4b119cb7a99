//! Admission of the command line: what asks for more than a rehearsal is refused before anything is parsed.
//!
//! Owns: which arguments are a request's words, and which are values that name files. Must not: have a rule
//! (`judge::request` does). Without this, a forbidden option would only be a wrong one.

use crate::judge::request::{self, Request};
use crate::policy::Policy;
use crate::verdict::Verdict;

/// Verbs that ask for a rehearsal.
const ASKING: [&str; 4] = ["rehearse", "rerun", "survey", "demo"];
/// Options whose values name files, ledgers and numbers: they ask for nothing. The source is judged by its own rule.
const NAMING: [&str; 12] = [
    "--source",
    "--plan",
    "--out",
    "--packet",
    "--policy",
    "--repo",
    "--ledger",
    "--isolation",
    "--threads",
    "--migrations",
    "--dir",
    "--operator",
];

/// What speaks against the arguments of this call, the program's name left out.
pub(super) fn judge(arguments: &[String], environment: Vec<(String, String)>) -> Verdict {
    let mut words = without_globals(arguments).into_iter();
    if !words.next().is_some_and(|verb| ASKING.contains(&verb.as_str())) {
        return Verdict::default();
    }
    let mut asked = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) =
            word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        match (NAMING.contains(&name), value) {
            (true, Some(_)) => {}
            (true, None) => {
                words.next();
            }
            (false, _) => asked.push(word.clone()),
        }
    }
    let request = Request { arguments: asked, environment, ..Request::default() };
    request::judge(&Policy::default_policy(), &request)
}

/// The words without the options that every verb has, which only say how its answer is printed.
fn without_globals(arguments: &[String]) -> Vec<&String> {
    let mut words = arguments.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" | "--no-pager" => {}
            "--color" => drop(words.next()),
            other if other.starts_with("--color=") => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Code;

    fn judged(line: &str) -> Verdict {
        judge(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), Vec::new())
    }

    #[test]
    fn r31_to_r34_a_forbidden_option_is_refused_and_a_path_is_not() {
        for (line, code) in [
            ("rehearse --source a.db --mode REAL_RUN", Code::RealRunForbidden),
            ("--json rehearse --real-run --source a.db", Code::RealRunForbidden),
            ("rehearse QT001/apply", Code::ApplyForbidden),
            ("rerun --CutOver", Code::CutoverForbidden),
            ("survey --migrations a --real-run", Code::RealRunForbidden),
            ("demo --dir a --go-live", Code::CutoverForbidden),
            ("rehearse --source=a.db [deploy]", Code::CiDeployForbidden),
        ] {
            assert!(judged(line).has(code), "{line}");
        }
        for line in [
            "rehearse --source deploy/a.db --plan=plans/cutover --out apply",
            "survey --migrations db/apply",
            "demo --dir cutover",
            "verify --cutover",
            "rehearse",
            "",
        ] {
            assert!(judged(line).accepted(), "{line}: {:?}", judged(line));
        }
    }

    #[test]
    fn r31_the_environment_of_a_rehearsal_asks_too() {
        let environment = vec![("FIX7_MODE".to_owned(), "real-run".to_owned())];
        assert!(judge(&["rehearse".to_owned()], environment.clone()).has(Code::RealRunForbidden));
        assert!(judge(&["verify".to_owned()], environment).accepted());
    }
}
