//! The child's side: what runs when the executable's first argument is [`VERB`].
//!
//! Owns: the way into it, the same on every system. Must not: be called with more than one thread running.

use std::process::ExitCode;

use serde_json::Value;

/// The hidden first argument that makes the executable a child of a rehearsal. No part of the command line
/// that people use.
pub const VERB: &str = "confined";

/// Serves one parent until it closes the pipe.
///
/// `handle` gets a function for notices (progress) and a question, and gives the answer; it runs with every
/// layer on, in the clone's directory. Must be the first thing that the process does.
pub fn serve(handle: impl FnMut(&mut dyn FnMut(Value), Value) -> Value) -> ExitCode {
    #[cfg(target_os = "linux")]
    return super::confine::serve(handle);
    #[cfg(not(target_os = "linux"))]
    return super::elsewhere::serve(handle);
}
