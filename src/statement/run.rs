//! The volatile facts of a run: times, host, paths, durations. They stand in the statement so that the packet
//! stays a pure function of its inputs; nothing is decided by them, so they are only bounded.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StatementError;
use crate::canon;

/// Largest `run` object in bytes of canonical JSON: stops a statement from carrying a second packet.
pub const MAX_RUN_BYTES: usize = 32 << 10;
/// Deepest nesting within `run`.
pub const MAX_RUN_DEPTH: usize = 8;

/// The volatile facts, by name (`started`, `finished`, `host_os`, `arch`, `version`, `isolation`, …).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Run(BTreeMap<String, Value>);

impl Run {
    /// Bounds the facts.
    ///
    /// # Errors
    /// Over [`MAX_RUN_BYTES`] or [`MAX_RUN_DEPTH`]; a float; a name outside `[a-z0-9_]{1,64}`.
    pub fn new(facts: BTreeMap<String, Value>) -> Result<Run, StatementError> {
        let run = Run(facts);
        run.check()?;
        Ok(run)
    }

    /// The facts.
    pub fn facts(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    pub(super) fn check(&self) -> Result<(), StatementError> {
        let refused =
            |expected: String, found: String| StatementError::field("/predicate/…/run", expected, found);
        let mut left = MAX_RUN_BYTES;
        let mut open: Vec<(&Value, usize)> = Vec::new();
        for (name, value) in &self.0 {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
                return Err(refused("names of [a-z0-9_]{1,64}".into(), name.clone()));
            }
            left = left.saturating_sub(name.len() + 4);
            open.push((value, 1));
        }
        while let Some((value, depth)) = open.pop() {
            if depth > MAX_RUN_DEPTH {
                return Err(refused(format!("at most {MAX_RUN_DEPTH} levels"), "more".into()));
            }
            left = left.saturating_sub(match value {
                Value::Null | Value::Bool(_) => 6,
                Value::Number(n) => {
                    let size = n.as_u64().or(n.as_i64().map(i64::unsigned_abs)).unwrap_or(u64::MAX);
                    if size > canon::MAX_INTEGER {
                        return Err(refused(format!("integers up to {}", canon::MAX_INTEGER), n.to_string()));
                    }
                    17
                }
                Value::String(text) => text.len() + 3,
                Value::Array(items) => {
                    open.extend(items.iter().map(|item| (item, depth + 1)));
                    2
                }
                // ASCII alone, where the orders of UTF-8 and of RFC 8785 (UTF-16) cannot differ.
                Value::Object(fields) if !fields.keys().all(|k| k.is_ascii()) => {
                    return Err(refused("ASCII names".into(), "others".into()));
                }
                Value::Object(fields) => {
                    open.extend(fields.values().map(|item| (item, depth + 1)));
                    fields.keys().map(|k| k.len() + 4).sum::<usize>() + 2
                }
            });
            if left == 0 {
                return Err(refused(format!("at most {MAX_RUN_BYTES} bytes"), "more".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: Value) -> bool {
        Run::new(BTreeMap::from([(name.to_owned(), value)])).is_ok()
    }

    #[test]
    fn each_bound_refuses_and_accepts() {
        let deep = |n: usize| (0..n).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(with("started", "2026-11-23T00:00:00Z".into()) && !with("Started", Value::Null));
        assert!(with("x", deep(MAX_RUN_DEPTH - 1)) && !with("x", deep(MAX_RUN_DEPTH)));
        assert!(
            with("x", "y".repeat(MAX_RUN_BYTES - 100).into()) && !with("x", "y".repeat(MAX_RUN_BYTES).into())
        );
        assert!(with("x", 1.into()) && !with("x", 1.5.into()));
        assert!(
            with("x", canon::MAX_INTEGER.into())
                && !with("x", u64::MAX.into())
                && !with("x", i64::MIN.into())
        );
        assert!(with("x", serde_json::json!({"A b": 1})) && !with("x", serde_json::json!({"\u{e9}": 1})));
        assert!(!with("x", vec![Value::Null; MAX_RUN_BYTES].into()));
    }
}
