//! Every channel of a push, in git's own objects: `examine` finds each text, the gate reads it.

use fix7_ledger::judge::gate::Channel;
use fix7_ledger::ledger::push::{Push, Side, Update, examine};
use fix7_ledger::ledger::{Oid, Repository};
use fix7_ledger::verdict::{Code, Verdict};
use gix::objs::{Kind, Write as _};

use super::disguises::DISGUISES;
use super::{Count, Look, gate};
use crate::harness::Scratch;

const CLAIM: &str = "PRODUCTION_PASS";
/// As long, of the same letters as far as possible, and no claim.
const TWIN: &str = "PRODUCTION_PLAN";
const WHO: &str = "t <t@example.invalid> 1795392000 +0000";

/// A repository to push to, that git's own checks are not asked about.
struct Site {
    _scratch: Scratch,
    repository: Repository,
    store: gix::odb::Handle,
}

impl Site {
    fn new() -> Site {
        let scratch = Scratch::new();
        scratch.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]).ok();
        let repository = Repository::open(&scratch.path("server.git")).expect("opens");
        let store = gix::odb::at(scratch.path("server.git/objects"), gix::hash::Kind::Sha1).expect("opens");
        Site { _scratch: scratch, repository, store }
    }

    fn object(&self, kind: Kind, bytes: &[u8]) -> Oid {
        self.store.write_buf(kind, bytes).expect("written")
    }

    fn tree(&self, mode: &str, name: &str, id: Oid) -> Oid {
        self.object(Kind::Tree, &[format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat())
    }

    /// A commit with a file and with these headers behind its tree.
    fn commit(&self, tree: Oid, headers: &str, message: &str) -> Oid {
        self.object(Kind::Commit, format!("tree {tree}\n{headers}\n\n{message}\n").as_bytes())
    }

    fn file(&self, path: &str, bytes: &[u8]) -> Oid {
        let blob = self.object(Kind::Blob, bytes);
        let mut names = path.rsplit('/').filter(|name| !name.is_empty());
        let leaf = self.tree("100644", names.next().unwrap_or("x"), blob);
        let tree = names.fold(leaf, |tree, name| self.tree("40000", name, tree));
        self.commit(tree, &format!("author {WHO}\ncommitter {WHO}"), "a message")
    }

    fn plain(&self) -> Oid {
        self.file("docs/a.md", b"text\n")
    }

    fn headers(&self, headers: &str) -> Oid {
        let tree = self.object(Kind::Tree, b"");
        self.commit(tree, headers, "a message")
    }

    fn tag(&self, name: &str, tagger: &str, message: &str) -> Oid {
        let target = self.plain();
        let text = format!("object {target}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}\n");
        self.object(Kind::Tag, text.as_bytes())
    }

    fn verdict(&self, look: &dyn Look, sent: &Sent) -> Verdict {
        let update = Update { reference: sent.reference.clone(), old: None, new: Some(sent.id) };
        let options = sent.option.iter().cloned().collect();
        let push = Push { side: Side::PreReceive, updates: vec![update], options };
        let mut scan = |_: &str, channel: Channel<'_>, bytes: &[u8]| look.text(channel, bytes);
        examine(&self.repository, &push, &mut scan).verdict
    }
}

/// One ref of a push.
struct Sent {
    reference: String,
    id: Oid,
    option: Option<String>,
}

fn sent(reference: &str, id: Oid) -> Sent {
    Sent { reference: reference.to_owned(), id, option: None }
}

/// A channel: its name, what its texts must not hold, and the push that carries a text in it.
type Carrier = (&'static str, &'static [char], fn(&Site, &str) -> Sent);

/// What a line of a git object cannot hold.
const LINE: &[char] = &['\n', '\0'];
/// What a name in an identity cannot hold.
const NAME: &[char] = &['\n', '\0', '<', '>'];

