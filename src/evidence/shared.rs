//! A part of the facts that its copies share until one of them is changed.
//!
//! Owns: copying at the first change, and the digest until then. Must not: be seen: it reads, compares and is written as
//! what it holds.
//!
//! The probes spoil one thing of a rehearsal forty times over: what they leave alone is neither copied nor compared.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

use crate::digest::Digest;

/// A value, shared by its clones.
#[derive(Clone, Debug)]
pub struct Shared<T>(Arc<Held<T>>);

#[derive(Clone, Debug)]
struct Held<T> {
    value: T,
    digest: OnceLock<Digest>,
}

impl<T> Shared<T> {
    /// Whether the two are one and the same in memory: then nothing changed either of them.
    pub fn is_same(&self, other: &Shared<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The digest of the value, made when it is first asked for. `of` is the one way in which this type is digested.
    pub(super) fn digest(&self, of: impl FnOnce(&T) -> Digest) -> Digest {
        *self.0.digest.get_or_init(|| of(&self.0.value))
    }
}

impl<T: Clone> Shared<T> {
    /// The value by itself.
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0).value
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Shared<T> {
        Shared(Arc::new(Held { value, digest: OnceLock::new() }))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        let held = Arc::make_mut(&mut self.0);
        held.digest.take();
        &mut held.value
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Shared<T>) -> bool {
        self.is_same(other) || self.0.value == other.0.value
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_when_one_is_changed_and_not_before() {
        let one = Shared::from(vec![1, 2]);
        let mut other = one.clone();
        assert!(one.is_same(&other) && one == other);
        other[0] = 1;
        assert!(!one.is_same(&other) && one == other, "equal, but no longer the same");
        other.push(3);
        assert_eq!((one.len(), other.len()), (2, 3));
        assert!(one != other);
    }

    #[test]
    fn the_digest_is_made_once_and_goes_with_a_change() {
        let mut made = 0;
        let mut one = Shared::from(vec![1u8]);
        let mut digest = |shared: &Shared<Vec<u8>>| {
            shared.digest(|bytes| {
                made += 1;
                Digest::of(bytes)
            })
        };
        assert_eq!((digest(&one), digest(&one)), (Digest::of(&[1]), Digest::of(&[1])));
        let kept = one.clone();
        one.push(2);
        assert_eq!((digest(&one), digest(&kept)), (Digest::of(&[1, 2]), Digest::of(&[1])));
        one[0] = 3;
        assert_eq!(digest(&one), Digest::of(&[3, 2]));
        assert_eq!(made, 3);
    }
}
