//! Controls and children that lie, die or hang before the proof.

use fix7_ledger::evidence::EngineName;
use fix7_ledger::evidence::isolation::{Control, Level, table};
use fix7_ledger::rehearse::isolation::IsolationError;

use crate::support::{HONEST, establish_with, nothing_left};
use crate::{Test, scratch};

pub(crate) const TESTS: &[Test] = &[
    ("an_honest_script_is_proven", an_honest_script_is_proven),
    ("what_was_left_open_is_closed_first", what_was_left_open_is_closed_first),
    ("a_control_that_only_says_that_it_reached_is_not_believed", a_control_that_only_says_that_it_reached),
    ("a_control_that_reached_nothing_proves_nothing", a_control_that_reached_nothing_proves_nothing),
    ("a_control_in_an_empty_network_proves_nothing", a_control_in_an_empty_network_proves_nothing),
    (
        "a_child_that_only_says_that_it_is_confined_is_not_believed",
        a_child_that_only_says_that_it_is_confined,
    ),
    ("a_child_that_names_another_process_is_stopped", a_child_that_names_another_process_is_stopped),
    ("a_child_that_ends_hangs_or_raves_is_an_error_in_time", a_child_that_ends_hangs_or_raves),
];

fn an_honest_script_is_proven() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish_with(scratch.path(), level, HONEST, HONEST).expect("proven");
        drop(confinement);
    }
    nothing_left(scratch.path());
}

fn what_was_left_open_is_closed_first() {
    let scratch = scratch();
    for level in Level::ALL {
        let leg = format!("exec 7</etc/passwd 9>/dev/null\n{HONEST}");
        establish_with(scratch.path(), level, HONEST, &leg).expect("proven");
    }
    nothing_left(scratch.path());
}

/// The answers of a control for which every attempt ended with `outcome`.
fn attempted(outcome: &str) -> String {
    let rules = table::PROBES.iter().filter(|rule| rule.control == Control::Outside);
    let answers: Vec<_> =
        rules.map(|rule| serde_json::json!({"probe": rule.attempt, "outcome": outcome})).collect();
    serde_json::json!({ "Attempted": answers }).to_string()
}

fn fake_control(outcome: &str) -> String {
    format!(
        "read line; echo '{{\"Started\":{{\"pid\":1}}}}'; read line; echo '{}'; read line",
        attempted(outcome)
    )
}

fn not_proven(result: Result<impl Sized, IsolationError>, named: &str) {
    match result {
        Err(IsolationError::NotProven(reasons)) => {
            assert!(reasons.iter().any(|reason| reason.to_string().contains(named)), "{reasons:?}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was proven"),
    }
}

fn a_control_that_only_says_that_it_reached() {
    let scratch = scratch();
    let result = establish_with(scratch.path(), Level::Two, &fake_control("REACHED"), HONEST);
    not_proven(result, "control/tcp: expected the control's contact, found 0 contacts");
    nothing_left(scratch.path());
}

fn a_control_that_reached_nothing_proves_nothing() {
    let scratch = scratch();
    let result = establish_with(scratch.path(), Level::Two, &fake_control("ECONNREFUSED"), HONEST);
    not_proven(result, "control/tcp-connect: expected REACHED, found ECONNREFUSED");
    nothing_left(scratch.path());
}

fn a_control_in_an_empty_network_proves_nothing() {
    let scratch = scratch();
    let control = "exec unshare -Un \"$real\" \"$@\"";
    let result = establish_with(scratch.path(), Level::Three, control, HONEST);
    not_proven(result, "control/tcp-connect: expected REACHED, found ENETUNREACH");
    nothing_left(scratch.path());
}

fn a_child_that_only_says_that_it_is_confined() {
    let scratch = scratch();
    let answers: Vec<_> = table::required(EngineName::Sqlite, Level::Two)
        .map(|rule| serde_json::json!({"probe": rule.probe(), "outcome": rule.errno, "before": true}))
        .collect();
    let report = serde_json::json!({"Confined": {
        "answers": answers, "landlock_abi": 7, "landlock_status": "fully_enforced",
    }});
    let leg = format!(
        "read line; echo \"{{\\\"Started\\\":{{\\\"pid\\\":$$}}}}\"; read line; echo '{report}'; read line"
    );
    let result = establish_with(scratch.path(), Level::Two, HONEST, &leg);
    not_proven(result, "kernel/seccomp_mode: expected 2, found 0");
    nothing_left(scratch.path());
}

fn a_child_that_names_another_process_is_stopped() {
    let scratch = scratch();
    for level in Level::ALL {
        for pid in ["1", "$PPID", "0", "4294967295"] {
            let leg = format!("read line; echo \"{{\\\"Started\\\":{{\\\"pid\\\":{pid}}}}}\"; read line");
            let result = establish_with(scratch.path(), level, HONEST, &leg);
            assert!(result.is_err(), "{level} {pid}");
        }
    }
    nothing_left(scratch.path());
}

fn a_child_that_ends_hangs_or_raves() {
    let scratch = scratch();
    for (behaviour, timed_out) in [
        ("exit 0", false),
        ("exit 7", false),
        ("kill -9 $$", false),
        ("exec sleep 1000", true),
        ("sleep 1000 & wait", true),
        ("read line; echo garbage", false),
        ("echo", false),
        ("printf 'no end'", false),
        ("echo '{\"Answer\":1}'; exec sleep 1000", false),
        ("echo '\"Ended\"'", false),
        ("exec yes", false),
        ("head -c 20000000 /dev/zero", false),
        ("echo words >&2; exit 1", false),
    ] {
        for (control, leg) in [(behaviour, HONEST), (HONEST, behaviour)] {
            let error = establish_with(scratch.path(), Level::Two, control, leg).err().expect(behaviour);
            match &error {
                IsolationError::TimedOut { .. } => assert!(timed_out, "{behaviour}: {error}"),
                IsolationError::Child { .. } => assert!(!timed_out, "{behaviour}: {error}"),
                other => panic!("{behaviour}: {other}"),
            }
            assert_eq!(error.to_string().contains("words"), behaviour.contains("words"), "{error}");
        }
        nothing_left(scratch.path());
    }
}
