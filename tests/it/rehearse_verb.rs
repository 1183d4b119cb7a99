//! `rehearse` through the binary: what is accepted, and what is refused with which code.

use crate::harness::{Ran, Scratch};

const SHOP: &str =
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t(b) VALUES('x'), ('y'), ('z');";

/// Rehearses these scripts on a small database.
fn rehearse(scratch: &Scratch, up: &str, down: Option<&str>, settings: &[(&str, &str)]) -> Ran {
    if !scratch.path("shop.db").exists() {
        scratch.database("shop.db", SHOP);
    }
    for left in ["plan", "packet"] {
        let _ = std::fs::remove_dir_all(scratch.path(left));
        let _ = std::fs::remove_file(scratch.path(&format!("{left}.run.json")));
    }
    scratch.run(&["plan", "new", "plan"]).ok();
    scratch.write("plan/up.sql", up);
    let spec = scratch.path("plan/plan.toml");
    let mut text = std::fs::read_to_string(&spec).expect("the template");
    match down {
        Some(down) => {
            scratch.write("plan/down.sql", down);
        }
        None => {
            std::fs::remove_file(scratch.path("plan/down.sql")).expect("removed");
            text = text
                .replace("[rollback]\nfile = \"down.sql\"\n", "")
                .replace("leg = \"down\"", "leg = \"snapshot\"");
        }
    }
    for (from, to) in settings {
        assert!(text.contains(from), "the template has `{from}`");
        text = text.replace(from, to);
    }
    std::fs::write(&spec, text).expect("written");
    scratch.run(&["--json", "rehearse", "--source", "shop.db", "--plan", "plan", "--out", "packet"])
}

const UNWRAPPED: &[(&str, &str)] =
    &[("transaction = true", "transaction = false"), ("leg = \"transaction\"", "leg = \"snapshot\"")];

#[test]
fn exact_rollbacks_of_every_shape_are_accepted() {
    let scratch = Scratch::new();
    let (up, down) = ("UPDATE t SET b = b || '!';", "UPDATE t SET b = substr(b, 1, 1);");
    for ran in [
        rehearse(&scratch, up, Some(down), &[]),
        rehearse(&scratch, up, None, &[]),
        rehearse(&scratch, "BEGIN; UPDATE t SET b = b || '!'; COMMIT; VACUUM;", Some(down), UNWRAPPED),
    ] {
        assert_eq!(ran.exit, 0, "{:?} {}", ran.json()["reasons"], ran.stderr);
        assert!(scratch.path("packet/HASH_MANIFEST.txt").exists());
    }
}

#[test]
fn what_proves_nothing_is_refused_with_its_code() {
    let scratch = Scratch::new();
    let down = Some("SELECT 1;");
    for (up, down, code) in [
        ("UPDATE t SET b = b;", down, "NO_MUTATION"),
        ("UPDATE t SET b = random();", down, "ROLLBACK_PROOF_MISSING"),
        (
            "UPDATE t SET b = b || datetime('now');",
            Some("UPDATE t SET b = substr(b, 1, 1);"),
            "ROLLBACK_PROOF_MISSING",
        ),
        ("DELETE FROM t;", down, "NOT_RESTORED"),
        ("INSERT OR ROLLBACK INTO t VALUES(1, 'twice');", down, "ROLLBACK_PROOF_MISSING"),
        ("INSERT INTO t(b) VALUES('w'); COMMIT;", down, "STATEMENT_FORBIDDEN"),
        ("ATTACH 'other.db' AS o;", down, "STATEMENT_FORBIDDEN"),
        ("SELECT load_extension('evil');", down, "STATEMENT_FORBIDDEN"),
    ] {
        let ran = rehearse(&scratch, up, down, &[]);
        assert_eq!(ran.exit, 4, "{up}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.codes().contains(&code.to_owned()), "{up}: {:?}", ran.codes());
    }
    assert!(!scratch.path("other.db").exists());
}

#[test]
fn the_same_rehearsal_gives_the_same_packet_wherever_it_is_done() {
    let scratch = Scratch::new();
    let (up, down) = ("INSERT INTO t(b) VALUES('w');", "DELETE FROM t WHERE b = 'w';");
    let first = rehearse(&scratch, up, Some(down), &[]).ok();
    let tree = first.json()["packet_tree"].clone();
    std::fs::create_dir_all(scratch.path("far/away")).expect("made");
    std::fs::copy(scratch.path("shop.db"), scratch.path("far/away/renamed.db")).expect("copied");
    let second = scratch
        .run(&[
            "--json",
            "rehearse",
            "--source",
            "far/away/renamed.db",
            "--plan",
            "plan",
            "--out",
            "packet2",
            "--threads",
            "7",
        ])
        .ok();
    assert_eq!(second.json()["packet_tree"], tree);
}
