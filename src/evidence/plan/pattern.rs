//! The rollback pattern document: an ordered list, every step of which a leg rehearses (R10).

use super::PatternMap;
use crate::evidence::Leg;
use crate::verdict::{Code, Reason};

/// Most steps: a pattern that nobody can follow in production is not one.
const MAX_STEPS: usize = 200;

/// One step of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternStep {
    /// Its number.
    pub number: u32,
    /// The line after the number.
    pub text: String,
    /// The leg that rehearses it.
    pub leg: Leg,
}

/// The steps with their legs, or what is wrong with the document or the map.
pub(super) fn read(text: &str, map: &PatternMap) -> Result<Vec<PatternStep>, Vec<Reason>> {
    let fault = |expected: String, found: String| {
        Reason::new(Code::PatternInvalid, format_args!("plan/{}", map.document)).values(expected, found)
    };
    let listed: Vec<(u32, &str)> = text.lines().filter_map(numbered).collect();
    let mut faults = Vec::new();
    if listed.is_empty() {
        faults.push(fault("an ordered list of steps (`1. …`)".into(), "none".into()));
    }
    if listed.len() > MAX_STEPS {
        return Err(vec![fault(format!("at most {MAX_STEPS} steps"), listed.len().to_string())]);
    }
    for (at, (number, _)) in listed.iter().enumerate() {
        if *number as usize != at + 1 {
            faults.push(fault(format!("step {}", at + 1), format!("step {number}")));
        }
    }
    let mut steps = Vec::new();
    for (number, text) in &listed {
        let legs: Vec<Leg> = map.steps.iter().filter(|s| s.number == *number).map(|s| s.leg).collect();
        match legs[..] {
            [leg] => steps.push(PatternStep { number: *number, text: (*text).to_owned(), leg }),
            _ => faults.push(fault(format!("one leg for step {number}"), format!("{} legs", legs.len()))),
        }
    }
    for step in &map.steps {
        if !listed.iter().any(|(number, _)| *number == step.number) {
            faults.push(fault(format!("a step {} in the document", step.number), "none".into()));
        }
    }
    if faults.is_empty() { Ok(steps) } else { Err(faults) }
}

/// `12. text` or `12) text` behind at most three spaces, as Markdown has it: deeper ones belong to a step.
fn numbered(line: &str) -> Option<(u32, &str)> {
    let line = line.get(line.bytes().take_while(|b| *b == b' ').count().min(3)..)?;
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line[digits..].strip_prefix(['.', ')'])?.strip_prefix(' ')?;
    Some((line[..digits].parse().ok()?, rest.trim()))
}
