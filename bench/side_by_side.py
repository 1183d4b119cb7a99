"""What the comparisons share: a clean place, timed children, a table of medians and ratios.

Only ratios of one run mean something: both sides run in turn, on the same machine, in the same minutes.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("FIX7_LEDGER", ROOT / "target/release/fix7-ledger"))
SYNTHESISE = Path(os.environ.get("FIX7_SYNTHESISE", ROOT / "target/release/examples/synthesise"))


class Place:
    """A scratch directory with a home of its own; BENCH_DIR names its parent (keep it on the disk to be measured)."""

    def __init__(self, kept=None):
        parent = os.environ.get("BENCH_DIR")
        self.path = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="fix7-bench-", dir=parent))
        (self.path / "home").mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path / "home"),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment |= {f"GIT_{who}_NAME": "bench", f"GIT_{who}_EMAIL": "bench@example.invalid"}

    def run(self, *command, inside=".", exits=0):
        """Runs a child that must end with this exit code, and gives its output."""
        done = subprocess.run(
            [str(c) for c in command], cwd=self.path / inside, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != exits:
            sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def us(self, *arguments, inside="."):
        return self.run(BINARY, *arguments, inside=inside)

    def timed(self, *commands, inside=".", exits=0):
        """Seconds by the clock and of the processor for commands run one after the other."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        for command in commands:
            self.run(*command, inside=inside, exits=exits)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return wall, processor


def require_binary():
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not there: cargo build --release, or name it in FIX7_LEDGER")


def synthesised(place, repo, *arguments):
    """A bare repository with a ledger of the product's own making, made once."""
    if not SYNTHESISE.exists():
        sys.exit(f"{SYNTHESISE} is not there: cargo build --release --example synthesise, or name it in FIX7_SYNTHESISE")
    if not (place.path / repo / "made").exists():
        place.run("git", "init", "-q", "--bare", "-b", "main", repo)
        place.run(SYNTHESISE, repo, *arguments)
        (place.path / repo / "made").touch()
    return place.path / repo


def table(title, rows, ours):
    """rows: name -> list of (wall, processor). Ratios are a peer's median over that of `ours`."""
    print(f"\n{title}")
    print(f"{'':<58}{'wall ms':>10}{'ratio':>8}{'cpu ms':>10}{'ratio':>8}")
    median = {name: [1000 * statistics.median(v[i] for v in times) for i in (0, 1)] for name, times in rows.items()}
    for name, (wall, processor) in median.items():
        by = [wall / median[ours][0], processor / max(median[ours][1], 1e-9)]
        print(f"{name:<58}{wall:>10.1f}{by[0]:>8.1f}{processor:>10.1f}{by[1]:>8.1f}")
    print(f"(medians; ratio: over `{ours}`)")
