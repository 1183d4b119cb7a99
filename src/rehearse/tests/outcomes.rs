//! What the legs find, and how it is named.

use super::*;
use crate::evidence::difference::Equality;

#[test]
fn an_exact_rollback_goes_through_all_six_legs_and_gives_the_same_facts_again() {
    let fixture = Fixture::new(ROWS);
    let up = "CREATE TABLE u(c); INSERT INTO u VALUES(1); UPDATE t SET b = b || '!';";
    let down = Some("DROP TABLE u; UPDATE t SET b = substr(b, 1, 1);");
    let facts = fixture.rehearse(up, down).expect("rehearsed");
    all_exact(&facts);
    let transaction = entry(&facts, Leg::Transaction).transaction.clone().expect("its facts");
    assert!(transaction.stayed_open && transaction.closed);
    assert_eq!((transaction.statements, transaction.commit_attempts), (3, 0));
    let snapshot = entry(&facts, Leg::Snapshot);
    let (before, applied) =
        (snapshot.before_hash.expect("before"), snapshot.after_apply_hash.expect("applied"));
    assert_ne!(before.rows, applied.rows);
    assert_ne!(before.bytes, applied.bytes);
    let restored = snapshot.snapshot.clone().expect("its facts");
    assert_eq!(restored.taken, restored.restored_from);
    assert!(restored.seen_by_new_process && restored.restored_seen_by_new_process);

    // Elsewhere, under the same name or another: the same facts.
    let elsewhere = fixture.place.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    let copy = elsewhere.join("other-name.db");
    std::fs::copy(&fixture.path, &copy).expect("copied");
    assert_eq!(rehearse(&copy, plan(up, down, "")).expect("rehearsed"), facts);
}

#[test]
fn every_kind_of_schema_comes_back_exactly() {
    for (schema, up, down) in [
        (
            "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES('one two'),('three');",
            "CREATE TABLE u(c); INSERT INTO u VALUES(1);",
            "DROP TABLE u;",
        ),
        (
            "CREATE TABLE w(a TEXT, b, PRIMARY KEY(a)) WITHOUT ROWID; INSERT INTO w VALUES('k', 1), ('l', 2);",
            "UPDATE w SET b = b + 1;",
            "UPDATE w SET b = b - 1;",
        ),
        (
            "CREATE TABLE g(a INT, b INT AS (a * 2) STORED, c AS (a + 1)); INSERT INTO g(a) VALUES(1), (2);",
            "UPDATE g SET a = a + 10;",
            "UPDATE g SET a = a - 10;",
        ),
        (
            "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a); INSERT INTO t VALUES('ä'), (x'00d84100');",
            "UPDATE t SET a = a || '!' WHERE typeof(a) = 'text';",
            "UPDATE t SET a = substr(a, 1, length(a) - 1) WHERE typeof(a) = 'text';",
        ),
        (
            "PRAGMA auto_vacuum=FULL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(20000));",
            "INSERT INTO t VALUES(zeroblob(50000));",
            "DELETE FROM t WHERE length(a) = 50000;",
        ),
        (
            "CREATE TABLE t(a); CREATE TABLE log(n); INSERT INTO t VALUES(1);
             CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(new.a); END;
             CREATE VIEW v AS SELECT a, (SELECT count(*) FROM log) n FROM t;",
            "UPDATE t SET a = 2; DROP VIEW v;",
            "UPDATE t SET a = 1; DELETE FROM log;
             CREATE VIEW v AS SELECT a, (SELECT count(*) FROM log) n FROM t;",
        ),
        (
            "CREATE TABLE s(a INTEGER, b TEXT) STRICT; INSERT INTO s VALUES(1, 'x');",
            "ALTER TABLE s ADD COLUMN c REAL;",
            "ALTER TABLE s DROP COLUMN c;",
        ),
        (
            "PRAGMA user_version=7; PRAGMA application_id=11; CREATE TABLE t(a);",
            "PRAGMA user_version=8; INSERT INTO t VALUES(1);",
            "DELETE FROM t; PRAGMA user_version=7;",
        ),
    ] {
        Fixture::new(schema).exact(up, down);
    }
}

