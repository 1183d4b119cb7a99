//! Confined children that are asked, and that answer or fail to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::rehearse::isolation::{ConfinedChild, IsolationError};
use serde_json::{Value, json};

use crate::support::{SHORT, establish, nothing_left};
use crate::{Test, entries, scratch};

pub(crate) const TESTS: &[Test] = &[
    ("a_child_answers_and_ends", a_child_answers_and_ends),
    ("a_child_touches_the_clone_and_nothing_else", a_child_touches_the_clone_and_nothing_else),
    ("a_child_that_fails_while_answering_is_an_error_in_time", a_child_that_fails_while_answering),
    ("children_work_side_by_side", children_work_side_by_side),
    ("an_answer_of_another_form_is_an_error", an_answer_of_another_form_is_an_error),
];

fn ask(child: &mut ConfinedChild, question: Value) -> Result<Value, IsolationError> {
    child.ask(&question, Some(Duration::from_secs(20)))
}

fn a_child_answers_and_ends() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish(scratch.path(), level);
        let mut child = confinement.spawn().expect("a child");
        let value = json!({"deep": [1, "ü", null, {"x": true}], "long": "y".repeat(1 << 20)});
        let answer = ask(&mut child, json!({"do": "echo", "value": value})).expect("an answer");
        assert_eq!(answer, value);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notices = Arc::clone(&seen);
        child.notices(move |notice| notices.lock().expect("one thread").push(notice));
        assert_eq!(ask(&mut child, json!({"do": "count"})).expect("an answer"), "counted");
        assert_eq!(*seen.lock().expect("one thread"), [1, 2, 3]);
        assert_eq!(ask(&mut child, json!({"do": "print"})).expect("an answer"), "printed");
        let names = ask(&mut child, json!({"do": "environment"})).expect("an answer");
        let mut names: Vec<String> = serde_json::from_value(names).expect("names");
        names.sort();
        assert_eq!(names, ["LC_ALL", "RUST_BACKTRACE", "SQLITE_TMPDIR", "TMPDIR", "TZ"]);
        let place = ask(&mut child, json!({"do": "place"})).expect("an answer");
        assert_eq!(place, json!(confinement.clone_directory()));
        child.finish().expect("it ends");
        assert_eq!(confinement.close().expect("nobody came").run.children, 3);
    }
    nothing_left(scratch.path());
}

fn a_child_touches_the_clone_and_nothing_else() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish(scratch.path(), level);
        let clone = confinement.clone_directory().to_owned();
        let mut child = confinement.spawn().expect("a child");
        assert_eq!(entries(&clone).len(), 0, "probing leaves nothing in the clone's directory");
        std::fs::write(clone.join("given"), "x").expect("own directory");
        std::os::unix::fs::symlink("/etc/passwd", clone.join("out")).expect("own directory");
        let mut outcome = |verb: &str, path: &std::path::Path| {
            ask(&mut child, json!({"do": verb, "path": path})).expect("an answer")
        };
        let refused = if level == Level::Three { libc::ENOENT } else { libc::EACCES };
        assert_eq!(outcome("read", &clone.join("given")), 0);
        assert_eq!(outcome("write", &clone.join("made")), 0);
        assert_eq!(outcome("read", &clone.join("out")), refused, "a link leads nowhere");
        assert_eq!(outcome("read", "/proc/self/status".as_ref()), refused);
        assert_eq!(outcome("read", &clone.join("../outside/secret")), refused);
        assert_ne!(outcome("write", &clone.join("../beside")), 0);
        assert_ne!(outcome("write", &scratch.path().join("beside")), 0);
        assert!(clone.join("made").exists());
        child.kill();
        drop(confinement);
        nothing_left(scratch.path());
    }
}

fn a_child_that_fails_while_answering() {
    let scratch = scratch();
    for level in Level::ALL {
        let confinement = establish(scratch.path(), level);
        for deed in ["hang", "flood", "abort", "exit", "panic", "huge"] {
            let mut child = confinement.spawn().expect("a child");
            let patience = matches!(deed, "hang" | "flood").then_some(SHORT);
            let error = child.ask::<_, Value>(&json!({ "do": deed }), patience).expect_err(deed);
            match (deed, &error) {
                ("hang" | "flood", IsolationError::TimedOut { .. }) => {}
                ("abort" | "exit" | "panic" | "huge", IsolationError::Child { .. }) => {}
                _ => panic!("{deed}: {error}"),
            }
            assert_eq!(error.to_string().contains("as asked"), deed == "panic", "{error}");
            // SIGABRT is denied by the filter: abort() falls back on an instruction that traps.
            let word = match deed {
                "abort" => "signal ",
                "exit" => "exit status: 0",
                "panic" => "exit status: 101",
                _ => "",
            };
            assert!(error.to_string().contains(word), "{error}");
            let again = child.ask::<_, Value>(&json!({ "do": "echo" }), None);
            assert!(again.is_err(), "a child that failed is not asked again");
        }
        // The others are not concerned.
        let mut child = confinement.spawn().expect("a child");
        assert_eq!(ask(&mut child, json!({"do": "echo", "value": 1})).expect("an answer"), 1);
        drop(child);
        confinement.close().expect("nobody came");
    }
    nothing_left(scratch.path());
}

fn children_work_side_by_side() {
    let scratch = scratch();
    let confinement = establish(scratch.path(), Level::Three);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let confinement = &confinement;
            scope.spawn(move || {
                // Started by a thread that is gone when it is asked.
                let child = std::thread::scope(|inner| inner.spawn(|| confinement.spawn()).join());
                let mut child = child.expect("a thread").expect("a child");
                let answer = ask(&mut child, json!({"do": "echo", "value": n})).expect("an answer");
                assert_eq!(answer, n);
                child.finish().expect("it ends");
            });
        }
    });
    assert_eq!(confinement.close().expect("nobody came").run.children, 6);
    nothing_left(scratch.path());
}

fn an_answer_of_another_form_is_an_error() {
    let scratch = scratch();
    let confinement = establish(scratch.path(), Level::Two);
    let mut child = confinement.spawn().expect("a child");
    let question = json!({"do": "echo", "value": "text"});
    let number = child.ask::<_, u32>(&question, None);
    assert!(matches!(number, Err(IsolationError::Form(_))));
    assert_eq!(child.ask::<_, String>(&question, None).expect("the same answer"), "text");
    let long = json!({"do": "echo", "value": "x".repeat(17 << 20)});
    assert!(matches!(child.ask::<_, Value>(&long, None), Err(IsolationError::TooLong { .. })));
    drop((child, confinement));
    nothing_left(scratch.path());
}
