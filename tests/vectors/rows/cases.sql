-- Each case is a database; roots.txt has its row digest. Cases that other digests confuse stand side by side.
-- case: no table
-- case: an empty table
CREATE TABLE t(a);
-- case: text flows to the next column: first
CREATE TABLE t(a, b); INSERT INTO t VALUES('a3b', 'c');
-- case: text flows to the next column: second
CREATE TABLE t(a, b); INSERT INTO t VALUES('a', 'b3c');
-- case: text flows to the next row: first
CREATE TABLE t(a); INSERT INTO t VALUES('a'), ('b');
-- case: text flows to the next row: second
CREATE TABLE t(a); INSERT INTO t VALUES('a3b');
-- case: a row in t
CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO t VALUES(1);
-- case: the same row in u
CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO u VALUES(1);
-- case: UTF-16le, unpaired surrogate and A
PRAGMA encoding='UTF-16le'; CREATE TABLE t(a TEXT); INSERT INTO t VALUES(CAST(x'00D84100' AS TEXT));
-- case: UTF-16le, the same to a reader of UTF-8
PRAGMA encoding='UTF-16le'; CREATE TABLE t(a TEXT); INSERT INTO t VALUES(CAST(x'00D841DC' AS TEXT));
-- case: UTF-16be
PRAGMA encoding='UTF-16be'; CREATE TABLE t(a TEXT, b); INSERT INTO t VALUES('Zürich', x'00'), ('', 1.5);
-- case: WITHOUT ROWID
CREATE TABLE t(a, b, PRIMARY KEY(b DESC, a COLLATE NOCASE)) WITHOUT ROWID; INSERT INTO t VALUES('x', 1), ('A', 2), ('b', 2), ('', 3);
-- case: names beyond ASCII
CREATE TABLE "größe ""ø""" ("Ü", "名"); INSERT INTO "größe ""ø""" VALUES('é', 'é');
-- case: 0
CREATE TABLE t(a); INSERT INTO t VALUES(0);
-- case: 0.0
CREATE TABLE t(a); INSERT INTO t VALUES(0.0);
-- case: -0.0
CREATE TABLE t(a); INSERT INTO t VALUES(-0.0);
-- case: 1
CREATE TABLE t(a); INSERT INTO t VALUES(1);
-- case: 1.0
CREATE TABLE t(a); INSERT INTO t VALUES(1.0);
-- case: the text 1
CREATE TABLE t(a); INSERT INTO t VALUES('1');
-- case: the blob 1
CREATE TABLE t(a); INSERT INTO t VALUES(x'31');
-- case: 1 in a REAL column
CREATE TABLE t(a REAL); INSERT INTO t VALUES(1);
-- case: the largest and the smallest integer
CREATE TABLE t(a); INSERT INTO t VALUES(9223372036854775807), (-9223372036854775808);
-- case: infinities
CREATE TABLE t(a); INSERT INTO t VALUES(9e999), (-9e999);
-- case: NULL
CREATE TABLE t(a); INSERT INTO t VALUES(NULL);
-- case: an empty text
CREATE TABLE t(a); INSERT INTO t VALUES('');
-- case: an empty blob
CREATE TABLE t(a); INSERT INTO t VALUES(x'');
-- case: a rowid
CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(1, 'x');
-- case: another rowid
CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(2, 'x');
-- case: rowids at the edges of chunks
CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(-9223372036854775808, 1), (-4097, 2), (-4096, 3), (-1, 4), (0, 5), (4095, 6), (4096, 7), (9223372036854775807, 8);
-- case: a table that hides its rowid
CREATE TABLE t(rowid, oid, _rowid_); INSERT INTO t VALUES(5, 'a', NULL), (4, 'b', x'');
-- case: a table that shows its rowid under one of the names
CREATE TABLE t(oid INTEGER PRIMARY KEY, rowid, _rowid_); INSERT INTO t VALUES(5, 'a', NULL), (-4, 'b', x'');
-- case: user_version
PRAGMA user_version=7; CREATE TABLE t(a);
-- case: application_id
PRAGMA application_id=-7; CREATE TABLE t(a);
-- case: auto_vacuum and page_size
PRAGMA page_size=1024; PRAGMA auto_vacuum=2; CREATE TABLE t(a);
-- case: generated columns, an index, a view and a trigger
CREATE TABLE t(a, b AS (a || 'v') VIRTUAL, c AS (a || 's') STORED); CREATE INDEX i ON t(b); CREATE VIEW v AS SELECT * FROM t; CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t(a) VALUES(1), ('x');
-- case: a column added later, with a default
CREATE TABLE t(a); INSERT INTO t VALUES(1), (2); ALTER TABLE t ADD COLUMN b TEXT DEFAULT 7; ALTER TABLE t ADD COLUMN c; INSERT INTO t VALUES(3, 4, 5);
-- case: AUTOINCREMENT counters
CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE s(a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES(5); INSERT INTO s VALUES(3); DELETE FROM t;
-- case: many chunks without rowids
CREATE TABLE t(k INTEGER, j TEXT, PRIMARY KEY(j, k)) WITHOUT ROWID; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, 'key ' || (i % 97) FROM n;
