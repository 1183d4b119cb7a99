#!/usr/bin/env python3
"""bench/compare record [N]: one durable, signed entry, against `git commit -S` of the same files.

N entries (default 30) on each side, in turn: `fix7-ledger record` (judges the packet, signs twice, appends durably)
and `git add` + `git commit -S` (SSH key, core.fsync=all). Floors of both: the smallest process of each side.
"""
import shutil
import sys

import ledgers
from side_by_side import BINARY, Place, require_binary, table

OURS = "fix7-ledger record"


def main():
    require_binary()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    place = Place()
    ledgers.begin(place, "ledger.git")
    for _ in range(count):
        ledgers.grant(place, "ledger.git")
    stock(place)
    rows = {}
    for number in range(count):
        # The same files on both sides; git's entry is one new directory, as in any repository of evidence.
        entry = f"entries/{number:05}"
        shutil.copytree(place.path / "packet", place.path / "stock" / entry)
        (place.path / "stock" / entry / "number").write_text(f"{number}\n")
        both = {
            OURS: [ledgers.record_command(BINARY, "ledger.git")],
            "git add + git commit -S, core.fsync=all": [
                ("git", "-C", "stock", "add", entry),
                ("git", "-C", "stock", "-c", "core.fsync=all", "commit", "-q", "-S", "-m", f"entry {number}"),
            ],
            "git add + git commit -S": [
                ("git", "-C", "stock2", "add", entry),
                ("git", "-C", "stock2", "commit", "-q", "-S", "-m", f"entry {number}"),
            ],
            "fix7-ledger --version (a process of ours)": [(BINARY, "--version")],
        }
        shutil.copytree(place.path / "stock" / entry, place.path / "stock2" / entry)
        for name, commands in both.items():
            rows.setdefault(name, []).append(place.timed(*commands))
    table(f"One durable, signed entry of {files(place)} files; {count} of each, in turn", rows, OURS)
    place.us("verify", "--repo", "ledger.git")
    print(f"the ledger verifies; everything stands in {place.path} (remove it after the last run, not between runs)")


def stock(place):
    """Two work trees whose commits are signed with an SSH key of their own."""
    place.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "stock-key")
    for name in ("stock", "stock2"):
        place.run("git", "init", "-q", "-b", "main", name)
        for key, value in (("gpg.format", "ssh"), ("user.signingkey", place.path / "stock-key"),
                           ("gc.auto", "0"), ("maintenance.auto", "false")):
            place.run("git", "-C", name, "config", key, value)


def files(place):
    return sum(1 for f in (place.path / "packet").rglob("*") if f.is_file())


if __name__ == "__main__":
    main()
