//! How far a long reading has come, told while it goes on.
//!
//! Owns: the thread that works, and how often it is heard of. Must not: reach evidence: what is told depends on the machine.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Instant;

use serde_json::Value;

use super::rows::Progress;

/// Milliseconds between two words of it; the first is said at once.
const EVERY: u64 = 200;

/// Runs `work` on a thread of its own, and passes to `tell` what it reports. Nothing where that thread ended early.
pub(super) fn told<T: Send>(
    tell: &mut dyn FnMut(Value),
    work: impl FnOnce(&(dyn Fn(Progress) + Sync)) -> T + Send,
) -> Option<T> {
    let (say, heard) = channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let (since, next) = (Instant::now(), AtomicU64::new(0));
            work(&|progress| {
                let now = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                let due = next.load(Relaxed);
                if now >= due && next.compare_exchange(due, now + EVERY, Relaxed, Relaxed).is_ok() {
                    let _ = say.send(progress); // nobody listens any more: the work goes on
                }
            })
        });
        for progress in heard {
            tell(serde_json::to_value::<Progress>(progress).unwrap_or_default());
        }
        worker.join().ok()
    })
}

/// What was told, read again.
pub(super) fn read(notice: Value) -> Option<Progress> {
    serde_json::from_value(notice).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_said_at_once_and_not_every_one() {
        let mut heard = Vec::new();
        let done = told(&mut |notice| heard.extend(read(notice)), |progress| {
            (1..=1000).for_each(|rows| progress(Progress { rows, bytes: 2 * rows }));
            "done"
        });
        assert_eq!(done, Some("done"));
        assert_eq!(heard[0], Progress { rows: 1, bytes: 2 });
        assert!(heard.len() < 1000);
    }
}
