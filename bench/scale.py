#!/usr/bin/env python3
"""bench/compare scale [SIZES [PACKETS [THREADS]]]: how verification grows with the ledger; table, and plot in bench/scale.svg.

SIZES (default 1000,10000,100000,1000000) are numbers of entries: a genesis, then grants and the rehearsals that consume
them, with PACKETS (default 8) distinct packets in turn; THREADS (default 2). Each ledger is synthesised once with the
product's own code under BENCH_DIR and kept (10^6: about 2.5 GB). Needs
`cargo build --release --bins --example synthesise`.

    full      fix7-ledger verify                    every step, packets and claims judged
    unjudged  fix7-ledger verify --skip-judgement   all but that

Memory is the most of the process's own (RssAnon): the packs are mapped, and their pages are the system's to take back.
"""
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from side_by_side import BINARY, ROOT, Place, require_binary, synthesised

SIZES = (1_000, 10_000, 100_000, 1_000_000)
NOT_ESTABLISHED = 3  # what was not judged does not count as held
RUNS = {"full": ((), 0), "unjudged": (("--skip-judgement",), NOT_ESTABLISHED)}


def main():
    require_binary()
    sizes = [int(n) for n in sys.argv[1].split(",")] if len(sys.argv) > 1 else SIZES
    packets = sys.argv[2] if len(sys.argv) > 2 else "8"
    threads = sys.argv[3] if len(sys.argv) > 3 else "2"
    parent = os.environ.get("BENCH_DIR")
    place = Place(Path(parent) / "scale" if parent else None)
    print("| entries | what | wall | processor | an entry (processor) | memory |\n|---|---|---|---|---|---|")
    found = {name: [] for name in RUNS}
    for size in sizes:
        repo = synthesised(place, f"{size}-{packets}.git", size, packets)
        for name, (options, exits) in RUNS.items():
            command = (BINARY, "verify", "--repo", repo, "--forget", "--threads", threads, *options)
            wall, processor, memory = measured(place, command, exits)
            found[name].append((size, wall, processor, memory))
            print(f"| {size:,} | {name} | {wall:.2f} s | {processor:.2f} s | {1e6 * processor / size:.0f} µs "
                  f"| {memory / 2**20:.0f} MiB |", flush=True)
    if len(sizes) > 1:
        (ROOT / "bench/scale.svg").write_text(plot(found, threads))


def measured(place, command, exits):
    """Seconds by the clock and of the processor, and the most bytes of anonymous memory, looked at every 20 ms."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    child = subprocess.Popen([str(c) for c in command], env=place.environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    most = 0
    while child.poll() is None:
        most = max(most, anonymous(child.pid))
        time.sleep(0.02)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode != exits:
        sys.exit(f"{' '.join(map(str, command))}: exit {child.returncode}\n{child.stdout.read()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most


def anonymous(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 150, 30, 50
COLOURS = {"full": "#1a5fb4", "unjudged": "#26a269"}


def plot(found, threads):
    """Processor time (solid) and memory (dashed) over entries, both axes logarithmic."""
    import math
    sizes = [row[0] for row in next(iter(found.values()))]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))
    seconds = [row[2] for rows in found.values() for row in rows]
    megabytes = [row[3] / 2**20 for rows in found.values() for row in rows]
    bottom = math.floor(math.log10(min(seconds + megabytes)))
    top = math.ceil(math.log10(max(seconds + megabytes)))
    x = lambda n: LEFT + (math.log10(n) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    y = lambda v: HEIGHT - BOTTOM - (math.log10(max(v, 10**bottom)) - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<title>Verification by number of entries, {threads} threads</title>',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for power in range(bottom, top + 1):
        out.append(f'<path d="M{LEFT} {y(10**power):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
                   f'<text x="{LEFT - 8}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10**power:g}</text>')
    for size in sizes:
        out.append(f'<path d="M{x(size):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#dddddd"/>'
                   f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{size:,}</text>')
    labels = []
    for name, rows in found.items():
        for what, dash, value in (("s", "", lambda r: r[2]), ("MiB", ' stroke-dasharray="5 4"', lambda r: r[3] / 2**20)):
            points = " ".join(f"{x(r[0]):.1f},{y(value(r)):.1f}" for r in rows)
            out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"{dash}/>')
            labels.append((y(value(rows[-1])) + 4, f"{name}, {value(rows[-1]):,.0f} {what}", COLOURS[name]))
    above = -math.inf
    for at, text, colour in sorted(labels):
        above = max(at, above + 15)  # labels never stand on one another
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{above:.1f}" fill="{colour}">{text}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">entries</text>'
               f'<text x="{LEFT}" y="18">processor seconds (solid), MiB of memory (dashed)</text></svg>\n')
    return "\n".join(out)


if __name__ == "__main__":
    main()
