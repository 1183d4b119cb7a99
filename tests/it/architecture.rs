//! The rules about what may use what, read off the sources (DESIGN section 11).

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry of src").path();
        match path.is_dir() {
            true => sources(&path, into),
            false if path.extension().is_some_and(|e| e == "rs") => into.push(path),
            false => {}
        }
    }
}

/// Path below src/, its top-level module, and the code above `#[cfg(test)]` without comments.
fn code() -> Vec<(String, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files.sort();
    // A file that is only compiled for tests is no part of the product.
    let of_tests =
        |path: &Path| path.with_extension("").iter().any(|part| part.to_string_lossy().ends_with("tests"));
    files
        .into_iter()
        .filter(|path| !of_tests(path.strip_prefix(&src).expect("below src")))
        .map(|path| {
            let below = path.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
            let module = below.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("UTF-8 source");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            let text = lines.map(|l| format!("{l}\n")).collect();
            (below, module, text)
        })
        .collect()
}

/// The modules in the order of `lib.rs`: each may use only those above it.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("lib.rs");
    let modules = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_owned).collect()
}

fn crate_uses(text: &str) -> Vec<String> {
    let mut used: Vec<String> = text
        .match_indices("crate::")
        .flat_map(|(at, m)| {
            let rest = &text[at + m.len()..];
            let first =
                |s: &str| s.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
            match rest.strip_prefix('{') {
                // use crate::{a::X, b};
                Some(group) => {
                    let mut depth = 0;
                    let mut names = vec![first(group.trim_start())];
                    for (i, c) in group.char_indices() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => names.push(first(group[i + 1..].trim_start())),
                            _ => {}
                        }
                    }
                    names
                }
                None => vec![first(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect();
    used.sort();
    used.dedup();
    used
}

#[test]
fn a_module_uses_only_those_above_it() {
    let order = order();
    assert!(order.len() > 15, "lib.rs lists the modules: {order:?}");
    let place = |name: &str| order.iter().position(|m| m == name);
    let mut wrong = Vec::new();
    for (file, module, text) in code() {
        if module == "lib" || module == "main" {
            continue;
        }
        let own = place(&module).unwrap_or_else(|| panic!("{file}: `{module}` is not listed in lib.rs"));
        for used in crate_uses(&text) {
            match place(&used) {
                Some(other) if other <= own => {}
                Some(_) => wrong.push(format!("{file} uses `{used}`, which stands below it in lib.rs")),
                None => wrong.push(format!("{file} uses `crate::{used}`, which is not a module of lib.rs")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_groups_and_paths() {
    let text = "use crate::{digest::Digest, time};\nlet x = crate::canon::to_vec(&{crate::merkle::leaf(y)});";
    assert_eq!(crate_uses(text), ["canon", "digest", "merkle", "time"]);
}

#[test]
fn effects_stand_at_the_edges() {
    // (word, the modules that may use it)
    let rules: [(&str, &[&str]); 14] = [
        ("postgres::Client", &["rehearse"]),
        ("rusqlite", &["rehearse", "index"]),
        ("gix", &["ledger"]),
        ("chrono::", &["time"]),
        ("landlock::", &["rehearse"]),
        ("seccompiler", &["rehearse"]),
        ("println!", &["cli"]),
        ("eprintln!", &["cli"]),
        ("std::env::", &["cli"]),
        ("SystemTime::now", &["cli"]),
        ("process::exit", &["cli", "rehearse"]), // the confined child ends by itself
        ("std::fs", &["rehearse", "ledger", "cli", "index"]),
        ("std::process::Command", &["rehearse", "ledger", "cli"]),
        ("getrandom", &["cli", "rehearse"]), // names of listeners and secrets that nobody can guess
    ];
    let mut wrong = Vec::new();
    for (file, module, text) in code() {
        for (word, allowed) in rules {
            if text.contains(word) && !allowed.contains(&module.as_str()) && module != "main" {
                wrong.push(format!("{file} uses `{word}`, which belongs to {allowed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_are_small() {
    let mut long = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for path in files {
        let lines = fs::read_to_string(&path).expect("UTF-8 source").lines().count();
        if lines > 400 {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "split along their ideas:\n{}", long.join("\n"));
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let allowed: Vec<_> = code()
        .into_iter()
        .filter(|(_, _, text)| text.contains("allow(unsafe_code)") || text.contains("unsafe {"))
        .map(|(file, _, _)| file)
        .filter(|file| file != "rehearse/isolation/kernel.rs")
        .collect();
    assert!(allowed.is_empty(), "{allowed:?}");
}
