//! The machine: every atom at once, letter by letter, straight over the bytes of a text.
//!
//! Owns: the automaton (Aho and Corasick), and what it read where. Must not: know what an atom means.
//!
//! ```text
//! text     p r 0 d . p @ s s       a separator leaves the state as it is: nothing is copied first
//! letters  p r o d   p   s s       in the reading `WithDigits`
//! ```
//! A library's automaton would have to be given the letters alone, copied for each reading, and takes ten times as
//! long to make.

use std::collections::VecDeque;

use super::readings::{Letters, table};

/// Columns of a state: one for each letter, and the first for what is none.
const COLUMNS: usize = 32;
/// Most places noted while two readings go on at once; of a text with more, each reading is gone through alone.
const MOST_NOTED: usize = 1 << 12;

/// An atom that ends in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Which one.
    pub(super) pattern: usize,
    /// Offset behind its last letter.
    pub(super) end: usize,
}

/// The automaton of some patterns.
pub(super) struct Machine {
    /// The next state, by state and letter. A state is the place of its first column.
    next: Vec<u32>,
    /// The first state in which patterns end: those in which none does come before.
    ending: u32,
    /// Of each of these states: where its patterns stand in `ended`.
    ends: Vec<(u32, u32)>,
    ended: Vec<u32>,
    /// Letters of each pattern.
    lengths: Vec<usize>,
}

impl Machine {
    /// The machine of `patterns`: folded words, none of them empty.
    pub(super) fn new(patterns: &[Vec<u8>]) -> Machine {
        let mut trie = Trie { rows: vec![[0; COLUMNS]], own: vec![Vec::new()] };
        for (pattern, letters) in patterns.iter().enumerate() {
            trie.add(pattern as u32, letters);
        }
        trie.link();
        let lengths = patterns.iter().map(Vec::len).collect();
        trie.machine(lengths)
    }

    /// What ends where in one reading of `text`, until `look` says that it has seen enough.
    pub(super) fn read(&self, text: &[u8], letters: Letters, mut look: impl FnMut(Seen) -> bool) {
        let table = table(letters);
        let mut state = 0;
        for (at, &byte) in text.iter().enumerate() {
            let column = column(table[byte as usize]);
            state = self.next[state as usize + column];
            if state >= self.ending && column != 0 && !self.each(state, at + 1, &mut look) {
                return;
            }
        }
    }

    /// What ends where in the readings without and with digits, which are read side by side. Nothing of a text that
    /// has too many.
    pub(super) fn read_both(&self, text: &[u8]) -> Option<[Vec<Seen>; 2]> {
        let (alone, with_digits) = (table(Letters::Alone), table(Letters::WithDigits));
        let mut seen = [Vec::new(), Vec::new()];
        let mut states = [0, 0];
        for (at, &byte) in text.iter().enumerate() {
            let columns = [column(alone[byte as usize]), column(with_digits[byte as usize])];
            states = [self.next[states[0] as usize + columns[0]], self.next[states[1] as usize + columns[1]]];
            if states[0] >= self.ending || states[1] >= self.ending {
                for ((state, column), seen) in states.into_iter().zip(columns).zip(&mut seen) {
                    if state >= self.ending && column != 0 {
                        self.each(state, at + 1, &mut |one| {
                            seen.push(one);
                            true
                        });
                    }
                }
                if seen.iter().any(|seen| seen.len() > MOST_NOTED) {
                    return None;
                }
            }
        }
        Some(seen)
    }

    /// Where the atom begins that was seen in this reading.
    pub(super) fn start(&self, text: &[u8], letters: Letters, seen: Seen) -> usize {
        let table = table(letters);
        let mut missing = self.lengths[seen.pattern];
        let mut at = seen.end;
        while missing > 0 && at > 0 {
            at -= 1;
            missing -= usize::from(table[text[at] as usize] != 0);
        }
        at
    }

    fn each(&self, state: u32, end: usize, look: &mut impl FnMut(Seen) -> bool) -> bool {
        let (from, to) = self.ends[(state - self.ending) as usize / COLUMNS];
        let patterns = &self.ended[from as usize..to as usize];
        patterns.iter().all(|&pattern| look(Seen { pattern: pattern as usize, end }))
    }
}

/// The column of a letter, and of what is none.
fn column(letter: u8) -> usize {
    usize::from(letter) % COLUMNS
}

/// The automaton under way: states are numbers, and 0 is both the start and none.
struct Trie {
    rows: Vec<[u32; COLUMNS]>,
    /// Of each state: the patterns that end in it, the longest first.
    own: Vec<Vec<u32>>,
}

