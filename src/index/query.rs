//! The entries that are asked for, newest first.
//!
//! Owns: the filters of `log`, and the shortest way to what they let through. Must not: read an entry's files; where
//! only they can tell, the answer says so.
//!
//! ```text
//! by, kind, result        the positions with the term, backwards
//! table, blocker          the few sets of words that have it, and the positions with one of them
//! since, until, nothing   the positions between two moments, backwards: time never goes back in a ledger
//! ```

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::line::{Line, any_plan_word, blocker_word, plan_word, set_term, term, words_of};
use super::map::Map;
use super::view::{View, parse};
use super::write::node;
use super::{Fault, key};
use crate::digest::Digest;
use crate::merkle::stored;
use crate::state::IndexError;
use crate::time::Timestamp;

/// Most sets whose positions are merged. A word that more of them have is looked for entry by entry.
const MOST_SETS: usize = 64;

/// Which entries. All of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// The name of the key that placed it.
    pub by: Option<String>,
    /// The kind's name.
    pub kind: Option<String>,
    /// The entry's own name.
    pub label: Option<String>,
    /// The result's name.
    pub result: Option<String>,
    /// A name in the SQL of the plan.
    pub table: Option<String>,
    /// An open blocker.
    pub blocker: Option<String>,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub seq: u64,
    /// As it is listed.
    pub line: Line,
    /// False: whether the plan has the name, only its files can tell ([`super::plan_names`]).
    pub sure: bool,
}

/// The question, as the map is asked.
struct Search<'a> {
    map: &'a Map,
    wanted: &'a Wanted,
    /// The positions below this one.
    before: u64,
    limit: usize,
    found: Vec<Found>,
}

impl View {
    /// The entry at a position.
    ///
    /// # Errors
    /// It cannot be read; so for every question.
    pub fn line(&self, seq: u64) -> Result<Option<Line>, IndexError> {
        self.ask(&|map, size| if seq < size { line(map, seq).map(Some) } else { Ok(None) })
    }

    /// The position of the entry with this leaf.
    ///
    /// # Errors
    /// As [`View::line`].
    pub fn leaf_position(&self, leaf: &Digest) -> Result<Option<u64>, IndexError> {
        self.ask(&|map, size| Ok(super::view::record_of(map, leaf, size)?.map(|record| record.seq())))
    }

    /// At most `limit` entries below the position `before`, newest first.
    ///
    /// # Errors
    /// As [`View::line`].
    pub fn search(&self, wanted: &Wanted, before: u64, limit: usize) -> Result<Vec<Found>, IndexError> {
        self.ask(&|map, size| {
            let before = not_after(map, wanted.until, before.min(size))?;
            Search { map, wanted, before, limit, found: Vec::new() }.run()
        })
    }

    /// The hash of a complete subtree: of `2^level` leaves, from `index * 2^level` on.
    ///
    /// # Errors
    /// As [`View::line`].
    pub fn node(&self, level: u8, index: u64) -> Result<Digest, IndexError> {
        self.ask(&|map, _| node(map, level, index))
    }

    /// The Merkle root over the first `size` leaves.
    ///
    /// # Errors
    /// As [`View::line`].
    pub fn root_after(&self, size: u64) -> Result<Digest, IndexError> {
        stored::root(size, &mut |level, index| self.node(level, index))
    }
}

fn line(map: &Map, seq: u64) -> Result<Line, Fault> {
    parse(&map.get(&key::entry(seq))?.ok_or(Fault::Damaged("an entry is missing"))?)
}

