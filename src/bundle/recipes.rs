//! The text in a bundle: how to check it with tools that everybody has. Each recipe is run by a test as printed.

use crate::entry::Entry;

/// One recipe.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The tool.
    pub tool: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// Lines of shell, to be run in the unpacked directory; they end with 0 where it holds. `SIGNER` is replaced by the
    /// entry's author.
    pub shell: &'static str,
}

/// Every recipe, in the order of the text.
pub const RECIPES: [Recipe; 6] = [
    Recipe {
        tool: "sha256sum",
        shows: "every file of the entry is one that the signed leaf names",
        shell: r#"(cd entry && find . -type f ! -name commit -printf '%P\n' | LC_ALL=C sort | xargs sha256sum) > content
grep -q "^Fix7-Content: sha256:$(sha256sum < content | cut -c1-64)$" entry.leaf
[ ! -e entry/packet ] || (cd entry/packet && sha256sum -c --quiet HASH_MANIFEST.txt)"#,
    },
    Recipe {
        tool: "git",
        shows: "the commit is signed by the key in allowed_signers",
        shell: r#"git init -q check.git --bare
commit=$(git -C check.git hash-object -t commit -w ../entry/commit)
git -C check.git -c gpg.ssh.allowedSignersFile="$PWD/allowed_signers" verify-commit "$commit""#,
    },
    Recipe {
        tool: "ssh-keygen",
        shows: "the same without git, and that the leaf is part of what was signed",
        shell: r#"sed -n '/^gpgsig /,/END SSH SIGNATURE/p' entry/commit | sed 's/^gpgsig //; s/^ //' > commit.sig
sed '/^gpgsig /,/END SSH SIGNATURE/d' entry/commit > commit.signed
ssh-keygen -Y verify -f allowed_signers -I SIGNER -n git -s commit.sig < commit.signed
sed -n '/^Fix7-Entry: /,$p' commit.signed | cmp - entry.leaf"#,
    },
    Recipe {
        tool: "openssl",
        shows: "the statement is signed by the same key (DSSE)",
        shell: r#"{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < entry/statement.json)"; cat entry/statement.json; } > pae
fingerprint=$(sed -n 's/^Fix7-Key: //p' entry.leaf)
sed 's/{"keyid"/\n&/g' entry/statement.sig | grep -F "\"$fingerprint\"" | sed 's/.*"sig":"\([^"]*\)".*/\1/' | base64 -d > statement.raw
openssl pkeyutl -verify -rawin -pubin -inkey signer.pem -sigfile statement.raw -in pae"#,
    },
    Recipe {
        tool: "Python",
        shows: "the leaf stands under the root that the checkpoint names (RFC 6962)",
        shell: r#"python3 - <<'END'
import base64, hashlib
sha = lambda data: hashlib.sha256(data).digest()
head, checkpoint = open("entry.tlog-proof").read().split("\n\n", 1)
origin, size, root = checkpoint.split("\n")[:3]
lines = head.split("\n")
index, hashes = int(lines[2].split()[1]), [base64.b64decode(line) for line in lines[3:]]
node, last = sha(b"\0" + open("entry.leaf", "rb").read()), int(size) - 1
for other in hashes:
    while index % 2 == 0 and index == last:
        index, last = index // 2, last // 2
    node = sha(b"\1" + (other + node if index % 2 else node + other))
    index, last = index // 2, last // 2
assert node == base64.b64decode(root), "the leaf is not under this checkpoint"
print("under", origin, "of", size, "entries")
END"#,
    },
    Recipe {
        tool: "Python",
        shows: "no entry is left out, and each that changed keys or policy is in registry/ (RFC 6962)",
        shell: r#"python3 - <<'END'
import hashlib, base64, os, re
sha = lambda data: hashlib.sha256(data).digest()
leaves = re.findall(b"Fix7-Entry: v1\n(?:Fix7-(?!Entry).*\n)+", open("leaves", "rb").read())
assert b"".join(leaves) == open("leaves", "rb").read(), "other text stands among the leaves"
peaks = []
for size, leaf in enumerate(leaves):
    node = sha(b"\0" + leaf)
    while size % 2:
        node, size = sha(b"\1" + peaks.pop() + node), size // 2
    peaks.append(node)
while len(peaks) > 1:
    right, left = peaks.pop(), peaks.pop()
    peaks.append(sha(b"\1" + left + right))
origin, size, root = open("checkpoint").read().split("\n")[:3]
assert len(leaves) == int(size) and peaks[0] == base64.b64decode(root), "they are not the checkpoint's"
for seq, leaf in enumerate(leaves):
    if seq and re.search(b"^Fix7-Kind: (key|policy)$", leaf, re.M):
        place = f"registry/{seq}/commit" if os.path.exists(f"registry/{seq}") else "entry/commit"
        assert open(place, "rb").read().endswith(b"\n\n" + leaf), f"entry {seq} is not in registry/"
print(size, "leaves under", origin)
END"#,
    },
];

/// The whole text.
pub(super) fn text(entry: &Entry) -> String {
    let leaf = entry.leaf();
    let mut text = format!(
        "Entry #{} ({}) of fix7-ledger {}, signed by {}. Production is on HOLD_PRODUCTION.\n\n\
         With this program:   fix7-ledger verify --bundle FILE --trust KEY [--policy FILE]   (the log's key, an owner's, or the id)\n\
         Without it, run these in the directory where this archive was unpacked. Each ends with 0 where it holds.\n\
         What they cannot show: that the checkpoint's log is the one that you mean (compare its key), and that the\n\
         signer was allowed to sign (genesis/statement.json lists the first keys, and its SHA-256 is the ledger's id;\n\
         registry/ has every entry that changed keys or policy since).\n",
        leaf.seq,
        leaf.kind.name(),
        leaf.ledger,
        entry.author()
    );
    for (number, recipe) in RECIPES.iter().enumerate() {
        let shell = recipe.shell.replace("SIGNER", entry.author().as_str());
        text.push_str(&format!("\n{}. {}: {}\n\n{shell}\n", number + 1, recipe.tool, recipe.shows));
    }
    text
}
