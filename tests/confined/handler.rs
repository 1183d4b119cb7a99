//! What the children of these tests do when they are asked.

use serde_json::{Value, json};

pub(crate) fn handle(notice: &mut dyn FnMut(Value), question: Value) -> Value {
    let word = |name: &str| question[name].as_str().unwrap_or_default().to_owned();
    match word("do").as_str() {
        "echo" => question["value"].clone(),
        "count" => {
            (1..=3).for_each(|n| notice(json!(n)));
            json!("counted")
        }
        "flood" => loop {
            notice(json!("more"));
        },
        "hang" => loop {
            std::thread::park();
        },
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "panic" => panic!("as asked"),
        "huge" => json!("x".repeat(17 << 20)),
        "print" => {
            crate::say("this is not for the parent");
            json!("printed")
        }
        "environment" => {
            let names: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
            json!(names)
        }
        "place" => json!(std::env::current_dir().expect("a directory")),
        "write" => outcome(std::fs::write(word("path"), "x")),
        "read" => outcome(std::fs::read(word("path")).map(drop)),
        "sqlite" => crate::sqlite::work(&word("path")),
        other => json!({ "unknown": other }),
    }
}

fn outcome(result: std::io::Result<()>) -> Value {
    json!(result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0))
}
