#!/usr/bin/env python3
"""bench/compare contention [EACH]: appends per second of 1, 2, 4 and 8 operators against one server.

Each operator has a clone of its own and appends EACH entries (default 10): `grant issue`, then `push`, again while a race is
lost. The server is a bare repository with the hook, whose judgement is part of the time. At the end every entry stands
on the server exactly once, and its ledger verifies.
"""
import subprocess
import sys
import threading
import time

import ledgers
from side_by_side import BINARY, Place, require_binary

OPERATORS = (1, 2, 4, 8)
RETRY = 75


def main():
    require_binary()
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'operators':>9}{'entries':>9}{'seconds':>9}{'per second':>12}{'pushes':>8}{'of them again':>15}")
    for operators in OPERATORS:
        run(operators, each)


def run(operators, each):
    place = Place()
    ledgers.begin(place, "work0")
    place.run("git", "init", "-q", "--bare", "-b", "main", "server.git")
    place.us("hooks", "install", "--repo", "server.git", "--server")
    place.run("git", "-C", "work0", "remote", "add", "origin", place.path / "server.git")
    place.us("push", "--repo", "work0", "origin")
    for number in range(1, operators):
        place.run("git", "clone", "-q", "--bare", "server.git", f"work{number}")
    pushes = [0] * operators
    failures = []
    threads = [threading.Thread(target=operator, args=(place, n, each, pushes, failures)) for n in range(operators)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    if failures:
        sys.exit("\n".join(failures))
    check(place, operators, each)
    entries = operators * each
    again = sum(pushes) - entries
    print(f"{operators:>9}{entries:>9}{seconds:>9.1f}{entries / seconds:>12.2f}{sum(pushes):>8}{again:>15}", flush=True)


def operator(place, number, each, pushes, failures):
    repo = f"work{number}"
    for count in range(each):
        name = f"o{number}-{count}"
        ended = child(place, "grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga", "--id", name)
        while ended.returncode == 0:
            ended = child(place, "push", "--repo", repo, "origin", "--key", "keys/olga")
            pushes[number] += 1
            if ended.returncode != RETRY:
                break
            ended.returncode = 0
        if ended.returncode != 0:
            failures.append(f"{name}: exit {ended.returncode}\n{ended.stderr}")
            return


def child(place, *arguments):
    command = [str(a) for a in (BINARY, *arguments)]
    return subprocess.run(command, cwd=place.path, env=place.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def check(place, operators, each):
    log = place.run("git", "-C", "server.git", "log", "--format=%s", "refs/heads/fix7-ledger/main").splitlines()
    names = sorted(line.split(" ")[3] for line in log if " grant " in line)
    wanted = sorted(f"o{n}-{c}" for n in range(operators) for c in range(each))
    if names != wanted:
        sys.exit(f"{operators} operators: expected {len(wanted)} entries once each, found {len(names)}")
    place.us("verify", "--repo", "server.git")


if __name__ == "__main__":
    main()
