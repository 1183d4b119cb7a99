//! The census: every test by its name, for the tables that say which test shows what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What makes a function a test; it does not stand here as such.
const ATTRIBUTE: &str = concat!("#[", "test]");

/// The names of all tests in `src` and `tests`. A function counts where the attribute stands right before it.
pub fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&root.join("tests"), &mut text);
    let name = |rest: &str| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned());
    text.split(ATTRIBUTE).skip(1).filter_map(name).collect()
}

fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn the_census_knows_what_is_there_and_what_is_not() {
    let tests = tests();
    assert!(tests.contains("the_census_knows_what_is_there_and_what_is_not"));
    assert!(!tests.contains("a_test_that_nobody_wrote") && !tests.contains("sources"));
}
