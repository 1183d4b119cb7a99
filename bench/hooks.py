#!/usr/bin/env python3
"""bench/compare hooks [SIZES…]: what one entry costs behind many others.

For each size (default 100 1000 10000 100000) a ledger of grants and rehearsals of eight packets is written by
`cargo run --release --example synthesise`, and served by a bare copy with the hook. Then, ROUNDS times: one grant is issued
(`record` of the smallest entry), pushed (git runs pre-push and pre-receive, each timed inside its hook), and the last 20
entries are listed; `verify --incremental`, a checkpoint and a proof of an old entry are timed as well. The index of both sides is made
before, by `status`, which is timed once.
"""
import statistics
import sys

from side_by_side import BINARY, ROOT, Place, require_binary

SIZES = (100, 1000, 10_000, 100_000)
ROUNDS = 5
SYNTHESISE = ROOT / "target/release/examples/synthesise"
HOOK = """#!/bin/sh
export TIMEFORMAT='%U %S'
exec bash -c 'time "$0" hook "$@" 2>&3' {binary} {name} "$@" 3>&2 2>>{times}
"""


def main():
    require_binary()
    if not SYNTHESISE.exists():
        sys.exit(f"{SYNTHESISE} is not there: cargo build --release --example synthesise")
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    names = ("append", "pre-push", "pre-receive", "log -n 20", "verify +1", "checkpoint", "prove", "first index")
    print(f"{'entries':>9}" + "".join(f"{name:>13}" for name in names) + "   processor, ms", flush=True)
    rows = []
    for size in sizes:
        rows.append(measure(size))
        print(f"{size:>9}" + "".join(f"{rows[-1][name]:>13.1f}" for name in names), flush=True)
    print(f"{'ratio':>9}" + "".join(f"{rows[-1][name] / rows[0][name]:>13.2f}" for name in names))


def measure(size):
    place = Place()
    place.run(SYNTHESISE, "keys", "keys")
    place.run("git", "init", "-q", "--bare", "-b", "main", "server.git")
    place.run(SYNTHESISE, "server.git", size, 8)
    place.run("git", "clone", "-q", "--bare", "server.git", "work.git")
    hooks = {"server.git": "pre-receive", "work.git": "pre-push"}
    for repo, name in hooks.items():
        path = place.path / repo / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HOOK.format(binary=BINARY, name=name, times=place.path / f"{name}.times"))
        path.chmod(0o755)
    place.run("git", "-C", "work.git", "remote", "remove", "origin")
    place.run("git", "-C", "work.git", "remote", "add", "origin", place.path / "server.git")
    place.run("git", "-C", "work.git", "fetch", "-q", "origin")
    found = {"first index": 1000 * place.timed((BINARY, "status", "--repo", "work.git"))[1]}
    place.us("status", "--repo", "server.git")
    place.us("key", "new", "lola", "--dir", "keys", "--no-passphrase")
    place.us("key", "add", "lola=keys/lola", "--role", "log", "--repo", "work.git", "--key", "keys/owner")
    place.us("verify", "--repo", "work.git", "--incremental")
    times = {name: [] for name in ("append", "log -n 20", "verify +1", "checkpoint", "prove")}
    for number in range(ROUNDS):
        time(place, times, "append", "grant", "issue", "--repo", "work.git", "--operator", "otto", "--key",
             "keys/owner", "--id", f"more-{number}")
        place.run("git", "-C", "work.git", "push", "-q", "origin", "refs/heads/fix7-ledger/main")
        place.run("git", "-C", "work.git", "fetch", "-q", "origin")
        time(place, times, "log -n 20", "log", "--repo", "work.git", "-n", "20")
        time(place, times, "verify +1", "verify", "--repo", "work.git", "--incremental")
        time(place, times, "checkpoint", "checkpoint", "--repo", "work.git", "--key", "keys/lola")
        time(place, times, "prove", "prove", "5", "--repo", "work.git")
    for name in hooks.values():
        lines = (place.path / f"{name}.times").read_text().splitlines()
        found[name] = statistics.median(1000 * sum(map(float, line.split())) for line in lines if line)
    found |= {name: statistics.median(all_of) for name, all_of in times.items()}
    return found


def time(place, times, name, *arguments):
    times[name].append(1000 * place.timed((BINARY, *arguments))[1])


if __name__ == "__main__":
    main()
