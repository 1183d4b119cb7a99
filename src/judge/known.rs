//! What was found clean already, so that a verification looks at each distinct thing once.
//!
//! Owns: a bounded set of digests. Must not: hold anything but what was accepted: whatever is refused is looked at
//! again, and named again. A set belongs to one policy; whoever asks puts everything that the answer depends on
//! into the digest, so that an answer is never another input's.
//!
//! Full, it forgets all: the next inputs are looked at again, and no input can make it grow.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;

/// Most digests kept: about 3 MiB, and more files than most ledgers have.
const MOST: usize = 1 << 16;

/// Digests of inputs that were accepted.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<Digest>>);

impl Known {
    /// Whether this input was accepted before.
    pub(super) fn holds(&self, input: &Digest) -> bool {
        self.set().contains(input)
    }

    /// Notes that this input was accepted.
    pub(super) fn add(&self, input: Digest) {
        let mut set = self.set();
        if set.len() >= MOST {
            set.clear();
        }
        set.insert(input);
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.set().len()
    }

    fn set(&self) -> MutexGuard<'_, HashSet<Digest>> {
        // A set is whole after every call, so a thread that died in one leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_before_it_grows() {
        let known = Known::default();
        let input = |n: usize| Digest::of(&n.to_be_bytes());
        for n in 0..MOST {
            assert!(!known.holds(&input(n)));
            known.add(input(n));
            assert!(known.holds(&input(n)));
        }
        known.add(input(MOST));
        assert!(known.holds(&input(MOST)) && !known.holds(&input(0)));
        assert_eq!(known.len(), 1);
    }
}
