#!/usr/bin/env python3
"""bench/compare verify [ENTRIES [ROUNDS]]: a whole ledger, against git's own tools on the same repository.

The ledger is synthesised with the product's own code: a genesis, grants, and rehearsals (25 files each) whose packets all
differ; about 13 files an entry. ENTRIES (default 2001); it is kept in $BENCH_DIR/verify-ENTRIES where BENCH_DIR is set.
Needs `cargo build --release --bins --example synthesise`. In each of ROUNDS (default 3), in turn:

    fix7-ledger verify                     everything: objects, chain, content, two signatures, authority, packets
    fix7-ledger verify --skip-judgement    without judging packets and claims: what git's tools can check, and more
    git log --format=%G?                   the commits' signatures alone, over a sample, scaled to the whole ledger
    git fsck --full                        git's own hashes alone
    sq-git log                             another format of signatures: only where it is installed
"""
import os
import shutil
import sys
from pathlib import Path

from side_by_side import BINARY, Place, require_binary, synthesised, table

REF = "refs/heads/fix7-ledger/main"
OURS = "fix7-ledger verify --skip-judgement, one thread"
SAMPLE = 40
NOT_ESTABLISHED = 3  # what was not judged does not count as held


def main():
    require_binary()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2001
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    place = prepared(count)
    total = int(place.run("git", "-C", "ledger.git", "rev-list", "--count", REF))
    (place.path / "signers").write_text(place.us("export", "allowed-signers", "--repo", "ledger.git"))
    signed = ("git", "-C", "ledger.git", "-c", f"gpg.ssh.allowedSignersFile={place.path}/signers")
    rows = {}

    def measure(name, command, scale=1.0, exits=0):
        wall, processor = place.timed(command, exits=exits)
        rows.setdefault(name, []).append((wall * scale, processor * scale))

    verify = (BINARY, "verify", "--repo", "ledger.git", "--forget")
    for _ in range(rounds):
        measure(OURS, (*verify, "--skip-judgement", "--threads", "1"), exits=NOT_ESTABLISHED)
        measure("fix7-ledger verify --skip-judgement", (*verify, "--skip-judgement"), exits=NOT_ESTABLISHED)
        measure("fix7-ledger verify, one thread", (*verify, "--threads", "1"))
        measure("fix7-ledger verify", verify)
        measure("git fsck --full", ("git", "-C", "ledger.git", "fsck", "--full", "--no-progress"))
        sample = min(SAMPLE, total)
        measure(f"git log --format=%G? ({sample} commits, scaled to {total})",
                (*signed, "log", "-n", str(sample), "--format=%G?", REF), total / sample)
    states = place.run(*signed, "log", "-n", str(SAMPLE), "--format=%G?", REF).split()
    if set(states) != {"G"}:
        sys.exit(f"stock git does not call every commit good: {states}")
    table(f"Verifying {total} entries, {rounds} rounds in turn", rows, OURS)
    if shutil.which("sq-git") is None:
        print("not run: sq-git is not installed (cargo install sequoia-git); it checks OpenPGP signatures of another history")


def prepared(count):
    parent = os.environ.get("BENCH_DIR")
    place = Place(Path(parent) / f"verify-{count}" if parent else None)
    synthesised(place, "ledger.git", count)
    return place


if __name__ == "__main__":
    main()
