#!/bin/sh
# The rehearsal again, from this packet's own plan, in a scratch copy; then every byte compared.
# usage: sh RERUN.sh SOURCE [POLICY]
# POLICY: the policy file to judge by; without it, the ledger's here, else the default one.
# exit 0: the same packet_tree.sha256 was reached. exit 1: it was not, or this packet is not the one it says it is.
set -u
[ "$#" -eq 1 ] || [ "$#" -eq 2 ] || { echo "usage: sh RERUN.sh SOURCE [POLICY]" >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 3
tool=${FIX7_LEDGER:-fix7-ledger}
source=$1
if [ "$#" -eq 2 ]; then set -- --policy "$2"; else set --; fi
sha256() { if command -v sha256sum >/dev/null 2>&1; then sha256sum -- "$@"; else shasum -a 256 -- "$@"; fi; }
scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT
trap 'exit 3' HUP INT TERM
fail() { echo "not the same: $1"; exit 1; }

# Every file but the manifest and the tree file, in the order of the paths' bytes. A link is never followed.
manifest() {
    (
        cd -- "$1" || exit 3
        [ -z "$(find . ! -type f ! -type d)" ] || exit 1
        find . -type f ! -path ./HASH_MANIFEST.txt ! -path ./packet_tree.sha256 | sed 's|^\./||' | LC_ALL=C sort |
            while IFS= read -r path; do sha256 "$path" || exit 1; done
    )
}

# The copy is what is worked on: this packet is only read, and compared with last.
cp -R -- "$here" "$scratch/given" || exit 3
manifest "$scratch/given" >"$scratch/given.manifest" || fail "a file of this packet cannot be read"
cmp -s "$scratch/given.manifest" "$scratch/given/HASH_MANIFEST.txt" || fail "HASH_MANIFEST.txt does not list this packet's files"

"$tool" rerun --packet "$scratch/given" --source "$source" --out "$scratch/again" "$@" || fail "the rerun says so (exit $?)"

manifest "$scratch/again" >"$scratch/again.manifest" || fail "a file of the rerun cannot be read"
cmp "$scratch/again.manifest" "$here/HASH_MANIFEST.txt" || fail "the manifests differ"
tree=$(sha256 "$scratch/again.manifest" | cut -d ' ' -f 1)
[ "$tree  HASH_MANIFEST.txt" = "$(cat -- "$here/packet_tree.sha256")" ] || fail "packet_tree.sha256"
echo "the same: $tree"
exit 0
