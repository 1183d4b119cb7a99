//! The report as one HTML file that draws and checks itself, without a network.
//!
//! Owns: how the page is put together: template, style and script are files beside this one, each in one piece and
//! named by its SHA-256 in the page's content security policy. Must not: put any data into markup. The data stands in
//! the archive alone, as base64; the script makes text nodes of it, and the policy (`require-trusted-types-for`) makes
//! the browser refuse anything else.
//!
//! ```text
//! page.html   {{policy}} {{style}} {{script}} {{archive}}
//! script      bytes.js · archive.js · entry.js · replay.js · verify.js · picture.js · view.js · main.js
//! ```

use base64ct::{Base64, Encoding};

use super::archive;
use crate::digest::Digest;
use crate::entry::StoredEntry;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// The script's parts, in the order in which they build on each other.
const SCRIPT: [&str; 8] = [
    include_str!("page/bytes.js"),
    include_str!("page/archive.js"),
    include_str!("page/entry.js"),
    include_str!("page/replay.js"),
    include_str!("page/verify.js"),
    include_str!("page/picture.js"),
    include_str!("page/view.js"),
    include_str!("page/main.js"),
];

/// The report of these entries, which begin with the genesis. The same entries give the same bytes.
pub fn html(entries: &[StoredEntry]) -> String {
    let script = script();
    let parts = [
        ("{{policy}}", policy(&script)),
        ("{{style}}", STYLE.to_owned()),
        ("{{archive}}", archive::pack(entries)),
        ("{{script}}", script),
    ];
    let mut page =
        String::with_capacity(parts.iter().map(|(_, part)| part.len()).sum::<usize>() + PAGE.len());
    let mut rest = PAGE;
    // Each marker once, in the template's own order: what was put in is never looked at again.
    for (marker, part) in parts {
        let (before, after) = rest.split_once(marker).expect("the template has every marker, in this order");
        page.push_str(before);
        page.push_str(&part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// The script of every report of this release, whatever it reports.
pub fn script() -> String {
    let mut script = String::from("\"use strict\";\n");
    for part in SCRIPT {
        script.push_str(part);
    }
    script
}

/// Nothing may be loaded, sent, framed or evaluated; only this style and this script count.
fn policy(script: &str) -> String {
    let source =
        |text: &str| format!("'sha256-{}'", Base64::encode_string(Digest::of(text.as_bytes()).as_bytes()));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        source(STYLE),
        source(script),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixture::Book;

    #[test]
    fn the_same_entries_give_the_same_page_and_data_stands_in_the_archive_alone() {
        let book = Book::full();
        let page = html(&book.entries);
        assert_eq!(page, html(&book.entries));
        let (before, rest) = page.split_once("id=\"archive\">\n").expect("an archive");
        let (archive, after) = rest.split_once("</script>").expect("its end");
        assert!(archive.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=\n".contains(&b)));
        let empty = html(&[]);
        assert!(empty.starts_with(before) && empty.ends_with(after), "nothing else depends on the entries");
    }

    #[test]
    fn the_page_names_nothing_outside_of_itself() {
        let page = html(&[]);
        for word in ["src=", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML", "eval(", "{{"] {
            assert!(!page.contains(word), "{word}");
        }
        // Addresses are names of formats, never places to go to.
        let names =
            ["http://www.w3.org/2000/svg", "https://fix7-ledger.example/", "https://in-toto.io/Statement/v1"];
        let rest = names.iter().fold(page, |page, name| page.replace(name, ""));
        assert!(!rest.contains("http:") && !rest.contains("https:"), "an address");
    }
}
