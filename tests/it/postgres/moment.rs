//! Changes whose outcome depends on the clock or on chance.

use fix7_ledger::rehearse::postgres::child::{Answer, What};

use super::{Cluster, DUMP, attest, document, place_of, rehearse, script};

/// The dump, with a trigger that writes the day.
fn with_a_trigger() -> String {
    let made = "CREATE FUNCTION public.day() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.v := CURRENT_DATE::text; RETURN NEW; END$$;\n\
                CREATE TABLE public.log (id integer, v text, d date DEFAULT CURRENT_DATE);\n\
                CREATE TRIGGER day BEFORE INSERT ON public.log FOR EACH ROW WHEN (NEW.id > 1) EXECUTE FUNCTION public.day();\n";
    DUMP.replace("SELECT pg_catalog.setval", &format!("{made}\nSELECT pg_catalog.setval"))
}

#[test]
fn what_depends_on_the_day_is_found_and_what_only_reads_the_clock_is_not() {
    let cluster = Cluster::of(&with_a_trigger());
    for (matters, change) in [
        (true, "CREATE TABLE made AS SELECT CURRENT_DATE AS d"),
        (true, "CREATE TABLE made AS SELECT 'today'::date AS d"),
        (true, "CREATE TABLE made AS SELECT extract(year FROM now()) AS y"),
        (
            true,
            "CREATE TABLE made(a int); INSERT INTO made VALUES (1); ALTER TABLE made ADD d date DEFAULT CURRENT_DATE",
        ),
        (true, "DO $$ BEGIN CREATE TABLE made AS SELECT LOCALTIMESTAMP(0)::date AS d; END $$"),
        (true, "CREATE TABLE made(); INSERT INTO log(id, d) VALUES (2, '2000-01-01')"),
        (true, "CREATE TABLE made(); INSERT INTO log(id) VALUES (1)"),
        (false, "CREATE TABLE made(); INSERT INTO log(id, d) VALUES (1, '2000-01-01')"),
        (false, "CREATE TABLE made(d date DEFAULT CURRENT_DATE); DELETE FROM t WHERE now() < '1999-01-01'"),
        (
            false,
            "CREATE TABLE made AS SELECT timestamp '2020-01-01 00:00'::timestamptz AS at, 'today' AS word",
        ),
        (false, "CREATE TABLE made AS SELECT * FROM t"),
    ] {
        let left = cluster.commit(change);
        let tables = left.state.unwrap_or_else(|| panic!("{change}: {:?}", left.report.failure)).tables;
        let back = cluster.commit("DROP TABLE made; TRUNCATE log");
        assert_eq!(back.report.failure, None);
        match cluster.ask(What::Moment { up: script(change, true), tables }) {
            Answer::Moment(found) => assert_eq!(found, matters, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[test]
fn a_change_that_depends_on_the_day_is_reached_again_without_what_it_gave() {
    let up = "ALTER TABLE t ADD COLUMN d date NOT NULL DEFAULT CURRENT_DATE;";
    let scratch = place_of(DUMP, up, "ALTER TABLE t DROP COLUMN d;");
    attest(&scratch, "dump.sql", "staging-7", "keys/anna").ok();
    let ran = rehearse(&scratch, "dump.sql", "keys/anna.pub");
    assert_eq!(ran.json()["nondeterministic"], true, "{}", ran.stdout);
    let evidence = document(&scratch, "clone-rollback-evidence.json");
    assert_eq!(evidence["nondeterministic"], true);
    for entry in evidence["entries"].as_array().expect("a list") {
        assert!(entry.get("after_apply_hash").is_none(), "{entry}");
    }
    assert_eq!(evidence["entries"][3]["outcome"], "exact");
    // Such a packet proves nothing, but another rehearsal reaches it.
    std::fs::rename(scratch.path("packet"), scratch.path("first")).expect("moved");
    std::fs::remove_file(scratch.path("packet.run.json")).expect("removed");
    let again = rehearse(&scratch, "dump.sql", "keys/anna.pub");
    assert_eq!(again.json()["packet_tree"], ran.json()["packet_tree"]);
    assert_eq!(scratch.listing("packet"), scratch.listing("first"));
}
