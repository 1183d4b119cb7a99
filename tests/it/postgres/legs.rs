//! What each leg says of changes that are not plain: outside of transactions, beside the rows, under locks.

use super::{ALL_EXACT, Cluster, DUMP, attest, document, entries, outcomes, place_of, rehearse};

/// The dump, and an enum.
fn with_an_enum() -> String {
    DUMP.replace("CREATE TABLE", "CREATE TYPE public.mood AS ENUM ('sad');\nCREATE TABLE")
}

#[test]
fn a_change_that_no_transaction_can_hold_is_told_and_its_twin_runs_in_one() {
    let changed = "INSERT INTO t(v) VALUES ('four');";
    let back = "DELETE FROM t WHERE v = 'four'; SELECT setval('t_id_seq', 3);";
    for (up, down, told) in [
        ("CREATE INDEX CONCURRENTLY i ON t(v);", "DROP INDEX CONCURRENTLY i;", "CREATE INDEX CONCURRENTLY"),
        ("VACUUM t;", "SELECT 1;", "VACUUM"),
    ] {
        let entries = entries(DUMP, &format!("{changed} {up}"), &format!("{back} {down}"));
        assert_eq!(outcomes(&entries), ["held", "not_applicable", "exact", "exact", "held", "held"], "{up}");
        let error = entries[1]["error"].as_str().unwrap_or_default();
        assert_eq!(error, format!("statement 2: {told} cannot run inside a transaction"));
        assert!(entries[1].get("before_hash").is_none());
    }
    let add = "ALTER TYPE mood ADD VALUE 'glad'; CREATE TABLE u AS SELECT mood 'glad' AS m;";
    let entries = entries(&with_an_enum(), add, "DROP TABLE u;");
    // A value of an enum cannot be taken away again.
    let after = ["held", "not_applicable", "exact", "schema_differs_only", "not_held", "held"];
    assert_eq!(outcomes(&entries), after);
    assert!(entries[1]["error"].as_str().is_some_and(|e| e.contains("ADD VALUE")), "{}", entries[1]["error"]);
    let twin = super::entries(&with_an_enum(), "CREATE INDEX i ON t(v);", "DROP INDEX i;");
    assert_eq!(outcomes(&twin), ALL_EXACT);
}

#[test]
fn what_stands_apart_is_compared_in_every_leg_and_told() {
    let up = "SELECT lo_from_bytea(424242, 'somebody''s'); SELECT nextval('t_id_seq');";
    let back = "SELECT setval('t_id_seq', 3);";
    let forgotten = entries(DUMP, up, back);
    assert_eq!(outcomes(&forgotten), ["held", "exact", "exact", "rows_differ", "not_held", "held"]);
    let effects = |at: usize| forgotten[at]["apart"]["non_transactional_effects"].clone();
    assert_eq!(effects(1), serde_json::json!(["sequence:public.t_id_seq(3 called->4 called)"]));
    assert_eq!(effects(2), serde_json::json!([]));
    assert_eq!(effects(3), serde_json::json!(["large_objects"]));
    let apart = &forgotten[3]["apart"];
    assert_ne!(apart["large_objects_before"], apart["large_objects_after"]);

    let exact = entries(DUMP, up, &format!("SELECT lo_unlink(424242); {back}"));
    assert_eq!(outcomes(&exact), ALL_EXACT);
    for entry in exact.iter().filter(|entry| entry["leg"] != "reapply") {
        let apart = &entry["apart"];
        let base = &exact[0]["apart"]["large_objects_before"];
        assert!(base.is_string());
        assert_eq!([&apart["large_objects_before"], &apart["large_objects_after"]], [base, base]);
        let schema = &entry["schema"];
        assert!(schema["pg_dump_before"].is_string());
        assert_eq!(schema["pg_dump_before"], schema["pg_dump_after"]);
        assert_eq!(schema["catalogue_before"], schema["catalogue_after"]);
    }
}

