//! Any single change is found, and named by its table, its row and its column.

use proptest::prelude::*;

use super::*;
use crate::evidence::difference::Equality;

/// A table of each kind of type, 40 rows, with a key and without.
const MADE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN small AS int CHECK (VALUE < 1000); \
    CREATE TABLE t(id bigint PRIMARY KEY, c0 int DEFAULT 1, c1 text, c2 numeric, c3 float8, c4 bool, c5 timestamptz, c6 uuid, c7 jsonb, c8 bytea, \
        c9 mood, c10 pair, c11 small, c12 int[], c13 int4range, c14 regtype, c15 inet); \
    INSERT INTO t SELECT g, g, 'v' || g, g * 1.5, g / 3.0, g % 2 = 0, to_timestamp(g), md5(g::text)::uuid, jsonb_build_object('a', g), decode(md5(g::text), 'hex'), \
        'sad', ROW(g, 'x')::pair, g, ARRAY[g, g], int4range(g, g + 5), 'int4', '10.0.0.1' FROM generate_series(1, 40) g; \
    CREATE TABLE u AS SELECT c0, c1, c10 FROM t";

/// For each column another value.
const VALUES: [&str; 16] = [
    "c0 + 1",
    "c1 || ' '",
    "c2 + 0.00",
    "-c3",
    "NOT c4",
    "c5 + interval '1 us'",
    "md5(c6::text)::uuid",
    "c7 || '{\"b\":null}'",
    "c8 || '\\x00'",
    "'ok'",
    "ROW((c10).a, 'y')",
    "c11 + 1",
    "c12 || 1",
    "int4range(lower(c13), upper(c13), '[]')",
    "'int8'",
    "'10.0.0.2'",
];

const SCHEMA: [(&str, &str); 8] = [
    ("ALTER TABLE t ALTER c0 TYPE int8", "table_differs:public.t[type(c0)]"),
    ("ALTER TABLE t ALTER c0 SET DEFAULT 2", "table_differs:public.t[default(c0)]"),
    ("ALTER TABLE t ALTER c1 SET NOT NULL", "table_differs:public.t[notnull(c1)]"),
    ("ALTER TABLE t ALTER c1 TYPE varchar(99)", "table_differs:public.t[type(c1)]"),
    ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (c6)", "extra_constraint:public.t.k"),
    ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (c0) REFERENCES t", "extra_constraint:public.t.f"),
    ("ALTER DOMAIN small SET DEFAULT 5", "type_differs:public.small[definition]"),
    (
        "ALTER TABLE u RENAME c0 TO d0; ALTER TABLE u ALTER d0 SET DEFAULT 1",
        "table_differs:public.u[col_missing=c0,col_extra=d0,default(d0)]",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_changed_value_is_found_with_its_key_and_column(column in 0usize..16, id in 1i64..=40, null: bool) {
        let (name, before) = made();
        let (copy, after) = twin(name);
        let value = if null { "NULL" } else { VALUES[column] };
        run(&after, &format!("UPDATE t SET c{column} = {value} WHERE id = {id}"));
        let (.., found) = between(&before, &after);
        drop_databases(&[&copy]);
        prop_assert_eq!(found.equality, Equality::RowsDiffer);
        prop_assert_eq!(found.total, 1);
        prop_assert_eq!(&found.items[0].object, "public.t");
        prop_assert_eq!(&found.items[0].kind, "value_changed");
        prop_assert_eq!(found.items[0].key.clone(), Some(id.to_string()));
        prop_assert_eq!(found.items[0].column.clone(), Some(format!("c{column}")));
        prop_assert_eq!(found.row_codes, [format!("values:public.t(c{column})")]);
    }
}

/// One database for all cases: each changes a copy.
fn made() -> (&'static str, Database) {
    static MADE_ONCE: OnceLock<String> = OnceLock::new();
    let name = MADE_ONCE.get_or_init(|| {
        let (name, database) = fresh();
        run(&database, MADE);
        name
    });
    (name, database(name))
}

#[test]
fn a_changed_type_default_or_constraint_is_found_and_named() {
    let (name, before) = fresh();
    run(&before, MADE);
    for (change, code) in SCHEMA {
        let (copy, after) = twin(&name);
        run(&after, change);
        let (.., found) = between(&before, &after);
        drop_databases(&[&copy]);
        let stem = code.split(",default").next().unwrap_or(code);
        named(&found, stem, change);
    }
    drop_databases(&[&name]);
}

fn named(found: &Differences, code: &str, change: &str) {
    assert!(
        found.schema_codes.iter().any(|c| c.starts_with(code.trim_end_matches(']'))),
        "{change}: {found:?}"
    );
    assert_ne!(found.equality, Equality::Exact, "{change}");
}
