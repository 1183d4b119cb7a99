#!/usr/bin/env python3
"""bench/compare postgres [MB] [RUNS]: PostgreSQL. The row digest against `pg_dump | sha256sum` and md5 aggregates in SQL on
the same database; then a whole rehearsal of a small change against what other clones take for the change alone: a copy by
CREATE DATABASE … TEMPLATE, a copy of the stopped cluster's files, and one that shares blocks where the file system can.

MB (default 300) is the size of the database, made for each run of this script in a cluster of its own under BENCH_DIR, as
nobody where it is root. RUNS (default 3) is how often each side runs, in turn. Needs `cargo build --release` and
`cargo build --release --example rows`. Processor time includes the server's.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

from digest import ROWS
from rehearse import timed_answer
from side_by_side import Place, require_binary, table

# A row of each table and its indexes take about so many bytes.
UNIT = 700
CHANGE = "CREATE TABLE rehearsal_note (id integer PRIMARY KEY, note text NOT NULL);\nINSERT INTO rehearsal_note VALUES (1, 'x');\n"
TICK = os.sysconf("SC_CLK_TCK")


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin"), key=lambda p: [int(n) for n in p.replace("-", "/").split("/") if n.isdigit()])
    return found[-1] if found else sys.exit("no PostgreSQL server programs were found")


class Cluster:
    """A server on a socket of its own."""

    def __init__(self, place):
        self.place, self.bin = place, programs()
        self.data, self.sockets = place.path / "data", place.path / "s"
        self.front = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        self.sockets.mkdir()
        if self.front:
            os.chmod(place.path, 0o755)
            os.chown(place.path, 65534, 65534)
            os.chown(self.sockets, 65534, 65534)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "-N")
        self.start()

    def run(self, program, *arguments):
        return self.place.run(*self.front, f"{self.bin}/{program}", *arguments)

    def start(self, data=None):
        options = f"-c listen_addresses= -c unix_socket_directories={self.sockets} -c fsync=off -c autovacuum=off -c shared_buffers=64MB"
        # Its output must not keep a pipe of ours open.
        subprocess.run([*self.front, f"{self.bin}/pg_ctl", "-D", str(data or self.data), "-w", "-l", "/dev/null", "-o", options, "start"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.place.path)

    def stop(self, data=None):
        self.run("pg_ctl", "-D", data or self.data, "-m", "fast", "-w", "stop")

    def sql(self, text, database="bench"):
        return self.place.run("psql", "-h", self.sockets, "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text)

    def processor(self):
        """Seconds of the server and of every process of it that has ended."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return sum(int(value) for value in fields[11:15]) / TICK

    def timed(self, *commands):
        """As Place.timed, with the server's share: every session of these commands must have ended."""
        self.quiet()
        before = self.processor()
        wall, own = self.place.timed(*commands)
        self.quiet()
        return wall, own + self.processor() - before

    def quiet(self):
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        while True:
            children = subprocess.run(["ps", "-o", "args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
            if "[local]" not in children:
                return
            time.sleep(0.01)


def fill(cluster, megabytes):
    rows = megabytes * 1_000_000 // UNIT
    cluster.sql("CREATE DATABASE bench", "postgres")
    cluster.sql(f"""
        CREATE TABLE customers(id bigint PRIMARY KEY, name text NOT NULL, email text, credit numeric(12,2), born date, note text);
        CREATE TABLE orders(id bigint PRIMARY KEY, customer bigint NOT NULL, placed timestamptz, status text, total float8, tags jsonb);
        CREATE TABLE documents(id uuid, customer bigint, body text, payload bytea);
        INSERT INTO customers SELECT n, 'name ' || md5(n::text), 'u' || n || '@example.org', n % 99999 / 7.0, date '1950-01-01' + n % 20000,
            CASE WHEN n % 7 > 0 THEN repeat(md5((n * 3)::text), 2) END FROM generate_series(1, {rows}) n;
        INSERT INTO orders SELECT n, n::bigint * 7919 % {rows} + 1, timestamptz '2024-01-01' + n * interval '1 second', (array['new', 'paid', 'sent'])[n % 3 + 1],
            n / 7.0, jsonb_build_object('n', n, 'ref', md5((n * 5)::text)) FROM generate_series(1, {rows}) n;
        INSERT INTO documents SELECT md5(n::text)::uuid, n, repeat(md5((n * 11)::text), 4), decode(md5((n * 13)::text), 'hex') FROM generate_series(1, {rows}) n;
        CREATE INDEX ON orders(customer);
        """)
    cluster.sql("VACUUM (FREEZE, ANALYZE)")
    return int(cluster.sql("SELECT pg_database_size('bench')")) / 1e6


def digests(cluster, runs, size):
    tables = ("customers", "orders", "documents")
    sorted_md5 = " UNION ALL ".join(f"SELECT md5(string_agg(m, '' ORDER BY m)) FROM (SELECT md5(t::text) AS m FROM {name} t) x" for name in tables)
    summed = " UNION ALL ".join(f"SELECT sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::int8)::text FROM {name} t" for name in tables)
    psql = ("psql", "-h", cluster.sockets, "-U", "postgres", "-d", "bench", "-qAtX", "-c")
    ours = ("row digest, one thread", "row digest, two threads")
    dumped = f"pg_dump -h {cluster.sockets} -U postgres bench | sha256sum"
    sides = {
        ours[0]: (ROWS, "postgres", cluster.sockets, "bench", "postgres", "1"),
        ours[1]: (ROWS, "postgres", cluster.sockets, "bench", "postgres", "2"),
        "pg_dump | sha256sum (order of rows and columns counts)": ("sh", "-c", dumped),
        "SQL: md5 of all rows' md5, sorted": (*psql, sorted_md5),
        "SQL: sum of 60 bits of each row's md5 (no proof)": (*psql, summed),
    }
    times = {name: [] for name in sides}
    for _ in range(runs):
        for name, command in sides.items():
            times[name].append(cluster.timed(command))
    table(f"A digest of a database of {size:.0f} MB; {runs} of each, in turn", times, ours[0])


def rehearsals(cluster, place, runs, size):
    place.us("plan", "new", "plan")
    (place.path / "plan/up.sql").write_text(CHANGE)
    (place.path / "plan/down.sql").write_text("DROP TABLE rehearsal_note;\n")
    dump = place.path / "bench.dump"
    place.run("pg_dump", "-h", cluster.sockets, "-U", "postgres", "-Fc", "-Z1", "-f", dump, "bench")
    place.us("key", "new", "anna", "--dir", "keys", "--no-passphrase")
    place.us("dump", "attest", "--dump", dump, "--origin", "staging-7", "--system-identifier", "7301234567890123457", "--server-version", "15", "--key", "keys/anna")
    whole, restored, template, files, shared, parts = [], [], [], [], [], {}
    psql = ("psql", "-h", cluster.sockets, "-U", "postgres", "-qX", "-d")
    change = ("-c", CHANGE)
    copied = place.path / "copied"
    for number in range(runs):
        answer = []
        whole.append(timed(place, dump, f"packet-{number}", answer))
        for name, spent in json.loads(answer[0])["milliseconds"].items():
            parts.setdefault(name, []).append(spent)
        cluster.sql("CREATE DATABASE restored", "postgres")
        restored.append(cluster.timed(("pg_restore", "-h", cluster.sockets, "-U", "postgres", "-d", "restored", dump), (*psql, "restored", *change)))
        cluster.sql("DROP DATABASE restored", "postgres")
        template.append(cluster.timed((*psql, "postgres", "-c", "CREATE DATABASE twin TEMPLATE bench"), (*psql, "twin", *change)))
        cluster.sql("DROP DATABASE twin", "postgres")
        cluster.stop()
        for kind, into in (("never", files), ("always", shared)):
            wall, own = of_files(cluster, place, copied, kind, (*psql, "bench", *change))
            if wall is not None:
                into.append((wall, own))
        cluster.start()
    ours = "fix7-ledger rehearse: restore, six legs, digests"
    sides = {ours: whole, "pg_restore, the change": restored, "CREATE DATABASE … TEMPLATE, the change": template, "cp -a of the files, server, the change": files}
    if shared:
        sides["cp -a --reflink=always, server, the change"] = shared
    table(f"A rehearsal on {size:.0f} MB against clones that prove nothing; {runs} of each, in turn", sides, ours)
    if not shared:
        print("(this file system shares no blocks: cp --reflink=always fails)")
    for name, spent in parts.items():
        print(f"    {name:<54}{sorted(spent)[len(spent) // 2]:>10.0f}")


def timed(place, dump, out, answer):
    arguments = ("--engine", "postgresql", "--dump", dump, "--operator-key", "keys/anna.pub")
    return timed_answer(place, arguments, out, answer)


def of_files(cluster, place, copied, kind, change):
    """Copies the stopped cluster's files, starts a server on the copy, makes the change and stops it."""
    try:
        started = time.monotonic()
        own = place.timed((*cluster.front, "cp", "-a", f"--reflink={kind}", cluster.data, copied))[1]
    except SystemExit:
        shutil.rmtree(copied, ignore_errors=True)
        return None, None
    cluster.start(copied)
    own += place.timed(change)[1]
    wall = time.monotonic() - started
    cluster.stop(copied)
    shutil.rmtree(copied)
    return wall, own


def main():
    require_binary()
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not ROWS.exists():
        sys.exit(f"{ROWS} is not there: cargo build --release --example rows")
    place = Place()
    cluster = Cluster(place)
    try:
        size = fill(cluster, megabytes)
        digests(cluster, runs, size)
        rehearsals(cluster, place, runs, size)
    finally:
        cluster.stop()
        shutil.rmtree(place.path, ignore_errors=True)


if __name__ == "__main__":
    main()
