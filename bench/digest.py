#!/usr/bin/env python3
"""bench/compare digest [MB] [RUNS]: the row digest and the byte digest of one database, against SQLite's tools and OpenSSL.

MB (default 1000) is the size of the database, made once under BENCH_DIR (default: the system's scratch directory) and
kept; RUNS (default 5) is how often each side runs, in turn. Needs `cargo build --release --example rows`; a peer that is
not installed is left out by name. DBHASH names a dbhash binary, built from SQLite's tool/dbhash.c with -O2.
"""
import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path

from side_by_side import ROOT, Place, table

ROWS = Path(os.environ.get("FIX7_ROWS", ROOT / "target/release/examples/rows"))
OURS = "row digest, one thread"
WORDS = ("alpha beta gamma delta München Zürich naïve order ledger window filter report index schema value batch north south "
         "east west crimson amber river stone").split()
# One customer with its orders, lines, document and metrics takes about so many bytes, indexes included.
UNIT = 4350
STEP = 2000


def make(path, megabytes):
    """Five tables (one WITHOUT ROWID, one with blobs), six indexes; the same for the same size."""
    rnd = random.Random(7)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    c = sqlite3.connect(part, isolation_level=None)
    c.executescript("""PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;
        CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, city TEXT, credit REAL, note TEXT);
        CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, placed INTEGER, status TEXT, total REAL, ref TEXT);
        CREATE TABLE lines(id INTEGER PRIMARY KEY, orders INTEGER NOT NULL, sku TEXT, qty INTEGER, price REAL, discount REAL);
        CREATE TABLE documents(id INTEGER PRIMARY KEY, customer INTEGER, kind TEXT, body TEXT, payload BLOB);
        CREATE TABLE metrics(series TEXT, at INTEGER, value REAL, tags TEXT, PRIMARY KEY(series, at)) WITHOUT ROWID;""")

    def words(n):
        return " ".join(rnd.choices(WORDS, k=n))

    units = megabytes * 1_000_000 // UNIT
    for low in range(0, units, STEP):
        customers, orders, lines, documents, metrics = [], [], [], [], []
        for i in range(low, min(low + STEP, units)):
            customers.append((i + 1, words(2), f"user{i}.{rnd.getrandbits(24):x}@example.org", rnd.choice(WORDS),
                              rnd.random() * 1e4, None if i % 7 == 0 else words(rnd.randint(3, 14))))
            documents.append((i + 1, i + 1, rnd.choice(["pdf", "txt"]), words(rnd.randint(10, 60)), rnd.randbytes(rnd.randint(200, 3000))))
            for k in range(4):
                orders.append((4 * i + k, i + 1, 1_700_000_000 + rnd.randint(0, 9**8), rnd.choice(["new", "paid", "sent"]),
                               round(rnd.random() * 900, 2), f"{rnd.getrandbits(64):016x}"))
                for j in range(3):
                    lines.append((12 * i + 3 * k + j, 4 * i + k, f"SKU-{rnd.randint(1, 99999):05}", rnd.randint(1, 9),
                                  rnd.random() * 100, None if j else rnd.random()))
            for k in range(12):
                metrics.append((f"series/{i % 5000:05}", (i // 5000) * 1000 + k * 60, rnd.gauss(0, 100), f'{{"host":"h{i % 97}"}}'))
        c.execute("BEGIN")
        for name, rows in (("customers", customers), ("orders", orders), ("lines", lines), ("documents", documents), ("metrics", metrics)):
            c.executemany(f"INSERT INTO {name} VALUES({','.join('?' * len(rows[0]))})", rows)
        c.execute("COMMIT")
    c.executescript("""CREATE INDEX a ON orders(customer); CREATE INDEX b ON orders(placed); CREATE INDEX c ON lines(orders);
        CREATE INDEX d ON lines(sku, qty); CREATE INDEX e ON documents(customer); CREATE INDEX f ON customers(city, name);""")
    c.close()
    part.rename(path)


def main():
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    if not ROWS.exists():
        sys.exit(f"{ROWS} is not there: cargo build --release --example rows, or name it in FIX7_ROWS")
    place = Place()
    database = place.path.parent / f"fix7-bench-{megabytes}.db"
    if not database.exists():
        print(f"making {database} ...", flush=True)
        make(database, megabytes)
    dbhash = os.environ.get("DBHASH") or shutil.which("dbhash")
    sides = {
        OURS: (ROWS, "digest", database, "1"),
        "row digest, two threads": (ROWS, "digest", database, "2"),
        "sqlite3 .sha3sum": ("sqlite3", database, ".sha3sum") if shutil.which("sqlite3") else None,
        "dbhash": (dbhash, database) if dbhash else None,
        "byte digest": (ROWS, "bytes", database),
        "openssl dgst -sha256": ("openssl", "dgst", "-sha256", database) if shutil.which("openssl") else None,
    }
    for name in [name for name, command in sides.items() if command is None]:
        print(f"not run: {name} is not installed")
        del sides[name]
    rows = {}
    for number in range(runs + 1):
        for name, command in sides.items():
            times = place.timed(command)
            if number > 0:  # the first round only brings the file into the page cache
                rows.setdefault(name, []).append(times)
    table(f"Digests of {database.stat().st_size / 1e6:.0f} MB, {runs} runs of each, in turn", rows, OURS)
    memory(place, database)


def memory(place, database):
    """The most memory that the row digest held, file pages that it mapped included."""
    if shutil.which("/usr/bin/time"):
        done = place.run("/bin/sh", "-c", f'/usr/bin/time -f "%M" "{ROWS}" digest "{database}" 2 2>&1 >/dev/null')
        print(f"most memory of the row digest on two threads: {int(done) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