impl Trie {
    fn add(&mut self, pattern: u32, letters: &[u8]) {
        let mut state = 0;
        for &letter in letters {
            let column = column(letter);
            if self.rows[state][column] == 0 {
                self.rows[state][column] = self.rows.len() as u32;
                self.rows.push([0; COLUMNS]);
                self.own.push(Vec::new());
            }
            state = self.rows[state][column] as usize;
        }
        self.own[state].push(pattern);
    }

    /// Lets every state go on with every letter: where its own patterns do not, as the longest that began later does.
    fn link(&mut self) {
        let mut later = vec![0; self.rows.len()];
        let mut open = VecDeque::from([0]);
        while let Some(state) = open.pop_front() {
            let shorter: usize = later[state];
            if state != 0 {
                let ended = self.own[shorter].clone();
                self.own[state].extend(ended);
            }
            for column in 1..COLUMNS {
                let other = if state == 0 { 0 } else { self.rows[shorter][column] };
                match self.rows[state][column] as usize {
                    0 => self.rows[state][column] = other,
                    further => {
                        later[further] = other as usize;
                        open.push_back(further);
                    }
                }
            }
        }
    }

    fn machine(self, lengths: Vec<usize>) -> Machine {
        let ends_none = |state: &usize| self.own[*state].is_empty();
        let (quiet, ending): (Vec<usize>, Vec<usize>) = (0..self.rows.len()).partition(ends_none);
        let mut places = vec![0u32; self.rows.len()];
        for (n, &state) in quiet.iter().chain(&ending).enumerate() {
            places[state] = (n * COLUMNS) as u32;
        }
        let mut machine = Machine {
            next: Vec::with_capacity(self.rows.len() * COLUMNS),
            ending: (quiet.len() * COLUMNS) as u32,
            ends: Vec::with_capacity(ending.len()),
            ended: Vec::new(),
            lengths,
        };
        for &state in quiet.iter().chain(&ending) {
            machine.next.push(places[state]); // what separates changes nothing
            machine.next.extend(self.rows[state][1..].iter().map(|&next| places[next as usize]));
        }
        for state in ending {
            let from = machine.ended.len() as u32;
            machine.ended.extend(&self.own[state]);
            machine.ends.push((from, machine.ended.len() as u32));
        }
        machine
    }
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    use super::*;

    /// What a library finds in the letters alone, as (pattern, start, end) in the text.
    fn reference(patterns: &[Vec<u8>], text: &[u8], letters: Letters) -> Vec<(usize, usize, usize)> {
        let kept = text.iter().enumerate().map(|(at, &b)| (at, table(letters)[b as usize]));
        let (places, squeezed): (Vec<usize>, Vec<u8>) = kept.filter(|(_, letter)| *letter != 0).unzip();
        let library = AhoCorasick::new(patterns).expect("an automaton");
        let found = library.find_overlapping_iter(&squeezed);
        found.map(|m| (m.pattern().as_usize(), places[m.start()], places[m.end() - 1] + 1)).collect()
    }

    fn read(machine: &Machine, text: &[u8], letters: Letters) -> Vec<(usize, usize, usize)> {
        let mut seen = Vec::new();
        machine.read(text, letters, |one| {
            seen.push((one.pattern, machine.start(text, letters, one), one.end));
            true
        });
        seen
    }

    proptest! {
        #[test]
        fn it_sees_what_a_library_sees_in_the_letters_alone(
            patterns in proptest::collection::vec("[abo]{1,5}", 1..8), text in "[aAbo01@$. \\n\u{e9}]{0,40}",
        ) {
            let patterns: Vec<Vec<u8>> = patterns.into_iter().map(String::into_bytes).collect();
            let (machine, text) = (Machine::new(&patterns), text.as_bytes());
            for letters in [Letters::Alone, Letters::WithDigits, Letters::WithSymbols] {
                prop_assert_eq!(read(&machine, text, letters), reference(&patterns, text, letters));
            }
            let both = machine.read_both(text).expect("few");
            for (letters, seen) in [Letters::Alone, Letters::WithDigits].into_iter().zip(both) {
                let seen: Vec<_> =
                    seen.into_iter().map(|s| (s.pattern, machine.start(text, letters, s), s.end)).collect();
                prop_assert_eq!(seen, reference(&patterns, text, letters));
            }
        }
    }

    #[test]
    fn it_stops_when_enough_was_seen_and_notes_no_more_than_it_may() {
        let machine = Machine::new(&[b"a".to_vec()]);
        let mut count = 0;
        machine.read(b"aaaa", Letters::Alone, |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
        assert!(machine.read_both(&[b'a'; MOST_NOTED]).is_some());
        assert!(machine.read_both(&[b'a'; MOST_NOTED + 1]).is_none());
    }
}
