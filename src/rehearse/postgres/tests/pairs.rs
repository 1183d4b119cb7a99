//! Pairs of databases that must differ, and pairs that must be equal: each trap with both.

use super::*;
use crate::evidence::difference::Equality::{self, *};

/// Applies `change` to a copy of what `made` makes; gives both, and what differs.
fn pair(made: &str, change: &str) -> (State, State, Differences, bool) {
    let (name, before) = fresh();
    run(&before, made);
    let (copy, after) = twin(&name);
    run(&after, change);
    let (a, b, found) = between(&before, &after);
    let same_dump = dumped(&name) == dumped(&copy);
    drop_databases(&[&name, &copy]);
    (a, b, found, same_dump)
}

const TABLE: &str = "CREATE TABLE t(id int PRIMARY KEY, a text, n numeric, f float8); \
    INSERT INTO t VALUES (1, 'one', 1.1, 0), (2, 'two', 2, 'NaN'), (3, NULL, NULL, NULL); ";

/// Made, changed, how equal, and one code among those that are named.
const DIFFER: &[(&str, &str, Equality, &str)] = &[
    (TABLE, "UPDATE t SET n = 1.10 WHERE id = 1", RowsDiffer, "values:public.t(n)"),
    (TABLE, "UPDATE t SET f = '-0' WHERE id = 1", RowsDiffer, "values:public.t(f)"),
    (TABLE, "UPDATE t SET a = '' WHERE id = 3", RowsDiffer, "values:public.t(a)"),
    (TABLE, "DELETE FROM t WHERE id = 2", RowsDiffer, "row_count:public.t(3->2)"),
    (TABLE, "UPDATE t SET id = 9 WHERE id = 2", RowsDiffer, "rows_replaced:public.t(1)"),
    (TABLE, "DROP TABLE t", RowsDiffer, "rows_lost_with_table:public.t(3)"),
    (TABLE, "ALTER TABLE t DROP COLUMN a", RowsDiffer, "column_values_lost:public.t(a)"),
    (
        "CREATE TABLE t(a text, b text); INSERT INTO t VALUES ('a3b', 'c')",
        "UPDATE t SET a = 'a', b = '3bc'",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(a int); INSERT INTO t VALUES (1), (1), (2)",
        "DELETE FROM t; INSERT INTO t VALUES (1), (2), (2)",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(a text); CREATE TABLE u(a text); INSERT INTO t VALUES ('x')",
        "DELETE FROM t; INSERT INTO u VALUES ('x')",
        RowsDiffer,
        "row_count:public.u(0->1)",
    ),
    (
        "CREATE TABLE t(); INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t DEFAULT VALUES",
        RowsDiffer,
        "row_count:public.t(1->2)",
    ),
    (
        "CREATE TABLE t(j json); INSERT INTO t VALUES ('{\"a\":1}')",
        "UPDATE t SET j = '{\"a\": 1}'",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(i interval); INSERT INTO t VALUES ('1 mon')",
        "UPDATE t SET i = '30 days'",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(a int[]); INSERT INTO t VALUES ('{1,2}')",
        "UPDATE t SET a = '[0:1]={1,2}'",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TYPE c AS (a text, b text); CREATE TABLE t(c c); INSERT INTO t VALUES (ROW(NULL, NULL))",
        "UPDATE t SET c = NULL",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TYPE c AS (a text, b text); CREATE TABLE t(c c); INSERT INTO t VALUES (ROW('a,', 'b'))",
        "UPDATE t SET c = ROW('a', ',b')",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(a aclitem); INSERT INTO t VALUES ('postgres=r/postgres')",
        "UPDATE t SET a = 'postgres=w/postgres'",
        RowsDiffer,
        "rows_replaced:public.t(1)",
    ),
    (
        "CREATE TABLE t(id int PRIMARY KEY, s text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; INSERT INTO t VALUES (1, 'x')",
        "UPDATE t SET s = 'y'",
        RowsDiffer,
        "values:public.t(s)",
    ),
    ("CREATE UNLOGGED TABLE t(a int)", "INSERT INTO t VALUES (1)", RowsDiffer, "row_count:public.t(0->1)"),
    (
        "CREATE TABLE t(a int) PARTITION BY RANGE (a); CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (9)",
        "INSERT INTO t VALUES (1)",
        RowsDiffer,
        "row_count:public.p(0->1)",
    ),
    (
        "CREATE TABLE t(a int); CREATE TABLE u() INHERITS (t); INSERT INTO t VALUES (1)",
        "DELETE FROM t; INSERT INTO u VALUES (1)",
        RowsDiffer,
        "row_count:public.u(0->1)",
    ),
    (
        "CREATE TABLE t(a int); CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        "INSERT INTO t VALUES (1); REFRESH MATERIALIZED VIEW m; DELETE FROM t",
        RowsDiffer,
        "row_count:public.m(0->1)",
    ),
    (
        "CREATE TABLE t(k text PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('B', 2), ('ä', 3)",
        "UPDATE t SET v = 9 WHERE k = 'B'",
        RowsDiffer,
        "values:public.t(v)",
    ),
    (
        "SELECT lo_from_bytea(77777, 'abc')",
        "SELECT lo_put(77777, 0, 'x')",
        RowsDiffer,
        "values:pg_catalog.pg_largeobject(data)",
    ),
    (
        "CREATE TABLE t(id serial PRIMARY KEY)",
        "SELECT nextval('t_id_seq')",
        ExactButSequence,
        "sequence:public.t_id_seq(1->1 called)",
    ),
    (
        "CREATE TABLE t(a int, b int, c int); INSERT INTO t VALUES (1, 2, 3)",
        "ALTER TABLE t DROP b, ADD b int; UPDATE t SET b = 2",
        ExactButColumnOrder,
        "table_differs:public.t[col_order]",
    ),
    (TABLE, "ALTER TABLE t ALTER id TYPE bigint", SchemaDiffersOnly, "table_differs:public.t[type(id)]"),
    (TABLE, "ALTER TABLE t ALTER n SET DEFAULT 7", SchemaDiffersOnly, "table_differs:public.t[default(n)]"),
    (TABLE, "ALTER TABLE t ADD CHECK (id < 9)", SchemaDiffersOnly, "extra_constraint:public.t.t_id_check"),
    (TABLE, "CREATE INDEX i ON t(a)", SchemaDiffersOnly, "extra_index:public.i"),
    (TABLE, "COMMENT ON COLUMN t.a IS 'x'", SchemaDiffersOnly, "extra_comment:table column public.t.a"),
    (TABLE, "GRANT SELECT ON t TO public", SchemaDiffersOnly, "sql_differs:privileges:relation public.t"),
    (TABLE, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", SchemaDiffersOnly, "table_differs:public.t[options]"),
    (TABLE, "ALTER TABLE t ADD x int", SchemaDiffersOnly, "table_differs:public.t[col_extra=x]"),
    (TABLE, "CREATE STATISTICS s ON a, n FROM t", SchemaDiffersOnly, "extra_statistics:public.s"),
    (TABLE, "CREATE POLICY p ON t USING (id > 1)", SchemaDiffersOnly, "extra_policy:public.t.p"),
    (TABLE, "CREATE PUBLICATION p FOR TABLE t", SchemaDiffersOnly, "extra_publication:p"),
    (TABLE, "CREATE VIEW v AS SELECT id FROM t", SchemaDiffersOnly, "extra_view:public.v"),
    (
        "CREATE TYPE e AS ENUM ('a', 'b')",
        "ALTER TYPE e ADD VALUE 'c' BEFORE 'b'",
        SchemaDiffersOnly,
        "type_differs:public.e[definition]",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        SchemaDiffersOnly,
        "sql_differs:function:public.f()",
    ),
    ("CREATE SEQUENCE s", "ALTER SEQUENCE s INCREMENT 2", SchemaDiffersOnly, "sql_differs:sequence:public.s"),
    (
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
        SchemaDiffersOnly,
        "extra_constraint:public.d.c",
    ),
    ("SELECT", "CREATE EXTENSION pgcrypto", SchemaDiffersOnly, "extra_extension:pgcrypto"),
    (
        "CREATE FUNCTION g() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION g(); ALTER EVENT TRIGGER e DISABLE",
        SchemaDiffersOnly,
        "extra_event_trigger:e",
    ),
];

#[test]
fn what_differs_is_found_and_named() {
    for (made, change, equality, code) in DIFFER {
        let (before, after, found, same_dump) = pair(made, change);
        let codes: Vec<&String> = found.schema_codes.iter().chain(&found.row_codes).collect();
        assert_eq!(found.equality, *equality, "{change}: {codes:?}");
        assert!(codes.iter().any(|c| c == code), "{change}: {code} is not among {codes:?}");
        assert!(found.total > 0 && !found.items.is_empty(), "{change}");
        let states_differ = before.root != after.root || before.apart != after.apart;
        assert!(states_differ, "{change}: the digests do not see it");
        assert_eq!(
            before.schema == after.schema,
            same_dump,
            "{change}: pg_dump is of another opinion, {codes:?}"
        );
    }
}

/// Made, and changed into the same content in another shape.
const EQUAL: &[(&str, &str)] = &[
    (
        TABLE,
        "UPDATE t SET a = a; DELETE FROM t WHERE id = 2; VACUUM t; INSERT INTO t VALUES (2, 'two', 2, 'NaN')",
    ),
    (TABLE, "VACUUM FULL t; REINDEX TABLE t; ANALYZE"),
    (TABLE, "ALTER TABLE t ADD x int; ALTER TABLE t DROP x"),
    (TABLE, "GRANT SELECT ON t TO public; REVOKE SELECT ON t FROM public"),
    (
        "CREATE TABLE t(a int); INSERT INTO t VALUES (1), (1), (2)",
        "DELETE FROM t; INSERT INTO t VALUES (2), (1), (1)",
    ),
    (
        "CREATE TABLE t(r regclass, o regrole); INSERT INTO t VALUES ('t', 'postgres')",
        "CREATE TABLE u AS TABLE t; DROP TABLE t; ALTER TABLE u RENAME TO t; UPDATE t SET r = 't'",
    ),
    (
        "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t(e e, l e[]); INSERT INTO t VALUES ('a', '{a,b}')",
        "DROP TABLE t; DROP TYPE e; CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t(e e, l e[]); INSERT INTO t VALUES ('a', '{a,b}')",
    ),
    (
        "CREATE TYPE c AS (a int, b text); CREATE TABLE t(c c, l c[]); INSERT INTO t VALUES ((1, 'x'), '{\"(2,y)\"}')",
        "DROP TABLE t; DROP TYPE c; CREATE TYPE c AS (a int, b text); CREATE TABLE t(c c, l c[]); INSERT INTO t VALUES ((1, 'x'), '{\"(2,y)\"}')",
    ),
    (
        "CREATE TABLE t(j jsonb, d timestamptz, m money, b bytea); INSERT INTO t VALUES ('{\"a\":1, \"b\":2}', '2020-01-01 00:00+00', 5, '\\x00ff')",
        "UPDATE t SET j = '{\"b\":2,\"a\":1}', d = '2020-01-01 02:00+02'",
    ),
    (
        "CREATE TABLE t(a text); INSERT INTO t SELECT repeat(md5(g::text), 500) FROM generate_series(1, 9) g",
        "ALTER TABLE t ALTER a SET STORAGE EXTERNAL; UPDATE t SET a = a || ''; ALTER TABLE t ALTER a SET STORAGE EXTENDED",
    ),
    (
        "CREATE TABLE t(id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES",
        "CHECKPOINT; SELECT currval(s) FROM (SELECT setval('t_id_seq', 1) s) x WHERE false",
    ),
    ("SELECT lo_from_bytea(77777, 'abc')", "SELECT lo_unlink(77777); SELECT lo_from_bytea(77777, 'abc')"),
];

#[test]
fn what_is_equal_in_another_shape_is_equal() {
    for (made, change) in EQUAL {
        let (name, before) = fresh();
        run(&before, made);
        let (copy, after) = twin(&name);
        // VACUUM runs by itself alone.
        change.split("; ").for_each(|statement| run(&after, statement));
        let (a, b, found) = between(&before, &after);
        assert_eq!((found.equality, found.total), (Exact, 0), "{change}: {found:?}");
        assert_eq!(a, b, "{change}");
        assert_eq!(dumped(&name), dumped(&copy), "{change}");
        drop_databases(&[&name, &copy]);
    }
}

#[test]
fn a_cast_of_the_database_itself_is_never_called() {
    let (name, before) = fresh();
    run(
        &before,
        "CREATE TYPE c AS (a int); CREATE TABLE t(c c); INSERT INTO t VALUES (ROW(1)); \
         CREATE FUNCTION lie(c) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'always'::text $$; \
         CREATE CAST (c AS text) WITH FUNCTION lie(c) AS IMPLICIT",
    );
    let (copy, after) = twin(&name);
    run(&after, "UPDATE t SET c = ROW(2)");
    assert_ne!(state(&before).root, state(&after).root);
    drop_databases(&[&name, &copy]);
}

#[test]
fn a_transaction_sees_its_own_changes_and_stays_open() {
    let (name, database) = fresh();
    run(&database, TABLE);
    let before = state(&database);
    let mut client = connect(&database);
    client
        .batch_execute("SET DateStyle = 'German'; BEGIN; UPDATE t SET a = 'x' WHERE id = 1")
        .expect("an update");
    let inside = rows::of_transaction(&mut client, &spill()).expect("a readable transaction");
    assert_ne!(inside.root, before.root);
    let style: String = client.query_one("SHOW DateStyle", &[]).expect("a setting").get(0);
    assert_eq!(style, "German, DMY", "settings are put back");
    assert_eq!(state(&database), before, "nobody else sees the change");
    client.batch_execute("ROLLBACK").expect("a transaction that is still open");
    assert_eq!(state(&database), before);
    assert!(rows::of_transaction(&mut client, &spill()).is_err(), "there is no transaction");
    drop(client);
    drop_databases(&[&name]);
}

#[test]
fn threads_never_show() {
    let (name, database) = fresh();
    run(
        &database,
        "CREATE TABLE t(id int, v text); INSERT INTO t SELECT g, repeat('x', 400) || g FROM generate_series(1, 90000) g; \
         CREATE TABLE u AS SELECT * FROM t WHERE id % 3 = 0",
    );
    let digest = |threads| rows::of_database(&database, threads, &spill(), &|_| {}).expect("readable");
    let one = digest(1);
    assert_eq!(one.tables.iter().map(|t| t.rows).collect::<Vec<_>>(), [90000, 30000]);
    assert_eq!(digest(2), one);
    assert_eq!(digest(5), one);
    drop_databases(&[&name]);
}

#[test]
fn a_role_that_may_not_see_every_row_gets_an_error() {
    let (name, database) = fresh();
    run(
        &database,
        "CREATE TABLE t(a int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    );
    admin(&format!("CREATE ROLE half_blind LOGIN; ALTER DATABASE {name} OWNER TO half_blind"));
    run(&database, "GRANT SELECT ON t TO half_blind");
    let mut config = postgres::Config::new();
    config.host_path(&server().directory).user("half_blind").dbname(&name);
    let blind = Database::new(config);
    let error = rows::of_database(&blind, 1, &spill(), &|_| {}).expect_err("half of a table");
    assert!(error.to_string().contains("public.t"), "{error}");
    run(&database, "ALTER TABLE t DISABLE ROW LEVEL SECURITY");
    rows::of_database(&blind, 1, &spill(), &|_| {}).expect("nothing is hidden");
    drop_databases(&[&name]);
    admin("DROP ROLE half_blind");
}
