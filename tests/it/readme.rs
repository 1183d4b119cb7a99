//! The README cannot rot: its commands parse, its links and exit codes exist, its session is the demo's.

use std::path::Path;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md")
}

/// The words of a command line, up to a comment. Quotes are not used in the README; digests are cut short.
fn words(line: &str) -> Vec<String> {
    let whole = |word: &str| if word.ends_with('…') { "0".repeat(64) } else { word.to_owned() };
    line.split(" #").next().unwrap_or_default().split_whitespace().map(whole).collect()
}

#[test]
fn every_command_of_the_readme_parses() {
    let text = readme();
    let in_code = text.split('`').skip(1).step_by(2).flat_map(str::lines);
    let typed = text.lines().chain(in_code).filter_map(|line| line.trim().strip_prefix("$ "));
    let mut seen = 0;
    for line in typed.filter(|line| line.starts_with("fix7-ledger ")) {
        let parsed = fix7_ledger::cli::command().try_get_matches_from(words(line));
        if let Err(error) = parsed {
            panic!("the README says `{line}`:\n{error}");
        }
        seen += 1;
    }
    assert!(seen >= 15, "only {seen} commands were found");
    let wrong = fix7_ledger::cli::command().try_get_matches_from(words("fix7-ledger verify --nonsense"));
    assert!(wrong.is_err(), "this test could fail");
}

#[test]
fn what_the_readme_names_exists() {
    for path in [
        "ledger/SPEC.md",
        "ledger/policy.toml",
        "bench/README.md",
        "src/lib.rs",
        "test",
        ".ci/run",
        "keys.example",
    ] {
        assert!(readme().contains(path), "{path} is not in the README");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} does not exist");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_verdicts() {
    use fix7_ledger::verdict::Code;
    let text = readme();
    for code in Code::ALL {
        let row = format!("| {} |", code.class().exit_code());
        assert!(text.contains(&row), "{code} exits with {row}");
    }
}