#[test]
fn triggers_that_keep_a_full_text_index_work() {
    let fixture = Fixture::new(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b);
         CREATE VIRTUAL TABLE i USING fts5(b, content='t', content_rowid='a');
         CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO i(rowid, b) VALUES(new.a, new.b); END;
         INSERT INTO t(b) VALUES('one');",
    );
    let facts = fixture.rehearse("INSERT INTO t(b) VALUES('two');", None).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Transaction), Outcome::Exact);
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
}

#[test]
fn a_plan_without_a_way_back_says_so_and_is_restored_by_its_snapshot() {
    let facts = Fixture::new(ROWS).rehearse("DELETE FROM t;", None).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Down), Outcome::NoDown);
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
    assert_eq!(outcome(&facts, Leg::Reapply), Outcome::Held);
}

#[test]
fn a_rollback_that_loses_a_row_is_told_with_table_and_key_and_no_value() {
    let fixture =
        Fixture::new("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(7, 'sesame');");
    let facts = fixture.rehearse("DELETE FROM t;", Some("SELECT 1;")).expect("rehearsed");
    let down = entry(&facts, Leg::Down);
    assert_eq!(down.outcome, Outcome::RowsDiffer);
    let differences = down.differences.clone().expect("what differs");
    assert_eq!(differences.equality, Equality::RowsDiffer);
    assert_eq!(differences.row_codes, ["row_count:t(1->0)"]);
    assert_eq!((differences.items[0].object.as_str(), differences.items[0].key.as_deref()), ("t", Some("7")));
    let told = format!("{:?} {:?}", facts.execution, facts.rollback);
    assert!(!told.contains("sesame"), "no row value stands in the facts");
    // The other ways back do not depend on the script.
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
    assert_eq!(outcome(&facts, Leg::Executor), Outcome::Held);
}

#[test]
fn a_schema_that_stays_behind_is_named() {
    let fixture = Fixture::new(ROWS);
    let facts = fixture.rehearse("CREATE TABLE u(c); CREATE INDEX i ON t(b);", Some("DROP TABLE u;"));
    let facts = facts.expect("rehearsed");
    let down = entry(&facts, Leg::Down);
    assert_eq!(down.outcome, Outcome::SchemaDiffersOnly);
    assert_eq!(down.differences.clone().expect("what differs").schema_codes, ["extra_index:i"]);
    let reapply = entry(&facts, Leg::Reapply);
    assert_eq!(reapply.outcome, Outcome::NotHeld);
    assert_eq!(reapply.error.as_deref(), Some("statement 2: index i already exists"));
}

#[test]
fn a_change_or_a_rollback_that_fails_is_named_in_the_engines_words() {
    let fixture = Fixture::new(ROWS);
    let facts = fixture.rehearse("UPDATE t SET b = 'same';", Some("SELECT 1;")).expect("rehearsed");
    for leg in [Leg::Transaction, Leg::Snapshot, Leg::Down, Leg::Reapply] {
        assert_eq!(outcome(&facts, leg), Outcome::UpFails, "{leg:?}");
        assert_eq!(entry(&facts, leg).error.as_deref(), Some("statement 1: UNIQUE constraint failed: t.b"));
    }
    assert_eq!(outcome(&facts, Leg::Executor), Outcome::Held, "nothing of it stays");
    let facts = fixture.rehearse("CREATE TABLE u(c);", Some("DROP TABLE v;")).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Down), Outcome::DownFails);
    assert_eq!(entry(&facts, Leg::Down).error.as_deref(), Some("statement 1: no such table: v"));
}

#[test]
fn what_only_the_application_has_could_not_be_established() {
    let fixture = Fixture::new(ROWS);
    let facts = fixture.rehearse("UPDATE t SET b = BIN2B64(b);", Some("SELECT 1;")).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::CouldNotEstablish);
    assert_eq!(entry(&facts, Leg::Down).error.as_deref(), Some("statement 1: no such function: BIN2B64"));
}

#[test]
fn a_change_that_does_nothing_leaves_equal_digests() {
    let facts = Fixture::new(ROWS).rehearse("UPDATE t SET b = b;", Some("SELECT 1;")).expect("rehearsed");
    let snapshot = entry(&facts, Leg::Snapshot);
    let (before, after) = (snapshot.before_hash.expect("before"), snapshot.after_apply_hash.expect("after"));
    assert_eq!(before.rows, after.rows, "the validator refuses this as NO_MUTATION");
    assert!(!snapshot.snapshot.clone().expect("its facts").seen_by_new_process);
}

