#!/usr/bin/env python3
"""bench/compare rehearse [MB] [RUNS]: a whole rehearsal of a small change on a database, and its parts, as a multiple of
one copy + one row digest + one byte digest of the same database: what any tool must at least do once.

Uses the database of `bench/compare digest` (made where it is missing) and the same binaries.
"""
import json
import statistics
import sys

from digest import ROWS, make
from side_by_side import BINARY, Place, require_binary, table

CHANGE = "CREATE TABLE rehearsal_note (id INTEGER PRIMARY KEY, note TEXT NOT NULL);\nINSERT INTO rehearsal_note VALUES (1, 'x');\n"


def main():
    require_binary()
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not ROWS.exists():
        sys.exit(f"{ROWS} is not there: cargo build --release --example rows")
    place = Place()
    database = place.path.parent / f"fix7-bench-{megabytes}.db"
    if not database.exists():
        make(database, megabytes)
    place.us("plan", "new", "plan")
    (place.path / "plan/up.sql").write_text(CHANGE)
    (place.path / "plan/down.sql").write_text("DROP TABLE rehearsal_note;\n")
    floor, whole, parts = [], [], {}
    for number in range(runs):
        floor.append(place.timed(
            ("cp", "--reflink=never", database, place.path / "copy.db"),
            (ROWS, "digest", database, "2"),
            ("openssl", "dgst", "-sha256", database)))
        out = f"packet-{number}"
        answer = []
        whole.append(timed_answer(place, ("--source", database), out, answer))
        for name, spent in json.loads(answer[0])["milliseconds"].items():
            parts.setdefault(name, []).append(spent)
    ours = "one copy + one row digest + one byte digest"
    table(f"A rehearsal of {megabytes} MB; {runs} of each, in turn", {ours: floor, "fix7-ledger rehearse, six legs": whole}, ours)
    base = 1000 * statistics.median(wall for wall, _ in floor)
    for name, spent in parts.items():
        print(f"    {name:<54}{statistics.median(spent):>10.0f}{statistics.median(spent) / base:>8.1f}")


def timed_answer(place, source, out, answer):
    import resource
    import time
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    answer.append(place.us("rehearse", *source, "--plan", "plan", "--out", out, "--json"))
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
