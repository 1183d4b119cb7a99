-- The change. Any SQL that plain SQLite runs; one statement at a time, no transaction verbs.
CREATE TABLE rehearsal_note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
INSERT INTO rehearsal_note (body) VALUES ('first');
