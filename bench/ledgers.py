"""A ledger to measure: one rehearsal of the sample database, recorded as often as wanted."""
import sqlite3


def begin(place, repo):
    """An empty ledger with an owner and an operator, and one packet that fits it."""
    for name in ("olga", "anna"):
        place.us("key", "new", name, "--dir", "keys", "--no-passphrase")
    place.run("git", "init", "-q", "--bare", "-b", "main", repo)
    place.us("init", "--repo", repo, "--name", "bench", "--owner", "olga=keys/olga", "--operator",
             "anna=keys/anna", "--key", "keys/olga")
    with sqlite3.connect(place.path / "shop.db") as shop:
        shop.executescript(SAMPLE)
    shop.close()
    place.us("plan", "new", "plan")
    place.us("rehearse", "--repo", repo, "--source", "shop.db", "--plan", "plan", "--out", "packet")


def grant(place, repo):
    place.us("grant", "issue", "--repo", repo, "--operator", "anna", "--key", "keys/olga")


def record_command(binary, repo):
    return (binary, "record", "--repo", repo, "--packet", "packet", "--key", "keys/anna")


SAMPLE = """
CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO items SELECT i, 'item ' || i, i * 7 % 1000 FROM n;
"""