#[test]
fn chance_and_the_clock_are_found_out_and_nothing_unrepeatable_is_kept() {
    for up in [
        "UPDATE t SET b = random();",
        "UPDATE t SET b = b || datetime('now');",
        "INSERT INTO t(b) VALUES(CURRENT_TIMESTAMP);",
        "INSERT INTO t(b) SELECT strftime('%s');",
    ] {
        let fixture = Fixture::new(ROWS);
        let facts = fixture.rehearse(up, Some("SELECT 1;")).expect("rehearsed");
        assert!(facts.rollback.nondeterministic, "{up}");
        assert!(facts.rollback.entries.iter().all(|e| e.after_apply_hash.is_none()), "{up}");
        assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
        let again = fixture.rehearse(up, Some("SELECT 1;")).expect("again");
        assert!(again == facts, "{up}: {:#?}\n{:#?}", again.rollback.entries, facts.rollback.entries);
    }
    let same = "UPDATE t SET b = b || date('2024-02-29', '+1 day');";
    let facts = Fixture::new(ROWS).rehearse(same, Some("SELECT 1;")).expect("rehearsed");
    assert!(!facts.rollback.nondeterministic, "a date that is given is no chance");
}

#[test]
fn the_clock_is_found_out_without_a_transaction_too() {
    let fixture = Fixture::new(ROWS);
    let unwrapped = |up| rehearse(&fixture.path, plan(up, None, "transaction=false")).expect("rehearsed");
    assert!(unwrapped("UPDATE t SET b = b || datetime('now'); VACUUM;").rollback.nondeterministic);
    assert!(!unwrapped("UPDATE t SET b = b || '!'; VACUUM;").rollback.nondeterministic);
}

#[test]
fn a_change_with_its_own_transactions_runs_where_the_plan_says_so() {
    let fixture = Fixture::new(ROWS);
    let up = "BEGIN; UPDATE t SET b = b || '!'; COMMIT; VACUUM;";
    let down = "BEGIN; UPDATE t SET b = substr(b, 1, 1); COMMIT;";
    let facts = rehearse(&fixture.path, plan(up, Some(down), "transaction=false")).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Transaction), Outcome::NotApplicable);
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::Exact);
    assert_eq!(outcome(&facts, Leg::Down), Outcome::Exact);
    let left_open = rehearse(&fixture.path, plan("BEGIN; UPDATE t SET b = 1;", None, "transaction=false"));
    let left_open = left_open.expect("rehearsed");
    assert_eq!(
        entry(&left_open, Leg::Snapshot).error.as_deref(),
        Some("statement 2: UNIQUE constraint failed: t.b")
    );
}

#[test]
fn foreign_keys_are_as_the_plan_says_and_off_by_default() {
    let schema = "CREATE TABLE p(a INTEGER PRIMARY KEY); INSERT INTO p VALUES(1);
                  CREATE TABLE c(a REFERENCES p ON DELETE CASCADE); INSERT INTO c VALUES(1);";
    let (up, down) = ("DELETE FROM p;", "INSERT INTO p VALUES(1);");
    let fixture = Fixture::new(schema);
    fixture.exact(up, down);
    let enforced = rehearse(&fixture.path, plan(up, Some(down), "foreign_keys=true")).expect("rehearsed");
    assert_eq!(outcome(&enforced, Leg::Down), Outcome::RowsDiffer);
    assert_eq!(enforced.lock.engine.foreign_keys, Some(true));
}

#[test]
fn a_deferred_foreign_key_speaks_at_commit() {
    let schema = "CREATE TABLE p(a INTEGER PRIMARY KEY);
                  CREATE TABLE c(a REFERENCES p DEFERRABLE INITIALLY DEFERRED);";
    let fixture = Fixture::new(schema);
    let plan_of = |up| plan(up, Some("DELETE FROM c; DELETE FROM p;"), "foreign_keys=true");
    let facts = rehearse(&fixture.path, plan_of("INSERT INTO c VALUES(1);")).expect("rehearsed");
    assert_eq!(outcome(&facts, Leg::Snapshot), Outcome::UpFails);
    assert_eq!(
        entry(&facts, Leg::Snapshot).error.as_deref(),
        Some("statement 2: FOREIGN KEY constraint failed")
    );
    all_exact(
        &rehearse(&fixture.path, plan_of("INSERT INTO c VALUES(1); INSERT INTO p VALUES(1);")).expect("ok"),
    );
}
