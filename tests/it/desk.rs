//! A desk with a browser on it: opening reports, pasting, pressing, and reading what the page says; and entries as
//! somebody makes them whose program asks nothing.

use std::collections::BTreeMap;

use fix7_ledger::dsse;
use fix7_ledger::entry::{StoredEntry, Unsigned, content_digest, file_digests};
use fix7_ledger::judge;
use fix7_ledger::keys::Signer;
use fix7_ledger::report::html;
use fix7_ledger::state::State;
use fix7_ledger::statement::{SIGNATURE_FILE, STATEMENT_FILE, Statement};
use fix7_ledger::verify::{Options, Packets, verify};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::forge;
use crate::harness::Scratch;

/// A browser and where its pages lie.
pub struct Desk {
    pub browser: Browser,
    scratch: Scratch,
    pages: u32,
}

/// What the page says after its button was pressed.
#[derive(Debug)]
pub struct Finding {
    pub outcome: String,
    pub text: String,
    pub broken: Vec<u64>,
}

impl Desk {
    pub fn new() -> Desk {
        Desk { browser: Browser::new(), scratch: Scratch::new(), pages: 0 }
    }

    pub fn open(&mut self, page: &str) {
        self.pages += 1;
        let path = self.scratch.write(&format!("page-{}.html", self.pages), page);
        self.browser.open(&path);
    }

    /// Pastes and presses.
    pub fn press(&mut self, pin: &str, head: &str) -> Finding {
        let (pin, head) = (json!(pin), json!(head));
        self.browser.value(&format!(
            "document.getElementById('pin').value = {pin}; document.getElementById('head').value = {head}; \
             document.getElementById('verify').click()"
        ));
        self.browser.until("!document.getElementById('verify').disabled");
        let found = self.browser.value(
            "({outcome: document.getElementById('outcome').className, \
               text: document.querySelector('.verify').innerText, \
               broken: [...document.querySelectorAll('#entries .seal.broken')].map(seal => Number(seal.dataset.seq)).sort()})",
        );
        let text = |name: &str| found[name].as_str().expect("a text").to_owned();
        let broken = found["broken"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
        Finding { outcome: text("outcome"), text: text("text"), broken }
    }

    pub fn finding(&mut self, entries: &[StoredEntry], pin: &str, head: &str) -> Finding {
        self.open(&html(entries));
        self.press(pin, head)
    }
}

/// Replaces the only occurrence of a text in bytes.
#[track_caller]
pub fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    assert!(text.contains(from), "`{from}` is not there");
    text.replacen(from, to, 1).into_bytes()
}

pub fn change(entries: &mut [StoredEntry], n: usize, path: &str, from: &str, to: &str) {
    let bytes = entries[n].files.get_mut(path).expect("there");
    *bytes = replaced(bytes, from, to);
}

/// The state after these entries.
pub fn state(entries: &[StoredEntry]) -> State {
    let facts = |files: &BTreeMap<String, Vec<u8>>| judge::packet_facts(&forge::packet(files));
    let packets = Packets { facts: &facts, judge: None };
    let (report, state) = verify(entries.to_vec(), Options::default(), packets);
    assert_eq!(report.verified, entries.len() as u64, "{report:?}");
    state
}

/// The next entry as somebody makes it whose program asks nothing.
pub fn forged(
    entries: &[StoredEntry],
    statement: &Statement,
    author: &str,
    signer: &Signer<'_>,
    mut files: BTreeMap<String, Vec<u8>>,
) -> StoredEntry {
    let state = state(entries);
    let signatures = dsse::sign(statement.bytes(), &[signer]).expect("signed");
    files.insert(STATEMENT_FILE.into(), statement.bytes().to_vec());
    files.insert(SIGNATURE_FILE.into(), signatures.to_bytes());
    let content = content_digest(&file_digests(&files));
    let key = signer.public().fingerprint();
    let leaf = state.next_leaf(statement, content, key, state.last_time().expect("begun"));
    let parent = entries.last().expect("an entry").oid.parse().expect("an id");
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().expect("an id");
    let label = statement.claim().label().clone();
    let unsigned =
        Unsigned::new(tree, Some(parent), author.parse().expect("a label"), label, leaf).expect("fields");
    StoredEntry { oid: String::new(), commit: unsigned.sign(signer).expect("signed").to_bytes(), files }
}