/// The first position below `before` whose time is after a moment.
fn not_after(map: &Map, moment: Option<Timestamp>, before: u64) -> Result<u64, Fault> {
    let Some(moment) = moment else { return Ok(before) };
    let (mut low, mut high) = (0, before);
    while low < high {
        let middle = low + (high - low) / 2;
        match line(map, middle)?.time <= moment {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

impl Search<'_> {
    fn run(mut self) -> Result<Vec<Found>, Fault> {
        let Wanted { by, kind, label, result, .. } = self.wanted;
        let fields = [("name", label), ("result", result), ("by", by), ("kind", kind)];
        let named = fields.into_iter().find_map(|(field, value)| Some(term(field, value.as_ref()?)));
        let sets = match named {
            Some(_) => None,
            None => self.few_sets()?,
        };
        let (wanted, limit) = (self.wanted, self.limit);
        match (named, sets) {
            (Some(term), _) => self.positions(&term)?,
            (None, Some(sets)) => {
                for set in sets {
                    let mut of_one = Search { found: Vec::new(), wanted, ..self };
                    of_one.positions(&set_term(&set))?;
                    self.found.append(&mut of_one.found);
                }
                self.found.sort_by_key(|found| std::cmp::Reverse(found.seq));
                self.found.dedup_by_key(|found| found.seq);
                self.found.truncate(limit);
            }
            (None, None) => self.entries()?,
        }
        Ok(self.found)
    }

    /// The entries with a term, backwards.
    fn positions(&mut self, term: &Digest) -> Result<(), Fault> {
        let Some(last) = self.before.checked_sub(1) else { return Ok(()) };
        let map = self.map;
        map.down(&key::terms(term), &key::term(term, last), &mut |at, _| {
            let seq = key::number(at).ok_or(Fault::Damaged("a position cannot be read"))?;
            self.take(seq, line(map, seq)?)
        })
    }

    /// All entries, backwards.
    fn entries(&mut self) -> Result<(), Fault> {
        let Some(last) = self.before.checked_sub(1) else { return Ok(()) };
        let last = key::entry(last);
        self.map.down(&last[..1], &last, &mut |at, value| {
            let seq = key::number(at).ok_or(Fault::Damaged("a position cannot be read"))?;
            self.take(seq, parse(value)?)
        })
    }

    fn take(&mut self, seq: u64, line: Line) -> Result<ControlFlow<()>, Fault> {
        if self.found.len() >= self.limit || self.wanted.since.is_some_and(|since| line.time < since) {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(sure) = self.lets_through(&line)? {
            self.found.push(Found { seq, line, sure });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the filters let an entry through, and whether that is sure.
    fn lets_through(&self, line: &Line) -> Result<Option<bool>, Fault> {
        let wanted = self.wanted;
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let plain = is(&wanted.by, &line.author)
            && is(&wanted.kind, &line.kind)
            && is(&wanted.label, &line.label)
            && is(&wanted.result, line.result_name());
        if !plain {
            return Ok(None);
        }
        let has = |word: &Digest| -> Result<bool, Fault> {
            for set in &line.sets {
                if self.map.get(&key::word(word, set))?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        if let Some(blocker) = &wanted.blocker
            && !has(&blocker_word(blocker))?
        {
            return Ok(None);
        }
        let Some(table) = &wanted.table else { return Ok(Some(true)) };
        if has(&any_plan_word())? {
            return Ok(Some(false));
        }
        let words = words_of(table);
        for word in &words {
            if !has(&plan_word(word))? {
                return Ok(None);
            }
        }
        let whole = words == BTreeSet::from([table.to_lowercase()]);
        Ok((!line.sets.is_empty()).then_some(whole))
    }

    /// The sets that could let an entry through; `None` where there are too many, or none is asked for.
    fn few_sets(&self) -> Result<Option<BTreeSet<Digest>>, Fault> {
        let words = match (&self.wanted.blocker, &self.wanted.table) {
            (Some(blocker), _) => vec![blocker_word(blocker)],
            (None, Some(table)) => match words_of(table).iter().max_by_key(|word| word.len()) {
                Some(word) => vec![plan_word(word), any_plan_word()],
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let mut sets = BTreeSet::new();
        for word in words {
            let all = key::words(&word);
            self.map.up(&all, &all, &mut |at, _| {
                sets.insert(key::digest(at).ok_or(Fault::Damaged("a set cannot be read"))?);
                let full = sets.len() > MOST_SETS;
                Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        Ok((sets.len() <= MOST_SETS).then_some(sets))
    }
}