const CARRIERS: &[Carrier] = &[
    ("commit message", &['\0'], |s, t| {
        let id = s.commit(s.object(Kind::Tree, b""), &format!("author {WHO}\ncommitter {WHO}"), t);
        sent("refs/heads/x", id)
    }),
    ("body of a commit message", &['\0'], |s, t| {
        let text = format!("subject\n\nbody\n{t}\n\nSigned-off-by: {WHO}");
        let id = s.commit(s.object(Kind::Tree, b""), &format!("author {WHO}\ncommitter {WHO}"), &text);
        sent("refs/heads/x", id)
    }),
    ("author", NAME, |s, t| {
        sent("refs/heads/x", s.headers(&format!("author {t} <a@x> 1 +0000\ncommitter {WHO}")))
    }),
    ("committer", NAME, |s, t| {
        sent("refs/heads/x", s.headers(&format!("author {WHO}\ncommitter {t} <a@x> 1 +0000")))
    }),
    ("further header", LINE, |s, t| {
        sent("refs/heads/x", s.headers(&format!("author {WHO}\ncommitter {WHO}\nnote {t}")))
    }),
    ("file name", &['\0'], |s, t| sent("refs/heads/x", s.file(&format!("docs/{t}.md"), b"text\n"))),
    ("directory name", &['\0'], |s, t| sent("refs/heads/x", s.file(&format!("{t}/a.md"), b"text\n"))),
    ("ref name", LINE, |s, t| sent(&format!("refs/heads/{t}"), s.plain())),
    ("custom ref name", LINE, |s, t| sent(&format!("refs/changes/{t}"), s.plain())),
    ("name of a lightweight tag", LINE, |s, t| sent(&format!("refs/tags/{t}"), s.plain())),
    ("name within a tag", LINE, |s, t| sent("refs/tags/x", s.tag(t, WHO, "a message"))),
    ("tagger", NAME, |s, t| sent("refs/tags/x", s.tag("x", &format!("{t} <a@x> 1 +0000"), "a message"))),
    ("tag message", &[], |s, t| sent("refs/tags/x", s.tag("x", WHO, t))),
    ("note", &[], |s, t| {
        let noted = s.plain();
        sent("refs/notes/commits", s.file(&noted.to_string(), t.as_bytes()))
    }),
    ("stash", &['\0'], |s, t| {
        let id = s.commit(s.object(Kind::Tree, b""), &format!("author {WHO}\ncommitter {WHO}"), t);
        sent("refs/stash", id)
    }),
    ("tag on a tree", &['\0'], |s, t| {
        let blob = s.object(Kind::Blob, b"text\n");
        sent("refs/tags/x", s.tree("100644", &t.replace('/', "-"), blob))
    }),
    ("push option", LINE, |s, t| Sent { option: Some(t.to_owned()), ..sent("refs/heads/x", s.plain()) }),
];

/// Carriers of a file's content, where a token counts that is written as one.
const FILES: &[Carrier] = &[
    ("file", &[], |s, t| sent("refs/heads/x", s.file("docs/a.md", format!("text {t} text\n").as_bytes()))),
    ("value in a JSON file", &[], |s, t| {
        let text = serde_json::json!({"note": t}).to_string();
        sent("refs/heads/x", s.file("a.json", text.as_bytes()))
    }),
    ("key in a JSON file", &[], |s, t| {
        let text = serde_json::json!({ t: 1 }).to_string();
        sent("refs/heads/x", s.file("a.json", text.as_bytes()))
    }),
    ("tag on a file", &[], |s, t| sent("refs/tags/x", s.object(Kind::Blob, t.as_bytes()))),
];

/// Disguises that make several words of a token, which prose has too: `production … pass` in a program or a text on
/// an ordinary ref is no claim.
const PROSE: &[&str] = &["spaces", "slashes", "a line break", "an em dash"];

fn each(look: &dyn Look, word: &str, mut told: impl FnMut(&Verdict, String)) {
    let site = Site::new();
    let carriers = CARRIERS.iter().map(|c| (c, false)).chain(FILES.iter().map(|c| (c, true)));
    for ((channel, forbidden, carry), is_file) in carriers {
        for (disguise, write) in DISGUISES {
            let text = write(word);
            if text.contains(*forbidden) || is_file && PROSE.contains(disguise) {
                continue;
            }
            let verdict = site.verdict(look, &carry(&site, &text));
            told(&verdict, format!("{channel}, {disguise}: {text:?}"));
        }
    }
}

/// Every disguise in every channel.
pub fn attacks(look: &dyn Look) -> Count {
    let mut count = Count::default();
    each(look, CLAIM, |verdict, what| count.refused(verdict, Code::ClaimFound, || what));
    count
}

#[test]
fn every_channel_of_a_push_refuses_every_disguise_and_takes_its_twin() {
    attacks(&gate()).told("a claim in the channels of a push", "refused", 700);
    let mut count = Count::default();
    each(&gate(), TWIN, |verdict, what| count.passed(verdict, || what));
    count.told("its twin in the channels of a push", "passed", 700);
}
