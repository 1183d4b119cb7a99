//! What somebody with a key, or with the repository in hand, can make: entries and commits of any kind.
#![allow(dead_code)] // not every topic needs every builder

use std::collections::BTreeMap;
use std::path::PathBuf;

use fix7_ledger::digest::Digest;
use fix7_ledger::dsse;
use fix7_ledger::entry::{Unsigned, content_digest, file_digests};
use fix7_ledger::judge;
use fix7_ledger::packet::Files;
use fix7_ledger::state::State;
use fix7_ledger::statement::{Grant, Nonce, Scope, Statement};
use fix7_ledger::time::Timestamp;
use fix7_ledger::verify::{EntryFiles, Options, Packets, verify};

use crate::stage::Stage;

/// The packet among an entry's files.
pub fn packet(files: &EntryFiles) -> Files {
    let named = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix("packet/")?, bytes.clone())));
    Files::collect(named).0
}

impl Stage {
    /// The state of a ledger, replayed in this process.
    pub fn state(&self, repo: &str) -> State {
        let facts = |files: &EntryFiles| judge::packet_facts(&packet(files));
        let (report, state) =
            verify(self.entries(repo), Options::default(), Packets { facts: &facts, judge: None });
        assert_eq!(report.reasons().count(), 0, "{report:?}");
        state
    }

    /// The next entry in its one form, whoever signs it: a grant for anna. Gives the commit's bytes; its files are in
    /// the repository, no ref names it.
    pub fn grant_by(&self, repo: &str, who: &str, time: Timestamp) -> Vec<u8> {
        let (signer, state) = (self.signer(who), self.state(repo));
        let grant = Grant {
            id: format!("by-{who}").parse().expect("a label"),
            operator: self.signer("anna").public().fingerprint(),
            scope: Scope { plan: None, source: None },
            expires_after_seq: None,
        };
        let nonce = Digest::of(who.as_bytes()).as_bytes()[..16].try_into().expect("16 bytes");
        let id = state.ledger().expect("a ledger").id;
        let statement = Statement::grant(id, Nonce::from_bytes(nonce), grant).expect("a grant");
        let signatures = dsse::sign(statement.bytes(), &[&signer]).expect("signed");
        let files = BTreeMap::from([
            ("statement.json".to_owned(), statement.bytes().to_vec()),
            ("statement.sig".to_owned(), signatures.to_bytes()),
        ]);
        let content = content_digest(&file_digests(&files));
        let leaf = state.next_leaf(&statement, content, signer.public().fingerprint(), time);
        let tree = self.tree(repo, &files).parse().expect("an id");
        let parent = Some(self.tip(repo).parse().expect("an id"));
        let label = statement.claim().label().clone();
        let unsigned = Unsigned::new(tree, parent, who.parse().expect("a label"), label, leaf);
        unsigned.expect("fits").sign(&signer).expect("signed").to_bytes()
    }

    /// Writes a tree of plain files.
    #[track_caller]
    pub fn tree(&self, repo: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
        let mut script = "export GIT_INDEX_FILE=\"$PWD/forged-index\"; rm -f forged-index\n".to_owned();
        for (path, bytes) in files {
            let blob = self.store_as(repo, "blob", bytes);
            script.push_str(&format!("git update-index --add --cacheinfo 100644,{blob},{path} && "));
        }
        script.push_str("git write-tree && rm -f forged-index");
        self.sh(repo, &script).ok().stdout.trim().to_owned()
    }

    /// A commit object over `payload` (headers, an empty line, message), signed by `ssh-keygen` for git.
    #[track_caller]
    pub fn signed(&self, who: &str, payload: &[u8]) -> Vec<u8> {
        self.scratch.write("payload", payload);
        let _ = std::fs::remove_file(self.scratch.path("payload.sig"));
        let sign = format!("chmod 600 keys/{who} && ssh-keygen -q -Y sign -n git -f keys/{who} payload");
        self.sh(".", &sign).ok();
        let armor = std::fs::read_to_string(self.scratch.path("payload.sig")).expect("a signature");
        with_signature(payload, armor.trim_end())
    }

    /// The one object file or pack that holds an object, to be damaged.
    pub fn packs(&self, repo: &str) -> Vec<PathBuf> {
        let directory = self.scratch.path(repo).join("objects/pack");
        let all = std::fs::read_dir(directory).expect("packs").map(|e| e.expect("a file").path());
        let mut packs: Vec<_> = all.filter(|p| p.extension().is_some_and(|e| e == "pack")).collect();
        packs.sort();
        packs
    }
}

/// Headers and message with an armored signature between them.
pub fn with_signature(payload: &[u8], armor: &str) -> Vec<u8> {
    let end = payload.windows(2).position(|pair| pair == b"\n\n").expect("headers and a message") + 1;
    let header = format!("gpgsig {}\n", armor.replace('\n', "\n "));
    [&payload[..end], header.as_bytes(), &payload[end..]].concat()
}

/// A commit taken apart: the bytes that are signed, and the armored signature.
pub fn apart(commit: &[u8]) -> (Vec<u8>, String) {
    let text = String::from_utf8(commit.to_vec()).expect("ASCII");
    let from = text.find("gpgsig ").expect("a signature");
    let end = "-----END SSH SIGNATURE-----";
    let to = text.find(end).expect("its end") + end.len();
    let armor = text[from + "gpgsig ".len()..to].replace("\n ", "\n");
    (format!("{}{}", &text[..from], &text[to + 1..]).into_bytes(), armor)
}

/// A time as an entry writes it.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
