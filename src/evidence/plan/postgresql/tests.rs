use super::*;

#[test]
fn a_statement_ends_where_the_server_says() {
    for (script, pieces) in [
        ("", vec![]),
        (" ; -- nothing\n ; /* ; */", vec![]),
        ("SELECT ';'; SELECT 2", vec!["SELECT ';'", "SELECT 2"]),
        ("SELECT E'\\';'; SELECT 2;", vec!["SELECT E'\\';'", "SELECT 2"]),
        ("SELECT '\\'; SELECT 2;", vec!["SELECT '\\'", "SELECT 2"]),
        ("SELECT \"a;\"\"b\"; x", vec!["SELECT \"a;\"\"b\"", "x"]),
        ("DO $a$ x; $b$; $a$; y", vec!["DO $a$ x; $b$; $a$", "y"]),
        ("SELECT $1; a$b$; c", vec!["SELECT $1", "a$b$", "c"]),
        ("/* a /* ; */ ; */ SELECT 1;", vec!["/* a /* ; */ ; */ SELECT 1"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (a; b); c",
            vec!["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"],
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; c",
            vec![
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
                "c",
            ],
        ),
        ("BEGIN; END; c", vec!["BEGIN", "END", "c"]),
        ("'open; for ever", vec!["'open; for ever"]),
        ("$x$open", vec!["$x$open"]),
        ("/* open", vec![]),
    ] {
        assert_eq!(statements(script), pieces, "{script}");
    }
}

#[test]
fn what_cannot_run_in_a_transaction_is_seen_and_its_twin_is_not() {
    for (bad, good) in [
        ("create unique index concurrently i on t(a)", "create unique index i on t(a)"),
        ("drop index concurrently i", "drop index i"),
        ("reindex table concurrently t", "reindex table t"),
        ("vacuum full t", "analyze t"),
        ("create database d", "create schema d"),
        ("alter system set a = 1", "alter table system add a int"),
        ("/* why */ VACUUM", "comment on table t is 'VACUUM'"),
        ("alter table t detach partition p concurrently", "alter table t detach partition p"),
    ] {
        assert!(outside_transaction(bad).is_some(), "{bad}");
        assert_eq!(outside_transaction(good), None, "{good}");
    }
}

#[test]
fn verbs_of_transactions_are_seen_and_savepoints_pass() {
    for text in
        ["begin", "COMMIT WORK", "end", "abort", "rollback", "start transaction", "prepare transaction 'x'"]
    {
        assert_eq!(verb(text), Verb::Transaction, "{text}");
    }
    for text in
        ["savepoint a", "rollback to a", "rollback to savepoint a", "release a", "prepare p as select 1"]
    {
        assert_eq!(verb(text), Verb::Other, "{text}");
    }
    assert_eq!(verb("with x as (select 1) insert into t select * from x"), Verb::Rows);
    let many = (0..40).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ");
    assert_eq!(verb(&format!("copy t ({many}) from stdin")), Verb::CopyStream { inwards: true });
}

#[test]
fn a_value_added_to_an_enum_can_be_used_once_it_is_committed() {
    let add = "ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'glad'";
    let used = format!("{add}; INSERT INTO t VALUES ('glad')");
    assert_eq!(outside_transaction(&used).map(|(n, _)| n), Some(2));
    for fine in [
        add.to_owned(),
        format!("{add}; INSERT INTO t VALUES ('sad')"),
        format!("{add}; ALTER TYPE public.mood ADD VALUE 'merry' AFTER 'glad'"),
        format!("CREATE TYPE public.mood AS ENUM ('sad'); {used}"),
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'glad'; INSERT INTO t VALUES ('glad')".to_owned(),
    ] {
        assert_eq!(outside_transaction(&fine), None, "{fine}");
    }
}

#[test]
fn owners_and_privileges_are_known_and_what_only_looks_so_is_not() {
    for about in [
        "ALTER TABLE public.t OWNER TO postgres",
        "ALTER FUNCTION public.f(owner text) OWNER TO \"Some One\"",
        "GRANT ALL ON TABLE public.t TO web",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b",
    ] {
        assert!(is_about_roles(about), "{about}");
    }
    for other in [
        "ALTER TABLE t RENAME COLUMN owner TO holder",
        "ALTER TABLE t ADD owner text",
        "COMMENT ON TABLE t IS 'GRANT'",
    ] {
        assert!(!is_about_roles(other), "{other}");
    }
}

#[test]
fn the_first_text_of_an_expression_is_unquoted() {
    assert_eq!(first_text("CHECK ((a = ANY (ARRAY['it''s'::text, 'b'::text])))"), Some("it's".to_owned()));
    assert_eq!(first_text("CHECK ((a > 5) AND \"'x'\")"), None);
}
