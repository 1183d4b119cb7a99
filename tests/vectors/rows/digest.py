#!/usr/bin/env python3
"""The row digest of a SQLite database, written again from the format's description (src/rehearse/rows/mod.rs).

usage: digest.py DATABASE.db | digest.py --vectors CASES.sql

Slow, complete and independent: Python's own sqlite3 and hashlib. CASES.sql has cases behind lines `-- case: NAME`; their roots are
printed in the form of the file `roots.txt`.
"""
import hashlib, sqlite3, struct, sys

H = lambda b: hashlib.sha256(b).digest()
u64 = lambda n: struct.pack('>Q', n)
i64 = lambda n: struct.pack('>q', n)
lp = lambda b: u64(len(b)) + b
M = (1 << 64) - 1


def value(kind, x):
    if kind == 'null': return b'\0'
    if kind == 'integer': return b'\1' + i64(x)
    if kind == 'real': return b'\2' + struct.pack('>d', x)
    return (b'\3' if kind == 'text' else b'\4') + lp(x)


def quote(name): return '"' + name.replace('"', '""') + '"'


def begins_chunk(key):
    state = 0
    key += b'\0' * (-len(key) % 8)
    for (word,) in struct.iter_unpack('>Q', key):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & M
        state ^= state >> 32
    return state >> 52 == 0


def rows_of(c, table, columns, order, lead):
    """(lead columns…, [(storage class, value)…]); text as its stored bytes."""
    cells = ','.join(f"typeof({q}), CASE typeof({q}) WHEN 'text' THEN CAST({q} AS BLOB) ELSE {q} END" for q in map(quote, columns))
    for row in c.execute(f'SELECT {lead} {cells} FROM {quote(table)} NOT INDEXED {order}'):
        start = 1 if lead else 0
        yield row[0], [(row[i], row[i + 1]) for i in range(start, len(row), 2)]


def digest(c):
    pragma = lambda name: c.execute(f'PRAGMA {name}').fetchone()[0]
    header = H(lp(b'fix7/rows/header/v1') + lp(pragma('encoding').encode()) + u64(pragma('page_size')) + u64(pragma('auto_vacuum'))
               + i64(pragma('user_version')) + i64(pragma('application_id')))
    four = sorted(b''.join(value(k, x) for k, x in cells) for _, cells in rows_of(c, 'sqlite_schema', ['type', 'name', 'tbl_name', 'sql'], '', ''))
    schema = H(lp(b'fix7/rows/schema/v1') + u64(len(four)) + b''.join(map(lp, four)))
    names = [n for n, s in c.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'") if not s.upper().startswith('CREATE VIRTUAL')]
    names.sort(key=str.encode)
    tables = [(name, table(c, name)) for name in names]
    return H(lp(b'fix7/rows/root/v1') + header + schema + u64(len(tables)) + b''.join(lp(n.encode()) + d for n, d in tables))


def table(c, name):
    columns = [n for n, hidden in c.execute('SELECT name, hidden FROM pragma_table_xinfo(?) ORDER BY cid', [name]) if hidden in (0, 3)]
    key = list(c.execute('SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno', [name]))
    chunks, rows = [], 0
    if name == 'sqlite_sequence':
        kind = b'\x13'
        framed = sorted(b''.join(value(*v) for v in cells) for _, cells in rows_of(c, name, columns, '', ''))
        rows = len(framed)
        if rows: chunks = [b''.join(b'\x13' + f for f in framed)]
    elif key:
        kind = b'\x11'
        order = 'ORDER BY ' + ','.join(f"{quote(n)} COLLATE {quote(coll)}{' DESC' if desc else ''}" for n, desc, coll in key)
        for _, cells in rows_of(c, name, columns, order, ''):
            framed = b''.join(value(*cells[columns.index(n)]) for n, _, _ in key)
            if begins_chunk(framed) or not chunks: chunks.append(b'')
            chunks[-1] += b'\x11' + b''.join(value(*v) for v in cells)
            rows += 1
    else:
        every = [(n.lower(), pk) for n, pk in c.execute('SELECT name, pk FROM pragma_table_xinfo(?)', [name])]
        alias = next((a for a in ('rowid', '_rowid_', 'oid') if a not in dict(every)), None)
        primary = [n for n, pk in every if pk]
        if not alias and len(primary) == 1 and not any(o == 'pk' for (o,) in c.execute('SELECT origin FROM pragma_index_list(?)', [name])):
            alias = quote(primary[0])
        kind, last = b'\x10' if alias else b'\x12', None
        for n, (rowid, cells) in enumerate(rows_of(c, name, columns, f'ORDER BY {alias}' if alias else '', alias + ',' if alias else '')):
            at = rowid if alias else n
            if at >> 12 != last: chunks.append(b'')
            last = at >> 12
            chunks[-1] += kind + i64(at) + b''.join(value(*v) for v in cells)
            rows += 1
    return H(lp(b'fix7/rows/table/v1') + lp(name.encode()) + kind + u64(len(columns)) + b''.join(lp(n.encode()) for n in columns)
             + b''.join(b'\x20' + H(lp(b'fix7/rows/chunk/v1') + x) for x in chunks) + b'\x21' + u64(rows))


if sys.argv[1] == '--vectors':
    for case in open(sys.argv[2], encoding='utf-8').read().split('-- case: ')[1:]:
        title, sql = case.split('\n', 1)
        c = sqlite3.connect(':memory:')
        c.executescript(sql)
        print(digest(c).hex(), title)
else:
    print(digest(sqlite3.connect(sys.argv[1])).hex())
