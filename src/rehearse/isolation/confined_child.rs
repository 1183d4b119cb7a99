//! One confined child, once its isolation is proven: questions, notices, answers.
//!
//! Owns: the conversation after the proof. Must not: wait longer than it was told.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::IsolationError;
use super::session::Session;
use super::wire::{ToChild, ToParent};

/// A confined child. Dropping it kills it.
pub struct ConfinedChild {
    session: Session,
    notices: Option<Box<dyn FnMut(Value) + Send>>,
}

impl ConfinedChild {
    pub(super) fn new(session: Session) -> ConfinedChild {
        ConfinedChild { session, notices: None }
    }

    /// Shows what the child says while it works.
    pub fn notices(&mut self, show: impl FnMut(Value) + Send + 'static) {
        self.notices = Some(Box::new(show));
    }

    /// Asks, and waits for the answer: for as long as the child lives, or no longer than `timeout`.
    ///
    /// # Errors
    /// The child died, said something else, or ran out of time; it is dead then.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        question: &Q,
        timeout: Option<Duration>,
    ) -> Result<A, IsolationError> {
        let mut notices = self.notices.take();
        let answer = self.ask_and_hear(question, timeout, &mut |notice| {
            if let Some(show) = &mut notices {
                show(notice);
            }
        });
        self.notices = notices;
        answer
    }

    /// The same; `hear` gets what the child says while it works.
    ///
    /// # Errors
    /// As [`ConfinedChild::ask`].
    pub fn ask_and_hear<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        question: &Q,
        timeout: Option<Duration>,
        hear: &mut dyn FnMut(Value),
    ) -> Result<A, IsolationError> {
        let doing = "answering";
        let form = |e: serde_json::Error| IsolationError::Form(e.to_string());
        let since = Instant::now();
        self.session.send(&ToChild::Ask(serde_json::to_value(question).map_err(form)?), doing)?;
        loop {
            match self.session.receive(doing, since, timeout)? {
                ToParent::Answer(answer) => return A::deserialize(answer).map_err(form),
                ToParent::Notice(notice) => hear(notice),
                _ => return Err(self.session.failed(doing, "it said something that is no answer")),
            }
        }
    }

    /// Lets the child end by itself.
    ///
    /// # Errors
    /// It did not end as it should.
    pub fn finish(self) -> Result<(), IsolationError> {
        finish(self.session, None)
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.session.kill();
    }
}

/// Closes a child's pipe, and waits for its last word.
pub(super) fn finish(mut child: Session, word: Option<ToChild>) -> Result<(), IsolationError> {
    let doing = "ending";
    if let Some(word) = word {
        child.send(&word, doing)?;
    }
    child.close_input();
    match child.receive_step(doing, Instant::now())? {
        ToParent::Ended => Ok(()),
        _ => Err(child.failed(doing, "it said something else")),
    }
}
