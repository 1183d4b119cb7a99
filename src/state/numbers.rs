//! The operators' own running numbers: what was rehearsed, and then withheld, leaves a gap.
//!
//! ```text
//! begin 1 · rehearsal 2 · rehearsal 4           3 is missing, until it is recorded or voided with a reason
//! ```
//!
//! A number is the signer's word, like a time: an operator who signs a smaller one than the truth is not found out. It
//! shows what an operator's own program counted and nobody recorded. Two clones of one operator that do not know of
//! each other may give out the same number: both entries stand, none is signed again, and the number is counted as doubled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::State;
use crate::keys::Fingerprint;
use crate::statement::{Claim, Numbers};
use crate::verdict::{Code, Reason, Verdict};

/// How far a number may lie behind the last one: a jump that nobody can explain is a mistake.
pub const MAX_STEP: u64 = 10_000;

/// The numbers of one operator's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    last: u64,
    /// First to last of each run of numbers that no entry has.
    missing: BTreeMap<u64, u64>,
    doubled: u64,
}

impl Counter {
    /// The highest number so far; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The runs of numbers below it that no entry has, each with its first and last.
    pub fn missing(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.missing.iter().map(|(first, last)| (*first, *last))
    }

    /// How many entries have a number that another one had before.
    pub fn doubled(&self) -> u64 {
        self.doubled
    }

    /// Whether an entry has this number, or it was voided.
    pub fn has(&self, number: u64) -> bool {
        (1..=self.last).contains(&number) && self.run_with(number).is_none()
    }

    fn run_with(&self, number: u64) -> Option<(u64, u64)> {
        let (first, last) = self.missing.range(..=number).next_back()?;
        (*last >= number).then_some((*first, *last))
    }

    /// Whether these may be voided: all of them missing, or those that come next.
    fn may_void(&self, first: u64, last: u64) -> bool {
        let missing = self.run_with(first).is_some_and(|(_, end)| last <= end);
        missing || (first == self.last + 1 && last - first < MAX_STEP)
    }

    fn take(&mut self, first: u64, last: u64) {
        if let Some((start, end)) = self.run_with(first) {
            self.missing.remove(&start);
            if start < first {
                self.missing.insert(start, first - 1);
            }
            if last < end {
                self.missing.insert(last + 1, end);
            }
            return;
        }
        if first <= self.last {
            self.doubled += 1;
            return;
        }
        if first > self.last + 1 {
            self.missing.insert(self.last + 1, first - 1);
        }
        self.last = last;
    }
}

impl State {
    /// The numbers of an operator's key.
    pub fn counter(&self, key: &Fingerprint) -> Counter {
        self.summary.counters.get(key).cloned().unwrap_or_default()
    }

    /// The numbers of every key that has some.
    pub fn counters(&self) -> impl Iterator<Item = (&Fingerprint, &Counter)> {
        self.summary.counters.iter()
    }

    /// An operator's statement has a number where the policy asks for one, and none that jumps.
    pub(super) fn numbered(&self, claim: &Claim, key: &Fingerprint, object: &str, verdict: &mut Verdict) {
        if !matches!(claim, Claim::Begin(_) | Claim::Rehearsal(_) | Claim::Rerun(_)) {
            return;
        }
        let refused = || Reason::new(Code::NumberInvalid, format_args!("{object}: number"));
        let Some(number) = claim.number() else {
            let asked = self.policy().is_some_and(|policy| policy.ledger_rules().require_numbers);
            return verdict.require(!asked, || refused().values("one, the policy requires it", "none"));
        };
        let most = self.counter(key).last() + MAX_STEP;
        verdict.require(number <= most, || refused().values(format_args!("at most {most}"), number));
    }

    /// Numbers are voided by their operator or by owners, and only where no entry has them.
    pub(super) fn voids_numbers(&self, numbers: &Numbers, object: &str, verdict: &mut Verdict) {
        let Numbers { first, key, last } = numbers;
        let counter = self.counter(key);
        verdict.require(self.key(key).is_some() && counter.may_void(*first, *last), || {
            let next = counter.last() + 1;
            Reason::new(Code::CorrectionInvalid, format_args!("{object}: numbers of {key}"))
                .values(format_args!("missing ones, or the next, {next}"), format_args!("{first} to {last}"))
        });
    }

    pub(super) fn count(&mut self, key: Fingerprint, first: u64, last: u64) {
        self.summary.counters.entry(key).or_default().take(first, last);
    }

    /// Each run of numbers that no entry has.
    pub(super) fn missing_numbers(&self, verdict: &mut Verdict) {
        for (key, counter) in &self.summary.counters {
            let name = self.key(key).map_or_else(|| key.to_string(), |record| record.name.to_string());
            for (first, last) in counter.missing() {
                let object = match first == last {
                    true => format!("operator `{name}`: number {first}"),
                    false => format!("operator `{name}`: numbers {first} to {last}"),
                };
                let found = format_args!("none, and {} is recorded", counter.last()).to_string();
                verdict.push(Reason::new(Code::NumberMissing, object).values("an entry, or a void", found));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_open_fill_split_and_end() {
        let mut counter = Counter::default();
        let take = |counter: &mut Counter, n: u64| {
            counter.take(n, n);
            counter.missing().collect::<Vec<_>>()
        };
        assert_eq!(take(&mut counter, 1), []);
        assert_eq!(take(&mut counter, 6), [(2, 5)]);
        assert_eq!(take(&mut counter, 4), [(2, 3), (5, 5)]);
        assert!(counter.has(4) && counter.has(6) && !counter.has(5) && !counter.has(7) && !counter.has(0));
        assert!(counter.may_void(2, 3) && !counter.may_void(2, 5) && !counter.may_void(4, 4));
        assert!(counter.may_void(7, 8) && !counter.may_void(8, 8) && !counter.may_void(7, 7 + MAX_STEP));
        assert_eq!(counter.doubled(), 0);
        assert_eq!(take(&mut counter, 4), [(2, 3), (5, 5)]);
        assert_eq!((counter.doubled(), counter.last()), (1, 6));
        counter.take(2, 3);
        counter.take(7, 8);
        assert_eq!((take(&mut counter, 5), counter.last()), (Vec::new(), 8));
    }
}
