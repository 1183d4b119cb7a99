#!/usr/bin/env python3
"""bench/compare verify [ENTRIES [ROUNDS]]: a whole ledger, against git's own tools on the same repository.

The ledger is synthesised with the product's own code: a genesis, grants, and rehearsals (25 files each) whose packets all
differ; about 13 files an entry. ENTRIES (default 2001); it is kept in $BENCH_DIR/verify-ENTRIES where BENCH_DIR is set.
Needs `cargo build --release --bins --example synthesise --example floor`. In each of ROUNDS (default 3), in turn:

    fix7-ledger verify                     everything: objects, chain, content, two signatures, authority, packets
    fix7-ledger verify --skip-judgement    without judging packets and claims: what git's tools can check, and more
    floor                                  inflating, hashing and two signatures an entry, and nothing else
    git log --format=%G?                   the commits' signatures alone, over a sample, scaled to the whole ledger
    git fsck --full                        git's own hashes alone
    sq-git log                             the OpenPGP signatures of as many commits, its cache cold: only where it is
                                           installed (cargo install sequoia-git; git and gpg make the commits)
"""
import os
import shutil
import sys
from pathlib import Path

from side_by_side import BINARY, ROOT, Place, require_binary, synthesised, table

REF = "refs/heads/fix7-ledger/main"
OURS = "fix7-ledger verify --skip-judgement, one thread"
FLOOR = ROOT / "target/release/examples/floor"
SAMPLE = 40
KEY = "bench@example.invalid"
NOT_ESTABLISHED = 3  # what was not judged does not count as held


def main():
    require_binary()
    if not FLOOR.exists():
        sys.exit(f"{FLOOR} is not there: cargo build --release --example floor")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2001
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    place = prepared(count)
    total = int(place.run("git", "-C", "ledger.git", "rev-list", "--count", REF))
    (place.path / "signers").write_text(place.us("export", "allowed-signers", "--repo", "ledger.git"))
    signed = ("git", "-C", "ledger.git", "-c", f"gpg.ssh.allowedSignersFile={place.path}/signers")
    root = openpgp(place, total) if shutil.which("sq-git") else None
    rows = {}

    def measure(name, command, scale=1.0, **how):
        wall, processor = place.timed(command, **how)
        rows.setdefault(name, []).append((wall * scale, processor * scale))

    verify = (BINARY, "verify", "--repo", "ledger.git", "--forget")
    for _ in range(rounds):
        measure(OURS, (*verify, "--skip-judgement", "--threads", "1"), exits=NOT_ESTABLISHED)
        measure("fix7-ledger verify --skip-judgement", (*verify, "--skip-judgement"), exits=NOT_ESTABLISHED)
        measure("fix7-ledger verify, one thread", (*verify, "--threads", "1"))
        measure("fix7-ledger verify", verify)
        measure("the floor, one thread", (FLOOR, "ledger.git"))
        if root:
            shutil.rmtree(place.path / "home/.cache", ignore_errors=True)
            measure("sq-git log", ("sq-git", "log", "--trust-root", root), inside="openpgp")
        measure("git fsck --full", ("git", "-C", "ledger.git", "fsck", "--full", "--no-progress"))
        sample = min(SAMPLE, total)
        measure(f"git log --format=%G? ({sample} commits, scaled to {total})",
                (*signed, "log", "-n", str(sample), "--format=%G?", REF), total / sample)
    states = place.run(*signed, "log", "-n", str(SAMPLE), "--format=%G?", REF).split()
    if set(states) != {"G"}:
        sys.exit(f"stock git does not call every commit good: {states}")
    table(f"Verifying {total} entries, {rounds} rounds in turn", rows, OURS)
    if root is None:
        print("not run: sq-git is not installed (cargo install sequoia-git); it checks OpenPGP signatures of another history")


def prepared(count):
    parent = os.environ.get("BENCH_DIR")
    place = Place(Path(parent) / f"verify-{count}" if parent else None)
    synthesised(place, "ledger.git", count)
    return place


def openpgp(place, count):
    """A history of as many commits, signed with an OpenPGP key that its policy names; gives the first of them."""
    at = "openpgp"
    if not (place.path / at / ".git/made").exists():
        shutil.rmtree(place.path / at, ignore_errors=True)
        place.run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", KEY, "ed25519", "sign", "never")
        (place.path / "certificate").write_text(place.run("gpg", "--armor", "--export", KEY))
        place.run("git", "init", "-q", "-b", "main", at)
        place.run("sq-git", "policy", "authorize", "bench", "--cert-file", place.path / "certificate",
                  "--project-maintainer", inside=at)
        place.run("git", "add", ".", inside=at)
        for number in range(count):
            place.run("git", "commit", "-q", "--allow-empty", f"-S{KEY}", "-m", f"entry {number}", inside=at)
        place.run("git", "gc", "-q", inside=at)
        (place.path / at / ".git/made").touch()
    return place.run("git", "rev-list", "--max-parents=0", "HEAD", inside=at).strip()


if __name__ == "__main__":
    main()
