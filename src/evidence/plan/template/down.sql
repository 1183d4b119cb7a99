-- The way back: it must restore every row and the schema.
DROP TABLE rehearsal_note;