/// What a role is given belongs to the cluster: the database is as before, and the rollback is not exact all the same.
#[test]
fn what_a_change_does_to_roles_is_told_and_refused_where_it_stays() {
    let up = "CREATE TABLE u(a int); ALTER ROLE CURRENT_USER SET work_mem = '16MB';";
    let rehearsed = |down: &str| {
        let scratch = place_of(DUMP, up, &format!("DROP TABLE u; {down}"));
        attest(&scratch, "dump.sql", "staging-7", "keys/anna").ok();
        let ran = rehearse(&scratch, "dump.sql", "keys/anna.pub");
        let evidence = document(&scratch, "clone-rollback-evidence.json");
        (ran, evidence["entries"].as_array().expect("a list").clone())
    };
    let (ran, forgotten) = rehearsed("");
    let effects = |at: usize| forgotten[at]["apart"]["non_transactional_effects"].clone();
    assert_eq!((effects(1), effects(3)), (serde_json::json!([]), serde_json::json!(["roles"])));
    assert_eq!((ran.exit, ran.codes()), (4, vec!["NOT_RESTORED".to_owned()]), "{}", ran.stdout);
    assert!(ran.stdout.contains("sequences, roles and large objects as before"), "{}", ran.stdout);
    let (ran, twin) = rehearsed("ALTER ROLE CURRENT_USER RESET work_mem;");
    assert_eq!(outcomes(&twin), ALL_EXACT);
    ran.ok();
}

/// A conversion is no object of the catalogue's digest, and whether a view is filled is nothing that pg_dump tells.
#[test]
fn where_catalogue_and_pg_dump_disagree_both_values_are_told() {
    let up = "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1; CREATE TABLE u(a int);";
    let forgotten = entries(DUMP, up, "DROP TABLE u;");
    assert_eq!(forgotten[3]["outcome"], "schema_differs_only");
    let code = forgotten[3]["differences"]["schema_codes"][0].as_str().unwrap_or_default().to_owned();
    let schema = &forgotten[3]["schema"];
    let short = |field: &str| schema[field].as_str().unwrap_or_default()[..16].to_owned();
    assert_eq!(code, format!("pg_dump_alone:c({}->{})", short("pg_dump_before"), short("pg_dump_after")));
    assert_eq!(schema["catalogue_before"], schema["catalogue_after"]);
    assert_eq!(outcomes(&entries(DUMP, up, "DROP TABLE u; DROP CONVERSION c;")), ALL_EXACT);

    let view = DUMP.replace(
        "SELECT pg_catalog.setval",
        "CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS a WHERE false;\n\nSELECT pg_catalog.setval",
    );
    let emptied =
        entries(&view, "CREATE TABLE u(a int);", "DROP TABLE u; REFRESH MATERIALIZED VIEW m WITH NO DATA;");
    let codes = emptied[3]["differences"]["schema_codes"].to_string();
    assert!(codes.contains("catalogue_alone:schema(") && codes.contains("view_differs:public.m"), "{codes}");
}

/// A lock of 50 ms is seen, and told with its mode; what takes no such lock is not said to.
#[test]
fn a_lock_of_fifty_milliseconds_is_seen() {
    let cluster = Cluster::of(DUMP);
    let strongest = |sql: &str, transaction: bool| -> Option<String> {
        let committed = cluster.run(sql, transaction);
        assert_eq!(committed.report.failure, None, "{sql}");
        committed.locks.into_iter().find(|lock| lock.relation == "public.t").map(|lock| lock.mode)
    };
    let exclusive = Some("AccessExclusiveLock".to_owned());
    let held = "LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.05);";
    assert_eq!(strongest(held, true), exclusive);
    assert_eq!(strongest(&format!("BEGIN; {held} COMMIT;"), false), exclusive);
    // Not even a moment is needed: a transaction keeps its locks, and is looked at before it ends.
    assert_eq!(
        strongest("ALTER TABLE t SET (fillfactor = 80);", true).as_deref(),
        Some("ShareUpdateExclusiveLock")
    );
    assert_eq!(strongest("INSERT INTO t(v) VALUES ('x');", true).as_deref(), Some("RowExclusiveLock"));
    assert_eq!(strongest("SELECT pg_sleep(0.05);", true), None);
}
