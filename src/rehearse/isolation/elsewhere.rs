//! Systems without the layers: the same interface, which always says so.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{IsolationClosing, IsolationError, Wanted};
use crate::evidence::isolation::{IsolationProof, Level};

/// Cannot be made here.
pub enum Confinement {}

/// Cannot be made here.
pub enum ConfinedChild {}

/// There is nothing to serve.
pub(super) fn serve(_: impl FnMut(&mut dyn FnMut(Value), Value) -> Value) -> ExitCode {
    ExitCode::from(3)
}

impl Confinement {
    /// Always fails.
    ///
    /// # Errors
    /// [`IsolationError::NotLinux`].
    pub fn establish(_: &Path, _: &Path, _: Wanted) -> Result<Confinement, IsolationError> {
        Err(IsolationError::NotLinux)
    }
    /// Never reached.
    pub fn clone_directory(&self) -> &Path {
        match *self {}
    }
    /// Never reached.
    pub fn level(&self) -> Level {
        match *self {}
    }
    /// Never reached.
    pub fn opening(&self) -> &IsolationProof {
        match *self {}
    }
    /// Never reached.
    ///
    /// # Errors
    /// None.
    pub fn spawn(&self) -> Result<ConfinedChild, IsolationError> {
        match *self {}
    }
    /// Never reached.
    ///
    /// # Errors
    /// None.
    pub fn close(self) -> Result<IsolationClosing, IsolationError> {
        match self {}
    }
}

impl ConfinedChild {
    /// Never reached.
    pub fn notices(&mut self, _: impl FnMut(Value) + 'static) {
        match *self {}
    }
    /// Never reached.
    ///
    /// # Errors
    /// None.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        _: &Q,
        _: Option<Duration>,
    ) -> Result<A, IsolationError> {
        match *self {}
    }
    /// Never reached.
    ///
    /// # Errors
    /// None.
    pub fn ask_and_hear<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        _: &Q,
        _: Option<Duration>,
        _: &mut dyn FnMut(Value),
    ) -> Result<A, IsolationError> {
        match *self {}
    }
    /// Never reached.
    ///
    /// # Errors
    /// None.
    pub fn finish(self) -> Result<(), IsolationError> {
        match self {}
    }
    /// Never reached.
    pub fn kill(self) {
        match self {}
    }
}
